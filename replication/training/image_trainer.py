"""Training of image networks: Wide-ResNet's recipe, on labels or on a teacher (§4.1).

Random crops and flips of whole batches are those of Zagoruyko & Komodakis (2016).
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from replication.config.recipes import ImageRecipe
from replication.data.images import ImageData, Items
from replication.errors import InputError
from replication.gradients import cosine, difference, ground_truth_share
from replication.metrics import error, kl_divergence
from replication.objectives import confidence_weights
from replication.results.run_history import WEIGHT_COLUMNS, EpochMetrics, WeightPercentiles
from replication.runtime.conditions import Autocast
from replication.training.loop import Trainer, TrainingContext, evaluation_mode, make_generator
from replication.training.optimisation import learning_rates, make_optimiser, set_learning_rate
from replication.training.teacher_logits import TeacherLogits

EVALUATION_BATCH = {"cpu": 100, "cuda": 1000}
"""Images at a time without gradients. On a CPU the activations of 100 stay in its cache."""


class ImageTrainer(Trainer[ImageRecipe]):
    """Trains an image network.

    Network, teacher and data are on one device, and no step waits for it. The order of images,
    their views, DKPP's permutations and dropout use generators of their own, so that changing one
    leaves the others as they are.
    """

    unit = "images"

    def __init__(self, context: TrainingContext[ImageRecipe], data: ImageData) -> None:
        device, n = data.train.images.device, len(data.train.labels)
        loss = context.make_loss(device, (n, data.classes))
        super().__init__(context, device, context.recipe.epochs, loss)
        self.data, self.samples_seen = data, self.epochs * n
        self.augment = Augmenter(data.train.images, self.recipe.crop_padding, self.recipe.flip)
        self.order = make_generator(context.run_id, "order")
        self.views = make_generator(context.run_id, "augmentation")
        self.optimiser = make_optimiser(self.network, self.recipe)
        self.rates = learning_rates(self.recipe)
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """Shuffle the images and draw their views; remember the generators' states before that."""
        set_learning_rate(self.optimiser, self.rates[len(self.history)])
        self.epoch_start = {"order": self.order.get_state(), "views": self.views.get_state()}
        n = len(self.data.train.labels)
        shuffled = torch.randperm(n, generator=self.order).to(self.device)
        views = draw_views(n, self.recipe.crop_padding, self.recipe.flip, self.views).to(
            self.device
        )
        # The last batch may be smaller.
        parts = torch.stack([shuffled, views]).split(  # type: ignore[no-untyped-call]
            self.recipe.batch_size, dim=1
        )
        self.batches: list[tuple[Tensor, Tensor]] = [(part[0], part[1]) for part in parts]
        self.steps_done = 0
        self.sums = EpochSums(self.device)
        self.evaluated: Tensor | None = None

    def step(self) -> bool:
        """Train on the next batch; returns whether the epoch has another one."""
        index, views = self.batches[self.steps_done]
        images, labels = self.augment(index, views), self.data.train.labels[index]
        teacher_logits = self._teacher_logits(index, views, images)
        with self.context.autocast():
            logits = self.network(images).float()
        loss = self.loss(logits, labels, teacher_logits, index)
        self.optimiser.zero_grad(set_to_none=True)
        logits.retain_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.sums.add(loss.detach(), logits, labels, teacher_logits)
        self.steps_done += 1
        return self.steps_done < len(self.batches)

    def _teacher_logits(self, index: Tensor, views: Tensor, images: Tensor) -> Tensor | None:
        """The teacher's logits (b, classes) on the very images that the student sees."""
        teacher = self.context.teacher
        if isinstance(teacher, TeacherLogits):
            return teacher(index, views)
        return None if teacher is None else forward(teacher, images, self.context.autocast)

    def epoch_metrics(self) -> EpochMetrics:
        """The epoch's line of the history, with the test error where it is due."""
        epoch = len(self.history) + 1
        metrics: EpochMetrics = {
            "epoch": epoch,
            "learning_rate": self.rates[epoch - 1],
            **self.sums.means(),
        }
        if epoch % self.recipe.evaluate_every == 0 or epoch == self.epochs:
            self.evaluated = self.evaluate()
            metrics["test_error"] = error(self.evaluated, self.data.evaluation.labels)
        return metrics

    def evaluate(self) -> Tensor:
        """The network's logits (n, classes) on the test images, in evaluation mode."""
        with evaluation_mode(self.network) as network:
            return forward(network, self.data.evaluation.images, self.context.autocast)

    def predictions(self) -> dict[str, Tensor]:
        """Test ``logits`` (n, classes) and ``labels`` (n,), on the CPU."""
        # After the last epoch they are there, except in a training that was stopped just then.
        logits = self.evaluate() if self.evaluated is None else self.evaluated
        return {"logits": logits.cpu(), "labels": self.data.evaluation.labels.cpu()}

    def confidence_weights(self) -> list[WeightPercentiles]:
        """Percentiles of b·w_s over the last epoch, of CWTM and of equation 9 (§3.2).

        In a plain mean over the batch of b images every weight is 1.
        """
        relative_weights = []
        for index, views in self.batches:
            logits = self._teacher_logits(index, views, self.augment(index, views))
            assert logits is not None
            labels = self.data.train.labels[index]
            both = torch.stack([confidence_weights(logits), confidence_weights(logits, labels)])
            relative_weights.append(len(index) * both)
        percent = torch.arange(101, device=self.device)
        values = torch.cat(relative_weights, 1).double().quantile(percent.double() / 100, dim=1)
        lines = zip(percent.tolist(), *values.T.tolist(), strict=True)
        return [dict(zip(WEIGHT_COLUMNS, line, strict=True)) for line in lines]

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return super().state_dict() | {
            "optimiser": self.optimiser.state_dict(),
            "epoch_start": self.epoch_start,
            "sums": self.sums.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state returned by `state_dict`."""
        self.order.set_state(state["epoch_start"]["order"])
        self.views.set_state(state["epoch_start"]["views"])
        self.begin_epoch()
        super().load_state_dict(state)
        self.optimiser.load_state_dict(state["optimiser"])
        self.sums.load_state_dict(state["sums"])


@torch.no_grad()
def forward(network: nn.Module, images: Tensor, autocast: Autocast) -> Tensor:
    """Logits (n, classes) in float32, computed in batches."""
    with autocast():
        # `forward` instead of a call: a compiled network would compile again for this batch size.
        batches = torch.split(images, EVALUATION_BATCH[images.device.type])
        return torch.cat([network.forward(x).float() for x in batches])


def logits_in_order(
    train: Items, recipe: ImageRecipe, network: nn.Module, autocast: Autocast
) -> Iterator[Tensor]:
    """A network's logits (b, classes) on all views of the training images, view by view."""
    augment = Augmenter(train.images, recipe.crop_padding, recipe.flip)
    everything = torch.arange(len(train.labels), device=train.labels.device)
    for view in range(augment.views):
        for index in torch.split(everything, EVALUATION_BATCH[everything.device.type]):
            yield forward(network, augment(index, torch.full_like(index, view)), autocast)


class EpochSums:
    """Sums over an epoch, kept on the device so that no step waits for it."""

    def __init__(self, device: torch.device) -> None:
        self.images = 0
        self.batches = 0
        self.has_teacher = False
        self.values = torch.zeros(5, device=device)

    @torch.no_grad()
    def add(
        self, loss: Tensor, logits: Tensor, labels: Tensor, teacher_logits: Tensor | None
    ) -> None:
        """Add a batch: loss, errors, KL(p ‖ q), and how BAN's gradient splits there (§3.2)."""
        n = len(labels)
        wrong = (logits.argmax(-1) != labels).sum()
        divergence = share = similarity = torch.zeros_like(loss)
        if teacher_logits is not None and logits.grad is not None:
            self.has_teacher = True
            ban = difference(logits, teacher_logits)
            share = ground_truth_share(ban, labels).sum()
            similarity = cosine(logits.grad, ban)
            divergence = kl_divergence(teacher_logits, logits).sum()
        self.values += torch.stack([loss * n, wrong.to(loss.dtype), divergence, share, similarity])
        self.images += n
        self.batches += 1

    def means(self) -> EpochMetrics:
        """The epoch's columns of the history; errors in percent, divergence in nats per image."""
        loss, wrong, divergence, share, similarity = self.values.tolist()
        share /= self.images
        return {
            "train_loss": loss / self.images,
            "train_error": 100 * wrong / self.images,
            "test_error": None,
            "divergence": divergence / self.images if self.has_teacher else None,
            "ground_truth_share": share if self.has_teacher else None,
            "dark_knowledge_share": 1 - share if self.has_teacher else None,
            "ban_cosine": similarity / self.batches if self.has_teacher else None,
        }

    def state_dict(self) -> dict[str, Any]:
        """The sums so far."""
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from these sums."""
        vars(self).update(state, values=state["values"].to(self.values.device))


def draw_views(n: int, crop_padding: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Draw a view (n,) in [0, `ImageRecipe.views`) for each of n images, uniformly."""
    side = 2 * crop_padding + 1
    corners = torch.randint(side, (2, n), generator=generator)
    mirrored = torch.rand(n, generator=generator) < (0.5 if flip else 0.0)
    return (mirrored * side + corners[0]) * side + corners[1]


class Augmenter:
    """Cuts batches of views out of the training images, as if they were padded by reflection.

    The images are only read where a batch needs them: they can be a mapped file, of which a
    training holds no copy.
    """

    def __init__(self, images: Tensor, crop_padding: int, flip: bool) -> None:
        """Take all training images (n, channels, height, width).

        Raises:
            InputError: the padding is as large as the images.
        """
        height, self.width = images.shape[-2:]
        if crop_padding >= min(height, self.width):
            raise InputError(
                f"`images.crop_padding`: {crop_padding} pixels cannot be reflected from images of"
                f" {height} × {self.width}; use fewer"
            )
        self.images = images
        self.side = 2 * crop_padding + 1
        self.views = self.side**2 * (2 if flip else 1)
        self.rows, self.columns = (
            _windows(size, crop_padding).to(images.device) for size in (height, self.width)
        )

    def __call__(self, index: Tensor, views: Tensor) -> Tensor:
        """The ``views`` (b,) of the images at ``index`` (b,): (b, channels, height, width)."""
        if self.views == 1:
            pixels = self.images[index].permute(0, 2, 3, 1)
        else:
            corners, mirrored = views % self.side**2, views >= self.side**2
            rows, columns = self.rows[corners // self.side], self.columns[corners % self.side]
            columns = torch.where(mirrored[:, None], columns.flip(1), columns)
            pixels = self.images[index[:, None, None], :, rows[:, :, None], columns[:, None, :]]
        # Channels last, the fast memory format.
        return pixels.contiguous().permute(0, 3, 1, 2)


def _windows(size: int, padding: int) -> Tensor:
    """The places in a line of pixels, padded by reflection, that each window of its size covers.

    Of shape (2 · padding + 1, size), by the window's corner.
    """
    places = torch.arange(-padding, size + padding).abs()
    reflected = torch.where(places >= size, 2 * (size - 1) - places, places)
    return reflected.unfold(0, size, 1).clone()
