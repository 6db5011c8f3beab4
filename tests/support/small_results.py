"""Results of two small tables, trained once, and copies of them that can be damaged."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.plans import ROOT, tiny_plan

from replication.analysis.claims import build_claims
from replication.analysis.collect import collect
from replication.plan.plan import Plan
from replication.report.quality_table import build_quality
from replication.report.table_files import build_table
from replication.results.run_folder import RECORD
from replication.results.scale_file import write_scale
from replication.training.train_run import train

LABEL = "two_digit_numbers/wide_resnet_28_2.label.0"
BAN = f"{LABEL}/wide_resnet_28_2.ban.0"
# Treatments, an ensemble, and a student that shares its teacher's ends.
TREATMENTS: dict[str, Any] = {
    "title": "Treatments of two small networks",
    "dataset": "cifar100",
    "columns": {
        "teacher": {"objective": "label"},
        "ban": {"objective": "ban", "teacher": "teacher"},
        "ban+l": {"objective": "ban+l", "teacher": "teacher"},
        "cwtm": {"objective": "cwtm", "teacher": "teacher"},
        "ens*2": {"ensemble": ["ban", "ban+l"]},
    },
    "rows": {
        "wide": {"network": "wide_resnet_28_2"},
        "residual": {
            "network": "wide_resnet_as_dense_1_100",
            "cells": {
                "teacher": {"objective": "label", "network": "densenet_90_60"},
                "ban": {"objective": "ban", "teacher": "teacher", "share_ends": True},
                **dict.fromkeys(["ban+l", "cwtm", "ens*2"]),
            },
        },
    },
}

MEASURED_FAMILIES = {"densenet-students-beat-wide-resnet-teachers", "language-models"}
"""Those of the paper's claims that the small results are about; others cost time at each check."""


def small_plan_of(**keys: Any) -> Plan:
    """The plan of the small results, with these keys of the scale changed."""
    scale = tiny_plan(tables=["table3", "table6"], **{"seeds": [0, 1], **keys}).scale
    tables = (*scale.tables, "treatments")
    return Plan.make(scale.model_copy(update={"tables": tables}), Path("tables"))


def train_small_results(factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of three small tables, of images and of text; trained once."""
    folder = factory.getbasetemp() / "small_results"
    if not folder.exists():
        shutil.copytree(ROOT / "tables", folder / "tables")
        _write(folder / "tables/treatments.yaml", TREATMENTS)
        claims = yaml.safe_load((folder / "tables/claims.yaml").read_text(encoding="utf-8"))
        measured = {
            name: claim
            for name, claim in claims["claims"].items()
            if {name, claim.get("family")} & MEASURED_FAMILIES
        }
        _write(folder / "tables/claims.yaml", {**claims, "claims": measured})
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            plan = small_plan_of()
            for run in plan.runs.values():
                train(plan, run)
            build_small_results(plan)
    return folder


def _write(file: Path, content: dict[str, Any]) -> None:
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def build_small_results(plan: Plan) -> None:
    """Build everything from the runs but criteria, figures and notebooks."""
    for name in plan.tables:
        build_table(plan, name)
    write_scale(plan)
    collect(plan)
    build_quality(plan)
    build_claims(plan)


def copy_small_results(trained: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """The plan of a copy that can be damaged, which is the current directory."""
    for name in ("results", "tables"):
        shutil.copytree(trained / name, folder / name)
    monkeypatch.chdir(folder)
    return small_plan_of()


def change_record(folder: Path, **keys: Any) -> None:
    file = folder / RECORD
    record = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**record, **keys}), encoding="utf-8")
