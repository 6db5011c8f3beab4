"""Checkpoints, from which a stopped training continues to the same bytes."""

import pickle
import sys
import time
import zipfile
from pathlib import Path
from typing import Any, Protocol

import torch

from replication.config.scale import CheckpointSchedule
from replication.errors import InputError
from replication.files import flush, remove, write_atomically
from replication.results.run_folder import (
    CHECKPOINT,
    FAILED_CHECKPOINT,
    PREVIOUS_CHECKPOINT,
    RECORD,
)
from replication.results.run_history import EpochMetrics
from replication.runtime.session import Session
from replication.runtime.signals import Interrupted

FORMAT = 3
CONTENT = {"identity": dict, "conditions": list, "seconds": float, "attempts": int, "trainer": dict}

Identity = dict[str, Any]
"""What a checkpoint belongs to: run, recipe, teacher and data, by their hashes."""
Conditions = dict[str, Any]
"""What may change between two attempts: threads, device, versions, code."""


class Resumable(Protocol):
    """A training whose state can be saved and restored between any two steps."""

    epochs: int
    history: list[EpochMetrics]

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state returned by `state_dict`."""


class Checkpointer:
    """Saves checkpoints in the run's folder, keeps the last two, and restores the newest.

    ``seconds`` is the training time over all attempts; ``earlier`` has the conditions of earlier
    attempts where they differ from this one's.
    """

    def __init__(
        self,
        session: Session,
        identity: Identity,
        conditions: Conditions,
        schedule: CheckpointSchedule,
    ) -> None:
        self.session, self.folder, self.schedule = session, session.folder, schedule
        self.identity, self.conditions = {**identity, "format": FORMAT}, conditions
        self.earlier: list[Conditions] = []
        self.started = self.saved = time.monotonic()
        self.seconds_before = 0.0
        self.attempts = 1
        # Whether the newest checkpoint is intact, and worth keeping when the next one is written.
        self.intact = False

    @property
    def seconds(self) -> float:
        """Seconds of training so far, including earlier attempts."""
        return self.seconds_before + time.monotonic() - self.started

    def restore(self, trainer: Resumable) -> None:
        """Load the newest intact checkpoint, if there is one, and start the clock.

        Raises:
            InputError: it belongs to another recipe, teacher, data or version, or does not fit.
        """
        self.started = self.saved = time.monotonic()
        for name in (CHECKPOINT, PREVIOUS_CHECKPOINT):
            file = self.folder / name
            if not file.exists():
                continue
            try:
                found = _read(file)
            except _DamagedError as damage:
                print(f"{file}: damaged ({damage}); skipped", file=sys.stderr)
                continue
            self._check_identity(file, found["identity"])
            try:
                self._note_conditions(file, found["conditions"])
                trainer.load_state_dict(found["trainer"])
            except (LookupError, AttributeError, RuntimeError, TypeError, ValueError) as error:
                raise InputError(
                    f"{file}: does not fit this training ({type(error).__name__}: {error}); delete"
                    " it to start again"
                ) from None
            self.seconds_before, self.attempts = found["seconds"], found["attempts"] + 1
            self.intact = name == CHECKPOINT
            epoch = f"epoch {len(trainer.history)}/{trainer.epochs}"
            print(f"resumed from {file} after {epoch}", file=sys.stderr)
            return

    def _check_identity(self, file: Path, found: Identity) -> None:
        if found != self.identity:
            differing = [key for key in self.identity if found.get(key) != self.identity[key]]
            raise InputError(
                f"{file}: belongs to another {', '.join(differing)}; delete it to start again, or"
                " name the scale file that the run was started with"
            )

    def _note_conditions(self, file: Path, found: list[Conditions]) -> None:
        self.earlier = [it for it in found if it != self.conditions]
        for key, value in self.conditions.items():
            if (before := found[-1][key]) != value:
                print(
                    f"{file}: saved with other {key} ({before}; now {value}): the result may differ"
                    f" in its last digits, and {RECORD} will say so",
                    file=sys.stderr,
                )

    def save(self, trainer: Resumable, name: str = CHECKPOINT) -> None:
        """Write a checkpoint whole or not at all; the one before it is kept.

        Raises:
            InputError: the folder cannot be written, or the disk is full; nothing is lost.
        """
        self.session.lock.verify()
        file = self.folder / name
        content = {
            "identity": self.identity,
            "conditions": [*self.earlier, self.conditions],
            "seconds": self.seconds,
            "attempts": self.attempts,
            "trainer": trainer.state_dict(),
        }

        def write(part: Path) -> None:
            with part.open("wb") as stream:
                torch.save(content, stream)
            flush(part)
            # A damaged checkpoint does not replace the intact one before it.
            if name == CHECKPOINT and self.intact and file.exists():
                file.replace(self.folder / PREVIOUS_CHECKPOINT)

        write_atomically(file, write)
        self.intact = self.intact or name == CHECKPOINT
        self.saved = time.monotonic()

    def fail(self, trainer: Resumable) -> None:
        """Keep the state of a failed training for inspection, and nothing to resume from.

        Raises:
            InputError: as `save`.
        """
        self.save(trainer, FAILED_CHECKPOINT)
        remove(self.folder / CHECKPOINT, self.folder / PREVIOUS_CHECKPOINT)

    def after_step(self, trainer: Resumable) -> None:
        """Save if it is time to; stop if a signal has arrived.

        Raises:
            Interrupted: a checkpoint is saved and the training has to end.
            RunLockedError: another process has taken the run over.
        """
        self.session.lock.raise_if_lost()
        if received := self.session.signals.received:
            self.save(trainer)
            raise Interrupted(
                f"stopped by {received.name} after {len(trainer.history)} of {trainer.epochs}"
                " epochs; a checkpoint is saved, and the same command resumes from it"
            )
        if time.monotonic() - self.saved >= self.schedule.seconds:
            self.save(trainer)

    def after_epoch(self, trainer: Resumable) -> None:
        """As `after_step`, and save every so many epochs."""
        if self.schedule.epochs and len(trainer.history) % self.schedule.epochs == 0:
            self.save(trainer)
        self.after_step(trainer)

    def clear(self) -> None:
        """Delete the checkpoints of a finished run."""
        names = (CHECKPOINT, PREVIOUS_CHECKPOINT, FAILED_CHECKPOINT)
        remove(*(self.folder / name for name in names))


class _DamagedError(Exception):
    """The file is not an intact checkpoint."""


def _read(file: Path) -> dict[str, Any]:
    """A checkpoint's content; every byte is checked, and only plain data is unpickled."""
    try:
        with zipfile.ZipFile(file) as archive:
            if (broken := archive.testzip()) is not None:
                raise _DamagedError(f"checksum of {broken}")
        content: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        if not all(isinstance(content.get(key), kind) for key, kind in CONTENT.items()):
            raise _DamagedError("not a checkpoint of this suite")
    except (
        OSError, EOFError, RuntimeError, ValueError, KeyError, AttributeError,
        zipfile.BadZipFile, pickle.UnpicklingError,
    ) as error:  # fmt: skip
        lines = str(error).strip().splitlines()
        raise _DamagedError(lines[0] if lines else "empty") from None
    return content
