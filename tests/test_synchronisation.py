"""No step of a training waits for the device: losses and errors are read once per epoch."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import tiny_plan
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from replication.data.images import ImageData
from replication.plan import Plan
from replication.training.images import ImageTraining
from replication.training.ingredients import Teacher, build, load_data
from replication.training.language import LanguageTraining
from replication.training.run import train
from replication.training.setting import Setting
from replication.training.teaching import teaching

CPU = torch.device("cpu")
LABEL = "two_digit_numbers/densenet_90_60.label.0"
LSTM = "python_reference/lstm.label.0"
# Reading a number, and what has to know numbers to say how large its result is.
WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "_unique2", "unique_dim", "equal",
           "is_nonzero", "repeat_interleave", "bincount"}  # fmt: skip
READING = {"item", "tolist", "numpy", "cpu", "__bool__", "__int__", "__float__", "__index__",
           "__array__", "__contains__", "is_nonzero", "equal", "allclose"}  # fmt: skip


class Operators(TorchDispatchMode):
    """Notes operators that make a program wait for its device."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        masked = name in ("index", "index_put_") and any(
            mask is not None and mask.dtype in (torch.bool, torch.uint8) for mask in args[1]
        )
        if name in WAITING or masked:
            self.found.append(name)
        return func(*args, **(kwargs or {}))


class Calls(TorchFunctionMode):
    """Notes methods that read numbers, which some do without any operator."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        to_cpu = name == "to" and any(
            str(it) == "cpu" for it in (*args[1:], *(kwargs or {}).values())
        )
        # The device of a training on a CPU is called so too: what goes to it is no reading.
        if name in READING or (to_cpu and args[0].device != CPU):
            self.found.append(name)
        return func(*args, **(kwargs or {}))


def waits(work: Callable[[], object]) -> list[str]:
    """What in some work waits for the device."""
    operators, calls = Operators(), Calls()
    with calls, operators:
        work()
    return operators.found + calls.found


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(tmp_path)
    return tiny_plan(images={"crop_padding": 1, "flip": True}, networks={"lstm": {"dropout": 0.5}})


def a_training(plan: Plan, run_id: str, live: bool) -> ImageTraining | LanguageTraining:
    """A training before its first step, of a student whose teacher has been trained."""
    run = plan.run(run_id)
    data, teacher = load_data(plan, run, CPU), None
    for member in run.lineage:
        train(plan, member)
    if run.teacher:
        found = Teacher.find(plan, run.teacher)
        teacher = found.network(data, CPU) if live else teaching(found, run, data, CPU, nullcontext)
    given: Any = Setting(
        run.id, build(plan, run, data, CPU), run.objective, teacher, plan.training(run),
        plan.scale_of(run).decisions, nullcontext,
    )  # fmt: skip
    if isinstance(data, ImageData):
        return ImageTraining(given, data)
    return LanguageTraining(given, data)


STEPS = [
    (LABEL, False),
    *((f"{LABEL}/densenet_90_60.{it}.0", False) for it in ("ban", "ban+l", "cwtm", "dkpp")),
    (f"{LABEL}/densenet_90_60.ban.0", True),
    (LSTM, False),
    (f"{LSTM}/lstm.ban+l.0", False),
    (f"{LSTM}/lstm.ban+l.0", True),
]


@pytest.mark.parametrize(("run_id", "live"), STEPS)
def test_no_step_waits_for_its_device(plan: Plan, run_id: str, live: bool) -> None:
    training = a_training(plan, run_id, live)
    training.step()  # what is set up once may wait
    assert waits(training.step) == []
    assert waits(training.end_epoch) != []


def test_the_network_that_reads_characters_waits_for_two_sizes_and_nothing_else(
    plan: Plan,
) -> None:
    # How many different words a window has, and how long the longest is.
    training = a_training(plan, "python_reference/cnn_lstm.label.0", False)
    training.step()
    assert waits(training.step) == ["_unique2", "_local_scalar_dense", "__int__"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("objective", ["ban", "ban+l", "cwtm", "dkpp"])
def test_no_step_synchronises_a_gpu(plan: Plan, objective: str) -> None:
    run, device = plan.run(f"{LABEL}/densenet_90_60.{objective}.0"), torch.device("cuda")
    train(plan, plan.run(LABEL))
    data = load_data(plan, run, device)
    assert isinstance(data, ImageData)
    assert run.teacher is not None
    teacher = teaching(Teacher.find(plan, run.teacher), run, data, device, nullcontext)
    given: Any = Setting(
        run.id, build(plan, run, data, device), objective, teacher, plan.training(run),
        plan.scale.decisions, nullcontext,
    )  # fmt: skip
    training = ImageTraining(given, data)
    training.step()
    torch.cuda.set_sync_debug_mode("error")
    try:
        training.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize(
    "reading",
    [
        torch.Tensor.item,
        torch.Tensor.tolist,
        torch.Tensor.numpy,
        torch.Tensor.cpu,
        bool,
        float,
        torch.nonzero,
        lambda it: it[it > 0],
    ],
)
def test_what_waits_for_a_device_is_noticed(reading: Callable[[torch.Tensor], object]) -> None:
    number = torch.ones(())
    assert waits(lambda: reading(number)) != []
    assert waits(lambda: number + 1) == []
