"""What the README and the docs promise is there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.plans import ROOT, TINY
from support.workplace import Workplace

from replication import objectives

README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def snippet(language: str, first_line: str) -> str:
    (found,) = (
        code
        for code in re.findall(rf"```{language}\n(.*?)```", README, re.S)
        if code.startswith(first_line)
    )
    return str(found)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_test_and_function_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    missing = []
    for file, name in re.findall(r"`(test_\w+\.py)::(test_\w+)`", text):
        code = (ROOT / "tests" / file).read_text(encoding="utf-8")
        missing += [] if re.search(rf"def {name}\b", code) else [f"{file}::{name}"]
    for file, name in re.findall(r"`([\w/]+\.py):(?:\w+\.)?(\w+)`", text):
        path = ROOT / "replication" / file
        found = path.exists() and re.search(rf"\b{name}\b", path.read_text(encoding="utf-8"))
        missing += [] if found else [f"{file}:{name}"]
    assert missing == []


def test_the_row_of_the_readme_trains_three_runs_more(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    place.configure({**TINY, "tables": ["table3"]})
    before = place.jobs("table3")["train"]
    (tmp_path / "tables").unlink()
    shutil.copytree(ROOT / "tables", tmp_path / "tables")
    with (tmp_path / "tables/table3.yaml").open("a", encoding="utf-8") as file:
        file.write(snippet("yaml", "# tables/table3.yaml"))
    assert place.jobs("table3")["train"] == before + 3


NETWORK = """
from collections import OrderedDict
import timm, torch
from torch import nn
import replication.networks as networks
from replication.architectures.catalogue import FAMILIES, NETWORKS, Family, Network
from replication.networks.base import ImageNetwork
from replication.architectures.scaling import scaled
{snippet}
FAMILIES["plain"] = Family("__main__:Plain")
NETWORKS["plain_64"] = Network("plain", {{"width": 64}})
networks.default_cfgs["plain_64"] = networks.default_cfgs["densenet_90_60"]
networks._register("plain_64", NETWORKS["plain_64"])
network = timm.create_model("plain_64", num_classes=7, in_chans=1, width_ratio="1/8")
print(*network(torch.randn(2, 1, 8, 8)).shape)
"""


def test_the_network_of_the_readme_is_built_by_timm() -> None:
    # In a process of its own, as timm's registry forgets nothing.
    code = NETWORK.format(snippet=snippet("python", "# replication/networks/plain.py"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["2", "7"], done.stderr


def test_the_objective_of_the_readme_is_one() -> None:
    space = {"cross_entropy": objectives.cross_entropy}
    exec(snippet("python", "# replication/objectives.py"), space)
    student, teacher = torch.randn(4, 5), torch.randn(4, 5)
    found = space["ban_hard"](student, torch.zeros(4).long(), teacher)  # type: ignore[operator]
    expected = objectives.label(student, teacher.argmax(-1))
    torch.testing.assert_close(found, expected)
