"""A training that fails: one line says why and how to mend it, and its folder keeps that."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from replication import files
from replication.errors import InputError
from replication.plan.run import Run
from replication.runs import record as runs
from replication.runtime.lock import RunLockedError


@contextmanager
def noted(folder: Path) -> Iterator[None]:
    """Leave in the folder why a run has failed, for its tables to say."""
    files.remove(folder / runs.FAILURE)
    try:
        yield
    except RunLockedError:
        raise  # the folder is another's
    except InputError as error:
        with suppress(InputError):  # a full disk has no room for this either
            files.write_text(folder / runs.FAILURE, json.dumps({"reason": str(error)}) + "\n")
        raise


@contextmanager
def named(run: Run) -> Iterator[None]:
    """Say how to mend what torch finds too large for the memory, or too small for a batch."""
    try:
        yield
    except (MemoryError, RuntimeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        full = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if full or "can't allocate memory" in reason:
            raise InputError(
                f"{run.id}: the memory does not suffice ({reason}); lower `batch_size` or the"
                " network's `width_ratio` in the scale, or train on a larger machine"
            ) from None
        if "more than 1 value per channel" in reason:
            raise InputError(
                f"{run.id}: a batch of one image is too small for batch normalisation; change"
                " `images.batch_size` or the data set's `train` by one"
            ) from None
        raise
