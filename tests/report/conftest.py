"""Results of two small tables, and a copy for each test."""

from pathlib import Path

import pytest
from support.small_results import copy_small_results, train_small_results

from replication.plan.plan import Plan


@pytest.fixture(scope="session")
def small_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_small_results(tmp_path_factory)


@pytest.fixture
def small_plan(small_results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    return copy_small_results(small_results, tmp_path, monkeypatch)
