"""Progress of a training: a bar when someone looks, plain lines in a log."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from replication.training.context import EpochMetrics


class EpochProgress:
    """Reports each epoch of a run, with its numbers and the time left."""

    def __init__(self, run_id: str, epochs: int, how: str = "") -> None:
        """Take what is trained, for how long, and how: device and precision."""
        self.name, self.how = run_id.rsplit("/", 1)[-1], how
        self.epochs = epochs
        self.done = self.before = 0
        self.start = time.monotonic()
        self.bar: Progress | None = None
        if sys.stderr.isatty():
            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[say]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self.task = self.bar.add_task(f"{self.name}{how}", total=epochs, say="")

    def __enter__(self) -> Self:
        if self.bar:
            self.bar.start()
        else:
            print(f"{self.name}: {self.epochs} epochs{self.how}", file=sys.stderr)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar:
            self.bar.stop()

    def epoch(self, row: EpochMetrics) -> None:
        """Report one finished epoch by its line of the history."""
        epoch = int(row["epoch"] or 0)
        if not self.done:
            # A run that goes on begins behind the epochs of its state.
            self.before = epoch - 1
        self.done = epoch
        shown = {key: value for key, value in row.items() if value is not None and key in SHOWN}
        say = "  ".join(f"{key.replace('_', ' ')} {value:.4g}" for key, value in shown.items())
        if self.bar:
            self.bar.update(self.task, completed=self.done, say=say)
        else:
            each = (time.monotonic() - self.start) / (self.done - self.before)
            left = each * (self.epochs - self.done)
            print(
                f"epoch {self.done}/{self.epochs}  {say}  {each:.3g} s each, {left:.0f} s left",
                file=sys.stderr,
            )


SHOWN = ("train_loss", "train_error", "test_error", "train_perplexity", "validation_perplexity")
