"""A scale: which data, which sizes and which recipe stand in for the paper's."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from replication.architectures.catalogue import NETWORKS
from replication.config.networks import Networks
from replication.config.yaml_model import (
    Count,
    FolderName,
    Line,
    NonNegative,
    Positive,
    Probability,
    Seed,
    StrictModel,
    merge,
    read_yaml,
    validate,
)
from replication.errors import InputError

DEFAULT = Path("config/digits.yaml")
GPU_SLOTS = 8
"""Slots of a whole GPU."""


class ImageDataset(StrictModel):
    """An image data set, and how much of it is used."""

    name: Literal[
        "digits",
        "two_digit_numbers",
        "fashion_mnist",
        "fashion_mnist_pairs",
        "cifar10",
        "cifar100",
    ]
    train: Count | None = Field(None, description="Training images; all there are, or for pairs as"
                                " many as there are single images, without this key.")  # fmt: skip
    test: Count | None = Field(None, description="Test images, likewise.")


class Corpus(StrictModel):
    """A text data set, and how much of it is used."""

    name: Literal["python_reference", "penn_treebank"]
    words: Count | None = Field(
        None, description="Size of the vocabulary; the corpus' own without this key."
    )
    train: Count | None = Field(None, description="Training words; all without this key.")


class Datasets(StrictModel):
    """What stands for each of the paper's data sets."""

    cifar10: ImageDataset
    cifar100: ImageDataset
    ptb: Corpus


class ImageRecipe(StrictModel):
    """How image networks are trained: SGD with Nesterov momentum and a step schedule."""

    epochs: Count
    batch_size: Count
    learning_rate: Positive
    milestones: tuple[Count, ...] = Field(description="Epochs after which the rate is multiplied.")
    gamma: Positive = Field(description="What the rate is multiplied by.")
    momentum: Probability
    weight_decay: NonNegative = Field(description="On every parameter.")
    crop_padding: Annotated[int, Field(ge=0)] = Field(
        description="Pixels of reflection around an image before a random crop; 0: no crop."
    )
    flip: bool = Field(description="Mirror an image left to right in half of the cases.")
    evaluate_every: Count = Field(
        1, description="Epochs between evaluations; the last epoch is always evaluated."
    )

    @model_validator(mode="after")
    def _milestones_rise(self) -> Self:
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError("milestones have to rise")
        return self


class LanguageRecipe(StrictModel):
    """How a language model is trained: SGD, decayed when the validation perplexity stalls."""

    epochs: Count
    batch_size: Count
    bptt: Count = Field(description="Steps of truncated back-propagation.")
    learning_rate: Positive
    decay: Probability = Field(description="What the rate is multiplied by after a stalled epoch.")
    minimum_improvement: NonNegative = Field(
        description="An epoch stalls when the validation perplexity falls by no more than this."
    )
    clip_norm: Positive = Field(description="Largest norm of the gradient.")


class LanguageRecipes(StrictModel):
    """One recipe for each language model of Table 6."""

    lstm: LanguageRecipe
    cnn_lstm: LanguageRecipe


class Decisions(StrictModel):
    """What the paper leaves open, beside `dropout`, `layers` and `final_transition` of `networks`.

    docs/protocol.md has the readings; tables/sensitivity.yaml measures what each costs.
    """

    ban_l_weighting: Literal["mean", "sum"] = Field(
        "mean", description="BAN+L: the mean of its two losses, or their sum."
    )
    dkpp_permutation: Literal["sample and step", "sample", "batch"] = Field(
        "sample and step",
        description="DKPP draws a permutation for every sample at every step, for every sample"
        " once, or for every batch.",
    )
    cwtm_weight: Literal["max", "true class"] = Field(
        "max", description="CWTM weighs by the teacher's largest probability, or the true class's."
    )
    ensemble: Literal["probabilities", "logits"] = Field(
        "probabilities", description="What an ensemble averages."
    )
    densenet_recipe: Literal["wide-resnet", "densenet"] = Field(
        "wide-resnet",
        description="densenet: 1.5 times the epochs, rate × 0.1 after 1/2 and 3/4 of them, weight"
        " decay 1e-4 (Huang et al. 2017).",
    )


class CheckpointSchedule(StrictModel):
    """When a training saves its state, besides when a signal asks it to stop."""

    epochs: Annotated[int, Field(ge=0)] = Field(1, description="Every so many epochs; 0: never.")
    seconds: Positive = Field(600.0, description="And after so many seconds without a save.")


class Resources(StrictModel):
    """What the training of one network is given; more once finished runs have taken more."""

    threads: Annotated[int, Field(ge=1, le=1024)] = Field(1, description="Of the CPU.")
    gpu_slots: Count = Field(
        GPU_SLOTS,
        description="Of the profile's; a whole GPU has 8, so with 1 slot each eight trainings share"
        " it.",
    )
    memory_mb: Count = Field(1500, description="Main memory of the first attempt.")
    minutes: Count = Field(20, description="Time limit of the first attempt.")


class Scale(StrictModel):
    """A scale of the replication."""

    model_config = ConfigDict(serialize_by_alias=True)

    scale: FolderName = Field(description="Its name; results go to results/<scale>.")
    tables: Annotated[tuple[FolderName, ...], Field(min_length=1)] = Field(
        description="The tables to build, by the names of their files in tables/."
    )
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = Field(
        description="Every cell is trained once for each."
    )
    datasets: Datasets
    data_root: Annotated[Line, StringConstraints(min_length=1)] = Field(
        "data", description="Folder of the data sets that are files."
    )
    evaluate_on: Literal["test", "validation"] = Field(
        "test",
        description="validation: hold a fifth of the training images out and never load the test"
        " images, to choose a recipe.",
    )
    networks: Networks
    images: ImageRecipe
    language: LanguageRecipes
    decisions: Decisions = Decisions()
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "bfloat16", "tf32", "float32"] = Field(
        "auto",
        description="Of the forward pass. auto: bfloat16 by autocast where the device has fast"
        " units for it, else tf32 on a GPU and float32 on a CPU.",
    )
    compile: bool = Field(False, description="Compile image networks with torch.compile.")
    logit_cache_limit_gib: NonNegative = Field(
        4.0,
        description="A teacher's answers to all views of the training data are kept on disk where"
        " they are no larger than this; otherwise the teacher runs at every step.",
    )
    teacher_at_chance: Literal["stop", "allow"] = Field(
        "stop", description="What to do with a teacher that is no better than guessing; allow is"
                            " for trials of the workflow.")  # fmt: skip
    checkpoint: CheckpointSchedule = CheckpointSchedule()
    resource_table: dict[str, Resources] = Field(
        {},
        alias="resources",
        validate_default=True,
        description="By network what its training is given; `default` has the rest. A network's"
        " entry replaces single keys of `default`.",
    )

    def resources(self, network: str) -> Resources:
        """What the training of a network is given."""
        return self.resource_table.get(network, self.resource_table["default"])

    @field_validator("resource_table", mode="before")
    @classmethod
    def _fill_in_the_default(cls, table: object) -> object:
        if not isinstance(table, dict):
            return table
        default = table.get("default", {})
        if not isinstance(default, dict):
            return table
        filled = {
            name: {**default, **own} if isinstance(own, dict) else own
            for name, own in table.items()
        }
        return {"default": default, **filled}

    @field_validator("resource_table")
    @classmethod
    def _names_are_networks(cls, table: dict[str, Resources]) -> dict[str, Resources]:
        if unknown := sorted(table.keys() - NETWORKS.keys() - {"default"}):
            raise ValueError(f"no network is called `{unknown[0]}`")
        return table

    def image_recipe(self, family: str) -> ImageRecipe:
        """The recipe of a family of image networks: one for all, or DenseNet's own."""
        if family != "densenet" or self.decisions.densenet_recipe == "wide-resnet":
            return self.images
        epochs = self.images.epochs * 3 // 2
        return self.images.model_copy(
            update={
                "epochs": epochs,
                "milestones": (epochs // 2, epochs * 3 // 4),
                "gamma": 0.1,
                "weight_decay": 1e-4,
            }
        )

    @model_validator(mode="after")
    def _nothing_twice(self) -> Self:
        for key in ("seeds", "tables"):
            if len(set(getattr(self, key))) < len(getattr(self, key)):
                raise ValueError(f"`{key}` names something twice")
        return self


def read_config(files: Sequence[Path]) -> dict[str, Any]:
    """Read and merge scale files, the last one winning, as ``snakemake --configfile`` does.

    The default scale is filled in where the files do not name a scale themselves.

    Raises:
        InputError: a file is missing or not YAML.
    """
    config: dict[str, Any] = {}
    for file in files:
        config = merge(config, read_yaml(file))
    return config if "scale" in config else merge(read_yaml(DEFAULT), config)


def check_scale(config: dict[str, Any], source: str) -> Scale:
    """Turn a merged configuration into a scale.

    Raises:
        InputError: one line with ``source``, the key and what is wanted.
    """
    try:
        return validate(Scale, config, source)
    except InputError as error:
        hint = f"add it, or name the scale that {source} overrides before it"
        raise InputError(str(error).replace("add it", hint)) from None
