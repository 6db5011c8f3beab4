"""Likelihood, calibration and agreement of real small results, and the table of them."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax, logsumexp
from support.plans import tiny_plan
from support.project import truncate
from support.small_results import BAN, LABEL

from replication.analysis import measure
from replication.analysis.quality import measure_quality, reference_of, summarise_quality
from replication.config.paper_names import paper_name
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.report.layout import quality_layout
from replication.report.quality_table import build_quality
from replication.results.run_folder import PREDICTIONS
from replication.results.run_record import read_predictions

IMAGES = "metric == 'test error (%)'"
COLUMNS = "table,row,column,seed,metric,value,run"
THREE, FIVE = ["nll", "brier", "ece"], ["nll", "brier", "ece", "agreement", "kl"]


def test_a_run_is_compared_with_its_teacher_and_an_ensemble_with_generation_0() -> None:
    cells = {
        (cell.row, cell.column): cell.members[0]
        for cell in tiny_plan(tables=["table2"]).table_cells("table2")
    }
    teacher, student, ban_2 = (
        cells["densenet-90-60", name][0] for name in ("teacher", "ban-1", "ban-2")
    )
    assert reference_of([teacher]) is None
    assert reference_of([student]) == teacher
    assert reference_of([ban_2]) == student
    assert reference_of(cells["densenet-90-60", "ens*2"]) == teacher


def test_every_image_cell_has_its_metrics_and_no_language_cell_has(small_plan: Plan) -> None:
    quality = pd.read_csv(small_plan.results / "quality.csv.gz")
    assert ",".join(quality.columns) == COLUMNS
    cells = pd.read_csv(small_plan.results / "cells.csv").query(IMAGES)
    key = ["table", "row", "column", "seed"]
    measured = quality.groupby(key)["metric"].agg(list)
    assert set(measured.index) == set(cells.set_index(key).index)
    for (_, _, column, _), metrics in measured.items():  # type: ignore[misc]
        assert metrics == (THREE if column == "teacher" else FIVE)
    runs = quality.drop_duplicates(key).set_index(key)["run"]
    assert runs.to_dict() == cells.set_index(key)["run"].to_dict()


def test_numbers_are_those_of_the_saved_predictions(small_plan: Plan) -> None:
    quality = pd.read_csv(small_plan.results / "quality.csv.gz").query(
        "row == 'wide' and seed == 1"
    )
    for column in ("ban", "ens*2"):
        line = quality[quality["column"] == column].set_index("metric")
        members = [read_predictions(small_plan.results / "runs" / run_id)
                   for run_id in line["run"].iloc[0].split(";")]  # fmt: skip
        teacher = read_predictions(
            small_plan.results / "runs" / LABEL.replace("label.0", "label.1")
        )
        labels = teacher["labels"]
        each = log_softmax(
            np.stack([member["logits"] for member in members]).astype(float), axis=-1
        )
        own = logsumexp(each, axis=0, b=1 / len(each))
        teacher_log_probs = log_softmax(teacher["logits"].astype(float), axis=-1)
        assert len(members) == (2 if column == "ens*2" else 1)
        assert line["value"].to_dict() == pytest.approx(
            {
                "nll": -own[np.arange(len(labels)), labels].mean(),
                "brier": ((np.exp(own) - np.eye(100)[labels]) ** 2).sum(-1).mean(),
                "ece": line["value"]["ece"],
                "agreement": 100 * (own.argmax(-1) == teacher_log_probs.argmax(-1)).mean(),
                "kl": (np.exp(teacher_log_probs) * (teacher_log_probs - own)).sum(-1).mean(),
            }
        )


def test_bins_hold_every_item_and_give_the_calibration_error(small_plan: Plan) -> None:
    key = ["table", "row", "column", "seed"]
    bins = pd.read_csv(small_plan.results / "reliability.csv.gz")
    assert bins["bin"].between(1, 15).all()
    assert (bins["confidence"].between((bins["bin"] - 1) / 15, bins["bin"] / 15)).all()
    counts = bins.groupby(key)["count"].sum()
    assert (counts == 100).all()
    gaps = (bins["count"] * (bins["accuracy"] - bins["confidence"]).abs()).groupby(
        [bins[name] for name in key]
    )
    quality = pd.read_csv(small_plan.results / "quality.csv.gz").query("metric == 'ece'")
    pd.testing.assert_series_equal(
        # The bins are written with six digits.
        gaps.sum(),
        quality.set_index(key)["value"].sort_index(),
        check_names=False,
        atol=2e-4,
    )


def test_every_run_is_read_once(small_plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Counter[Path]()

    def counting(folder: Path) -> Any:
        read[folder] += 1
        return read_predictions(folder)

    monkeypatch.setattr(measure, "read_predictions", counting)
    measure_quality(small_plan)
    assert set(read.values()) == {1}


def test_differences_are_to_generation_0_of_the_same_seed_and_table_2_is_first() -> None:
    names = {"teacher": "first {}", "ban-2": "third {}"}
    runs = pd.DataFrame(
        {"run": ["first 0", "first 1", "third 0", "third 1"],
         "network": ["densenet_90_60"] * 4,
         "root_teacher": [None, None, "first 0", "first 1"]}
    ).set_index("run", drop=False)  # fmt: skip
    values = {("teacher", 0): 1.0, ("teacher", 1): 2.0, ("ban-2", 0): 1.5, ("ban-2", 1): 3.5}
    lines = [
        (table, "a", column, seed, metric, value, names[column].format(seed))
        for table in ("table1", "table2")
        for (column, seed), value in values.items()
        for metric in ("nll", *(["kl"] if column == "ban-2" else []))
    ]
    summary = summarise_quality(pd.DataFrame(lines, columns=COLUMNS.split(",")), runs)
    assert summary["table"].tolist() == ["table2"] * 3 + ["table1"] * 3
    rows = summary.set_index(["table", "column", "metric"])
    student = rows.loc[("table2", "ban-2", "nll")]
    assert (student["mean"], student["n"], student["delta_vs_teacher"]) == (2.5, 2, 1.0)
    # s = 1/√2 over two seeds: t · s / √2 = 12.706 · 0.5
    assert student["delta_ci_high"] == pytest.approx(1 + 6.353, abs=1e-3)
    assert np.isnan(rows.loc[("table2", "teacher", "nll"), "delta_vs_teacher"])
    assert np.isnan(rows.loc[("table2", "ban-2", "kl"), "delta_vs_teacher"])
    assert rows.loc[("table2", "ban-2", "kl"), "mean"] == 2.5


def test_the_table_has_a_row_per_cell_and_marks_intervals_that_exclude_zero() -> None:
    numbers = {"n": 3, "mean": 0.5, "ci_low": 0.4, "ci_high": 0.6, "delta_vs_teacher": -0.02}
    low = {**numbers, "delta_ci_low": -0.03, "delta_ci_high": -0.01}
    wide = {**numbers, "delta_ci_low": -0.05, "delta_ci_high": 0.01}
    frame = pd.DataFrame(
        [{"row": "a", "column": "ban", "metric": "nll", **low},
         {"row": "a", "column": "dkpp", "metric": "nll", **wide}]
    )  # fmt: skip
    table = quality_layout(frame)
    assert table.rows == ["a, ban", "a, dkpp"]
    cells = [table.cells[row, "NLL (nats)"] for row in table.rows]
    assert [(cell["ours"].value, cell["ours"].interval) for cell in cells] == [
        ("0.500", "± 0.100")
    ] * 2
    clear, unclear = (cell["ours − teacher"] for cell in cells)
    assert (clear.value, clear.interval, clear.bold) == ("−0.020", "[−0.030, −0.010]", True)
    assert (unclear.interval, unclear.bold) == ("[−0.050, +0.010]", False)


def test_the_table_is_written_in_four_formats(small_plan: Plan) -> None:
    cells = pd.read_csv(small_plan.results / "cells.csv").query(IMAGES)
    rows = (cells["row"] + ", " + cells["column"]).unique()
    for ending in ("md", "html", "tex"):
        text = (small_plan.results / f"tables/quality.{ending}").read_text(encoding="utf-8")
        assert all(paper_name(row).split("*")[0] in text for row in rows)
        assert "Predictions of Table 3" in text
        assert "perplexity" not in text
    tidy = pd.read_csv(small_plan.results / "tables/quality.csv")
    assert (tidy["n"] == 2).all()


def test_a_scale_without_image_cells_has_an_empty_table(small_plan: Plan) -> None:
    file = small_plan.results / "cells.csv"
    pd.read_csv(file).query("table == 'table6'").to_csv(file, index=False)
    build_quality(small_plan)
    assert len(pd.read_csv(small_plan.results / "quality.csv.gz")) == 0
    assert len(pd.read_csv(small_plan.results / "tables/quality.csv")) == 0


DAMAGE: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "predictions missing": (
        lambda r: (r / "runs" / BAN / PREDICTIONS).unlink(),
        (f"{BAN}/{PREDICTIONS}: no such file", "run snakemake"),
    ),
    "predictions truncated": (
        lambda r: truncate(r / "runs" / BAN / PREDICTIONS),
        (f"{BAN}/{PREDICTIONS}: damaged", "delete it"),
    ),
    "no cells": (
        lambda r: (r / "cells.csv").unlink(),
        ("cells.csv: no such file", "running snakemake"),
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_missing_or_damaged_is_one_line(name: str, small_plan: Plan) -> None:
    damage, says = DAMAGE[name]
    damage(small_plan.results)
    with pytest.raises(InputError) as caught:
        build_quality(small_plan)
    assert str(caught.value).isprintable()
    assert all(part in str(caught.value) for part in says), caught.value
