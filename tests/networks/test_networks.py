"""The paper's image networks: sizes, shapes, shrinking, and timm's conventions."""

import json
import math
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest
import timm
import timm.data
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

import replication.networks
from replication.architectures.catalogue import FAMILIES, NETWORKS, TIMM
from replication.config.networks import Networks
from replication.networks import hub_config
from replication.networks.families import Shortcut, WideBlock

IMAGE_NETWORKS = [name for name, network in NETWORKS.items() if network.kind == "image"]
RESIDUAL_STUDENTS = [name for name in IMAGE_NETWORKS if "as_dense" in NETWORKS[name].family]
TABLE_4 = [name for name in IMAGE_NETWORKS if name.startswith("densenet_90_60_")]

# Millions of parameters with 10 classes: computed for the structures of
# docs/reference/networks.md, printed in the paper, and the relative difference that remains.
PARAMETERS = {
    "wide_resnet_28_1": (0.369, 0.38, 0.03),
    "wide_resnet_28_2": (1.468, 1.48, 0.01),
    "wide_resnet_28_5": (9.133, 9.16, 0.005),
    "wide_resnet_28_10": (36.479, 36.0, 0.015),
    "densenet_112_33": (6.271, 6.3, 0.005),
    "densenet_90_60": (16.173, 16.1, 0.005),
    "densenet_80_80": (22.422, 22.4, 0.005),
    "densenet_80_120": (50.363, 50.4, 0.005),
    "densenet_90_60_half_depth": (21.279, 21.2, 0.005),
    "densenet_90_60_double_depth": (13.673, 13.7, 0.005),
    "densenet_90_60_triple_depth": (12.887, 12.9, 0.005),
    "densenet_90_60_quadruple_depth": (12.529, 12.6, 0.006),
    "densenet_90_60_compression_50": (6.050, 5.1, 0.19),
    "densenet_90_60_compression_75": (9.526, 10.1, 0.06),
    "densenet_90_60_compression_150": (75.524, 80.5, 0.065),
    "pre_resnet_1001": (10.328, 10.2, 0.015),
    "pre_resnet_14_50": (7.102, 7.3, 0.03),
    "pre_resnet_14_100": (17.419, 17.7, 0.02),
    "wide_resnet_as_dense_1_100": (21.001, 20.9, 0.005),
    "wide_resnet_as_dense_2_100": (43.122, 43.1, 0.005),
    "wide_resnet_as_dense_4_50": (24.340, 24.3, 0.005),
    "wide_resnet_as_dense_4_100": (87.363, 87.3, 0.005),
}

# By family, as for 8 × 8 digits; the students' second ratio is that of their teacher.
TINY: dict[str, dict[str, Any]] = {
    "wide_resnet": {"depth_ratio": "1/4", "width_ratio": "1/4"},
    "densenet": {"depth_ratio": "1/7", "width_ratio": "1/5"},
    "wide_resnet_as_dense": {"teacher_depth_ratio": "1/7", "width_ratio": "1/5"},
    "pre_resnet_as_dense": {
        "depth_ratio": "1/7",
        "teacher_depth_ratio": "1/7",
        "width_ratio": "1/5",
    },
    "pre_resnet": {"depth_ratio": "1/28", "width_ratio": "1/4"},
}


def build(name: str, **options: Any) -> Any:
    """A network in timm's registry, at full size without memory for its weights."""
    with torch.device("meta"):
        return timm.create_model(name, **options)


def tiny(name: str, **options: Any) -> Any:
    """A network shrunk for images of shape (1, 8, 8), with weights from seed 0."""
    torch.manual_seed(0)
    arguments = {"num_classes": 10, "in_chans": 1, **TINY[NETWORKS[name].family], **options}
    return timm.create_model(name, **arguments)


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def hidden_widths(model: Any) -> list[int]:
    """Channels that the stem and each transition leave."""
    layers = ("conv0", "transition1.conv", "transition2.conv", "transition3.conv")
    return [model.get_submodule(f"features.{layer}").out_channels for layer in layers]


@pytest.mark.parametrize("name", sorted(FAMILIES.keys() - {TIMM}))
def test_every_family_has_a_constructor_networks_and_sizes(name: str) -> None:
    assert callable(resolve_name(FAMILIES[name].constructor))
    assert name in {network.family for network in NETWORKS.values()}
    assert name in Networks.model_fields


def test_the_catalogue_is_read_without_torch() -> None:
    code = "import sys, replication.architectures.catalogue; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", IMAGE_NETWORKS)
def test_timm_knows_the_network(name: str) -> None:
    assert timm.is_model(name)
    assert name in timm.list_models(module="networks")
    model = build(name, num_classes=7, in_chans=2)
    assert model.get_classifier().out_features == model.num_classes == 7
    assert model.get_submodule(model.default_cfg["first_conv"]).in_channels == 2
    assert model.get_submodule(model.pretrained_cfg["classifier"]) is model.get_classifier()


def test_every_registered_network_is_in_the_catalogue() -> None:
    assert set(timm.list_models(module="networks")) == set(IMAGE_NETWORKS)
    assert set(IMAGE_NETWORKS) <= set(dir(replication.networks))


def test_asking_for_pretrained_weights_says_that_there_are_none() -> None:
    with pytest.raises(RuntimeError, match="No pretrained weights exist for wide_resnet_28_1"):
        timm.create_model("wide_resnet_28_1", pretrained=True)
    assert not timm.list_models("wide_resnet_28_*", pretrained=True)


@pytest.mark.parametrize("name", IMAGE_NETWORKS)
def test_full_size_has_the_parameters_that_the_paper_prints(name: str) -> None:
    computed, printed, unexplained = PARAMETERS[name]
    count = parameters(build(name, num_classes=10)) / 1e6
    assert count == pytest.approx(computed, abs=6e-4)
    assert count == pytest.approx(printed, rel=unexplained)


@pytest.mark.parametrize("ratios", [{}, TINY["densenet"], {"depth_ratio": 0.3, "width_ratio": 0.3}])
@pytest.mark.parametrize("name", TABLE_4)
def test_students_of_table_4_keep_the_hidden_widths_of_their_teacher(
    name: str, ratios: dict[str, Any]
) -> None:
    teacher, student = build("densenet_90_60", **ratios), build(name, **ratios)
    assert hidden_widths(student) == hidden_widths(teacher)
    assert student.num_features == teacher.num_features
    if not ratios:
        assert hidden_widths(teacher) == [120, 480, 660, 750]


@pytest.mark.parametrize(
    ("name", "units", "growth"),
    [
        ("densenet_90_60_half_depth", 1, 24),
        ("densenet_90_60", 2, 12),
        ("densenet_90_60_double_depth", 4, 6),
        ("densenet_90_60_triple_depth", 6, 4),
        ("densenet_90_60_quadruple_depth", 8, 3),
    ],
)
def test_depth_is_traded_for_growth(name: str, units: int, growth: int) -> None:
    model = build(name, **TINY["densenet"])
    for block in (1, 2, 3):
        layers = list(model.get_submodule(f"features.denseblock{block}").children())
        assert [layer.conv2.out_channels for layer in layers] == [growth] * units


@pytest.mark.parametrize(("percent", "kept"), [(50, 0.75), (75, 0.625), (150, 0.25)])
def test_transitions_remove_the_named_share_of_the_teachers_half(percent: int, kept: float) -> None:
    model = build(f"densenet_90_60_compression_{percent}")
    for transition in (1, 2, 3):
        conv = model.get_submodule(f"features.transition{transition}.conv")
        assert conv.out_channels / conv.in_channels == pytest.approx(kept, abs=0.01)


@pytest.mark.parametrize(
    ("student_ratios", "teacher_ratios"),
    [
        ({}, {}),
        ({"teacher_depth_ratio": "1/7", "width_ratio": "1/5"}, TINY["densenet"]),
        (
            {"depth_ratio": 0.5, "teacher_depth_ratio": 0.3, "width_ratio": 0.3},
            {"depth_ratio": 0.3, "width_ratio": 0.3},
        ),
    ],
)
@pytest.mark.parametrize("name", RESIDUAL_STUDENTS)
def test_ends_of_a_residual_student_fit_those_of_its_teacher(
    name: str, student_ratios: dict[str, Any], teacher_ratios: dict[str, Any]
) -> None:
    teacher = build("densenet_90_60", num_classes=100, in_chans=3, **teacher_ratios)
    student = build(name, num_classes=100, in_chans=3, **student_ratios)
    assert hidden_widths(student) == hidden_widths(teacher)
    for end in ("first_conv", "classifier"):
        student_shapes, teacher_shapes = (
            {key: value.shape for key, value in layer.state_dict().items()}
            for layer in (
                student.get_submodule(student.pretrained_cfg[end]),
                teacher.get_submodule(teacher.pretrained_cfg[end]),
            )
        )
        assert student_shapes == teacher_shapes


@pytest.mark.long
@pytest.mark.parametrize("name", IMAGE_NETWORKS)
def test_full_size_learns_from_two_images(name: str) -> None:
    torch.manual_seed(0)
    model: Any = timm.create_model(name, num_classes=100)
    logits = model(torch.randn(2, 3, 32, 32))
    assert logits.shape == (2, 100)
    nn.functional.cross_entropy(logits, torch.tensor([3, 60])).backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key


@pytest.mark.parametrize("size", [(8, 8), (8, 16), (28, 28)])
@pytest.mark.parametrize("name", IMAGE_NETWORKS)
def test_tiny_network_classifies_small_images(name: str, size: tuple[int, int]) -> None:
    model = tiny(name, num_classes=100)
    images = torch.randn(4, 1, *size)
    logits = model(images)
    assert logits.shape == (4, 100)
    logits.square().mean().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    features = model.forward_features(images)
    assert features.shape[:2] == (4, model.num_features)
    assert model.forward_head(features, pre_logits=True).shape == (4, model.num_features)


@pytest.mark.parametrize(
    "names",
    [
        [f"wide_resnet_28_{widening}" for widening in (1, 2, 5, 10)],
        ["densenet_112_33", "densenet_90_60", "densenet_80_80", "densenet_80_120"],
        [f"densenet_90_60_{depth}_depth" for depth in ("quadruple", "triple", "double", "half")],
        ["densenet_90_60_compression_50", "densenet_90_60_compression_75", "densenet_90_60"],
        ["densenet_90_60", "densenet_90_60_compression_150"],
        ["pre_resnet_14_50", "pre_resnet_14_100"],
        [f"wide_resnet_as_dense_{units}_100" for units in (1, 2, 4)],
        ["wide_resnet_as_dense_4_50", "wide_resnet_as_dense_4_100"],
    ],
    ids=lambda names: names[0],
)
def test_shrinking_keeps_the_order_of_the_sizes(names: list[str]) -> None:
    counts = [parameters(tiny(name)) for name in names]
    assert counts == sorted(set(counts))


def test_a_decimal_ratio_is_the_fraction_that_it_reads_as() -> None:
    shapes = [
        [parameter.shape for parameter in build("densenet_90_60", width_ratio=ratio).parameters()]
        for ratio in (0.2, "0.2", "1/5", Fraction(1, 5))
    ]
    assert all(other == shapes[0] for other in shapes)
    assert build("densenet_90_60", width_ratio=0.2).features.conv0.out_channels == 24


def test_dropout_silences_the_second_convolution_in_training_only() -> None:
    block, images = WideBlock(4, 4, 1, dropout=1.0), torch.randn(2, 4, 8, 8)
    assert torch.equal(block(images), images)
    assert not torch.allclose(block.eval()(images), images)


@pytest.mark.parametrize("name", ["wide_resnet_28_2", "wide_resnet_as_dense_2_100"])
def test_dropout_is_0_3_and_off_in_evaluation(name: str) -> None:
    model, images = tiny(name), torch.randn(4, 1, 8, 8)
    rates = {module.p for module in model.modules() if isinstance(module, nn.Dropout)}
    assert rates == {0.3}
    assert not torch.equal(model(images), model(images))
    model.eval()
    assert torch.equal(model(images), model(images))


def test_without_dropout_training_is_deterministic() -> None:
    model, images = tiny("wide_resnet_28_2", dropout=0.0), torch.randn(4, 1, 8, 8)
    assert torch.equal(model(images), model(images))


@pytest.mark.parametrize(
    "name", ["wide_resnet_28_2", "densenet_112_33", "wide_resnet_as_dense_1_100"]
)
def test_initialisation_is_he_with_fan_out(name: str) -> None:
    torch.manual_seed(0)
    model: Any = timm.create_model(name, num_classes=10)
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 5000:
            fan_out = module.out_channels * math.prod(module.kernel_size)
            assert module.weight.std().item() == pytest.approx(math.sqrt(2 / fan_out), rel=0.05)
            assert module.weight.mean().abs().item() < 0.1 * math.sqrt(2 / fan_out)
            assert module.bias is None
        if isinstance(module, nn.BatchNorm2d):
            assert module.weight.eq(1).all()
            assert module.bias.eq(0).all()
    assert model.get_classifier().bias.eq(0).all()


def test_two_instances_start_from_different_weights() -> None:
    models: list[Any] = [timm.create_model("wide_resnet_28_1") for _ in range(2)]
    first, second = models
    assert not torch.equal(first.features.conv0.weight, second.features.conv0.weight)


def test_final_transition_decides_what_the_linear_layer_sees() -> None:
    assert build("densenet_90_60").num_features == 750
    assert build("densenet_90_60", final_transition=False).num_features == 1500


def test_the_classifier_can_be_replaced_and_removed() -> None:
    model, images = tiny("densenet_90_60"), torch.randn(4, 1, 8, 8)
    model.reset_classifier(3)
    assert model(images).shape == (4, 3)
    assert model.get_classifier().bias.eq(0).all()
    model.reset_classifier(0)
    assert model(images).shape == (4, model.num_features)
    model.reset_classifier(0, global_pool="")
    model.reset_classifier(0)
    assert model(images).ndim == 4


@pytest.mark.parametrize(
    "name", ["wide_resnet_28_2", "densenet_90_60_double_depth", "pre_resnet_14_50"]
)
def test_checkpoint_path_restores_the_weights(name: str, tmp_path: Path) -> None:
    model, images = tiny(name).eval(), torch.randn(4, 1, 8, 8)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    torch.manual_seed(1)
    arguments = {"num_classes": 10, "in_chans": 1, **TINY[NETWORKS[name].family]}
    restored: Any = timm.create_model(
        name, checkpoint_path=tmp_path / "model.safetensors", **arguments
    ).eval()
    assert torch.equal(restored(images), model(images))


def save_folder(name: str, folder: Path, **options: Any) -> Any:
    model = tiny(name, **options)
    arguments = {**TINY[NETWORKS[name].family], **options}
    config = hub_config(name, 10, 1, arguments, (8, 8), mean=(0.25,), std=(0.5,))
    (folder / "config.json").write_text(json.dumps(config))
    save_file(model.state_dict(), folder / "model.safetensors")
    return model.eval()


@pytest.mark.parametrize("name", IMAGE_NETWORKS)
def test_a_folder_with_config_and_weights_is_a_timm_model(name: str, tmp_path: Path) -> None:
    model, images = save_folder(name, tmp_path), torch.randn(4, 1, 8, 8)
    loaded: Any = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    assert torch.equal(loaded(images), model(images))
    data = timm.data.resolve_model_data_config(loaded)
    assert [*data["input_size"], *data["mean"], *data["std"]] == [1, 8, 8, 0.25, 0.5]


def test_a_fraction_as_ratio_survives_the_folder(tmp_path: Path) -> None:
    model = save_folder("wide_resnet_28_2", tmp_path, width_ratio=Fraction(1, 8))
    loaded: Any = timm.create_model(f"local-dir:{tmp_path}", pretrained=True)
    assert torch.equal(loaded.features.conv0.weight, model.features.conv0.weight)


def test_a_folder_serves_another_number_of_classes_with_a_new_head(tmp_path: Path) -> None:
    model = save_folder("densenet_90_60", tmp_path)
    loaded: Any = timm.create_model(f"local-dir:{tmp_path}", pretrained=True, num_classes=3)
    assert loaded.get_classifier().out_features == 3
    assert torch.equal(loaded.features.conv0.weight, model.features.conv0.weight)


@pytest.mark.parametrize("name", ["wide_resnet_28_2", "densenet_90_60"])
def test_logits_are_float32_under_autocast(name: str) -> None:
    network = timm.create_model(name, num_classes=7, in_chans=1, width_ratio="1/8").eval()
    images = torch.randn(2, 1, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = network.forward_features(images)
        logits = network(images)
    assert features.dtype == torch.bfloat16
    assert logits.dtype == torch.float32
    assert torch.equal(logits, network.forward_head(features.float()))


def test_a_shortcut_computes_what_a_strided_convolution_does() -> None:
    shortcut, x = Shortcut(3, 5, 2), torch.randn(2, 3, 7, 14, requires_grad=True)
    strided = functional.conv2d(x, shortcut.weight, stride=2)
    torch.testing.assert_close(shortcut(x), strided)
    shortcut_gradients, strided_gradients = (
        torch.autograd.grad(y.square().sum(), [x, shortcut.weight]) for y in (shortcut(x), strided)
    )
    torch.testing.assert_close(shortcut_gradients, strided_gradients)


@pytest.mark.parametrize("name", IMAGE_NETWORKS)
def test_small_images_with_odd_sides_give_logits(name: str) -> None:
    assert tiny(name)(torch.randn(2, 1, 7, 3)).shape == (2, 10)


def test_the_relative_width_ratio_widens_units() -> None:
    name, sizes = "wide_resnet_as_dense_1_100", {"teacher_depth_ratio": "1/7", "width_ratio": "1/6"}
    one, other = (
        timm.create_model(name, **sizes, relative_width_ratio=ratio).get_submodule(
            "features.stage1_unit1.conv1"
        )
        for ratio in ("1", "3/2")
    )
    # A stem of 20, two units of growth 10 and half of 40 channels: 20, of which 3/2 are 30.
    assert (one.out_channels, other.out_channels) == (20, 30)
