"""torchdistill's own training: its box, its loss and the loop of its image example."""

import logging
from collections.abc import Iterator
from itertools import islice
from time import time
from typing import Any

import torch
import torchvision.datasets  # noqa: F401  (torchdistill looks for it among what is imported)
from torch import Tensor
from torch.utils.data import DataLoader, RandomSampler
from torchdistill.core.distillation import get_distillation_box
from torchdistill.losses import mid_level  # noqa: F401  (registers KDLoss)
from torchdistill.misc.log import MetricLogger, SmoothedValue

from benchmarks.cases import SGD
from benchmarks.contestants import Batch, Peer, Photographs

# The files of its repository's `configs/sample/cifar10/kd`, at temperature 1 and without labels.
KD = {
    "key": "KDLoss",
    "kwargs": {
        "student_module_path": ".",
        "student_module_io": "output",
        "teacher_module_path": ".",
        "teacher_module_io": "output",
        "temperature": 1.0,
        "alpha": 0.0,
        "reduction": "batchmean",
    },
}


class TorchDistill(Peer):
    """A `DistillationBox` and the loop of torchdistill's `image_classification.py`.

    The box leaves the teacher in the mode that it finds it in: here in evaluation mode.
    """

    name = "torchdistill"

    def load(self, photographs: Photographs) -> DataLoader[Any]:
        """The box builds the loader from its configuration."""
        logging.getLogger().setLevel(logging.WARNING)  # its logger is the root
        self.box = get_distillation_box(
            self.task.teacher,
            self.task.student,
            {"train": photographs},
            self.configuration(),
            self.device,
            device_ids=None,
            distributed=False,
            lr_factor=1,
        )
        self.box.pre_epoch_process(epoch=0)
        loader: DataLoader[Any] = self.box.train_data_loader
        return loader

    def configuration(self) -> dict[str, Any]:
        """Its `train` section."""
        return {
            "num_epochs": 1,
            "train_data_loader": {
                "dataset_id": "train",
                "sampler": {"class_or_func": RandomSampler},
                "kwargs": {
                    "batch_size": self.task.case.batch,
                    "num_workers": self.task.workers,
                    "drop_last": True,
                    "pin_memory": self.device.type == "cuda",
                    "persistent_workers": True,
                },
            },
            "teacher": {"forward_proc": "forward_batch_only", "requires_grad": False},
            "student": {"forward_proc": "forward_batch_only"},
            "optimizer": {"key": "SGD", "kwargs": dict(SGD)},
            "criterion": {
                "key": "WeightedSumLoss",
                "kwargs": {"sub_terms": {"kd": {"criterion": KD, "weight": 1.0}}},
            },
        }

    def step(self, images: Tensor, labels: Tensor) -> float:
        """One batch."""
        return self._step(images, labels, {}).item()

    def _step(self, images: Tensor, labels: Tensor, extra: Any) -> Tensor:
        with self.autocast():
            loss: Tensor = self.box.forward_process(images, labels, extra)
        self.box.post_forward_process(loss=loss)
        return loss

    def run(self, steps: int) -> None:
        """A part of an epoch, with the example's meters."""
        meters = MetricLogger(delimiter="  ")
        meters.add_meter("lr", SmoothedValue(window_size=1, fmt="{value}"))
        meters.add_meter("img/s", SmoothedValue(window_size=10, fmt="{value}"))
        part = _Part(self.batches, steps)
        for images, labels, extra in meters.log_every(part, 100, "Epoch: [0]"):
            started = time()
            images, labels = images.to(self.device), labels.to(self.device)
            loss = self._step(images, labels, extra)
            meters.update(loss=loss.item(), lr=self.box.optimizer.param_groups[0]["lr"])
            meters.meters["img/s"].update(len(images) / (time() - started))
            if torch.isnan(loss) or torch.isinf(loss):
                raise ValueError(f"The training loop was broken due to loss = {loss}")


class _Part:
    """The next batches, with the length that torchdistill's meters ask for."""

    def __init__(self, batches: Iterator[Batch], steps: int) -> None:
        self.batches, self.steps = batches, steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Batch]:
        return islice(self.batches, self.steps)
