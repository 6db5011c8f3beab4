"""One complete build by Snakemake at a tiny scale: tables, cells, claims, notebooks."""

import nbformat
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file
from support.plans import ALL, BUILT, ROOT, WITH_TWO_SEEDS, tiny_plan
from support.workplace import Workplace

from replication.ensemble import average
from replication.report.notebook_catalogue import NOTEBOOKS

TABLES = [f"table{number}" for number in range(1, 7)]
CONTRACT = (
    "table,row,column,metric,reported,mean,std,ci_low,ci_high,n,delta_vs_teacher,delta_ci_low,"
    "delta_ci_high,p_value,spread,params,params_reported,verdict,agrees"
)


def test_every_run_is_trained(built: Workplace) -> None:
    records = list((built.folder / "results/tiny/runs").rglob("run.json"))
    assert len(records) == len(tiny_plan(**BUILT).runs)


def test_every_data_set_is_prepared_once(built: Workplace) -> None:
    prepared = {file.stem for file in (built.folder / "results/tiny/data").glob("*.json")}
    assert prepared == {"digits", "two_digit_numbers", "python_reference"}


def test_every_table_is_written_in_four_formats(built: Workplace) -> None:
    folder = built.folder / "results/tiny/tables"
    written = {path.name for path in folder.iterdir() if path.suffix != ".log"}
    assert written == {
        f"{t}.{end}" for t in [*ALL, "quality"] for end in ("csv", "md", "html", "tex")
    }


@pytest.mark.parametrize("name", TABLES)
def test_the_csv_has_the_contracts_line_for_every_printed_cell(built: Workplace, name: str) -> None:
    file = built.folder / f"results/tiny/tables/{name}.csv"
    assert file.read_text(encoding="utf-8").splitlines()[0] == CONTRACT
    frame = pd.read_csv(file)
    printed = yaml.safe_load((ROOT / "tests/reported.yaml").read_text(encoding="utf-8"))[name]
    cells = sum(row[c] is not None for row in printed["rows"].values() for c in printed["columns"])
    # The teacher and its student are in Table 2; the others are what the paper says in words.
    cells += 2 * (name == "table5")
    assert frame["reported"].notna().sum() == cells
    assert len(frame) - cells == {"table5": 1, "table6": 4}.get(name, 0)
    assert (frame["n"] == (2 if name in WITH_TWO_SEEDS else 1)).all()
    students = frame["delta_vs_teacher"].notna()
    assert set(frame["verdict"][students]) <= {"better", "worse", "undecided"}
    assert frame["verdict"][~students].isna().all()


def test_a_cells_number_is_the_mean_over_its_seeds(built: Workplace) -> None:
    cells = pd.read_csv(built.folder / "results/tiny/cells.csv")
    assert list(cells.columns) == ["table", "row", "column", "seed", "metric", "value", "run"]
    means = cells.groupby(["table", "row", "column"])["value"].mean()
    for name in TABLES:
        frame = pd.read_csv(built.folder / f"results/tiny/tables/{name}.csv")
        for line in frame.itertuples():
            assert line.mean == pytest.approx(means[line.table, line.row, line.column])


def test_a_contrast_is_the_weighted_sum_of_its_cells(built: Workplace) -> None:
    frame = pd.read_csv(built.folder / "results/tiny/tables/sensitivity.csv")
    means = frame.set_index(["row", "column"])["mean"]
    rows = frame.loc[frame["column"] == "effect on gain", "row"]
    assert len(rows) == 8
    for row in rows:
        student = means[row, "student taken"] - means[row, "student other"]
        teacher = means[row, "teacher taken"] - means[row, "teacher other"]
        assert means[row, "effect on gain"] == pytest.approx(student - teacher)


def test_an_ensemble_is_measured_from_its_members_predictions(built: Workplace) -> None:
    cells = pd.read_csv(built.folder / "results/tiny/cells.csv").query("column == 'ens*3'")
    for cell in cells.itertuples():
        members = str(cell.run).split(";")
        generations = [member.count("/") - 1 for member in members]
        assert generations == ([0, 1, 2] if cell.row == "densenet-80-120" else [1, 2, 3])
        files = [
            built.folder / "results/tiny/runs" / m / "predictions.safetensors" for m in members
        ]
        predictions = [load_file(file) for file in files]
        mean = average(torch.stack([f["logits"] for f in predictions]).double())
        wrong = 100 * (mean.argmax(-1) != predictions[0]["labels"]).double().mean().item()
        assert cell.value == pytest.approx(wrong)


def test_notebooks_leave_executed_copies_pages_and_figures(built: Workplace) -> None:
    results = built.folder / "results/tiny"
    for name, notebook in NOTEBOOKS.items():
        executed = nbformat.read(results / f"notebooks/{name}.ipynb", as_version=4)
        code = [cell for cell in executed.cells if cell.cell_type == "code"]
        assert all(cell.execution_count for cell in code)
        assert (results / f"notebooks/{name}.html").stat().st_size > 10_000
        for figure in notebook.figures:
            assert (results / f"figures/{figure}.png").stat().st_size > 5_000
            assert (results / f"figures/{figure}.svg").stat().st_size > 5_000


def test_a_second_call_does_nothing(built: Workplace) -> None:
    assert built.jobs() == {}
