"""Scale files that cannot be read, and values that only the data or the machine can refuse."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from support.project import (
    FILES,
    LSTM,
    PLAN,
    TRAIN_TEACHER,
    WRONG,
    Project,
    binary,
    make_folder,
)

TRAIN = [*TRAIN_TEACHER, *WRONG]

FILES_REFUSED: dict[str, tuple[Callable[[Project], object], str]] = {
    "binary": (lambda p: binary(p / "wrong.yaml"), "text file"),
    "a folder": (lambda p: make_folder(p / "wrong.yaml"), "text file"),
    "nested too deeply": (lambda p: (p / "wrong.yaml").write_text("a: " + "[" * 1_500), "syntax"),
    "an object to construct": (
        lambda p: (p / "wrong.yaml").write_text("a: !!python/object/apply:os.getpid []"),
        "syntax",
    ),
}


@pytest.mark.parametrize("name", FILES_REFUSED)
def test_a_scale_file_that_cannot_be_read_is_refused(name: str, project: Project) -> None:
    damage, says = FILES_REFUSED[name]
    damage(project)
    project.refuses(PLAN, "wrong.yaml", says)


def test_a_scale_file_that_overrides_nothing_is_refused(project: Project) -> None:
    project.override(scale="mine")
    project.refuses(["plan", "--configfile", "wrong.yaml"], "wrong.yaml", "is missing")


VALUES_REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a key of another version": ({"temperature": 2}, "unknown key `temperature`"),
    "a ratio over zero": ({"networks": {"densenet": {"depth_ratio": "1/0"}}}, "ratio such as 1/4"),
    "a name of two lines": ({"scale": "a\n"}, "`scale`"),
    "a data root with a zero byte": ({"data_root": "a\0b"}, "`data_root`"),
    "two data sets of one name": (
        {"datasets": {"a": {"npz": "one/pets.npz"}, "b": {"npz": "two/pets.npz"}}},
        "`a` and `b` are different data, both called pets",
    ),
    "a checkpoint at all times": ({"checkpoint": {"seconds": 0}}, "`checkpoint.seconds`"),
}


@pytest.mark.parametrize("name", VALUES_REFUSED)
def test_a_value_out_of_range_is_refused(name: str, project: Project) -> None:
    keys, says = VALUES_REFUSED[name]
    project.override(**keys)
    project.refuses(PLAN, "wrong.yaml", says)


TRAINING_REFUSES: dict[str, tuple[list[str], dict[str, Any], tuple[str, ...]]] = {
    "more images than there are": (
        TRAIN,
        {"datasets": {"cifar10": {"train": 9999}}},
        ("digits: `train` asks for 9999 images",),
    ),
    "a crop wider than the image": (
        TRAIN,
        {"images": {"crop_padding": 8}},
        ("`images.crop_padding`: 8 pixels", "4 × 4"),
    ),
    "more columns than words": (
        ["train", LSTM, *FILES, *WRONG],
        {"language": {"lstm": {"batch_size": 1000}}},
        ("`batch_size`: 900 words do not fill 1000 columns",),
    ),
    "a network larger than the memory": (
        TRAIN,
        {"networks": {"width_ratios": {"wide_resnet_28_1": 10**6}}},
        ("memory", "`width_ratio`"),
    ),
    "a learning rate that diverges": (
        TRAIN,
        {"images": {"learning_rate": 1e30}},
        ("not finite", "lower `learning_rate`"),
    ),
    "the data root of an unknown user": (
        ["train", "cifar10/wide_resnet_28_1.label.0", *FILES, *WRONG],
        {
            "datasets": {"cifar10": {"name": "cifar10", "train": None, "test": None}},
            "data_root": "~nobody-of-this-name/data",
        },
        ("`data_root`: ~nobody-of-this-name/data",),
    ),
}


@pytest.mark.parametrize("name", TRAINING_REFUSES)
def test_what_data_or_machine_cannot_do_is_refused(name: str, project: Project) -> None:
    arguments, keys, says = TRAINING_REFUSES[name]
    project.override(**keys)
    project.refuses(arguments, *says)


def test_a_last_batch_of_one_image_is_refused(project: Project) -> None:
    project.change_table(lambda table: table["rows"]["narrow"].update(network="densenet_90_60"))
    project.override(datasets={"cifar10": {"train": 33}}, images={"batch_size": 32})
    arguments = ["train", "digits/densenet_90_60.label.0", *FILES, *WRONG]
    project.refuses(arguments, "one image, too few for batch normalisation", "`batch_size`")


def test_a_missing_gpu_is_refused(project: Project) -> None:
    project.monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    project.override(device="cuda")
    project.refuses(TRAIN, "`device: cuda`", "`device: auto`")
