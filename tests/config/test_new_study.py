"""A new study is valid as it is, has its own names, and replaces nothing."""

from pathlib import Path

import pytest

from replication.config.new_study import create_study
from replication.config.paper_claims import read_claims
from replication.errors import InputError
from replication.plan.plan import Plan


def test_a_new_study_is_planned_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("studies/my-study")
    written = create_study(folder)
    assert {str(file.relative_to(folder)) for file in written} == {
        *("README.md", "study.yaml", "claims.yaml", "losses.py", "tables/study.yaml"),
    }
    plan = Plan.read([folder / "study.yaml"])
    assert plan.scale.scale == "my-study"
    assert plan.results == Path("results/my-study")
    assert plan.files == {"study": folder / "tables/study.yaml"}
    assert plan.claims_file == folder / "claims.yaml"
    # Six networks a seed; the two ensembles are of those.
    assert len(plan.runs) == 6 * 3
    assert all(len(plan.recipe_hash(run)) == 16 for run in plan.runs.values())
    claims = read_claims(Path("tables"), plan.scale.study)
    assert list(claims.file.claims) == ["student-beats-teacher", "ensemble-beats-control"]
    text = "".join(file.read_text() for file in written)
    assert "STUDY" not in text
    assert "NAME" not in text


@pytest.mark.parametrize("name", ["My Study", "..", "study.1"])
def test_a_name_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "Upper").mkdir()
    with pytest.raises(InputError, match=r"name it in lower-case letters|exists already"):
        create_study(tmp_path / "Upper" / name)


def test_a_folder_with_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("keep")
    with pytest.raises(InputError, match="exists already; choose another name"):
        create_study(tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]
