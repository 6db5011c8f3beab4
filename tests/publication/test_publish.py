"""`replication publish`: what is published, what is refused, and the same bytes again."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from support.checks import refused
from support.plans import ALL, tiny_plan
from support.project import contents
from support.small_results import BAN

from replication.cli import run_command
from replication.plan.plan import Plan
from replication.publication.publish import publish, sources
from replication.results.run_record import read_record
from replication.verify.verification import verify


def test_the_same_results_give_the_same_bytes_wherever_they_are(
    finished_plan: Plan, published: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "elsewhere" / "of another name"
    shutil.copytree(finished_plan.results, moved)
    folder, _ = publish(moved, tmp_path / "again")
    assert contents(folder) == contents(published)


def test_a_publication_has_the_frames_and_a_line_per_run_but_no_networks(published: Path) -> None:
    names = {name for name, content in contents(published).items() if content is not None}
    assert names >= {
        *("cells.csv", "quality.csv.gz", "reliability.csv.gz", "claims.csv", "claims_power.csv"),
        *("claims_items.csv", "criteria.csv", "criteria.html", "scale.json", "runs.csv"),
        "correct.safetensors",
        *(
            "tables/table3.tex",
            "tables/quality.csv",
            "figures/claims.svg",
            "notebooks/claims.ipynb",
        ),
        *("workflow/Snakefile", "ro-crate-metadata.json"),
    }
    networks = ("model.safetensors", "predictions.safetensors", ".log", ".json.part")
    assert not any(name.endswith(networks) for name in names)


def test_a_scale_with_all_tables_has_every_figure_and_the_frames_behind_them() -> None:
    names = sources(tiny_plan(tables=ALL)).keys()
    assert {"frames/learning_curves.csv", "figures/generations.svg", "tables/table6.md"} <= names
    assert len([name for name in names if name.startswith("figures/")]) == 12


def test_a_line_of_a_run_has_what_its_folder_has(published: Path) -> None:
    runs = pd.read_csv(published / "runs.csv").set_index("run")
    record = read_record(published.parents[1] / "results/tiny/runs" / BAN)
    line = runs.loc[BAN]
    assert line["error"] == record["result"]["test error (%)"]
    assert line["teacher"] == record["teacher"]["run"]
    assert line["commit"] == record["code"]["commit"]
    assert line["predictions_sha256"] == record["checksums"]["predictions.safetensors"]
    quality = pd.read_csv(published / "quality.csv.gz").query("run == @BAN and metric == 'nll'")
    assert line["nll"] == pytest.approx(quality["value"].iloc[0])
    assert 0 <= line["train_error"] <= 100
    words = runs[runs["dataset"] == "python_reference"]
    assert words[["validation_perplexity", "test_perplexity", "nll"]].notna().all(axis=None)


def test_publishing_again_replaces_a_publication_and_nothing_else(finished_plan: Plan) -> None:
    to = Path("published/tiny")
    assert run_command(["publish", str(finished_plan.results)]) == 0
    before = contents(to)
    (to / "stale.txt").write_text("x")
    assert run_command(["publish", str(finished_plan.results)]) == 0
    assert contents(to) == before
    (Path("thesis") / "chapter").mkdir(parents=True)
    Path("thesis.pdf").touch()
    for other in ("thesis", "thesis.pdf"):
        with refused(f"{other}: is neither an empty folder nor a publication", "with --to"):
            publish(finished_plan.results, Path(other))
    assert verify(to).problems == []


def test_a_folder_without_results_is_named(finished_plan: Plan) -> None:
    with refused("elsewhere: has no results", "name another folder"):
        publish(Path("elsewhere"))


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("criteria.html", "criteria.html: no such file; run snakemake"),
        ("notebooks/claims.ipynb", "claims.ipynb: not an executed notebook"),
        (f"runs/{BAN}/run.json", "inconsistencies; the first"),
        ("tables/table3.csv", "table3.csv: no such file; run snakemake"),
    ],
)
def test_results_that_are_not_whole_are_refused(finished_plan: Plan, file: str, says: str) -> None:
    (finished_plan.results / file).unlink()
    with refused(f"{finished_plan.results}", says):
        publish(finished_plan.results)
    assert not any(Path().glob("published/*"))
    assert not any(Path().glob("published/.*"))
