"""FLOPs that were counted once are kept, and counted again where they may have changed."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from replication.data.prepared import image_spec, text_spec
from replication.sweep import flop_counter, kept_flops
from replication.sweep.kept_flops import FILE, forward_flops_of

DIGITS = image_spec("digits")
NETWORK = ("wide_resnet_28_1", '{"width_ratio": "1/8"}', DIGITS)


@pytest.fixture(autouse=True)
def nothing_is_in_memory() -> None:
    forward_flops_of.cache_clear()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The networks whose FLOPs are counted; each has one more than the one before."""
    names: list[str] = []

    def count(name: str, options: str, data: object) -> float:
        names.append(name)
        return float(len(names))

    monkeypatch.setattr(flop_counter, "count_forward_flops", count)
    return names


def read_again(results: Path, *network: object) -> float:
    """FLOPs as another process gives them."""
    forward_flops_of.cache_clear()
    return forward_flops_of(results, *network)  # type: ignore[arg-type]


def test_a_network_is_counted_once(tmp_path: Path, counted: list[str]) -> None:
    assert [read_again(tmp_path, *NETWORK) for _ in range(3)] == [1.0] * 3
    # Other options, data or networks are counted by themselves.
    name, options, data = NETWORK
    assert read_again(tmp_path, name, "{}", data) == 2.0
    assert read_again(tmp_path, name, options, image_spec("digits", pool=2)) == 3.0
    assert read_again(tmp_path, name, options, image_spec("two_digit_numbers")) == 4.0
    assert read_again(tmp_path, "wide_resnet_28_2", options, data) == 5.0
    assert read_again(tmp_path, "lstm", "{}", text_spec("penn_treebank")) == 6.0
    # The number of images and the text change nothing.
    assert read_again(tmp_path, name, options, image_spec("digits", train=5)) == 1.0
    assert read_again(tmp_path, "lstm", "{}", text_spec("penn_treebank", train=5)) == 6.0


def test_other_versions_are_counted_again(
    tmp_path: Path, counted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read_again(tmp_path, *NETWORK)
    monkeypatch.setattr(kept_flops, "_versions", lambda: ("3.0", "1.0", "code"))
    assert read_again(tmp_path, *NETWORK) == 2.0


@pytest.mark.parametrize("content", ["", "{", "[]", '{"key": "many"}', "\x00"])
def test_a_damaged_file_is_written_anew(content: str, tmp_path: Path, counted: list[str]) -> None:
    (tmp_path / FILE).write_text(content)
    assert read_again(tmp_path, *NETWORK) == 1.0
    assert read_again(tmp_path, *NETWORK) == 1.0
    assert list(json.loads((tmp_path / FILE).read_text()).values()) == [1.0]


def test_a_folder_that_cannot_be_written_is_read(tmp_path: Path, counted: list[str]) -> None:
    (tmp_path / "results").write_text("a file")
    assert read_again(tmp_path / "results", *NETWORK) == 1.0
    assert read_again(tmp_path / "results", *NETWORK) == 2.0


def test_several_can_write_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flop_counter, "count_forward_flops", lambda name, *_: float(len(name)))
    names = [f"network_{'x' * length}" for length in range(20)]
    with ThreadPoolExecutor(8) as pool:
        flops = pool.map(lambda name: forward_flops_of(tmp_path, name, "{}", DIGITS), names)
        assert list(flops) == [float(len(name)) for name in names]
    kept = json.loads((tmp_path / FILE).read_text())
    assert set(kept.values()) <= {float(len(name)) for name in names}
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


@pytest.mark.long
def test_a_plan_whose_networks_are_counted_does_not_import_torch(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from support.plans import tiny_plan\n"
        "from replication.sweep.costs import summarise_costs\n"
        "summarise_costs(tiny_plan(tables=['table1']))\n"
        "print('torch' in sys.modules)"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={"PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()[-1]
        for _ in range(2)
    ]
    assert printed == ["True", "False"]
