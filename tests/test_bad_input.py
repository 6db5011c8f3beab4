"""Bad input: one clear line that names the file and the hint, a non-zero exit, nothing lost."""

import gzip
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import load_file, save_file
from support.archives import cifar_archive, fashion_files
from support.plans import ROOT, TINY
from test_text import LINES, write_penn_treebank
from torchvision import datasets

from replication import files
from replication.cli import run_command
from replication.data import images, text
from replication.errors import InputError
from replication.report.results import Results
from replication.runtime import forkserver
from replication.training.checkpoint import CONTENT, Checkpointer
from replication.training.checkpoint import _Damaged as DamagedState
from replication.training.checkpoint import _read as read_state

TEACHER = "digits/wide_resnet_28_1.label.0"
STUDENT = f"{TEACHER}/wide_resnet_28_1.ban.0"
LSTM = "python_reference/lstm.label.0"
FILES = ("--configfile", "config/digits.yaml", "--configfile", "tiny.yaml")
WRONG = ("--configfile", "wrong.yaml")
PLAN = ["plan", *FILES, *WRONG]
TRAIN_TEACHER, TRAIN_STUDENT = ["train", TEACHER, *FILES], ["train", STUDENT, *FILES]
TABLE, CELLS, CLAIMS = ["table", "small", *FILES], ["cells", *FILES], ["claims", *FILES]
CIFAR_KEYS: dict[str, Any] = {
    "datasets": {"cifar10": {"name": "cifar10", "train": None, "test": None}}
}
CIFAR = ["train", TEACHER.replace("digits", "cifar10"), *FILES, *WRONG]
FASHION = ["train", TEACHER.replace("digits", "fashion_mnist"), *FILES, *WRONG]
PTB = ["train", LSTM.replace("python_reference", "penn_treebank"), *FILES, *WRONG]
RETRAIN = "delete it and call snakemake again"
REBUILD = "delete it and build it with: snakemake"

SMALL = {
    "title": "A teacher and its student",
    "dataset": "cifar10",
    "columns": {
        "teacher": {"objective": "label"},
        "ban": {"objective": "ban", "teacher": "teacher"},
    },
    "rows": {"narrow": {"network": "wide_resnet_28_1", "reported": {"teacher": 6.7, "ban": 6.6}}},
}
WORDS = {
    "title": "A language model",
    "dataset": "ptb",
    "columns": {"teacher": {"objective": "label"}},
    "rows": {"lstm": {"network": "lstm"}},
}
SCALE = {
    **TINY,
    "tables": ["small", "words"],
    "images": {"epochs": 2, "milestones": [1], "crop_padding": 1},
    "datasets": {**TINY["datasets"], "ptb": {"words": 50, "train": 900}},
    "checkpoint": {"epochs": 1, "seconds": 600.0},
}


class Place:
    """A folder in which a small scale is trained and its tables are built, to be damaged."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def of(self, run: str, name: str) -> Path:
        """A file of a run."""
        return self.folder / "results/tiny/runs" / run / name

    def override(self, **keys: Any) -> None:
        """Write keys of the scale that the last file on the command line changes."""
        self.write("wrong.yaml", keys)

    def write(self, name: str, data: object) -> None:
        (self / name).write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")

    def put(self, name: str, content: str) -> None:
        (self / name).write_text(content, encoding="utf-8")

    def table(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change `tables/small.yaml`."""
        table = json.loads(json.dumps(SMALL))
        change(table)
        self.write("tables/small.yaml", table)

    def record(self, run: str, **keys: Any) -> None:
        """Change keys of a run's record; None leaves one out."""
        file = self.of(run, "run.json")
        record = {**json.loads(file.read_text(encoding="utf-8")), **keys}
        record = {key: value for key, value in record.items() if value is not Ellipsis}
        file.write_text(json.dumps(record), encoding="utf-8")

    def predictions(self, **tensors: Any) -> None:
        """Replace the teacher's predictions by ones that its record names."""
        file = self.of(TEACHER, "predictions.safetensors")
        save_file({key: np.asarray(value) for key, value in tensors.items()}, file)
        self.rename_in_record(TEACHER, file)

    def rename_in_record(self, run: str, file: Path) -> None:
        """Have a run's record name a file as it is now."""
        record = json.loads(self.of(run, "run.json").read_text(encoding="utf-8"))
        self.record(run, checksums={**record["checksums"], file.name: files.checksum(file)})

    def state(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Lay a saved state into the teacher's folder, changed."""
        content = torch.load(self / "states/state.pt", weights_only=True)
        change(content)
        torch.save(content, self.of(TEACHER, "checkpoint.pt"))

    def cifar(self) -> Path:
        """A small CIFAR-10 in its archive, as the scale's data; there is no network."""
        (self / "data").mkdir()
        cifar_archive(self / "data", "CIFAR10", self.monkeypatch)
        self.override(**CIFAR_KEYS)
        return self / "data" / "cifar-10-python.tar.gz"

    def digits(self) -> Path:
        """The digits as scikit-learn has them, in a scikit-learn of this folder."""
        source = Path(str(importlib.util.find_spec("sklearn").origin))  # type: ignore[union-attr]
        file = self / "sklearn/datasets/data/digits.csv.gz"
        file.parent.mkdir(parents=True)
        shutil.copy(source.parent / "datasets/data/digits.csv.gz", file)
        own = ModuleSpec("sklearn", None, origin=str(self / "sklearn/__init__.py"))
        self.monkeypatch.setattr(importlib.util, "find_spec", lambda name: own)
        return file

    def fashion(self) -> Path:
        """A small Fashion-MNIST as the distribution's package has it; there is no network."""
        fashion_files(self / "debian")
        self.monkeypatch.setattr(images, "DEBIAN_FASHION_MNIST", self / "debian")
        self.monkeypatch.setattr(datasets.FashionMNIST, "mirrors", ["http://127.0.0.1:9/"])
        self.override(datasets={"cifar10": {"name": "fashion_mnist", "train": None, "test": None}})
        return self / "debian"

    def treebank(self) -> Path:
        """A small Penn Treebank, as the scale's data; there is no network."""
        (self / "data").mkdir()
        write_penn_treebank(self / "data/penn_treebank")
        sums = {f"ptb.{p}.txt": hashlib.md5(t.encode()).hexdigest() for p, t in LINES.items()}
        self.monkeypatch.setattr(text, "PENN_TREEBANK_MD5", sums)
        self.monkeypatch.setattr(text, "PENN_TREEBANK_MIRRORS", ("http://127.0.0.1:9/",))
        self.override(datasets={"ptb": {"name": "penn_treebank", "words": None, "train": None}})
        return self / "data/penn_treebank"


def cut(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def binary(file: Path) -> None:
    file.write_bytes(bytes(range(256)))


def replace(file: Path, pattern: str, text: str) -> None:
    content = file.read_text(encoding="utf-8")
    file.write_text(re.sub(pattern, text, content, count=1), encoding="utf-8")


def folder_instead(file: Path) -> None:
    file.unlink(missing_ok=True)
    file.mkdir()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Teacher, student and language model trained, tables built, and states of a training."""
    folder = tmp_path_factory.mktemp("prepared")
    shutil.copytree(ROOT / "tables", folder / "tables")
    shutil.copytree(ROOT / "config", folder / "config")
    with pytest.MonkeyPatch.context() as monkeypatch:
        place = Place(folder, monkeypatch)
        place.write("tables/small.yaml", SMALL)
        place.write("tables/words.yaml", WORDS)
        place.write("tiny.yaml", SCALE)
        monkeypatch.chdir(folder)
        monkeypatch.setattr(Checkpointer, "clear", lambda self: None)
        assert run_command(TRAIN_TEACHER) == 0
        (folder / "states").mkdir()
        for name in ("checkpoint.pt", "checkpoint.previous.pt"):
            place.of(TEACHER, name).rename(folder / "states" / name)
        monkeypatch.undo()
        monkeypatch.chdir(folder)
        for arguments in (TRAIN_STUDENT, ["train", LSTM, *FILES], TABLE, ["table", "words", *FILES],
                          CELLS, CLAIMS):  # fmt: skip
            assert run_command(arguments) == 0, arguments
    return folder


@pytest.fixture
def place(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A copy of the prepared folder, in which the command is called."""
    folder = tmp_path / "place"
    shutil.copytree(prepared, folder)
    monkeypatch.chdir(folder)
    return Place(folder, monkeypatch)


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every file and folder below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


Arguments = list[str]
Damage = Callable[[Place], object]


def nothing(place: Place) -> None:
    """Leave the folder as it is."""


def keys(*said: str, **changed: Any) -> tuple[Arguments, Damage, tuple[str, ...]]:
    """A case of keys of the scale that are refused."""
    return PLAN, lambda place: place.override(**changed), ("wrong.yaml", *said)


def written(content: str, *said: str) -> tuple[Arguments, Damage, tuple[str, ...]]:
    """A case of a scale file with this text."""
    return PLAN, lambda place: place.put("wrong.yaml", content), ("wrong.yaml", *said)


def table(
    change: Callable[[dict[str, Any]], object], *said: str
) -> tuple[Arguments, Damage, tuple[str, ...]]:
    """A case of a table file that is refused."""
    return ["plan", *FILES], lambda place: place.table(change), ("tables/small.yaml", *said)


def record(*said: str, **changed: Any) -> tuple[Arguments, Damage, tuple[str, ...]]:
    """A case of a teacher's record that is refused."""
    return (
        TRAIN_STUDENT,
        lambda place: place.record(TEACHER, **changed),
        (f"{TEACHER}/run.json", *said, RETRAIN),
    )


def predictions(*said: str, **tensors: Any) -> tuple[Arguments, Damage, tuple[str, ...]]:
    """A case of predictions, named by their record, that are refused."""
    return (
        TABLE,
        lambda place: place.predictions(**tensors),
        (f"{TEACHER}/predictions.safetensors", *said, RETRAIN),
    )


def state(
    change: Callable[[dict[str, Any]], object], *said: str
) -> tuple[Arguments, Damage, tuple[str, ...]]:
    """A case of a saved state that is refused."""
    return TRAIN_TEACHER, lambda place: place.state(change), (f"{TEACHER}/state.pt", *said)


def checked(
    name: str, damage: Callable[[Path], object], said: str
) -> tuple[Arguments, Damage, tuple[str, ...]]:
    """A case of a file of the results that their check does not pass."""
    return (
        ["verify", "results/tiny"],
        lambda place: damage(place / "results/tiny" / name),
        (said,),
    )


DIGITS = ("digits.csv.gz: cannot be read", "install scikit-learn again")
LOGITS, LABELS = np.zeros((100, 10), np.float32), np.zeros(100, np.int64)
TEACHERS_LOGITS = "teacher_logits.9-views.safetensors"

CASES: dict[str, tuple[Arguments, Damage, tuple[str, ...]]] = {
    # Scale files
    "scale file missing": (PLAN, nothing, ("wrong.yaml: no such file", "name an existing one")),
    "scale file empty": written("", "a mapping `key: value` is wanted, not null"),
    "scale file a list": written("- a\n- b\n", "a mapping `key: value` is wanted"),
    "scale file cut": written("images: {epochs: ", "not YAML in line 1", "mend the syntax"),
    "scale file binary": (
        PLAN,
        lambda p: binary(p / "wrong.yaml"),
        ("wrong.yaml", "has to be a text file"),
    ),
    "scale file a folder": (
        PLAN,
        lambda p: folder_instead(p / "wrong.yaml"),
        ("wrong.yaml", "has to be a text file"),
    ),
    "scale file without a scale": (
        ["plan", "--configfile", "wrong.yaml"],
        lambda p: (p.override(scale="mine"), None),
        ("wrong.yaml", "is missing; add it, or name the scale that wrong.yaml overrides before it"),
    ),
    "scale file that contains itself": written(
        "images: &i {epochs: *i}", "Circular", "mend the syntax"
    ),
    "scale file nested without end": written("a: " + "[" * 1_500, "mend the syntax"),
    "scale file with a day that does not exist": written("seeds: [2020-13-45]", "mend the syntax"),
    "scale file with a number without end": written(f"seeds: [{'9' * 5000}]", "mend the syntax"),
    "scale file with a date for a key": written("2020-01-01: 1", "keys must be", "mend the syntax"),
    "scale file of an object": written("a: !!python/object/apply:os.getpid []", "mend the syntax"),
    "default scale missing": (
        ["plan"],
        lambda p: (p / "config/digits.yaml").unlink(),
        ("config/digits.yaml: no such file",),
    ),
    "scale file from another version": keys("unknown key `temperature`", temperature=2),
    # Keys of the scale out of range
    "misspelt key": keys("did you mean `epochs`?", images={"epoch": 3}),
    "no epochs": keys("`images.epochs`", "greater than or equal to 1", images={"epochs": 0}),
    "epochs below zero": keys("`images.epochs`", images={"epochs": -3}),
    "text for a number": keys("`images.epochs`", 'got "many"', images={"epochs": "many"}),
    "a number for a choice": keys("`device`", device=1),
    "no batch": keys("`images.batch_size`", images={"batch_size": 0}),
    "no rate": keys("`images.learning_rate`", "greater than 0", images={"learning_rate": 0}),
    "a rate below zero": keys(
        "`language.lstm.learning_rate`", language={"lstm": {"learning_rate": -1}}
    ),
    "a rate that is no number": keys(
        "`images.learning_rate`", images={"learning_rate": float("nan")}
    ),
    "an endless rate": keys("`images.learning_rate`", images={"learning_rate": "1e999"}),
    "falling milestones": keys("have to rise", images={"milestones": [4, 2]}),
    "momentum of one": keys("`images.momentum`", images={"momentum": 1}),
    "padding below zero": keys("`images.crop_padding`", images={"crop_padding": -1}),
    "ratio of zero": keys("a ratio above zero", networks={"densenet": {"width_ratio": 0}}),
    "ratio below zero": keys("a ratio above zero", networks={"lstm": {"width_ratio": "-1/4"}}),
    "ratio over zero": keys("a ratio such as 1/4", networks={"densenet": {"depth_ratio": "1/0"}}),
    "ratio of an unknown network": keys("`resnet`", networks={"width_ratios": {"resnet": 1}}),
    "no seeds": keys("`seeds`", "at least 1 item", seeds=[]),
    "seed below zero": keys("`seeds.0`", seeds=[-1]),
    "seed twice": keys("`seeds` names something twice", seeds=[3, 3]),
    "half a seed": keys("`seeds.0`", seeds=[0.5]),
    "unknown precision": keys("`precision`", precision="float16"),
    "unknown device": keys("`device`", device="tpu"),
    "unknown compile mode": keys("`compile`", compile="fast"),
    "answers limit below zero": keys("`logit_cache_limit_gib`", logit_cache_limit_gib=-1),
    "saving all the time": keys("`save.seconds`", save={"seconds": 0}),
    "saving every -1 epochs": keys("`save.epochs`", save={"epochs": -1}),
    "threads that no machine has": keys(
        "`training_resources.threads`", training_resources={"threads": 100_000}
    ),
    "no process": keys("`training_resources.processes`", training_resources={"processes": 0}),
    "processes of a language model": keys(
        "`lstm`: a language model is trained by one process, not 2; give it `processes: 1`",
        training_resources={"processes": 2},
    ),
    "processes of a single language model": keys(
        "`cnn_lstm`: a language model is trained by one process, not 4",
        network_resources={"cnn_lstm": {"processes": 4}},
    ),
    "processes that are compiled": keys(
        "`compile`: `default` is for one process, and `wide_resnet_28_10` takes 2",
        compile="default",
        network_resources={"wide_resnet_28_10": {"processes": 2}},
    ),
    "no GPU slot": keys("`training_resources.gpu_slots`", training_resources={"gpu_slots": 0}),
    "unknown network's threads": keys(
        "no network is called `resnet`", network_resources={"resnet": {"threads": 1}}
    ),
    "unknown data set": keys("`datasets.ptb.name`", datasets={"ptb": {"name": "wikitext"}}),
    "scale outside its folder": keys("`scale`", scale="../x"),
    "scale with a space": keys("`scale`", scale="a b"),
    "scale without a name": keys("`scale`", scale=""),
    "scale with a newline": keys("`scale`", scale="a\n"),
    "table outside its folder": keys("`tables.0`", tables=["../../etc/passwd"]),
    "no tables": keys("`tables`", "at least 1 item", tables=[]),
    "table that does not exist": (
        PLAN,
        lambda p: p.override(tables=["table7"]),
        ("tables/table7.yaml: no such table; there are",),
    ),
    "claims for a table": (
        PLAN,
        lambda p: p.override(tables=["claims"]),
        ("tables/claims.yaml", "unknown key"),
    ),
    # Keys that only the data or the machine can refuse
    "name too long for the disk": (
        [*TRAIN_TEACHER, *WRONG],
        lambda p: p.override(scale="x" * 300),
        ("cannot be written",),
    ),
    "more images than there are": (
        [*TRAIN_TEACHER, *WRONG],
        lambda p: p.override(datasets={"cifar10": {"train": 9999}}),
        ("digits: `train`: 9999 images asked", "ask fewer"),
    ),
    "crop wider than the image": (
        [*TRAIN_TEACHER, *WRONG],
        lambda p: p.override(images={"crop_padding": 8}),
        ("`images.crop_padding`: 8 pixels cannot be reflected from images of 8 × 8", "take fewer"),
    ),
    "last batch of one image": (
        ["train", "digits/densenet_90_60.label.0", *FILES, *WRONG],
        lambda p: (
            p.table(lambda t: t["rows"]["narrow"].update(network="densenet_90_60")),
            p.override(datasets={"cifar10": {"train": 33}}),
        ),
        ("a batch of one image", "change `images.batch_size`"),
    ),
    "words that do not fill a batch": (
        ["train", LSTM, *FILES, *WRONG],
        lambda p: p.override(language={"lstm": {"batch_size": 1000}}),
        ("`batch_size`: 1000 columns are not filled by 900 words", "take fewer"),
    ),
    "more words than there are": (
        ["train", LSTM, *FILES, *WRONG],
        lambda p: p.override(datasets={"ptb": {"train": 10**8}}),
        ("python_reference: `train`", "ask fewer"),
    ),
    "network larger than memory": (
        [*TRAIN_TEACHER, *WRONG],
        lambda p: p.override(networks={"width_ratios": {"wide_resnet_28_1": 10**6}}),
        ("the memory does not suffice", "lower `batch_size` or the network's `width_ratio`"),
    ),
    "no GPU": (
        [*TRAIN_TEACHER, *WRONG],
        lambda p: (
            p.monkeypatch.setattr(torch.cuda, "is_available", lambda: False),
            p.override(device="cuda"),
        ),
        ("`device: cuda`", "use `device: auto`"),
    ),
    "a rate that diverges": (
        [*TRAIN_TEACHER, *WRONG],
        lambda p: p.override(images={"learning_rate": 1e30}),
        ("not finite", "lower `learning_rate`"),
    ),
    # Options and arguments of the command line
    "no threads": (["train", TEACHER, *FILES, "--threads", "0"], nothing, ("--threads", "1")),
    "threads that are no number": (["train", TEACHER, "--threads", "two"], nothing, ("--threads",)),
    "option that does not exist": (["train", TEACHER, "--epochs", "3"], nothing, ("--epochs",)),
    "command that does not exist": (["tran", TEACHER], nothing, ("tran",)),
    "run outside its folder": (
        ["train", "../../x", *FILES],
        nothing,
        ("../../x: no such run", "lists"),
    ),
    "run at the root": (["train", "/etc/passwd", *FILES], nothing, ("/etc/passwd: no such run",)),
    "run with spaces": (["train", "a run; ls", *FILES], nothing, ("a run; ls: no such run",)),
    "run with a newline": (["train", "a\nb", *FILES], nothing, ("no such run",)),
    "run without a name": (["train", "", *FILES], nothing, ("no such run",)),
    "table out of its folder": (
        ["table", "../x", *FILES],
        nothing,
        ("../x: no such table", "there are"),
    ),
    "schema that does not exist": (
        ["schema", "cell"],
        nothing,
        ("cell: no such schema; there are",),
    ),
    "threads below zero": (["train", TEACHER, *FILES, "--threads", "-1"], nothing, ("--threads",)),
    "half a thread": (["train", TEACHER, *FILES, "--threads", "1.5"], nothing, ("--threads",)),
    "no run": (["train", *FILES], nothing, ("Missing argument",)),
    "two runs": (["train", TEACHER, STUDENT], nothing, ("unexpected extra argument",)),
    "no table": (["table", *FILES], nothing, ("Missing argument",)),
    "a value for a switch": (["table", "small", "--holes=3"], nothing, ("--holes",)),
    "cells of something": (["cells", "small"], nothing, ("unexpected extra argument",)),
    "claims of something": (["claims", "small"], nothing, ("unexpected extra argument",)),
    "plan of something": (["plan", "small"], nothing, ("unexpected extra argument",)),
    "no schema": (["schema"], nothing, ("Missing argument",)),
    "nothing to check": (["verify"], nothing, ("Missing argument",)),
    "no file for an option": (["plan", "--configfile"], nothing, ("--configfile",)),
    # Tables
    "table file missing": (
        ["plan", *FILES],
        lambda p: (p / "tables/small.yaml").unlink(),
        ("tables/small.yaml: no such table",),
    ),
    "table file empty": (
        ["plan", *FILES],
        lambda p: empty(p / "tables/small.yaml"),
        ("tables/small.yaml", "is wanted, not null"),
    ),
    "table file cut": (
        ["plan", *FILES],
        lambda p: cut(p / "tables/small.yaml"),
        ("tables/small.yaml",),
    ),
    "table file binary": (
        ["plan", *FILES],
        lambda p: binary(p / "tables/small.yaml"),
        ("tables/small.yaml", "text file"),
    ),
    "table file a folder": (
        ["plan", *FILES],
        lambda p: folder_instead(p / "tables/small.yaml"),
        ("tables/small.yaml",),
    ),
    "table file a list": (
        ["plan", *FILES],
        lambda p: p.put("tables/small.yaml", "- a\n"),
        ("tables/small.yaml", "a mapping `key: value` is wanted"),
    ),
    "table with an unknown key": table(lambda t: t.update(colour=1), "unknown key `colour`"),
    "table of an unknown network": table(
        lambda t: t["rows"]["narrow"].update(network="../x"), "unknown network `../x`"
    ),
    "table with a variant out of its folder": table(
        lambda t: t.update(variants={"../x": {}}), "`variants.../x"
    ),
    "table with a variant of a wrong value": table(
        lambda t: t.update(variants={"x": {"images": {"epochs": 0}}}),
        "variant `x`",
        "`images.epochs`",
    ),
    "table with a variant of another scale": table(
        lambda t: t.update(variants={"x": {"scale": "../y"}}), "variant `x`", "`scale`"
    ),
    "table with a row of two lines": table(
        lambda t: t["rows"].update({"a\nb": t["rows"]["narrow"]}), "`rows.a b.[key]`", "pattern"
    ),
    "table with a column of two lines": table(
        lambda t: t["columns"].update({"a\nb": t["columns"]["ban"]}),
        "`columns.a b.[key]`",
        "pattern",
    ),
    "table with a row without a name": table(
        lambda t: t["rows"].update({"": t["rows"]["narrow"]}),
        "`rows..[key]`: string should have at least 1 character",
    ),
    "table with a title of two lines": table(
        lambda t: t.update(title="a\nb"), "`title`", "pattern"
    ),
    "table with a note of a control character": table(
        lambda t: t.update(notes=["\x1b[2J"]), "`notes.0`", "pattern"
    ),
    "table with a row that bears two": table(
        lambda t: t["rows"]["narrow"].update(reported={"teacher": 1}), "column `ban` is missing"
    ),
    "table with text for a printed number": table(
        lambda t: t["rows"]["narrow"]["reported"].update(ban="good"), "reported.ban"
    ),
    "table with an endless printed number": table(
        lambda t: t["rows"]["narrow"]["reported"].update(ban=float("inf")), "reported.ban"
    ),
    # Claims
    "claims missing": (
        CLAIMS,
        lambda p: (p / "tables/claims.yaml").unlink(),
        ("tables/claims.yaml: no such",),
    ),
    "claims empty": (CLAIMS, lambda p: empty(p / "tables/claims.yaml"), ("tables/claims.yaml",)),
    "claims cut": (CLAIMS, lambda p: cut(p / "tables/claims.yaml"), ("tables/claims.yaml",)),
    "claims binary": (CLAIMS, lambda p: binary(p / "tables/claims.yaml"), ("tables/claims.yaml",)),
    "claims a folder": (
        CLAIMS,
        lambda p: folder_instead(p / "tables/claims.yaml"),
        ("tables/claims.yaml", "text file"),
    ),
    "claims a list": (
        CLAIMS,
        lambda p: p.put("tables/claims.yaml", "- a\n"),
        ("tables/claims.yaml", "a mapping `key: value` is wanted"),
    ),
    "claims of another version": (
        CLAIMS,
        lambda p: replace(p / "tables/claims.yaml", r"\Z", "hypotheses: {}\n"),
        ("tables/claims.yaml", "unknown key `hypotheses`"),
    ),
    "claims of a table outside the folder": (
        CLAIMS,
        lambda p: replace(p / "tables/claims.yaml", "table: table1", "table: ../x"),
        ("tables/claims.yaml", "no table `../x`"),
    ),
    # A run's record
    "record missing": (
        TRAIN_STUDENT,
        lambda p: p.of(TEACHER, "run.json").unlink(),
        ("run.json: no such file", "call snakemake"),
    ),
    "record empty": (
        TRAIN_STUDENT,
        lambda p: empty(p.of(TEACHER, "run.json")),
        ("run.json: damaged", RETRAIN),
    ),
    "record cut": (
        TRAIN_STUDENT,
        lambda p: cut(p.of(TEACHER, "run.json")),
        ("run.json: damaged", RETRAIN),
    ),
    "record binary": (
        TRAIN_STUDENT,
        lambda p: binary(p.of(TEACHER, "run.json")),
        ("run.json: damaged", RETRAIN),
    ),
    "record a folder": (
        TRAIN_STUDENT,
        lambda p: folder_instead(p.of(TEACHER, "run.json")),
        ("run.json: damaged", RETRAIN),
    ),
    "record a list": (
        TRAIN_STUDENT,
        lambda p: p.of(TEACHER, "run.json").write_text("[1]"),
        ("run.json: damaged", RETRAIN),
    ),
    "record nested without end": (
        TRAIN_STUDENT,
        lambda p: p.of(TEACHER, "run.json").write_text("[" * 100_000),
        ("run.json: damaged", RETRAIN),
    ),
    "record of a version without precision": record("without precision", precision=...),
    "record of a version without checksums": record("without checksums", checksums=...),
    "record of another recipe": (
        TRAIN_STUDENT,
        lambda p: p.record(TEACHER, recipe_hash="0"),
        (TEACHER, "trained by another recipe", "call snakemake"),
    ),
    "record with text for checksums": record("`checksums`", checksums="none"),
    "record without the model's checksum": record("`checksums.model.safetensors`", checksums={}),
    "record without a result": record("`result`", result={}),
    "record with text for a result": record(
        "`result.test error (%)`", result={"test error (%)": "low"}
    ),
    "record with a list of data": record("`dataset`", dataset=[]),
    "record with a number for a teacher": record("`teacher`", teacher=3),
    "student of another teacher": (
        TABLE,
        lambda p: p.record(STUDENT, teacher={"run": TEACHER, "model_sha256": "0"}),
        (STUDENT, "another teacher", "delete its run.json"),
    ),
    "record with text for parameters": (
        TABLE,
        lambda p: p.record(STUDENT, parameters="many"),
        (f"{STUDENT}/run.json", "`parameters`", RETRAIN),
    ),
    # Weights
    "weights missing": (
        TRAIN_STUDENT,
        lambda p: p.of(TEACHER, "model.safetensors").unlink(),
        ("model.safetensors", RETRAIN),
    ),
    "weights empty": (
        TRAIN_STUDENT,
        lambda p: empty(p.of(TEACHER, "model.safetensors")),
        ("model.safetensors", RETRAIN),
    ),
    "weights cut": (
        TRAIN_STUDENT,
        lambda p: cut(p.of(TEACHER, "model.safetensors")),
        ("model.safetensors", RETRAIN),
    ),
    "weights a folder": (
        TRAIN_STUDENT,
        lambda p: folder_instead(p.of(TEACHER, "model.safetensors")),
        ("model.safetensors", RETRAIN),
    ),
    "weights of no network, named by the record": (
        TRAIN_STUDENT,
        lambda p: (
            binary(p.of(TEACHER, "model.safetensors")),
            p.rename_in_record(TEACHER, p.of(TEACHER, "model.safetensors")),
        ),
        ("model.safetensors: damaged", RETRAIN),
    ),
    "weights by other names, named by the record": (
        [*TRAIN_STUDENT, *WRONG],
        lambda p: (
            save_file({"a": LOGITS}, p.of(TEACHER, "model.safetensors")),
            p.rename_in_record(TEACHER, p.of(TEACHER, "model.safetensors")),
            p.override(logit_cache_limit_gib=0),
        ),
        ("model.safetensors: damaged", RETRAIN),
    ),
    "weights of other shapes, named by the record": (
        [*TRAIN_STUDENT, *WRONG],
        lambda p: (
            save_file(
                {k: v[None] for k, v in load_file(p.of(TEACHER, "model.safetensors")).items()},
                p.of(TEACHER, "model.safetensors"),
            ),
            p.rename_in_record(TEACHER, p.of(TEACHER, "model.safetensors")),
            p.override(logit_cache_limit_gib=0),
        ),
        ("model.safetensors: damaged", RETRAIN),
    ),
    # TeacherLogits
    "answers empty": (
        TRAIN_STUDENT,
        lambda p: empty(p.of(TEACHER, TEACHERS_LOGITS)),
        (TEACHERS_LOGITS, "delete it"),
    ),
    "answers cut": (
        TRAIN_STUDENT,
        lambda p: cut(p.of(TEACHER, TEACHERS_LOGITS)),
        (TEACHERS_LOGITS, "delete it"),
    ),
    "answers binary": (
        TRAIN_STUDENT,
        lambda p: binary(p.of(TEACHER, TEACHERS_LOGITS)),
        (TEACHERS_LOGITS, "delete it"),
    ),
    "answers a folder": (
        TRAIN_STUDENT,
        lambda p: folder_instead(p.of(TEACHER, TEACHERS_LOGITS)),
        (TEACHERS_LOGITS, "delete it"),
    ),
    "answers by another name": (
        TRAIN_STUDENT,
        lambda p: save_file({"answers": LOGITS}, p.of(TEACHER, TEACHERS_LOGITS)),
        (TEACHERS_LOGITS, "delete it"),
    ),
    "answers of another shape": (
        TRAIN_STUDENT,
        lambda p: save_file(
            {"logits": LOGITS.astype(np.float16)},
            p.of(TEACHER, TEACHERS_LOGITS),
            {"teacher": files.checksum(p.of(TEACHER, "model.safetensors"))},
        ),
        (TEACHERS_LOGITS, "delete it"),
    ),
    "answers of another version": (
        TRAIN_STUDENT,
        lambda p: save_file(
            load_file(p.of(TEACHER, TEACHERS_LOGITS)), p.of(TEACHER, TEACHERS_LOGITS)
        ),
        (TEACHERS_LOGITS, "delete it"),
    ),
    "answers with a flipped bit": (
        TRAIN_STUDENT,
        lambda p: flip(p.of(TEACHER, TEACHERS_LOGITS)),
        (TEACHERS_LOGITS, "not the numbers that it was written with", "delete it"),
    ),
    # Predictions
    "predictions missing": (
        TABLE,
        lambda p: p.of(TEACHER, "predictions.safetensors").unlink(),
        ("predictions.safetensors: no such", "call snakemake"),
    ),
    "predictions empty": (
        TABLE,
        lambda p: empty(p.of(TEACHER, "predictions.safetensors")),
        ("predictions.safetensors: damaged", RETRAIN),
    ),
    "predictions cut": (
        TABLE,
        lambda p: cut(p.of(TEACHER, "predictions.safetensors")),
        ("predictions.safetensors: damaged", RETRAIN),
    ),
    "predictions binary": (
        TABLE,
        lambda p: binary(p.of(TEACHER, "predictions.safetensors")),
        ("predictions.safetensors: damaged", RETRAIN),
    ),
    "predictions a folder": (
        TABLE,
        lambda p: folder_instead(p.of(TEACHER, "predictions.safetensors")),
        ("predictions.safetensors: damaged", RETRAIN),
    ),
    "predictions of another run": (
        TABLE,
        lambda p: shutil.copy(
            p.of(STUDENT, "predictions.safetensors"), p.of(TEACHER, "predictions.safetensors")
        ),
        ("predictions.safetensors: not the file that run.json names", RETRAIN),
    ),
    "predictions by another name": predictions("unexpected tensors", answers=LOGITS),
    "predictions that are not finite": predictions(
        "not finite", logits=LOGITS * np.nan, labels=LABELS
    ),
    "predictions of nothing": predictions(
        "empty or not finite", logits=LOGITS[:0], labels=LABELS[:0]
    ),
    "predictions of fewer labels": predictions(
        "labels of shape (50,) for logits", logits=LOGITS, labels=LABELS[:50]
    ),
    "predictions of one number": predictions("of shape ()", logits=LOGITS[0, 0], labels=LABELS[0]),
    "predictions without classes": predictions(
        "logits of shape (100,)", logits=LOGITS[:, 0], labels=LABELS
    ),
    "predictions of a class too many": predictions(
        "labels up to 9 for logits of shape (100, 5)", logits=LOGITS[:, :5], labels=LABELS + 9
    ),
    "predictions in whole numbers": predictions("int64", logits=LOGITS.astype(int), labels=LABELS),
    # A saved state
    "state of another format": state(
        lambda s: s["identity"].update(format=99), "of another format", "delete it"
    ),
    "state of another recipe": state(
        lambda s: s["identity"].update(recipe="0"), "of another recipe", "delete it"
    ),
    "state of other data": state(
        lambda s: s["identity"].update(data="0"), "of another data", "delete it"
    ),
    "state of another network": state(
        lambda s: s["training"]["network"].popitem(), "does not fit", "delete it"
    ),
    "state without a stream": state(
        lambda s: s["training"].pop("streams"), "does not fit", "delete it"
    ),
    "state without its conditions": state(
        lambda s: s.pop("conditions"), "does not fit", "delete it"
    ),
    "state without an identity": state(lambda s: s["identity"].clear(), "of another", "delete it"),
    # Parts of tables
    "cells missing": (
        CELLS,
        lambda p: (p / "results/tiny/cells/small.csv").unlink(),
        ("cells/small.csv: not there", "build it with: snakemake"),
    ),
    "cells empty": (
        CELLS,
        lambda p: empty(p / "results/tiny/cells/small.csv"),
        ("cells/small.csv: damaged", REBUILD),
    ),
    "cells cut": (
        CELLS,
        lambda p: cut(p / "results/tiny/cells/small.csv"),
        ("cells/small.csv", REBUILD),
    ),
    "cells binary": (
        CELLS,
        lambda p: binary(p / "results/tiny/cells/small.csv"),
        ("cells/small.csv: damaged", REBUILD),
    ),
    "cells a folder": (
        CELLS,
        lambda p: folder_instead(p / "results/tiny/cells/small.csv"),
        ("cells/small.csv: damaged", REBUILD),
    ),
    "cells of another version": (
        CELLS,
        lambda p: p.put("results/tiny/cells/small.csv", "table,row\n"),
        ("cells/small.csv: other columns than table, row", REBUILD),
    ),
    "cells with text for a value": (
        CELLS,
        lambda p: replace(p / "results/tiny/cells/small.csv", r"\d+\.\d+", "low"),
        ("cells/small.csv", REBUILD),
    ),
    "collected cells missing": (
        CLAIMS,
        lambda p: (p / "results/tiny/cells.csv").unlink(),
        ("cells.csv: not there", "build it with: snakemake"),
    ),
    "collected cells empty": (
        CLAIMS,
        lambda p: empty(p / "results/tiny/cells.csv"),
        ("cells.csv: damaged", REBUILD),
    ),
    "collected cells cut": (
        CLAIMS,
        lambda p: cut(p / "results/tiny/cells.csv"),
        ("cells.csv", REBUILD),
    ),
    "collected cells binary": (
        CLAIMS,
        lambda p: binary(p / "results/tiny/cells.csv"),
        ("cells.csv: damaged", REBUILD),
    ),
    "collected cells a folder": (
        CLAIMS,
        lambda p: folder_instead(p / "results/tiny/cells.csv"),
        ("cells.csv: damaged", REBUILD),
    ),
    "collected cells of another version": (
        CLAIMS,
        lambda p: p.put("results/tiny/cells.csv", "table,row\n"),
        ("cells.csv: other columns than table, row", REBUILD),
    ),
    "collected cells with text for a seed": (
        CLAIMS,
        lambda p: replace(p / "results/tiny/cells.csv", ",0,", ",first,"),
        ("cells.csv: damaged", REBUILD),
    ),
    "collected cells twice": (
        CLAIMS,
        lambda p: replace(p / "results/tiny/cells.csv", r"(small.*\n)", r"\1\1"),
        ("cells.csv: damaged", REBUILD),
    ),
    # Results that are checked
    "results that are not there": (["verify", "none"], nothing, ("none: no results",)),
    "results that are a file": (["verify", "tiny.yaml"], nothing, ("tiny.yaml: no results",)),
    "configuration missing": checked(
        f"runs/{TEACHER}/config.json", Path.unlink, "config.json: cannot be read"
    ),
    "configuration empty": checked(
        f"runs/{TEACHER}/config.json", empty, "config.json is not the file"
    ),
    "configuration a folder": checked(
        f"runs/{TEACHER}/config.json", folder_instead, "config.json: cannot be read"
    ),
    "history missing": checked(
        f"runs/{TEACHER}/history.csv", Path.unlink, "history.csv: cannot be read"
    ),
    "history cut": checked(f"runs/{TEACHER}/history.csv", cut, "history.csv is not the file"),
    "checked table empty": checked("tables/small.csv", empty, "small.csv: damaged"),
    "checked table binary": checked("tables/small.csv", binary, "small.csv: damaged"),
    "checked table a folder": checked("tables/small.csv", folder_instead, "small.csv: damaged"),
    "checked page missing": checked("tables/small.html", Path.unlink, "small.html: cannot be read"),
    "checked page binary": checked("tables/small.md", binary, "small.md: cannot be read"),
    "checked claims cut": checked("claims.csv", cut, "claims.csv: "),
    "checked claims empty": checked("claims_power.csv", empty, "claims_power.csv: damaged"),
    "record of a recipe without keys": (
        ["verify", "results/tiny"],
        lambda p: p.record(TEACHER, recipe={}, code="none", versions=[]),
        ("results/tiny: ", "things do not fit"),
    ),
    # Outputs that are in the way
    "results a file": (
        TRAIN_TEACHER,
        lambda p: (shutil.rmtree(p / "results"), p.put("results", "a file")),
        ("results", "cannot be written"),
    ),
    "run's folder a file": (
        TRAIN_STUDENT,
        lambda p: (shutil.rmtree(p.of(STUDENT, "")), p.of(STUDENT, "").write_text("a file")),
        (STUDENT, "cannot be written"),
    ),
    "table's file a folder": (
        TABLE,
        lambda p: folder_instead(p / "results/tiny/tables/small.md"),
        ("tables/small.md: cannot be written",),
    ),
    "weights' file a folder": (
        TRAIN_TEACHER,
        lambda p: folder_instead(p.of(TEACHER, "model.safetensors")),
        ("model.safetensors: cannot be written",),
    ),
    "failure's file a folder": (
        TRAIN_TEACHER,
        lambda p: p.of(TEACHER, "failed.json").mkdir(),
        ("failed.json: cannot be deleted", "move away"),
    ),
    "failure that cannot be read": (
        TRAIN_STUDENT,
        lambda p: (p.of(TEACHER, "run.json").unlink(), binary(p.of(TEACHER, "failed.json"))),
        ("run.json: no such file", "the run is not trained: call snakemake"),
    ),
    "lock a folder": (
        TRAIN_TEACHER,
        lambda p: folder_instead(p.of(TEACHER, "train.lock")),
        ("cannot be written", "move away"),
    ),
    # Data
    "data root a file": (
        CIFAR,
        lambda p: (p.put("here", ""), p.override(**CIFAR_KEYS, data_root="here")),
        ("here: CIFAR10 cannot be read", "put cifar-10-python.tar.gz there by hand"),
    ),
    "data root of no user": (
        CIFAR,
        lambda p: p.override(**CIFAR_KEYS, data_root="~nobody-of-this-name/data"),
        ("`data_root`: ~nobody-of-this-name/data", "write it out"),
    ),
    "data root without a name": keys("`data_root`", "at least 1 character", data_root=""),
    "data root with a zero byte": keys("`data_root`", "pattern", data_root="a\0b"),
    "CIFAR missing": (
        CIFAR,
        lambda p: p.cifar().unlink(),
        ("data: CIFAR10 cannot be read or downloaded", "put cifar-10-python.tar.gz there by hand"),
    ),
    "CIFAR empty": (CIFAR, lambda p: empty(p.cifar()), ("data: CIFAR10", "there by hand")),
    "CIFAR cut": (CIFAR, lambda p: cut(p.cifar()), ("data: CIFAR10", "there by hand")),
    "CIFAR a folder": (
        CIFAR,
        lambda p: folder_instead(p.cifar()),
        ("data: CIFAR10", "there by hand"),
    ),
    "CIFAR unpacked and damaged, without its archive": (
        CIFAR,
        lambda p: (
            p.cifar().unlink(),
            (p / "data/cifar-10-batches-py").mkdir(),
            binary(p / "data/cifar-10-batches-py/data_batch_1"),
        ),
        ("data: CIFAR10", "there by hand"),
    ),
    "Fashion-MNIST missing": (
        FASHION,
        lambda p: shutil.rmtree(p.fashion()),
        ("data: Fashion-MNIST", "dataset-fashion-mnist"),
    ),
    "Fashion-MNIST empty": (
        FASHION,
        lambda p: empty(p.fashion() / "train-labels-idx1-ubyte.gz"),
        ("train-labels-idx1-ubyte: damaged", "delete it to have it unpacked again"),
    ),
    "Fashion-MNIST cut": (
        FASHION,
        lambda p: cut(p.fashion() / "train-images-idx3-ubyte.gz"),
        ("data: Fashion-MNIST", "dataset-fashion-mnist"),
    ),
    "Fashion-MNIST not packed": (
        FASHION,
        lambda p: binary(p.fashion() / "train-images-idx3-ubyte.gz"),
        ("data: Fashion-MNIST", "Not a gzipped file", "dataset-fashion-mnist"),
    ),
    "Fashion-MNIST of something else": (
        FASHION,
        lambda p: (p.fashion() / "t10k-images-idx3-ubyte.gz").write_bytes(
            gzip.compress(b"text" * 9)
        ),
        ("t10k-images-idx3-ubyte: damaged", "delete it to have it unpacked again"),
    ),
    "Fashion-MNIST unpacked and cut": (
        FASHION,
        lambda p: (
            p.fashion(),
            (p / "data/FashionMNIST/raw").mkdir(parents=True),
            (p / "data/FashionMNIST/raw/train-images-idx3-ubyte").write_bytes(b"\0\0\x08\3"),
        ),
        ("train-images-idx3-ubyte: damaged", "delete it to have it unpacked again"),
    ),
    "Fashion-MNIST of fewer labels": (
        FASHION,
        lambda p: shutil.copy(
            p.fashion() / "t10k-labels-idx1-ubyte.gz", p / "debian/train-labels-idx1-ubyte.gz"
        ),
        ("train-labels-idx1-ubyte do not fit each other", "delete both"),
    ),
    "Penn Treebank missing": (
        PTB,
        lambda p: (p.treebank() / "ptb.valid.txt").unlink(),
        ("cannot download ptb.valid.txt", "put Mikolov's ptb.valid.txt"),
    ),
    "Penn Treebank empty": (
        PTB,
        lambda p: empty(p.treebank() / "ptb.train.txt"),
        ("penn_treebank/ptb.train.txt is not Mikolov's file", "delete it"),
    ),
    "Penn Treebank cut": (
        PTB,
        lambda p: cut(p.treebank() / "ptb.test.txt"),
        ("penn_treebank/ptb.test.txt is not Mikolov's file", "delete it"),
    ),
    "Penn Treebank a folder": (
        PTB,
        lambda p: folder_instead(p.treebank() / "ptb.test.txt"),
        ("penn_treebank/ptb.test.txt is not Mikolov's file", "delete it"),
    ),
    "digits missing": (TRAIN_TEACHER, lambda p: p.digits().unlink(), DIGITS),
    "digits empty": (TRAIN_TEACHER, lambda p: empty(p.digits()), DIGITS),
    "digits cut": (TRAIN_TEACHER, lambda p: cut(p.digits()), DIGITS),
    "digits binary": (TRAIN_TEACHER, lambda p: binary(p.digits()), DIGITS),
    "digits a folder": (TRAIN_TEACHER, lambda p: folder_instead(p.digits()), DIGITS),
    "digits of other columns": (
        TRAIN_TEACHER,
        lambda p: p.digits().write_bytes(gzip.compress(b"1,2,3\n4,5,6\n")),
        DIGITS,
    ),
    "digits of letters": (
        TRAIN_TEACHER,
        lambda p: p.digits().write_bytes(gzip.compress(b"a,b\n")),
        DIGITS,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_one_line_that_names_the_cure_and_nothing_is_lost(
    name: str, place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments, damage, said = CASES[name]
    damage(place)
    before = contents(place.folder)
    capfd.readouterr()
    status = run_command(arguments)
    stderr = capfd.readouterr().err
    check_message(status, stderr, said)
    assert lost(before, contents(place.folder), arguments) == []


def check_message(status: int, stderr: str, said: tuple[str, ...]) -> None:
    """One line that begins with `error:` and says all this, or the usage of the command line."""
    assert "Traceback" not in stderr
    if status == 2:
        assert stderr.startswith(("Usage: ", "╭─ Error "))
        shown = re.sub(r"[\s│]+", " ", stderr)
    else:
        assert status == 1
        last = stderr.splitlines()[-1]
        assert last.startswith("error: ")
        # What a table cannot show, or a check does not pass, is named one by one before.
        named = [
            line
            for line in stderr.splitlines()
            if line.startswith(("error: ", "empty cell: ", "wrong: "))
        ]
        shown = next((line for line in named if said[0] in line), last)
        assert len([line for line in named if line.startswith("error: ")]) == 1
        assert shown.isprintable()
    for part in said:
        assert part in shown


def lost(
    before: dict[str, bytes | None], after: dict[str, bytes | None], arguments: Arguments
) -> list[str]:
    """What was there and is not, or has other bytes; and halves of files that nobody wants."""
    renewed = re.compile(r"results/tiny/(tables|cells)/small\.\w+" if arguments == TABLE else "$")
    gone = [name for name in before if before[name] != after.get(name, ...)]
    return [name for name in gone if not renewed.fullmatch(name)] + [
        name for name in after if name not in before and name.endswith(".part")
    ]


def call(place: Place, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "replication", *arguments],
        cwd=place.folder, env={**os.environ, **environment}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "name", ["scale file binary", "no threads", "record cut", "Penn Treebank missing"]
)
def test_a_process_says_and_returns_the_same(name: str, place: Place) -> None:
    arguments, damage, said = CASES[name]
    damage(place)
    if "Treebank" in name:
        said = ("is not Mikolov's file", "delete it")  # whose sums the process knows
    done = call(place, *arguments)
    check_message(done.returncode, done.stderr, said)


# PyTorch itself dies of so many.
def test_threads_that_no_machine_has_are_refused(place: Place) -> None:
    done = call(place, "train", TEACHER, *FILES, "--threads", "100000")
    check_message(done.returncode, done.stderr, ("--threads", "1024"))


def test_a_traceback_is_shown_where_it_is_asked_for(place: Place) -> None:
    done = call(place, *PLAN, REPLICATION_TRACEBACK="1")
    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
    assert "InputError: wrong.yaml: no such file" in done.stderr.splitlines()[-1]


@pytest.fixture
def server(place: Place) -> Iterator[Path]:
    """The socket of a process that stands by for trainings."""
    code = (
        "import os, sys; from replication.runtime import forkserver; forkserver.start();"
        "print(os.environ[forkserver.VARIABLE], flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout
        path = Path(owner.stdout.readline().strip())
        limit = time.monotonic() + 60
        while not path.exists() and time.monotonic() < limit:
            time.sleep(0.05)
        yield path
        owner.kill()


def test_the_process_that_stands_by_survives_what_its_trainings_do_not(
    place: Place, server: Path
) -> None:
    environment = {forkserver.VARIABLE: str(server), "REPLICATION_TRACEBACK": "1"}
    cut(place.of(TEACHER, "run.json"))
    done = call(place, *TRAIN_STUDENT, **environment)
    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
    assert "run.json: damaged" in done.stderr.splitlines()[-1]
    with open("/dev/full", "wb") as full:  # a log on a full disk
        subprocess.run(
            [sys.executable, "-m", "replication", *TRAIN_TEACHER],
            cwd=place.folder, env={**os.environ, **environment}, stdout=full, check=False,
        )  # fmt: skip
    assert server.is_socket()
    gone = place / "gone"
    gone.mkdir()
    code = (
        "import os; from replication.runtime import forkserver; here = os.getcwd(); os.rmdir(here);"
        "os.getcwd = lambda: here; print(forkserver.delegate(['train', 'x']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=gone, env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout == "None\n", done.stderr
    assert server.is_socket()


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


DAMAGED_STATES: dict[str, Callable[[Path], object]] = {
    "cut": cut,
    "empty": empty,
    "binary": binary,
    "a folder": folder_instead,
    "with a flipped bit": flip,
    "of something else": lambda file: torch.save([1, 2], file),
    "of another version": lambda file: torch.save({"training": {}}, file),
}


@pytest.mark.parametrize("damage", DAMAGED_STATES)
def test_a_damaged_state_is_named_and_the_one_before_it_is_taken(
    damage: str, place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    weights = place.of(TEACHER, "model.safetensors").read_bytes()
    for name in ("checkpoint.pt", "checkpoint.previous.pt"):
        shutil.copy(place / "states" / name, place.of(TEACHER, name))
    DAMAGED_STATES[damage](place.of(TEACHER, "checkpoint.pt"))
    status = run_command(TRAIN_TEACHER)
    stderr = capfd.readouterr().err
    assert f"{TEACHER}/state.pt: damaged (" in stderr
    assert "passed over" in stderr
    assert (
        f"goes on from results/tiny/runs/{TEACHER}/checkpoint.previous.pt after epoch 1/2" in stderr
    )
    if damage == "a folder":  # which cannot be written over
        assert stderr.splitlines()[-1].startswith("error: ")
        assert status == 1
    else:
        assert status == 0
        assert place.of(TEACHER, "model.safetensors").read_bytes() == weights


def test_a_states_every_bit_counts(place: Place) -> None:
    content = (place / "states/state.pt").read_bytes()
    positions = np.random.default_rng(0).integers(len(content), size=60)
    file = place / "flipped.pt"
    for position in [*positions, *range(8), *range(len(content) - 22, len(content))]:
        flipped = bytearray(content)
        flipped[position] ^= 1 << position % 8
        file.write_bytes(flipped)
        try:
            found = read_state(file)
        except DamagedState:
            continue
        # Bits of the archive's own bookkeeping that say nothing of its content.
        assert found.keys() == {*CONTENT, "conditions"}


READERS: dict[str, tuple[Damage, Callable[[Results], object], tuple[str, ...]]] = {
    "table missing": (
        lambda p: (p / "results/tiny/tables/small.csv").unlink(),
        lambda r: r.table("small"),
        ("tables/small.csv: not there", "build it with: snakemake"),
    ),
    "table empty": (
        lambda p: empty(p / "results/tiny/tables/small.csv"),
        lambda r: r.table("small"),
        ("tables/small.csv: damaged", "delete it"),
    ),
    "table binary": (
        lambda p: binary(p / "results/tiny/tables/small.csv"),
        lambda r: r.table("small"),
        ("tables/small.csv: damaged", "delete it"),
    ),
    "table of another version": (
        lambda p: p.put("results/tiny/tables/small.csv", "table,value\n"),
        lambda r: r.table("small"),
        ("tables/small.csv: without row, column", "delete it"),
    ),
    "table a folder": (
        lambda p: folder_instead(p / "results/tiny/tables/small.csv"),
        lambda r: r.table("small"),
        ("tables/small.csv: damaged", "delete it"),
    ),
    "page missing": (
        lambda p: (p / "results/tiny/tables/small.html").unlink(),
        lambda r: r.html("small"),
        ("tables/small.html: not there", "build it with: snakemake"),
    ),
    "page binary": (
        lambda p: binary(p / "results/tiny/tables/small.html"),
        lambda r: r.html("small"),
        ("tables/small.html: damaged", "delete it"),
    ),
    "cells of another version": (
        lambda p: p.put("results/tiny/cells.csv", "table,value\n"),
        lambda r: r.cells(),
        ("cells.csv: other columns than table, row", "delete it"),
    ),
    "claims empty": (
        lambda p: empty(p / "results/tiny/claims.csv"),
        lambda r: r.claims(),
        ("claims.csv: damaged", "delete it"),
    ),
    "claims' numbers a folder": (
        lambda p: folder_instead(p / "results/tiny/claims_power.csv"),
        lambda r: r.claims_power(),
        ("claims_power.csv: damaged", "delete it"),
    ),
    "history missing": (
        lambda p: p.of(STUDENT, "history.csv").unlink(),
        lambda r: r.histories("small", ["ban"]),
        (f"{STUDENT}/history.csv: not there", "build it"),
    ),
    "history empty": (
        lambda p: empty(p.of(STUDENT, "history.csv")),
        lambda r: r.histories("small", ["ban"]),
        (f"{STUDENT}/history.csv: damaged", "delete it"),
    ),
    "history of another version": (
        lambda p: p.of(STUDENT, "history.csv").write_text("step,loss\n1,2\n"),
        lambda r: r.histories("small", ["ban"]),
        (f"{STUDENT}/history.csv: without epoch", "delete it"),
    ),
    "histories of no cell": (
        nothing,
        lambda r: r.histories("table2", ["ban"]),
        ("cells.csv: nothing of table2 in ban", "build it"),
    ),
    "predictions cut": (
        lambda p: cut(p.of(STUDENT, "predictions.safetensors")),
        lambda r: r.predictions("small", "ban"),
        ("predictions.safetensors: damaged", RETRAIN),
    ),
}


@pytest.mark.parametrize("name", READERS)
def test_what_notebooks_read_is_named_with_its_cure(name: str, place: Place) -> None:
    damage, read, said = READERS[name]
    damage(place)
    with pytest.raises(InputError) as caught:
        read(Results(place / "results/tiny"))
    message = str(caught.value)
    assert message.isprintable()
    assert all(part in message for part in said), message


# Disks

PAGE = 4096


@pytest.fixture
def disk(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The prepared folder on a disk of its own, in which the command is called."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk takes root")
    try:
        shutil.copytree(prepared, folder, dirs_exist_ok=True)
        monkeypatch.chdir(folder)
        yield Place(folder, monkeypatch)
    finally:
        monkeypatch.chdir(tmp_path)
        # Lazily: a teacher's answers may still be mapped.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(place: Place, but: int) -> Path:
    """Fill the disk but for so many bytes; the file to delete for room."""
    state = os.statvfs(place.folder)
    filler = place / "filler"
    filler.write_bytes(b"x" * (state.f_bavail * state.f_bsize - but))
    return filler


def clear(place: Place, *names: str) -> int:
    """Delete files of the teacher; how many bytes of disk they took."""
    sizes = [place.of(TEACHER, name).stat().st_blocks * 512 for name in names]
    for name in names:
        place.of(TEACHER, name).unlink()
    return sum(sizes)


# What is called, which file does not fit, and how much room there is beside the lock's page.
FULL: dict[str, tuple[Arguments, str, Callable[[Place], int]]] = {
    "state": (TRAIN_TEACHER, f"{TEACHER}/state.pt", lambda p: 0),
    "weights": ([*TRAIN_TEACHER, *WRONG], f"{TEACHER}/model.safetensors", lambda p: PAGE),
    "predictions": (
        [*TRAIN_TEACHER, *WRONG],
        f"{TEACHER}/predictions.safetensors",
        lambda p: clear(p, "model.safetensors", "predictions.safetensors") - PAGE,
    ),
    "answers": (
        [*TRAIN_TEACHER, *WRONG],
        f"{TEACHER}/{TEACHERS_LOGITS}",
        lambda p: clear(p, "model.safetensors", "predictions.safetensors", TEACHERS_LOGITS) - PAGE,
    ),
    "cells of a table": (TABLE, "cells/small.csv", lambda p: -PAGE),
    "table": (
        TABLE,
        "tables/small.html",
        lambda p: (p / "results/tiny/tables/small.html").stat().st_blocks * 512 - 2 * PAGE,
    ),
    "collected cells": (CELLS, "results/tiny/cells.csv", lambda p: -PAGE),
    "claims": (CLAIMS, "results/tiny/claims.csv", lambda p: 0),
}


@pytest.mark.parametrize("what", FULL)
def test_a_full_disk_is_one_line_loses_nothing_and_the_next_call_goes_on(
    what: str, disk: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments, file, room = FULL[what]
    disk.override(save={"epochs": 0})
    filler = fill(disk, room(disk) + PAGE)
    before = contents(disk.folder)
    assert run_command(arguments) == 1
    stderr = capfd.readouterr().err
    said = (f"{file}: cannot be written", "No space left on device", "make room")
    check_message(1, stderr, said)
    after = contents(disk.folder)
    assert lost(before, after, arguments) == []
    filler.unlink()
    assert run_command(arguments) == 0


@pytest.fixture
def read_only(disk: Place) -> Place:
    """The same disk, which nobody can write to any more."""
    disk.cifar()
    remount = ["mount", "-o", "remount,ro", str(disk.folder)]
    if subprocess.run(remount, check=False, capture_output=True).returncode:
        pytest.skip("a disk cannot be made read-only here")
    return disk


@pytest.mark.parametrize(
    "arguments", [TRAIN_TEACHER, TRAIN_STUDENT, TABLE, CELLS, CLAIMS], ids=lambda it: it[0]
)
def test_a_folder_that_cannot_be_written_is_named(
    arguments: Arguments, read_only: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    before = contents(read_only.folder)
    status = run_command(arguments)
    said = ("results/tiny/", "cannot be written (Read-only file system)", "give write permission")
    check_message(status, capfd.readouterr().err, said)
    assert contents(read_only.folder) == before
    assert run_command(["plan", *FILES]) == 0


def test_data_are_read_from_a_folder_that_cannot_be_written(
    disk: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = disk.cifar()
    with tarfile.open(archive) as packed:
        packed.extractall(disk / "data", filter="data")
    archive.unlink()
    subprocess.run(["mount", "-o", "remount,ro", str(disk.folder)], check=True)
    before = contents(disk.folder)
    found = images.cifar("CIFAR10")(disk / "data")
    assert [len(part.labels) for part in found] == [50, 10]
    assert contents(disk.folder) == before
