"""What a step of the suite's training spends its time on, at the sizes of the small scales."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.cases import Case, Pictures
from benchmarks.contestants import Task
from benchmarks.measure import flops, peak_flops
from benchmarks.ours import DTYPES, Kind, Ours, write_random_logits
from replication.runtime.conditions import Precision

# By the beginnings of the names of PyTorch's operators.
GROUPS = {
    "convolutions": ("aten::mkldnn_convolution", "aten::convolution", "aten::cudnn_convolution"),
    "batch normalisation": ("aten::native_batch_norm", "aten::cudnn_batch_norm"),
    "ReLU": ("aten::relu", "aten::clamp_min", "aten::threshold_backward"),
    "concatenation and copies": ("aten::cat", "aten::copy_", "aten::index"),
    "optimiser": ("aten::_fused_sgd", "Optimizer"),
}


def shares(
    case: Case, pictures: Pictures, steps: int, folder: Path, precision: Precision
) -> Iterator[tuple[str, float]]:
    """Percent of a step's time by group of operators, on one thread of a CPU.

    *outside operators* is what the interpreter and the autograd engine take between them. The last
    line is the share of the best matrix product that the arithmetic of the convolutions reaches.
    """
    device = torch.device("cpu")
    write_random_logits(case, pictures, folder)
    training = Ours(Task.make(case, pictures, device), Kind(precision, True), folder)
    training.seconds(steps, warm=5)
    peak = peak_flops(device, DTYPES[precision])
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        for _ in range(steps):
            training.step()
    spent = recorded.key_averages()
    plain = training.seconds(steps, warm=0)
    peak = max(peak, peak_flops(device, DTYPES[precision]))
    operators = [operator for operator in spent if operator.key.startswith(("aten::", "Optimizer"))]
    of_operators = sum(operator.self_cpu_time_total for operator in operators) / 1e6
    # Shares are of a step that is not recorded, because recording takes time of its own; unless
    # that step was faster than the operators of those that were recorded.
    plain = max(plain, of_operators)
    grouped = 0.0
    for group, names in GROUPS.items():
        of_group = [operator for operator in operators if operator.key.startswith(names)]
        seconds = sum(operator.self_cpu_time_total for operator in of_group) / 1e6
        grouped += seconds
        yield group, 100 * seconds / plain
        if group == "convolutions":
            reached = flops(case, False) * steps / seconds / peak
    yield "other operators", 100 * (of_operators - grouped) / plain
    yield "outside operators", 100 * (plain - of_operators) / plain
    yield "convolutions, of the matrix product", 100 * reached


def table(
    cases: list[Case], pictures: Pictures, steps: int, folder: Path, precision: Precision
) -> pd.DataFrame:
    """The shares of every case in a number format."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = [
            (case.name, precision, what, percent)
            for case in cases
            for what, percent in shares(case, pictures, steps, folder, precision)
        ]
    finally:
        torch.set_num_threads(threads)
    return pd.DataFrame(rows, columns=["network", "precision", "what", "percent"])
