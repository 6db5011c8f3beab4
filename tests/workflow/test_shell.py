"""What a user writes into files and names reaches no shell."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from support.plans import TINY
from support.workplace import Workplace

from replication.runtime.allocator import keep_freed_memory

HOSTILE = """a; touch escaped; $(touch escaped) `touch escaped` '"; touch escaped; {input} $HOME"""


class OwnTables(Workplace):
    """A workplace with tables of its own."""

    LINKED = tuple(name for name in Workplace.LINKED if name != "tables")


@pytest.mark.long
def test_free_text_and_file_names_reach_no_shell(tmp_path: Path) -> None:
    place = OwnTables(tmp_path)
    (tmp_path / "tables").mkdir()
    table = {
        "title": HOSTILE,
        "dataset": "cifar10",
        "notes": [HOSTILE],
        "columns": {HOSTILE: {"objective": "label"}},
        "rows": {HOSTILE: {"network": "wide_resnet_28_1", "reported": {HOSTILE: 6.7}}},
    }
    (tmp_path / "tables/small.yaml").write_text(yaml.safe_dump(table), encoding="utf-8")
    name = "$(touch escaped); touch escaped.yaml"
    place.configure({**TINY, "tables": ["small"], "data_root": HOSTILE}, name)
    files = ["--configfile", "config/digits.yaml", name]
    done = place.call("small", "-p", "--quiet", "host", *files, default_files=False)
    assert done.returncode == 0, done.stdout + done.stderr
    # The second is the folder of the data.
    escaped = {path.name for path in tmp_path.rglob("*") if "escaped" in path.name}
    assert escaped == {name, HOSTILE}
    commands = re.findall(r"\b(replication .*)", done.stdout + done.stderr)
    words = [set(shlex.split(command)) for command in commands]
    assert all(name in arguments or f"{tmp_path}/{name}" in arguments for arguments in words)
    for verb in ("data", "train", "table"):
        assert any(verb in arguments for arguments in words)
    page = (tmp_path / "results/tiny/tables/small.html").read_text(encoding="utf-8")
    assert "touch escaped" in page


@pytest.mark.long
def test_jobs_keep_the_memory_that_they_free(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    place.configure(TINY)
    rule = 'rule environment:\n    output: "environment.txt"\n    shell: "env > {output}"\n'
    (tmp_path / "own.smk").write_text(f'include: "Snakefile"\n{rule}', encoding="utf-8")
    place.build("environment.txt", "-s", "own.smk")
    variables = (tmp_path / "environment.txt").read_text(encoding="utf-8").splitlines()
    environment = dict(line.split("=", 1) for line in variables if "=" in line)
    expected: dict[str, str] = {}
    keep_freed_memory(expected)
    assert expected.items() <= environment.items()
