"""A scale: which data, which sizes and which recipe stand in for the paper's."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from replication.architectures.catalogue import NETWORKS
from replication.config.datasets import AnyDataset, Part
from replication.config.decisions import Decisions
from replication.config.job_settings import CheckpointSchedule, Resources
from replication.config.merging import merge_scales
from replication.config.networks import Networks
from replication.config.yaml_model import (
    Count,
    FolderName,
    Line,
    NonNegative,
    OneOf,
    Positive,
    Probability,
    Seed,
    StrictModel,
    Unique,
    read_yaml,
    validate,
)

DEFAULT = Path("config/digits.yaml")


class ImageRecipe(StrictModel):
    """How image networks are trained: by default SGD with Nesterov momentum and a step schedule.

    What is left at its default of the keys in `OPEN`, or has no effect without another of them, is
    not in a recipe, whose hash stays the same.
    """

    OPEN: ClassVar = {
        *("optimizer", "optimizer_arguments", "schedule"),
        *("warmup_epochs", "warmup_learning_rate", "minimum_learning_rate"),
    }

    epochs: Count
    batch_size: Count
    learning_rate: Positive
    milestones: tuple[Count, ...] = Field(
        (), description="Epochs after which the learning rate is multiplied by `gamma`."
    )
    gamma: Positive = Field(0.2, description="What the rate is multiplied by at a milestone.")
    momentum: Probability = Field(0.9, description="Momentum of SGD; Nesterov's.")
    weight_decay: NonNegative = Field(
        description="Weight decay of every parameter; with timm's optimisers only of weights with"
        " two"
        " or more axes."
    )
    crop_padding: int = Field(
        0, ge=0, description="Pixels that are put around an image before a random crop."
    )
    flip: bool = Field(
        False, description="Whether images are mirrored left to right in half of the cases."
    )
    evaluate_every: Count = Field(
        1,
        description="The test error is measured after every so many epochs, and always after the"
        " last one. It changes no result.",
    )
    optimizer: Line = Field(
        "sgd",
        description="`sgd` is the paper's, with Nesterov momentum; or an optimiser of timm: adamw.",
    )
    optimizer_arguments: dict[Line, Any] = Field(
        {}, description="Further arguments of timm's optimiser, such as its betas."
    )
    schedule: Literal["step", "cosine"] = Field(
        "step",
        description="How the rate falls: at the milestones, or as a cosine from the first to the"
        " last epoch.",
    )
    warmup_epochs: int = Field(
        0, ge=0, description="First epochs in which the rate rises to `learning_rate`."
    )
    warmup_learning_rate: NonNegative = Field(
        1e-5, description="Rate of the first epoch of a warm-up; the default is timm's."
    )
    minimum_learning_rate: NonNegative = Field(0.0, description="Rate at which the cosine ends.")

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        open_keys = self._chosen_keys
        return {
            key: value
            for key, value in handler(self).items()
            if key not in self.OPEN or key in open_keys
        }

    @property
    def _chosen_keys(self) -> set[str]:
        """The keys of `OPEN` that are not at their defaults and have an effect."""
        unused = set() if self.warmup_epochs else {"warmup_learning_rate"}
        unused |= set() if self.schedule == "cosine" else {"minimum_learning_rate"}
        fields = type(self).model_fields
        return {key for key in self.OPEN - unused if getattr(self, key) != fields[key].default}

    @property
    def views(self) -> int:
        """How many different views crops and flips give of an image."""
        crops = (2 * self.crop_padding + 1) ** 2
        return 2 * crops if self.flip else crops

    @property
    def is_the_papers(self) -> bool:
        """Whether optimiser and schedule are those of the paper's recipe."""
        return not self._chosen_keys

    @model_validator(mode="after")
    def _milestones_rise(self) -> Self:
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError("milestones have to rise")
        return self


class LanguageRecipe(StrictModel):
    """How a language model is trained: SGD, decayed when the validation perplexity stalls."""

    epochs: Count
    batch_size: Count
    bptt: Count = Field(description="Words over which back-propagation through time is truncated.")
    learning_rate: Positive
    decay: Probability = Field(description="What the rate is multiplied by after a stalled epoch.")
    minimum_improvement: NonNegative = Field(
        description="An epoch has stalled if the validation perplexity falls by no more than this."
    )
    clip_norm: Positive = Field(description="Largest norm of the gradient.")


class LanguageRecipes(StrictModel):
    """Recipes of the language models of Table 6, for those that a scale trains."""

    lstm: LanguageRecipe | None = None
    cnn_lstm: LanguageRecipe | None = None


class Scale(StrictModel):
    """A scale of the replication."""

    model_config = ConfigDict(serialize_by_alias=True)

    scale: FolderName = Field(description="The scale's name; its results go to results/<scale>.")
    tables: Annotated[tuple[FolderName, ...], Unique] = Field(
        min_length=1, description="The tables to build, by the names of their files in tables/."
    )
    seeds: Annotated[tuple[Seed, ...], Unique] = Field(
        min_length=1, description="Every cell is trained once for each of these seeds."
    )
    table_seeds: dict[FolderName, Annotated[tuple[Seed, ...], Unique, Field(min_length=1)]] = Field(
        {},
        description="Seeds of single tables instead of `seeds`, such as fewer of them where"
        " trainings take long.",
    )
    folder: Line | None = Field(
        None,
        description="Folder of a study, in which its own tables (tables/), claims (claims.yaml) and"
        " objectives are looked for first. Without this key it is the folder of the file that names"
        " the scale.",
    )
    datasets: dict[FolderName, AnyDataset] = Field(
        min_length=1,
        description="What stands for each data set that tables name, such as the paper's cifar10,"
        " cifar100 and ptb: a data set of the suite by its name, or one's own.",
    )
    data_root: Line = Field("data", min_length=1, description="Folder in which data sets lie.")
    evaluate_on: Part = Field(
        "test",
        description="Images that networks are evaluated on: the test images, or for `validation` a"
        " fifth of the training images, which are then not trained on.",
    )
    networks: Networks = Networks()
    images: ImageRecipe | None = Field(
        None, description="Recipe of the image networks, which a table with one of them needs."
    )
    language: LanguageRecipes | None = Field(
        None, description="Recipes of the language models, which a table with one of them needs."
    )
    decisions: Decisions = Decisions()
    exceptions: dict[Annotated[str, OneOf(NETWORKS)], Line] = Field(
        {},
        description="Networks whose parameters, relative to DenseNet-90-60's, are not within a"
        " factor of two of the paper's, each with the reason. Claims on them are not tested.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where networks are trained; auto is a GPU where there is one."
    )
    precision: Literal["auto", "bfloat16", "tf32", "float32"] = Field(
        "auto",
        description="Number format of the forward pass. auto is bfloat16 where the device has"
        " hardware for it, else tf32 on a GPU and float32 on a CPU.",
    )
    compile: bool = Field(
        False, description="Whether image networks are compiled with torch.compile."
    )
    logit_cache_limit_gib: NonNegative = Field(
        4.0,
        description="Size up to which a teacher's logits are stored for its students. Where they"
        " are larger, the teacher runs at every step instead.",
    )
    teacher_at_chance: Literal["stop", "allow"] = Field(
        "stop",
        description="What to do with a teacher that is no better than chance. allow is for trials"
        " of the workflow.",
    )
    checkpoint: CheckpointSchedule = CheckpointSchedule()
    resource_table: dict[Annotated[str, OneOf(("default", *NETWORKS))], Resources] = Field(
        {},
        alias="resources",
        validate_default=True,
        description="What a training is given, by network. An entry replaces single keys of"
        " `default`.",
    )

    @property
    def study(self) -> Path | None:
        """The folder of a study, where own files are found before the suite's."""
        return Path(self.folder) if self.folder else None

    def seeds_of(self, table: str) -> tuple[int, ...]:
        """The seeds of a table's cells."""
        return self.table_seeds.get(table, self.seeds)

    def resources(self, network: str) -> Resources:
        """What the training of a network is given."""
        return self.resource_table.get(network, self.resource_table["default"])

    @field_validator("datasets")
    @classmethod
    def _names_tell_data_sets_apart(cls, datasets: dict[str, AnyDataset]) -> dict[str, AnyDataset]:
        named: dict[str, str] = {}
        for role, dataset in datasets.items():
            other = named.setdefault(dataset.name, role)
            if datasets[other] != dataset:
                raise ValueError(
                    f"`{other}` and `{role}` are different data, both called {dataset.name}; rename"
                    " the file or folder of one, or write the same keys for both"
                )
        return datasets

    @field_validator("resource_table", mode="before")
    @classmethod
    def _fill_in_the_default(cls, table: object) -> object:
        if not isinstance(table, dict) or not isinstance(default := table.get("default", {}), dict):
            return table
        return {
            name: {**default, **own} if isinstance(own, dict) else own
            for name, own in {"default": default, **table}.items()
        }

    def image_recipe(self, family: str) -> ImageRecipe:
        """The recipe of a family of image networks: one for all, or DenseNet's own."""
        assert self.images is not None  # a plan whose image networks have none is refused
        if family != "densenet" or self.decisions.densenet_recipe == "wide-resnet":
            return self.images
        epochs = self.images.epochs * 3 // 2
        return self.images.model_copy(
            update={"epochs": epochs, "milestones": (epochs // 2, epochs * 3 // 4)}
            | {"gamma": 0.1, "weight_decay": 1e-4}
        )


def read_config(files: Sequence[Path]) -> dict[str, Any]:
    """Read and merge scale files, the last one winning, as ``snakemake --configfile`` does.

    The default scale comes first where the files do not name a scale themselves.

    Raises:
        InputError: a file is missing, unreadable, or not a mapping.
    """
    contents = [(file, read_yaml(file)) for file in files]
    if not any("scale" in content for _, content in contents):
        contents.insert(0, (DEFAULT, read_yaml(DEFAULT)))
    config: dict[str, Any] = {}
    for file, content in contents:
        own = {"folder": os.path.relpath(file.parent)} if "scale" in content else {}
        config = merge_scales(config, {**own, **content})
    return config


def check_scale(config: dict[str, Any], source: str) -> Scale:
    """Turn a merged configuration into a scale; errors are one line with ``source`` and the key."""
    return validate(Scale, config, source, f"or name the scale that {source} overrides before it")
