"""What holds for every scale, table, plan and set of measurements, on generated ones."""

import copy
import json
import math
import re
from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from snakemake.utils import update_config
from support.plans import ROOT
from support.strategies import (
    DEFAULT,
    VARIANTS,
    datasets,
    deviations,
    folder_names,
    measurements,
    overrides,
    scales,
    tables,
)

from replication.analysis.hypothesis_tests import decide, holm, power
from replication.analysis.measure import error, perplexity
from replication.analysis.statistics import paired_difference, summarise, verdict
from replication.config.paper_claims import Region
from replication.architectures.catalogue import NETWORKS
from replication.config.paper_tables import read_table
from replication.config.scale import check_scale
from replication.config.yaml_model import FolderName, StrictModel, merge, read_yaml
from replication.ensemble import average
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.plan.run import Run

# Specs.


def reread(data: Mapping[str, Any], path: Path) -> dict[str, Any]:
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return read_yaml(path)


@given(scales)
def test_a_scale_that_is_written_and_read_is_the_same(tmp_path: Path, config: Any) -> None:
    scale = check_scale(config, "drawn")
    written = reread(scale.model_dump(mode="json"), tmp_path / "scale.yaml")
    assert check_scale(written, "written") == scale
    # What was given is in it, but for the spelling of ratios.
    assert scale.seeds == tuple(config["seeds"])
    assert scale.images.learning_rate == config["images"]["learning_rate"]
    assert scale.data_root == config.get("data_root", "data")
    given = config["networks"]["densenet"]["width_ratio"]
    assert Fraction(scale.networks.densenet.width_ratio) == Fraction(given)


@given(tables())
def test_a_table_that_is_written_and_read_is_the_same(tmp_path: Path, data: Any) -> None:
    reread(data, tmp_path / "mine.yaml")
    table = read_table("mine", tmp_path)
    reread(table.model_dump(mode="json"), tmp_path / "again.yaml")
    assert read_table("again", tmp_path) == table
    assert [*table.columns] == [*data["columns"]]
    assert [*table.rows] == [*data["rows"]]


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
mappings = st.recursive(
    st.dictionaries(st.sampled_from("abc"), scalars, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), scalars | inner, max_size=3),
    max_leaves=12,
)
# Lower case holds a value, upper case a mapping, as in every scale file: where one file has a value
# and another a mapping under one key, the order of merging matters.
shaped = st.recursive(
    st.dictionaries(st.sampled_from("abc"), scalars, max_size=3),
    lambda inner: st.builds(
        lambda values, below: {**values, **below},
        st.dictionaries(st.sampled_from("abc"), scalars, max_size=3),
        st.dictionaries(st.sampled_from("ABC"), inner, max_size=3),
    ),
    max_leaves=12,
)


@given(mappings, mappings)
def test_merging_is_snakemakes_and_leaves_both_as_they_were(a: Any, b: Any) -> None:
    before = copy.deepcopy((a, b))
    merged = merge(a, b)
    assert (a, b) == before
    expected = copy.deepcopy(a)
    update_config(expected, b)
    # Under an empty mapping Snakemake lets a value stand; here the last one wins.
    assume(no_empty_mapping(b))
    assert merged == expected


def no_empty_mapping(data: Mapping[str, Any]) -> bool:
    below = [value for value in data.values() if isinstance(value, Mapping)]
    return all(value and no_empty_mapping(value) for value in below)


@given(shaped, shaped, shaped)
def test_merging_is_associative_and_the_last_wins(a: Any, b: Any, c: Any) -> None:
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(a, a) == merge(a, {}) == merge({}, a) == a
    found = leaves(merge(a, b))
    assert found == leaves(a) | leaves(b)
    assert merge(merge(a, b), b) == merge(a, b)


def leaves(data: Mapping[str, Any], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    found: dict[tuple[str, ...], Any] = {}
    for key, value in data.items():
        below = isinstance(value, Mapping)
        found |= leaves(value, (*path, key)) if below else {(*path, key): value}
    return found


KNOWN = {
    field
    for model in StrictModel.__subclasses__()
    for kind in (model, *model.__subclasses__())
    for field in kind.model_fields
}
unknown_keys = (
    st.from_regex(r"[a-z][a-z_0-9]{0,10}", fullmatch=True)
    | st.sampled_from(["Epochs", "batch-size", "a.b", "a b", "schlüssel", "7", "`", "..", "*"])
).filter(lambda key: key not in KNOWN)


def mappings_of(data: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Every mapping in plain data, with the keys that lead to it."""
    if not isinstance(data, dict):
        return []
    return [(path, data)] + [
        found for key, value in data.items() for found in mappings_of(value, (*path, key))
    ]


@given(st.data(), unknown_keys)
def test_an_unknown_key_anywhere_in_a_scale_is_one_line_with_its_name(
    data: st.DataObject, key: str
) -> None:
    config = check_scale(DEFAULT, "default").model_dump(mode="json")
    # Their keys are names of networks.
    free = {"width_ratios", "resources"}
    places = [found for found in mappings_of(config) if not free & set(found[0])]
    path, place = data.draw(st.sampled_from(places))
    place[key] = data.draw(scalars)
    with pytest.raises(InputError) as caught:
        check_scale(config, "mine.yaml")
    where = ".".join([*path, key])
    assert str(caught.value).startswith(f"mine.yaml: unknown key `{where}`; ")
    assert "\n" not in str(caught.value)


@given(st.data(), unknown_keys, st.sampled_from(["table2", "table4", "table5", "sensitivity"]))
def test_an_unknown_key_anywhere_in_a_table_is_one_line_with_its_name(
    tmp_path: Path, data: st.DataObject, key: str, name: str
) -> None:
    config = read_yaml(ROOT / "tables" / f"{name}.yaml")
    # The others have names of columns, rows and variants for keys, or are checked as a scale.
    free = {"columns", "rows", "cells", "reported"}
    places = [
        (path, place)
        for path, place in mappings_of(config)
        if path[-1:] not in {(x,) for x in free} and "variants" not in path
    ]
    path, place = data.draw(st.sampled_from(places))
    place[key] = data.draw(scalars)
    reread(config, tmp_path / "mine.yaml")
    with pytest.raises(InputError) as caught:
        read_table("mine", tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'mine.yaml'}: ")
    assert f"{key}`" in message
    assert path[-1:] == () or path[-1] in message
    assert "\n" not in message


FOLDER_NAME: TypeAdapter[str] = TypeAdapter(FolderName)
characters = st.sampled_from("ab0_-./\\~ \n\r\t\0:*%$é٣ａA")
awkward = st.text(characters, max_size=6) | st.builds(
    lambda before, wrong, after: before + wrong + after, folder_names, characters, folder_names
)


@settings(max_examples=200)
@given(awkward | st.text(max_size=6) | folder_names)
@example("a\n")
@example("a.b")
@example("..")
@example(".")
@example("")
def test_a_folder_name_is_one_plain_folder_or_refused(name: str) -> None:
    try:
        FOLDER_NAME.validate_python(name)
    except ValidationError:
        assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name, re.ASCII) is None
        return
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
    folder = Path("/results") / name
    assert (folder.resolve().parent, folder.name) == (Path("/results"), name)


@given(awkward.filter(lambda name: re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name) is None))
def test_no_scale_or_table_of_a_scale_has_another_name(name: str) -> None:
    for keys in ({"scale": name}, {"tables": [name]}):
        with pytest.raises(InputError, match="should match pattern"):
            check_scale(merge(DEFAULT, keys), "mine.yaml")


# Plans.


def planned(folder: Path, specs: Mapping[str, Any], config: Mapping[str, Any]) -> Plan:
    """The plan of these tables, in this order."""
    for name, spec in specs.items():
        (folder / f"{name}.yaml").write_text(json.dumps(spec), encoding="utf-8")
    keys = {"tables": [*specs]}
    return Plan.make(check_scale(merge(config, keys), "drawn"), folder)


several = st.dictionaries(
    st.sampled_from(["one", "two", "three"]), tables(), min_size=1, max_size=3
)
sized = st.builds(
    lambda sizes, chosen: merge(DEFAULT, {"datasets": sizes, "seeds": chosen}),
    datasets,
    st.lists(st.integers(0, 2000), min_size=1, max_size=3, unique=True),
)
few = settings(max_examples=40)


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
        above, _, leaf = run.id.rpartition("/")
        if run.teacher:
            assert run.teacher.id in done
            assert above == run.teacher.id
            assert plan.folder(run).parent == plan.folder(run.teacher)
        else:
            assert above == run.dataset.name
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
                assert (run.objective, run.variant) == (spec.objective, spec.variant)
                assert run.seed == seed + spec.seed_offset
                assert run.share_ends == spec.share_ends
                named = table.cell(teacher.row, teacher.column).objective if teacher else None
                assert (run.teacher.objective if run.teacher else None) == named


def recipes(plan: Plan) -> dict[str, str]:
    return {name: plan.recipe_hash(run) for name, run in plan.runs.items()}


@few
@given(several, sized, st.integers(0, 2000))
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
@given(several, sized, st.randoms(use_true_random=False))
def test_the_order_of_tables_and_seeds_changes_no_run(
    tmp_path: Path, specs: Any, config: Any, random: Any
) -> None:
    names, chosen = [*specs], [*config["seeds"]]
    random.shuffle(names)
    random.shuffle(chosen)
    before = planned(tmp_path, specs, config)
    after = planned(tmp_path, {name: specs[name] for name in names}, {**config, "seeds": chosen})
    assert recipes(after) == recipes(before)
    assert shown(after) == shown(before)


def shown(plan: Plan) -> dict[tuple[str, str, str, int], list[str]]:
    return {
        (cell.table, cell.row, cell.column, seed): [run.id for run in members]
        for cell in plan.cells
        for seed, members in cell.members.items()
    }


@few
@given(several, sized)
def test_variants_lie_apart_and_are_trained_by_their_own_keys(
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


# Keys that no variant sets, a value that they do not have, and the runs that they belong to.
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


@settings(max_examples=80)
@given(several, sized, st.sampled_from([*BELONGS]))
def test_a_key_changes_the_recipes_that_it_belongs_to_and_no_other(
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
@given(several, sized, st.sampled_from(["cifar10", "cifar100", "ptb"]), st.integers(1, 10**6))
def test_a_size_changes_the_recipes_of_its_data_set_alone(
    tmp_path: Path, specs: Any, config: Any, role: str, train: int
) -> None:
    assume(config["datasets"][role].get("train") != train)
    after = planned(tmp_path, specs, merge(config, {"datasets": {role: {"train": train}}}))
    before = planned(tmp_path, specs, config)
    name = config["datasets"][role]["name"]
    for run_id, run in before.runs.items():
        changed = before.recipe_hash(run) != after.recipe_hash(after.runs[run_id])
        assert changed == (run.dataset.name == name)


@few
@given(several, overrides)
def test_two_runs_have_one_recipe_name_just_where_they_have_one_recipe(
    tmp_path: Path, specs: Any, keys: Any
) -> None:
    plan = planned(tmp_path, specs, merge(DEFAULT, keys | {"seeds": [0, 1]}))
    texts = {run.id: json.dumps(plan.recipe(run), sort_keys=True) for run in plan.runs.values()}
    hashes = recipes(plan)
    assert len({*zip(texts.values(), hashes.values(), strict=True)}) == len({*hashes.values()})
    assert len({*texts.values()}) == len({*hashes.values()})
    assert all(re.fullmatch(r"[0-9a-f]{16}", name) for name in hashes.values())


# Statistics.


def same(value: float, size: float) -> object:
    return pytest.approx(value, rel=1e-7, abs=1e-11 * size, nan_ok=True)


@given(measurements(), st.randoms(use_true_random=False))
def test_the_order_of_seeds_changes_no_summary(values: list[float], random: Any) -> None:
    shuffled = random.sample(values, len(values))
    size = max(map(abs, values))
    for one, other in zip(summarise(values), summarise(shuffled), strict=True):
        assert one == same(other, size)


@given(measurements(), st.floats(-1e3, 1e3), st.floats(1e-2, 1e3))
def test_a_summary_is_shifted_and_scaled_with_its_values(
    values: list[float], shift: float, factor: float
) -> None:
    spread, size = np.ptp(values), max(map(abs, values))
    assume(min(1, factor) * spread > 1e-6 * max(1, size * factor, abs(shift)))
    before, moved = summarise(values), summarise([factor * v + shift for v in values])
    scale = factor * size + abs(shift)
    assert moved.mean == same(factor * before.mean + shift, scale)
    assert moved.std == same(factor * before.std, scale)
    assert moved.low == same(factor * before.low + shift, scale)
    assert moved.high == same(factor * before.high + shift, scale)


@given(measurements())
def test_an_interval_has_its_mean_in_the_middle_and_the_values_about_it(
    values: list[float],
) -> None:
    found = summarise(values)
    size = max(map(abs, values))
    assert found.low < found.mean < found.high
    assert found.high - found.mean == same(found.mean - found.low, size)
    assert min(values) <= found.mean + 1e-12 * size
    assert found.mean - 1e-12 * size <= max(values)
    assert found.n == len(values)
    if len(values) == 2:
        # The t-factor of one degree of freedom is tan(0.475 π).
        expected = math.tan(0.475 * math.pi) * (max(values) - min(values)) / 2
        assert found.high - found.mean == same(expected, size)


@given(st.lists(st.tuples(deviations, deviations), min_size=1, max_size=12), st.randoms())
def test_the_difference_to_the_teacher_turns_with_the_sides(
    pairs: list[tuple[float, float]], random: Any
) -> None:
    students = {seed: student for seed, (student, _) in enumerate(pairs)}
    teachers = {seed: teacher for seed, (_, teacher) in enumerate(pairs)}
    found, turned = paired_difference(students, teachers), paired_difference(teachers, students)
    assert (turned.mean, turned.low, turned.high) == (
        same(-found.mean, 1), same(-found.high, 1), same(-found.low, 1),
    )  # fmt: skip
    assert turned.p_value == same(found.p_value, 1)
    # Which seed comes first does not matter, nor a teacher without a student.
    order = random.sample([*students], len(students))
    again = paired_difference({seed: students[seed] for seed in order}, teachers | {-1: 99.0})
    assert list(again) == [same(value, 1) for value in found]


bounds = st.floats(-10, 10) | st.just(math.nan)
ORDER = ["contradicted", "inconclusive", "replicated"]


@given(bounds, bounds, st.floats(-10, 10))
@example(0.5, 1.0, 0.0)
@example(math.nan, math.nan, 1.0)
def test_a_verdict_is_the_same_with_every_sign_turned(a: float, b: float, reported: float) -> None:
    low, high = (a, b) if not a > b else (b, a)
    assert verdict(-high, -low, -reported) == verdict(low, high, reported)
    if math.isnan(low) and math.isnan(high):
        assert verdict(low, high, reported) == "inconclusive"


@given(st.floats(-10, 10), st.floats(0, 5), st.floats(-10, 10), st.floats(0, 10))
def test_a_verdict_rises_towards_the_reported_side(
    low: float, width: float, reported: float, shift: float
) -> None:
    assume(reported != 0)
    further = math.copysign(shift, reported)
    before = verdict(low, low + width, reported)
    after = verdict(low + further, low + width + further, reported)
    assert ORDER.index(after) >= ORDER.index(before)


@given(st.floats(-10, 10), st.floats(0, 5), st.floats(-10, 10), st.floats(0, 5))
def test_a_narrower_interval_takes_no_verdict_back(
    middle: float, half: float, reported: float, less: float
) -> None:
    narrow = max(0.0, half - less)
    wide = verdict(middle - half, middle + half, reported)
    assume(wide != "inconclusive")
    assert verdict(middle - narrow, middle + narrow, reported) == wide


p_values = st.lists(st.floats(0, 1) | st.floats(0, 1e-4), min_size=1, max_size=70)


@given(p_values, st.randoms(use_true_random=False))
def test_corrected_p_values_keep_their_order_and_are_no_smaller(
    p: list[float], random: Any
) -> None:
    corrected = holm(p)
    assert all(raw <= value <= 1 for raw, value in zip(p, corrected, strict=True))
    # No stricter than Bonferroni's.
    assert all(c <= min(1, len(p) * raw) for raw, c in zip(p, corrected, strict=True))
    ordered = [c for _, c in sorted(zip(p, corrected, strict=True))]
    assert all(one <= other for one, other in pairwise(ordered))
    order = random.sample(range(len(p)), len(p))
    assert holm([p[i] for i in order]) == [corrected[i] for i in order]


@given(p_values, st.floats(0, 1))
def test_another_claim_makes_no_corrected_p_value_smaller(p: list[float], more: float) -> None:
    with_more = holm([*p, more])[:-1]
    assert all(one <= other for one, other in zip(holm(p), with_more, strict=True))


regions = st.sampled_from([Region(-math.inf, 0), Region(-math.inf, 0.5), Region(-0.5, 0.5)])


@given(st.floats(-5, 5), st.floats(0.01, 10), st.integers(2, 30), regions)
def test_a_claim_and_its_mirror_image_are_decided_alike(
    mean: float, std: float, n: int, region: Region
) -> None:
    mirrored = Region(-region.high, -region.low)
    one, other = decide(mean, std, n, region), decide(-mean, std, n, mirrored)
    assert other.p_value == pytest.approx(one.p_value, rel=1e-9)
    assert other.holds == one.holds
    assert 0 <= one.p_value <= 1


@given(st.floats(-3, 3), st.floats(0.05, 5), st.integers(2, 60), regions, st.floats(1e-4, 0.2))
def test_more_seeds_less_noise_or_a_milder_level_take_no_power(
    effect: float, std: float, n: int, region: Region, level: float
) -> None:
    found = power(effect, std, n, region, level)
    assert 0 <= found <= 1 + 1e-9
    assert power(effect, std, n + 1, region, level) >= found - 1e-6
    assert power(effect, std / 2, n, region, level) >= found - 1e-6
    assert power(effect, std, n, region, min(1.0, 2 * level)) >= found - 1e-6


# Predictions.


@st.composite
def predictions(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (members, n, C) of up to 50 in size, and labels (n,)."""
    members, n, classes = draw(st.integers(1, 4)), draw(st.integers(1, 12)), draw(st.integers(2, 6))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    size = draw(st.sampled_from([0.1, 1.0, 10.0, 50.0]))
    logits = size * torch.randn(members, n, classes, generator=generator, dtype=torch.float64)
    return logits, torch.randint(classes, (n,), generator=generator)


@given(predictions(), st.randoms(use_true_random=False))
def test_an_ensemble_does_not_know_the_order_of_its_members(drawn: Any, random: Any) -> None:
    logits, labels = drawn
    order = random.sample(range(len(logits)), len(logits))
    torch.testing.assert_close(average(logits[order]), average(logits))
    assert error(logits[order].numpy(), labels.numpy()) == error(logits.numpy(), labels.numpy())
    by_logits = (error(x.numpy(), labels.numpy(), "logits") for x in (logits, logits[order]))
    assert len({*by_logits}) == 1


@given(predictions())
def test_an_ensemble_predicts_distributions_between_its_members(drawn: Any) -> None:
    logits, _ = drawn
    mean, members = average(logits), logits.softmax(-1)
    torch.testing.assert_close(mean.sum(-1), torch.ones(len(mean), dtype=mean.dtype))
    assert (mean >= members.amin(0) - 1e-12).all()
    assert (mean <= members.amax(0) + 1e-12).all()
    torch.testing.assert_close(average(logits[:1].repeat(3, 1, 1)), members[0])


@given(predictions(), st.randoms(use_true_random=False))
def test_an_error_is_a_share_of_the_items_in_whatever_order(drawn: Any, random: Any) -> None:
    logits, labels = (x.numpy() for x in drawn)
    found, n = error(logits, labels), len(labels)
    assert 0 <= found <= 100
    assert found * n / 100 == pytest.approx(round(found * n / 100), abs=1e-9)
    order = random.sample(range(n), n)
    assert error(logits[:, order], labels[order]) == pytest.approx(found)
    right = average(drawn[0]).argmax(-1).numpy()
    assert error(logits, right) == 0
    assert error(logits, (right + 1) % logits.shape[-1]) == 100


@given(st.lists(st.floats(-30, 0), min_size=1, max_size=30), st.integers(2, 10_000))
def test_a_perplexity_lies_between_those_of_single_words(
    words: list[float], vocabulary: int
) -> None:
    found = perplexity(np.array(words))
    assert found >= 1
    assert math.exp(-max(words)) * (1 - 1e-9) <= found <= math.exp(-min(words)) * (1 + 1e-9)
    assert perplexity(np.full(7, -math.log(vocabulary))) == pytest.approx(vocabulary)
