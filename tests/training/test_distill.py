"""A training by one call: as a run of a study, in memory."""

import re
import subprocess
import sys
from typing import Any

import pytest
import timm
import torch
from support.plans import ROOT
from torch import Tensor, nn

import replication
from replication import distill
from replication.errors import InputError

RECIPE: dict[str, Any] = {"epochs": 3, "batch_size": 16, "learning_rate": 0.05, "milestones": [2]}


def data(n: int = 64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(n)
    labels = torch.arange(n) % 3
    images = torch.rand(n, 1, 8, 8, generator=generator) / 2
    images[labels == 0, :, ::2] += 0.5
    images[labels == 1, :, :, ::2] += 0.5
    return images, labels


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return timm.create_model("test_resnet", num_classes=3, in_chans=1)


@pytest.fixture(scope="module")
def teacher() -> replication.Trained:
    return distill(network(0), data(), data(48), **RECIPE)


def test_a_student_learns_from_its_teacher_which_stays_as_it_is(
    teacher: replication.Trained,
) -> None:
    before = {key: value.clone() for key, value in teacher.network.state_dict().items()}
    student = distill(network(1), data(), data(48), teacher.network, **RECIPE)
    assert teacher.test_error < 40
    assert student.test_error < 40
    assert student.record["objective"] == "ban"
    assert student.history["divergence"].iloc[-1] < student.history["divergence"].iloc[0]
    assert list(student.history["epoch"]) == [1, 2, 3]
    assert student.logits.shape == (48, 3)
    assert not student.network.training
    after = teacher.network.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())


def test_the_same_call_gives_the_same_weights(teacher: replication.Trained) -> None:
    one, two = (
        distill(network(1), data(), data(48), teacher.network, "dkpp", seed=3, **RECIPE)
        for _ in range(2)
    )
    assert torch.equal(one.logits, two.logits)
    other = distill(network(1), data(), data(48), teacher.network, "dkpp", seed=4, **RECIPE)
    assert not torch.equal(one.logits, other.logits)


def test_a_function_is_an_objective(teacher: replication.Trained) -> None:
    def match(
        student_logits: Tensor, labels: Tensor, teacher_logits: Tensor, weight: float = 1.0
    ) -> Tensor:
        return weight * (student_logits - teacher_logits).square().mean()

    found = distill(
        network(1), data(), data(48), teacher.network, match, parameters={"weight": 0.5}, **RECIPE
    )
    assert found.record["objective"] == "match"
    assert found.test_error < 40


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "objective": ({"objective": "bam"}, "no objective `bam`; there are: label, ban"),
    "no teacher": ({"objective": "kd"}, "the objective `kd` needs a teacher"),
    "recipe": ({"epoch": 3}, "distill: unknown key `epoch`; did you mean `epochs`?"),
    "vector": ({"objective": lambda z, y, t: z.sum(1)}, "returned shape (16,) instead of a scalar"),
    "labels": ({"test": (torch.rand(4, 1, 8, 8), torch.zeros(3))}, "with labels of shape (3,)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_call_is_one_line(name: str) -> None:
    changed, says = REFUSED[name]
    call = {"train": data(), "test": data(48), **RECIPE, **changed}
    with pytest.raises(InputError) as caught:
        distill(network(0), **call)
    assert says in str(caught.value)
    assert str(caught.value).isprintable()


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, replication; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_code_of_the_page_runs() -> None:
    text = (ROOT / "docs/python.md").read_text(encoding="utf-8")
    code = "".join(re.findall(r"```python\n(.*?)```", text, re.S))
    found: dict[str, Any] = {}
    exec(code.replace('"epochs": 10', '"epochs": 2').replace("[5, 8]", "[1]"), found)
    assert found["student"].record["objective"] == "ban"
