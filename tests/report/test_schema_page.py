"""The page on result files describes the csv files as the schema does."""

import re

import pytest
from support.plans import ROOT

from replication.cli import run_command
from replication.report.schema_page import MARKER, describe_csv_files
from replication.results.schema import CSV_FILES


def test_the_page_has_what_the_command_prints(capfd: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs/reference/result-files.md").read_text(encoding="utf-8")
    _, _, generated = page.partition(f"{MARKER}\n\n")
    assert run_command(["schema", "results"]) == 0
    assert generated == capfd.readouterr().out, "call: make schemas"


@pytest.mark.parametrize("name", CSV_FILES)
def test_every_csv_file_has_a_section_with_each_column_once(name: str) -> None:
    file = CSV_FILES[name]
    sections = dict(re.findall(r"^### (\S+)\n(.*?)(?=^### |\Z)", describe_csv_files(), re.M | re.S))
    section = sections[file.path]
    assert re.findall(r"^\| `(\w+)` \|", section, re.M) == file.names
    sources = [*file.from_runs, *(CSV_FILES[source].path for source in file.from_files)]
    assert sources
    assert all(f"`{source}`" in section for source in sources)
    assert ("without any run folder" in section) == (not file.from_runs)


def test_columns_have_meanings_and_numbers_have_units() -> None:
    for name, file in CSV_FILES.items():
        assert set(file.key) <= set(file.names), name
        assert len(set(file.names)) == len(file.names), name
        for column in file.columns:
            assert column.meaning.endswith((".", ":")), (name, column.name)
