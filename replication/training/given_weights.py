"""Weights from elsewhere: loaded into a run's network and evaluated, not trained."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from replication.data.images import ImageData
from replication.errors import InputError
from replication.metrics import error
from replication.results.run_history import EpochMetrics
from replication.runtime.conditions import Autocast
from replication.training.image_trainer import forward


def load_given_weights(network: nn.Module, file: Path, run_id: str) -> None:
    """Load the weights of a safetensors file into a network.

    Raises:
        InputError: the file is missing or damaged, or belongs to another network or other classes.
    """
    try:
        weights = load_file(file)
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; correct `weights`") from None
    except (OSError, SafetensorError) as problem:
        raise InputError(f"{file}: no safetensors file ({problem}); save it again") from None
    own = network.state_dict()
    in_one_only = sorted((own.keys() - weights.keys()) | (weights.keys() - own.keys()))
    differing = sorted(
        key for key in own.keys() & weights.keys() if own[key].shape != weights[key].shape
    )
    for names, what in ((in_one_only, "is not in both"), (differing, "has another shape")):
        if names:
            raise InputError(
                f"{file}: does not fit {run_id}: {names[0]} {what}; name its network, its"
                " `arguments` and a data set with as many classes"
            )
    with torch.no_grad():
        network.load_state_dict(weights)


def evaluate_given_weights(
    network: nn.Module, data: ImageData, autocast: Autocast
) -> tuple[dict[str, Tensor], EpochMetrics]:
    """What a network that was not trained here predicts, and how well.

    Returns the predictions as those of `ImageTrainer.predictions`, and a line for the run's
    history: epoch 0, without a learning rate, with the mean cross-entropy in nats and the error in
    percent on the training images, and the error on the test images. Leaves the network in
    evaluation mode.
    """
    network.eval()
    train, test = data.train, data.evaluation
    train_logits = forward(network, train.images, autocast)
    test_logits = forward(network, test.images, autocast)
    metrics: EpochMetrics = {
        "epoch": 0,
        "train_loss": cross_entropy(train_logits, train.labels).item(),
        "train_error": error(train_logits, train.labels),
        "test_error": error(test_logits, test.labels),
    }
    return {"logits": test_logits.cpu(), "labels": test.labels.cpu()}, metrics
