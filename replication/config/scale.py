"""A scale: which data, which sizes and which recipe stand in for the paper's."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator

from replication.architectures.catalogue import NETWORKS
from replication.config.datasets import AnyDataset, Part
from replication.config.decisions import Decisions
from replication.config.job_settings import CheckpointSchedule, Resources
from replication.config.merging import merge_scales
from replication.config.networks import Networks
from replication.config.recipes import ImageRecipe, LanguageRecipes
from replication.config.yaml_model import (
    FolderName,
    Line,
    NonNegative,
    OneOf,
    Seed,
    StrictModel,
    Unique,
    read_yaml,
    validate,
)

OWN_SCALES = Path("config")
"""The folder of the suite's own scales."""
DEFAULT = OWN_SCALES / "digits.yaml"
Seeds = Annotated[tuple[Seed, ...], Unique]


class Scale(StrictModel):
    """A scale of the replication."""

    model_config = ConfigDict(serialize_by_alias=True)

    scale: FolderName = Field(description="The scale's name; its results go to results/<scale>.")
    tables: Annotated[tuple[FolderName, ...], Unique] = Field(
        min_length=1, description="The tables to build, by the names of their files in tables/."
    )
    seeds: Seeds = Field(
        min_length=1, description="Every cell is trained once for each of these seeds."
    )
    table_seeds: dict[FolderName, Annotated[Seeds, Field(min_length=1)]] = Field(
        {},
        description="Seeds of single tables instead of `seeds`, such as fewer of them where"
        " training takes long.",
    )
    row_seeds: dict[FolderName, dict[Line, Seeds]] = Field(
        {},
        description="Seeds of single rows of a table instead of the table's. A row with an empty"
        " list is not trained, and stays empty in the table.",
    )
    folder: Line | None = Field(
        None,
        description="Folder of a study, in which its own tables (tables/), claims (claims.yaml) and"
        " objectives are looked for first. Without this key it is the folder of the file that names"
        " the scale.",
    )
    datasets: dict[FolderName, AnyDataset] = Field(
        min_length=1,
        description="What stands in for each data set that tables name, such as the paper's"
        " cifar10, cifar100 and ptb: a data set of the suite by its name, or your own.",
    )
    data_root: Line = Field("data", min_length=1, description="Folder of the data sets.")
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
        """The folder of a study, whose own files come before the suite's."""
        return Path(self.folder) if self.folder else None

    def seeds_of(self, table: str, row: str) -> tuple[int, ...]:
        """The seeds of the cells in a row of a table; none where the row is not trained."""
        of_table = self.table_seeds.get(table, self.seeds)
        return self.row_seeds.get(table, {}).get(row, of_table)

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
            name: {**default, **resources} if isinstance(resources, dict) else resources
            for name, resources in {"default": default, **table}.items()
        }

    def image_recipe(self, family: str) -> ImageRecipe:
        """The recipe of a family of image networks: one for all, or DenseNet's own."""
        assert self.images is not None  # a plan whose image networks have none is refused
        if family != "densenet" or self.decisions.densenet_recipe == "wide-resnet":
            return self.images
        epochs = self.images.epochs * 3 // 2
        milestones = tuple(sorted({max(1, epochs // 2), max(1, epochs * 3 // 4)}))
        return self.images.model_copy(
            update={"epochs": epochs, "milestones": milestones}
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
        location = {"folder": os.path.relpath(file.parent)} if "scale" in content else {}
        config = merge_scales(config, {**location, **content})
    return config


def check_scale(config: dict[str, Any], source: str) -> Scale:
    """Turn a merged configuration into a scale.

    Raises:
        InputError: something is wrong, in one line with ``source`` and the key.
    """
    return validate(Scale, config, source, f"or name the scale that {source} overrides before it")
