"""From tables and scales to runs: counted, named, and each wanted once."""

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from support.checks import refused
from support.plans import ROOT, tiny_plan

from replication.architectures.catalogue import NETWORKS
from replication.config.paper_tables import TableSpec, read_table
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.plan.run import Run

SCALES = sorted(path.stem for path in (ROOT / "config").glob("*.yaml"))
NEW_RUNS = {"table1": 16, "table2": 31, "table3": 12, "table4": 7, "table5": 14, "table6": 6}
WITH_CONTROLS: dict[str, Any] = {"tables": [*NEW_RUNS, "controls", "sensitivity"], "seeds": [0]}
REPORTED = yaml.safe_load((ROOT / "tests" / "reported.yaml").read_text(encoding="utf-8"))


def read(scale: str, *overrides: Path) -> Plan:
    return Plan.read([ROOT / "config" / f"{scale}.yaml", *overrides], ROOT / "tables")


@pytest.mark.parametrize("scale", SCALES)
def test_the_six_tables_need_86_runs_per_seed(scale: str) -> None:
    keys: dict[str, Any] = {"tables": [*NEW_RUNS], "table_seeds": {}}
    plan = Plan.read([ROOT / "config" / f"{scale}.yaml"], ROOT / "tables", keys=keys)
    seen: set[str] = set()
    for table, expected in NEW_RUNS.items():
        wanted = {run.id for cell in plan.table_cells(table) for run in cell.runs()}
        assert len(wanted - seen) == expected * len(plan.seeds)
        seen |= wanted
    assert sum(NEW_RUNS.values()) == 86


def test_the_paper_scale_has_the_six_tables_and_nothing_else() -> None:
    plan = read("paper")
    assert list(plan.tables) == list(NEW_RUNS)
    assert len(plan.runs) == 86 * 5


def new_runs(plan: Plan, table: str) -> dict[str, Run]:
    """The runs of a table that the six do not have."""
    six = {name for paper_table in NEW_RUNS for name in plan.needed(paper_table)}
    return {name: run for name, run in plan.needed(table).items() if name not in six}


@pytest.mark.parametrize("scale", SCALES)
def test_controls_continue_table_2_and_add_ten_runs(scale: str) -> None:
    plan = Plan.read([ROOT / "config" / f"{scale}.yaml"], ROOT / "tables", keys=WITH_CONTROLS)
    new = new_runs(plan, "controls")
    run_counts = Counter((run.network, run.objective, run.variant) for run in new.values())
    assert run_counts == {
        ("densenet_90_60", "label", None): 2,
        ("densenet_90_60", "label", "twice-the-epochs"): 1,
        ("densenet_90_60", "label-smoothing", None): 1,
        ("densenet_90_60", "tf-kd", None): 1,
        ("densenet_90_60", "ban", None): 3,
        ("densenet_112_33", "label", None): 2,
    }
    last = cell_run(plan, "controls", "densenet-90-60", "ban-6")
    assert last.generation == 6
    assert last.lineage[3] == cell_run(plan, "table2", "densenet-90-60", "ban-3")


def test_a_label_ensemble_has_as_many_networks_as_its_born_again_one_and_no_teacher() -> None:
    plan = tiny_plan(**WITH_CONTROLS)
    for row in plan.tables["controls"].rows:
        cells = {c.column: c.members[0] for c in plan.table_cells("controls") if c.row == row}
        for n in (2, 3):
            assert len(set(cells[f"label ens*{n}"])) == len(cells[f"ens*{n}"]) == n
            recipes = {run.objective: plan.recipe(run) for run in cells[f"label ens*{n}"]}
            assert recipes == {"label": plan.recipe(cells["teacher"][0])}


BOTH = {"label", "ban"}
VARIED = {
    "ban-l-sum": {"ban+l"},
    "dkpp-per-sample": {"dkpp"},
    "dkpp-per-batch": {"dkpp"},
    "cwtm-true-class": {"cwtm"},
    "densenet-recipe": BOTH,
    "two-transitions": BOTH,
    "half-the-width": BOTH,
    "twice-the-width": BOTH,
    "half-the-epochs": BOTH,
    "twice-the-epochs": BOTH,
}
# By scale the readings that it does not have itself.
OTHERS = {
    "digits": {"dropout": BOTH, "two-layers": {"label", "ban+l"}},
    "paper": {"no-dropout": BOTH, "one-layer": {"label", "ban+l"}},
}


@pytest.mark.parametrize("scale", OTHERS)
def test_the_sensitivity_table_trains_the_other_readings_alone(scale: str) -> None:
    plan = Plan.read([ROOT / "config" / f"{scale}.yaml"], ROOT / "tables", keys=WITH_CONTROLS)
    new = new_runs(plan, "sensitivity")
    objectives_by_variant: dict[str | None, set[str]] = {}
    for run in new.values():
        objectives_by_variant.setdefault(run.variant, set()).add(run.objective)
        if run.teacher and run.objective == "ban":
            assert run.teacher.variant == run.variant
    assert objectives_by_variant == VARIED | OTHERS[scale]
    assert len(new) == 20
    (logits,) = (c for c in plan.table_cells("sensitivity") if c.average == "logits")
    assert logits.column == "student other"


def test_a_variant_changes_what_its_name_says() -> None:
    plan = tiny_plan(**WITH_CONTROLS)
    recipes = {run.variant: plan.recipe(run) for run in new_runs(plan, "sensitivity").values()}
    assert recipes["ban-l-sum"]["decisions"] == {"ban_l_weighting": "sum"}
    assert recipes["dkpp-per-batch"]["decisions"] == {"dkpp_permutation": "batch"}
    assert recipes["cwtm-true-class"]["decisions"] == {"cwtm_weight": "true class"}
    options = {variant: recipe["network"]["options"] for variant, recipe in recipes.items()}
    assert options["dropout"]["dropout"] == 0.3
    assert options["two-layers"]["layers"] == 2
    assert options["two-transitions"]["final_transition"] is False


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("name", "ratio"), [("half", Fraction(1, 2)), ("twice", Fraction(2))])
def test_width_and_epochs_are_varied_relative_to_the_scale(
    scale: str, name: str, ratio: Fraction
) -> None:
    plan = Plan.read([ROOT / "config" / f"{scale}.yaml"], ROOT / "tables", keys=WITH_CONTROLS)
    for what, varied in (("width", "network"), ("epochs", "training")):
        row = f"{what}: the scale's, not {name}"
        own, other = (
            plan.recipe(cell_run(plan, "sensitivity", row, column))
            for column in ("student taken", "student other")
        )
        assert {key for key in own if own[key] != other[key]} == {varied}
        if what == "width":
            widths = (recipe["network"]["options"]["width_ratio"] for recipe in (own, other))
            before, after = map(Fraction, widths)
            assert after == before * ratio
        for key in ("epochs", "milestones") if what == "epochs" else ():
            expected = np.ceil(np.multiply(own["training"][key], float(ratio)))
            assert np.array_equal(other["training"][key], expected)


def test_densenets_own_recipe_is_that_of_huang_et_al() -> None:
    scale = read("paper").scale
    own = scale.model_copy(
        update={"decisions": scale.decisions.model_copy(update={"densenet_recipe": "densenet"})}
    )
    recipe = own.image_recipe("densenet")
    assert (recipe.epochs, recipe.milestones, recipe.gamma) == (300, (150, 225), 0.1)
    assert (recipe.weight_decay, recipe.learning_rate) == (1e-4, 0.1)
    assert own.image_recipe("wide_resnet") == scale.images == scale.image_recipe("densenet")
    single = scale.images.model_copy(update={"epochs": 1})
    recipe = own.model_copy(update={"images": single}).image_recipe("densenet")
    assert (recipe.epochs, recipe.milestones) == (1, (1,))


def test_a_decision_changes_the_recipes_of_its_objective_alone() -> None:
    six: dict[str, Any] = {"tables": [*NEW_RUNS]}
    before, after = tiny_plan(**six), tiny_plan(**six, decisions={"cwtm_weight": "true class"})
    changed = {
        run.objective
        for name, run in before.runs.items()
        if before.recipe_hash(run) != after.recipe_hash(after.runs[name])
    }
    assert changed == {"cwtm"}


def test_every_run_comes_after_its_teacher_and_lies_in_its_folder() -> None:
    plan = read("paper")
    done: set[str] = set()
    for run in plan.runs.values():
        if run.teacher:
            assert run.teacher.id in done
            assert plan.folder(run).parent == plan.folder(run.teacher)
        done.add(run.id)


def cell_run(plan: Plan, table: str, row: str, column: str) -> Run:
    (cell,) = (c for c in plan.table_cells(table) if (c.row, c.column) == (row, column))
    (run,) = cell.members[0]
    return run


def test_ban_and_ban_1_are_two_runs_of_one_treatment() -> None:
    plan = tiny_plan()
    ban, ban_1 = (cell_run(plan, "table2", "densenet-90-60", c) for c in ("ban", "ban-1"))
    assert ban.id != ban_1.id
    assert plan.recipe(ban) == plan.recipe(ban_1)
    assert ban.teacher == ban_1.teacher


def test_the_densenet_90_60_teacher_of_tables_2_4_and_5_is_one_run() -> None:
    plan = tiny_plan()
    teachers = {
        cell_run(plan, "table2", "densenet-90-60", "teacher").id,
        cell_run(plan, "table4", "teacher densenet-90-60", "error").id,
        cell_run(plan, "table4", "2*depth", "error").root_teacher.id,
        cell_run(plan, "table5", "ban-wide-resnet-1-1", "ban").root_teacher.id,
    }
    assert teachers == {"two_digit_numbers/densenet_90_60.label.0"}


def test_each_generation_learns_from_the_one_before_it() -> None:
    run = cell_run(tiny_plan(), "table2", "densenet-112-33", "ban-3")
    assert [(r.objective, r.generation) for r in (*run.lineage, run)] == [
        ("label", 0),
        ("ban", 1),
        ("ban", 2),
        ("ban", 3),
    ]


def test_ensembles_have_the_generations_the_paper_names_in_order() -> None:
    cells = {
        (c.row, c.column): [r.generation for r in c.members[0]]
        for c in tiny_plan().table_cells("table2")
        if c.column.startswith("ens")
    }
    assert cells.pop(("densenet-80-120", "ens*3")) == [0, 1, 2]
    assert {tuple(g) for (_, column), g in cells.items() if column == "ens*3"} == {(1, 2, 3)}
    assert {tuple(g) for (_, column), g in cells.items() if column == "ens*2"} == {(1, 2)}


def test_a_generation_has_the_recipe_of_its_teacher() -> None:
    # Mistake 7: another optimiser or schedule for the student confounds the gain.
    plan = read("paper")
    for run in plan.runs.values():
        if run.teacher and run.network == run.teacher.network:
            recipe, teacher_recipe = plan.recipe(run), plan.recipe(run.teacher)
            assert recipe["training"] == teacher_recipe["training"]
            assert recipe["network"] == teacher_recipe["network"]


def test_only_table_5_students_share_layers() -> None:
    plan = tiny_plan()
    sharing = [run for run in plan.runs.values() if run.share_ends]
    # Six residual students, and one that is identical to its teacher.
    assert len({run.network for run in sharing}) == len(sharing) == 7
    assert all(run.objective == "ban" and run.teacher for run in sharing)
    assert not any(r.share_ends for r in plan.runs.values() if r.objective == "label")


def test_a_changed_key_changes_the_recipes_it_belongs_to_and_no_others() -> None:
    before, after = tiny_plan(), tiny_plan(language={"lstm": {"clip_norm": 1.0}})
    changed = {
        run.network
        for name, run in before.runs.items()
        if before.recipe_hash(run) != after.recipe_hash(after.runs[name])
    }
    assert changed == {"lstm"}


def test_another_seed_adds_its_runs_and_changes_none() -> None:
    one, two = tiny_plan(seeds=[0]), tiny_plan(seeds=[0, 7])
    assert set(one.runs) < set(two.runs)
    assert len(two.runs) == 2 * len(one.runs)
    for name, run in one.runs.items():
        assert one.recipe_hash(run) == two.recipe_hash(two.runs[name])


def test_a_table_has_its_own_seeds_and_the_others_those_of_the_scale() -> None:
    plan = tiny_plan(tables=["table2", "controls"], seeds=[0, 7], table_seeds={"controls": [7]})
    assert plan.seeds == (0, 7)
    for table, seeds in {"table2": [0, 7], "controls": [7]}.items():
        assert all([*cell.members] == seeds for cell in plan.table_cells(table))


def test_a_row_has_its_own_seeds_and_the_others_those_of_the_table() -> None:
    plan = tiny_plan(
        tables=["table2", "table4"],
        seeds=[0, 1],
        table_seeds={"table2": [2, 3]},
        row_seeds={"table2": {"densenet-80-80": [5], "densenet-80-120": []}},
    )
    assert plan.seeds == (0, 1, 2, 3, 5)
    assert plan.seeds_by_row("table2") == {
        "densenet-112-33": (2, 3),
        "densenet-90-60": (2, 3),
        "densenet-80-80": (5,),
        "densenet-80-120": (),
    }
    assert "densenet_80_120" not in {run.network for run in plan.runs.values()}
    by_network = {
        network: {
            plan.lineage_seeds[run.id] for run in plan.runs.values() if run.network == network
        }
        for network in ("densenet_80_80", "densenet_112_33")
    }
    assert by_network == {"densenet_80_80": {5}, "densenet_112_33": {2, 3}}


def test_students_of_a_row_that_is_not_trained_itself_have_their_teacher() -> None:
    plan = tiny_plan(
        tables=["table4"], seeds=[0], row_seeds={"table4": {"teacher densenet-90-60": []}}
    )
    teachers = [run for run in plan.runs.values() if run.teacher is None]
    assert [run.network for run in teachers] == ["densenet_90_60"]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"table_seeds": {"tabel2": [0]}}, "`table_seeds`: no table `tabel2`"),
        ({"row_seeds": {"tabel2": {}}}, "`row_seeds`: no table `tabel2`"),
        ({"row_seeds": {"table6": {"lstn": [0]}}}, "no row `lstn`; available: cnn-lstm, lstm"),
        (
            {"row_seeds": {"table6": {"lstm": [], "cnn-lstm": []}}},
            "`row_seeds.table6`: no row has a seed; give one a seed, or leave `table6` out",
        ),
    ],
)
def test_seeds_of_an_unknown_table_or_row_are_one_line(keys: dict[str, Any], message: str) -> None:
    with refused("scale tiny", message):
        tiny_plan(**keys)


def flattened(table: TableSpec) -> dict[tuple[str, str], float | None]:
    return {
        (row, column): table.reported(row, column) for row in table.rows for column in table.columns
    }


@pytest.mark.parametrize("name", REPORTED)
def test_every_printed_number_is_taken_over_exactly(name: str) -> None:
    printed, table = REPORTED[name], read_table(name, ROOT / "tables")
    expected = {
        (row, column): cells[column] for row, cells in printed["rows"].items()
        for column in printed["columns"]
    }  # fmt: skip
    if "teacher" in printed:
        expected[("densenet-90-60", "baseline")] = printed["teacher"]["densenet-90-60"]
        expected[("densenet-90-60", "ban")] = printed["teacher"]["its identical BAN student"]
    reported_values = flattened(table)
    assert {cell: reported_values[cell] for cell in expected} == expected
    assert {reported_values[cell] for cell in reported_values.keys() - expected.keys()} <= {None}
    for row, cells in printed["rows"].items():
        assert table.rows[row].params == cells.get("params")


def test_the_reported_difference_is_to_generation_0_of_the_lineage() -> None:
    teacher_values = {(c.table, c.row, c.column): c.reported_teacher for c in tiny_plan().cells}
    assert teacher_values["table2", "densenet-112-33", "ban-3"] == 18.25
    assert teacher_values["table2", "densenet-80-120", "ens*3"] == 16.87
    assert teacher_values["table4", "2*depth", "error"] == 17.69
    assert teacher_values["table5", "ban-wide-resnet-1-1", "ban"] == 17.69
    assert teacher_values["table6", "lstm", "ban+l val"] == 75.11
    assert teacher_values["table1", "wide-resnet-28-1", "teacher"] is None


def test_the_plan_imports_neither_torch_nor_pandas() -> None:
    code = (
        "import sys; from pathlib import Path; import replication.workflow.rules;"
        "from replication.plan.plan import Plan;"
        f"Plan.read([Path({str(ROOT / 'config' / 'paper.yaml')!r})],"
        f" Path({str(ROOT / 'tables')!r}));"
        "print(*{'torch', 'pandas', 'numpy', 'timm'} & set(sys.modules))"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout.split() == []


def test_every_network_of_the_catalogue_is_in_a_table() -> None:
    assert {run.network for run in read("paper").runs.values()} == set(NETWORKS)


def test_a_variant_of_a_wrong_key_is_named(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tables", tmp_path / "tables")
    path = tmp_path / "tables" / "sensitivity.yaml"
    text = path.read_text(encoding="utf-8").replace("cwtm_weight", "cwtm_wait")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="variant `cwtm-true-class`: unknown key"):
        Plan.read([ROOT / "config" / "fashion.yaml"], tmp_path / "tables")


STUDY: dict[str, Any] = {
    "title": "Distillation with other objectives",
    "dataset": "cifar10",
    "columns": {
        "teacher": {"objective": "label"},
        "kd": {"objective": {"name": "kd", "temperature": 2, "alpha": 0.5}, "teacher": "teacher"},
        "own": {"objective": {"name": "losses:match", "weight": 3}, "teacher": "teacher"},
    },
    "rows": {"narrow": {"network": "wide_resnet_28_1"}},
}


def study(folder: Path, source: str = "def match(z, y, t, weight): ...\n") -> Plan:
    (folder / "tables").mkdir(exist_ok=True)
    (folder / "tables/study.yaml").write_text(yaml.safe_dump(STUDY), encoding="utf-8")
    (folder / "losses.py").write_text(source, encoding="utf-8")
    scale = {**yaml.safe_load((ROOT / "config/digits.yaml").read_text()), "tables": ["study"]}
    (folder / "mine.yaml").write_text(yaml.safe_dump({**scale, "scale": "mine", "seeds": [0]}))
    return Plan.read([folder / "mine.yaml"], folder / "tables")


def test_parameters_of_an_objective_are_in_the_run_and_its_recipe(tmp_path: Path) -> None:
    plan = study(tmp_path)
    teacher = "digits/wide_resnet_28_1.label.0"
    run = plan.run(f"{teacher}/wide_resnet_28_1.kd-alpha-0_5-temperature-2.0")
    assert plan.recipe(run)["parameters"] == {"alpha": 0.5, "temperature": 2}
    assert f"{teacher}/wide_resnet_28_1.losses-match-weight-3.0" in plan.runs


def test_a_changed_objective_of_ones_own_is_another_recipe(tmp_path: Path) -> None:
    name = "digits/wide_resnet_28_1.label.0/wide_resnet_28_1.losses-match-weight-3.0"
    plan = study(tmp_path)
    before = plan.recipe_hash(plan.run(name))
    study(tmp_path, "def match(z, y, t, weight): return z.sum()\n")
    assert plan.recipe_hash(plan.run(name)) != before


def test_an_objective_that_is_nowhere_is_one_line(tmp_path: Path) -> None:
    plan = study(tmp_path)
    (tmp_path / "losses.py").unlink()
    with refused("objective `losses:match`", "no module losses"):
        plan.recipe_hash(next(run for run in plan.runs.values() if run.objective == "losses:match"))


# Wrong tables: one line, with file and key.
Change = Callable[[dict[str, Any]], object]

WRONG_TABLES: dict[str, tuple[Change, str]] = {
    "misspelt key": (lambda t: t.update(colums=t.pop("columns")), "did you mean `columns`?"),
    "unknown network": (
        lambda t: t["rows"]["densenet-90-60"].update(network="densenet_91_60"),
        "unknown network `densenet_91_60`",
    ),
    "teacher that does not exist": (
        lambda t: t["columns"]["ban"].update(teacher="techer"),
        "teacher `densenet-112-33` / `techer` does not exist",
    ),
    "teacher that is an ensemble": (
        lambda t: t["columns"]["ban"].update(teacher="ens*2"),
        "is not a trained network",
    ),
    "teacher that is a dash": (
        lambda t: t["columns"]["cwtm"].update(teacher="ban-3"),
        "cell `densenet-80-120` / `cwtm`: teacher `densenet-80-120` / `ban-3` is not a trained",
    ),
    "lineage without an end": (
        lambda t: t["columns"]["ban-1"].update(teacher="ban-2"),
        "learns from itself",
    ),
    "member that does not exist": (
        lambda t: t["columns"]["ens*2"].update(ensemble=["ban-1", "ban-9"]),
        "ensemble member `ban-9` does not exist",
    ),
    "number that is none": (
        lambda t: t["rows"]["densenet-90-60"]["reported"].update(ban="good"),
        '`rows.densenet-90-60.reported.ban`: input should be a valid number, got "good"',
    ),
    "column left out": (
        lambda t: t["rows"]["densenet-90-60"]["reported"].pop("ban"),
        "column `ban` is missing",
    ),
    "column that does not exist": (
        lambda t: t["rows"]["densenet-90-60"]["reported"].update(bam=1.0),
        "`rows.densenet-90-60.reported.bam`: no such column",
    ),
    "unknown objective": (
        lambda t: t["columns"]["ban"].update(objective="kdd"),
        "`columns.ban.objective.name`: must be one of label, ban",
    ),
    "parameter that an objective does not have": (
        lambda t: t["columns"]["ban"].update(objective={"name": "kd", "temp": 4}),
        "`columns.ban.objective`: `kd` has no parameter `temp`; it has temperature, alpha",
    ),
    "parameter of an objective that has none": (
        lambda t: t["columns"]["ban"].update(objective={"name": "ban", "temperature": 4}),
        "`ban` has no parameter `temperature`; it has none",
    ),
    "parameter that is no number": (
        lambda t: t["columns"]["ban"].update(objective={"name": "kd", "alpha": "much"}),
        "`columns.ban.objective.alpha`",
    ),
    "objective without teacher": (
        lambda t: t["columns"]["ban"].pop("teacher"),
        "`columns.ban`: the objective `ban` needs a teacher",
    ),
    "teacher without objective for it": (
        lambda t: t["columns"]["ban"].update(objective="label-smoothing"),
        "`columns.ban`: the objective `label-smoothing` has no teacher",
    ),
    "contrast of a column that does not exist": (
        lambda t: t.update(contrasts={"gain": {"ban": 1, "techer": -1}}),
        "`contrasts.gain.techer`: no such column",
    ),
    "contrast with the name of a column": (
        lambda t: t.update(contrasts={"ban": {"ban": 1, "teacher": -1}}),
        "`contrasts.ban`: a column has this name",
    ),
    "contrast that is none": (
        lambda t: t.update(contrasts={"gain": {"ban": 1, "teacher": 1}}),
        "`contrasts.gain`: the weights have to sum to zero",
    ),
    "hidden column that does not exist": (
        lambda t: t.update(hidden=["bam"]),
        "`hidden`: no column `bam`",
    ),
    "unknown variant": (
        lambda t: t["columns"]["ban"].update(variant="mine"),
        "unknown variant `mine`; add it to `variants`",
    ),
    "no rows": (lambda t: t.update(rows={}), "`rows`"),
    "text for a mapping": (lambda t: t.update(columns="teacher"), "`columns`"),
}


@pytest.mark.parametrize("name", WRONG_TABLES)
def test_a_wrong_table_is_one_line_with_file_and_key(name: str, tmp_path: Path) -> None:
    change, message = WRONG_TABLES[name]
    table = yaml.safe_load((ROOT / "tables" / "table2.yaml").read_text(encoding="utf-8"))
    change(table)
    path = tmp_path / "table2.yaml"
    path.write_text(yaml.safe_dump(table, sort_keys=False), encoding="utf-8")
    with refused(str(path), message):
        read_table("table2", tmp_path)


WRONG_DATASETS: dict[str, tuple[Change, str]] = {
    "row of another data set": (
        lambda t: t["rows"]["densenet-90-60"].update(dataset="ptb"),
        "the data set needs language networks, but `densenet_90_60` is not one",
    ),
    "language network on images": (
        lambda t: t["rows"]["densenet-90-60"].update(network="lstm"),
        "the data set needs image networks, but `lstm` is not one",
    ),
    "data set that the scale does not have": (
        lambda t: t.update(dataset="flowers"),
        "no data set `flowers` at scale digits, which has cifar10, cifar100, ptb",
    ),
    "teacher on another data set": (
        lambda t: t["rows"]["densenet-90-60"].update(
            dataset="cifar10",
            cells={
                "ban": {
                    "objective": "ban",
                    "teacher": {"row": "densenet-80-80", "column": "teacher"},
                }
            },
        ),
        "cell `densenet-90-60` / `ban`: its teacher `densenet-80-80` / `teacher` is trained on"
        " `cifar100` (two_digit_numbers), but the student on `cifar10` (digits)",
    ),
}


@pytest.mark.parametrize("name", WRONG_DATASETS)
def test_a_table_on_a_wrong_data_set_is_one_line(name: str, tmp_path: Path) -> None:
    change, message = WRONG_DATASETS[name]
    table = yaml.safe_load((ROOT / "tables" / "table2.yaml").read_text(encoding="utf-8"))
    change(table)
    path = tmp_path / "table2.yaml"
    path.write_text(yaml.safe_dump(table, sort_keys=False), encoding="utf-8")
    with refused(str(path), message):
        Plan.read([ROOT / "config/digits.yaml"], tmp_path, keys={"tables": ["table2"]})


@pytest.mark.parametrize(
    ("table", "missing", "message"),
    [
        ("table2", {"images": None}, "no recipe for `densenet_112_33`; add the key `images`"),
        ("table6", {"language": None}, "no recipe for `cnn_lstm`; add the key `language.cnn_lstm`"),
        ("table6", {"language": {"cnn_lstm": None}}, "add the key `language.cnn_lstm`"),
    ],
)
def test_a_network_without_a_recipe_is_one_line(
    table: str, missing: dict[str, Any], message: str
) -> None:
    with refused(f"{ROOT / 'tables' / table}.yaml: cell `", message):
        Plan.read(
            [ROOT / "config/digits.yaml"], ROOT / "tables", keys={"tables": [table], **missing}
        )


def test_a_recipe_that_no_network_needs_may_be_missing() -> None:
    for table, missing in (("table2", "language"), ("table6", "images")):
        keys = {"tables": [table], missing: None}
        plan = Plan.read([ROOT / "config/digits.yaml"], ROOT / "tables", keys=keys)
        assert all(plan.recipe(run) for run in plan.runs.values())


def test_an_unknown_table_is_named_with_those_there_are() -> None:
    with pytest.raises(
        InputError, match=r"table9\.yaml: no such table; available: beyond, controls, "
    ):
        read_table("table9", ROOT / "tables")


def test_two_cells_that_want_different_runs_under_one_name_are_refused(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tables", tmp_path / "tables")
    path = tmp_path / "tables" / "table5.yaml"
    text = path.read_text(encoding="utf-8").replace(
        "ban: {objective: ban, teacher: baseline}",
        "ban: {objective: ban, teacher: baseline, share_ends: true}",
    )
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"table5\.yaml: cell `densenet-90-60` / `ban`"):
        Plan.read([ROOT / "config" / "digits.yaml"], tmp_path / "tables")


def test_a_teacher_may_be_on_the_same_data_under_another_name(tmp_path: Path) -> None:
    table = yaml.safe_load((ROOT / "tables" / "table2.yaml").read_text(encoding="utf-8"))
    teacher = {"row": "densenet-80-80", "column": "teacher"}
    table["rows"]["densenet-90-60"] |= {
        "dataset": "pairs",
        "cells": {"ban": {"objective": "ban", "teacher": teacher}},
    }
    (tmp_path / "table2.yaml").write_text(yaml.safe_dump(table, sort_keys=False), encoding="utf-8")
    datasets = yaml.safe_load((ROOT / "config/digits.yaml").read_text(encoding="utf-8"))["datasets"]
    keys = {"tables": ["table2"], "datasets": {**datasets, "pairs": datasets["cifar100"]}}
    plan = Plan.read([ROOT / "config/digits.yaml"], tmp_path, keys=keys)
    student = cell_run(plan, "table2", "densenet-90-60", "ban")
    assert student.teacher
    assert student.teacher.network == "densenet_80_80"
