"""Describes the csv files of a results folder in Markdown.

The text comes from the schema that readers check the files against.
"""

from collections.abc import Sequence

from replication.results.correctness import CORRECT
from replication.results.csv_columns import Column, Kind
from replication.results.schema import CSV_FILES, CsvFile
from replication.wording import in_words, markdown_table

MARKER = "<!-- The rest of this page is the output of `replication schema results`. -->"
"""The line of docs/reference/result-files.md that the description of the csv files follows."""
KINDS: dict[Kind, str] = {
    "text": "text",
    "integer": "whole number",
    "number": "number",
    "flag": "True or False",
}


def describe_csv_files() -> str:
    """One Markdown section for each csv file: its meaning, its sources, its key and its columns."""
    return "\n".join(_section(file) for file in CSV_FILES.values())


def _section(file: CsvFile) -> str:
    lines = [f"### {file.path}", "", file.meaning, "", f"{_sources(file)} {_key(file)}", ""]
    rows = [_row(column) for column in file.columns]
    if file.more_columns:
        rows.append(["…", "number", "", "Further columns of numbers follow."])
    lines.append(markdown_table(["column", "kind", "unit", "meaning"], rows))
    return "\n".join(lines) + "\n"


def _sources(file: CsvFile) -> str:
    """One sentence: which files of the runs and which other csv files this one follows from."""
    sources = [CSV_FILES[name].path for name in file.from_files]
    csv_files = _as_code([*sources, *([CORRECT] if file.from_correctness else [])])
    if not file.from_runs:
        return f"It follows from {csv_files} alone, without any run folder."
    measured = f"It is measured from {_as_code(file.from_runs)} in the folders of the runs"
    return f"{measured}, for what {csv_files} lists." if csv_files else f"{measured}."


def _key(file: CsvFile) -> str:
    lines = "There is one line for each"
    return f"{lines} {'combination of ' * (len(file.key) > 1)}{_as_code(file.key)}."


def _as_code(names: Sequence[str]) -> str:
    return in_words([f"`{name}`" for name in names])


def _row(column: Column) -> list[str]:
    kind = KINDS[column.kind] + (", or empty" if column.may_be_empty else "")
    meaning = column.meaning.replace("|", r"\|")
    return [f"`{column.name}`", kind, column.unit, meaning]
