"""Imports follow the package order, lazy imports included, and form no cycle."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from support.plans import ROOT

# A package or top-level module imports from itself and from what stands before it.
ORDER = [
    *("errors", "files", "wording"),
    *("objectives", "gradients", "ensemble", "metrics"),
    *("architectures", "data", "config", "plan", "networks", "results", "runtime", "training"),
    *("analysis", "report", "verify", "publication", "sweep", "workflow"),
    *("commands", "cli", "worker", "__main__"),
]
MODULES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
    for file in (ROOT / "replication").rglob("*.py")
}


def imports(module: str, file: Path) -> set[str]:
    """The modules of the suite that a module imports, anywhere in its code."""
    imported: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                imported.add(name if name in MODULES else str(node.module))
    # The package itself holds the version, and imports what it offers only when asked for it.
    return {name for name in imported if name in MODULES} - {module, "replication"}


GRAPH = {module: imports(module, file) for module, file in MODULES.items()}


def unit(module: str) -> str:
    """The package, or the top-level module, that stands in the order."""
    return module.split(".")[1] if "." in module else ""


def test_every_package_has_a_place_in_the_order() -> None:
    assert {unit(module) for module in MODULES} - {""} == set(ORDER)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_from_packages_before_its_own(module: str) -> None:
    place = {name: number for number, name in enumerate(ORDER)}
    later = {
        name
        for name in GRAPH[module]
        if unit(name) and unit(module) and place[unit(name)] > place[unit(module)]
    }
    assert not later


def test_no_modules_import_each_other_in_a_cycle() -> None:
    try:
        TopologicalSorter(GRAPH).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_the_check_finds_a_lazy_import(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(
        "def later():\n    from replication.training import train_run\n", encoding="utf-8"
    )
    assert imports("replication.files", file) == {"replication.training.train_run"}


def test_modules_and_packages_are_small() -> None:
    lengths = sorted(len(f.read_text(encoding="utf-8").splitlines()) for f in MODULES.values())
    assert lengths[-1] <= 300
    assert lengths[len(lengths) // 2] < 120
    top = {unit(module) for module in MODULES if module.count(".") == 1}
    assert len([name for name in top if (ROOT / "replication" / f"{name}.py").is_file()]) < 10
