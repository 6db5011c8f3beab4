"""Downloads: checked, and never half a file under its name."""

import hashlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from replication.data.download import download

CONTENT = bytes(range(256)) * 2000
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server(BaseHTTPRequestHandler):
    """Serves CONTENT, or closes the connection after `limit` bytes."""

    limit: ClassVar[int | None] = None
    requests: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.requests.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: self.limit])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Server, "requests", [])
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/file"
        server.shutdown()
        thread.join()


def test_a_file_is_downloaded_once_and_readable_for_all(url: str, tmp_path: Path) -> None:
    file = tmp_path / "new" / "file"
    for _ in range(2):
        download(url, file, MD5)
    assert file.read_bytes() == CONTENT
    assert file.stat().st_mode & 0o777 == 0o644
    assert Server.requests == ["/file"]


def test_a_broken_connection_leaves_nothing(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Server, "limit", 100_000)
    with pytest.raises(OSError, match="100000 bytes read"):
        download(url, tmp_path / "file", MD5)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_checksum_leaves_nothing(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not match the known hash"):
        download(url, tmp_path / "file", "0" * 32)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_file_stays_until_the_right_one_has_come(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"damaged")
    monkeypatch.setattr(Server, "limit", 100_000)
    with pytest.raises(OSError, match="100000 bytes read"):
        download(url, tmp_path / "file", MD5)
    assert (tmp_path / "file").read_bytes() == b"damaged"
    monkeypatch.setattr(Server, "limit", None)
    download(url, tmp_path / "file", MD5)
    assert (tmp_path / "file").read_bytes() == CONTENT
