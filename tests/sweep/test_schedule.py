"""Time on devices, against schedules worked out by hand."""

import pytest

from replication.sweep.schedule import Task, least_seconds, list_schedule, longest_chain

# A teacher of 2 s with students of 3 s and 1 s, of which the first has one of 4 s; two alone.
LINEAGE = (
    Task("teacher", 2, 1),
    Task("student", 3, 1, "teacher"),
    Task("other student", 1, 1, "teacher"),
    Task("grandchild", 4, 1, "student"),
    Task("alone", 5, 1),
    Task("small", 1, 1),
)


def test_the_longest_chain_is_that_of_most_seconds() -> None:
    assert [task.name for task in longest_chain(LINEAGE)] == ["teacher", "student", "grandchild"]
    longer = (*LINEAGE, Task("very long", 10, 1))
    assert [task.name for task in longest_chain(longer)] == ["very long"]
    assert longest_chain(()) == []


@pytest.mark.parametrize(
    ("devices", "seconds", "least"),
    [
        # All one after the other.
        (1, 16, 16),
        # teacher, student, grandchild beside alone, small, other student.
        (2, 9, 9),
        (64, 9, 9),
    ],
)
def test_a_schedule_takes_the_seconds_worked_out_by_hand(
    devices: int, seconds: float, least: float
) -> None:
    assert list_schedule(LINEAGE, devices) == seconds
    assert least_seconds(LINEAGE, devices) == least


def test_a_schedule_can_be_longer_than_the_bound() -> None:
    three = [Task(name, 2, 1) for name in "abc"]
    assert list_schedule(three, 2) == 4
    assert least_seconds(three, 2) == 3


def test_runs_share_a_device_and_wait_for_one_that_has_room() -> None:
    tasks = [Task("whole", 4, 1), Task("half", 3, 0.5), Task("other half", 2, 0.5)]
    # The whole one first, as it is longest; then both halves at once.
    assert list_schedule(tasks, 1) == 7
    assert list_schedule(tasks, 2) == 4
    assert least_seconds(tasks, 1) == 6.5


def test_a_small_run_goes_by_a_large_one_that_has_no_room() -> None:
    tasks = [Task("running", 5, 1), Task("large", 4, 2), Task("small", 3, 1)]
    assert list_schedule(tasks, 2) == 9


def test_a_run_that_takes_more_devices_than_there_are_takes_all() -> None:
    assert list_schedule([Task("large", 4, 8), Task("small", 3, 1)], 2) == 7
    assert least_seconds([Task("large", 4, 8)], 2) == 4


def test_a_student_whose_teacher_is_done_waits_for_nothing() -> None:
    tasks = [Task("student", 3, 1, "teacher that is done"), Task("other", 2, 1)]
    assert list_schedule(tasks, 2) == 3


def test_nothing_takes_no_time_and_no_device_never_ends() -> None:
    assert list_schedule([], 3) == least_seconds([], 3) == 0
    with pytest.raises(ValueError, match="0 devices"):
        list_schedule(LINEAGE, 0)
