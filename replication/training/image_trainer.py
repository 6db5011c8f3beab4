"""Training of image networks: Wide-ResNet's recipe, on labels or on a teacher (§4.1)."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from replication.config.scale import ImageRecipe
from replication.data.augmentation import Augmenter, draw_views
from replication.data.images import ImageData, Items
from replication.gradients import cosine, difference, ground_truth_share
from replication.metrics import error
from replication.runtime.precision import Autocast
from replication.runtime.seeding import global_rng_state, seed, set_global_rng_state, stream
from replication.training.context import EpochMetrics, TrainingContext
from replication.training.loss import Loss
from replication.training.teacher_logits import TeacherLogits

EVALUATION_BATCH = 1000


class ImageTraining:
    """Trains a network for the recipe's epochs and leaves the last epoch's weights in it.

    Network, teacher and data are on one device, and no step waits for it. The order of images,
    their views, DKPP's permutations and drop-out draw from streams of their own, so that changing
    one leaves the others as they are.
    """

    samples = "images"

    def __init__(self, setting: TrainingContext[ImageRecipe], data: ImageData) -> None:
        self.setting, self.data, self.recipe = setting, data, setting.recipe
        self.device = data.train.images.device
        self.epochs, self.history = setting.recipe.epochs, list[EpochMetrics]()
        self.seen = self.epochs * len(data.train.labels)
        self.augment = Augmenter(
            data.train.images, setting.recipe.crop_padding, setting.recipe.flip
        )
        self.order = stream(setting.run_id, "order")
        self.views = stream(setting.run_id, "augmentation")
        size = (len(data.train.labels), data.classes)
        self.loss = Loss(setting.run_id, setting.objective, setting.decisions, self.device, size)
        torch.manual_seed(seed(setting.run_id, "dropout"))
        self.optimiser = torch.optim.SGD(
            [parameter for parameter in setting.network.parameters() if parameter.requires_grad],
            lr=setting.recipe.learning_rate,
            momentum=setting.recipe.momentum,
            weight_decay=setting.recipe.weight_decay,
            nesterov=setting.recipe.momentum > 0,
            fused=True,
        )
        self.schedule = torch.optim.lr_scheduler.MultiStepLR(
            self.optimiser,
            milestones=list(setting.recipe.milestones),
            gamma=setting.recipe.gamma,
        )
        if isinstance(setting.teacher, nn.Module):
            assert not setting.teacher.training
        setting.network.train()
        self.network = setting.network
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        """Shuffle the images and draw their views; streams are kept as they were before."""
        self.drawn_from = {"order": self.order.get_state(), "views": self.views.get_state()}
        n = len(self.data.train.labels)
        shuffled = torch.randperm(n, generator=self.order).to(self.device)
        views = draw_views(n, self.recipe.crop_padding, self.recipe.flip, self.views).to(
            self.device
        )
        size = self.recipe.batch_size
        # The last batch is as small as it comes out.
        parts = torch.stack([shuffled, views]).split(size, dim=1)  # type: ignore[no-untyped-call]
        self.batches: list[tuple[Tensor, Tensor]] = [(part[0], part[1]) for part in parts]
        self.done = 0
        self.sums = Sums(self.device)

    def step(self) -> bool:
        """Train on the next batch; whether the epoch has another after it."""
        index, views = self.batches[self.done]
        labels = self.data.train.labels[index]
        images = self.augment(index, views)
        teacher_logits = self._teach(index, views, images)
        with self.setting.autocast():
            logits = self.network(images).float()
        loss = self.loss(logits, labels, teacher_logits, index)
        self.optimiser.zero_grad(set_to_none=True)
        logits.retain_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.sums.add(loss.detach(), logits, labels, teacher_logits)
        self.done += 1
        return self.done < len(self.batches)

    def _teach(self, index: Tensor, views: Tensor, images: Tensor) -> Tensor | None:
        """The teacher's logits for the very images that the student sees."""
        teacher = self.setting.teacher
        if isinstance(teacher, TeacherLogits):
            return teacher(index, views)
        if teacher is None:
            return None
        return forward(teacher, images, self.setting.autocast)

    def end_epoch(self) -> EpochMetrics:
        """Close the epoch: its line of the history, with the test error where it is due."""
        epoch = len(self.history) + 1
        rate = self.optimiser.param_groups[0]["lr"]
        row: EpochMetrics = {"epoch": epoch, "learning_rate": rate, **self.sums.means()}
        if epoch % self.recipe.evaluate_every == 0 or epoch == self.epochs:
            row["test_error"] = error(self.evaluate(), self.data.evaluation.labels)
        self.schedule.step()
        self.history.append(row)
        if epoch < self.epochs:
            self._begin_epoch()
        return row

    def evaluate(self) -> Tensor:
        """The network's logits (n, classes) on the test images, in evaluation mode."""
        network, images = self.setting.network.eval(), self.data.evaluation.images
        logits = forward(network, images, self.setting.autocast)
        network.train()
        return logits

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "network": self.setting.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "history": self.history,
            "done": self.done,
            "sums": self.sums.state_dict(),
            "streams": {**self.drawn_from, "permutation": self.loss.generator.get_state()},
            "dropout": global_rng_state(self.device),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to a state that `state_dict` has given."""
        self.setting.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.history = state["history"]
        self.order.set_state(state["streams"]["order"])
        self.views.set_state(state["streams"]["views"])
        self._begin_epoch()
        self.done = state["done"]
        self.sums.load_state_dict(state["sums"])
        self.loss.generator.set_state(state["streams"]["permutation"])
        set_global_rng_state(state["dropout"], self.device)


def predictions(training: ImageTraining) -> dict[str, Tensor]:
    """What a run leaves for its tables: logits (n, classes) and labels (n,), on the CPU."""
    return {"logits": training.evaluate().cpu(), "labels": training.data.evaluation.labels.cpu()}


@torch.no_grad()
def forward(network: nn.Module, images: Tensor, autocast: Autocast) -> Tensor:
    """Logits (n, classes) in float32, in batches as large as they are fast."""
    with autocast():
        # Not by calling it: a compiled network would be compiled once more for this batch size.
        return torch.cat(
            [network.forward(x).float() for x in torch.split(images, EVALUATION_BATCH)]
        )


def logits_in_order(
    network: nn.Module, train: Items, recipe: ImageRecipe, autocast: Autocast
) -> Iterator[Tensor]:
    """A network's logits (b, classes) on all views of the training images, view by view."""
    augment = Augmenter(train.images, recipe.crop_padding, recipe.flip)
    everything = torch.arange(len(train.labels), device=train.labels.device)
    for view in range(augment.views):
        for index in torch.split(everything, EVALUATION_BATCH):
            yield forward(network, augment(index, torch.full_like(index, view)), autocast)


class Sums:
    """An epoch's sums, kept on the device so that no step waits for them."""

    def __init__(self, device: torch.device) -> None:
        self.images = 0
        self.batches = 0
        self.teacher_logits = False
        self.values = torch.zeros(4, device=device)

    @torch.no_grad()
    def add(
        self, loss: Tensor, logits: Tensor, labels: Tensor, teacher_logits: Tensor | None
    ) -> None:
        """Add a batch: its loss, errors, and how BAN's gradient splits there (§3.2)."""
        n = len(labels)
        wrong = (logits.argmax(-1) != labels).sum()
        share = alike = torch.zeros_like(loss)
        if teacher_logits is not None and logits.grad is not None:
            self.teacher_logits = True
            ban = difference(logits, teacher_logits)
            share, alike = ground_truth_share(ban, labels).sum(), cosine(logits.grad, ban)
        self.values += torch.stack([loss * n, wrong.to(loss.dtype), share, alike])
        self.images += n
        self.batches += 1

    def means(self) -> EpochMetrics:
        """The epoch's columns of the history; errors in percent."""
        loss, wrong, share, alike = self.values.tolist()
        share /= self.images
        return {
            "train_loss": loss / self.images,
            "train_error": 100 * wrong / self.images,
            "test_error": None,
            "ground_truth_share": share if self.teacher_logits else None,
            "dark_knowledge_share": 1 - share if self.teacher_logits else None,
            "ban_cosine": alike / self.batches if self.teacher_logits else None,
        }

    def state_dict(self) -> dict[str, Any]:
        """The sums so far."""
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from these sums."""
        vars(self).update(state, values=state["values"].to(self.values.device))
