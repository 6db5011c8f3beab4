"""The loop of every training: steps, epochs, and a state from which to go on."""

from collections.abc import Callable

from replication.training.checkpoint import Checkpointer
from replication.training.context import EpochMetrics, Training


def fit(
    training: Training, checkpointer: Checkpointer, report: Callable[[EpochMetrics], None]
) -> None:
    """Train to the last epoch, from the newest saved state where there is one.

    ``report`` sees each line of the history when its epoch ends.

    Raises:
        Interrupted: a signal asks to stop; the state is saved.
        InputError: as `Checkpointer.restore` and `Checkpointer.save`, and what ``report`` raises.
    """
    checkpointer.restore(training)
    while len(training.history) < training.epochs:
        while training.step():
            checkpointer.after_step(training)
        row = training.end_epoch()
        report(row)
        checkpointer.after_epoch(training)
