"""Results of two small tables, trained once, and copies of them that can be damaged."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.plans import ROOT, tiny_plan

from replication.analysis.cells_csv import collect_cells
from replication.analysis.claims import build_claims
from replication.plan.plan import Plan
from replication.report.tables import build_table
from replication.runs.folder import RECORD
from replication.training.run import train

LABEL = "two_digit_numbers/wide_resnet_28_2.label.0"
BAN = f"{LABEL}/wide_resnet_28_2.ban.0"
KEYS: dict[str, Any] = {"tables": ["table3", "table6"], "seeds": [0, 1]}


def train_small_results(factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of two small tables, of images and of text; trained once."""
    folder = factory.getbasetemp() / "small_results"
    if not folder.exists():
        folder.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            plan = tiny_plan(**KEYS)
            for run in plan.runs.values():
                train(plan, run)
            for name in plan.tables:
                assert build_table(plan, name)[1] == []
            collect_cells(plan)
            build_claims(plan, ROOT / "tables")
    return folder


def copy_small_results(trained: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """The plan of a copy that can be damaged, which is the current directory."""
    shutil.copytree(trained / "results", folder / "results")
    monkeypatch.chdir(folder)
    return tiny_plan(**KEYS)


def change_record(folder: Path, **keys: Any) -> None:
    file = folder / RECORD
    record = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**record, **keys}), encoding="utf-8")
