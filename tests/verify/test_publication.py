"""`verify` names what does not follow in published results, also where checksums are renewed."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from support.plans import ROOT
from support.published_results import (
    change_lines,
    copy_published,
    publish_small_results,
    renew_checksums,
)
from support.small_results import BAN, LABEL

from replication.cli import run_command
from replication.errors import InputError
from replication.results.correctness import CellAndSeed, read_correctness, write_correctness
from replication.verify.verification import verify

PLACE = Path("published/tiny")


@pytest.fixture
def place(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The folder of a publication, which is a copy."""
    copy_published(publish_small_results(tmp_path_factory), tmp_path, monkeypatch)
    return PLACE


def set_value(file: str, query: str, column: str, value: object) -> Callable[[Path], None]:
    """Change a column in the first line that a query finds."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        (first, *_) = frame.query(query).index
        return frame.assign(
            **{column: frame[column].astype(object).mask(frame.index == first, value)}
        )

    return lambda place: change_lines(place / file, change)


def remove_seed(place: Path, seed: int = 1) -> None:
    """Leave out a seed wherever a number of it stands."""
    for name in ("cells.csv", "quality.csv.gz", "reliability.csv.gz"):
        change_lines(place / name, lambda lines: lines[lines["seed"] != seed])
    change_lines(place / "runs.csv", lambda lines: lines[lines["lineage_seed"] != seed])


def flip_items(place: Path, cell: CellAndSeed, remove: bool = False) -> None:
    """Have a cell get other items right, or leave it out."""
    correctness = read_correctness(place, "")
    bits = correctness.pop(cell)
    write_correctness(place, correctness if remove else {**correctness, cell: ~bits})


BAN_CELL_AND_SEED = ("treatments", "wide", "ban", 0)
BAN_CELL = "table == 'treatments' and row == 'wide' and column == 'ban' and seed == 0"
ENSEMBLE = "table == 'treatments' and column == 'ens*2' and seed == 0"
FORGED: dict[str, tuple[Callable[[Path], object], str]] = {
    "the cell of a run": (
        set_value("cells.csv", BAN_CELL, "value", 3.25),
        "cells.csv: treatments, wide, ban, 0: value is 3.25, not",
    ),
    "the cell of an ensemble": (
        set_value("cells.csv", ENSEMBLE, "value", 3.25),
        "cells.csv: treatments, wide, ens*2, 0, test error (%): value is 3.25, not",
    ),
    "the number of a run": (
        set_value("runs.csv", f"run == '{BAN}'", "error", 3.25),
        "treatments, wide, ban, 0: value is",
    ),
    "a run and its cell": (
        lambda place: (
            FORGED["the number of a run"][0](place),
            FORGED["the cell of a run"][0](place),
        ),
        "runs.csv: treatments, wide, ban, 0, test error (%): value is 3.25, not",
    ),
    "a mean in a table": (
        set_value("tables/treatments.csv", "column == 'ban'", "mean", 3.25),
        "treatments.csv: treatments, wide, ban: mean is 3.25, not",
    ),
    "a table as it is shown": (
        lambda place: (place / "tables/treatments.md").write_text("better"),
        "treatments.md: does not show",
    ),
    "a verdict": (
        set_value("claims.csv", "verdict == verdict", "verdict", "replicated"),
        "verdict is replicated, not",
    ),
    "the first page": (
        lambda place: (place / "README.md").write_text("All claims are replicated.\n"),
        "README.md: does not show what follows from its csv files",
    ),
    "the power of a claim": (
        set_value("claims_power.csv", "claim == claim", "n", 20),
        "claims_power.csv: ",
    ),
    "the errors of generation 0": (
        set_value("criteria.csv", "network == 'wide_resnet_28_2'", "test_error", 20.0),
        "criteria.csv: two_digit_numbers, wide_resnet_28_2: test_error is 20.0, not",
    ),
    "a likelihood": (
        set_value("quality.csv.gz", f"{BAN_CELL} and metric == 'nll'", "value", 0.1),
        "quality.csv.gz: treatments, wide, ban, 0, nll: value is 0.1, not",
    ),
    "a calibration error": (
        set_value("quality.csv.gz", f"{ENSEMBLE} and metric == 'ece'", "value", 0.1),
        "quality.csv.gz: treatments, wide, ens*2, 0, ece: value is 0.1, not",
    ),
    "an agreement in the table of quality": (
        set_value("tables/quality.csv", "metric == 'agreement'", "mean", 99.5),
        "mean is 99.5, not",
    ),
    "a removed seed": (
        remove_seed,
        "runs.csv: seed 1: 22 lines missing; the first is two_",
    ),
    "a removed line": (
        lambda place: change_lines(place / "cells.csv", lambda lines: lines.iloc[1:]),
        "cells.csv: seed 0: 1 line missing; the first is table3,",
    ),
    "a line listed twice": (
        lambda place: change_lines(
            place / "quality.csv.gz", lambda lines: lines.iloc[[0, *range(len(lines))]]
        ),
        "is listed twice",
    ),
    "a run of another seed": (
        lambda place: change_lines(
            place / "cells.csv",
            lambda lines: pd.concat([lines, lines[lines["seed"] == 1].assign(seed=7)]),
        ),
        "7: the scale has no such line",
    ),
    "a run of another recipe": (
        set_value("runs.csv", f"run == '{BAN}'", "recipe_hash", "0"),
        f"{BAN}: recipe_hash is 0, but the scale has",
    ),
    "a copied run": (
        lambda place: change_lines(
            place / "runs.csv",
            lambda lines: lines.assign(model_sha256=lines["model_sha256"].iloc[0]),
        ),
        "its model_sha256 is missing, or is that of another run",
    ),
    "items that a network gets right": (
        lambda place: flip_items(place, BAN_CELL_AND_SEED),
        "correct.safetensors: treatments, wide, ban, 0, test error (%): value is",
    ),
    "items of a cell left out": (
        lambda place: flip_items(place, BAN_CELL_AND_SEED, remove=True),
        "correct.safetensors: treatments, wide, ban, 0, test error (%): value is",
    ),
    "another teacher": (
        set_value("runs.csv", f"run == '{BAN}'", "teacher", f"{LABEL[:-1]}1"),
        f"{BAN}: its teacher is {LABEL[:-1]}1, but the scale has {LABEL}",
    ),
    "another generation 0": (
        set_value("runs.csv", f"run == '{BAN}'", "root_teacher", f"{LABEL[:-1]}1"),
        f"{BAN}: root_teacher is {LABEL[:-1]}1, but its lineage has {LABEL}",
    ),
    "a capacity in the criteria": (
        set_value("criteria.csv", "network == 'wide_resnet_28_2'", "ratio", 9.0),
        "criteria.csv: two_digit_numbers, wide_resnet_28_2: ratio is 9.0, not",
    ),
    "an interval over items": (
        set_value("claims_items.csv", "claim == claim", "items", 3),
        "claims_items.csv: ",
    ),
    "files that are not listed": (
        lambda place: (place / "better.csv").write_text("x\n"),
        "better.csv: ro-crate-metadata.json does not list it",
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forgery_with_renewed_checksums_is_named(
    name: str, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    forge, says = FORGED[name]
    forge(place)
    renew_checksums(place)
    assert run_command(["verify", str(place)]) == 1
    lines = capfd.readouterr().err.splitlines()
    starts = (f"wrong: {place}", f"error: {place}")
    assert any(line.startswith(starts) and says in line for line in lines), lines
    assert lines[-1].startswith(f"error: {place}")


def test_a_removed_seed_is_a_line_for_each_file(place: Path) -> None:
    remove_seed(place)
    renew_checksums(place)
    problems = verify(place).problems
    assert [line.split(": ")[:2] for line in problems] == [
        [str(place / name), "seed 1"] for name in ("runs.csv", "cells.csv", "quality.csv.gz")
    ]


FILES = ["figures/claims.svg", "notebooks/claims.ipynb", "tables/table3.tex", "scale.json"]


@pytest.mark.parametrize("name", FILES)
def test_a_changed_or_missing_file_is_named(name: str, place: Path) -> None:
    file = place / name
    file.write_bytes(file.read_bytes() + b"\n")
    assert f"{file}: is not the file that ro-crate-metadata.json lists" in verify(place).problems
    if name != "scale.json":
        file.unlink()
        assert (
            f"{file}: no such file, but ro-crate-metadata.json lists it" in verify(place).problems
        )


def test_an_honest_publication_passes_wherever_it_is(place: Path) -> None:
    shutil.move(place, "copied")
    findings = verify(Path("copied"))
    assert findings.problems == []
    assert (findings.runs, findings.tables) == (44, 3)


def test_there_are_no_networks_to_run(place: Path) -> None:
    with pytest.raises(InputError, match="published results have no networks; leave out --deep"):
        verify(place, deep=1)


@pytest.mark.parametrize("damage", [bytes(range(256)), b"a,b\n1,2\n"], ids=["binary", "other"])
@pytest.mark.parametrize(
    "name",
    ["runs.csv", "ro-crate-metadata.json", "cells.csv", "quality.csv.gz", "reliability.csv.gz"],
)
def test_a_damaged_file_that_others_follow_from_is_refused(
    name: str, damage: bytes, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (place / name).write_bytes(damage)
    assert run_command(["verify", str(place)]) == 1
    assert capfd.readouterr().err.startswith(f"error: {place / name}: ")


@pytest.mark.long
@pytest.mark.parametrize(
    ("scale", "seed", "table", "row", "verdict"),
    [
        ("digits", 11, "table2", "densenet-90-60", "replicated"),
        ("fashion", 1, "table5", "densenet-90-60", "replicated"),
        ("cifar", 1, "table3", "wide-resnet-28-2", "weaker"),
    ],
)
def test_published_results_pass_and_fail_once_changed(
    scale: str,
    seed: int,
    table: str,
    row: str,
    verdict: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of the repository: a changed cell, a changed verdict, and a removed seed."""
    monkeypatch.chdir(tmp_path)
    Path("tables").symlink_to(ROOT / "tables")
    published = ROOT / "published" / scale
    assert verify(published).problems == []
    ban = f"table == '{table}' and row == '{row}' and column == 'ban' and seed == {seed}"
    changes: dict[str, Callable[[Path], object]] = {
        f"cells.csv: {table}, {row}, ban, {seed}: value is 3.25, not": (
            set_value("cells.csv", ban, "value", 3.25)
        ),
        f"verdict is contradicted, not {verdict}": (
            set_value("claims.csv", f"verdict == '{verdict}'", "verdict", "contradicted")
        ),
        f"runs.csv: seed {seed}: ": partial(remove_seed, seed=seed),
    }
    for number, (says, change) in enumerate(changes.items()):
        shutil.copytree(published, place := Path(str(number), scale))
        change(place)
        renew_checksums(place)
        assert any(says in line for line in verify(place).problems), says
