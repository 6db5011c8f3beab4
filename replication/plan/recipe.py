"""A run's recipe: everything except its teacher and its seed that determines its result.

A recipe is plain data, is kept in the run's ``run.json``, and has a hash. A run whose record has a
different hash from the plan's is trained again, so the hash covers what determines the result and
nothing else: not where data lie, how often a training is evaluated, or how large a file may become.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from replication.architectures.catalogue import TIMM
from replication.config.custom_objectives import is_custom, source_hash
from replication.config.datasets import AnyDataset
from replication.config.recipes import ImageRecipe, LanguageRecipe
from replication.config.scale import Scale
from replication.objectives import OBJECTIVES
from replication.plan.given_weights_file import given_weights_checksum, stated_normalisation
from replication.plan.initial_weights import initial_checksums
from replication.plan.run import Run

Recipe = dict[str, Any]

PATHS = {"folder", "npz", "text"}
"""Keys of a data set of one's own that say where it lies. What lies there has a fingerprint."""
SHOWN_ONLY = {"training": {"evaluate_every"}}
"""Keys of a recipe that its hash leaves out, by the key that they are below."""


@dataclass(frozen=True)
class Revision:
    """A change of the code that gives some recipes other results under unchanged keys."""

    change: str
    affects: Callable[[Mapping[str, Any]], bool]


def _steps_with_an_optimiser_of_timm(recipe: Mapping[str, Any]) -> bool:
    training = recipe.get("training", {})
    return (
        bool(training.get("milestones"))
        and training.get("schedule", "step") == "step"
        and not _is_the_papers(training)
    )


def _warms_up_from_the_default(recipe: Mapping[str, Any]) -> bool:
    training = recipe.get("training", {})
    return bool(training.get("warmup_epochs")) and "warmup_learning_rate" not in training


def _is_the_papers(training: Mapping[str, Any]) -> bool:
    """Whether a recipe has none of the keys that a training with SGD and steps leaves out."""
    return not training.keys() & ImageRecipe.OPEN


def _reads_cifar(recipe: Mapping[str, Any]) -> bool:
    """Whether the data are the suite's CIFAR: a folder of one's own of this name has a size."""
    dataset = recipe.get("dataset", {})
    return dataset.get("name") in ("cifar10", "cifar100") and "size" not in dataset


def _chooses_the_precision_of_images(recipe: Mapping[str, Any]) -> bool:
    # Only recipes of language models have a length of text.
    return recipe.get("precision") == "auto" and "bptt" not in recipe.get("training", {})


def _is_timms_from_elsewhere(recipe: Mapping[str, Any]) -> bool:
    """Whether weights from elsewhere are those of a network of timm, and state no normalisation."""
    is_timms = recipe.get("network", {}).get("name", "").startswith(f"{TIMM}:")
    return is_timms and "weights" in recipe and "normalisation" not in recipe


REVISIONS = (
    Revision(
        "With timm's optimisers the rate is multiplied after its milestones, as with SGD, and no"
        " longer one epoch earlier.",
        _steps_with_an_optimiser_of_timm,
    ),
    Revision(
        "A warm-up without a `warmup_learning_rate` starts at timm's default instead of 0.",
        _warms_up_from_the_default,
    ),
    Revision(
        "CIFAR's images are in the order of their class's and their file's name, which an archive"
        " and a folder share, and no longer in that of the archive.",
        _reads_cifar,
    ),
    Revision(
        "`precision: auto` is bfloat16 for image networks on processors with AVX-512 BF16, too.",
        _chooses_the_precision_of_images,
    ),
    Revision(
        "A network of timm from elsewhere sees images in the normalisation that timm has for it,"
        " unless the study's fits clearly better.",
        _is_timms_from_elsewhere,
    ),
)
"""All such changes, the oldest first. A new one is added at the end, and none is ever removed."""


def make_recipe(
    run: Run,
    scale: Scale,
    network_options: Mapping[str, Any],
    training: ImageRecipe | LanguageRecipe,
    stores_logits: bool,
) -> Recipe:
    """The recipe of a run.

    ``scale`` is the one that the run is trained with: the plan's, or the run's variant of it.
    ``stores_logits`` says whether its teacher's logits are stored.

    Raises:
        InputError: the weights of a network from elsewhere cannot be read, or there is no module
            with an objective of one's own.
    """
    recipe: Recipe = {
        "dataset": describe_dataset(run.dataset),
        "evaluate_on": scale.evaluate_on,
        "network": {"name": run.network, "options": dict(network_options)},
        "objective": run.objective,
        "precision": scale.precision,
    }
    if run.weights:
        recipe["weights"] = given_weights_checksum(run, scale.study)
        if stated := stated_normalisation(run, scale.study):
            recipe["normalisation"] = {key: stated[key] for key in ("mean", "std")}
        return with_version(recipe)
    if start := initial_checksums(run.network, network_options, scale.study):
        recipe["initial_weights"] = start
    if run.parameters:
        recipe["parameters"] = dict(run.parameters)
    if is_custom(run.objective):
        recipe["source"] = source_hash(run.objective, scale.study or Path())
    objective = OBJECTIVES.get(run.objective)
    decision = objective.decision if objective else None
    recipe |= {
        "decisions": {decision: getattr(scale.decisions, decision)} if decision else {},
        "share_ends": run.share_ends,
        "training": training.model_dump(mode="json"),
    }
    if run.teacher:
        recipe["teacher_logits"] = "stored" if stores_logits else "computed at every step"
    return with_version(recipe)


def with_version(recipe: Recipe) -> Recipe:
    """The recipe with its ``version``: one more than the number of revisions that affect it.

    A recipe that no revision affects has no version, so its hash stays what it was.
    """
    revisions = sum(revision.affects(recipe) for revision in REVISIONS)
    return {**recipe, "version": 1 + revisions} if revisions else recipe


def describe_dataset(dataset: AnyDataset) -> dict[str, Any]:
    """A data set in a recipe: its name, and what is chosen of it, without its place.

    Keys at their defaults are left out, so that a new key changes no recipe that does not use it.
    """
    chosen = dataset.model_dump(mode="json", exclude=PATHS, exclude_defaults=True)
    return {"name": dataset.name, **chosen}


def hash_recipe(recipe: Mapping[str, Any]) -> str:
    """A hash of what in a recipe determines the result; it ignores the order of keys."""
    text = json.dumps(hashed_part(recipe), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def hashed_part(recipe: Mapping[str, Any]) -> Recipe:
    """A recipe without what is only shown."""
    return {
        key: {name: entry for name, entry in value.items() if name not in SHOWN_ONLY[key]}
        if key in SHOWN_ONLY
        else value
        for key, value in recipe.items()
    }
