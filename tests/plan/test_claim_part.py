"""The part of a plan that one claim is measured on."""

from pathlib import Path

import pytest
from support.plans import ROOT, tiny_plan

from replication.errors import InputError
from replication.plan.claim_part import part_of_claim
from replication.plan.plan import Plan

TABLES = ROOT / "tables"


@pytest.fixture(scope="module")
def fashion() -> Plan:
    return Plan.read([ROOT / "published/fashion/scale.json"], TABLES)


def test_a_claim_needs_its_cells_and_nothing_else(fashion: Plan) -> None:
    part = part_of_claim(fashion, "ban-all", TABLES)
    assert len({cell.row for cell in part.cells}) == 4
    assert {run.objective for run in part.runs.values()} == {"label", "ban"}
    assert {run.generation for run in part.runs.values()} == {0, 1}
    assert part.runs.keys() < fashion.runs.keys()
    assert len(part.runs) == len({run.id for cell in part.cells for run in cell.needed()})


def test_a_later_generation_needs_its_teachers(fashion: Plan) -> None:
    part = part_of_claim(fashion, "sequence-improves", TABLES)
    assert {run.generation for run in part.runs.values()} == {0, 1, 2, 3}
    assert all(run.teacher is None or run.teacher.id in part.runs for run in part.runs.values())


def test_all_label_trained_networks_of_a_seed_count_where_every_seed_has_them(
    fashion: Plan,
) -> None:
    part = part_of_claim(fashion, "half-depth-beats-teacher", TABLES)
    labels = {run.seed for run in part.runs.values() if run.objective == "label"}
    assert labels == {seed + offset for seed in range(5) for offset in (0, 1000, 2000)}
    # The ten seeds of Table 2 have one each.
    ten = part_of_claim(fashion, "ban-densenet-90-60", TABLES)
    assert {run.seed for run in ten.runs.values() if run.objective == "label"} == {*range(10)}


def test_only_seeds_that_all_cells_have_are_needed() -> None:
    plan = tiny_plan(tables=["table1", "table2"], seeds=[0, 1], table_seeds={"table1": [1]})
    part = part_of_claim(plan, "cifar100-gains-more-than-cifar10", TABLES)
    assert {seed for cell in part.cells for seed in cell.members} == {1}


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ("nothing", "nothing: no such claim in .*tables/claims.yaml; available: cifar10-ban-all, "),
        ("ban-likelihood", "ban-likelihood: is measured on `nll` of quality.csv.gz"),
        ("language-models", "language-models: compares cells of table6, which scale tiny does not"),
    ],
)
def test_a_claim_that_has_no_part_is_one_line(claim: str, message: str) -> None:
    plan = tiny_plan(tables=["table2"])
    with pytest.raises(InputError, match=message):
        part_of_claim(plan, claim, Path(TABLES))


def test_a_claim_whose_cells_have_no_seed_in_common_is_one_line() -> None:
    seeds = {"table1": [1], "table2": [0]}
    plan = tiny_plan(tables=["table1", "table2"], seeds=[0, 1], table_seeds=seeds)
    with pytest.raises(InputError, match="no seed of scale tiny has all cells that the claim"):
        part_of_claim(plan, "cifar100-gains-more-than-cifar10", TABLES)
    published = Plan.read([ROOT / "published/cifar/scale.json"], TABLES)
    with pytest.raises(InputError, match="ban-all: no seed of scale cifar has all cells"):
        part_of_claim(published, "ban-all", TABLES)
