"""Progress of a training, one line per epoch."""

import sys
import time

from replication.results.run_history import EpochMetrics

SHOWN = ("train_loss", "train_error", "test_error", "validation_perplexity")


class EpochProgress:
    """Reports each epoch of a run, with its metrics and the time left, on standard error."""

    def __init__(self, run_id: str, epochs: int, setting: str = "") -> None:
        """``setting`` names device and precision and is printed once."""
        self.epochs, self.first, self.start = epochs, 0, time.monotonic()
        print(f"{run_id.rsplit('/', 1)[-1]}: {epochs} epochs{setting}", file=sys.stderr)

    def report(self, metrics: EpochMetrics) -> None:
        """Report a finished epoch."""
        epoch = int(metrics["epoch"] or 0)
        self.first = self.first or epoch  # a resumed run does not begin with epoch 1
        shown = "  ".join(
            f"{key.replace('_', ' ')} {value:.4g}"
            for key in SHOWN
            if (value := metrics.get(key)) is not None
        )
        each = (time.monotonic() - self.start) / (epoch - self.first + 1)
        left = each * (self.epochs - epoch)
        print(
            f"epoch {epoch}/{self.epochs}  {shown}  {each:.3g} s each, {left:.0f} s left",
            file=sys.stderr,
        )
