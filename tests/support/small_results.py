"""Results of two small tables, trained once per module, and copies of them that can be damaged."""

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


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of two small tables, of images and of text."""
    folder = tmp_path_factory.mktemp("whole")
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


@pytest.fixture
def plan(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """The plan of a copy that can be damaged."""
    shutil.copytree(whole / "results", tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    return tiny_plan(**KEYS)


def change_record(folder: Path, **keys: Any) -> None:
    file = folder / RECORD
    record = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**record, **keys}), encoding="utf-8")
