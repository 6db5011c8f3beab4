"""Small trainings: their parts, what they leave, and how to run them in a process."""

import os
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from replication.errors import EXIT_RESUMABLE, Interrupted
from replication.networks import create_network, network_arguments
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.results.run_folder import HISTORY, MODEL, PREDICTIONS

WIDE = "digits/wide_resnet_28_1.label.0"
LABEL = "two_digit_numbers/densenet_90_60.label.0"
LSTM = "python_reference/lstm.label.0"
RESULTS = (MODEL, PREDICTIONS, HISTORY)
# Everything that draws random numbers draws some, and every step saves a checkpoint.
KEYS: dict[str, Any] = {
    "networks": {"wide_resnet": {"dropout": 0.3}},
    "images": {"epochs": 3, "crop_padding": 1, "flip": True, "evaluate_every": 1},
    "language": {"lstm": {"epochs": 2}, "cnn_lstm": {"epochs": 2}},
    "datasets": {"ptb": {"train": 6000}},
    "checkpoint": {"epochs": 1, "seconds": 1e-9},
}


def build_network(plan: Plan, run: Run, data: Any) -> nn.Module:
    """A run's network with new weights, on the CPU."""
    arguments = network_arguments(data, plan.options(run))
    return create_network(run.network, data, arguments, torch.device("cpu"))


def contents(plan: Plan, run_id: str) -> dict[str, bytes]:
    """The weights, predictions and history of a run."""
    folder = plan.folder(plan.run(run_id))
    return {name: (folder / name).read_bytes() for name in RESULTS}


def fork(work: Callable[[], object]) -> int:
    """Do the work in a child process, whose exit status is 0, 75, or 1; returns its id."""
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        except Interrupted:
            status = EXIT_RESUMABLE
        finally:
            os._exit(status)
    return pid


def status(pid: int) -> int:
    """Wait for a child process; its exit status, or the negative number of a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
