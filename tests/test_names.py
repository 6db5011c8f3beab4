"""Names in the code are unique and say what they hold, functions fit a screen, docstrings exist."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.plans import ROOT

PACKAGE = sorted((ROOT / "replication").rglob("*.py"))
BENCHMARKS = sorted((ROOT / "benchmarks").rglob("*.py"))
WEBSITE = sorted((ROOT / "website").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
TREES = {
    file: ast.parse(file.read_text(encoding="utf-8"))
    for file in (*PACKAGE, *BENCHMARKS, *WEBSITE, *TESTS)
}
VAGUE = {"it", "found", "told", "mine", "theirs", "above", "alike", "where", "here"}
"""Names that say nothing about the value that they hold."""
LONGEST_FUNCTION = 60
"""Lines, from the signature to the last statement, with the docstring."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = Function | ast.ClassDef


Located = ast.expr | ast.stmt | ast.arg | ast.excepthandler | ast.pattern


def place(file: Path, node: Located) -> str:
    """File and line as an editor understands them."""
    return f"{file.relative_to(ROOT)}:{node.lineno}"


def list_offenders(lines: list[str]) -> None:
    """Fail with one line for each offender."""
    if lines:
        pytest.fail(f"{len(lines)} offenders\n" + "\n".join(sorted(lines)), pytrace=False)


def bound_names(tree: ast.AST) -> Iterator[tuple[str, Located]]:
    """Every name that a module binds to a value.

    By assignment, as a target of a loop, comprehension or ``with``, as a parameter, for an
    exception, or in a pattern of ``match``.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node
        elif isinstance(node, ast.arg):
            yield node.arg, node
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name, node


def module_constants(tree: ast.Module) -> Iterator[tuple[str, ast.Name]]:
    """The names in capitals that a module binds at its top level."""
    for statement in tree.body:
        targets: list[ast.expr] = []
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        for target in targets:
            for node in ast.walk(target):
                if isinstance(node, ast.Name) and node.id.isupper():
                    yield node.id, node


def public_objects(body: list[ast.stmt]) -> Iterator[Documented]:
    """Public classes and functions of a module, and the public methods of its classes."""
    for node in body:
        if isinstance(node, Documented) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public_objects(node.body)


def test_no_two_modules_have_the_same_name() -> None:
    by_name = defaultdict(list)
    for file in PACKAGE:
        if file.stem not in ("__init__", "__main__"):
            by_name[file.stem].append(str(file.relative_to(ROOT)))
    list_offenders([" and ".join(files) for files in by_name.values() if len(files) > 1])


def test_no_two_modules_bind_the_same_constant() -> None:
    by_name = defaultdict(set)
    for file in PACKAGE:
        for name, node in module_constants(TREES[file]):
            by_name[name].add(place(file, node))
    list_offenders(
        [f"{name}: {', '.join(sorted(at))}" for name, at in by_name.items() if len(at) > 1]
    )


def test_no_two_modules_define_the_same_public_class() -> None:
    by_name = defaultdict(set)
    for file in PACKAGE:
        for node in TREES[file].body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                by_name[node.name].add(place(file, node))
    list_offenders(
        [f"{name}: {', '.join(sorted(at))}" for name, at in by_name.items() if len(at) > 1]
    )


def test_a_variable_says_what_it_holds() -> None:
    list_offenders(
        [
            f"{place(file, node)}: {name}"
            for file, tree in TREES.items()
            for name, node in bound_names(tree)
            if name in VAGUE
        ]
    )


def test_a_function_fits_a_screen() -> None:
    long = []
    for file in (*PACKAGE, *BENCHMARKS):
        for node in ast.walk(TREES[file]):
            if isinstance(node, Function) and node.end_lineno:
                lines = node.end_lineno - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    long.append(f"{place(file, node)}: {node.name} has {lines} lines")
    list_offenders(long)


def test_what_is_public_has_a_docstring() -> None:
    list_offenders(
        [
            f"{place(file, node)}: {node.name}"
            for file in PACKAGE
            for node in public_objects(TREES[file].body)
            if not ast.get_docstring(node)
        ]
    )


@pytest.mark.parametrize(
    "code",
    [
        "it = 1",
        "for it in (): pass",
        "x = [it for it in ()]",
        "x = {key: it for key, (it, _) in ()}",
        "with open('') as it: pass",
        "def f(it): pass",
        "def f(*, it=1): pass",
        "def f(*it): pass",
        "f = lambda it: it",
        "if (it := 1): pass",
        "try: pass\nexcept OSError as it: pass",
        "it: int = 1",
        "match 1:\n    case [it, *_]: pass",
    ],
)
def test_the_check_finds_every_kind_of_binding(code: str) -> None:
    assert "it" in {name for name, _ in bound_names(ast.parse(code))}


def test_the_checks_find_constants_and_what_lacks_a_docstring() -> None:
    tree = ast.parse("ONE, two = 1, 2\nTHREE: int = 3\nclass A:\n    def b(self): pass\n")
    assert [name for name, _ in module_constants(tree)] == ["ONE", "THREE"]
    assert [node.name for node in public_objects(tree.body)] == ["A", "b"]
