"""Archives of unknown origin: nothing in them leaves the data folder or is unpickled unchecked."""

import contextlib
import gzip
import hashlib
import io
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from support.archives import Payload, cifar_archive, fashion_files
from torchvision import datasets

from replication.data import image_files
from replication.data.used_images import load_images
from replication.errors import InputError


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def append(archive: Path, *members: tarfile.TarInfo) -> None:
    """Put members behind those that an archive has."""
    with tarfile.open(archive) as tar:
        streams = [(info, tar.extractfile(info)) for info in tar.getmembers()]
        content = [(info, stream.read() if stream else b"") for info, stream in streams]
    with tarfile.open(archive, "w:gz") as tar:
        for info, data in [*content, *((info, b"escaped") for info in members)]:
            info.size = len(data) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(data) if info.isreg() else None)


ESCAPES: dict[str, Callable[[Path], list[tarfile.TarInfo]]] = {
    "a relative path": lambda out: [member("cifar-10-batches-py/../../escaped")],
    "an absolute path": lambda out: [member(str(out / "escaped"))],
    "a symbolic link": lambda out: [
        member("link", tarfile.SYMTYPE, str(out)), member("link/escaped"),
    ],
    "a hard link": lambda out: [
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
    cifar_archive(root, "cifar10", monkeypatch)
    archive = root / datasets.CIFAR10.filename
    append(archive, *ESCAPES[name](tmp_path))
    md5 = hashlib.md5(archive.read_bytes()).hexdigest()
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", md5)
    with contextlib.suppress(InputError):
        load_images("cifar10", root, download=True)
    assert {path.name for path in tmp_path.iterdir()} == {"data", "precious"}
    assert precious.read_text() == "whole"
    assert not any(path.is_char_device() for path in root.rglob("*"))


def test_the_name_inside_a_gzip_file_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    debian, data = tmp_path / "debian", tmp_path / "data"
    fashion_files(debian)
    for file in debian.glob("*.gz"):
        content = gzip.decompress(file.read_bytes())
        with file.open("wb") as stream, gzip.GzipFile("../../escaped", "wb", fileobj=stream) as out:
            out.write(content)
    monkeypatch.setattr(image_files, "DEBIAN_FASHION_MNIST", debian)
    load_images("fashion_mnist", data, download=True)
    assert not [path for path in tmp_path.rglob("*") if "escaped" in path.name]
    assert {path.name for path in tmp_path.iterdir()} == {"debian", "data"}


def test_cifar_is_unpickled_only_when_its_checksum_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cifar_archive(tmp_path, "cifar10", monkeypatch)
    (tmp_path / datasets.CIFAR10.filename).unlink()
    folder = tmp_path / datasets.CIFAR10.base_folder
    folder.mkdir()
    for name, _ in (*datasets.CIFAR10.train_list, *datasets.CIFAR10.test_list):
        (folder / name).write_bytes(pickle.dumps(Payload(tmp_path / "marker")))
    with pytest.raises(InputError, match="CIFAR-10 cannot be read or downloaded"):
        load_images("cifar10", tmp_path, download=True)
    assert not (tmp_path / "marker").exists()
