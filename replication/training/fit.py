"""The loop of every training: steps, epochs, and a state from which to go on."""

from collections.abc import Callable

from replication.training.setting import Row, Training
from replication.training.state import Keeper


def fit(training: Training, keeper: Keeper, report: Callable[[Row], None]) -> None:
    """Train to the last epoch, from the newest saved state where there is one.

    ``report`` sees each line of the history when its epoch ends.

    Raises:
        Interrupted: a signal asks to stop; the state is saved.
        InputError: as `Keeper.restore` and `Keeper.save`, and what ``report`` raises.
    """
    keeper.restore(training)
    while len(training.history) < training.epochs:
        while training.step():
            keeper.after_step(training)
        row = training.end_epoch()
        report(row)
        keeper.after_epoch(training)
