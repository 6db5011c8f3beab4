"""Tables: what a cell shows, and that the three formats are sound."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from support import synthetic_results

from replication.config.paper_names import paper_name
from replication.report.layout import layout, notes, size_in_words
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


def test_the_difference_that_decides_is_in_every_format(frame: pd.DataFrame) -> None:
    students = frame.dropna(subset="delta_vs_teacher")
    texts = render(frame, TITLE, NOTE)
    texts["tex"] = texts["tex"].replace("$-$", "−")
    for text in texts.values():
        for value in students[["delta_vs_teacher", "delta_ci_low", "delta_ci_high"]].to_numpy():
            for each in value:
                assert f"{each:+.2f}".replace("-", "−") in text
        assert f"n = {frame['n'].iloc[0]}" in text


def test_the_papers_difference_stands_above_ours() -> None:
    printed = {("wide-resnet-28-1", "ban"): -0.05}
    cell = layout(FRAMES["table1"], printed).cells["wide-resnet-28-1", "ban"]
    assert list(cell) == ["paper", "ours", "paper − teacher", "ours − teacher"]
    assert cell["paper − teacher"].value == "−0.05"
    lines = render(FRAMES["table1"], TITLE, NOTE, printed=printed)["md"].splitlines()
    (line,) = (line for line in lines if "| paper − teacher |" in line)
    assert line == "|  | paper − teacher |  |  | −0.05 |"


def test_a_row_whose_cells_have_other_seeds_says_so_in_each() -> None:
    frame = FRAMES["table1"].copy()
    frame.loc[1, "n"] += 1
    lines = render(frame, TITLE, NOTE)["md"].splitlines()
    ours = [line for line in lines if re.search(r"\| ours(, n = \d+)? \|", line)]
    assert "| ours |" in ours[0]
    assert f"(n = {frame.loc[0, 'n']})" in ours[0]
    assert f"(n = {frame.loc[1, 'n']})" in ours[0]
    assert all(f"| ours, n = {frame.loc[0, 'n']} |" in line for line in ours[1:])


def test_rows_and_columns_keep_the_order_of_the_frame() -> None:
    table = layout(FRAMES["table2"])
    assert table.rows == list(synthetic_results.SPECS["table2"].rows)
    assert table.columns == list(synthetic_results.SPECS["table2"].columns)


def test_params_are_shown_only_where_the_paper_prints_them() -> None:
    shown = {name for name in FRAMES if "parameters" in render(FRAMES[name], TITLE, NOTE)["md"]}
    assert shown == {"table1", "table4", "table5", "table6"}


def test_parameters_have_a_unit_in_which_they_can_be_read() -> None:
    frame = FRAMES["table1"].assign(params=0.002927)
    sizes = layout(frame).sizes["wide-resnet-28-1"]
    assert (sizes["paper"].value, sizes["ours"].value) == ("0.38 M", "2.93 k")
    assert size_in_words(36.5) == "36.5 M"


def test_rows_and_columns_have_the_papers_names() -> None:
    text = render(FRAMES["table2"], TITLE, NOTE)["md"]
    head = next(line for line in text.splitlines() if line.startswith("|"))
    assert head.split("|")[3:6] == [" Teacher ", " BAN ", " BAN+L "]
    assert "| DenseNet-112-33 | paper |" in text
    assert paper_name("ban-match-wide-resnet-2-1") == "BAN-Match-Wide-ResNet-2-1"
    assert paper_name("ban+l val") == "BAN+L Val"
    assert paper_name("my-network") == "my-network"


def test_interval_is_the_half_width_and_missing_with_one_seed() -> None:
    frame = FRAMES["table3"]
    entry = layout(frame).cells["wide-resnet-28-1", "ban"]["ours"]
    line = frame.set_index(["row", "column"]).loc[("wide-resnet-28-1", "ban")]
    assert entry.interval == f"± {line['ci_high'] - line['mean']:.2f}"
    single = synthetic_results.results(seeds=1)[1]["table3"]
    assert layout(single).cells["wide-resnet-28-1", "ban"]["ours"].interval == ""
    text = render(single, TITLE, NOTE)["md"]
    assert "±" not in text
    assert "ours: one seed, which has no interval" in text
    assert "| ours, n = 1 |" in text


def test_bold_is_a_difference_whose_interval_excludes_zero() -> None:
    frame = FRAMES["table1"].copy()
    verdicts = ["better", "worse", "undecided", "better"] * 2
    frame.loc[frame["column"] == "ban", "verdict"] = verdicts
    cells = layout(frame).cells
    rows = list(synthetic_results.SPECS["table1"].rows)
    bold = [cells[row, "ban"]["ours − teacher"].bold for row in rows]
    assert bold == [verdict != "undecided" for verdict in verdicts]
    others = [
        entry for cell in cells.values() for line, entry in cell.items() if line != "ours − teacher"
    ]
    assert not any(entry.bold for entry in others)


def test_a_cell_that_the_paper_dashes_shows_a_dash() -> None:
    line = next(
        line
        for line in render(FRAMES["table2"], TITLE, NOTE)["md"].splitlines()
        if line.startswith("| DenseNet-80-120")
    )
    assert line.split("|")[10].strip() == "–"


def test_a_mark_stands_for_its_verdict_and_carries_its_p_value() -> None:
    frame = FRAMES["table1"].copy()
    frame.loc[1, ["verdict", "delta_vs_teacher", "delta_ci_low", "delta_ci_high", "p_value"]] = [
        *["worse", 0.5, 0.25, 1.25, 0.04]
    ]
    frame.loc[1, "agrees"] = "no"
    text = render(frame, TITLE, NOTE)["html"]
    mark = '<b>+0.50</b>&thinsp;<span class="worse" title="worse: p = 0.04">↑✗</span>'
    assert f'{mark} <span class="interval between">[+0.25, +1.25]</span>' in text
    assert "ours − teacher" not in layout(frame).cells["wide-resnet-28-1", "teacher"]


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
    cells = layout(with_gains()).cells
    entry = cells["wide-resnet-28-1", "gain"]["ours"]
    assert (entry.value, entry.interval) == ("−0.50", "[−0.75, −0.25]")
    assert [cells[row, "gain"]["ours"].bold for row in synthetic_results.SPECS["table1"].rows] == (
        [True, False] * 4
    )
    sentences = notes(with_gains(), NOTE)
    assert sentences[0].startswith("Test error (%), lower is better.")
    assert any("Differences are paired by seed" in sentence for sentence in sentences)
    alone = notes(FRAMES["table1"], NOTE)
    assert not any("Differences are paired by seed" in sentence for sentence in alone)


def test_only_the_named_columns_are_shown_in_their_order() -> None:
    text = render(with_gains(), TITLE, NOTE, columns=["gain", "teacher"])["md"]
    head = next(line for line in text.splitlines() if line.startswith("|"))
    assert [name.strip() for name in head.split("|")[3:-1]] == ["parameters", "gain", "Teacher"]


def test_a_transposed_table_has_rows_as_columns_and_the_same_cells() -> None:
    frame = with_gains()
    text = render(frame, TITLE, NOTE, transposed=True)["md"]
    head, _, *lines = (line for line in text.splitlines() if line.startswith("|"))
    names = [paper_name(row) for row in frame["row"].unique()]
    assert [name.strip() for name in head.split("|")[3:-1]] == names
    rows = [name for line in lines if (name := line.split("|")[1].strip())]
    assert rows == ["Teacher", "BAN", "gain"]
    straight = render(frame, TITLE, NOTE)["md"]
    assert sorted(re.findall(r"\*\*[−+][^|]*", text)) == sorted(
        re.findall(r"\*\*[−+][^|]*", straight)
    )


def test_markdown_lines_have_as_many_cells_as_the_head(frame: pd.DataFrame) -> None:
    lines = [x for x in render(frame, TITLE, NOTE)["md"].splitlines() if x.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    named = [line for line in lines[2:] if not line.startswith("|  |")]
    assert len(named) == frame["row"].nunique()


def test_markdown_does_not_read_a_star_as_emphasis() -> None:
    assert r"| 0.5\*Depth |" in render(FRAMES["table4"], TITLE, NOTE)["md"]
    assert r"Ens\*2" in render(FRAMES["table2"], TITLE, NOTE)["md"]


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


def test_html_has_numbers_and_their_headers_at_the_same_edge(frame: pd.DataFrame) -> None:
    text = render(frame, TITLE, NOTE)["html"]
    assert len(re.findall(r"<th class=\"[^\"]*gt_right\"", text)) >= frame["column"].nunique()
    assert "gt_center" not in text.split("<thead>")[1].split("</thead>")[0].split("</tr>")[-2]


def test_html_styles_reach_no_other_table_of_the_page(frame: pd.DataFrame) -> None:
    style = render(frame, TITLE, NOTE)["html"].split("<style>")[1].split("</style>")[0]
    selectors = re.findall(r"\.(?:note|interval|between|better|gt_table t[dhr])\b.*?\{", style)
    assert selectors
    for rule in re.findall(r"^.*\.(?:note|interval|between|better) \{", style, re.MULTILINE):
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
