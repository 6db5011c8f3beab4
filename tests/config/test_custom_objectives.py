"""Objectives of one's own are found without being imported, loaded, and refused in one line."""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from support.plans import ROOT

from replication.config.custom_objectives import find_objective, find_source, is_custom, source_hash
from replication.config.own_modules import own_modules
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
    objective = find_objective(name, folder)
    return Loss(name, objective, torch.Generator(), parameters=parameters)


def test_a_name_with_a_function_is_ones_own() -> None:
    assert is_custom("losses:match")
    assert is_custom("package.losses:match")
    assert not any(map(is_custom, ("kd", "ban+l", "losses", ":match", "losses:", "a:b:c", "a b:c")))


def test_a_function_is_called_with_its_parameters(tmp_path: Path) -> None:
    matching_loss = loss(write(tmp_path, GOOD), "losses:match", {"weight": 0.5})
    z = Z.clone().requires_grad_()
    expected = 0.5 * (z - T).square().mean()
    for _ in range(2):
        torch.testing.assert_close(matching_loss(z, Y, T, None), expected)


def test_two_studies_may_have_modules_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    one, two = write(tmp_path, GOOD), write(tmp_path / "b", GOOD.replace("weight *", "2 *"))
    first, second = (find_objective("losses:match", folder)(Z, Y, T) for folder in (one, two))
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


MATCH = "def match(z, y, t):\n    return {scale}(z - t).mean()\n"
HELPERS = {
    "losses.py": "from helper import scale\n" + MATCH.format(scale="scale"),
    "helper.py": "from package.deep import FACTOR\n\ndef scale(x):\n    return FACTOR * x**2\n",
    "package/__init__.py": "",
    "package/deep.py": "from . import numbers_of_mine\nFACTOR = numbers_of_mine.TWO\n",
    "package/numbers_of_mine.py": "TWO = 2.0\n",
    "unused.py": "1\n",
}


def write_all(folder: Path, files: Mapping[str, str]) -> Path:
    for name, source in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source, encoding="utf-8")
    return folder


def test_what_a_loss_imports_from_its_folder_is_importable(tmp_path: Path) -> None:
    objective = find_objective("losses:match", write_all(tmp_path, HELPERS))
    torch.testing.assert_close(objective(Z, Y, T), 2 * (Z - T).square().mean())


@pytest.mark.parametrize("name", [*HELPERS])
def test_exactly_what_a_loss_imports_is_hashed(name: str, tmp_path: Path) -> None:
    write_all(tmp_path, HELPERS)
    before = source_hash("losses:match", tmp_path)
    (tmp_path / name).write_text(HELPERS[name] + "# changed\n", encoding="utf-8")
    assert (source_hash("losses:match", tmp_path) == before) == (name == "unused.py")


def test_a_moved_study_keeps_its_hash(tmp_path: Path) -> None:
    places = [write_all(tmp_path / place, HELPERS) for place in ("a", "b")]
    assert len({source_hash("losses:match", place) for place in places}) == 1


HIDDEN = {
    "a folder that the loss adds to the path": "import sys, pathlib\n"
    "sys.path.insert(0, str(pathlib.Path(__file__).parent / 'lib'))\nimport hidden\n",
    "a name that is computed": "import importlib\n"
    "hidden = importlib.import_module('.'.join(['lib', 'hidden']))\n",
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_helper_that_the_source_does_not_show_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    files = {
        "losses.py": HIDDEN[name] + MATCH.format(scale="hidden.scale"),
        "lib/hidden.py": "def scale(x):\n    return 2 * x**2\n",
    }
    with pytest.raises(InputError, match="which its source does not show; import it by a name"):
        find_objective("losses:match", write_all(tmp_path, files))
    # On Python's path it is found, and hashed.
    monkeypatch.syspath_prepend(tmp_path / "lib")
    if "path" in name:
        find_objective("losses:match", tmp_path)
        assert "hidden" in own_modules("losses", tmp_path)


OF_HELPER = MATCH.format(scale="helper.scale")
IMPORTS = {
    "in a function": OF_HELPER.replace("return", "import helper\n    return"),
    "with another name": "import helper as h\n" + MATCH.format(scale="h.scale"),
    "by a function": "import importlib\nhelper = importlib.import_module('helper')\n" + OF_HELPER,
    "by the lowest function": "helper = __import__('helper')\n" + OF_HELPER,
    "everything": "from helper import *\n" + MATCH.format(scale="scale"),
    "if it is there": "try:\n    import helper\nexcept ImportError:\n    helper = None\n"
    + OF_HELPER,
}


@pytest.mark.parametrize("name", IMPORTS)
def test_a_helper_is_found_however_it_is_imported(name: str, tmp_path: Path) -> None:
    helper = "def scale(x):\n    return 2 * x**2\n"
    write_all(tmp_path, {"losses.py": IMPORTS[name], "helper.py": helper})
    objective = find_objective("losses:match", tmp_path)
    torch.testing.assert_close(objective(Z, Y, T), 2 * (Z - T).square().mean())
    before = source_hash("losses:match", tmp_path)
    write_all(tmp_path, {"helper.py": helper.replace("2 *", "3 *")})
    assert source_hash("losses:match", tmp_path) != before


def test_helpers_of_two_studies_may_have_one_name(tmp_path: Path) -> None:
    one = write_all(tmp_path / "one", HELPERS)
    other = {**HELPERS, "package/numbers_of_mine.py": "TWO = 7.0\n"}
    two = write_all(tmp_path / "two", other)
    expected = (Z - T).square().mean()
    first = find_objective("losses:match", one)
    torch.testing.assert_close(find_objective("losses:match", two)(Z, Y, T), 7 * expected)
    torch.testing.assert_close(first(Z, Y, T), 2 * expected)
    torch.testing.assert_close(find_objective("losses:match", one)(Z, Y, T), 2 * expected)


def test_a_helper_may_have_the_name_of_a_module_that_is_loaded(tmp_path: Path) -> None:
    import statistics

    files = {
        "losses.py": "from statistics import mean\n\ndef match(z, y, t):\n    return mean(z - t)\n",
        "statistics.py": "def mean(x):\n    return 5 * x.mean()\n",
    }
    objective = find_objective("losses:match", write_all(tmp_path, files))
    torch.testing.assert_close(objective(Z, Y, T), 5 * (Z - T).mean())
    find_objective("losses:match", write(tmp_path / "..", GOOD))
    sys.modules["statistics"] = statistics


def test_a_study_does_not_find_the_modules_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = write_all(tmp_path / "one", HELPERS)
    two = write_all(tmp_path / "two", {"others.py": HELPERS["losses.py"]})
    find_objective("losses:match", one)
    with pytest.raises(InputError, match="no module losses"):
        find_objective("losses:match", two)
    # Also where something else has put the folder of the first back on Python's path.
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(InputError, match="cannot be imported"):
        find_objective("others:match", two)
    monkeypatch.undo()
    with pytest.raises(InputError, match="no module losses"):
        find_objective("losses:match", two)


def test_a_module_of_a_package_may_import_its_neighbours(tmp_path: Path) -> None:
    files = {f"own/{name}": source for name, source in HELPERS.items()}
    files["own/losses.py"] = files["own/losses.py"].replace("from helper", "from .helper")
    files["own/helper.py"] = files["own/helper.py"].replace("from package", "from .package")
    write_all(tmp_path, files)
    objective = find_objective("own.losses:match", tmp_path)
    torch.testing.assert_close(objective(Z, Y, T), 2 * (Z - T).square().mean())
    before = source_hash("own.losses:match", tmp_path)
    write_all(tmp_path, {"own/package/numbers_of_mine.py": "TWO = 3.0\n"})
    assert source_hash("own.losses:match", tmp_path) != before


def test_helpers_on_pythons_path_are_hashed_but_installed_packages_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "import numpy, torch, replication.metrics, elsewhere\n\ndef match(z, y, t): ...\n"
    study = write(tmp_path, source)
    path = write_all(tmp_path / "path", {"elsewhere.py": "1\n"})
    monkeypatch.syspath_prepend(path)
    assert own_modules("losses", study) == {
        "losses": study / "losses.py",
        "elsewhere": path / "elsewhere.py",
    }


def test_the_suites_own_modules_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    # The folder of a scale that is no study may be the one that the suite lies in.
    before = sys.modules["replication.objectives"]
    monkeypatch.chdir(ROOT)
    assert find_objective("replication.objectives:kd", Path())(Z, Y, T).ndim == 0
    assert sys.modules["replication.objectives"] is before


REFUSED = {
    "no module": (None, "no module losses; put losses.py into"),
    "no helper": ("import helper_that_is_not_there\n", "cannot be imported (ModuleNotFoundError"),
    "an attribute that is missing": ("import math\nmath.no\n", "cannot be imported (AttributeE"),
    "no function but a number": ("match = 3\n", "has no function `match`"),
    "no function": ("import torch\n", "has no function `match`"),
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
