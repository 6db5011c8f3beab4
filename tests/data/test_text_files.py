"""Corpora of Table 6 as files: what is read, how it is split, and which files are refused."""

import gzip
import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import torch
from support.checks import refused

from replication.config.datasets import OwnText
from replication.data import text_files
from replication.data.prepare import prepare
from replication.data.prepared import load
from replication.data.text import Corpus
from replication.data.text_files import penn_treebank, python_reference, read_topics
from replication.errors import InputError

ROOT = Path()
REPOSITORY = Path(__file__).parents[2]
LINES = {
    "train": " no it was n't black monday \n but <unk> fell N points \n",
    "valid": " it fell N points \n",
    "test": " black monday was <unk> \n",
}


def spell(corpus: Corpus, stream: torch.Tensor) -> str:
    return " ".join(corpus.vocabulary[i] for i in stream)


def write_penn_treebank(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for part, lines in LINES.items():
        (folder / f"ptb.{part}.txt").write_text(lines)


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def small_md5(monkeypatch: pytest.MonkeyPatch) -> None:
    sums = {f"ptb.{p}.txt": hashlib.md5(lines.encode()).hexdigest() for p, lines in LINES.items()}
    monkeypatch.setattr(text_files, "PENN_TREEBANK_MD5", sums)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is served on 127.0.0.1, as the only mirror but a dead one before it."""
    folder = tmp_path / "mirror"
    write_penn_treebank(folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=folder)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr(text_files, "PENN_TREEBANK_MIRRORS", (f"{address}nowhere/", address))
        yield folder
        server.shutdown()
        thread.join()


class TestPennTreebank:
    pytestmark = pytest.mark.usefixtures("small_md5")

    def test_each_line_ends_in_eos(self, tmp_path: Path) -> None:
        write_penn_treebank(tmp_path)
        corpus = penn_treebank(tmp_path, 10_000, download=True)
        assert spell(corpus, corpus.train) == (
            "no it was n't black monday <eos> but <unk> fell N points <eos>"
        )
        assert spell(corpus, corpus.validation) == "it fell N points <eos>"
        assert spell(corpus, corpus.test) == "black monday was <unk> <eos>"

    def test_the_vocabulary_is_every_type_of_the_training_part(self, tmp_path: Path) -> None:
        write_penn_treebank(tmp_path)
        expected = {"<eos>", *LINES["train"].split()}
        vocabulary = penn_treebank(tmp_path, 10_000, download=True).vocabulary
        assert set(vocabulary) == expected
        assert len(vocabulary) == len(expected)

    def test_missing_files_come_from_the_first_mirror_that_has_them(
        self, tmp_path: Path, mirror: Path
    ) -> None:
        penn_treebank(tmp_path / "new" / "root", 10_000, download=True)
        for part, lines in LINES.items():
            assert (tmp_path / "new" / "root" / f"ptb.{part}.txt").read_text() == lines

    def test_what_is_there_is_not_fetched(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(text_files, "PENN_TREEBANK_MIRRORS", ())
        write_penn_treebank(tmp_path)
        assert len(penn_treebank(tmp_path, 10_000, download=True).test) == 5

    def test_a_damaged_download_leaves_nothing_behind(self, tmp_path: Path, mirror: Path) -> None:
        (mirror / "ptb.train.txt").write_text("half of it")
        root = tmp_path / "root"
        with pytest.raises(InputError, match=r"ptb\.train\.txt") as raised:
            penn_treebank(root, 10_000, download=True)
        assert str(root) in str(raised.value)
        assert [path.name for path in root.iterdir() if path.suffix != ".lock"] == []

    def test_a_dead_network_is_one_line_that_says_where_to_put_which_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(text_files, "PENN_TREEBANK_MIRRORS", ("http://127.0.0.1:9/",))
        with refused("cannot download ptb.train.txt (", f"into {tmp_path}"):
            penn_treebank(tmp_path, 10_000, download=True)

    def test_loading_never_downloads(self, tmp_path: Path) -> None:
        with refused(f"{tmp_path}/ptb.train.txt: missing", "run `replication data`"):
            penn_treebank(tmp_path, 10_000)
        assert list(tmp_path.iterdir()) == []

    def test_a_wrong_file_in_the_root_is_named_and_kept(self, tmp_path: Path) -> None:
        write_penn_treebank(tmp_path)
        (tmp_path / "ptb.valid.txt").write_text("mine")
        with pytest.raises(InputError, match=r"ptb\.valid\.txt.*delete it"):
            penn_treebank(tmp_path, 10_000, download=True)
        assert (tmp_path / "ptb.valid.txt").read_text() == "mine"


class TestPythonReference:
    def test_reads_like_penn_treebank(self, monkeypatch: pytest.MonkeyPatch) -> None:
        topic = (
            'The "with" statement\n****\n\nSee PEP 343: it doesn’t use\nexc_info(0x1f, 2.5).  Or 3.'
        )
        monkeypatch.setattr(text_files, "read_topics", lambda: {"with": topic})
        corpus = python_reference(ROOT, 1000)
        assert spell(corpus, corpus.train) == (
            "the with statement <eos> see pep N <eos> it doesn’t use exc_info N N <eos> or N <eos>"
        )

    def test_a_quoted_paragraph_is_kept_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        quoted = "a b c"
        long = f"{quoted}\n\n" + "\n\n".join(f"long{i} x y z" for i in "mnopqrstu")
        topics = {"if": quoted, "else": quoted, "compound": long}
        monkeypatch.setattr(text_files, "read_topics", lambda: topics)
        corpus = python_reference(ROOT, 1000)
        whole = spell(corpus, torch.cat([corpus.train, corpus.validation, corpus.test]))
        assert whole.count("a b c <eos>") == 1
        assert len(corpus.validation) == len(corpus.test) == 0

    def test_rare_words_are_unknown(self) -> None:
        small, large = python_reference(ROOT, 100), python_reference(ROOT, 2000)
        assert len(small.vocabulary) == 100
        assert set(small.vocabulary) < set(large.vocabulary)
        known = small.train != small.vocabulary.index("<unk>")
        assert spell(small, small.train[known]) == spell(large, large.train[known])

    def test_no_long_passage_is_in_two_parts(self) -> None:
        corpus = python_reference(ROOT, 1000)
        train, validation, test = (
            {tuple(window) for window in stream.unfold(0, 40, 1).tolist()}
            for stream in (corpus.train, corpus.validation, corpus.test)
        )
        assert not train & validation
        assert not train & test
        assert not validation & test

    def test_the_parts_are_80_10_and_10_percent(self) -> None:
        corpus = python_reference(ROOT, 1000)
        sizes = [len(part) for part in (corpus.train, corpus.validation, corpus.test)]
        assert [size / sum(sizes) for size in sizes] == pytest.approx([0.8, 0.1, 0.1], abs=0.01)
        assert sum(sizes) > 40_000

    def test_each_part_ends_a_sentence(self) -> None:
        corpus = python_reference(ROOT, 1000)
        for part in (corpus.train, corpus.validation, corpus.test):
            assert corpus.vocabulary[part[-1]] == "<eos>"

    def test_is_that_of_the_published_results_with_every_version_of_python(self) -> None:
        fingerprints = [python_reference(ROOT, words).fingerprint for words in (500, 1000)]
        assert fingerprints == [
            "0bd258734825d445e9790fc9dbdec94c7ad5808cbae1228967507ef040d42f4d",
            "ff5d4a6c9af9ac2d08c7b54e111965a2180406699c6608dbf85db7fdc441826b",
        ]

    @pytest.mark.skipif(sys.version_info[:3] != (3, 11, 7), reason="other texts")
    def test_is_the_text_of_cpython_3_11_7(self) -> None:
        from pydoc_data.topics import topics

        assert read_topics() == topics

    @pytest.mark.parametrize(
        "content", [b"", b"\x1f\x8b", gzip.compress(b"{", mtime=0)], ids=["empty", "cut", "no JSON"]
    )
    def test_a_damaged_text_is_one_line(
        self, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "topics.json.gz"
        file.write_bytes(content)
        monkeypatch.setattr(text_files, "PYTHON_REFERENCE", file)
        with refused(f"{file}: cannot be read", "install the suite again"):
            python_reference(ROOT, 1000)

    def test_is_part_of_an_installation(self, tmp_path: Path) -> None:
        source = tmp_path / "source"
        source.mkdir()
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(REPOSITORY / name, source)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / "replication", source / "replication", ignore=ignored)
        build = "from setuptools.build_meta import build_wheel as build; build('..')"
        subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
        (wheel,) = tmp_path.glob("*.whl")
        names = zipfile.ZipFile(wheel).namelist()
        folder = "replication/data/python_reference"
        assert {f"{folder}/{name}" for name in ("topics-3.11.7.json.gz", "LICENSE.txt")} <= {*names}
        assert any(name.endswith(f"licenses/{folder}/LICENSE.txt") for name in names)


def test_a_plan_reads_the_sizes_of_a_prepared_text_without_torch(tmp_path: Path) -> None:
    file, root = tmp_path / "story.txt", tmp_path / "data"
    file.write_text("a b a c a b a d e f", encoding="utf-8")
    dataset = OwnText(text=str(file), words=3)
    with refused(str(file), "this text is not prepared yet; run `replication data`"):
        dataset.spec("test", str(root))
    prepare(dataset.name, root, dataset.sizes)
    file.write_text("a b a c a b a d e f g h i j", encoding="utf-8")
    code = (
        "import sys; from replication.config.datasets import OwnText;"
        f" spec = OwnText(text={str(file)!r}, words=3).spec('test', {str(root)!r});"
        " print(spec.words, spec.train, spec.validation, spec.test, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    # Until the data step is called again, the sizes are those of the text that was prepared.
    assert done.stdout.split() == ["3", "8", "1", "2", "False"]
    prepare(dataset.name, root, dataset.sizes)
    assert dataset.spec("test", str(root)).train == 12


@pytest.mark.parametrize("name", ["story", "digits"])  # the second is one of the suite's, too
def test_a_text_of_ones_own_is_split_in_its_order(name: str, tmp_path: Path) -> None:
    file = tmp_path / f"{name}.txt"
    file.write_text("a b a c a b a d e f", encoding="utf-8")
    corpus = load(name, tmp_path, {"words": 3, "train": 7, "file": file})
    assert isinstance(corpus, Corpus)
    assert spell(corpus, corpus.train) == "a b a <unk> a b a"
    assert spell(corpus, corpus.validation) == "<unk>"
    assert spell(corpus, corpus.test) == "<unk> <unk>"  # the last ends the text


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no such file; correct `text`"),
        (b"\xff\xfe", "it has to be text in UTF-8"),
        (b"one", "2 words are too few; use a longer text"),
    ],
)
def test_a_text_that_cannot_be_used_is_one_line(
    content: bytes | None, says: str, tmp_path: Path
) -> None:
    file = tmp_path / "story.txt"
    if content is not None:
        file.write_bytes(content)
    with refused(str(file), says):
        load("story", tmp_path, {"words": 3, "file": file})
