"""The claims page shows every claim, at any number of seeds."""

import html

import numpy as np
import pandas as pd
import pytest
from support import synthetic_results
from support.plans import ROOT

from replication.analysis.claim_verdicts import CLAIM_VERDICTS
from replication.analysis.claims import decide_claims
from replication.config.paper_claims import read_claims
from replication.report import claims_page
from replication.report.plotting import draw

CLAIMS = read_claims(ROOT / "tables")


@pytest.mark.parametrize("seeds", [1, pytest.param(4, marks=pytest.mark.long)])
def test_the_page_shows_every_claim_at_any_number_of_seeds(seeds: int) -> None:
    frame, numbers = decide_claims(
        CLAIMS,
        synthetic_results.results(seeds)[0],
        synthetic_results.runs(seeds),
        data_sets={"cifar100": "pairs of items, 7×14 pixels"},
    )
    counts = claims_page.counts(frame, by="family")
    assert counts.loc["all", "total"] == len(frame)
    titles = dict(zip(frame["claim"], frame["title"], strict=True))
    assert set(counts.index) == {*map(titles.get, frame["family"]), "all"}
    shown = html.unescape(claims_page.statements(frame).as_raw_html())
    assert all(statement in shown for statement in frame["statement"])
    assert "pairs of items, 7×14 pixels" in shown
    first = html.unescape(claims_page.primary(frame, numbers).as_raw_html())
    primary = frame["claim"] == frame["family"]
    assert [statement in first for statement in frame["statement"]] == list(primary)
    power = html.unescape(claims_page.power_table(frame, numbers).as_raw_html())
    assert all(f">{title}<" in power for title in frame["title"])
    figure = claims_page.forest(frame, numbers)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[0] == "BAN against its teachers, eight networks (Table 1) ↓"
    assert len(labels) == (numbers["n"] > 0).sum()
    assert len(draw(figure, "png")) > 5_000
    # A random id would change the notebook whenever it is executed.
    assert shown == html.unescape(claims_page.statements(frame).as_raw_html())
    assert power == html.unescape(claims_page.power_table(frame, numbers).as_raw_html())
    # The names of claims are for machines.
    texts = [shown, first, power, *map(str, counts.index), *labels]
    assert not [name for name in frame["claim"] for text in texts if f"{name}<" in text]
    assert not {*frame["claim"]} & {*map(str, counts.index)}


def test_the_figure_leaves_out_claims_that_are_not_measured() -> None:
    cells = synthetic_results.results(3)[0].query("table == 'table6'")
    frame, numbers = decide_claims(CLAIMS, cells, synthetic_results.runs(3))
    axes = claims_page.forest(frame, numbers).axes[0]
    measured = numbers.merge(frame[["claim", "title"]], on="claim").query("n > 0")
    titles = [label.get_text()[:-2] for label in axes.get_yticklabels()]
    assert titles == list(measured["title"])
    assert 0 < len(titles) < len(frame)
    points = [
        point
        for line in axes.lines
        if line.get_marker() == "o"
        for point in zip(*line.get_data(), strict=True)
    ]
    expected = 100 * measured["difference"] / measured["level"]
    assert dict(sorted((y, x) for x, y in points)) == pytest.approx(dict(enumerate(expected)))


def test_claims_that_are_not_measured_are_counted_by_themselves_and_small_p_values_are_short() -> (
    None
):
    cells = synthetic_results.results(3)[0].query("table == 'table6'")
    frame, numbers = decide_claims(CLAIMS, cells, synthetic_results.runs(3))
    counts = claims_page.counts(frame, by="source")
    measured = (frame["reason"] != "not measured").sum()
    assert counts.loc["all", "not measured"] == len(frame) - measured > 0
    assert counts.loc["all", "total"] == len(frame)
    shown = claims_page.power_table(frame, numbers.assign(p_direction=1.2e-15)).as_raw_html()
    assert "&lt; 0.001" in shown
    assert "0.0000" not in shown
    assert "on python_reference" not in shown


def test_the_page_shows_claims_that_are_not_measured_or_measured_at_no_error() -> None:
    cells, runs = synthetic_results.results(3)[0], synthetic_results.runs(3)
    measured = cells.query("table == 'table1' and row == 'densenet-90-60'").sort_values("column")
    errors = [0.0, 0.5, 0.2, 0.0, 0.0, 0.0]
    frame, numbers = decide_claims(CLAIMS, measured.assign(value=errors), runs)
    assert (numbers["n"] == 0).sum() == len(numbers) - 1
    figure = claims_page.forest(frame, numbers)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["BAN no worse, DenseNet-90-60 (Table 1) ≤"]
    assert len(draw(figure, "png")) > 5_000
    claims_page.power_table(frame, numbers).as_raw_html()
    frame, numbers = decide_claims(CLAIMS, measured[:0], runs)
    assert not claims_page.forest(frame, numbers).axes[0].get_yticklabels()


def test_the_intervals_of_a_study_are_shown_whole_and_without_the_paper() -> None:
    """Three seeds give intervals that are several times as wide as the differences."""
    frame = pd.DataFrame({"claim": ["a", "b"], "title": ["A", "B"], "verdict": "undecided"})
    frame = frame.assign(family=frame["claim"], expect="lower")
    numbers = frame.drop(columns=["verdict", "title"]).assign(
        difference=[0.3, 0.1], ci_low=[-2.8, -2.7], ci_high=[3.4, 2.9], smallest_effect=0.1, level=8
    )
    numbers = numbers.assign(reported_difference=np.nan, reported_level=np.nan)
    figure = claims_page.forest(frame, numbers)
    low, high = figure.axes[0].get_xlim()
    assert low < -100 * 2.8 / 8
    assert high > 100 * 3.4 / 8
    _, labels = figure.axes[0].get_legend_handles_labels()
    assert not [label for label in labels if "paper" in label or "goes on" in label]


def test_every_verdict_has_a_colour_and_a_mark() -> None:
    assert set(claims_page.CLAIM_COLOURS) == set(claims_page.CLAIM_MARKS) == {*CLAIM_VERDICTS}


def test_the_legend_fits_below_the_figure_whatever_the_verdicts() -> None:
    verdicts = [*claims_page.CLAIM_COLOURS]
    names = [*"abcdefg"]
    frame = pd.DataFrame(
        {"claim": names, "title": names, "verdict": verdicts, "family": "a", "expect": "lower"}
    )
    # One interval is cut off, so that the legend has that sign, too.
    numbers = frame.drop(columns=["verdict", "title"]).assign(
        difference=-1.0, ci_low=[-99.0, *[-2.0] * 6], ci_high=-0.5, smallest_effect=0.5, level=20.0
    )
    numbers = numbers.assign(reported_difference=-1.0, reported_level=20.0)
    figure = claims_page.forest(frame, numbers)
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert {text.get_text() for text in legend.get_texts()} >= {*verdicts, "interval continues"}
    box, page = legend.get_window_extent(), figure.bbox
    assert page.x0 <= box.x0 < box.x1 <= page.x1
