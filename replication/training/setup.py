"""What a run is made of: its data, its network, and its teacher."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from replication import files
from replication.data.images import ImageData
from replication.data.prepare import load
from replication.data.text import Corpus
from replication.errors import InputError
from replication.networks.language import create_language_model
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.runs import record as runs

Data = ImageData | Corpus


def load_data(plan: Plan, run: Run, device: torch.device) -> Data:
    """The data set of a run; images on the device.

    Raises:
        InputError: files are missing or damaged.
    """
    scale, dataset = plan.scale, run.dataset
    data = load(dataset.name, scale.data_root, dataset.sizes, scale.evaluate_on)
    return data.to(device) if isinstance(data, ImageData) else data


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
    return create_language_model(run.network, data.vocabulary, **arguments(plan, run, data)).to(
        device
    )


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
        checksum = files.checksum(file)
        if record.get("recipe_hash") != plan.recipe_hash(run):
            raise InputError(
                f"{folder}: trained by another recipe; delete its {runs.RECORD} and call snakemake"
            )
        if record.get("checksums", {}).get(runs.MODEL) != checksum:
            raise InputError(f"{file}: not the file that {runs.RECORD} names; {runs.RETRAIN}")
        return cls(plan, run, record, checksum)

    @property
    def named(self) -> dict[str, str]:
        """As its students' records name it: its id, and the checksum of its weights."""
        return {"run": self.run.id, "model_sha256": self.checksum}

    @property
    def lineage(self) -> list[dict[str, str]]:
        """All teachers of its students, generation 0 first, itself last."""
        return [*self.record.get("lineage", []), self.named]

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
