"""A folder with a small trained scale, for tests to damage; and what a refusal has to look like."""

from __future__ import annotations

import copy
import json
import re
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.plans import ROOT, TINY

from replication import files
from replication.cli import run_command
from replication.training.checkpoint import Checkpointer

TEACHER = "digits/wide_resnet_28_1.label.0"
STUDENT = f"{TEACHER}/wide_resnet_28_1.ban.0"
LSTM = "python_reference/lstm.label.0"
FILES = ("--configfile", "config/digits.yaml", "--configfile", "tiny.yaml")
WRONG = ("--configfile", "wrong.yaml")
PLAN = ["plan", *FILES, *WRONG]
TRAIN_TEACHER, TRAIN_STUDENT = ["train", TEACHER, *FILES], ["train", STUDENT, *FILES]
TABLE, CELLS, CLAIMS = ["table", "small", *FILES], ["collect", *FILES], ["claims", *FILES]
QUALITY = ["quality", *FILES]

SMALL: dict[str, Any] = {
    "title": "A teacher and its student",
    "dataset": "cifar10",
    "columns": {
        "teacher": {"objective": "label"},
        "ban": {"objective": "ban", "teacher": "teacher"},
    },
    "rows": {"narrow": {"network": "wide_resnet_28_1", "reported": {"teacher": 6.7, "ban": 6.6}}},
}
WORDS: dict[str, Any] = {
    "title": "A language model",
    "dataset": "ptb",
    "columns": {"teacher": {"objective": "label"}},
    "rows": {"lstm": {"network": "lstm"}},
}
SCALE: dict[str, Any] = {
    **TINY,
    "tables": ["small", "words"],
    "images": {"epochs": 2, "milestones": [1], "crop_padding": 1},
    "datasets": {**TINY["datasets"], "ptb": {"words": 50, "train": 900}},
    "checkpoint": {"epochs": 1, "seconds": 600.0},
}


class Project:
    """A folder in which a small scale is trained and its tables are built."""

    def __init__(
        self,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str] | None = None,
    ) -> None:
        self.folder, self.monkeypatch, self.capfd = folder, monkeypatch, capfd
        self.results = folder / "results/tiny"

    @classmethod
    def copy(
        cls,
        prepared: Path,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> Project:
        """A copy of the prepared folder, as the current directory."""
        shutil.copytree(prepared, folder, dirs_exist_ok=True)
        monkeypatch.chdir(folder)
        return cls(folder, monkeypatch, capfd)

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def of(self, run: str, name: str) -> Path:
        """A file of a run."""
        return self.results / "runs" / run / name

    def write(self, name: str, data: object) -> None:
        """Write plain data as YAML."""
        (self / name).write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")

    def override(self, **keys: Any) -> None:
        """Write `wrong.yaml`, whose keys override those of the scale."""
        self.write("wrong.yaml", keys)

    def change_table(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change `tables/small.yaml`."""
        table = copy.deepcopy(SMALL)
        change(table)
        self.write("tables/small.yaml", table)

    def change_record(self, run: str, **keys: Any) -> None:
        """Change keys of a run's record; `...` removes one."""
        file = self.of(run, "run.json")
        record = {**json.loads(file.read_text(encoding="utf-8")), **keys}
        record = {key: value for key, value in record.items() if value is not ...}
        file.write_text(json.dumps(record), encoding="utf-8")

    def update_checksum(self, run: str, name: str) -> None:
        """Have a run's record state the checksum that a file has now."""
        record = json.loads(self.of(run, "run.json").read_text(encoding="utf-8"))
        checksums = {**record["checksums"], name: files.checksum(self.of(run, name))}
        self.change_record(run, checksums=checksums)

    def call(self, arguments: Sequence[str]) -> tuple[int, str]:
        """Call the command in this process; its exit status and what it writes to stderr."""
        assert self.capfd
        self.capfd.readouterr()
        status = run_command([*arguments])
        return status, self.capfd.readouterr().err

    def refuses(self, arguments: Sequence[str], *says: str) -> None:
        """See that the command fails with one line that says all this, and that nothing is lost."""
        before = contents(self.folder)
        status, stderr = self.call(arguments)
        check_refusal(status, stderr, *says)
        assert lost(before, contents(self.folder), arguments) == []


def prepare_project(folder: Path) -> Path:
    """Train teacher, student and language model, build the tables, and keep two checkpoints.

    The checkpoints are the teacher's, in `checkpoints/`.
    """
    shutil.copytree(ROOT / "tables", folder / "tables")
    shutil.copytree(ROOT / "config", folder / "config")
    with pytest.MonkeyPatch.context() as monkeypatch:
        project = Project(folder, monkeypatch)
        project.write("tables/small.yaml", SMALL)
        project.write("tables/words.yaml", WORDS)
        project.write("tiny.yaml", SCALE)
        monkeypatch.chdir(folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Checkpointer, "clear", lambda self: None)
            assert run_command(TRAIN_TEACHER) == 0
        (folder / "checkpoints").mkdir()
        for name in ("checkpoint.pt", "checkpoint.previous.pt"):
            project.of(TEACHER, name).rename(folder / "checkpoints" / name)
        for arguments in (
            TRAIN_STUDENT,
            ["train", LSTM, *FILES],
            ["table", "small", "words", *FILES],
            CELLS,
            QUALITY,
            CLAIMS,
        ):
            assert run_command(arguments) == 0, arguments
    return folder


def check_refusal(status: int, stderr: str, *says: str) -> None:
    """See that stderr is one `error:` line that says all this, or the usage of the command."""
    assert "Traceback" not in stderr
    if status == 2:
        assert stderr.startswith(("Usage: ", "╭─ Error "))
        shown = re.sub(r"[\s│]+", " ", stderr)
    else:
        assert status == 1
        lines = stderr.splitlines()
        assert lines[-1].startswith("error: ")
        assert sum(line.startswith("error: ") for line in lines) == 1
        # Empty cells and failed checks are listed one by one before it.
        listed = [line for line in lines if line.startswith(("empty cell: ", "wrong: "))]
        shown = next((line for line in listed if says[0] in line), lines[-1])
        assert shown.isprintable()
    for part in says:
        assert part in shown


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every file and folder below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def lost(
    before: dict[str, bytes | None], after: dict[str, bytes | None], arguments: Sequence[str]
) -> list[str]:
    """Files that are gone or changed, other than a table that is built again; and partial ones."""
    rebuilt = re.compile(
        r"results/tiny/(tables|cells)/small(\.\w+)+" if arguments == TABLE else "$"
    )
    changed = [name for name in before if before[name] != after.get(name, ...)]
    partial = [name for name in after if name not in before and name.endswith(".part")]
    return [name for name in changed if not rebuilt.fullmatch(name)] + partial


def truncate(file: Path) -> None:
    """Keep the first half."""
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def empty(file: Path) -> None:
    """Keep nothing."""
    file.write_bytes(b"")


def binary(file: Path) -> None:
    """Replace the content by every byte there is."""
    file.write_bytes(bytes(range(256)))


def flip_bit(file: Path) -> None:
    """Change one bit in the middle."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def flip_tensor_bit(file: Path) -> None:
    """Change one bit of the largest tensor of a checkpoint.

    The bytes between two entries of its zip archive have no checksum and no meaning.
    """
    content = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        largest = archive.read(max(archive.infolist(), key=lambda entry: entry.file_size))
    content[content.index(largest) + len(largest) // 2] ^= 1
    file.write_bytes(content)


def make_folder(file: Path) -> None:
    """Put a folder in the file's place."""
    file.unlink(missing_ok=True)
    file.mkdir()


def replace(file: Path, pattern: str, text: str) -> None:
    """Replace the first match of a regular expression."""
    content = file.read_text(encoding="utf-8")
    file.write_text(re.sub(pattern, text, content, count=1), encoding="utf-8")
