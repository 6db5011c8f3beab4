"""Training of language models: truncated back-propagation through time (§4.5, Table 6)."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from replication.config.recipes import LanguageRecipe
from replication.data.text import IGNORED, Corpus, windows
from replication.errors import InputError
from replication.metrics import perplexity
from replication.results.run_history import EpochMetrics
from replication.runtime.conditions import Autocast
from replication.training.loop import Trainer, TrainingContext, evaluation_mode
from replication.training.optimisation import learning_rates, set_learning_rate
from replication.training.teacher_logits import TeacherLogits

Hidden = tuple[Tensor, ...]


class LanguageTrainer(Trainer[LanguageRecipe]):
    """Trains a language model.

    The loss of a window is the objective's mean over words times the number of time steps, that
    is, summed over steps and averaged over the batch, as in Zaremba et al. and Kim et al.; their
    learning rates depend on that. The teacher reads the same words with a hidden state of its own.
    """

    unit = "words"

    def __init__(self, context: TrainingContext[LanguageRecipe], corpus: Corpus) -> None:
        device = next(context.network.parameters()).device
        check_recipe(context.recipe, corpus.train)
        loss = context.make_loss(device, None)
        super().__init__(context, device, context.recipe.epochs, loss)
        self.corpus, self.samples_seen = corpus, self.epochs * len(corpus.train)
        self.windows = list(
            windows(corpus.train.to(device), self.recipe.batch_size, self.recipe.bptt)
        )
        self.optimiser = torch.optim.SGD(self.network.parameters(), lr=self.recipe.learning_rate)
        self.begin_epoch()

    @property
    def rates(self) -> list[float]:
        """The learning rates of the epochs so far, and of the next one."""
        return learning_rates(
            self.recipe, [float(line["validation_perplexity"] or 0) for line in self.history]
        )

    def begin_epoch(self) -> None:
        """Set the epoch's learning rate; reset the hidden states and the epoch's sums."""
        set_learning_rate(self.optimiser, self.rates[-1])
        self.steps_done = self.words = 0
        self.loss_sum = torch.zeros((), device=self.device)
        self.hidden = initial_state(self.network, self.recipe)
        teacher = self.context.teacher
        self.teacher_hidden: Hidden = ()
        if isinstance(teacher, nn.Module):
            self.teacher_hidden = initial_state(teacher, self.recipe)

    def step(self) -> bool:
        """Train on the next window; returns whether the epoch has another one."""
        inputs, targets = self.windows[self.steps_done]
        teacher_logits = self._teacher_logits(inputs)
        with self.context.autocast():
            logits, self.hidden = forward(self.network, inputs, self.hidden)
        loss = self.loss(logits, targets.flatten(), teacher_logits, None)
        self.optimiser.zero_grad(set_to_none=True)
        (loss * len(targets)).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip_norm)
        self.optimiser.step()
        self.loss_sum += loss.detach() * targets.numel()
        self.words += targets.numel()
        self.steps_done += 1
        return self.steps_done < len(self.windows)

    @torch.no_grad()
    def _teacher_logits(self, inputs: Tensor) -> Tensor | None:
        """The teacher's logits for the very words that the student predicts."""
        teacher = self.context.teacher
        if isinstance(teacher, TeacherLogits):
            positions = slice(self.words, self.words + inputs.numel())
            return teacher(positions).to(self.device)
        if teacher is None:
            return None
        with self.context.autocast():
            logits, self.teacher_hidden = forward(teacher, inputs, self.teacher_hidden)
        return logits

    def epoch_metrics(self) -> EpochMetrics:
        """The epoch's line of the history."""
        return {
            "epoch": len(self.history) + 1,
            "learning_rate": self.rates[-1],
            "train_loss": self.loss_sum.item() / self.words,
            "validation_perplexity": perplexity(self.log_likelihoods(self.corpus.validation)),
        }

    def log_likelihoods(self, part: Tensor) -> Tensor:
        """The same as the function of this name, in evaluation mode."""
        words = part.to(self.device)
        with evaluation_mode(self.network) as network:
            return log_likelihoods(network, words, self.recipe, self.context.autocast)

    def predictions(self) -> dict[str, Tensor]:
        """The log-likelihoods (n,) of the ``validation`` and the ``test`` part, on the CPU."""
        return {
            "validation": self.log_likelihoods(self.corpus.validation),
            "test": self.log_likelihoods(self.corpus.test),
        }

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return super().state_dict() | {
            "optimiser": self.optimiser.state_dict(),
            "words": self.words,
            "loss_sum": self.loss_sum,
            "hidden": self.hidden,
            "teacher_hidden": self.teacher_hidden,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state returned by `state_dict`."""
        super().load_state_dict(state)
        self.optimiser.load_state_dict(state["optimiser"])
        self.words = state["words"]
        self.loss_sum = state["loss_sum"].to(self.device)
        self.hidden, self.teacher_hidden = (
            tuple(part.to(self.device) for part in state[key])
            for key in ("hidden", "teacher_hidden")
        )


def check_recipe(recipe: LanguageRecipe, train: Tensor) -> None:
    """Check that a recipe fits the training text (n,).

    Raises:
        InputError: the training text has fewer words than a batch has columns.
    """
    if recipe.batch_size > len(train):
        raise InputError(
            f"`language`: `batch_size`: {len(train)} words do not fill {recipe.batch_size}"
            " columns; lower it, or use more words"
        )


@torch.no_grad()
def log_likelihoods(
    network: nn.Module, part: Tensor, recipe: LanguageRecipe, autocast: Autocast
) -> Tensor:
    """Log-likelihood (n,) in nats of every word of a part, on the CPU.

    The part is laid out in the recipe's batch size, and no word of it is left out.
    """
    parts, hidden = [], initial_state(network, recipe)
    for inputs, targets in windows(part, recipe.batch_size, recipe.bptt, keep_all=True):
        with autocast():
            logits, hidden = forward(network, inputs, hidden)
        losses = cross_entropy(logits, targets.flatten(), reduction="none")
        parts.append(-losses[targets.flatten() != IGNORED])
    return torch.cat(parts).cpu()


@torch.no_grad()
def logits_in_order(
    train: Tensor, recipe: LanguageRecipe, network: nn.Module, autocast: Autocast
) -> Iterator[Tensor]:
    """A network's logits (steps · batch, words) on the training text, window by window."""
    check_recipe(recipe, train)
    hidden = initial_state(network, recipe)
    train = train.to(hidden[0].device)
    for inputs, _ in windows(train, recipe.batch_size, recipe.bptt):
        with autocast():
            logits, hidden = forward(network, inputs, hidden)
        yield logits


def initial_state(network: nn.Module, recipe: LanguageRecipe) -> Hidden:
    """A language model's hidden state before the first word."""
    hidden: Hidden = network.initial_state(recipe.batch_size)  # type: ignore[operator]
    return hidden


def forward(network: nn.Module, inputs: Tensor, hidden: Hidden) -> tuple[Tensor, Hidden]:
    """Logits (steps · batch, words) in float32, and the hidden state detached from its history."""
    logits, hidden = network(inputs, hidden)
    return logits.float().flatten(0, 1), tuple(part.detach() for part in hidden)
