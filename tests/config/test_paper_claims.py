"""The file of claims: what it covers, what the paper prints for it, and how errors are reported."""

import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.plans import ROOT

from replication.config.paper_claims import read_claims
from replication.errors import InputError

CLAIMS = read_claims(ROOT / "tables")
TEXT = (ROOT / "tables" / "claims.yaml").read_text(encoding="utf-8")
WITHOUT_ANCHORS = json.dumps(yaml.safe_load(TEXT))
"""JSON is YAML. Anchors are shared objects, which could not be changed in one place only."""


def test_there_are_claims_on_every_table_and_their_ids_are_unique() -> None:
    ids = re.findall(r"^  ([a-z0-9-]+):$", TEXT, re.M)
    assert list(CLAIMS.file.claims) == ids
    assert len(ids) >= 25
    assert {cell[0] for c in CLAIMS.file.claims.values() for cell in c.contrast()} == {
        *(f"table{number}" for number in range(1, 7)),
        "controls",
    }


@pytest.mark.parametrize(
    ("table", "columns"), [("table1", ["ban"]), ("table2", ["ban", "ban+l", "cwtm", "dkpp"])]
)
def test_each_network_and_treatment_is_compared_with_its_teacher(
    table: str, columns: list[str]
) -> None:
    compared = {tuple(c.contrast()) for c in CLAIMS.file.claims.values()}
    for row in CLAIMS.tables[table].rows:
        for column in columns:
            assert ((table, row, column), (table, row, "teacher")) in compared


def test_replicates_are_the_papers_ban_and_ban_1() -> None:
    assert CLAIMS.replicates_dataset == "cifar100"
    assert CLAIMS.replicate_pairs() == [
        (16.95, 17.61),
        (16.69, 16.62),
        (16.36, 16.26),
        (16.0, 16.13),
    ]


def test_reported_differences_are_the_papers() -> None:
    reported = {name: CLAIMS.reported(c.contrast()) for name, c in CLAIMS.file.claims.items()}
    assert reported["ban-densenet-112-33"] == pytest.approx(16.95 - 18.25)
    assert reported["cifar10-densenet-gap-narrows"] == pytest.approx((3.61 - 3.54) - (3.84 - 3.37))
    assert reported["wide-resnet-teacher-beats-labels"] == pytest.approx(16.79 - 17.69)
    assert reported["robust-to-depth"] == pytest.approx((16.95 + 16.43 + 16.64 + 16.64) / 4 - 17.69)
    assert reported["lstm-test"] == pytest.approx(68.56 - 71.87)


def test_only_words_of_the_paper_claim_what_its_own_numbers_do_not_say() -> None:
    outside = {name for name in CLAIMS.file.claims if CLAIMS.is_outside_its_region(name)}
    assert outside == {
        "cifar10-ban-wide-resnet-28-10",
        "cifar10-ban-densenet-80-120",
        "cwtm-densenet-80-80",
    }
    assert {CLAIMS.file.claims[name].source for name in outside} == {"prose"}


def test_the_margin_is_half_of_the_papers_effect_or_the_claims_own_or_one_percent() -> None:
    # 16.95 for 18.25, and a difference of 0.26 of 17.69, half of which is below 1 %.
    assert CLAIMS.margin("ban-densenet-112-33") == pytest.approx((18.25 - 16.95) / 18.25 / 2)
    assert CLAIMS.margin("dkpp-densenet-90-60") == 0.01
    # The paper prints the same number twice, and no number at all.
    assert CLAIMS.margin("cwtm-densenet-80-80") == 0.01
    assert CLAIMS.margin("ban-beats-tf-kd") == CLAIMS.margin("ban-likelihood") == 0.01
    # A bound never has a printed gain: that of Wide-ResNet-28-2 is 4 %.
    assert CLAIMS.margin("cifar10-ban-wide-resnet-28-2") == 0.01
    assert CLAIMS.margin("dkpp-comparable-with-cwtm") == 0.02
    effects = {name: CLAIMS.reported_effect(name) for name in CLAIMS.file.claims}
    directions = {name for name, c in CLAIMS.file.claims.items() if c.direction}
    assert {name for name, effect in effects.items() if not math.isnan(effect)} < directions


def test_every_claim_has_a_title_of_its_own_that_fits_beside_a_figure() -> None:
    titles = [c.title for c in CLAIMS.file.claims.values()]
    assert all(titles)
    assert max(len(title or "") for title in titles) <= 70


def test_every_message_of_the_paper_is_a_primary_claim_of_its_own_numbers() -> None:
    first = {name: c for name, c in CLAIMS.file.claims.items() if c.family is None}
    assert len(first) == 10
    assert {c.source for c in first.values()} == {"paper"}
    assert all(c.direction and not c.metric for c in first.values())


def test_what_the_paper_prints_no_number_for_is_prose_or_ours() -> None:
    for c in CLAIMS.file.claims.values():
        if math.isnan(CLAIMS.reported(c.contrast())) or c.metric:
            assert c.source in ("prose", "ours")


Change = Callable[[dict[str, Any]], object]
FIRST = "cifar10-ban-all"


def first(file: dict[str, Any]) -> dict[str, Any]:
    claim: dict[str, Any] = file["claims"][FIRST]
    return claim


def side(table: str, row: str, column: str) -> dict[str, Any]:
    return {"table": table, "rows": [row], "columns": [column]}


WRONG: dict[str, tuple[Change, str]] = {
    "misspelt key": (lambda f: first(f).update(expects="lower"), "did you mean `expect`?"),
    "key left out": (lambda f: first(f).pop("statement"), f"`claims.{FIRST}.statement` is missing"),
    "unknown test": (lambda f: first(f).update(expect="less"), f"`claims.{FIRST}.expect`"),
    "unknown table": (
        lambda f: first(f)["left"].update(table="table9"),
        f"`claims.{FIRST}.left`: no table `table9`",
    ),
    "unknown row": (
        lambda f: first(f)["right"].update(rows=["densenet-91-60"]),
        f"`claims.{FIRST}.right`: table1 has no row `densenet-91-60`",
    ),
    "unknown column": (
        lambda f: first(f)["left"].update(columns=["bam"]),
        "table1 has no column `bam`; available: teacher, ban",
    ),
    "dash": (
        lambda f: first(f)["left"].update(
            table="table2", rows=["densenet-80-120"], columns=["ban-3"]
        ),
        "table2 has a dash at `densenet-80-120` / `ban-3`",
    ),
    "unknown row to subtract": (
        lambda f: first(f)["left"].update(
            minus={"table": "table1", "rows": ["resnet"], "columns": ["ban"]}
        ),
        f"`claims.{FIRST}.left.minus`: table1 has no row `resnet`",
    ),
    "row twice": (
        lambda f: first(f)["left"].update(rows=["densenet-90-60", "densenet-90-60"]),
        "listed twice",
    ),
    "no row": (lambda f: first(f)["left"].update(rows=[]), f"`claims.{FIRST}.left.rows`"),
    "nothing to compare": (
        lambda f: first(f).update(right=first(f)["left"]),
        "left and right are the same cells",
    ),
    "error with perplexity": (
        lambda f: first(f).update(
            right={"table": "table6", "rows": ["lstm"], "columns": ["teacher test"]}
        ),
        f"`claims.{FIRST}`: compares errors with perplexities",
    ),
    "statement of two lines": (
        lambda f: first(f).update(statement="one\ntwo"),
        f"`claims.{FIRST}.statement`",
    ),
    "smallest effect that is none": (
        lambda f: first(f).update(smallest_effect=0),
        f"`claims.{FIRST}.smallest_effect`",
    ),
    "smallest effect beside a printed one": (
        lambda f: first(f).update(smallest_effect=0.02),
        f"`claims.{FIRST}.smallest_effect`: the paper prints an effect",
    ),
    "direction that the printed numbers do not have": (
        lambda f: first(f).update(expect="higher"),
        f"`claims.{FIRST}`: the paper prints a difference of -0.08, which does not support"
        " `higher`",
    ),
    "bound beyond which the printed number lies": (
        lambda f: f["claims"]["cifar10-ban-densenet-80-120"].update(source="paper"),
        "`claims.cifar10-ban-densenet-80-120`: the paper prints a difference of +0.17, which does"
        " not support `not higher`",
    ),
    "title of two claims": (
        lambda f: f["claims"]["ban-densenet-90-60"].update(title=first(f)["title"]),
        f"`claims.ban-densenet-90-60.title`: `{FIRST}` has the same",
    ),
    "unknown source": (lambda f: first(f).update(source="me"), f"`claims.{FIRST}.source`"),
    "unknown family": (lambda f: first(f).update(family="ban"), "`ban` is not a primary claim"),
    "family of a claim that is not primary": (
        lambda f: f["claims"]["ban-densenet-90-60"].update(family=FIRST),
        f"`{FIRST}` is not a primary claim",
    ),
    "three replicates": (
        lambda f: f["replicates"].update(columns=["ban", "ban-1", "ban-2"]),
        "`replicates` needs two columns",
    ),
    "no claims": (lambda f: f.update(claims={}), "`claims`"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_one_line_with_file_and_key(name: str, tmp_path: Path) -> None:
    change, message = WRONG[name]
    shutil.copytree(ROOT / "tables", tmp_path / "tables")
    file = json.loads(WITHOUT_ANCHORS)
    change(file)
    path = tmp_path / "tables" / "claims.yaml"
    path.write_text(json.dumps(file), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_claims(tmp_path / "tables")
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
