"""Weights from elsewhere: loaded into a run's network and evaluated, not trained."""

import math
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from replication.architectures.catalogue import TIMM
from replication.data.images import ImageData, Items
from replication.errors import InputError
from replication.metrics import error
from replication.networks.input_normalisation import Normalisation, with_normalisation
from replication.plan.given_weights_file import stated_normalisation
from replication.plan.run import Run
from replication.results.run_history import EpochMetrics
from replication.runtime.conditions import Autocast
from replication.training.image_trainer import forward

WRAPPERS = re.compile(r"^(module\.|_orig_mod\.)+")
"""What DataParallel and torch.compile put before the names of a network's weights."""
OF_STUDY, OF_TIMM = "the study's images", "timm's pretrained_cfg"
SUSPICIOUS_SHARE = 0.5
"""A network that makes this share of the errors of guessing has learned little of these images."""
CLEARLY = 3.0
"""Standard errors by which another normalisation has to be better before a warning names it."""


def load_given_weights(network: nn.Module, file: Path, run_id: str) -> None:
    """Load the weights of a safetensors file into a network.

    Prefixes that wrappers of PyTorch put before all names are dropped, with a note on standard
    error.

    Raises:
        InputError: the file is missing or damaged, or belongs to another network or other classes.
    """
    try:
        weights = load_file(file)
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; correct `weights`") from None
    except (OSError, SafetensorError) as problem:
        raise InputError(f"{file}: not a safetensors file ({problem}); save it again") from None
    if weights and all(map(WRAPPERS.match, weights)):
        prefix = WRAPPERS.match(min(weights, key=len))
        weights = {WRAPPERS.sub("", name): tensor for name, tensor in weights.items()}
        print(
            f"note: {file}: the prefix {prefix[0] if prefix else ''} of its names was dropped",
            file=sys.stderr,
        )
    expected = network.state_dict()
    in_one_only = sorted((expected.keys() - weights.keys()) | (weights.keys() - expected.keys()))
    differing = sorted(
        key for key in expected.keys() & weights.keys() if expected[key].shape != weights[key].shape
    )
    problems = [
        f"{name} is in the file or the network, but not in both" for name in in_one_only
    ] + [
        f"{name} has shape {tuple(weights[name].shape)}, but here {tuple(expected[name].shape)}"
        for name in differing
    ]
    if problems:
        raise InputError(
            f"{file}: does not fit {run_id}: {problems[0]}; name its network, its `arguments` and a"
            " data set with as many classes and channels"
        )
    with torch.no_grad():
        network.load_state_dict(weights)


@dataclass(frozen=True)
class GivenNetwork:
    """A network that was trained elsewhere, as it was evaluated.

    ``predictor`` maps the study's images to logits (n, classes): the network, which sees them in
    the ``normalisation`` that it was trained with. ``predictions`` are those of
    `ImageTrainer.predictions`, ``metrics`` the line of its history, and ``warnings`` what its owner
    should know.
    """

    predictor: nn.Module
    normalisation: Normalisation
    source: str
    predictions: dict[str, Tensor]
    metrics: EpochMetrics
    train_errors: dict[str, float]
    warnings: list[str] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        """What a run's record says of it."""
        mean, std = map(list, self.normalisation)
        return {
            "normalisation": {"mean": mean, "std": std, "source": self.source},
            "train_errors": self.train_errors,
            "warnings": self.warnings,
        }


def evaluate_given_weights(
    network: nn.Module, data: ImageData, autocast: Autocast, run: Run
) -> GivenNetwork:
    """What a network that was not trained here predicts, and how well.

    Its images are normalised as its cell says, or a ``config.json`` beside its weights. Where
    neither does, those of a network of timm are normalised as its ``pretrained_cfg`` says, unless
    it has clearly fewer errors on the training images if they are normalised as the study's.

    The line of the history is epoch 0, without a learning rate, with the mean cross-entropy in nats
    and the error in percent on the training images, and the error on the test images. Leaves the
    network in evaluation mode. Warnings are printed on standard error as well.

    Raises:
        InputError: the stated normalisation has another number of channels than the images.
    """
    network.eval()
    trials = _Trials(network, data, autocast)
    candidates = _candidates(network, data, run)
    stated = next((source for source in candidates if source not in (OF_STUDY, OF_TIMM)), None)
    for normalisation in candidates.values():
        trials.evaluate(normalisation)
    source = stated or _fitting(trials, candidates)
    chosen = candidates[source]
    predictor = trials.predictor(chosen)
    test = data.evaluation
    test_logits = forward(predictor, test.images, autocast)
    metrics: EpochMetrics = {
        "epoch": 0,
        "train_loss": trials.loss(chosen),
        "train_error": trials.error(chosen),
        "test_error": error(test_logits, test.labels),
    }
    predictions = {"logits": test_logits.cpu(), "labels": test.labels.cpu()}
    train_errors = {name: trials.error(each) for name, each in candidates.items()}
    warnings = list(_warnings(trials, run, source, candidates))
    print(
        f"note: {run.id}: its images are normalised by {chosen} ({source}); its error is"
        f" {metrics['train_error']:.4g} % on the training images",
        file=sys.stderr,
    )
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return GivenNetwork(predictor, chosen, source, predictions, metrics, train_errors, warnings)


class _Trials:
    """A network's logits on the training images, by the normalisation in which it sees them."""

    def __init__(self, network: nn.Module, data: ImageData, autocast: Autocast) -> None:
        self.network, self.train, self.autocast = network, data.train, autocast
        self.given = Normalisation.of(data.mean, data.std)
        self.classes = data.classes
        self.logits: dict[Normalisation, Tensor] = {}

    def predictor(self, normalisation: Normalisation) -> nn.Module:
        """The network as it sees the study's images in this normalisation."""
        return with_normalisation(self.network, self.given, normalisation)

    def evaluate(self, normalisation: Normalisation) -> Tensor:
        """Its logits (n, classes) on the training images."""
        if normalisation not in self.logits:
            network = self.predictor(normalisation)
            self.logits[normalisation] = forward(network, self.train.images, self.autocast)
        return self.logits[normalisation]

    def loss(self, normalisation: Normalisation) -> float:
        """The mean cross-entropy on the training images in nats; infinite if it is not a number."""
        value = cross_entropy(self.evaluate(normalisation), self.train.labels).item()
        return value if math.isfinite(value) else math.inf

    def error(self, normalisation: Normalisation) -> float:
        """The error on the training images in percent."""
        return error(self.evaluate(normalisation), self.train.labels)

    def is_clearly_better(self, one: Normalisation, other: Normalisation) -> bool:
        """Whether one gets more training images right than another, by more than chance."""
        right, other_right = (
            self.evaluate(each).argmax(-1) == self.train.labels for each in (one, other)
        )
        wins, losses = (right & ~other_right).sum().item(), (other_right & ~right).sum().item()
        return wins - losses > CLEARLY * math.sqrt(wins + losses)


def _candidates(network: nn.Module, data: ImageData, run: Run) -> dict[str, Normalisation]:
    """The normalisations that the network may have been trained with, by their sources."""
    candidates = {OF_STUDY: Normalisation.of(data.mean, data.std)}
    configured: Any = getattr(network, "pretrained_cfg", None)
    # What timm has for the suite's own networks is a default without a meaning.
    is_timms = run.network.startswith(f"{TIMM}:") and isinstance(configured, Mapping)
    if is_timms and configured.get("mean") and configured.get("std"):
        of_timm = Normalisation.of(configured["mean"], configured["std"])
        if len(of_timm.mean) == len(of_timm.std) == data.channels:
            candidates[OF_TIMM] = of_timm
    if stated := stated_normalisation(run):
        normalisation = Normalisation.of(stated["mean"], stated["std"])
        if len(normalisation.mean) != data.channels:
            raise InputError(
                f"{run.weights}: `mean` and `std` ({stated['source']}) have"
                f" {len(normalisation.mean)} channels, but the images have {data.channels}; give a"
                " number for each channel"
            )
        candidates[str(stated["source"])] = normalisation
    return candidates


def _fitting(trials: _Trials, candidates: Mapping[str, Normalisation]) -> str:
    """The source of the normalisation that is used if none is stated."""
    if OF_TIMM not in candidates:
        return OF_STUDY
    study, timm = candidates[OF_STUDY], candidates[OF_TIMM]
    return OF_STUDY if trials.is_clearly_better(study, timm) else OF_TIMM


def _warnings(
    trials: _Trials, run: Run, source: str, candidates: Mapping[str, Normalisation]
) -> Iterator[str]:
    """What speaks against the chosen normalisation, a line each."""
    chosen, guessing = candidates[source], _guessing_error(trials.train, trials.classes)
    is_poor = trials.error(chosen) >= SUSPICIOUS_SHARE * guessing
    others = dict(candidates)
    if is_poor:
        ones, zeros = (value * len(chosen.mean) for value in ((1.0,), (0.0,)))
        halves, bytes_ = (value * len(chosen.mean) for value in ((0.5,), (1 / 255,)))
        others |= {
            "pixels from -1 to 1": Normalisation(halves, halves),
            "pixels from 0 to 1": Normalisation(zeros, ones),
            "pixels from 0 to 255": Normalisation(zeros, bytes_),
        }
    best_name = min(others, key=lambda name: trials.error(others[name]))
    best = others[best_name]
    if best != chosen and trials.is_clearly_better(best, chosen):
        yield (
            f"{run.id}: its error on the training images is {trials.error(chosen):.3g} % with"
            f" {chosen} ({source}), but {trials.error(best):.3g} % with {best} ({best_name}); write"
            " those that it was trained with into its cell, as `mean` and `std`"
        )
    elif is_poor:
        yield (
            f"{run.id}: its error on the training images is {trials.error(chosen):.3g} %,"
            f" while guessing has an error of {guessing:.3g} %: it may have been trained with a"
            f" normalisation other than {chosen} ({source}), or with other classes or another"
            " order of them; check `mean` and `std` in its cell, and its classes"
        )


def _guessing_error(train: Items, classes: int) -> float:
    """The error in percent of naming the most frequent class for every image."""
    counts = train.labels.bincount(minlength=classes)
    return 100 * (1 - counts.max().item() / len(train.labels))
