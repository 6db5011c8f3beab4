"""No reader takes the id of a run apart: with random ids every output is the same."""

import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from support import synthetic_results
from support.plans import ROOT

from replication.analysis.claims import claims_of
from replication.analysis.compare import compare
from replication.analysis.contrasts import CellValues
from replication.analysis.criteria import derive_criteria, measure_criteria
from replication.analysis.quality import summarise_quality
from replication.analysis.table_statistics import table_statistics
from replication.plan.plan import Plan
from replication.report import calibration, figures
from replication.report.comparison import describe_comparison
from replication.report.opened_results import Results
from replication.report.plotting import draw
from replication.report.quality_table import quality_tables
from replication.report.table_files import render_table
from replication.results.csv_files import (
    join_members,
    read_cells,
    read_csv_file,
    read_runs,
    split_members,
    write_csv_file,
)

SEEDS = 2
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789./-_"
"""Of random ids: also the characters that separate the parts of a real one."""


def replace_ids(folder: Path) -> None:
    """Give every run a random id, the same in all csv files of a folder of results."""
    generator = random.Random(0)
    runs = read_runs(folder)
    new = {run: "".join(generator.choices(ALPHABET, k=20)) for run in runs.index}
    tables = sorted(file.name.split(".")[0] for file in folder.glob("cells/*.runs.csv"))
    for name, table in [("runs", None), *(("table_runs", table) for table in tables)]:
        frame = read_csv_file(folder, name, table=table)
        columns = ["run", "teacher", "root_teacher"]
        write_csv_file(folder, name, frame.assign(**{c: frame[c].map(new) for c in columns}), table)
    with_members = [("cells", None), ("quality", None), *(("table_cells", name) for name in tables)]
    for name, table in with_members:
        frame = read_csv_file(folder, name, table=table)
        renamed = frame["run"].map(
            lambda run: join_members(new[member] for member in split_members(run))
        )
        write_csv_file(folder, name, frame.assign(run=renamed), table)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same results twice, the second time with random ids."""
    root = tmp_path_factory.mktemp("results")
    named = synthetic_results.write(root / "named", seeds=SEEDS)
    renamed = root / "renamed"
    shutil.copytree(named, renamed, ignore=shutil.ignore_patterns("runs"))
    replace_ids(renamed)
    return named, renamed


def plan_in(folder: Path) -> Plan:
    return replace(synthetic_results.plan_of(SEEDS), results=folder)


def tables(folder: Path) -> str:
    plan, texts = plan_in(folder), []
    for name in plan.tables:
        cells = read_csv_file(folder, "table_cells", table=name)
        runs = read_csv_file(folder, "table_runs", table=name).set_index("run", drop=False)
        frame = table_statistics(plan, name, cells, runs)
        texts += [frame.to_csv(), *render_table(plan, name, frame).values()]
    return "\n".join(texts)


def summary_of_quality(folder: Path) -> str:
    quality, runs = read_csv_file(folder, "quality"), read_runs(folder)
    files = quality_tables(plan_in(folder), quality, runs)
    return summarise_quality(quality, runs).to_csv() + "\n".join(files.values())


def claims(folder: Path) -> str:
    return "\n".join(
        frame.to_csv(index=False) for frame in claims_of(plan_in(folder), ROOT / "tables")
    )


def contrasts(folder: Path) -> str:
    """Of each student and its teacher in Table 2: values, independent parts, and references."""
    cells = read_cells(folder)
    values = CellValues(cells[cells["table"] == "table2"], read_runs(folder))
    contrast = {
        ("table2", row, column): weight
        for row in ("densenet-90-60", "densenet-80-80")
        for column, weight in (("ban", 0.5), ("teacher", -0.5))
    }
    return repr((values.strata(contrast), values.reference_sizes(contrast)))


def figures_of_differences(folder: Path) -> str:
    results = Results(folder)
    cells, runs = results.cells(), results.runs()
    table_2 = "table == 'table2'"
    drawn = [
        figures.treatments(results.table("table2"), cells, runs),
        figures.agreement_with_paper(results.tables(), cells, runs),
        calibration.quality_differences(
            results.quality_table().query(table_2), results.quality().query(table_2), runs
        ),
    ]
    return "\n".join(draw(figure, "svg").decode() for figure in drawn)


def comparison(folder: Path) -> str:
    """With the results under their real ids."""
    published = folder.with_name("named")
    compared = compare(folder, published)
    text = describe_comparison(Path("own"), Path("published"), compared)
    return compared.numbers.to_csv() + compared.columns.to_csv() + text


def criteria(folder: Path) -> str:
    """Measured without any run, and derived from ``runs.csv``, which has the errors."""
    plan = plan_in(folder)
    measured = measure_criteria(plan)
    derived = derive_criteria(plan, read_runs(folder), measured)
    assert derived["seeds"].gt(0).any()
    return measured.to_csv() + derived.to_csv()


READERS: dict[str, Callable[[Path], str]] = {
    reader.__name__: reader
    for reader in (
        tables,
        summary_of_quality,
        claims,
        contrasts,
        figures_of_differences,
        comparison,
        criteria,
    )
}


@pytest.mark.parametrize("name", READERS)
def test_a_reader_gives_the_same_with_random_ids(name: str, folders: tuple[Path, Path]) -> None:
    named, renamed = folders
    expected = READERS[name](named)
    assert READERS[name](renamed) == expected
    assert len(expected) > 100


def test_the_ids_are_random(folders: tuple[Path, Path]) -> None:
    real, other = (set(read_runs(folder).index) for folder in folders)
    assert not real & other
    frames: list[pd.DataFrame] = [read_cells(folder) for folder in folders]
    assert (frames[0]["value"] == frames[1]["value"]).all()
    assert not (frames[0]["run"] == frames[1]["run"]).any()
