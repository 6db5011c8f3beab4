"""What the README and the docs say is true: links, references, examples and lists."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pandas as pd
import pytest
import timm
import torch
import yaml
from PIL import Image, ImageChops, ImageStat
from sklearn.datasets import load_digits
from support.plans import ROOT, TINY
from support.workplace import PATH, Workplace
from typer.main import get_command

from replication import __version__
from replication.analysis.statistics import summarise
from replication.cli import app
from replication.config.custom_objectives import find_objective
from replication.config.new_study import create_study
from replication.config.paper_claims import read_claims
from replication.config.recipes import ImageRecipe
from replication.config.scale import Scale
from replication.data import specs
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.report.claim_pages import claim_pages
from replication.report.documents import BLOCK, TEXTS, fill_document
from replication.report.documents import DOCUMENTS as GENERATED
from replication.report.primary_claims import ALTERNATIVES, CLAIM_WORDS, CONTROL, findings
from replication.report.published_results import Publications

README = ROOT / "README.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
CONFIG = ROOT / "config" / "README.md"
PUBLISHED = ROOT / "published" / "README.md"
CLAIM_PAGES = sorted((ROOT / "published" / "claims").glob("*.md"))
OWN_DATA = ROOT / "docs" / "how-to" / "own-data.md"
OWN_OBJECTIVE = ROOT / "docs" / "how-to" / "own-objective.md"
DEVIATIONS = ROOT / "docs" / "explanation" / "deviations.md"
DOCUMENTS = [
    *(README, CONTRIBUTING, CONFIG, PUBLISHED, *CLAIM_PAGES),
    *sorted((ROOT / "docs").rglob("*.md")),
]

documents = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)


def snippet(document: Path, language: str, first_line: str) -> str:
    """The code block of a document that starts with this line."""
    (block,) = (
        code
        for code in re.findall(rf"```{language}\n(.*?)```", document.read_text("utf-8"), re.S)
        if code.startswith(first_line)
    )
    return str(block)


def anchors(document: Path) -> set[str]:
    """The fragments by which GitHub links to a document's headings."""
    text = re.sub(r"```.*?```", "", document.read_text("utf-8"), flags=re.S)
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


@documents
def test_every_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text("utf-8")):
        if target.startswith("https://"):
            continue
        file, _, fragment = target.partition("#")
        path = document.parent / file if file else document
        if not path.exists() or (fragment and fragment not in anchors(path)):
            broken.append(target)
    assert broken == []


def references(text: str) -> Iterator[tuple[str, str]]:
    """File and name of every test that a text refers to; ``::name`` is in the file before it."""
    for line in text.splitlines():
        file = ""
        for named, name in re.findall(r"`(test_\w+\.py)?(?:::(test_\w+))?`", line):
            file = named or file
            if name or named:
                yield file, name


@documents
def test_every_test_and_function_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text("utf-8")
    missing = []
    for file, name in references(text):
        modules = (ROOT / "tests").rglob(file or "*.py")
        if not any(re.search(rf"def {name}\b", module.read_text("utf-8")) for module in modules):
            missing.append(f"{file}::{name}")
    for file, name in re.findall(r"`([\w/]+\.py):(?:\w+\.)?(\w+)`", text):
        path = ROOT / "replication" / file
        if not path.exists() or not re.search(rf"\b{name}\b", path.read_text("utf-8")):
            missing.append(f"{file}:{name}")
    assert missing == []


@documents
def test_every_command_and_option_that_a_document_names_exists(document: Path) -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    missing = []
    for name, rest in re.findall(
        r"(?:^ *|`)replication ([a-z]+)\b([^`\n#]*)", document.read_text("utf-8"), re.M
    ):
        known = commands[name].params if name in commands else []
        options = {
            option for parameter in known for option in (*parameter.opts, *parameter.secondary_opts)
        }
        unknown = set(re.findall(r"--[\w-]+", rest)) - options
        if name not in commands or unknown:
            missing.append(f"replication {name} {' '.join(unknown)}")
    assert missing == []


@documents
def test_every_target_of_make_that_a_document_names_exists(document: Path) -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.M)
    named = re.findall(r"(?:^ *|`)make ([a-z-]+)", document.read_text("utf-8"), re.M)
    assert set(named) <= set(phony.split())


def test_the_code_map_lists_every_package_and_module() -> None:
    _, _, code_map = CONTRIBUTING.read_text("utf-8").partition("## Code map")
    first_cells = re.findall(r"^\| (`.*?) \|", code_map.partition("\n## ")[0], re.M)
    listed = {name.rstrip("/") for cell in first_cells for name in re.findall(r"`(.*?)`", cell)}
    entries = {path.name for path in (ROOT / "replication").iterdir()}
    assert listed == entries - {"__init__.py", "__main__.py", "__pycache__", "py.typed"}


def test_the_configuration_page_lists_every_key() -> None:
    listed = re.findall(r"^\| `(\w+)` \|", CONFIG.read_text("utf-8"), re.M)
    assert listed == [field.alias or name for name, field in Scale.model_fields.items()]


@pytest.mark.long
def test_the_row_of_the_guide_trains_three_runs_more(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    place.configure({**TINY, "tables": ["table3"]})
    before = place.jobs("table3")["train"]
    (tmp_path / "tables").unlink()
    shutil.copytree(ROOT / "tables", tmp_path / "tables")
    with (tmp_path / "tables/table3.yaml").open("a", encoding="utf-8") as file:
        file.write(snippet(CONTRIBUTING, "yaml", "# tables/table3.yaml"))
    assert place.jobs("table3")["train"] == before + 3


@pytest.mark.long
def test_the_table_of_the_guide_trains_its_runs(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    place.configure({**TINY, "tables": ["table7"]})
    (tmp_path / "tables").unlink()
    shutil.copytree(ROOT / "tables", tmp_path / "tables")
    table = snippet(CONTRIBUTING, "yaml", "# tables/table7.yaml")
    (tmp_path / "tables/table7.yaml").write_text(table, encoding="utf-8")
    assert place.jobs("table7")["train"] == 2


def test_the_loss_of_the_page_on_objectives_is_one(tmp_path: Path) -> None:
    (tmp_path / "losses.py").write_text(snippet(OWN_OBJECTIVE, "python", "# my-study/losses.py"))
    student, teacher = torch.randn(2, 4, 5).unbind(0)
    loss = find_objective("losses:match", tmp_path)(student, None, teacher, weight=0.5)
    torch.testing.assert_close(loss, 0.5 * (student - teacher).square().mean())


def test_the_recipe_of_the_page_on_own_data_is_one() -> None:
    recipe = yaml.safe_load(snippet(OWN_DATA, "yaml", "images:"))["images"]
    image_recipe = ImageRecipe.model_validate_json(json.dumps(recipe))
    assert image_recipe.optimizer == "adamw"
    assert not image_recipe.is_the_papers


@pytest.mark.parametrize(
    ("name", "side", "arguments"),
    [
        ("test_vit", 32, {"img_size": 32, "patch_size": 4}),
        ("test_convnext", 8, {"patch_size": 1}),
        ("test_convnext", 32, {"patch_size": 2}),
        ("test_resnet", 8, {}),
    ],
)
def test_the_stems_of_the_page_on_own_data_take_small_images(
    name: str, side: int, arguments: dict[str, int]
) -> None:
    network = timm.create_model(name, num_classes=7, in_chans=1, **arguments)
    assert network(torch.randn(2, 1, side, side)).shape == (2, 7)


@pytest.mark.parametrize("name", GENERATED)
def test_what_results_determine_is_what_the_command_writes(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert BLOCK.search(text)
    assert fill_document(text, Publications(ROOT / "published")) == text, "call: replication docs"


@pytest.mark.long
def test_the_pages_of_the_claims_are_what_the_command_writes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    pages = claim_pages(Publications(ROOT / "published"))
    texts = {file: text for file, text in pages.items() if file.suffix == ".md"}
    assert sorted(texts) == CLAIM_PAGES
    for file, text in texts.items():
        assert file.read_text("utf-8") == text, "call: replication docs"
        figure = pages[file.with_suffix(".png")]
        assert isinstance(figure, bytes)
        with Image.open(BytesIO(figure)) as new, Image.open(file.with_suffix(".png")) as kept:
            assert new.size == kept.size, "call: replication docs"
            # Another build of a library can draw the edges of letters otherwise.
            difference = ImageStat.Stat(ImageChops.difference(new.convert("L"), kept.convert("L")))
            assert difference.mean[0] < 1, "call: replication docs"


def test_no_published_page_shows_a_missing_number_or_a_range_of_one_seed() -> None:
    shown = [
        file for kind in ("md", "html", "tex") for file in (ROOT / "published").rglob(f"*.{kind}")
    ]
    assert len(shown) > 60
    faults = [
        f"{file.relative_to(ROOT)}: {fault[0]}"
        for file in [*shown, ROOT / "README.md", ROOT / "docs/results.md"]
        for fault in re.finditer(r"\b(nan|NaN|None|(\d+) to \2)\b", file.read_text("utf-8"))
    ]
    assert faults == []


def test_the_page_of_a_claim_names_its_networks_that_are_no_fair_test() -> None:
    """Only its own: a language model is not judged by the fit of networks for images."""
    pages = {file.stem: file.read_text("utf-8") for file in CLAIM_PAGES}
    page = pages["densenet-students-beat-wide-resnet-teachers"]
    assert (
        "Label-trained networks that do not fit their training data: Wide-ResNet-28-1 and"
        " Wide-ResNet-28-2. Label-trained networks whose test error"
    ) in page
    assert "still change by 10 % or more when their training ends: DenseNet-90-60." in page
    assert "fair test" not in pages["language-models"]


def test_the_page_of_a_claim_answers_what_a_reader_asks() -> None:
    text = (ROOT / "published/claims/ban-all.md").read_text("utf-8")
    headings = re.findall(r"^## (.*)$", text, re.M)
    assert headings == [
        "What the paper says",
        "What was found",
        "What was tested",
        "What would change the verdict",
        "Repeat it",
        "The runs behind it",
    ]
    line = pd.read_csv(ROOT / "published/fashion/claims_power.csv", index_col="claim")
    difference = line.loc["ban-all", "difference"]
    assert f"−{-difference:.2f} [" in text
    assert "control: BAN against twice the epochs" in text
    command = text.replace("\\\n    ", "")
    assert "--configfile published/fashion/scale.json results/fashion/claims/ban-all.txt" in command


def test_every_document_with_markers_is_written_by_the_command() -> None:
    marked = {
        str(document.relative_to(ROOT))
        for document in DOCUMENTS
        if any(name in TEXTS for name, _ in BLOCK.findall(document.read_text("utf-8")))
    }
    assert marked == set(GENERATED)


def test_another_number_in_a_csv_file_is_another_number_in_the_readme(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "published" / "fashion", tmp_path / "fashion")
    file = tmp_path / "fashion" / "claims_power.csv"
    numbers = pd.read_csv(file)
    numbers.loc[numbers["claim"] == "ban-all", "difference"] = -12.34
    numbers.to_csv(file, index=False)
    before = findings(Publications(ROOT / "published"))
    after = findings(Publications(tmp_path))
    assert "−12.34" not in before
    assert "−12.34" in after


def test_the_spread_between_processors_is_that_of_the_published_runs() -> None:
    runs = pd.read_csv(ROOT / "published/fashion/runs.csv", index_col="run")
    again = runs.index[runs.index.str.rpartition("/").get_level_values(2).str.contains("#")]
    first = runs["error"].reindex(again.str.replace("#.*", "", regex=True))
    differences = (runs["error"][again].to_numpy() - first.to_numpy()).astype(float)
    differences = differences[np.isfinite(differences)]
    summary = summarise(differences.tolist())
    text = " ".join((ROOT / "docs/explanation/fair-test.md").read_text("utf-8").split())
    assert (
        f"At `fashion` {len(differences)} training runs with AVX2, repeated with AVX-512, differ by"
        f" up to {np.abs(differences).max():.1f} points, {np.abs(differences).mean():.1f} on"
        f" average,"
        f" as two seeds do; their mean differs by {summary.mean:.2f} ±"
        f" {summary.high - summary.mean:.2f}."
    ) in text


def test_an_unknown_marker_is_one_line() -> None:
    with pytest.raises(InputError, match="begin nothing -->: must be one of findings"):
        fill_document(
            "<!-- begin nothing -->\n<!-- end nothing -->", Publications(ROOT / "published")
        )


def test_the_release_that_one_cites_is_the_newest_of_the_changelog() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    version, date = re.findall(r"^## \[([\d.]+)\] - (\S+)$", changes, re.M)[0]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    deposit = json.loads((ROOT / ".zenodo.json").read_text("utf-8"))
    assert {citation["version"], deposit["version"], __version__} == {version}
    assert str(citation["date-released"]) == date


def test_the_readme_has_words_for_every_primary_claim_and_for_one_control() -> None:
    file = read_claims(ROOT / "tables").file
    primary = [name for name in file.claims if file.primary_of(name) == name]
    assert [claim for claim in CLAIM_WORDS if claim != CONTROL] == primary
    assert {CONTROL, *ALTERNATIVES} <= set(file.claims)
    assert all(file.claims[name].source == "ours" for name in (CONTROL, *ALTERNATIVES))


def test_the_deviations_are_those_of_the_scale_files() -> None:
    lines = [line.strip("| ").split(" | ") for line in DEVIATIONS.read_text("utf-8").splitlines()]
    rows = {line[0]: line[1:5] for line in lines if len(line) == 6}
    names = ("paper", "digits", "fashion", "cifar")
    scales = [Plan.read([ROOT / f"config/{name}.yaml"], ROOT / "tables").scale for name in names]
    recipes = [scale.images for scale in scales]
    assert rows["epochs"] == [f"{recipe.epochs}" for recipe in recipes]
    assert rows["batch size"] == [f"{recipe.batch_size}" for recipe in recipes]
    assert rows["learning rate"] == [f"{recipe.learning_rate:g}" for recipe in recipes]
    networks = [scale.networks for scale in scales]
    dropouts = [f"{sizes.wide_resnet.dropout:g}" for sizes in networks]
    assert rows["dropout in Wide-ResNets"] == dropouts
    assert rows["dropout of the LSTM"] == [f"{sizes.lstm.dropout:g}" for sizes in networks]
    assert rows["layers of the LSTM"][1:] == [f"{sizes.lstm.layers}" for sizes in networks[1:]]
    assert rows["epochs, LSTM"] == [f"{scale.language.lstm.epochs}" for scale in scales]
    augmented = [recipe.flip or recipe.crop_padding > 0 for recipe in recipes]
    assert [entry != "none" for entry in rows["augmentation"]] == augmented


STUDY_SECTION = README.read_text("utf-8").partition("## Use your own data")[2].partition("\n## ")[0]


def study_commands() -> list[list[str]]:
    """The commands of the README's study: write images, write the study, run it."""
    (block,) = re.findall(r"```sh\n(.*?)```", STUDY_SECTION, re.S)
    return [line.split() for line in block.splitlines()]


def follow(command: list[str], folder: Path) -> str:
    """Call a command of the README as a reader with an activated environment does."""
    active = {"PATH": PATH, "CONDA_PREFIX": str(Path(sys.executable).parents[1])}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **active},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def without_numbers(line: str) -> str:
    """A line of output as it is for every processor."""
    return " ".join(re.sub(r"[+−]?[\d,.]*\d", "#", line).split())


@pytest.fixture
def study_folder(tmp_path: Path) -> Path:
    """A folder in which the README's commands can be called."""
    Workplace(tmp_path)
    (tmp_path / "Makefile").symlink_to(ROOT / "Makefile")
    (tmp_path / "write_images.py").write_text(snippet(README, "python", "# write_images.py"))
    return tmp_path


@pytest.mark.long
def test_the_study_of_the_readme_is_proposed_and_runs_as_it_says(study_folder: Path) -> None:
    proposed, shown = re.findall(r"```console\n(.*?)```", STUDY_SECTION, re.S)
    write, new, run = study_commands()
    follow(write, study_folder)
    printed = follow(new, study_folder)
    said = [line for line in proposed.splitlines() if not line.startswith("Time:")]
    assert [line for line in printed.splitlines() if not line.startswith("Time:")] == said
    printed = follow(run, study_folder)
    lines, said = printed.partition("== done\n")[2].splitlines(), shown.splitlines()
    table = said.index("")
    assert list(map(without_numbers, lines[:table])) == list(map(without_numbers, said[:table]))
    assert lines[-4:] == said[-4:]
    results = study_folder / "results/digit-study"
    claims = pd.read_csv(results / "claims.csv")
    assert set(claims["claim"]) == {"student-beats-teacher", "ensemble-beats-control"}
    assert claims["evidence"].str.contains("n = 3 seeds").all()
    cells = pd.read_csv(results / "cells.csv")
    assert len(cells) == 8 * 3
    assert cells["value"].max() < 40
    assert len(list((results / "runs").rglob("run.json"))) == 18


@pytest.mark.long
def test_the_convnext_of_the_page_on_own_data_runs_to_its_table(tmp_path: Path) -> None:
    place, study = Workplace(tmp_path), tmp_path / "convnext"
    create_study(study)
    digits = load_digits()
    images = np.kron(digits.images * 15.9, np.ones((4, 4))).astype(np.uint8)
    parts = {"train": slice(400), "test": slice(400, None)}
    arrays = {f"x_{part}": images[items] for part, items in parts.items()}
    labels = {f"y_{part}": digits.target[items] for part, items in parts.items()}
    np.savez(study / "large_digits.npz", **arrays, **labels)
    scale = yaml.safe_load((study / "study.yaml").read_text("utf-8"))
    scale["datasets"] = {"images": {"npz": str(study / "large_digits.npz")}}
    recipe = yaml.safe_load(snippet(OWN_DATA, "yaml", "images:"))
    place.configure({**scale, "seeds": [0], "device": "cpu", **recipe}, "convnext/study.yaml")
    table = yaml.safe_load((study / "tables/study.yaml").read_text("utf-8"))
    table["columns"] = {name: table["columns"][name] for name in ("teacher", "ban")}
    table |= yaml.safe_load(snippet(OWN_DATA, "yaml", "# my-study/tables/study.yaml"))
    table["contrasts"] = {"BAN − teacher": {"ban": 1, "teacher": -1}}
    place.configure(table, "convnext/tables/study.yaml")
    claims = yaml.safe_load((study / "claims.yaml").read_text("utf-8"))["claims"]
    claim = claims["student-beats-teacher"]
    claim["left"]["rows"] = claim["right"]["rows"] = ["convnext"]
    place.configure({"claims": {"student-beats-teacher": claim}}, "convnext/claims.yaml")

    done = place.call("--configfile", "convnext/study.yaml", default_files=False)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    results = tmp_path / "results/convnext"
    measured = pd.read_csv(results / "tables/study.csv").set_index("column")
    assert (measured["n"] == 1).all()
    assert (measured.loc[["teacher", "ban"], "mean"] < 25).all()
    (evidence,) = pd.read_csv(results / "claims.csv")["evidence"]
    assert "n = 1 seed" in evidence


@pytest.mark.long
def test_the_text_study_of_the_page_on_own_data_runs_to_its_verdict(tmp_path: Path) -> None:
    place, study = Workplace(tmp_path), tmp_path / "text-study"
    (study / "tables").mkdir(parents=True)
    for name in ("study.yaml", "tables/study.yaml", "claims.yaml"):
        (study / name).write_text(snippet(OWN_DATA, "yaml", f"# text-study/{name}"), "utf-8")
    # Each word is followed by one of two others.
    generator, words = np.random.default_rng(0), [0]
    for choice in generator.integers(1, 3, 20_000):
        words.append((3 * words[-1] + int(choice)) % 200)
    (study / "text.txt").write_text(" ".join(f"word{word}" for word in words), "utf-8")
    place.configure({"language": {"lstm": {"epochs": 4}}, "device": "cpu"}, "short.yaml")

    done = place.call("--configfile", "text-study/study.yaml", "short.yaml", default_files=False)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    results = tmp_path / "results/text-study"
    measured = pd.read_csv(results / "tables/study.csv").set_index("column")
    assert (measured["n"] == 3).all()
    # Guessing among the words has a perplexity of 200.
    assert (measured.loc[["teacher", "ban+l"], "mean"] < 100).all()
    (evidence,) = pd.read_csv(results / "claims.csv")["evidence"]
    assert "n = 3 seeds" in evidence


def test_the_data_set_of_the_guide_is_one() -> None:
    space = dict(vars(specs))
    entry = snippet(CONTRIBUTING, "python", "# replication/data/specs.py")
    exec(f"entries = {{{entry}}}", space)
    (spec,) = space["entries"].values()
    assert (spec.classes, spec.shape) == (100, (3, 32, 64))
    assert callable(resolve_name(spec.loader))


SIZE = """
from replication.architectures.catalogue import NETWORKS, Network
NETWORKS.update({{
{snippet}
}})
import timm, torch
import replication.networks
*_, name = NETWORKS
print(*timm.create_model(name, num_classes=7, in_chans=1)(torch.randn(2, 1, 8, 8)).shape)
"""
FAMILY = """
from replication.architectures.catalogue import FAMILIES, NETWORKS, Family, Network
FAMILIES["plain"] = Family("__main__:plain")
NETWORKS["plain_64"] = Network("plain", {{"width": 64}})
from timm.layers.norm_act import BatchNormAct2d
from replication.architectures.catalogue import scaled
from replication.networks.families import _stem
{snippet}
import timm, torch
network = timm.create_model("plain_64", num_classes=7, in_chans=1, width_ratio="1/8")
print(*network(torch.randn(2, 1, 8, 8)).shape)
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("code", "file"), [(SIZE, "architectures/catalogue.py"), (FAMILY, "networks/families.py")]
)
def test_the_networks_of_the_guide_are_built_by_timm(code: str, file: str) -> None:
    # In a process of its own, as timm's registry forgets nothing.
    program = code.format(snippet=snippet(CONTRIBUTING, "python", f"# replication/{file}"))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["2", "7"], done.stderr
