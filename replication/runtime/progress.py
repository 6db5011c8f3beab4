"""Progress of a training: a bar on a terminal, plain lines in a log."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from replication.runs.history import EpochMetrics

SHOWN = ("train_loss", "train_error", "test_error", "train_perplexity", "validation_perplexity")


class EpochProgress:
    """Reports each epoch of a run, with its metrics and the time left."""

    def __init__(self, run_id: str, epochs: int, setting: str = "") -> None:
        """``setting`` names device and precision and is printed once."""
        self.name, self.epochs, self.setting = run_id.rsplit("/", 1)[-1], epochs, setting
        self.first: int | None = None
        self.start = time.monotonic()
        self.bar: Progress | None = None
        if sys.stderr.isatty():
            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[metrics]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self.task = self.bar.add_task(f"{self.name}{setting}", total=epochs, metrics="")

    def __enter__(self) -> Self:
        if self.bar:
            self.bar.start()
        else:
            print(f"{self.name}: {self.epochs} epochs{self.setting}", file=sys.stderr)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar:
            self.bar.stop()

    def report(self, metrics: EpochMetrics) -> None:
        """Report a finished epoch."""
        epoch = int(metrics["epoch"] or 0)
        if self.first is None:
            self.first = epoch  # a resumed run does not begin with epoch 1
        shown = "  ".join(
            f"{key.replace('_', ' ')} {value:.4g}"
            for key, value in metrics.items()
            if value is not None and key in SHOWN
        )
        if self.bar:
            self.bar.update(self.task, completed=epoch, metrics=shown)
            return
        each = (time.monotonic() - self.start) / (epoch - self.first + 1)
        print(
            f"epoch {epoch}/{self.epochs}  {shown}  {each:.3g} s each,"
            f" {each * (self.epochs - epoch):.0f} s left",
            file=sys.stderr,
        )
