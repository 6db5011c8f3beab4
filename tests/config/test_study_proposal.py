"""A proposed study has a network and a recipe for so many images, and is planned as it is."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from replication.cli import run_command
from replication.config.new_study import create_study
from replication.config.study_proposal import StudyProposal, propose_study
from replication.data.specs import ImageSpec, Source
from replication.plan.plan import Plan

FOLDER = Source("folder", "it's mine/images", (8, 8), 1)
SMALL = ImageSpec("images", "", classes=10, shape=(1, 8, 8), train=400, test=1397)


def propose(**differences: object) -> StudyProposal:
    return propose_study(FOLDER, replace(SMALL, **differences))  # type: ignore[arg-type]


def test_a_proposal_is_a_study_that_can_be_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    create_study(Path("mine"), propose)
    plan = Plan.read([Path("mine/study.yaml")])
    (dataset,) = {run.dataset for run in plan.runs.values()}
    assert dataset.model_dump()["folder"] == "it's mine/images"
    assert {run.network for run in plan.runs.values()} == {"densenet_90_60"}
    assert len(plan.runs) == 6 * 3
    run = next(iter(plan.runs.values()))
    assert plan.options(run)["width_ratio"] == "1/5"
    assert (plan.training(run).epochs, plan.training(run).batch_size) == (24, 32)


def test_more_images_get_a_wider_network_and_more_epochs() -> None:
    small, large = propose(), propose(train=5_000)
    assert "width_ratio: 1/5" in small.sizes
    assert "width_ratio: 2/5" in large.sizes
    assert (large.epochs, large.batch_size, large.learning_rate) == (40, 64, 0.2)


def test_of_very_many_images_a_part_is_trained_on() -> None:
    dataset = yaml.safe_load(propose(train=50_000).dataset)
    assert (dataset["train"], dataset["balanced"]) == (10_000, True)
    assert "train" not in yaml.safe_load(propose(train=10_000).dataset)


@pytest.mark.parametrize(
    ("height", "width", "pool"), [(8, 8, 1), (28, 28, 1), (96, 96, 3), (224, 224, 7), (96, 128, 4)]
)
def test_large_images_are_averaged_to_at_most_32_pixels(height: int, width: int, pool: int) -> None:
    dataset = yaml.safe_load(propose(shape=(3, height, width)).dataset)
    assert dataset.get("pool", 1) == pool


def test_sides_that_nothing_divides_are_left_to_a_resnet() -> None:
    proposal = propose(shape=(3, 97, 97))
    assert "timm:resnet18" in proposal.network
    assert not proposal.sizes


@pytest.mark.parametrize("train", [2, 5, 9, 33, 65, 97, 385])
def test_no_batch_is_a_single_image(train: int) -> None:
    batch_size = propose(train=train).batch_size
    assert train % batch_size != 1
    assert 1 < batch_size <= train


def test_arrays_and_torchvision_need_no_size() -> None:
    for source in (Source("npz", "digits.npz"), Source("torchvision", "SVHN")):
        assert yaml.safe_load(propose_study(source, SMALL).dataset) == {source.kind: source.place}


def test_the_command_says_what_it_skipped_and_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for part, count in (("train", 12), ("test", 6)):
        for label in ("cat", "dog"):
            folder = Path("pictures", part, label)
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 256, (8, 8), np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    Image.new("1", (8, 8)).save("pictures/train/cat/0.png")
    Path("pictures/train/cat/.thumbnails").mkdir()
    assert run_command(["new", "mine", "--images", "pictures"]) == 0
    printed = capfd.readouterr().out
    assert "pictures: files and folders whose names begin with ., @ or __MACOSX are" in printed
    assert "1 image had one bit a pixel, and was converted to black and white" in printed
    assert printed.endswith("Next: make study STUDY=mine\n")
