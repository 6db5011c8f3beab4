"""Table files and claims that are refused."""

from collections.abc import Callable
from typing import Any

import pytest
from support.project import CLAIMS, FILES, PLAN, Project, binary, make_folder, replace

PLAN_TABLES = ["plan", *FILES]
TableChange = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize("damage", [binary, make_folder], ids=lambda function: function.__name__)
@pytest.mark.parametrize(
    ("name", "arguments"), [("small", PLAN_TABLES), ("claims", CLAIMS)], ids=["table", "claims"]
)
def test_a_file_that_cannot_be_read_is_refused(
    name: str, arguments: list[str], damage: Callable[..., object], project: Project
) -> None:
    damage(project / f"tables/{name}.yaml")
    project.refuses(arguments, f"tables/{name}.yaml")


def test_a_table_that_does_not_exist_is_refused(project: Project) -> None:
    project.override(tables=["table7"])
    project.refuses(PLAN, "tables/table7.yaml: no such table; available")


TABLES_REFUSED: dict[str, tuple[TableChange, tuple[str, ...]]] = {
    "unknown network": (
        lambda t: t["rows"]["narrow"].update(network="../x"),
        ("unknown network `../x`",),
    ),
    "variant with a wrong value": (
        lambda t: t.update(variants={"x": {"images": {"epochs": 0}}}),
        ("variant `x`", "`images.epochs`"),
    ),
    "variant of another scale": (
        lambda t: t.update(variants={"x": {"scale": "../y"}}),
        ("variant `x`", "`scale`"),
    ),
    "variant that multiplies what is no number": (
        lambda t: t.update(variants={"x": {"multiply": {"images": {"flip": 2}}}}),
        (
            "variant `x`: `multiply`: cannot multiply false by 2; multiply numbers by positive"
            " ratios",
        ),
    ),
    "variant that multiplies what all runs share": (
        lambda t: t.update(variants={"x": {"multiply": {"seeds": 2}}}),
        ("variant `x`: `multiply`: unknown key `seeds`",),
    ),
    "variant whose factors are text": (
        lambda t: t.update(variants={"x": {"multiply": "twice"}}),
        ("variant `x`: `multiply`: ",),
    ),
    "row of two lines": (
        lambda t: t["rows"].update({"a\nb": t["rows"]["narrow"]}),
        ("`rows.a b`",),
    ),
    "note with a control character": (lambda t: t.update(notes=["\x1b[2J"]), ("`notes.0`",)),
    "printed numbers of some columns": (
        lambda t: t["rows"]["narrow"].update(reported={"teacher": 1}),
        ("column `ban` is missing",),
    ),
}


@pytest.mark.parametrize("name", TABLES_REFUSED)
def test_a_wrong_table_is_refused(name: str, project: Project) -> None:
    change, says = TABLES_REFUSED[name]
    project.change_table(change)
    project.refuses(PLAN_TABLES, "tables/small.yaml", *says)


@pytest.mark.parametrize(
    ("pattern", "text", "says"),
    [
        (r"\Z", "hypotheses: {}\n", "unknown key `hypotheses`"),
        ("table: table1", "table: ../x", "no table `../x`"),
    ],
)
def test_wrong_claims_are_refused(pattern: str, text: str, says: str, project: Project) -> None:
    replace(project / "tables/claims.yaml", pattern, text)
    project.refuses(CLAIMS, "tables/claims.yaml", says)
