"""Measures whether a scale is a fair test of the paper: the paper's premises as criteria.

The sizes of the networks are known before any run. Errors and divergences are those of the runs
that are finished, even in the middle of a sweep.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from replication.analysis.capacities import Capacities, image_runs, planned_image_spec
from replication.analysis.collect import last_train_error
from replication.analysis.fair_test import (
    CAPACITY,
    EXCEPTION,
    FIT,
    MET,
    NOT_MET,
    ROOM,
    SCHEDULE,
    judge_error,
    judge_fit,
    judge_schedule,
)
from replication.architectures.catalogue import NETWORKS
from replication.networks.counting import parameters
from replication.plan.plan import Plan
from replication.plan.run import LABEL_OBJECTIVE, Run
from replication.results.csv_files import read_csv
from replication.results.run_folder import HISTORY
from replication.results.run_record import read_record
from replication.results.run_status import state_of
from replication.results.schema import CSV_FILES


@dataclass(frozen=True)
class NetworkMeasurements:
    """What the criteria need from the runs of one data set and network; NaN where there are none.

    ``seeds`` counts the runs that were trained on labels, and ``parameters`` are the network's, if
    one of them is finished. ``train_error`` and ``test_error`` are their mean errors in percent.
    ``divergence`` is that of the students that were trained by BAN, in nats per training image, and
    ``divergence_change`` its relative change.
    """

    seeds: int
    parameters: int | None
    train_error: float
    test_error: float
    divergence: float
    divergence_change: float


def measure_criteria(plan: Plan) -> pd.DataFrame:
    """The lines of ``criteria.csv``: one for each data set and image network.

    Means over the finished runs, missing where there are none. Only networks that are trained on
    labels have errors, only those that are trained by BAN have a divergence. The columns of the
    criteria are ``met``, ``not met``, ``exception`` or missing.

    Raises:
        InputError: the record or history of a finished run is damaged.
    """
    return _judge_networks(plan, _measure_runs)


def derive_criteria(plan: Plan, runs: pd.DataFrame, measured: pd.DataFrame) -> pd.DataFrame:
    """The lines of ``criteria.csv`` from ``runs.csv``, indexed by run, without the runs' folders.

    The divergences were measured from histories, and are those of ``measured``, the lines of
    ``criteria.csv`` as they are.
    """
    labelled = runs[(runs["objective"] == LABEL_OBJECTIVE) & runs["variant"].isna()]
    divergences = measured.set_index(["dataset", "network"])[
        ["divergence", "divergence_change"]
    ].to_dict("index")

    def measure(plan: Plan, of_network: Sequence[Run]) -> NetworkMeasurements:
        dataset, network = of_network[0].dataset.name, of_network[0].network
        lines = labelled[(labelled["dataset"] == dataset) & (labelled["network"] == network)]
        kept = divergences.get((dataset, network), {})
        return NetworkMeasurements(
            len(lines),
            int(lines["parameters"].iloc[0]) if len(lines) else None,
            _mean(lines["train_error"].dropna().tolist()),
            _mean(lines["error"].dropna().tolist()),
            kept.get("divergence", np.nan),
            kept.get("divergence_change", np.nan),
        )

    return _judge_networks(plan, measure)


def _judge_networks(
    plan: Plan, measure: Callable[[Plan, Sequence[Run]], NetworkMeasurements]
) -> pd.DataFrame:
    """A line of ``criteria.csv`` for each data set and image network of the plan."""
    capacities, groups = Capacities(plan), defaultdict[tuple[str, str], list[Run]](list)
    for run in image_runs(plan):
        groups[run.dataset.name, run.network].append(run)
    lines = [_line(plan, capacities, runs[0], measure(plan, runs)) for runs in groups.values()]
    return pd.DataFrame(lines, columns=CSV_FILES["criteria"].names)


def _measure_runs(plan: Plan, runs: Sequence[Run]) -> NetworkMeasurements:
    """Measure one data set and network from the folders of its finished runs."""
    finished = [member for member in runs if state_of(plan, member).name == "done"]
    labelled = [member for member in finished if member.objective == LABEL_OBJECTIVE]
    students = [member for member in finished if member.objective == "ban"]
    records = [read_record(plan.folder(member)) for member in labelled]
    return NetworkMeasurements(
        len(labelled),
        records[0]["parameters"] if records else None,
        _mean([last_train_error(plan, member) for member in labelled]),
        _mean([next(iter(record["result"].values())) for record in records]),
        *_divergence([_history(plan, member) for member in students]),
    )


def _line(
    plan: Plan, capacities: Capacities, run: Run, measured: NetworkMeasurements
) -> dict[str, object]:
    """The line of one data set and network, of which ``run`` is any run."""
    images, items = _test_items(plan, run)
    exception, problem = plan.scale.exceptions.get(run.network), capacities.problem(run.network)
    sized = EXCEPTION if exception else NOT_MET if problem else MET
    return {
        "dataset": run.dataset.name,
        "network": run.network,
        "parameters": measured.parameters or parameters(plan, run),
        **capacities.ratios.reindex([run.network]).iloc[0],
        "seeds": measured.seeds,
        "train_error": measured.train_error,
        "test_error": measured.test_error,
        "test_images": images,
        "test_items": items,
        "divergence": measured.divergence,
        "divergence_change": measured.divergence_change,
        CAPACITY.name: sized if run.network in NETWORKS else None,
        FIT.name: judge_fit(measured.train_error),
        ROOM.name: judge_error(measured.test_error, planned_image_spec(plan, run.dataset).classes),
        SCHEDULE.name: judge_schedule(measured.divergence_change),
        "reason": exception or problem or None,
    }


def _test_items(plan: Plan, run: Run) -> tuple[int, int]:
    """Test images, and the single items that they are made of where they are pairs."""
    spec = planned_image_spec(plan, run.dataset)
    items = planned_image_spec(plan, run.dataset.model_copy(update={"test": None}))
    return spec.test, min(spec.test, items.test)


def _history(plan: Plan, run: Run) -> pd.DataFrame:
    return read_csv(plan.folder(run) / HISTORY)


def _mean(values: Sequence[float | None]) -> float:
    """The mean of the values that are known; NaN if there are none."""
    return float(np.nanmean(known)) if (known := [x for x in values if x is not None]) else np.nan


def _divergence(histories: Sequence[pd.DataFrame]) -> tuple[float, float]:
    """Mean divergence in the last tenth of the epochs, and its relative change from the one before.

    Means over a tenth, because at `digits` single epochs differ by 10 %. A tenth has at least two
    epochs. NaN where histories have no divergence or too few epochs.
    """
    curves = [history["divergence"] for history in histories if "divergence" in history]
    mean = pd.concat(curves, axis=1).mean(axis=1) if curves else pd.Series(dtype=float)
    tenth = max(2, len(mean) // 10)
    last = _mean(mean.tail(tenth).tolist())
    before = _mean(mean.iloc[:-tenth].tail(tenth).tolist())
    return last, last / before - 1
