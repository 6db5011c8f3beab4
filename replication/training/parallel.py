"""The processes that train one network together, each on its share of every batch.

All of them draw the same order and views and see the logits of the whole batch, so that objectives
and history are those of a single process; gradients and statistics are brought together by
`replica`. The first process alone writes.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.functional import pad

from replication.errors import InputError
from replication.launch import LOST, MEETING, PLACE, RANK, end_with_the_launcher
from replication.scale import Scale
from replication.training.lock import Occupation, occupy

# Whoever has started the processes ends them when one has died, so that none waits for ever; and
# the first may write a teacher's answers for hours.
PATIENCE = timedelta(days=30)
GONE = ("closed by peer", "reset by peer", "broken pipe", "remote process exit")
"""How gloo and NCCL say that another process has ended."""


@dataclass(frozen=True)
class Group:
    """One of ``size`` processes, by its rank; by default a process on its own.

    ``local_rank`` and ``local_size`` are the same among those on its machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes and speaks for all."""
        return self.rank == 0

    def share(self, n: int) -> slice:
        """Which of n samples are this process's; shares differ by one at most."""
        return slice(self.rank * n // self.size, (self.rank + 1) * n // self.size)

    def gather(self, part: Tensor, n: int) -> Tensor:
        """All n samples' rows (n, C), of which each process has those of its share.

        Their gradient is that of the sum of what all processes compute from them.
        """
        if self.size == 1:
            return part
        own = self.share(n)
        return all_reduce(pad(part, (0, 0, own.start, n - own.stop)))

    def agree(self, number: int) -> int:
        """The largest of the numbers that the processes come with, when all of them have come."""
        return int(self.largest(torch.tensor(number))) if self.size > 1 else number

    def largest(self, numbers: Tensor) -> Tensor:
        """The same of several numbers at once, on the CPU."""
        if self.size > 1:
            dist.all_reduce(numbers, dist.ReduceOp.MAX)
        return numbers

    @contextmanager
    def first_before_others(self) -> Iterator[None]:
        """Within, the first process is done before the others begin."""
        if not self.first:
            self.agree(0)
        yield
        if self.first:
            self.agree(0)

    @contextmanager
    def occupy(self, folder: Path) -> Iterator[Occupation]:
        """Hold a run's folder; the first process does, and the others wait until it has it.

        Raises:
            InputError: as `lock.occupy`.
        """
        with occupy(folder) if self.first else nullcontext(Occupation(folder)) as occupation:
            self.agree(0)
            yield occupation

    def leave(self) -> "Group":
        """Dissolve the group, which all its processes do; the one of a process on its own."""
        if self.size > 1:
            dist.destroy_process_group()
        return ALONE


ALONE = Group()


@contextmanager
def joined(scale: Scale, network: str) -> Iterator[Group]:
    """The group that this process has been started in: by `launch`, by torchrun, or none.

    Ends the process by `SystemExit` when another one of the group has ended.

    Raises:
        InputError: what torchrun sets is incomplete, or another number than the scale's.
    """
    if RANK not in os.environ:
        yield ALONE
        return
    end_with_the_launcher()
    try:
        place = [int(os.environ[name]) for name in PLACE]
    except (KeyError, ValueError):
        raise InputError(
            f"{RANK} is set in the environment, and not all of {', '.join(PLACE)}, as torchrun sets"
            " them; unset it, or start the training by torchrun"
        ) from None
    group = Group(*place)
    if group.size != (wanted := scale.takes(network).processes):
        raise InputError(
            f"`processes`: {wanted} for {network} in the scale, and torchrun has started"
            f" {group.size}; give the scale as many"
        )
    # Each tensor goes by the library of its device.
    cuda = scale.device != "cpu" and torch.cuda.is_available()
    meeting = os.environ.get(MEETING)
    try:
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if cuda else "gloo",
            init_method=f"file://{meeting}" if meeting else "env://",
            timeout=PATIENCE,
            rank=group.rank,
            world_size=group.size,
        )
        yield group
    except RuntimeError as error:
        if any(sign in str(error).lower() for sign in GONE):
            raise SystemExit(LOST) from None
        raise


def all_reduce(tensor: Tensor) -> Tensor:
    """The sum of the processes' tensors, on all of them; so is its gradient."""
    summed: Tensor = _AllReduce.apply(tensor)
    return summed


class _AllReduce(torch.autograd.Function):
    # torch.distributed.nn has had it, and is deprecated.
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        summed = tensor.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(summed)
        return summed

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _AllReduce.apply(gradient)  # type: ignore[no-any-return]
