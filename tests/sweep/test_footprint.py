"""What is counted without torch is what torch has: parameters, arithmetic, what backward keeps."""

import pytest
import timm
import torch
from support.plans import ROOT
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import replication.networks
from replication.architectures.layers import FAMILIES
from replication.config.scale import Corpus, ImageDataset
from replication.data.specs import TEXTS, Images, Text, images_of, text_of
from replication.data.text import characters
from replication.networks.language import LANGUAGE_MODELS
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.sweep.footprint import Footprint, of_images, of_text

Options = tuple[tuple[str, object], ...]
UNROLL = 5


def options(plan: Plan, run: Run) -> Options:
    return tuple(plan.scale_of(run).networks.options(run.network).items())


def every(kind: type) -> list[tuple[str, str, Options, object]]:
    """Each network with its options and data at each scale, once."""
    found = {}
    for scale in ("digits", "fashion", "paper"):
        plan = Plan.read([ROOT / f"config/{scale}.yaml"], ROOT / "tables")
        for run in plan.runs.values():
            if isinstance(run.dataset, kind):
                key = (scale, run.network, options(plan, run), run.dataset)
                found[key] = key
    return list(found.values())


IMAGES, TEXT = every(ImageDataset), every(Corpus)


def name(value: object) -> str:
    return value if isinstance(value, str) else ""


def counted(network: nn.Module, images: Images) -> float:
    """Arithmetic of one image, as torch counts it; the meta device knows no autocast."""
    pictures = torch.zeros(2, images.channels, images.height, images.width, device="meta")
    with FlopCounterMode(display=False) as counter:
        network.classifier(network.global_pool(network.features(pictures)))  # type: ignore[operator]
    return counter.get_total_flops() / 2


@pytest.mark.parametrize(("scale", "network", "options", "dataset"), IMAGES, ids=name)
def test_an_image_network_has_the_parameters_and_the_arithmetic_that_are_counted(
    scale: str, network: str, options: Options, dataset: ImageDataset
) -> None:
    images = images_of(dataset, "test")
    found = of_images(network, options, images)
    assert found is not None
    shape = {"num_classes": images.classes, "in_chans": images.channels}
    with torch.device("meta"):
        built = timm.create_model(network, **shape, **dict(options)).eval()
    assert found.parameters == sum(parameter.numel() for parameter in built.parameters())
    assert found.flops == pytest.approx(counted(built, images), rel=1e-6)


def test_the_arithmetic_of_other_sizes_of_image_is_counted_too() -> None:
    # Odd sides are rounded up by strides and down by pooling.
    for network in ("wide_resnet_28_1", "densenet_112_33", "pre_resnet_14_50"):
        images = Images(7, 2, 15, 27, 0, 0)
        found = of_images(network, (("width_ratio", "1/4"),), images)
        assert found is not None
        with torch.device("meta"):
            built = timm.create_model(network, num_classes=7, in_chans=2, width_ratio="1/4").eval()
        assert found.flops == pytest.approx(counted(built, images), rel=1e-6)


def vocabulary(text: Text) -> tuple[str, ...]:
    """Words all as long as the longest, over an alphabet of the given size."""
    # Padding and the marks of both ends are characters too.
    letters = [chr(0x4E00 + i) for i in range(text.alphabet - 3)]
    length = text.longest - 2
    every = [letters[i % len(letters)] for i in range(len(letters) * length)]
    words = ["".join(every[i : i + length]) for i in range(0, len(every), length)]
    base = len(letters)
    while len(words) < text.words:
        number, spelled = len(words), ""
        while len(spelled) < length:
            spelled, number = spelled + letters[number % base], number // base
        words.append(spelled)
    return tuple(words[: text.words])


@pytest.mark.parametrize(("scale", "network", "options", "corpus"), TEXT, ids=name)
def test_a_language_model_has_the_parameters_that_are_counted(
    scale: str, network: str, options: Options, corpus: Corpus
) -> None:
    text = text_of(corpus)
    words = vocabulary(text)
    assert int(characters(words).max()) + 1 == text.alphabet
    with torch.device("meta"):
        built = LANGUAGE_MODELS[network](words, **dict(options))
    expected = sum(parameter.numel() for parameter in built.parameters())
    assert of_text(network, options, text, 35).parameters == expected


@pytest.mark.parametrize("network", ["lstm", "cnn_lstm"])
def test_the_arithmetic_of_a_language_model_is_counted(network: str) -> None:
    text = Text(60, 0, 0, 0, alphabet=20, longest=12, distinct=1.0)
    given = (("width_ratio", "1/50"), ("dropout", 0.0))
    given += (("layers", 2),) if network == "lstm" else (("depth_ratio", "1"),)
    # In double precision: the counter does not see into the faster kernels for single.
    model = LANGUAGE_MODELS[network](vocabulary(text), **dict(given)).double().eval()
    # Every word of the window is another.
    tokens = torch.randperm(60)[: UNROLL * 4].view(UNROLL, 4)
    with FlopCounterMode(display=False) as counter:
        model(tokens, model.initial_state(4))
    found = of_text(network, given, text, UNROLL)
    assert found.flops == pytest.approx(counter.get_total_flops() / tokens.numel(), rel=0.02)


def kept(network: nn.Module, images: Images) -> float:
    """Numbers of one image that the backward pass keeps, weights and statistics left out."""
    own = {tensor.data_ptr() for tensor in (*network.parameters(), *network.buffers())}
    held: dict[int, int] = {}

    def hold(tensor: Tensor) -> Tensor:
        if tensor.ndim == 4 and tensor.data_ptr() not in own:
            held[tensor.untyped_storage().data_ptr()] = tensor.numel()
        return tensor

    batch = torch.zeros(2, images.channels, images.height, images.width)
    with torch.autograd.graph.saved_tensors_hooks(hold, lambda tensor: tensor):
        alive = network(batch)
    del alive
    return (sum(held.values()) - batch.numel()) / 2


@pytest.mark.parametrize("network", ["wide_resnet_28_2", "densenet_90_60", "pre_resnet_14_100",
                                     "wide_resnet_as_dense_2_100"])  # fmt: skip
def test_what_waits_for_the_backward_pass_is_counted(network: str) -> None:
    images = Images(10, 3, 16, 16, 0, 0)
    given = (("width_ratio", "1/4"),)
    given += (("dropout", 0.0),) if "wide" in network else ()
    found = of_images(network, given, images)
    assert found is not None
    built = timm.create_model(network, **dict(given))
    assert found.kept == pytest.approx(kept(built, images), rel=0.1)


def test_a_densenet_that_recomputes_keeps_less_and_moves_as_much() -> None:
    images = Images(10, 3, 32, 32, 0, 0)
    usual, frugal = (
        of_images("densenet_90_60", (("memory_efficient", on),), images) for on in (False, True)
    )
    assert isinstance(usual, Footprint)
    assert isinstance(frugal, Footprint)
    assert frugal.kept < usual.kept / 2
    assert frugal.moved == usual.moved
    assert frugal.parameters == usual.parameters


def test_every_family_of_image_networks_is_described() -> None:
    assert FAMILIES.keys() == replication.networks.FAMILIES.keys()


def test_the_sizes_of_the_python_reference_are_those_of_the_corpus() -> None:
    from replication.data.text import END_OF_SENTENCE, python_reference

    corpus, sizes = python_reference(), TEXTS["python_reference"]
    assert END_OF_SENTENCE in corpus.vocabulary
    assert len(corpus.vocabulary) == sizes.words
    # Another version of Python has another text.
    for part in ("train", "validation", "test"):
        assert len(getattr(corpus, part)) == pytest.approx(getattr(sizes, part), rel=0.15)
    assert int(characters(corpus.vocabulary).max()) + 1 == pytest.approx(sizes.alphabet, abs=6)
