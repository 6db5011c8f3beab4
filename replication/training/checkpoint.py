"""A training's state on disk, from which a run that was stopped goes on to the same bytes."""

import pickle
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import torch

from replication import files
from replication.config.scale import CheckpointSchedule
from replication.errors import InputError
from replication.runs import record as runs
from replication.runtime.lock import RunLock
from replication.runtime.signals import Interrupted, SignalHandler
from replication.training.context import Training

STATE, PREVIOUS, FAILED = "checkpoint.pt", "checkpoint.previous.pt", "failed.pt"
FORMAT = 2
CONTENT = {"identity": dict, "seconds": float, "attempts": int, "training": dict}

Identity = dict[str, Any]
"""What a state belongs to: run, recipe, teacher and data, by their hashes."""
Conditions = dict[str, Any]
"""What may change between two attempts: threads, device, versions, code."""


class Checkpointer:
    """Saves a training's state in its folder, the last two of them, and brings it back.

    ``seconds`` is how long the training
    has taken so far, over all its attempts; ``earlier`` are the conditions of earlier attempts,
    where they were others than this one's.
    """

    def __init__(
        self,
        folder: Path,
        identity: Identity,
        conditions: Conditions,
        saving: CheckpointSchedule,
        interruption: SignalHandler,
        run_lock: RunLock,
    ) -> None:
        self.folder, self.identity, self.saving = folder, {**identity, "format": FORMAT}, saving
        self.conditions, self.earlier = conditions, list[Conditions]()
        self.interruption, self.run_lock = interruption, run_lock
        self.started = self.saved = 0.0
        self.before = 0.0
        self.attempts = 1
        self.whole = False

    @property
    def seconds(self) -> float:
        """Seconds of training so far, those of earlier attempts included."""
        return self.before + time.monotonic() - self.started

    def restore(self, training: Training) -> None:
        """Set a training up from the newest whole state, where there is one, and start the clock.

        Raises:
            InputError: a state is of another recipe, teacher, data or version, or does not fit.
        """
        self.started = self.saved = time.monotonic()
        for name in (STATE, PREVIOUS):
            file = self.folder / name
            if not file.exists():
                continue
            try:
                found = _read(file)
            except _Damaged as damage:
                self._say(f"{file}: damaged ({damage}); passed over")
                continue
            if found["identity"] != self.identity:
                other = [
                    key for key in self.identity if found["identity"].get(key) != self.identity[key]
                ]
                raise InputError(
                    f"{file}: of another {', '.join(other)} than this run's; delete it to train"
                    " anew, or name the scale file that it was trained by"
                )
            try:
                self.earlier = [it for it in found["conditions"] if it != self.conditions]
                for key, value in self.conditions.items():
                    if (before := found["conditions"][-1][key]) != value:
                        self._say(
                            f"{file}: saved under other {key} ({before}; now {value}): the result"
                            f" may differ in its last digits, and {runs.RECORD} will say so"
                        )
                training.load_state_dict(found["training"])
            except (LookupError, AttributeError, RuntimeError, TypeError, ValueError) as error:
                raise InputError(
                    f"{file}: does not fit this training ({type(error).__name__}: {error}); delete"
                    " it to train anew"
                ) from None
            self.before, self.attempts = found["seconds"], found["attempts"] + 1
            self.whole = name == STATE
            done = len(training.history)
            self._say(f"goes on from {file} after epoch {done}/{training.epochs}")
            return

    def _say(self, line: str) -> None:
        print(line, file=sys.stderr)

    def save(self, training: Training, name: str = STATE) -> None:
        """Write the state whole or not at all; the one before stays beside it.

        Raises:
            InputError: the folder cannot be written, or the disk is full; what was there stays.
        """
        self.run_lock.check()
        file = self.folder / name
        content = {
            "identity": self.identity,
            "conditions": [*self.earlier, self.conditions],
            "seconds": self.seconds,
            "attempts": self.attempts,
            "training": training.state_dict(),
        }

        def write(part: Path) -> None:
            with part.open("wb") as stream:
                torch.save(content, stream)
            files.flush(part)
            # A damaged one does not take the place of the whole one before it.
            if name == STATE and self.whole and file.exists():
                file.replace(self.folder / PREVIOUS)

        files.write_atomically(file, write)
        self.whole = self.whole or name == STATE
        self.saved = time.monotonic()

    def fail(self, training: Training) -> None:
        """Keep the state of a training that went wrong for a look, and nothing to go on from.

        Raises:
            InputError: as `save`.
        """
        self.save(training, FAILED)
        files.remove(self.folder / STATE, self.folder / PREVIOUS)

    def after_step(self, training: Training) -> None:
        """Save where it is time; stop where a signal asks for it.

        Raises:
            Interrupted: the state is saved and the training has to end.
            RunLockedError: another process has taken the run over.
        """
        self.run_lock.look()
        if received := self.interruption.received:
            self.save(training)
            raise Interrupted(
                f"stopped by {received.name} after"
                f" {len(training.history)} of {training.epochs} epochs; the state is saved, and"
                " the same command goes on from it"
            )
        if time.monotonic() - self.saved >= self.saving.seconds:
            self.save(training)

    def after_epoch(self, training: Training) -> None:
        """The same at the end of an epoch, where it may be time sooner."""
        if self.saving.epochs and len(training.history) % self.saving.epochs == 0:
            self.save(training)
        self.after_step(training)

    def clear(self) -> None:
        """Delete the states of a run that is whole."""
        files.remove(*(self.folder / name for name in (STATE, PREVIOUS, FAILED)))


class _Damaged(Exception):  # noqa: N818
    """The file is no whole state."""


def _read(file: Path) -> dict[str, Any]:
    """A state's content; every byte is checked, and nothing but plain data is unpickled."""
    try:
        with zipfile.ZipFile(file) as archive:
            if (broken := archive.testzip()) is not None:
                raise _Damaged(f"checksum of {broken}")
        content: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        if not all(isinstance(content.get(key), kind) for key, kind in CONTENT.items()):
            raise _Damaged("no training's state")
    except (
        OSError, EOFError, RuntimeError, ValueError, KeyError, AttributeError,
        zipfile.BadZipFile, pickle.UnpicklingError,
    ) as error:  # fmt: skip
        raise _Damaged(
            str(error).strip().splitlines()[0] if str(error).strip() else "empty"
        ) from None
    return content
