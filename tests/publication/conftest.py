"""Small results, finished but not published, and a copy for each test."""

from pathlib import Path

import pytest
from support.published_results import finished_copy, publish_small_results
from support.small_results import train_small_results

from replication.plan.plan import Plan


@pytest.fixture
def finished_plan(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Plan:
    return finished_copy(train_small_results(tmp_path_factory), tmp_path, monkeypatch)


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published folder; not to be changed."""
    return publish_small_results(tmp_path_factory) / "published/tiny"
