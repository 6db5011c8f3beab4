"""The process behind `replication.runtime.forkserver`: ``python -m replication.worker SOCKET``."""

import shutil
import sys
from contextlib import suppress
from pathlib import Path

import torch._dynamo  # the optimisers import it at their first use

# Imported once here instead of in every job.
import replication.data.image_files
import replication.report.quality_table
import replication.report.table_files
import replication.training.language_trainer
import replication.training.train_run  # noqa: F401
from replication.cli import run_command
from replication.config.paper_tables import TABLES
from replication.config.yaml_model import read_yaml
from replication.errors import InputError
from replication.runtime.conditions import code, versions
from replication.runtime.forkserver import serve


def main(socket: Path) -> None:
    """Serve until the process that started this one has ended."""
    assert torch.get_num_threads() == 1
    # Asked once, of the code that is imported here. A training that asked git would exist twice in
    # memory for a moment.
    code()
    versions()
    # Every job plans its scale again, for which it reads the tables; their text is parsed once.
    for file in TABLES.glob("*.yaml"):
        with suppress(InputError):
            read_yaml(file)
    try:
        serve(socket, run_command)
    finally:
        shutil.rmtree(socket.parent, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
