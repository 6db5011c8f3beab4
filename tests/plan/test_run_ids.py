"""The id of a run is a legal path of its own for every network, objective and argument."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import timm
import yaml
from hypothesis import given
from hypothesis import strategies as st
from support.checks import refused
from support.plans import ROOT

from replication.architectures.catalogue import NETWORKS
from replication.config.paper_tables import read_table
from replication.config.scale import check_scale, read_config
from replication.objectives import OBJECTIVES
from replication.plan.plan import Plan
from replication.plan.run import LONGEST_TAG, network_tag, objective_tag

TIMM_NAMES = sorted({*timm.list_models(), *timm.list_pretrained()})
LEGAL = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=")


def plan_of(folder: Path, rows: dict[str, Any], columns: dict[str, Any] | None = None) -> Plan:
    table = {
        "title": "Networks",
        "dataset": "cifar10",
        "columns": columns or {"label": {"objective": "label"}},
        "rows": rows,
    }
    (folder / "own.yaml").write_text(yaml.safe_dump(table, sort_keys=False), encoding="utf-8")
    config = read_config([ROOT / "config/digits.yaml"])
    return Plan.make(check_scale({**config, "tables": ["own"], "seeds": [0]}, "test"), folder)


def test_every_network_of_timm_has_a_legal_folder_of_its_own() -> None:
    names = [*NETWORKS, *(f"timm:{name}" for name in TIMM_NAMES)]
    assert len(TIMM_NAMES) > 1000
    assert any("." in name for name in TIMM_NAMES)
    tags = [network_tag(name) for name in names]
    # Some file systems do not tell capital letters from small ones.
    assert len({tag.lower() for tag in tags}) == len(names)
    assert all(set(tag) <= LEGAL and len(tag) <= LONGEST_TAG for tag in tags)


def test_a_plan_of_pretrained_names_has_a_run_for_each(tmp_path: Path) -> None:
    names = [f"timm:{name}" for name in TIMM_NAMES]
    plan = plan_of(tmp_path, {name: {"network": name} for name in names})
    assert sorted(run.network for run in plan.runs.values()) == sorted(names)
    for run_id in plan.runs:
        dataset, folder = run_id.split("/")
        assert dataset == "digits"
        assert folder.count(".") == 2
    assert "digits/timm-resnet18-a1_in1k.label.0" in plan.runs


@given(st.lists(st.text(min_size=1), min_size=2, max_size=2, unique=True))
def test_no_two_names_share_a_folder(names: list[str]) -> None:
    tags = [network_tag(f"timm:{name}") for name in names]
    assert tags[0] != tags[1]
    assert all(set(tag) <= LEGAL and len(tag) <= LONGEST_TAG for tag in tags)


@pytest.mark.parametrize("name", ["hf-hub:timm/resnet18.a1_in1k", "local-dir:../" + "long/" * 99])
def test_a_network_that_is_a_path_stays_within_its_folder(name: str, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, {"own": {"network": f"timm:{name}"}})
    (run,) = plan.runs.values()
    folder = plan.folder(run)
    assert folder.parent == plan.results / "runs/digits"
    assert len(folder.name) < 200


def test_ids_of_the_papers_networks_are_their_names() -> None:
    assert all(network_tag(name) == name for name in NETWORKS)
    assert all(objective_tag(name, {}) == name for name in OBJECTIVES)


def test_rows_that_differ_in_arguments_alone_are_two_runs(tmp_path: Path) -> None:
    rows = {
        f"patches of {size}": {"network": "timm:test_vit", "arguments": {"patch_size": size}}
        for size in (2, 4)
    }
    plan = plan_of(tmp_path, rows)
    assert len(plan.runs) == 2
    patch_sizes = {json.loads(run.arguments)["patch_size"] for run in plan.runs.values()}
    assert patch_sizes == {2, 4}


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_no_two_parameters_share_a_folder(first: float, second: float) -> None:
    tags = [objective_tag("kd", {"alpha": value}) for value in (first, second)]
    assert (tags[0] == tags[1]) == (repr(first) == repr(second))


def test_parameters_are_written_as_a_person_writes_them() -> None:
    assert objective_tag("kd", {"temperature": 4.0, "alpha": 0.9}) == "kd-alpha-0_9-temperature-4"
    assert objective_tag("kd", {"alpha": 0.12345678}) == "kd-alpha-0_12345678"


def test_modules_of_a_package_are_told_apart() -> None:
    names = ["package.losses:match", "package_losses:match", "losses:match"]
    assert len({objective_tag(name, {}) for name in names}) == len(names)


def test_a_parameter_that_no_function_can_have_is_refused(tmp_path: Path) -> None:
    table = yaml.safe_load((ROOT / "tables/table1.yaml").read_text(encoding="utf-8"))
    table["columns"]["ban"]["objective"] = {"name": "losses:match", "../up": 1}
    path = tmp_path / "table1.yaml"
    path.write_text(yaml.safe_dump(table), encoding="utf-8")
    with refused(str(path), "`../up` cannot be the name of a parameter"):
        read_table("table1", tmp_path)


STEP = re.compile(r"^(?:    )?rule (\w+):", re.M)


def test_a_table_may_not_have_the_name_of_a_step_of_the_workflow(tmp_path: Path) -> None:
    files = [ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")]
    steps = {name for file in files for name in STEP.findall(file.read_text(encoding="utf-8"))}
    assert {"train", "all"} <= steps
    for name in sorted(steps | {"notebook_claims"}):
        table = {
            "title": "Own",
            "dataset": "cifar10",
            "columns": {"label": {"objective": "label"}},
            "rows": {"wide": {"network": "wide_resnet_28_1"}},
        }
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(table), encoding="utf-8")
        config = read_config([ROOT / "config/digits.yaml"])
        scale = check_scale({**config, "tables": [name], "seeds": [0]}, "test")
        file = tmp_path / f"{name}.yaml"
        with refused(f"{file}: `{name}` is the name of a step", "rename the table"):
            Plan.make(scale, tmp_path)
