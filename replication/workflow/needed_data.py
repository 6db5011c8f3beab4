"""Which data have to be prepared again for the runs that are still to be trained."""

from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.results.prepared_data import is_lost
from replication.results.run_folder import MODEL, RECORD
from replication.results.run_status import state_of


def needed_again(plan: Plan) -> set[str]:
    """The names of data sets that were prepared and are gone, although a run needs them."""
    runs = plan.runs.values()
    datasets = {run.dataset.name: run.dataset for run in runs}
    lost = {name for name, dataset in datasets.items() if is_lost(plan, dataset)}
    return {
        run.dataset.name for run in runs if run.dataset.name in lost and not is_finished(plan, run)
    }


def is_finished(plan: Plan, run: Run) -> bool:
    """Whether a run is not trained again, as far as its folder tells: it may be damaged."""
    folder = plan.folder(run)
    is_there = (folder / RECORD).exists() and (folder / MODEL).exists()
    return is_there and state_of(plan, run).name != "missing"
