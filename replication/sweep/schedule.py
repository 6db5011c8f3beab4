"""How long runs take on so many devices, where a student waits for its teacher."""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """A run to do: its seconds, the devices that it takes, and the task that has to be over."""

    name: str
    seconds: float
    devices: float
    after: str | None = None


def longest_chain(tasks: Iterable[Task]) -> list[Task]:
    """The chain of tasks that takes longest, its first task first, as in ``tasks``."""
    named = {task.name: task for task in tasks}
    below = _seconds_below(named)
    chain: list[Task] = []
    ready = [task for task in named.values() if task.after not in named]
    following = _following(named)
    while ready:
        chain.append(max(ready, key=lambda task: below[task.name]))
        ready = following[chain[-1].name]
    return chain


def least_seconds(tasks: Sequence[Task], devices: float) -> float:
    """No schedule on so many devices is shorter: the longest chain, or all work spread evenly."""
    work = sum(task.seconds * min(task.devices, devices) for task in tasks)
    return max(sum(task.seconds for task in longest_chain(tasks)), work / devices)


def list_schedule(tasks: Sequence[Task], devices: float) -> float:
    """Seconds on so many devices when the task with most below it starts first.

    A task that takes more devices than there are takes all. Raises ValueError without devices.
    """
    if devices <= 0:
        raise ValueError(f"{devices} devices: more than none are needed")
    named = {task.name: task for task in tasks}
    below, following = _seconds_below(named), _following(named)
    waiting = [(-below[task.name], task.name) for task in tasks if task.after not in named]
    heapq.heapify(waiting)
    running: list[tuple[float, str]] = []
    now, free = 0.0, devices
    while waiting or running:
        aside = []
        while waiting and free > 0:
            entry = heapq.heappop(waiting)
            task = named[entry[1]]
            if (taken := min(task.devices, devices)) > free:
                aside.append(entry)
                continue
            free -= taken
            heapq.heappush(running, (now + task.seconds, task.name))
        for entry in aside:
            heapq.heappush(waiting, entry)
        now, name = heapq.heappop(running)
        free += min(named[name].devices, devices)
        for task in following[name]:
            heapq.heappush(waiting, (-below[task.name], task.name))
    return now


def _following(named: Mapping[str, Task]) -> Mapping[str, list[Task]]:
    found = defaultdict[str, list[Task]](list)
    for task in named.values():
        if task.after is not None:
            found[task.after].append(task)
    return found


def _seconds_below(named: Mapping[str, Task]) -> dict[str, float]:
    """Of each task, its own seconds and those of the longest chain that waits for it."""
    found = {name: task.seconds for name, task in named.items()}
    # Teachers come before their students, so that students are reckoned first from behind.
    for task in reversed(list(named.values())):
        if task.after in found:
            found[task.after] = max(found[task.after], named[task.after].seconds + found[task.name])
    return found
