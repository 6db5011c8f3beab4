"""Training of image networks: Wide-ResNet's recipe, on labels or on a teacher (§4.1)."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from replication.data.images import ImageData, Items
from replication.gradients import cosine_to_ban, ground_truth_share
from replication.scale import ImageRecipe
from replication.training.augmentation import Augmenter, Views
from replication.training.loss import bind
from replication.training.setting import Row, Setting
from replication.training.streams import seed, stream

EVALUATION_BATCH = 1000


def train_images(
    setting: Setting[ImageRecipe], data: ImageData, report: Callable[[Row], None]
) -> list[Row]:
    """Train a network for the recipe's epochs and leave the last epoch's weights in it.

    Network, teacher and data are on one device. Returns the history, one row per epoch; ``report``
    sees each row when its epoch ends. The order of images, their views, DKPP's permutations and
    drop-out draw from streams of their own, so that changing one leaves the others as they are.
    """
    recipe, network = setting.recipe, setting.network
    device = data.train.images.device
    order, views = stream(setting.run_id, "order"), stream(setting.run_id, "augmentation")
    size = (len(data.train.labels), data.classes)
    loss_of = bind(setting.run_id, setting.objective, setting.decisions, device, size)
    torch.manual_seed(seed(setting.run_id, "dropout"))

    augment = Augmenter(data.train.images, recipe)
    teach = _teaching(setting, augment, data.train.images)
    optimiser = torch.optim.SGD(
        [parameter for parameter in network.parameters() if parameter.requires_grad],
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.momentum > 0,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.MultiStepLR(
        optimiser, milestones=list(recipe.milestones), gamma=recipe.gamma
    )
    history: list[Row] = []
    for epoch in range(1, recipe.epochs + 1):
        network.train()
        sums = Sums(device)
        for index, view in _batches(len(data.train.labels), recipe, order, views, device):
            images, labels = augment(index, view), data.train.labels[index]
            taught = teach(index, images)
            with setting.autocast():
                logits = network(images).float()
            loss = loss_of(logits, labels, taught, index)
            optimiser.zero_grad(set_to_none=True)
            logits.retain_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            sums.add(loss.detach(), logits, labels, taught)
        rate = optimiser.param_groups[0]["lr"]
        row: Row = {"epoch": epoch, "learning_rate": rate, **sums.means()}
        row["test_error"] = (
            error(evaluate(setting, data.evaluation.images), data.evaluation.labels)
            if epoch % recipe.evaluate_every == 0 or epoch == recipe.epochs
            else None
        )
        schedule.step()
        history.append(row)
        report(row)
    return history


def _batches(
    n: int,
    recipe: ImageRecipe,
    order: torch.Generator,
    augmentation: torch.Generator,
    device: torch.device,
) -> Iterator[tuple[Tensor, Views]]:
    """Every image of an epoch once, the last batch as small as it comes out."""
    shuffled = torch.randperm(n, generator=order).to(device)
    views = Views.draw(n, recipe, augmentation).to(device)
    for start in range(0, n, recipe.batch_size):
        part = slice(start, start + recipe.batch_size)
        yield shuffled[part], views.at(part)


def _teaching(
    setting: Setting[ImageRecipe], augment: Augmenter, images: Tensor
) -> Callable[[Tensor, Tensor], Tensor | None]:
    """The teacher's logits for the very images that the student sees, by index and by view.

    The teacher is in evaluation mode and gets no gradient, so that its output depends on the view
    alone: where there is but one of each image, it is asked once.
    """
    teacher = setting.teacher
    if teacher is None:
        return lambda index, views: None
    assert not teacher.training
    if augment.identity:
        logits = _forward(setting, teacher, images)
        return lambda index, views: logits[index]
    return lambda index, views: _forward(setting, teacher, views)


@torch.no_grad()
def _forward(setting: Setting[ImageRecipe], network: nn.Module, images: Tensor) -> Tensor:
    with setting.autocast():
        batches = torch.split(images, EVALUATION_BATCH)
        return torch.cat([network(batch).float() for batch in batches])


def evaluate(setting: Setting[ImageRecipe], images: Tensor) -> Tensor:
    """The network's logits (n, classes) in evaluation mode, which it leaves as it found it."""
    training = setting.network.training
    logits = _forward(setting, setting.network.eval(), images)
    setting.network.train(training)
    return logits


def error(logits: Tensor, labels: Tensor) -> float:
    """Share of wrong predictions, in percent."""
    return 100 * (logits.argmax(-1) != labels).double().mean().item()


class Sums:
    """An epoch's sums, kept on the device so that no step waits for them."""

    def __init__(self, device: torch.device) -> None:
        self.images = 0
        self.batches = 0
        self.taught = False
        self.values = torch.zeros(4, device=device)

    @torch.no_grad()
    def add(self, loss: Tensor, logits: Tensor, labels: Tensor, taught: Tensor | None) -> None:
        """Add a batch: its loss, errors, and how BAN's gradient splits there (§3.2)."""
        n = len(labels)
        wrong = (logits.argmax(-1) != labels).sum()
        share = cosine = torch.zeros_like(loss)
        if taught is not None and logits.grad is not None:
            self.taught = True
            share = ground_truth_share(logits, taught, labels).sum()
            cosine = cosine_to_ban(logits.grad, logits, taught)
        self.values += torch.stack([loss * n, wrong.to(loss.dtype), share, cosine])
        self.images += n
        self.batches += 1

    def means(self) -> Row:
        """The epoch's columns of the history; errors in percent."""
        loss, wrong, share, cosine = self.values.tolist()
        share /= self.images
        return {
            "train_loss": loss / self.images,
            "train_error": 100 * wrong / self.images,
            "test_error": None,
            "ground_truth_share": share if self.taught else None,
            "dark_knowledge_share": 1 - share if self.taught else None,
            "ban_cosine": cosine / self.batches if self.taught else None,
        }


def predictions(setting: Setting[ImageRecipe], part: Items) -> dict[str, Tensor]:
    """What a run leaves for its tables: logits (n, classes) and labels (n,), on the CPU."""
    return {"logits": evaluate(setting, part.images).cpu(), "labels": part.labels.cpu()}
