"""Tables: what a cell shows, and that the three formats are sound."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from support import synthetic_results

from replication.report.layout import layout, notes
from replication.report.rendering import render

TITLE = "CIFAR-100 & its 100 classes_of 50 %"
NOTE = "Two-digit numbers, 8×16 pixels."
_, FRAMES = synthetic_results.results()


@pytest.fixture(params=FRAMES)
def frame(request: pytest.FixtureRequest) -> pd.DataFrame:
    return FRAMES[request.param].copy()


def test_every_mean_and_every_reported_number_is_printed(frame: pd.DataFrame) -> None:
    for text in render(frame, TITLE, NOTE).values():
        for value in [*frame["mean"], *frame["reported"].dropna()]:
            assert f"{value:.2f}" in text


def test_rows_and_columns_keep_the_order_of_the_frame() -> None:
    table = layout(FRAMES["table2"])
    assert table.rows == list(synthetic_results.SPECS["table2"].rows)
    assert table.columns == list(synthetic_results.SPECS["table2"].columns)


def test_params_are_shown_only_where_the_paper_prints_them() -> None:
    shown = {name for name in FRAMES if "params" in render(FRAMES[name], TITLE, NOTE)["md"]}
    assert shown == {"table1", "table4", "table5", "table6"}


def test_interval_is_the_half_width_and_missing_with_one_seed() -> None:
    frame = FRAMES["table3"]
    cell = layout(frame).cells["wide-resnet-28-1", "ban"]
    line = frame.set_index(["row", "column"]).loc[("wide-resnet-28-1", "ban")]
    assert cell.interval == f"{line['ci_high'] - line['mean']:.2f}"
    single = synthetic_results.results(seeds=1)[1]["table3"]
    assert layout(single).cells["wide-resnet-28-1", "ban"].interval == ""
    assert "±" not in render(single, TITLE, NOTE)["md"]
    assert "1 seed;" in render(single, TITLE, NOTE)["md"]


def test_bold_is_the_lowest_of_a_row_ours_and_the_papers_apart() -> None:
    frame = FRAMES["table1"].copy()
    frame["mean"] = [2.0, 1.0] * 8
    cells = layout(frame).cells
    for row in frame["row"].unique():
        teacher, ban = frame.loc[frame["row"] == row, "reported"]
        assert (cells[row, "teacher"].best, cells[row, "ban"].best) == (False, True)
        assert cells[row, "teacher"].reported_best == (teacher < ban)
        assert cells[row, "ban"].reported_best == (ban < teacher)


def test_ties_at_the_printed_precision_are_both_bold() -> None:
    frame = FRAMES["table1"].copy()
    frame["mean"] = [1.001, 1.002] * 8
    assert all(cell.best for cell in layout(frame).cells.values())


def test_a_single_column_has_its_best_down_the_column_and_a_lone_cell_none() -> None:
    best = [key for key, cell in layout(FRAMES["table4"]).cells.items() if cell.reported_best]
    assert best == [("2*depth", "error")]
    assert not layout(FRAMES["table5"]).cells["pre-resnet-1001", "baseline"].best


def test_validation_and_test_perplexity_do_not_compete() -> None:
    cells = layout(FRAMES["table6"]).cells
    best = {column for (row, column), cell in cells.items() if cell.best and row == "lstm"}
    assert best == {"ban+l val", "ban+l test"}


def test_a_cell_that_the_paper_dashes_shows_a_dash() -> None:
    line = next(
        line
        for line in render(FRAMES["table2"], TITLE, NOTE)["md"].splitlines()
        if line.startswith("| densenet-80-120")
    )
    assert line.split("|")[9].strip() == "–"


def test_a_mark_stands_for_its_verdict_and_carries_the_difference() -> None:
    frame = FRAMES["table1"].copy()
    frame.loc[1, ["verdict", "delta_vs_teacher", "delta_ci_low", "delta_ci_high", "p_value"]] = [
        *["worse", 0.5, 0.25, 1.25, 0.04]
    ]
    frame.loc[1, "agrees"] = "no"
    text = render(frame, TITLE, NOTE)["html"]
    told = "worse: 0.50 [0.25, 1.25] to its teacher, p = 0.04"
    assert f'<span class="worse" title="{told}">↑✗</span>' in text
    assert layout(frame).cells["wide-resnet-28-1", "teacher"].verdict == ""


def test_notes_explain_the_marks_only_where_there_are_some() -> None:
    frame = FRAMES["table1"]
    assert any("↑ worse" in sentence for sentence in notes(frame, NOTE))
    teachers = frame[frame["column"] == "teacher"]
    assert not any("worse" in sentence for sentence in notes(teachers, NOTE))


def with_gains() -> pd.DataFrame:
    """Table 1 with a contrast in each row: a decided and an undecided one in turn."""
    frame = FRAMES["table1"]
    gains = frame[frame["column"] == "ban"].assign(
        column="gain", metric="difference of test error (%)", verdict=None, reported=float("nan"),
        mean=-0.5, ci_low=-0.75, ci_high=[-0.25, 0.25] * 4,
    )  # fmt: skip
    return pd.concat([frame, gains], ignore_index=True)


def test_a_contrast_has_a_sign_and_is_bold_where_it_excludes_zero() -> None:
    cells, plain = layout(with_gains()).cells, layout(FRAMES["table1"]).cells
    assert cells["wide-resnet-28-1", "gain"].mean == "−0.50"
    assert [cells[row, "gain"].best for row in synthetic_results.SPECS["table1"].rows] == (
        [True, False] * 4
    )
    # It does not compete with the cells.
    assert all(cells[at].best == cell.best for at, cell in plain.items())
    sentences = notes(with_gains(), NOTE)
    assert sentences[0].startswith("Test error (%), lower is better.")
    assert any("Differences are paired by seed" in sentence for sentence in sentences)
    assert not any("paired by seed" in sentence for sentence in notes(FRAMES["table1"], NOTE))


def test_only_the_named_columns_are_shown_in_their_order() -> None:
    text = render(with_gains(), TITLE, NOTE, columns=["gain", "teacher"])["md"]
    head = next(line for line in text.splitlines() if line.startswith("|"))
    assert [name.strip() for name in head.split("|")[2:-1]] == ["params (M)", "gain", "teacher"]


def test_a_transposed_table_has_rows_as_columns_and_the_same_cells() -> None:
    frame = with_gains()
    text = render(frame, TITLE, NOTE, transposed=True)["md"]
    head, _, *lines = (line for line in text.splitlines() if line.startswith("|"))
    assert [name.strip() for name in head.split("|")[2:-1]] == [*frame["row"].unique()]
    assert [line.split("|")[1].strip() for line in lines] == ["teacher", "ban", "gain"]
    assert "Bold: the best of its column" in text
    straight = render(frame, TITLE, NOTE)["md"]
    assert sorted(re.findall(r"\*\*\d[^|]*", text)) == sorted(re.findall(r"\*\*\d[^|]*", straight))


def test_markdown_lines_have_as_many_cells_as_the_head(frame: pd.DataFrame) -> None:
    lines = [x for x in render(frame, TITLE, NOTE)["md"].splitlines() if x.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert len(lines) == 2 + frame["row"].nunique()


def test_markdown_does_not_read_a_star_as_emphasis() -> None:
    assert r"| 0.5\*depth |" in render(FRAMES["table4"], TITLE, NOTE)["md"]
    assert r"ens\*2" in render(FRAMES["table2"], TITLE, NOTE)["md"]


class Reader(HTMLParser):
    """Collects what a fragment asks of the outside, and the tags that it leaves open."""

    def __init__(self) -> None:
        super().__init__()
        self.wanted: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.wanted += [tag for name, _ in attrs if name in ("src", "href")]
        self.wanted += [tag] * (tag in ("script", "link"))
        self.open += [tag] * (tag != "br")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_a_whole_fragment_that_needs_nothing_from_outside(frame: pd.DataFrame) -> None:
    text = render(frame, TITLE, NOTE)["html"]
    reader = Reader()
    reader.feed(text)
    assert (reader.wanted, reader.open) == ([], [])
    assert "url(" not in text
    assert "CIFAR-100 &amp; its" in text


def test_html_leaves_the_same_room_behind_our_value_and_the_papers(frame: pd.DataFrame) -> None:
    room = re.findall(r'<span class="spread" style="(.*?)"', render(frame, TITLE, NOTE)["html"])
    assert len(room) == 2 * len(frame)
    assert len(set(room)) == 1


def test_html_styles_reach_no_other_table_of_the_page(frame: pd.DataFrame) -> None:
    style = render(frame, TITLE, NOTE)["html"].split("<style>")[1].split("</style>")[0]
    selectors = re.findall(r"\.(?:note|interval|paper|better|gt_table t[dhr])\b.*?\{", style)
    assert selectors
    for rule in re.findall(r"^.*\.(?:note|interval|paper|better) \{", style, re.MULTILINE):
        assert rule.startswith(f"#{frame['table'].iloc[0]} ")


def test_the_same_frame_gives_the_same_texts(frame: pd.DataFrame) -> None:
    assert render(frame, TITLE, NOTE) == render(frame, TITLE, NOTE)


def test_latex_is_a_balanced_booktabs_float(frame: pd.DataFrame) -> None:
    text = render(frame, TITLE, NOTE)["tex"]
    rules = [text.count(rf"\{rule}") for rule in ("toprule", "midrule", "bottomrule")]
    assert rules == [1, 1, 1]
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    assert rf"\label{{tab:{frame['table'].iloc[0]}}}" in text
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0]
    assert len({line.count(" & ") for line in body.splitlines() if line.endswith(r"\\")}) == 1
    assert r"CIFAR-100 \& its 100 classes\_of 50 \%" in text
    assert text.isascii()


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here")
def test_latex_compiles(tmp_path: Path) -> None:
    floats = "\n".join(render(frame, TITLE, NOTE)["tex"] for frame in FRAMES.values())
    packages = r"\documentclass{article}\usepackage{booktabs,graphicx}"
    document = rf"{packages}\begin{{document}}{floats}\end{{document}}"
    (tmp_path / "all.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-2000:]
