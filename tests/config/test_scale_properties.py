"""Properties of scale and table files: they survive a round trip, and unknown keys are refused."""

import copy
import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from snakemake.utils import update_config
from support.plans import ROOT
from support.strategies import DEFAULT, folder_names, scales, tables

from replication.config.paper_tables import read_table
from replication.config.scale import check_scale
from replication.config.yaml_model import FolderName, StrictModel, merge, read_yaml
from replication.errors import InputError


def reread(data: Mapping[str, Any], path: Path) -> dict[str, Any]:
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return read_yaml(path)


@given(scales)
def test_a_scale_survives_a_round_trip(tmp_path: Path, config: Any) -> None:
    scale = check_scale(config, "drawn")
    written = reread(scale.model_dump(mode="json"), tmp_path / "scale.yaml")
    assert check_scale(written, "written") == scale
    # What was given is in it, except for the spelling of ratios.
    assert scale.seeds == tuple(config["seeds"])
    assert scale.images.learning_rate == config["images"]["learning_rate"]
    assert scale.data_root == config.get("data_root", "data")
    given = config["networks"]["densenet"]["width_ratio"]
    assert Fraction(scale.networks.densenet.width_ratio) == Fraction(given)


@given(tables())
def test_a_table_survives_a_round_trip(tmp_path: Path, data: Any) -> None:
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
# Lower-case keys hold values and upper-case keys mappings, as each key of a scale file does: with a
# value in one file and a mapping in another, merging would depend on the order.
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
def test_merging_agrees_with_snakemake_and_changes_neither_file(a: Any, b: Any) -> None:
    before = copy.deepcopy((a, b))
    merged = merge(a, b)
    assert (a, b) == before
    expected = copy.deepcopy(a)
    update_config(expected, b)
    # Snakemake keeps a value that an empty mapping overrides; here the last one wins.
    assume(no_empty_mapping(b))
    assert merged == expected


def no_empty_mapping(data: Mapping[str, Any]) -> bool:
    below = [value for value in data.values() if isinstance(value, Mapping)]
    return all(value and no_empty_mapping(value) for value in below)


@given(shaped, shaped, shaped)
def test_merging_is_associative_and_the_last_wins(a: Any, b: Any, c: Any) -> None:
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(a, a) == merge(a, {}) == merge({}, a) == a
    merged_leaves = leaves(merge(a, b))
    assert merged_leaves == leaves(a) | leaves(b)
    assert merge(merge(a, b), b) == merge(a, b)


def leaves(data: Mapping[str, Any], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    value_by_path: dict[tuple[str, ...], Any] = {}
    for key, value in data.items():
        below = isinstance(value, Mapping)
        value_by_path |= leaves(value, (*path, key)) if below else {(*path, key): value}
    return value_by_path


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
        entry for key, value in data.items() for entry in mappings_of(value, (*path, key))
    ]


@given(st.data(), unknown_keys)
def test_an_unknown_key_anywhere_in_a_scale_is_one_line_with_its_name(
    data: st.DataObject, key: str
) -> None:
    config = check_scale(DEFAULT, "default").model_dump(mode="json")
    # Their keys are names of networks, of tables, and of data sets.
    free = {"width_ratios", "resources", "table_seeds", "row_seeds", "exceptions"}
    places = [
        (path, mapping)
        for path, mapping in mappings_of(config)
        if not free & set(path) and path != ("datasets",)
    ]
    path, place = data.draw(st.sampled_from(places))
    place[key] = data.draw(scalars)
    with pytest.raises(InputError) as caught:
        check_scale(config, "mine.yaml")
    dotted_key = ".".join([*path, key])
    assert str(caught.value).startswith(f"mine.yaml: unknown key `{dotted_key}`; ")
    assert "\n" not in str(caught.value)


@given(st.data(), unknown_keys, st.sampled_from(["table2", "table4", "table5", "sensitivity"]))
def test_an_unknown_key_anywhere_in_a_table_is_one_line_with_its_name(
    tmp_path: Path, data: st.DataObject, key: str, name: str
) -> None:
    config = read_yaml(ROOT / "tables" / f"{name}.yaml")
    # The others have names of columns, rows, variants or contrasts for keys, or are checked later.
    free = {"columns", "rows", "cells", "reported"}
    places = [
        (path, place)
        for path, place in mappings_of(config)
        if path[-1:] not in {(x,) for x in free} and not {"variants", "contrasts"} & {*path}
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
def test_a_folder_name_is_a_plain_folder_or_refused(name: str) -> None:
    try:
        FOLDER_NAME.validate_python(name)
    except ValidationError:
        assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name, re.ASCII) is None
        return
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
    folder = Path("/results") / name
    assert (folder.resolve().parent, folder.name) == (Path("/results"), name)
