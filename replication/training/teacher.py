"""A student's trained teacher: it is found, checked, and run on what the student sees."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from replication.data.images import ImageData
from replication.errors import InputError
from replication.files import checksum
from replication.networks import create_network, network_arguments
from replication.plan.initial_weights import without_start
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.results.run_folder import MODEL, RECORD, RETRAIN
from replication.results.run_record import read_record
from replication.runtime.conditions import Autocast
from replication.training.logit_cache import Data, find_cache, logits_in_order
from replication.training.loop import TrainingError
from replication.training.teacher_logits import TeacherLogits

PREDICTOR = "network."
"""Prefix of weights' names in a network that sees images in a normalisation of its own."""
CHANCE = 0.00135
"""Probability below which right answers are not due to guessing: that of three standard errors."""


@dataclass(frozen=True)
class Teacher:
    """A trained teacher: the run, its record, and the checksum of its weights."""

    plan: Plan
    run: Run
    record: dict[str, Any]
    checksum: str

    @classmethod
    def find(cls, plan: Plan, run: Run) -> "Teacher":
        """Find the teacher in its folder.

        Raises:
            InputError: it is not trained, damaged, or was trained with another recipe.
        """
        folder = plan.folder(run)
        record, file = read_record(folder), folder / MODEL
        actual_checksum = checksum(file, RETRAIN)
        if record.get("recipe_hash") != plan.recipe_hash(run):
            raise InputError(
                f"{folder}: trained with another recipe; delete its {RECORD} and run"
                " snakemake again"
            )
        if record.get("checksums", {}).get(MODEL) != actual_checksum:
            raise InputError(f"{file}: not the file that {RECORD} names; {RETRAIN}")
        return cls(plan, run, record, actual_checksum)

    @property
    def reference(self) -> dict[str, str]:
        """How students' records refer to it: by its id and the checksum of its weights."""
        return {"run": self.run.id, "model_sha256": self.checksum}

    @property
    def lineage(self) -> list[dict[str, str]]:
        """All teachers of its students, generation 0 first, itself last."""
        return [*self.record.get("lineage", []), self.reference]

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """Its weights, on the CPU.

        Raises:
            InputError: the file is damaged.
        """
        file = self.plan.folder(self.run) / MODEL
        try:
            return load_file(file)
        except SafetensorError as error:
            raise InputError(f"{file}: damaged ({error}); {RETRAIN}") from None

    def network(self, data: Data, device: torch.device) -> nn.Module:
        """The trained network in evaluation mode, without gradients.

        Raises:
            InputError: the weights are damaged, or another network's.
        """
        # What it started from is no longer needed, and may not be there.
        arguments = without_start(network_arguments(data, self.plan.options(self.run)))
        network = create_network(self.run.network, data, arguments, device)
        try:
            network.load_state_dict(self.weights)
        except RuntimeError as error:
            file, reason = self.plan.folder(self.run) / MODEL, str(error).splitlines()[0]
            raise InputError(f"{file}: damaged ({reason}); {RETRAIN}") from None
        return network.eval().requires_grad_(False)

    def predictor(self, data: Data, device: torch.device) -> nn.Module:
        """The trained network as it sees the study's data.

        One from elsewhere sees images in the normalisation that it was trained with.

        Raises:
            InputError: as `network`.
        """
        network, of_teacher = self.network(data, device), self.record.get("normalisation")
        if of_teacher is None or not isinstance(data, ImageData):
            return network
        from replication.networks.input_normalisation import Normalisation, with_normalisation

        of_study = Normalisation.of(data.mean, data.std)
        return with_normalisation(
            network, of_study, Normalisation.of(of_teacher["mean"], of_teacher["std"])
        )

    def check(self, data: Data) -> None:
        """Check that the teacher was trained on this data and has learned something.

        Raises:
            InputError: it was trained on other data.
            TrainingError: its test result is no better than chance, and the scale does not allow
                that.
        """
        if self.record["dataset"]["sha256"] != data.fingerprint:
            raise InputError(
                f"{self.run.id}: was trained on other data; restore that data, or delete its"
                " folder and run snakemake again"
            )
        (_, result), *_ = self.record["result"].items()
        problem = chance_problem(result, data)
        if problem and self.plan.scale.teacher_at_chance == "stop":
            fix = (
                "check its weights, classes and normalisation"
                if self.run.weights
                else "change its recipe"
            )
            raise TrainingError(
                f"{self.run.id}: no better than chance ({problem}), so it cannot teach; {fix}, or"
                " set `teacher_at_chance: allow`"
            )

    def check_unchanged(self, network: nn.Module) -> None:
        """Check that a teacher that ran beside its student still has the weights of its file.

        Raises:
            TrainingError: parameters or running statistics have changed.
        """
        for key, tensor in network.state_dict().items():
            name = key if key in self.weights else key.removeprefix(PREDICTOR)
            if not torch.equal(tensor.cpu(), self.weights[name]):
                raise TrainingError(
                    f"{self.run.id}: {name} changed while its student was training; a teacher has"
                    " to stay in evaluation mode"
                )


def chance_problem(result: float, data: Data) -> str | None:
    """Why a test result is no better than guessing; None where it is better.

    ``result`` is an error in percent, or a perplexity. For images, the number of right answers has
    to be one that guessing reaches with a probability below `CHANCE`, or all where no number is
    that unlikely; guessing names the most frequent class of the test images, or is right as often.
    A language model has to be better than one to which all words are equally likely.
    """
    if not isinstance(data, ImageData):
        words = len(data.vocabulary)
        return None if result < words else f"{result:.4g}; {words} by guessing"
    from scipy.stats import binom  # half a second that a training without a teacher saves

    labels = data.evaluation.labels
    n, most_frequent = len(labels), int(labels.bincount().max())
    # isf is the largest number of right images that guessing exceeds with a smaller probability.
    least = min(n, int(binom.isf(CHANCE, n, most_frequent / n)) + 1)
    right = n - round(result / 100 * n) if math.isfinite(result) else 0
    if right >= least:
        return None
    return (
        f"{right} of {n} test images are right; guessing gets about {most_frequent} right, and a"
        f" network that has learned something at least {least}"
    )


def check_own_weights(run_id: str, student: nn.Module, teacher: Mapping[str, Tensor]) -> None:
    """Check that a student does not start from its teacher's weights (Table 5's ends apart).

    ``teacher`` has the weights by name, on the CPU.

    Raises:
        TrainingError: all its trainable parameters are the teacher's.
    """
    trainable = {
        name: parameter for name, parameter in student.named_parameters() if parameter.requires_grad
    }
    if trainable and all(
        name in teacher
        and teacher[name].shape == parameter.shape
        and torch.equal(parameter.detach().cpu(), teacher[name])
        for name, parameter in trainable.items()
    ):
        raise TrainingError(
            f"{run_id}: the student has its teacher's weights; it has to start from its own"
        )


def share_ends(student: nn.Module, teacher: nn.Module, run_id: str) -> None:
    """Copy first convolution and last linear layer from the teacher and freeze them (Table 5).

    Raises:
        InputError: their shapes differ.
    """
    for end in ("first_conv", "classifier"):
        try:
            source, target = (
                network.get_submodule(network.pretrained_cfg[end])  # type: ignore[index, arg-type]
                for network in (teacher, student)
            )
            target.load_state_dict(source.state_dict())
        except (AttributeError, KeyError, RuntimeError, TypeError):
            raise InputError(
                f"{run_id}: the {end} of student and teacher differ in shape, or timm does not say"
                " which it is; use networks with the same ones (in the paper's tables the teacher"
                " is densenet_90_60 with the scale's own `networks.densenet`)"
            ) from None
        target.requires_grad_(False)


def load_teacher(
    teacher: Teacher, student: Run, data: Data, device: torch.device, autocast: Autocast
) -> nn.Module | TeacherLogits:
    """What a student learns from: stored logits, or where they are too large the network itself.

    Raises:
        InputError: logits or weights are damaged or belong to something else.
    """
    cache = find_cache(teacher.plan, student, data, teacher.checksum, device)
    if cache is None:
        return teacher.predictor(data, device)
    if not cache.file.exists():
        recipe, network = teacher.plan.training(student), teacher.predictor(data, device)
        cache.store(logits_in_order(network, recipe, data, autocast))
    return cache.read().to(device)
