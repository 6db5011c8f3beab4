"""Exports finished runs to experiment trackers, from ``history.csv`` and ``run.json`` alone.

One run of the tracker for each run, under its id: the history by epoch, the recipe as parameters,
and the result. Training knows no tracker.
"""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pandas as pd

from replication.errors import InputError
from replication.results.csv_files import read_csv
from replication.results.run_folder import HISTORY, RECORD
from replication.results.run_record import read_record


class Exported(NamedTuple):
    """What a tracker is given of a run: its id, its metrics by epoch, parameters and results."""

    run: str
    history: pd.DataFrame
    parameters: dict[str, Any]
    results: dict[str, float]

    def steps(self) -> Iterator[tuple[int, dict[str, float]]]:
        """The epochs, each with the metrics that it has."""
        for line in self.history.to_dict("records"):
            metrics = {str(key): float(value) for key, value in line.items() if pd.notna(value)}
            yield int(metrics.pop("epoch")), metrics


def export(results: Path, tracker: str, to: Path) -> int:
    """Export every finished run of ``results/<scale>``; returns how many.

    ``tracker`` is tensorboard, wandb or mlflow; what it writes goes to ``to``.

    Raises:
        InputError: there is no such tracker, it is not installed, there are no runs, or one of them
            is damaged.
    """
    if tracker not in TRACKERS:
        raise InputError(f"{tracker}: no such tracker; available: {', '.join(TRACKERS)}")
    module, write = TRACKERS[tracker]
    try:
        imported = importlib.import_module(module)
    except ImportError:
        raise InputError(
            f"{tracker}: is not installed; pip install {tracker}, or"
            f" pip install 'born-again-networks[{tracker}]'"
        ) from None
    folders = sorted(file.parent for file in (results / "runs").rglob(RECORD))
    if not folders:
        raise InputError(f"{results}: no finished run; name a folder such as results/digits")
    for folder in folders:
        write(imported, _read(folder), results.resolve().name, to)
    return len(folders)


def _read(folder: Path) -> Exported:
    record, history = read_record(folder), read_csv(folder / HISTORY, "delete the run")
    if "epoch" not in history:
        raise InputError(
            f"{folder / HISTORY}: has no column `epoch`, because another version wrote it; train"
            " the run again"
        )
    flat = pd.json_normalize(record["recipe"], sep=".").iloc[0]
    recipe = {str(key): value for key, value in flat.items()}
    about = {key: record.get(key) for key in ("generation", "seed", "parameters", "device")}
    return Exported(record["run"], history, {**recipe, **about}, record["result"])


def _tensorboard(module: ModuleType, run: Exported, scale: str, to: Path) -> None:
    with module.SummaryWriter(str(to / scale / run.run)) as writer:
        for epoch, metrics in run.steps():
            for name, value in metrics.items():
                writer.add_scalar(name, value, epoch)
        text = "\n".join(f"    {key}: {value}" for key, value in run.parameters.items())
        writer.add_text("recipe", text)
        for name, value in run.results.items():
            writer.add_scalar(f"result/{name}", value, len(run.history))


def _wandb(module: ModuleType, run: Exported, scale: str, to: Path) -> None:
    to.mkdir(parents=True, exist_ok=True)
    session = module.init(
        project=scale, name=run.run, config=run.parameters, dir=str(to), reinit="finish_previous"
    )
    for epoch, metrics in run.steps():
        session.log(metrics, step=epoch)
    session.summary.update(run.results)
    session.finish()


def _mlflow(module: ModuleType, run: Exported, scale: str, to: Path) -> None:
    to.mkdir(parents=True, exist_ok=True)
    module.set_tracking_uri(f"sqlite:///{to.resolve()}/mlflow.db")
    module.set_experiment(scale)
    with module.start_run(run_name=run.run):
        module.log_params({key: str(value)[:500] for key, value in run.parameters.items()})
        for epoch, metrics in run.steps():
            module.log_metrics(_named(metrics), step=epoch)
        module.log_metrics(_named(run.results))


def _named(metrics: dict[str, float]) -> dict[str, float]:
    """Names as MLflow allows them."""
    return {name.replace("(%)", "percent"): value for name, value in metrics.items()}


Writer = Callable[[ModuleType, Exported, str, Path], None]
TRACKERS: dict[str, tuple[str, Writer]] = {
    "tensorboard": ("torch.utils.tensorboard", _tensorboard),
    "wandb": ("wandb", _wandb),
    "mlflow": ("mlflow", _mlflow),
}
