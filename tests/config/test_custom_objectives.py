"""Objectives of one's own are found without being imported, loaded, and refused in one line."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from replication.config.custom_objectives import find_objective, find_source, is_custom, source_hash
from replication.errors import InputError
from replication.objectives.loss import Loss

Z, T = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0)).unbind(0)
Y = torch.arange(6) % 5
GOOD = """from torch.nn.functional import mse_loss

def match(student_logits, labels, teacher_logits, weight=1.0):
    return weight * mse_loss(student_logits, teacher_logits)
"""


def write(folder: Path, source: str) -> Path:
    (folder / "losses.py").write_text(source)
    return folder


def loss(folder: Path, name: str, parameters: Mapping[str, float]) -> Loss:
    found = find_objective(name, folder)
    return Loss(name, found, torch.Generator(), parameters=parameters)


def test_a_name_with_a_function_is_ones_own() -> None:
    assert is_custom("losses:match")
    assert is_custom("package.losses:match")
    assert not any(map(is_custom, ("kd", "ban+l", "losses", ":match", "losses:", "a:b:c", "a b:c")))


def test_a_function_is_called_with_its_parameters(tmp_path: Path) -> None:
    found = loss(write(tmp_path, GOOD), "losses:match", {"weight": 0.5})
    z = Z.clone().requires_grad_()
    expected = 0.5 * (z - T).square().mean()
    for _ in range(2):
        torch.testing.assert_close(found(z, Y, T, None), expected)


def test_two_studies_may_have_modules_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    one, two = write(tmp_path, GOOD), write(tmp_path / "b", GOOD.replace("weight *", "2 *"))
    first, second = (find_objective("losses:match", it)(Z, Y, T) for it in (one, two))
    torch.testing.assert_close(second, 2 * first)


def test_the_source_is_found_and_hashed_without_importing_it(tmp_path: Path) -> None:
    write(tmp_path, "raise RuntimeError\n")
    assert find_source("losses:match", tmp_path) == tmp_path / "losses.py"
    before = source_hash("losses:match", tmp_path)
    write(tmp_path, "raise RuntimeError  # changed\n")
    assert source_hash("losses:match", tmp_path) != before


def test_a_module_on_the_path_needs_no_folder(tmp_path: Path) -> None:
    assert find_source("replication.objectives:kd", tmp_path).parent.name == "objectives"
    assert find_objective("replication.objectives:kd")(Z, Y, T).ndim == 0


REFUSED = {
    "no module": (None, "no module losses; put losses.py into"),
    "no function": ("import torch\n", "has no `match`"),
    "not imported": ("import no_such_package\n", "cannot be imported (ModuleNotFoundError: No"),
    "wrong syntax": ("def match(:\n", "cannot be imported (SyntaxError"),
    "a vector": ("def match(z, y, t):\n    return (z - t).sum(1)\n", "returned shape (6,)"),
    "not a tensor": ("def match(z, y, t):\n    return 1.0\n", "returned float"),
    "not a number": ("def match(z, y, t):\n    return z.sum() * float('nan')\n", "returned nan"),
    "constant": ("def match(z, y, t):\n    return t.sum()\n", "does not depend on the student"),
    "wrong arguments": ("def match(z):\n    return z.sum()\n", "failed (TypeError"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_one_line(name: str, tmp_path: Path) -> None:
    source, says = REFUSED[name]
    if source is not None:
        write(tmp_path, source)
    with pytest.raises(InputError) as caught:
        loss(tmp_path, "losses:match", {})(Z.clone().requires_grad_(), Y, T, None)
    message = str(caught.value)
    assert message.startswith("objective `losses:match`: ")
    assert says in message
    assert message.isprintable()
