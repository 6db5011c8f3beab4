"""How many seeds the tables of a scale have, in words."""

from support.plans import tiny_plan

from replication.report.table_seeds import describe_progress, describe_seeds, tables_by_seeds

NOT_TRAINED = ("densenet-80-80", "densenet-80-120")
ROWS = {"table2": {"densenet-80-80": [0], "densenet-80-120": []}}


def test_tables_are_listed_by_their_numbers_of_seeds() -> None:
    plan = tiny_plan(
        tables=["table1", "table3", "table6"], seeds=[0, 1], table_seeds={"table6": [0, 1, 2]}
    )
    assert tables_by_seeds(plan) == "Table 6: 3; Tables 1 and 3: 2"
    assert describe_seeds(plan) == "3 seeds (2 for Tables 1 and 3)"


def test_rows_with_fewer_seeds_are_named() -> None:
    plan = tiny_plan(tables=["table2", "table3"], seeds=[0, 1], row_seeds=ROWS)
    fewer = "but 1 for DenseNet-80-80 in Table 2 and none for DenseNet-80-120 in Table 2"
    assert tables_by_seeds(plan) == f"Tables 2 and 3: 2, {fewer}"
    assert describe_seeds(plan) == f"2 seeds (2 for Tables 2 and 3, {fewer})"
    none = tiny_plan(
        tables=["table2"], seeds=[0], row_seeds={"table2": {row: [] for row in NOT_TRAINED}}
    )
    assert tables_by_seeds(none).endswith("but none for DenseNet-80-80 and DenseNet-80-120")
    alone = tiny_plan(tables=["table2"], seeds=[0, 1], row_seeds=ROWS)
    assert tables_by_seeds(alone).startswith("Table 2: 2, but 1 for DenseNet-80-80")


def test_one_number_for_all_tables_is_said_once() -> None:
    assert describe_seeds(tiny_plan(tables=["table3"], seeds=[0])) == "1 seed"


def test_a_publication_says_what_its_scale_still_lacks() -> None:
    planned = tiny_plan(tables=["table1", "table3", "table4", "controls"], seeds=[0, 1, 2]).scale
    plan = tiny_plan(
        tables=["table3", "table4", "sensitivity"], seeds=[0, 1, 2], table_seeds={"table4": [0]}
    )
    assert describe_progress(plan, planned) == (
        "The scale `tiny` has so far: Table 3, sensitivity with 3 seeds; Table 4 with 1 of 3 seeds."
        " Table 1, controls follow."
    )


def test_a_publication_with_all_tables_and_seeds_lacks_nothing() -> None:
    plan = tiny_plan(tables=["table3", "table4"], seeds=[0, 1])
    assert describe_progress(plan, plan.scale) is None
    more = tiny_plan(tables=["table3", "table4", "sensitivity"], seeds=[0, 1, 2])
    assert describe_progress(more, plan.scale) is None
    some_rows = tiny_plan(tables=["table3", "table2"], seeds=[0, 1], row_seeds=ROWS)
    all_rows = tiny_plan(tables=["table3", "table2"], seeds=[0, 1])
    assert describe_progress(some_rows, all_rows.scale)
