"""A training by one call: as a run of a study, in memory."""

import copy
import itertools
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import timm
import torch
from support.plans import ROOT
from torch import Tensor, nn

import replication
from replication import distill
from replication.errors import InputError

RECIPE: dict[str, Any] = {"epochs": 3, "batch_size": 16, "learning_rate": 0.05, "milestones": [2]}


def data(n: int = 64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(n)
    labels = torch.arange(n) % 3
    images = torch.rand(n, 1, 8, 8, generator=generator) / 2
    images[labels == 0, :, ::2] += 0.5
    images[labels == 1, :, :, ::2] += 0.5
    return images, labels


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return timm.create_model("test_resnet", num_classes=3, in_chans=1)


@pytest.fixture(scope="module")
def teacher() -> replication.Trained:
    return distill(network(0), data(), data(48), **RECIPE)


def test_a_student_learns_from_its_teacher_which_stays_as_it_is(
    teacher: replication.Trained,
) -> None:
    before = {key: value.clone() for key, value in teacher.network.state_dict().items()}
    student = distill(network(1), data(), data(48), teacher.network, **RECIPE)
    assert teacher.test_error < 40
    assert student.test_error < 40
    assert student.record["objective"] == "ban"
    assert student.history["divergence"].iloc[-1] < student.history["divergence"].iloc[0]
    assert list(student.history["epoch"]) == [1, 2, 3]
    assert student.logits.shape == (48, 3)
    assert not student.network.training
    after = teacher.network.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())


def test_the_same_call_gives_the_same_weights(teacher: replication.Trained) -> None:
    one, two = (
        distill(network(1), data(), data(48), teacher.network, "dkpp", seed=3, **RECIPE)
        for _ in range(2)
    )
    assert torch.equal(one.logits, two.logits)
    other = distill(network(1), data(), data(48), teacher.network, "dkpp", seed=4, **RECIPE)
    assert not torch.equal(one.logits, other.logits)


def test_a_function_is_an_objective(teacher: replication.Trained) -> None:
    def match(
        student_logits: Tensor, labels: Tensor, teacher_logits: Tensor, weight: float = 1.0
    ) -> Tensor:
        return weight * (student_logits - teacher_logits).square().mean()

    student = distill(
        network(1), data(), data(48), teacher.network, match, parameters={"weight": 0.5}, **RECIPE
    )
    assert student.record["objective"] == "match"
    assert student.test_error < 40


def conv(outputs: int = 3, seed: int = 0) -> nn.Sequential:
    """A small network with batch normalisation and dropout."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.BatchNorm1d(4),
        nn.Linear(4, outputs),
    )


def conv_without_seed() -> nn.Sequential:
    """A network from torch's global random state, as it is."""
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))


class Pair(nn.Module):
    """Returns two tensors."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return images, images


def sharing(teacher: nn.Module) -> nn.Module:
    """A student whose first layer is the teacher's."""
    student = conv(seed=5)
    student[0] = teacher[0]  # type: ignore[index]
    return student


IMAGES, LABELS = data()
TEACHER = conv(seed=7)
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "objective": ({"objective": "bam"}, "no objective `bam`; available: label, ban"),
    "no function": ({"objective": 3}, "objective: 3 is neither a name nor a function"),
    "no teacher": ({"objective": "kd"}, "the objective `kd` needs a teacher"),
    "a teacher for labels": (
        {"objective": "label", "teacher": TEACHER},
        "the objective `label` has no teacher",
    ),
    "recipe": ({"epoch": 3}, "distill: unknown key `epoch`; did you mean `epochs`?"),
    "padding": ({"crop_padding": 8}, "8 pixels cannot be reflected from images of 8 × 8"),
    "precision": ({"precision": "float64"}, "precision: 'float64' must be one of bfloat16"),
    "device": ({"device": "gpu"}, "device: 'gpu' is not a device; use cpu or cuda"),
    "other device": ({"device": "meta"}, "device: `meta` is not supported"),
    "vector": ({"objective": lambda z, y, t: z.sum(1)}, "returned shape (16,) instead of a scalar"),
    "unknown parameter": (
        {"objective": "kd", "teacher": TEACHER, "parameters": {"temprature": 2.0}},
        "the objective `kd` has no parameter `temprature`; it takes temperature, alpha",
    ),
    "parameter of a function": (
        {"objective": lambda z, y, t: z.sum(), "parameters": {"weight": 2.0}},
        "has no parameter `weight`; it takes none",
    ),
    "text as a parameter": (
        {"objective": "kd", "teacher": TEACHER, "parameters": {"temperature": "2"}},
        "the parameter `temperature` is '2', which is not a finite number",
    ),
    "parameters": ({"parameters": [1.0]}, "parameters: [1.0] is not a dictionary"),
    "shape of labels": ({"test": (torch.rand(4, 1, 8, 8), torch.zeros(3))}, "labels of shape (3,)"),
    "one tensor": ({"train": IMAGES}, "train: Tensor is not a pair; give a tuple"),
    "three tensors": ({"test": (IMAGES, LABELS, LABELS)}, "test: tuple is not a pair"),
    "numpy": (
        {"train": (IMAGES.numpy(), LABELS)},
        "train: the images are a ndarray, not a tensor; convert them with torch.as_tensor",
    ),
    "list of labels": ({"train": (IMAGES, LABELS.tolist())}, "train: the labels are a list"),
    "empty test set": ({"test": (IMAGES[:0], LABELS[:0])}, "test: there are no images"),
    "empty training set": ({"train": (IMAGES[:0], LABELS[:0])}, "train: there are no images"),
    "label of -1": ({"train": (IMAGES, LABELS - 1)}, "train: the label -1 is negative"),
    "label of -100": (
        {"test": (IMAGES, torch.where(LABELS == 1, -100, LABELS))},
        "test: the label -100 is negative",
    ),
    "float labels": ({"train": (IMAGES, LABELS.float())}, "train: labels in torch.float32"),
    "bool labels": ({"train": (IMAGES, LABELS > 0)}, "train: labels in torch.bool"),
    "integer images": ({"train": (IMAGES.int(), LABELS)}, "train: images in torch.int32; give"),
    "no number": ({"train": (IMAGES / 0, LABELS)}, "train: some pixels are infinite or not a"),
    "other sizes": (
        {"test": (torch.rand(4, 1, 9, 9), torch.zeros(4).long())},
        "train has images of shape (1, 8, 8)",
    ),
    "other numbers": (
        {"test": ((IMAGES * 255).byte(), LABELS)},
        "test of (1, 8, 8) in torch.uint8; give both in the same form",
    ),
    "one class": ({"train": (IMAGES, LABELS * 0), "test": (IMAGES, LABELS * 0)}, "up to 0, which"),
    "classes": ({"classes": 2}, "labels go up to 2, which does not fit 2 classes"),
    "fraction of classes": ({"classes": 3.5}, "classes: 3.5 is not a whole number"),
    "too many outputs": (
        {"network": conv(outputs=12)},
        "network: returns logits of shape (2, 12) for 2 images of 3 classes; give it 3 outputs",
    ),
    "teacher of other classes": (
        {"teacher": conv(outputs=4)},
        "teacher: returns logits of shape (2, 4) for 2 images of 3 classes",
    ),
    "a pair of tensors": ({"network": Pair()}, "network: returns a tuple instead of a tensor"),
    "other channels": ({"network": nn.Conv2d(3, 4, 3)}, "network: fails on images of shape"),
    "no network": ({"network": "resnet18"}, "network: str is not a torch.nn.Module"),
    "function as teacher": ({"teacher": lambda x: x}, "teacher: function is not a torch.nn.Module"),
    "itself": ({"network": TEACHER, "teacher": TEACHER}, "the teacher is the student itself"),
    "a shared layer": (
        {"network": sharing(TEACHER), "teacher": TEACHER},
        "the student's 0.weight is the teacher's 0.weight, which would change",
    ),
    "the teacher's weights": (
        {"network": copy.deepcopy(TEACHER), "teacher": TEACHER},
        "the student has its teacher's weights; it has to start from its own",
    ),
    "frozen": (
        {"network": conv().requires_grad_(False)},
        "all parameters of the network are frozen",
    ),
    "a last batch of one image": (
        {"train": (IMAGES[:49], LABELS[:49])},
        "the last batch of an epoch has one image, too few for batch normalisation; change",
    ),
    "one-hot labels": (
        {"train": (IMAGES, torch.eye(3)[LABELS])},
        "train: images of shape (64, 1, 8, 8) with labels of shape (64, 3)",
    ),
    "a batch of images alone": ({"test": (IMAGES[0], LABELS[0])}, "have to be (n, channels, hei"),
    "complex labels": ({"train": (IMAGES, LABELS + 0j)}, "labels in torch.complex64"),
    "no tensors": ({"train": ("images", "labels")}, "train: the images are a str, not a tensor"),
    "data that are a dictionary": ({"train": {"x": IMAGES}}, "train: dict is not a pair"),
    "outputs of another teacher": ({"teacher": Pair()}, "teacher: returns a tuple instead of a"),
    "double precision": ({"network": conv().double()}, "network: fails on images of shape"),
    "infinite parameter": (
        {"teacher": TEACHER, "objective": "kd", "parameters": {"alpha": float("inf")}},
        "the parameter `alpha` is inf, which is not a finite number",
    ),
    "second-order optimiser": ({"optimizer": "adahessian"}, "adahessian needs second derivatives"),
    "built without gradients": (
        {"network": torch.inference_mode()(conv)()},
        "network: was built under torch.inference_mode, so it cannot be trained",
    ),
    "divergence": ({"learning_rate": 1e30}, "is not finite"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_call_is_one_line_and_leaves_the_random_state(name: str) -> None:
    changed, says = REFUSED[name]
    call = {"network": conv(), "train": data(), "test": data(48), **RECIPE, **changed}
    before = torch.get_rng_state()
    with pytest.raises(InputError) as caught:
        distill(**call)
    assert says in str(caught.value)
    assert str(caught.value).isprintable()
    assert torch.equal(torch.get_rng_state(), before)


def test_the_result_of_a_call_is_not_a_teacher_but_has_one(teacher: replication.Trained) -> None:
    with pytest.raises(InputError, match=r"Trained is not a torch\.nn\.Module; give its `network`"):
        distill(network(1), data(), data(48), teacher, **RECIPE)  # type: ignore[arg-type]


def test_labels_of_any_integer_type_and_unused_classes_are_taken() -> None:
    images, labels = data()
    part = (images * 255).byte(), labels.byte()
    trained = distill(conv(outputs=5), part, part, classes=5, **RECIPE)
    assert trained.logits.shape == (64, 5)
    assert trained.record["dataset"]["classes"] == 5


def test_the_callers_random_numbers_go_on_as_if_there_had_been_no_training() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    student = conv()
    torch.manual_seed(3)
    distill(student, data(), data(48), **RECIPE)
    assert torch.equal(torch.rand(4), expected)


def test_networks_that_are_built_in_a_loop_start_from_different_weights() -> None:
    torch.manual_seed(5)
    firsts = []
    for _ in range(3):
        student = conv_without_seed()
        firsts.append(student[0].weight.detach().clone())
        distill(student, data(), data(48), **RECIPE)
    assert not any(torch.equal(one, two) for one, two in itertools.pairwise(firsts))


@pytest.mark.parametrize("switched_off", [torch.no_grad, torch.inference_mode])
def test_a_caller_without_gradients_gets_the_same_student(switched_off: Any) -> None:
    expected = distill(conv(), data(), data(48), TEACHER, **RECIPE)
    student = conv()
    with switched_off():
        trained = distill(student, data(), data(48), TEACHER, **RECIPE)
        assert not torch.is_grad_enabled()
    assert torch.equal(trained.logits, expected.logits)


def test_numbers_of_numpy_are_numbers() -> None:
    trained = distill(
        conv(), data(), data(48), TEACHER, "kd", classes=np.int64(3),  # type: ignore[arg-type]
        parameters={"alpha": np.float32(0.5), "temperature": np.int64(2)}, **RECIPE,
    )  # fmt: skip
    assert trained.record["parameters"] == {"alpha": 0.5, "temperature": 2.0}


def test_every_part_of_the_teacher_comes_back_in_its_mode(teacher: replication.Trained) -> None:
    mixed = copy.deepcopy(teacher.network).train()
    parts = list(mixed.modules())
    for part in parts[1::3]:
        part.training = False
    before = [part.training for part in parts]
    assert len(set(before)) == 2
    distill(network(1), data(), data(48), mixed, **RECIPE)
    assert [part.training for part in parts] == before


def test_a_frozen_normalisation_layer_keeps_its_statistics() -> None:
    student = conv()
    frozen, learning = student[1], student[6]
    frozen.eval()
    distill(student, data(), data(48), **RECIPE)
    assert frozen.running_mean.tolist() == [0.0] * 4
    assert frozen.num_batches_tracked.item() == 0
    assert learning.num_batches_tracked.item() == 3 * 4


def test_a_network_in_evaluation_mode_is_trained_as_a_whole() -> None:
    one = distill(conv(), data(), data(48), **RECIPE)
    two = distill(conv().eval(), data(), data(48), **RECIPE)
    assert torch.equal(one.logits, two.logits)
    assert two.network[1].num_batches_tracked.item() == 3 * 4  # type: ignore[index]


class Watched(nn.Module):
    """Keeps what a network is shown while it is trained."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.seen = network, []

    def forward(self, images: Tensor) -> Tensor:
        if self.training:
            self.seen.append(images.clone())
        result: Tensor = self.network(images)
        return result


def shown(teacher: nn.Module | None, seed: int = 0, **options: Any) -> Tensor:
    """All images in the order in which a student is shown them."""
    student = Watched(conv(seed=9))
    distill(student, data(), data(48), teacher, seed=seed, **options, **RECIPE)
    return torch.cat(student.seen)


def test_generations_of_one_seed_have_random_streams_of_their_own() -> None:
    first, second = conv(seed=1), conv(seed=2)
    orders = [
        shown(None),
        shown(None, seed=1),
        shown(first),
        shown(second),
        shown(first, objective="ban+l"),
        shown(first, objective="kd"),
        shown(first, objective="kd", parameters={"temperature": 2.0}),
    ]
    for place, order in enumerate(orders):
        assert not any(torch.equal(order, other) for other in orders[:place])
    assert torch.equal(shown(first), orders[2])
    records = [
        distill(conv(seed=9), data(), data(48), teacher, **RECIPE).record
        for teacher in (first, second)
    ]
    assert records[0]["stream"] != records[1]["stream"]
    assert records[0]["teacher"] != records[1]["teacher"]


def test_a_teacher_that_changes_stops_the_training() -> None:
    class Drifting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = conv(seed=4)
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, images: Tensor) -> Tensor:
            self.calls += 1
            result: Tensor = self.network(images)
            return result

    with pytest.raises(InputError, match="the teacher changed while its student was training"):
        distill(conv(), data(), data(48), Drifting(), **RECIPE)


def test_a_run_and_a_call_share_the_only_loop_over_epochs() -> None:
    loops = [
        file.name
        for file in (ROOT / "replication").rglob("*.py")
        if ".end_epoch()" in file.read_text(encoding="utf-8")
    ]
    assert loops == ["loop.py"]


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, replication; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_code_of_the_page_runs() -> None:
    text = (ROOT / "docs/reference/python.md").read_text(encoding="utf-8")
    code = "".join(re.findall(r"```python\n(.*?)```", text, re.S))
    namespace: dict[str, Any] = {}
    exec(code.replace('"epochs": 10', '"epochs": 2').replace("[5, 8]", "[1]"), namespace)
    assert namespace["student"].record["objective"] == "ban"
