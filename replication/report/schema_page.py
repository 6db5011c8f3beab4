"""Describes the csv files of a results folder in Markdown.

The text comes from the schema that readers check the files against.
"""

from replication.results.schema import CSV_FILES, Column, CsvFile, Kind

MARKER = "<!-- The rest of this page is the output of `replication schema results`. -->"
"""The line of docs/run-format.md after which the description of the csv files follows."""
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
    lines += ["| column | kind | unit | meaning |", "|---|---|---|---|"]
    lines += [_line(column) for column in file.columns]
    if file.more_columns:
        lines.append("| … | number | | Further columns of numbers follow. |")
    return "\n".join(lines) + "\n"


def _sources(file: CsvFile) -> str:
    """One sentence: which files of the runs and which other csv files this one follows from."""
    csv_files = " and ".join(f"`{CSV_FILES[name].path}`" for name in file.from_files)
    of_runs = ", ".join(f"`{name}`" for name in file.from_runs)
    if not of_runs:
        return f"It follows from {csv_files} alone, without any run folder."
    return f"It is measured from the {of_runs} of the runs{', and ' * bool(csv_files)}{csv_files}."


def _key(file: CsvFile) -> str:
    key = ", ".join(f"`{name}`" for name in file.key)
    return (
        f"There is one line for each combination of {key}."
        if len(file.key) > 1
        else (f"There is one line for each {key}.")
    )


def _line(column: Column) -> str:
    kind = KINDS[column.kind] + (", or empty" if column.may_be_empty else "")
    meaning = column.meaning.replace("|", r"\|")
    return f"| `{column.name}` | {kind} | {column.unit} | {meaning} |"
