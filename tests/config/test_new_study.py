"""A new study is valid as it is, has its own names, and replaces nothing."""

import shlex
from pathlib import Path

import pytest

from replication.config.new_study import create_study
from replication.config.paper_claims import read_claims
from replication.errors import InputError
from replication.plan.plan import Plan, read_scale
from replication.results.scale_file import write_scale


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


NAMES = ["2024", "no", "null", "1e3", "08", "true", "nan", "0x10", "1_000", "12-24", "y", "1e999"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_yaml_reads_as_something_else_stays_text(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    create_study(Path(name))
    plan = Plan.read([Path(name, "study.yaml")])
    assert plan.scale.scale == name
    assert plan.results == Path("results", name)
    (plan.results).mkdir(parents=True)
    write_scale(plan)
    assert read_scale(plan.results / "scale.json") == plan.scale


PATHS = [
    "a, b/study",
    "with blank/study",
    "it's/study",
    'say "no"/study',
    "#1/study",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_study_may_lie_in_a_folder_of_any_name(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    create_study(Path(path))
    plan = Plan.read([Path(path, "study.yaml")])
    assert plan.scale.datasets["images"].model_dump()["folder"] == f"{path}/images"
    assert plan.files == {"study": Path(path, "tables/study.yaml")}
    readme = Path(path, "README.md").read_text(encoding="utf-8")
    command = next(line for line in readme.splitlines() if line.startswith("snakemake"))
    assert f"{path}/study.yaml" in shlex.split(command, comments=True)


@pytest.mark.parametrize("name", ["fashion", "digits", "cifar", "paper", "fashion-gpu"])
def test_a_name_of_the_suites_scales_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"`{name}` is the name of the scale config/{name}.yaml"):
        create_study(tmp_path / name)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize(
    ("place", "says"), [("published", "the publication"), ("results", "the results")]
)
def test_a_name_with_results_is_refused(
    place: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / place / "pets").mkdir(parents=True)
    with pytest.raises(InputError, match=rf"the name of {says} {place}/pets.*choose another name"):
        create_study(Path("pets"))


@pytest.mark.parametrize("name", ["My Study", "..", "study.1"])
def test_a_name_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "Upper").mkdir()
    with pytest.raises(InputError, match=r"use only lower-case letters|already exists"):
        create_study(tmp_path / "Upper" / name)


def test_braces_which_are_wildcards_of_snakemake_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has braces, which Snakemake takes for wildcards"):
        create_study(tmp_path / "{a}" / "study")


def test_a_folder_with_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("keep")
    with pytest.raises(InputError, match="already exists; choose another name"):
        create_study(tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]
