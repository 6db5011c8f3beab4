"""Properties of plans of generated tables: ids, folders, and which keys belong to which recipe."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.strategies import DEFAULT, VARIANTS, datasets, overrides, tables

from replication.architectures.catalogue import NETWORKS
from replication.config.scale import check_scale
from replication.config.yaml_model import merge
from replication.plan.plan import Plan
from replication.plan.run import Run


def planned(folder: Path, specs: Mapping[str, Any], config: Mapping[str, Any]) -> Plan:
    """The plan of these tables, in this order."""
    for name, spec in specs.items():
        (folder / f"{name}.yaml").write_text(json.dumps(spec), encoding="utf-8")
    keys = {"tables": [*specs]}
    return Plan.make(check_scale(merge(config, keys), "drawn"), folder)


several = st.dictionaries(
    st.sampled_from(["one", "two", "three"]), tables(), min_size=1, max_size=3
)
# With these, the offsets of the drawn tables (1 and 1000) never reach another seed.
seeds = st.integers(0, 400).map(lambda half: 2 * half)
sized = st.builds(
    lambda sizes, chosen: merge(DEFAULT, {"datasets": sizes, "seeds": chosen}),
    datasets,
    st.lists(seeds, min_size=1, max_size=3, unique=True),
)
few = settings(max_examples=15)


@few
@given(several, sized)
def test_every_run_is_planned_once_below_its_teacher(
    tmp_path: Path, specs: Any, config: Any
) -> None:
    plan = planned(tmp_path, specs, config)
    wanted = {
        run for cell in plan.cells for shown in cell.runs() for run in (*shown.lineage, shown)
    }
    assert {*plan.runs.values()} == wanted
    assert len({run.id for run in wanted}) == len(wanted) == len(plan.runs)
    done: set[str] = set()
    for run_id, run in plan.runs.items():
        assert run.id == run_id
        parent_id, _, leaf = run.id.rpartition("/")
        if run.teacher:
            assert run.teacher.id in done
            assert parent_id == run.teacher.id
            assert plan.folder(run).parent == plan.folder(run.teacher)
        else:
            assert parent_id == run.dataset.name
        assert leaf.split(".")[0] == run.network
        assert leaf.split(".")[-1] == str(run.seed)
        done.add(run.id)
    for cell in plan.cells:
        assert [*cell.members] == [*plan.scale.seeds]


@few
@given(several, sized)
def test_a_cell_shows_the_runs_that_its_table_names(
    tmp_path: Path, specs: Any, config: Any
) -> None:
    plan = planned(tmp_path, specs, config)
    for cell in plan.cells:
        table = plan.tables[cell.table]
        columns = table.cell(cell.row, cell.column).ensemble or (cell.column,)
        for seed, members in cell.members.items():
            for column, run in zip(columns, members, strict=True):
                spec, teacher = table.cell(cell.row, column), table.teacher(cell.row, column)
                assert run.network == table.network(cell.row, column)
                assert spec.objective
                assert run.objective == spec.objective.name
                # A variant that is what the scale has anyway shares its runs.
                same = spec.variant and merge(config, VARIANTS[spec.variant]) == config
                assert run.variant == (None if same else spec.variant)
                assert run.seed == seed + spec.seed_offset
                assert run.share_ends == spec.share_ends
                teacher_objective = (
                    table.cell(teacher.row, teacher.column).objective if teacher else None
                )
                named = teacher_objective.name if teacher_objective else None
                assert (run.teacher.objective if run.teacher else None) == named


def recipes(plan: Plan) -> dict[str, str]:
    return {name: plan.recipe_hash(run) for name, run in plan.runs.items()}


@few
@given(several, sized, seeds)
def test_another_seed_only_adds_runs(tmp_path: Path, specs: Any, config: Any, seed: int) -> None:
    assume(seed not in config["seeds"])
    one = recipes(planned(tmp_path, specs, config))
    added = recipes(planned(tmp_path, specs, {**config, "seeds": [seed]}))
    both = recipes(planned(tmp_path, specs, {**config, "seeds": [*config["seeds"], seed]}))
    assert both == one | added
    assert one.items() <= both.items()


@few
@given(several, tables(), sized)
def test_another_table_only_adds_runs(tmp_path: Path, specs: Any, new: Any, config: Any) -> None:
    one = recipes(planned(tmp_path, specs, config))
    added = recipes(planned(tmp_path, {"new": new}, config))
    both = recipes(planned(tmp_path, {**specs, "new": new}, config))
    assert both == one | added


@few
@given(several, sized)
def test_variants_have_folders_and_recipes_of_their_own(
    tmp_path: Path, specs: Any, config: Any
) -> None:
    plan = planned(tmp_path, specs, config)
    apart: dict[tuple[Any, ...], set[str]] = {}
    for run in plan.runs.values():
        treatment = (run.teacher, run.dataset, run.network, run.objective, run.seed)
        apart.setdefault(treatment, set()).add(run.id)
    for (teacher, data, *rest), ids in apart.items():
        variants = [plan.runs[name].variant for name in ids]
        assert len(set(variants)) == len(ids)
        assert all(variant is None or variant in VARIANTS for variant in variants)
        for name in ids:
            run = plan.runs[name]
            changed = merge(config, VARIANTS[run.variant] if run.variant else {})
            alone = Plan.make(check_scale(merge(changed, {"tables": [*specs]}), "x"), tmp_path)
            plain = Run(data, rest[0], rest[1], rest[2], teacher, run.share_ends)
            assert plan.recipe(run) == alone.recipe(plain)


def families(*names: str) -> Any:
    return lambda run: NETWORKS[run.network].family in names


# Keys that no variant sets with a value other than the default, and the runs they belong to.
BELONGS: dict[str, tuple[dict[str, Any], Any]] = {
    "images": ({"images": {"epochs": 77}}, lambda run: NETWORKS[run.network].kind == "image"),
    "lstm": ({"language": {"lstm": {"clip_norm": 77.0}}}, families("lstm")),
    "cnn-lstm": ({"language": {"cnn_lstm": {"bptt": 77}}}, families("cnn_lstm")),
    "cwtm": ({"decisions": {"cwtm_weight": "true class"}}, lambda run: run.objective == "cwtm"),
    "wide": ({"networks": {"wide_resnet": {"depth_ratio": "1/77"}}}, families("wide_resnet")),
    "dense": (
        {"networks": {"densenet": {"depth_ratio": "1/77"}}},
        families("densenet", "wide_resnet_as_dense", "pre_resnet_as_dense"),
    ),
    "one network": (
        {"networks": {"width_ratios": {"densenet_80_80": "1/77"}}},
        lambda run: run.network == "densenet_80_80",
    ),
    "precision": ({"precision": "bfloat16"}, lambda run: True),
    "held-out images": ({"evaluate_on": "validation"}, lambda run: True),
    "name": ({"scale": "another"}, lambda run: False),
    "place": ({"data_root": "elsewhere", "device": "cpu"}, lambda run: False),
    "averaging": ({"decisions": {"ensemble": "logits"}}, lambda run: False),
}


@settings(max_examples=30)
@given(several, sized, st.sampled_from([*BELONGS]))
def test_a_key_changes_exactly_the_recipes_that_it_belongs_to(
    tmp_path: Path, specs: Any, config: Any, name: str
) -> None:
    keys, belongs = BELONGS[name]
    before, after = planned(tmp_path, specs, config), planned(tmp_path, specs, merge(config, keys))
    assert [*before.runs] == [*after.runs]
    for run_id, run in before.runs.items():
        changed = before.recipe_hash(run) != after.recipe_hash(after.runs[run_id])
        assert changed == belongs(run), run_id
        assert changed == (before.recipe(run) != after.recipe(after.runs[run_id]))


@few
@given(several, overrides)
def test_recipe_hashes_are_equal_exactly_where_recipes_are(
    tmp_path: Path, specs: Any, keys: Any
) -> None:
    plan = planned(tmp_path, specs, merge(DEFAULT, keys | {"seeds": [0, 2]}))
    texts = {run.id: json.dumps(plan.recipe(run), sort_keys=True) for run in plan.runs.values()}
    hashes = recipes(plan)
    assert len({*zip(texts.values(), hashes.values(), strict=True)}) == len({*hashes.values()})
    assert len({*texts.values()}) == len({*hashes.values()})
    assert all(re.fullmatch(r"[0-9a-f]{16}", name) for name in hashes.values())
