"""Figures are drawn from synthetic results, with the same bytes every time."""

import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image
from support import synthetic_results
from support.plans import ROOT

from replication.report import calibration, claims_page, dark_knowledge, figures
from replication.report.claim_figure import claim_figure
from replication.report.notebook_catalogue import NOTEBOOKS
from replication.report.opened_results import Results
from replication.report.plotting import CUT_OFF, canvas, draw, estimates, limits, save
from replication.report.published_results import Publications

CONTROLLED = {
    "ban-all": ["ban-beats-twice-the-epochs"],
    "ensemble-of-two-beats-last": ["ensemble-of-three-beats-label-ensemble"],
    "sequence-improves": [],
}
"""Primary claims with controls whose names are short, long and missing in their figures."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return Results(synthetic_results.write(tmp_path_factory.mktemp("results") / "digits"))


COMPARED_WITH_TEACHERS = {
    "generations": figures.generations,
    "treatments": figures.treatments,
    "agreement": figures.agreement_with_paper,
}


def _draw(name: str, results: Results) -> Figure:
    if name in NOTEBOOKS["figures"].figures:
        frame = (
            results.table("table2") if name in ("generations", "treatments") else results.tables()
        )
        if name in COMPARED_WITH_TEACHERS:
            return COMPARED_WITH_TEACHERS[name](frame, results.cells(), results.runs())
        of_table: Callable[[pd.DataFrame, pd.DataFrame], Figure] = getattr(figures, name)
        return of_table(frame, results.cells())
    if name == "reliability":
        shown = "table == 'table2' and row == 'densenet-90-60'"
        return calibration.reliability(
            results.reliability().query(shown), results.quality_table().query(shown)
        )
    if name == "quality_differences":
        frames = (results.quality_table(), results.quality())
        of_table_2 = [frame.query("table == 'table2'") for frame in frames]
        return calibration.quality_differences(*of_table_2, results.runs())
    if name == "claims":
        return claims_page.forest(results.claims(), results.claims_power())
    if name == "confidence_weights":
        return dark_knowledge.confidence_weights(results.confidence_weights())
    if name == "similarity_structure":
        return dark_knowledge.similarity_structure(results.class_similarity())
    shares = {
        "gradient_shares": dark_knowledge.gradient_shares,
        "gradient_cosine": dark_knowledge.gradient_cosine,
    }
    return shares[name](results.learning_curves())


@pytest.fixture(params=[name for notebook in NOTEBOOKS.values() for name in notebook.figures])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def drawn(results: Results) -> Callable[[str], Figure]:
    """Draws a figure by its name, once."""
    return cache(lambda name: _draw(name, results))


def test_the_same_results_give_the_same_svg_and_png(
    name: str, results: Results, drawn: Callable[[str], Figure], tmp_path: Path
) -> None:
    save(drawn(name), tmp_path / "one", name)
    save(_draw(name, results), tmp_path / "two", name)
    with Image.open(tmp_path / "one" / f"{name}.png") as image:
        assert image.width == 1440
    for file in (f"{name}.png", f"{name}.svg"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_an_svg_keeps_the_digits_of_its_texts() -> None:
    """Only the numbers of its shapes lose theirs."""
    figure, grid = canvas(1, 1, 2)
    grid[0, 0].set_xticks([0.005, 0.01], ["0.005", "0.01"])
    svg = draw(figure, "svg").decode()
    assert ">0.005<" in svg
    assert not re.search(r'="[^"]*\d\.\d{3}', svg)


def test_the_label_of_a_claims_figure_is_inside_of_it() -> None:
    publications = Publications(ROOT / "published")
    for name, controls in CONTROLLED.items():
        figure = claim_figure(publications, name, controls)
        figure.draw_without_rendering()
        label = figure.axes[0].xaxis.label.get_window_extent()
        assert 0 <= label.x0 < label.x1 <= figure.bbox.width


def test_every_axis_says_what_it_shows(name: str, drawn: Callable[[str], Figure]) -> None:
    axes = drawn(name).axes
    assert any(one.get_xlabel() for one in axes)
    rows = [label.get_text()[:1].isalpha() for one in axes for label in one.get_yticklabels()]
    assert any(rows) or any(one.get_ylabel() for one in axes)


@pytest.mark.long
def test_one_seed_is_drawn_without_interval(tmp_path: Path) -> None:
    results = Results(synthetic_results.write(tmp_path / "digits", seeds=1))
    for name in (name for notebook in NOTEBOOKS.values() for name in notebook.figures):
        _draw(name, results).draw_without_rendering()


def test_differences_are_paired_with_the_teacher_of_the_same_seed(results: Results) -> None:
    cells = results.cells()
    ours, seeds = figures.differences(results.tables(), cells, results.runs())
    keys = ["table", "row", "column"]
    by_seed = seeds.groupby(keys)["value"].mean()
    expected = ours.set_index(keys)["delta_vs_teacher"].sort_index()
    pd.testing.assert_series_equal(by_seed, expected, check_names=False)
    assert len(ours) == results.tables()["verdict"].notna().sum()


@pytest.mark.parametrize(
    ("table", "row", "column", "difference"),
    [
        ("table1", "densenet-80-120", "ban", 3.54 - 3.37),
        ("table2", "densenet-80-80", "ens*3", 15.14 - 17.16),
        ("table3", "wide-resnet-28-2", "densenet-90-60 student", 18.49 - 25.32),
        ("table4", "0.5*compr", "error", 19.83 - 17.69),
        ("table5", "ban-wide-resnet-4-1", "ban", 17.18 - 17.69),
        ("table6", "lstm", "ban+l test", 68.56 - 71.87),
    ],
)
def test_reported_differences_are_to_the_cell_that_teaches(
    results: Results, table: str, row: str, column: str, difference: float
) -> None:
    ours, _ = figures.differences(results.tables(), results.cells(), results.runs())
    reported = ours.set_index(["table", "row", "column"])["reported"]
    assert reported[table, row, column] == pytest.approx(difference)


def test_differences_of_generations_stand_relative_to_the_teachers_error(results: Results) -> None:
    frame = results.table("table2")
    axes = figures.generations(frame, results.cells(), results.runs()).axes[0]
    network = frame.set_index(["row", "column"]).loc["densenet-112-33"]
    (drawn,) = (line.get_ydata() for line in axes.lines if line.get_marker() == "o")
    of_generations = network["delta_vs_teacher"][["ban-1", "ban-2", "ban-3"]]
    assert list(drawn) == pytest.approx(list(100 * of_generations / network["mean"]["teacher"]))


@pytest.mark.parametrize(("half_width", "drawn"), [(0.2, (9.8, 10.2)), (50.0, (9.4, 11.6))])
def test_an_interval_leaves_room_for_the_seeds_and_ends_in_an_arrowhead_where_it_is_cut(
    half_width: float, drawn: tuple[float, float]
) -> None:
    cell = {"table": "table1", "row": "a", "column": "ban"}
    cells = pd.DataFrame([{**cell, "value": value} for value in (10.0, 11.0)])
    low, high = 10 - half_width, 10 + half_width
    frame = pd.DataFrame([{**cell, "x": 1, "mean": 10.0, "ci_low": low, "ci_high": high}])
    axes = Figure().subplots()
    estimates(axes, frame, cells, "black", limits(frame, cells))
    assert axes.collections[0].get_segments()[0][:, 1] == pytest.approx(drawn)
    tips = [one.get_offsets()[0, 1] for one in axes.collections if one.get_label() == CUT_OFF]
    assert tips == (list(axes.get_ylim()) if half_width > 1 else [])
    assert axes.get_ylim()[0] < 9.9
    assert axes.get_ylim()[1] > 11


def test_a_diagram_pools_the_items_of_all_seeds_and_leaves_nearly_empty_bins_out() -> None:
    bins = pd.DataFrame(
        [(0, 14, 10, 0.9, 1.0), (1, 14, 30, 0.92, 0.8), (0, 3, 4, 0.2, 0.0), (1, 3, 5, 0.2, 1.0)],
        columns=["seed", "bin", "count", "confidence", "accuracy"],
    ).assign(column="ban")
    pooled = calibration._pooled(bins)
    assert pooled.index.tolist() == [14]
    # (10 · 0.9 + 30 · 0.92) / 40, (10 · 1 + 30 · 0.8) / 40, 40 / 49
    assert pooled.loc[14].tolist() == pytest.approx([0.915, 0.85, 40 / 49])


def test_no_error_is_drawn_below_zero(results: Results) -> None:
    frame = results.tables().assign(ci_low=-5.0)
    for axes in figures.sweeps(frame, results.cells()).axes[:4]:
        assert axes.get_ylim()[0] >= 0


def test_drawing_and_rendering_import_no_torch() -> None:
    modules = "calibration, figures, dark_knowledge, claims_page, rendering, opened_results"
    code = f"import sys; from replication.report import {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_lines_over_sizes_do_not_double_back(results: Results) -> None:
    frame = results.tables()
    # At a small scale the order of sizes can differ from the paper's, which is that of the rows.
    frame.loc[frame["row"] == "densenet-112-33", "params"] = 30.0
    for axes in figures.sweeps(frame, results.cells()).axes:
        for line in (line for line in axes.lines if line.get_linestyle() == "-"):
            assert list(line.get_xdata()) == sorted(line.get_xdata())
