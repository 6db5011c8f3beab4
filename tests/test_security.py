"""Nothing runs that files bring along: no pickles, no escapes of archives, no shells, no ports."""

import ast
import contextlib
import gzip
import hashlib
import io
import os
import pickle
import re
import shlex
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from support.archives import cifar_archive, fashion_files
from support.plans import ROOT, TINY, tiny_plan
from support.workplace import PATH, Workplace
from torchvision import datasets

from replication import files
from replication.cli import run_command
from replication.config.scale import ImageDataset
from replication.data import download, images
from replication.data.images import load_images
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.runs import record as runs
from replication.runtime import forkserver
from replication.training.run import train

RUN = "digits/wide_resnet_28_1.label.0"
MODULES = sorted((ROOT / "replication").rglob("*.py"))
RULES = [ROOT / "Snakefile", *sorted((ROOT / "rules").glob("*.smk"))]

# (a) The code

LOADERS = {"load", "loads", "Unpickler", "load_all", "unsafe_load", "full_load", "read_pickle"}
SAFE_LOADERS = {"safe_load", "SafeLoader", "CSafeLoader"}


def dotted(node: ast.expr) -> str:
    """A name with its modules: `torch.load`."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def keyword(call: ast.Call, name: str) -> str:
    """An argument as it is written, or nothing."""
    return next((ast.unparse(it.value) for it in call.keywords if it.arg == name), "")


def unsafe(call: ast.Call) -> bool:
    """Whether a call runs what a file or a string brings along."""
    name = dotted(call.func)
    module, _, function = name.rpartition(".")
    if name == "torch.load":
        return keyword(call, "weights_only") != "True"
    if module in ("pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"):
        return function in LOADERS | {"open"}
    if module == "yaml":
        loader = keyword(call, "Loader").rpartition(".")[2]
        return function in LOADERS and loader not in SAFE_LOADERS
    if module in ("np", "numpy") and function == "load":
        return keyword(call, "allow_pickle") == "True"
    if module in ("os", "subprocess") and keyword(call, "shell") not in ("", "False"):
        return True
    return name in {
        *("eval", "exec", "compile", "__import__", "pd.read_pickle", "os.system", "os.popen"),
        *("subprocess.getoutput", "subprocess.getstatusoutput", "pty.spawn", "snakemake.shell"),
    }


def listens(call: ast.Call) -> bool:
    """Whether a call opens a socket that others than this user could reach."""
    name = dotted(call.func)
    if name.endswith(("create_server", "TCPServer", "HTTPServer", "serve_forever")):
        return True
    if name.rpartition(".")[2] == "socket" and name.startswith("socket"):
        return [ast.unparse(argument) for argument in call.args] != ["socket.AF_UNIX"]
    return False


def calls(source: str, bad: Callable[[ast.Call], bool]) -> list[str]:
    """The calls of a kind in a module, as they are written."""
    nodes = ast.walk(ast.parse(source))
    return [ast.unparse(node) for node in nodes if isinstance(node, ast.Call) and bad(node)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_module_runs_what_files_or_strings_bring_along(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert calls(source, unsafe) == []
    assert calls(source, listens) == []
    # By another name the calls above would not be recognised.
    aliases = r"from (pickle|yaml|os|subprocess|torch) import .*\b(loads?|system|popen|run|Popen)\b"
    assert not re.search(aliases, source)


@pytest.mark.parametrize(
    "code",
    [
        "torch.load(file)",
        "torch.load(file, weights_only=False)",
        "pickle.load(stream)",
        "pickle.loads(content)",
        "pickle.Unpickler(stream).load()",
        "yaml.load(text)",
        "yaml.load(text, Loader=yaml.Loader)",
        "yaml.unsafe_load(text)",
        "np.load(file, allow_pickle=True)",
        "pd.read_pickle(file)",
        "eval(text)",
        "exec(text)",
        "os.system(text)",
        "os.popen(text)",
        "subprocess.run(text, shell=True)",
        "subprocess.getoutput(text)",
    ],
)
def test_the_search_finds_what_it_looks_for(code: str) -> None:
    assert len(calls(code, unsafe)) == 1


@pytest.mark.parametrize(
    "code",
    [
        "socket.socket()",
        "socket.socket(socket.AF_INET)",
        "socketserver.TCPServer(at, it)",
        "socket.create_server(at)",
    ],
)
def test_the_search_finds_ports(code: str) -> None:
    assert len(calls(code, listens)) == 1


# (b) Malicious files


class Payload:
    """A pickle that makes a file when it is read."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def malicious(file: Path, kind: str, marker: Path) -> None:
    payload = {"identity": Payload(marker), "seconds": 1.0, "attempts": 1, "training": {}}
    if kind == "pickle":
        file.write_bytes(pickle.dumps(payload))
    else:
        torch.save(payload, file, _use_new_zipfile_serialization=kind == "zip")


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(tmp_path)
    return tiny_plan()


KINDS = ["pickle", "zip", "old format"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_payload_works_where_nobody_is_careful(kind: str, tmp_path: Path) -> None:
    file, marker = tmp_path / "checkpoint.pt", tmp_path / "marker"
    malicious(file, kind, marker)
    if kind == "pickle":
        pickle.loads(file.read_bytes())
    else:
        torch.load(file, weights_only=False)
    assert marker.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_malicious_state_is_passed_over_unread(
    kind: str, plan: Plan, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = plan.folder(plan.run(RUN))
    folder.mkdir(parents=True)
    malicious(folder / "checkpoint.pt", kind, tmp_path / "marker")
    train(plan, plan.run(RUN))
    assert "state.pt: damaged (" in capfd.readouterr().err
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize(
    "name", [runs.MODEL, runs.PREDICTIONS, "teacher_logits.1-view.safetensors"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_malicious_results_are_refused_unread(
    name: str, kind: str, plan: Plan, tmp_path: Path
) -> None:
    teacher, student = plan.run(RUN), plan.run(f"{RUN}/wide_resnet_28_1.ban.0")
    train(plan, teacher)
    file = plan.folder(teacher) / name
    malicious(file, kind, tmp_path / "marker")
    if name == runs.PREDICTIONS:
        with pytest.raises(InputError, match=f"{name}: damaged"):
            runs.read_predictions(plan.folder(teacher))
    else:
        if name == runs.MODEL:  # a record that vouches for it
            file.with_name("teacher_logits.1-view.safetensors").unlink()
            record = (text := plan.folder(teacher) / runs.RECORD).read_text(encoding="utf-8")
            named = runs.read_record(plan.folder(teacher))["checksums"][name]
            text.write_text(record.replace(named, files.checksum(file)), encoding="utf-8")
        with pytest.raises(InputError, match=rf"{name}: damaged"):
            train(plan, student)
    assert not (tmp_path / "marker").exists()


# (c) Archives


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def poisoned(archive: Path, *members: tarfile.TarInfo) -> None:
    """Put members behind those that an archive has; their checksums are made to fit elsewhere."""
    with tarfile.open(archive) as tar:
        whole = [(info, tar.extractfile(info)) for info in tar.getmembers()]
        content = [(info, stream.read() if stream else b"") for info, stream in whole]
    with tarfile.open(archive, "w:gz") as tar:
        for info, data in [*content, *((info, b"escaped") for info in members)]:
            info.size = len(data) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(data) if info.isreg() else None)


ESCAPES: dict[str, Callable[[Path], list[tarfile.TarInfo]]] = {
    "a name that climbs": lambda out: [member("../escaped")],
    "a name that climbs from within": lambda out: [member("cifar-10-batches-py/../../escaped")],
    "an absolute name": lambda out: [member(str(out / "escaped"))],
    "a link to a folder outside": lambda out: [
        member("link", tarfile.SYMTYPE, str(out)), member("link/escaped"),
    ],
    "a link that climbs": lambda out: [
        member("link", tarfile.SYMTYPE, ".."), member("link/escaped"),
    ],
    "a hard link to a file outside": lambda out: [
        member("hard", tarfile.LNKTYPE, "../precious"), member("hard"),
    ],
    "a device": lambda out: [member("device", tarfile.CHRTYPE)],
}  # fmt: skip


@pytest.mark.parametrize("name", ESCAPES)
def test_no_member_of_an_archive_leaves_its_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, precious = tmp_path / "data", tmp_path / "precious"
    root.mkdir()
    precious.write_text("whole")
    cifar_archive(root, "CIFAR10", monkeypatch)
    poisoned(root / datasets.CIFAR10.filename, *ESCAPES[name](tmp_path))
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", md5(root / datasets.CIFAR10.filename))
    with contextlib.suppress(InputError):
        load_images(ImageDataset(name="cifar10"), root, "test")
    assert {path.name for path in tmp_path.iterdir()} == {"data", "precious"}
    assert precious.read_text() == "whole"
    assert not any(path.is_char_device() for path in root.rglob("*"))


def md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes()).hexdigest()


def test_a_packed_file_gets_the_name_that_is_looked_for_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    debian, data = tmp_path / "debian", tmp_path / "data"
    fashion_files(debian)
    for file in debian.glob("*.gz"):
        content = gzip.decompress(file.read_bytes())
        with file.open("wb") as stream, gzip.GzipFile("../../escaped", "wb", fileobj=stream) as out:
            out.write(content)
    (debian / "..escaped.gz").write_bytes(gzip.compress(b"escaped"))
    monkeypatch.setattr(images, "DEBIAN_FASHION_MNIST", debian)
    load_images(ImageDataset(name="fashion_mnist"), data, "test")
    names = {path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file()}
    assert names - {".Fashion-MNIST.lock"} == {
        f"FashionMNIST/raw/{part}-{kind}-ubyte"
        for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
    }  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == {"debian", "data"}


def test_cifar_is_not_unpickled_before_its_checksum_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cifar_archive(tmp_path, "CIFAR10", monkeypatch)
    (tmp_path / datasets.CIFAR10.filename).unlink()
    folder = tmp_path / datasets.CIFAR10.base_folder
    folder.mkdir()
    for name, _ in (*datasets.CIFAR10.train_list, *datasets.CIFAR10.test_list):
        (folder / name).write_bytes(pickle.dumps(Payload(tmp_path / "marker")))
    with pytest.raises(InputError, match="CIFAR10 cannot be read or downloaded"):
        load_images(ImageDataset(name="cifar10"), tmp_path, "test")
    assert not (tmp_path / "marker").exists()


# (d) Downloads


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("cifar10", "cifar-10-python.tar.gz"),
        ("cifar100", "cifar-100-python.tar.gz"),
        ("fashion_mnist", "FashionMNIST/raw/train-images-idx3-ubyte.gz"),
    ],
)
def test_a_download_of_other_bytes_is_refused_and_does_not_get_the_files_name(
    name: Any, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def answer(url: str, part: Path, start: int) -> None:
        asked.append(url)
        part.write_bytes(gzip.compress(b"other bytes"))

    monkeypatch.setattr(download, "_fetch", answer)
    monkeypatch.setattr(images, "DEBIAN_FASHION_MNIST", tmp_path / "none")
    with pytest.raises(InputError, match="its md5 sum is not"):
        load_images(ImageDataset(name=name), tmp_path, "test")
    assert len(asked) == 1
    assert not (tmp_path / file).exists()
    kept = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert [name for name in kept if not name.endswith(".lock")] == []


def test_a_damaged_archive_is_kept_until_a_whole_one_has_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cifar_archive(tmp_path, "CIFAR10", monkeypatch)
    archive = tmp_path / datasets.CIFAR10.filename
    archive.write_bytes(archive.read_bytes()[:1000])
    before = archive.read_bytes()
    monkeypatch.setattr(download, "_fetch", lambda url, part, start: part.write_bytes(b"no"))
    with pytest.raises(InputError, match="its md5 sum is not"):
        load_images(ImageDataset(name="cifar10"), tmp_path, "test")
    assert archive.read_bytes() == before


# (e) Shells

HOSTILE = {
    "semicolon": "a; touch escaped;",
    "substitution": "$(touch escaped)",
    "backquotes": "`touch escaped`",
    "quotes": "'; touch escaped; '",
    "double quotes": '"; touch escaped; "',
    "newline": "a\ntouch escaped\n",
    "pipe": "a | touch escaped",
    "braces": "{input} {wildcards.run} $HOME",
}
SMALL = {
    "title": "A teacher", "dataset": "cifar10", "columns": {"teacher": {"objective": "label"}},
    "rows": {"narrow": {"network": "wide_resnet_28_1"}},
}  # fmt: skip


class OwnTables(Workplace):
    """A workplace whose tables and configuration are copies."""

    LINKED = ("Snakefile", "rules", "config", "notebooks", "profiles", "environment.yml")

    def __init__(self, folder: Path, table: dict[str, Any], **keys: Any) -> None:
        folder.mkdir()
        super().__init__(folder)
        (folder / "tables").mkdir()
        self.write("tables/small.yaml", table)
        self.write("mine.yaml", {**TINY, "tables": ["small"], **keys})

    def write(self, name: str, data: dict[str, Any]) -> None:
        (self.folder / name).write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")

    @property
    def escaped(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if "escaped" in path.name]


def hostile_table(text: str) -> dict[str, Any]:
    """A table with this text wherever any is free."""
    return {
        "title": text,
        "dataset": "cifar10",
        "notes": [text],
        "columns": {text: {"objective": "label"}},
        "rows": {text: {"network": "wide_resnet_28_1", "reported": {text: 6.7}}},
    }


FIELDS: dict[str, Callable[[str], tuple[dict[str, Any], dict[str, Any]]]] = {
    "scale": lambda text: (SMALL, {"scale": text}),
    "table": lambda text: (SMALL, {"tables": [text]}),
    "variant": lambda text: ({**SMALL, "variants": {text: {}}}, {}),
    "network": lambda text: ({**SMALL, "rows": {"a": {"network": text}}}, {}),
    "data set": lambda text: (SMALL, {"datasets": {"cifar10": {"name": text}}}),
    "network of a ratio": lambda text: (SMALL, {"networks": {"width_ratios": {text: 1}}}),
    "device": lambda text: (SMALL, {"device": text}),
}


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("field", FIELDS)
def test_text_that_becomes_a_name_is_refused(
    field: str,
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    place = OwnTables(tmp_path / "place", *FIELDS[field](HOSTILE[text])[:1])
    place.write("wrong.yaml", FIELDS[field](HOSTILE[text])[1] or {"seeds": [0]})
    monkeypatch.chdir(place.folder)
    files = ("config/digits.yaml", "mine.yaml", "wrong.yaml")
    assert run_command(["plan", *(f"--configfile={file}" for file in files)]) == 1
    assert capfd.readouterr().err.startswith("error: ")


def test_free_text_and_names_of_files_reach_no_shell(tmp_path: Path) -> None:
    text = "".join(value for name, value in HOSTILE.items() if name != "newline")
    place = OwnTables(tmp_path / "place", hostile_table(text), data_root=text)
    name = "$(touch escaped); touch escaped.yaml"
    (place.folder / "mine.yaml").rename(place.folder / name)
    done = place.call("-p", "small", "--configfile", "config/digits.yaml", name, mine=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.name for path in place.escaped] == [name]
    commands = re.findall(r"\b(replication (?:train|table) .*)", done.stdout + done.stderr)
    assert {shlex.split(command)[1] for command in commands} == {"train", "table"}
    assert not any("touch" in command for command in commands)
    page = (place.folder / "results/tiny/tables/small.html").read_text(encoding="utf-8")
    assert "touch escaped" in page


def test_tables_show_text_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "<script>alert(1)</script> & \\input{/etc/passwd} | `x`"
    place = OwnTables(tmp_path / "place", hostile_table(text))
    monkeypatch.chdir(place.folder)
    files = ["--configfile=config/digits.yaml", "--configfile=mine.yaml"]
    plan = Plan.read([Path("config/digits.yaml"), Path("mine.yaml")])
    for arguments in (["train", *plan.runs], ["table", "small"]):
        assert run_command([*arguments, *files]) == 0
    shown = {
        ending: (plan.results / f"tables/small.{ending}").read_text(encoding="utf-8")
        for ending in ("html", "md", "tex")
    }
    assert "<script" not in shown["html"]
    assert "<script" not in shown["md"]
    assert r"\input{" not in shown["tex"]
    assert all(line.count(" | ") == 1 for line in shown["md"].splitlines() if line.startswith("| "))


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_rules_quote_what_they_put_into_a_shell(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for command in re.findall(r"^    +shell:\n((?:        .*\n)+)", text, re.M):
        fields = re.findall(r"\{([^}]*)\}", command)
        assert [it for it in fields if not it.endswith(":q") and it != "threads"] == []
    # What Snakemake formats by itself, and would not quote.
    assert not re.search(r"\bshell\([^)]*\{", text)


# (f) Ports


def inodes(pid: int | str) -> set[str]:
    """The sockets that a process holds."""
    found = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(file)
        except OSError:
            continue
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found


def listening(pid: int | str) -> list[str]:
    """The network sockets on which a process listens, or to which datagrams can be sent."""
    own, found = inodes(pid), []
    for kind in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
        table = Path(f"/proc/{pid}/net/{kind}")
        for line in table.read_text().splitlines()[1:] if table.exists() else []:
            fields = line.split()
            if fields[9] in own and (fields[3] == "0A" or not kind.startswith("tcp")):
                found.append(f"{kind} {fields[1]}")
    return found


def test_a_listening_socket_is_seen() -> None:
    with socket.create_server(("127.0.0.1", 0)):
        assert len(listening("self")) == 1
    assert listening("self") == []


@pytest.fixture
def standing_by(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that starts the server of the trainings."""
    code = (
        "import os, sys; from replication.runtime import forkserver; forkserver.start();"
        "print(os.environ[forkserver.VARIABLE], flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def descendants(pid: int) -> list[int]:
    file = Path(f"/proc/{pid}/task/{pid}/children")
    found = [int(child) for child in file.read_text().split()] if file.exists() else []
    return [*found, *(further for child in found for further in descendants(child))]


def test_trainings_and_their_server_listen_in_a_folder_of_their_user_alone(
    standing_by: subprocess.Popen[str], tmp_path: Path
) -> None:
    assert standing_by.stdout
    path = Path(standing_by.stdout.readline().strip())
    limit = time.monotonic() + 60
    while not path.exists() and time.monotonic() < limit:
        time.sleep(0.05)
    assert path.is_socket()
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.parent.stat().st_uid == os.getuid()
    long = {**TINY, "images": {"epochs": 100_000, "milestones": [1]}}
    (tmp_path / "tables").symlink_to(ROOT / "tables")
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(long), encoding="utf-8")
    files = ["--configfile", str(ROOT / "config/digits.yaml"), "--configfile", "tiny.yaml"]
    with subprocess.Popen(
        [sys.executable, "-m", "replication", "train", RUN, *files],
        cwd=tmp_path,
        env={**os.environ, "PATH": PATH, forkserver.VARIABLE: str(path)},
        stderr=subprocess.PIPE,
        text=True,
    ) as client:
        assert client.stderr
        while "epoch 2/" not in client.stderr.readline():
            assert client.poll() is None
        processes = [client.pid, *descendants(standing_by.pid)]
        assert len(processes) == 3  # client, server, and the training that it has forked
        assert {pid: listening(pid) for pid in processes} == {pid: [] for pid in processes}
        client.kill()
