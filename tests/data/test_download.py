"""Downloads: resumed, checked, and never half a file under its name."""

import hashlib
from collections.abc import Iterator
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from replication.data.download import download

CONTENT = bytes(range(256)) * 2000
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server(BaseHTTPRequestHandler):
    """Serves CONTENT with ranges, or breaks off after `limit` bytes."""

    limit: ClassVar[int | None] = None
    ranges: ClassVar[bool] = True
    asked: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        asked = self.headers["Range"]
        self.asked.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.ranges else 0
        if start and start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : self.limit])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Server, "asked", [])
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/file"
        server.shutdown()
        thread.join()


def test_a_broken_download_goes_on_where_it_stopped(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "new" / "file"
    monkeypatch.setattr(Server, "limit", 100_000)
    with pytest.raises(HTTPException, match="ended after 100000 of 512000 bytes"):
        download(url, file, MD5)
    assert not file.exists()
    monkeypatch.setattr(Server, "limit", None)
    download(url, file, MD5)
    assert file.read_bytes() == CONTENT
    assert Server.asked == [None, "bytes=100000-"]


def test_a_server_without_ranges_is_asked_for_everything(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".file.part").write_bytes(b"other bytes")
    monkeypatch.setattr(Server, "ranges", False)
    download(url, tmp_path / "file", MD5)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_thrown_away(url: str, tmp_path: Path) -> None:
    (tmp_path / ".file.part").write_bytes(CONTENT + b"more")
    download(url, tmp_path / "file", MD5)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_wrong_checksum_leaves_nothing(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="its md5 sum is not 0"):
        download(url, tmp_path / "file", "0")
    assert [path.name for path in tmp_path.iterdir()] == [".file.lock"]


def test_what_is_there_is_not_fetched_again(url: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    download(url, tmp_path / "file", MD5)
    assert Server.asked == []
