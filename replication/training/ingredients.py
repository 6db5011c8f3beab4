"""What a run is made of: its data, its network, and what its teacher has to say."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from replication import runs
from replication.cells import Run
from replication.data import text
from replication.data.images import ImageData, load_images
from replication.errors import InputError
from replication.networks.language import LANGUAGE_MODELS
from replication.plan import Plan
from replication.scale import ImageDataset, ImageRecipe, LanguageRecipe
from replication.training import answers, images, language
from replication.training.augmentation import count_views
from replication.training.precision import Autocast

Data = ImageData | text.Corpus


def load_data(plan: Plan, run: Run, device: torch.device) -> Data:
    """The data set of a run; images on the device.

    Raises:
        InputError: files are missing and cannot be downloaded, or damaged.
    """
    try:
        root = Path(plan.scale.data_root).expanduser()
    except RuntimeError as error:
        raise InputError(f"`data_root`: {plan.scale.data_root}: {error}; write it out") from None
    if isinstance(run.dataset, ImageDataset):
        return load_images(run.dataset, root, plan.scale.evaluate_on).to(device)
    return text.load_corpus(run.dataset, root)


def describe(run: Run, data: Data) -> dict[str, Any]:
    """What a run records of its data, with a checksum of every item in their order."""
    found: dict[str, Any] = {"name": run.dataset.name}
    if isinstance(data, ImageData):
        return found | {
            "classes": data.classes,
            "train": len(data.train.labels),
            "evaluation": len(data.evaluation.labels),
            "mean": data.mean,
            "std": data.std,
            "sha256": data.fingerprint,
        }
    return found | {
        "words": len(data.vocabulary),
        "train": len(data.train),
        "validation": len(data.validation),
        "test": len(data.test),
        "sha256": data.fingerprint,
    }


def arguments(plan: Plan, run: Run, data: Data) -> dict[str, Any]:
    """The keyword arguments that the run's network is built with."""
    options: dict[str, Any] = plan.recipe(run)["network"]["options"]
    if isinstance(data, ImageData):
        return {"num_classes": data.classes, "in_chans": data.channels, **options}
    return options


def build(plan: Plan, run: Run, data: Data, device: torch.device) -> nn.Module:
    """A run's network with new weights, from torch's global random state."""
    if isinstance(data, ImageData):
        network: nn.Module = timm.create_model(run.network, **arguments(plan, run, data))
        return network.to(device).to(memory_format=torch.channels_last)
    return LANGUAGE_MODELS[run.network](data.vocabulary, **arguments(plan, run, data)).to(device)


@dataclass(frozen=True)
class Teacher:
    """A trained teacher: the run, its record, and the checksum of its weights."""

    plan: Plan
    run: Run
    record: dict[str, Any]
    checksum: str

    @classmethod
    def find(cls, plan: Plan, run: Run) -> "Teacher":
        """The teacher as it lies in its folder.

        Raises:
            InputError: it is not trained, damaged, or of another recipe than the plan's.
        """
        folder = plan.folder(run)
        record, file = runs.read_record(folder), folder / runs.MODEL
        checksum = runs.checksum(file)
        if record.get("recipe_hash") != plan.recipe_hash(run):
            raise InputError(
                f"{folder}: trained by another recipe; delete its {runs.RECORD} and call snakemake"
            )
        if record.get("checksums", {}).get(runs.MODEL) != checksum:
            raise InputError(f"{file}: not the file that {runs.RECORD} names; {runs.RETRAIN}")
        return cls(plan, run, record, checksum)

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """Its weights, on the CPU.

        Raises:
            InputError: the file is damaged.
        """
        file = self.plan.folder(self.run) / runs.MODEL
        try:
            return load_file(file)
        except SafetensorError as error:
            raise InputError(f"{file}: damaged ({error}); {runs.RETRAIN}") from None

    def network(self, data: Data, device: torch.device) -> nn.Module:
        """The trained network in evaluation mode, without gradients.

        Raises:
            InputError: the weights are damaged, or another network's.
        """
        network = build(self.plan, self.run, data, device)
        try:
            network.load_state_dict(self.weights)
        except RuntimeError as error:
            file, reason = self.plan.folder(self.run) / runs.MODEL, str(error).splitlines()[0]
            raise InputError(f"{file}: damaged ({reason}); {runs.RETRAIN}") from None
        return network.eval().requires_grad_(False)


def teaching(
    teacher: Teacher, run: Run, data: Data, device: torch.device, autocast: Autocast
) -> nn.Module | answers.Answers:
    """What a student learns from: the teacher's answers, or where they are too large the teacher.

    Raises:
        InputError: answers or weights are damaged or belong to something else.
    """
    kept = KeptAnswers(teacher.plan, run, data, teacher.checksum)
    if not kept.fit:
        return teacher.network(data, device)
    found = answers.read_or_write(
        kept.file,
        kept.shape,
        kept.identity,
        lambda: kept.in_order(teacher.network(data, device), autocast),
    )
    return found.to(device)


@dataclass(frozen=True)
class KeptAnswers:
    """Where and in which order the answers lie that ``student`` is taught by.

    ``checksum`` is that of the teacher's weights.
    """

    plan: Plan
    student: Run
    data: Data
    checksum: str

    @property
    def recipe(self) -> ImageRecipe | LanguageRecipe:
        """The student's: it says which views and windows it is shown."""
        return self.plan.training(self.student)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Views, samples and classes."""
        if isinstance(self.data, ImageData):
            assert isinstance(self.recipe, ImageRecipe)
            return count_views(self.recipe), len(self.data.train.labels), self.data.classes
        words = len(self.data.train) - len(self.data.train) % self.recipe.batch_size
        return 1, words, len(self.data.vocabulary)

    @property
    def fit(self) -> bool:
        """Whether they are within the scale's limit."""
        return answers.fit(self.shape, self.plan.scale.answers_limit_gib)

    @property
    def file(self) -> Path:
        """Their file, in the teacher's folder."""
        assert self.student.teacher is not None
        return answers.path(self.plan.folder(self.student.teacher), self.shape[0])

    @property
    def identity(self) -> answers.Identity:
        """What they belong to."""
        return {"teacher": self.checksum, "data": self.data.fingerprint}

    def in_order(self, network: nn.Module, autocast: Autocast) -> Iterator[Tensor]:
        """The teacher's logits, from its network in evaluation mode."""
        device = next(network.parameters()).device
        if isinstance(self.data, ImageData):
            assert isinstance(self.recipe, ImageRecipe)
            return images.answers_in_order(network, self.data.train, self.recipe, autocast)
        assert isinstance(self.recipe, LanguageRecipe)
        train = self.data.train.to(device)
        return language.answers_in_order(network, train, self.recipe, autocast)


def leave_answers(
    plan: Plan,
    run: Run,
    data: Data,
    network: nn.Module,
    checksum: str,
    autocast: Autocast,
    proceed: Callable[[], object],
) -> None:
    """Have a run that will teach leave its answers beside its weights, of which it has the network.

    ``proceed`` is called before each batch, and may raise to stop.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """

    def watched(parts: Iterator[Tensor]) -> Iterator[Tensor]:
        for part in parts:
            proceed()
            yield part

    network.eval()
    wanted = [KeptAnswers(plan, student, data, checksum) for student in plan.students(run)]
    for kept in {kept.file: kept for kept in wanted if kept.fit}.values():
        found = answers.compute(kept.shape, watched(kept.in_order(network, autocast)))
        answers.write(kept.file, found, kept.identity)


def share_ends(student: nn.Module, teacher: nn.Module, run_id: str) -> None:
    """Copy first convolution and last linear layer from the teacher and freeze them (Table 5).

    Raises:
        InputError: their shapes differ.
    """
    for end in ("first_conv", "classifier"):
        source, target = (
            network.get_submodule(network.pretrained_cfg[end])  # type: ignore[index, arg-type]
            for network in (teacher, student)
        )
        try:
            target.load_state_dict(source.state_dict())
        except RuntimeError:
            raise InputError(
                f"{run_id}: the {end} of student and teacher differ in shape; the teacher has to be"
                " densenet_90_60 with the scale's own options of `networks.densenet`"
            ) from None
        target.requires_grad_(False)
