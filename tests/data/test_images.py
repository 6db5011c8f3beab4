"""Image data sets: splits that never mix, pairs, and normalisation."""

from pathlib import Path
from typing import Any

import pytest
import torch
from support.checks import refused
from torch.nn.functional import avg_pool2d

from replication.data import images, memory, used_images
from replication.data.images import Items, normalise
from replication.data.prepared import image_spec
from replication.data.specs import IMAGE_DATASETS
from replication.data.used_images import load_images


def unnormalised(part: images.Items, data: images.ImageData) -> torch.Tensor:
    mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (data.mean, data.std))
    return part.images * std + mean


@pytest.mark.parametrize("evaluate_on", ["test", "validation"])
def test_no_digit_is_in_pairs_of_both_parts(evaluate_on: Any) -> None:
    data = load_images("two_digit_numbers", Path(), evaluate_on=evaluate_on)
    halves = []
    for part in (data.train, data.evaluation):
        pixels = unnormalised(part, data).mul(16).round()
        single = torch.cat([pixels[..., :8], pixels[..., 8:]]).flatten(1)
        halves.append(set(map(tuple, single.tolist())))
    # Some digits of the data set are the same to the pixel.
    assert len(halves[0] & halves[1]) <= 2
    assert data.train.images.shape[1:] == (1, 8, 16)
    assert data.classes == 100


def test_validation_items_come_from_the_training_part() -> None:
    test = load_images("digits", Path())
    validation = load_images("digits", Path(), evaluate_on="validation")
    assert len(validation.evaluation.labels) == len(test.train.labels) // 5
    whole = {tuple(i) for i in unnormalised(test.train, test).mul(16).round().flatten(1).tolist()}
    for part in (validation.train, validation.evaluation):
        pixels = unnormalised(part, validation).mul(16).round().flatten(1).tolist()
        assert {tuple(image) for image in pixels} <= whole


@pytest.mark.parametrize("balanced", [False, True])
def test_the_class_of_a_pair_is_its_number(balanced: bool) -> None:
    items = images.Items(torch.arange(10.0).view(10, 1, 1, 1), torch.arange(10))
    single = used_images._Selection(items, torch.arange(10))
    spec = IMAGE_DATASETS["two_digit_numbers"]
    pairs = used_images._choose("numbers", spec, single, "train", 200, balanced).load(1)
    tens, units = pairs.images[:, 0, 0].unbind(-1)
    assert torch.equal(pairs.labels, (10 * tens + units).long())


def test_images_are_normalised_by_the_training_part_alone() -> None:
    data = load_images("digits", Path())
    assert data.train.images.mean().item() == pytest.approx(0, abs=1e-6)
    assert data.train.images.std(correction=0).item() == pytest.approx(1, abs=1e-6)
    assert abs(data.evaluation.images.mean().item()) > 1e-4


@pytest.mark.parametrize("part", ["test", "validation"])
@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"train": 300, "test": 110, "balanced": True},
        {"items": 400, "train": 250, "pool": 2, "balanced": True},
        {"pool": 4},
    ],
)
@pytest.mark.parametrize("name", ["digits", "two_digit_numbers"])
def test_a_loaded_data_set_has_the_sizes_of_its_specification(
    name: str, sizes: dict[str, int], part: Any
) -> None:
    data = load_images(name, Path(), evaluate_on=part, **sizes)
    spec = image_spec(name, evaluate_on=part, **sizes)
    assert data.train.images.shape == (spec.train, *spec.shape)
    assert len(data.evaluation.labels) == spec.test
    assert data.classes == spec.classes


def test_more_images_than_the_data_set_has_are_an_error() -> None:
    with refused("digits: `train` asks for 9999 images", "the data set has 1198; lower it"):
        load_images("digits", Path(), train=9999)


def test_digits_that_are_not_for_training_are_for_testing() -> None:
    whole, few = load_images("digits", Path()), load_images("digits", Path(), items=300)
    assert (len(few.train.labels), len(few.evaluation.labels)) == (300, 1497)

    def pixels(data: images.ImageData) -> torch.Tensor:
        both = torch.cat([unnormalised(data.train, data), unnormalised(data.evaluation, data)])
        return both.mul(16).round().flatten(1).sort(0).values

    assert torch.equal(pixels(few), pixels(whole))


def test_pairs_are_made_of_the_chosen_items_only() -> None:
    single = load_images("digits", Path(), items=50, balanced=True)
    pairs = load_images("two_digit_numbers", Path(), items=50, train=200, balanced=True)
    halves = unnormalised(pairs.train, pairs).mul(16).round().split(8, dim=-1)
    seen = {tuple(image) for half in halves for image in half.flatten(1).tolist()}
    chosen = unnormalised(single.train, single).mul(16).round().flatten(1).tolist()
    assert seen <= {tuple(image) for image in chosen}


def test_squares_of_pixels_are_averaged() -> None:
    items = images.Items(torch.tensor([[[[1.0, 2, 0, 0], [3, 6, 0, 4]]]]), torch.tensor([7]))
    averaged = used_images._Selection(items, torch.tensor([0])).load(2)
    assert averaged.images.tolist() == [[[[3.0, 1.0]]]]
    assert averaged.labels.tolist() == [7]


@pytest.mark.parametrize("pool", [1, 2, 4, 7])
def test_averages_have_the_bytes_of_torchs(pool: int) -> None:
    pixels = torch.randint(256, (30, 3, 28, 56), generator=torch.Generator().manual_seed(0)) / 255
    assert torch.equal(used_images._averaged(pixels, pool), avg_pool2d(pixels, pool))


def test_squares_have_to_divide_the_image() -> None:
    with refused("digits: `pool`: 3 does not divide", "8 × 8"):
        load_images("digits", Path(), pool=3)
    with refused("digits: `items` asks for 1199 images", "has 1198"):
        load_images("digits", Path(), items=1199)


def test_every_class_of_balanced_numbers_is_trained_on() -> None:
    sizes = {"items": 400, "pool": 2, "train": 576, "test": 2000}
    with refused("two_digit_numbers: no training image of class 37; raise `train`, or add", "true"):
        load_images("two_digit_numbers", Path(), **sizes)
    data = load_images("two_digit_numbers", Path(), **sizes, balanced=True)
    assert set(torch.bincount(data.train.labels, minlength=100).tolist()) == {5, 6}
    # The test images are drawn as before: their distribution is not the training images'.
    assert len(torch.bincount(data.evaluation.labels).unique()) > 2


@pytest.mark.parametrize("evaluate_on", ["test", "validation"])
def test_balanced_items_and_images_are_equally_many_of_each_class(evaluate_on: Any) -> None:
    for sizes in ({"items": 300}, {"train": 100}):
        data = load_images("digits", Path(), **sizes, balanced=True, evaluate_on=evaluate_on)
        counts = torch.bincount(data.train.labels).tolist()
        assert len(counts) == 10
        assert len(set(counts)) == 1


def test_classes_without_images_are_named() -> None:
    with refused("digits: no training image of class 1; raise `train`, or add `balanced", "true`"):
        load_images("digits", Path(), train=20)
    assert len(load_images("digits", Path(), train=20, balanced=True).train.labels) == 20
    with refused("digits: no test image of class 3, 4, 5; raise `test`, or", "leave it out"):
        load_images("digits", Path(), test=10)
    with refused("digits: no validation image of class ", "add images of it"):
        load_images("digits", Path(), items=40, balanced=True, evaluate_on="validation")


def test_a_data_set_that_does_not_fit_into_memory_is_named_with_its_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "memory_bytes", lambda: 1_000_000)
    # 1,198 · 3 copies and 599 test images of 64 pixels, each of 4 bytes.
    with refused(
        "digits: 1,198 training and 599 test images of 1 × 8 × 8 take 1.1 MB of memory, but"
        " this machine has 1.0 MB",
        "use fewer (`train`, `test`) or smaller ones (`pool`)",
    ):
        load_images("digits", Path())
    assert load_images("digits", Path(), pool=2).channels == 1


@pytest.mark.parametrize("overwrite", [False, True])
def test_images_that_are_given_stay_as_they_are(overwrite: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    given = images.Items(torch.rand(150, 2, 3, 3, generator=generator), torch.arange(150) % 4)
    before = given.images.clone()
    data = images.normalise(given, given.take(torch.arange(9)), 4, overwrite=overwrite)
    assert torch.equal(given.images, before) != overwrite
    mean, std = before.mean((0, 2, 3)), before.std((0, 2, 3), correction=0)
    expected = (before - mean[:, None, None]) / std[:, None, None]
    torch.testing.assert_close(data.train.images, expected)
    assert torch.equal(data.evaluation.images, data.train.images[:9])


def test_a_constant_channel_is_not_scaled() -> None:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(20, 3, 4, 4, generator=generator)
    pixels[:, 1] = 0.1
    test = pixels.clone()
    test[:, 1] = 0.3
    labels = torch.zeros(20, dtype=torch.int64)
    data = images.normalise(images.Items(pixels, labels), images.Items(test, labels), 1)
    assert data.constant_channels == (1,)
    assert (data.mean[1], data.std[1]) == (pytest.approx(0.1), 1.0)
    assert (data.train.images[:, 1] == 0).all()
    assert data.evaluation.images[:, 1].unique().tolist() == pytest.approx([0.2])
    assert data.train.images[:, 0].std(correction=0).item() == pytest.approx(1)


def test_images_are_normalised_in_double_precision() -> None:
    # Constants in single precision would change every pixel, and the bytes of every image run.
    pixels = torch.rand(50, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(50) % 2
    train, test = (images.Items(pixels[part], labels[part]) for part in (slice(40), slice(40, 50)))
    normalised = images.normalise(train, test, 2)
    exact = pixels.double()
    mean = exact[:40].mean((0, 2, 3))
    std = exact[:40].std((0, 2, 3), correction=0)
    assert normalised.mean == pytest.approx(mean.tolist(), rel=1e-15)
    assert normalised.std == pytest.approx(std.tolist(), rel=1e-15)
    constants = (
        torch.tensor(values, dtype=torch.float64) for values in (normalised.mean, normalised.std)
    )
    mean, std = (values[:, None, None] for values in constants)
    assert torch.equal(normalised.train.images, ((exact[:40] - mean) / std).float())
    assert torch.equal(normalised.evaluation.images, ((exact[40:] - mean) / std).float())


def test_the_constants_of_the_normalisation_do_not_depend_on_the_number_of_threads() -> None:
    images = torch.rand(4000, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    items, threads = Items(images, torch.arange(4000) % 2), torch.get_num_threads()
    constants = set()
    try:
        for number in (1, 2, 3):
            torch.set_num_threads(number)
            data = normalise(items, items, 2)
            constants.add((data.mean, data.std))
            assert torch.get_num_threads() == number
    finally:
        torch.set_num_threads(threads)
    assert len(constants) == 1
