"""A network that was trained elsewhere: loaded, checked and evaluated like a trained one."""

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
from replication.runtime.precision import Autocast
from replication.training.image_trainer import forward


class GivenNetwork:
    """In the place of a trainer that has nothing left to do: one line of history, predictions."""

    unit = "images"
    epochs = 1
    samples_seen = 0

    def __init__(self, network: nn.Module, data: ImageData, autocast: Autocast) -> None:
        network = network.eval()
        train, self.labels = data.train, data.evaluation.labels
        logits = forward(network, train.images, autocast)
        self.logits = forward(network, data.evaluation.images, autocast)
        metrics: EpochMetrics = {
            "epoch": 1,
            "learning_rate": 0.0,
            "train_loss": cross_entropy(logits, train.labels).item(),
            "train_error": error(logits, train.labels),
            "test_error": error(self.logits, self.labels),
        }
        self.history = [metrics]

    def predictions(self) -> dict[str, Tensor]:
        """Test ``logits`` (n, classes) and ``labels`` (n,), on the CPU."""
        return {"logits": self.logits.cpu(), "labels": self.labels.cpu()}

    def state_dict(self) -> dict[str, object]:
        """Nothing: there is no training to resume."""
        return {}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Nothing, likewise."""


def load_given(network: nn.Module, file: Path, run_id: str) -> None:
    """Load the weights of a safetensors file.

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
    unlike = [key for key in own.keys() & weights if own[key].shape != weights[key].shape]
    missing = sorted((own.keys() - weights.keys()) | (weights.keys() - own.keys()))
    for names, what in ((missing, "is not in both"), (sorted(unlike), "has another shape")):
        if names:
            raise InputError(
                f"{file}: does not fit {run_id}: {names[0]} {what}; name its network, its"
                " `arguments` and a data set with as many classes"
            )
    with torch.no_grad():
        network.load_state_dict(weights)
