"""Checkpoints, from which a stopped training continues to the same bytes."""

import pickle
import sys
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from replication.config.job_settings import CheckpointSchedule
from replication.errors import InputError, Interrupted
from replication.files import flush, remove, write_atomically
from replication.results.run_folder import (
    CHECKPOINT,
    FAILED_CHECKPOINT,
    PREVIOUS_CHECKPOINT,
    RECORD,
)
from replication.results.run_history import EpochMetrics
from replication.runtime.conditions import Conditions
from replication.runtime.session import Session

FORMAT = 4
"""The version of what a checkpoint holds; a checkpoint of another version is refused."""
CONTENT = {"identity": dict, "conditions": list, "seconds": float, "attempts": int, "trainer": dict}
"""The entries of a checkpoint, and their types."""

Identity = dict[str, Any]
"""What a checkpoint belongs to: run, recipe, teacher and data, by their hashes, and precision."""


def identity_of(record: Mapping[str, Any]) -> Identity:
    """What a checkpoint has to agree with, from what a run's record has before the training."""
    return {
        "run": record["run"],
        "recipe": record["recipe_hash"],
        "teacher": record["teacher"],
        "data": record["dataset"]["sha256"],
        "precision": record["precision"],
    }


class Resumable(Protocol):
    """A training whose state can be saved and restored between any two steps."""

    epochs: int
    history: list[EpochMetrics]

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state returned by `state_dict`."""


class NoCheckpoints:
    """Takes the place of a `Checkpointer` where no state of a training is kept: does nothing."""

    def restore(self, trainer: Resumable) -> None:
        """Start from the beginning."""

    def after_step(self, trainer: Resumable) -> None:
        """Continue."""

    def after_epoch(self, trainer: Resumable) -> None:
        """Continue."""


class Checkpointer:
    """Saves checkpoints in the run's folder, keeps the last two, and restores the newest.

    ``session`` holds the folder's lock and the signals that were received. A checkpoint is restored
    only if its ``identity`` is this one. ``conditions`` are those of this attempt; what differed in
    earlier ones is reported and kept in ``earlier``, oldest first. ``schedule`` says after how many
    epochs, and after how many seconds without a save, a state is saved. ``attempts`` is the number
    of times that the training was started, and ``seconds`` the seconds of training over all of
    them.
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
        self.attempts = 1
        self.seconds_before = 0.0
        """Seconds of training in earlier attempts."""
        self.started = self.saved = time.monotonic()
        """When this attempt began and when its state was last saved, in seconds of that clock."""
        self.newest_is_intact = False
        """Whether the newest checkpoint is worth keeping when the next one is written."""

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
                content = _read(file)
            except _DamagedError as damage:
                print(f"{file}: damaged ({damage}); skipped", file=sys.stderr)
                continue
            self._check_identity(file, content["identity"])
            try:
                self._note_conditions(file, content["conditions"])
                trainer.load_state_dict(content["trainer"])
            except (LookupError, AttributeError, RuntimeError, TypeError, ValueError) as error:
                raise InputError(
                    f"{file}: does not fit this training ({type(error).__name__}: {error}); delete"
                    " it to start again"
                ) from None
            self.seconds_before, self.attempts = content["seconds"], content["attempts"] + 1
            self.newest_is_intact = name == CHECKPOINT
            epoch = f"epoch {len(trainer.history)}/{trainer.epochs}"
            print(f"resumed from {file} after {epoch}", file=sys.stderr)
            return

    def _check_identity(self, file: Path, saved: Identity) -> None:
        if saved != self.identity:
            differing = [key for key in self.identity if saved.get(key) != self.identity[key]]
            raise InputError(
                f"{file}: belongs to another {', '.join(differing)}; delete it to start again, or"
                " name the scale file that the run was started with"
            )

    def _note_conditions(self, file: Path, attempts: list[Conditions]) -> None:
        self.earlier = [attempt for attempt in attempts if attempt != self.conditions]
        for key, value in self.conditions.items():
            if (before := attempts[-1][key]) != value:
                print(
                    f"{file}: saved under other conditions ({key}: {before}, now {value}); the"
                    " result may differ from that of an uninterrupted run, and"
                    f" {RECORD} will say so",
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
            if name == CHECKPOINT and self.newest_is_intact and file.exists():
                file.replace(self.folder / PREVIOUS_CHECKPOINT)

        write_atomically(file, write)
        self.newest_is_intact = self.newest_is_intact or name == CHECKPOINT
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
                " epochs; a checkpoint was saved, and the same command resumes from it"
            )
        if time.monotonic() - self.saved >= self.schedule.seconds:
            self.save(trainer)

    def after_epoch(self, trainer: Resumable) -> None:
        """Like `after_step`, and save after as many epochs as the schedule says."""
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
