"""A teacher's stored logits, as its students read them instead of running it."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class TeacherLogits:
    """Logits (views, samples, classes) in float16, each sample's largest 0."""

    logits: Tensor

    def __call__(self, index: Tensor | slice, views: Tensor | int = 0) -> Tensor:
        """The logits on samples ``index`` (b,) in their ``views`` (b,): (b, classes), float32.

        They are on the device of ``index``; a slice names consecutive samples.
        """
        if isinstance(index, slice):
            return self.logits[views, index].float()
        return self._gather(index, views).float()

    def _gather(self, index: Tensor, views: Tensor | int) -> Tensor:
        if index.device == self.logits.device:
            return self.logits[views, index]
        # Too large for the device, they stay memory-mapped from the file.
        views = views.to("cpu") if isinstance(views, Tensor) else views
        return self.logits[views, index.to("cpu")].to(index.device)

    def to(self, device: torch.device) -> "TeacherLogits":
        """The logits on a device that has room for them, else as they are."""
        if device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            if self.logits.nbytes > free // 4:
                return self
        return TeacherLogits(self.logits.to(device))
