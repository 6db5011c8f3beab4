"""The registry of data sets: complete, and read without torch."""

import subprocess
import sys
from pkgutil import resolve_name

import pytest

from replication.data.prepared import image_spec
from replication.data.specs import DATASETS


@pytest.mark.parametrize("name", DATASETS)
def test_every_loader_exists(name: str) -> None:
    assert callable(resolve_name(DATASETS[name].loader))


def test_a_fifth_of_the_training_images_is_held_out_for_validation() -> None:
    spec = image_spec("cifar10", test=500, evaluate_on="validation")
    assert (spec.train, spec.test) == (40_000, 500)
    assert image_spec("cifar10", evaluate_on="validation").test == 10_000


def test_the_registry_is_read_without_torch() -> None:
    code = "import sys, replication.data.specs; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
