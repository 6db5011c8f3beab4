"""Scale files: merged, checked, and described by a schema that is up to date."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from support.checks import refused
from support.plans import ROOT

from replication.config.paper_tables import TableSpec
from replication.config.scale import Scale, check_scale, read_config
from replication.config.yaml_model import read_yaml, validate
from replication.errors import InputError

SCALES = sorted((ROOT / "config").glob("*.yaml"))
TABLES = sorted(set((ROOT / "tables").glob("*.yaml")) - {ROOT / "tables/claims.yaml"})


@pytest.mark.parametrize(
    ("path", "model"),
    [("config/scale.schema.json", Scale), ("tables/table.schema.json", TableSpec)],
)
def test_the_json_schema_is_the_models(path: str, model: type[Scale] | type[TableSpec]) -> None:
    written = json.loads((ROOT / path).read_text(encoding="utf-8"))
    assert written == model.model_json_schema(), "run `make schemas`"


@pytest.mark.parametrize("path", SCALES, ids=lambda path: path.stem)
def test_every_scale_file_is_valid_and_named_after_its_scale(path: Path) -> None:
    assert check_scale(read_yaml(path), str(path)).scale == path.stem
    schema = json.loads((ROOT / "config/scale.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(read_yaml(path))


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_the_table_schema_takes_every_table(path: Path) -> None:
    schema = json.loads((ROOT / "tables/table.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(read_yaml(path))


def test_a_second_file_overrides_keys_at_every_level(
    write_config: Callable[..., Path],
) -> None:
    digits = ROOT / "config" / "digits.yaml"
    merged = read_config([digits, write_config({"images": {"epochs": 3}, "seeds": [5]})])
    before = read_yaml(digits)
    assert merged["images"] == {**before["images"], "epochs": 3}
    assert merged["seeds"] == [5]
    assert merged["language"] == before["language"]


def test_a_file_without_a_scale_overrides_the_default_one(
    write_config: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_config({"seeds": [5]})
    monkeypatch.chdir(ROOT)
    default = Path("config/digits.yaml")
    assert read_config([path]) == {**read_yaml(default), "seeds": [5], "folder": "config"}


def test_the_default_scale_is_the_same_whether_it_is_named_or_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    assert read_config([]) == read_config([Path("config/digits.yaml")])


OWN_IMAGES = {"folder": "pictures", "size": [8, 8], "channels": 3}
REPLACED: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "images by name, by a folder": ({"name": "fashion_mnist", "train": 9}, OWN_IMAGES, OWN_IMAGES),
    "a folder, by images by name": (
        OWN_IMAGES,
        {"name": "fashion_mnist"},
        {"name": "fashion_mnist"},
    ),
    "a folder, by an npz file": (OWN_IMAGES, {"npz": "a.npz"}, {"npz": "a.npz"}),
    "an npz file, by a class of torchvision": (
        {"npz": "a.npz", "pool": 2},
        {"torchvision": "SVHN"},
        {"torchvision": "SVHN"},
    ),
    "text by name, by a text file": (
        {"name": "penn_treebank", "words": 100},
        {"text": "a.txt"},
        {"text": "a.txt"},
    ),
    "text by name, by images by name": (
        {"name": "penn_treebank", "words": 100},
        {"name": "fashion_mnist"},
        {"name": "fashion_mnist"},
    ),
    "other images by name keep the other keys": (
        {"name": "fashion_mnist", "train": 9},
        {"name": "cifar10"},
        {"name": "cifar10", "train": 9},
    ),
    "another folder keeps the other keys": (
        OWN_IMAGES,
        {"folder": "others"},
        {**OWN_IMAGES, "folder": "others"},
    ),
    "a key of its own alone": (OWN_IMAGES, {"train": 5}, {**OWN_IMAGES, "train": 5}),
}


@pytest.mark.parametrize("name", REPLACED)
def test_a_data_set_of_another_kind_replaces_the_whole_entry(name: str, tmp_path: Path) -> None:
    before, override, expected = REPLACED[name]
    base = read_yaml(ROOT / "config/digits.yaml")
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(yaml.safe_dump({**base, "datasets": {**base["datasets"], "own": before}}))
    second.write_text(yaml.safe_dump({"datasets": {"own": override}}))
    config = read_config([first, second])
    assert config["datasets"] == {**base["datasets"], "own": expected}
    scale = check_scale(config, "test")
    assert scale.datasets.keys() == {*base["datasets"], "own"}


def test_a_data_set_that_is_no_mapping_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump({"datasets": {"cifar10": "digits"}}))
    with refused("wrong.yaml", "`datasets.cifar10"):
        check_scale(read_config([ROOT / "config/digits.yaml", path]), "wrong.yaml")


def test_an_unknown_key_is_not_answered_with_its_own_name() -> None:
    config = read_yaml(ROOT / "config/digits.yaml")
    config["images"]["name"] = "digits"
    with pytest.raises(InputError) as caught:
        check_scale(config, "test")
    assert str(caught.value).startswith("test: unknown key `images.name`; ")
    assert "did you mean `name`" not in str(caught.value)


def test_a_missing_key_is_answered_with_both_ways_out(write_config: Callable[..., Path]) -> None:
    with refused("mine.yaml: key `tables` is missing; add it, or name the scale", "before it"):
        check_scale({"scale": "mine"}, "mine.yaml")
    table = ROOT / "tables" / "table1.yaml"
    content = {key: value for key, value in read_yaml(table).items() if key != "title"}
    with refused("table1.yaml: key `title` is missing; add it", "add it"):
        validate(TableSpec, content, "table1.yaml")


Change = Callable[[dict[str, Any]], object]

WRONG: dict[str, tuple[Change, str]] = {
    "misspelt key": (
        lambda s: s["images"].update(epoch=3),
        "unknown key `images.epoch`; did you mean `epochs`?",
    ),
    "no seeds": (lambda s: s.update(seeds=[]), "`seeds`: tuple should have at least 1 item"),
    "a seed twice": (lambda s: s.update(seeds=[1, 1]), "`seeds`: an entry is listed twice"),
    "a seed below zero": (lambda s: s.update(seeds=[-1]), "`seeds.0`"),
    "missing key": (lambda s: s.pop("datasets"), "key `datasets` is missing"),
    "exception of no network": (
        lambda s: s.update(exceptions={"resnet": "too wide"}),
        "`exceptions.resnet`: input should be 'wide_resnet_28_1'",
    ),
    "text for a number": (lambda s: s["images"].update(epochs="many"), '`images.epochs`'),
    "no epochs": (lambda s: s["images"].update(epochs=0), "`images.epochs`"),
    "infinite rate": (lambda s: s["images"].update(learning_rate=float("inf")), "learning_rate"),
    "falling milestones": (lambda s: s["images"].update(milestones=[4, 2]), "have to increase"),
    "ratio of nothing": (
        lambda s: s["networks"]["densenet"].update(width_ratio="0"),
        "a positive ratio",
    ),
    "ratio that is none": (
        lambda s: s["networks"]["densenet"].update(width_ratio="a third"),
        "a positive ratio such as 1/4 or 1",
    ),
    "unknown network": (
        lambda s: s["networks"].update(width_ratios={"densenet_1": 1}),
        "`densenet_1` is not a network with a width ratio of its own",
    ),
    "unknown data set": (lambda s: s["datasets"].update(cifar10={"name": "svhn"}), "cifar10.name"),
    "a scale outside its folder": (lambda s: s.update(scale="../up"), "`scale`"),
    "a table outside its folder": (lambda s: s.update(tables=["../up"]), "`tables.0`"),
    "unknown device": (lambda s: s.update(device="tpu"), "`device`"),
    "true for a count": (lambda s: s["images"].update(epochs=True), "`images.epochs`"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_scale_is_one_line_with_file_and_key(name: str) -> None:
    change, message = WRONG[name]
    scale = read_yaml(ROOT / "config" / "digits.yaml")
    change(scale)
    with refused("mine.yaml: ", message):
        check_scale(scale, "mine.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seeds: [1", "not YAML on line 1"),
        ("- a\n- b\n", "a mapping `key: value` is expected"),
        ("", "a mapping `key: value` is expected, not null"),
        ("\x00", "not YAML"),
    ],
)
def test_a_file_that_is_no_mapping_is_named(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "scale.yaml"
    path.write_text(text, encoding="utf-8")
    with refused(str(path), message):
        read_yaml(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml: no such file"):
        read_yaml(tmp_path / "none.yaml")


def test_a_rate_without_a_dot_is_a_number() -> None:
    scale = read_yaml(ROOT / "config" / "digits.yaml")
    scale["images"].update(yaml.safe_load("weight_decay: 5e-4"))
    assert check_scale(scale, "x").images.weight_decay == 5e-4


def test_a_network_s_resources_replace_single_keys_of_the_default() -> None:
    table = {"default": {"threads": 4, "memory_mb": 9000}, "lstm": {"threads": 2}}
    digits = read_yaml(ROOT / "config" / "digits.yaml")
    scale = check_scale({**digits, "resources": table}, "mine.yaml")
    given = {name: scale.resources(name) for name in ("lstm", "densenet_90_60")}
    assert (given["lstm"].threads, given["lstm"].memory_mb) == (2, 9000)
    assert given["densenet_90_60"].threads == 4
    assert check_scale(scale.model_dump(mode="json"), "its own dump") == scale
    assert check_scale(digits, "digits.yaml").resources("lstm").memory_mb > 0


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"resnet": {"threads": 1}}, "`resources.resnet`: input should be 'default', "),
        ({"default": {"threads": 100_000}}, "`resources.default.threads`"),
        ({"lstm": {"gpu_slots": 0}}, "`resources.lstm.gpu_slots`"),
        ({"lstm": {"memory": 1}}, "unknown key `resources.lstm.memory`; did you mean `memory_mb`?"),
        ({"default": None}, "`resources.default`"),
        ([], "`resources`"),
    ],
)
def test_a_wrong_table_of_resources_is_one_line(table: object, message: str) -> None:
    config = {**read_yaml(ROOT / "config" / "digits.yaml"), "resources": table}
    with refused("mine.yaml", message):
        check_scale(config, "mine.yaml")
