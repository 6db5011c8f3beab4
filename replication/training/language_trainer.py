"""Training of language models: truncated back-propagation through time (§4.5, Table 6)."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from replication.config.scale import LanguageRecipe
from replication.data.text import IGNORED, Corpus, windows
from replication.metrics import perplexity
from replication.results.run_history import EpochMetrics
from replication.runtime.precision import Autocast
from replication.training.loop import Trainer, TrainingContext
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
        size = (len(corpus.train), len(corpus.vocabulary))
        loss = context.loss(device, size)
        super().__init__(context, device, context.recipe.epochs, loss)
        self.corpus, self.samples_seen = corpus, self.epochs * len(corpus.train)
        self.windows = list(
            windows(corpus.train.to(device), self.recipe.batch_size, self.recipe.bptt)
        )
        self.optimiser = torch.optim.SGD(self.network.parameters(), lr=self.recipe.learning_rate)
        self.previous_perplexity = math.inf
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """Reset the hidden states and the epoch's sums."""
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
        """The epoch's line of the history; a stalled epoch lowers the learning rate."""
        found = perplexity(self.log_likelihoods(self.corpus.validation))
        group = self.optimiser.param_groups[0]
        metrics: EpochMetrics = {
            "epoch": len(self.history) + 1,
            "learning_rate": group["lr"],
            "train_loss": self.loss_sum.item() / self.words,
            "validation_perplexity": found,
        }
        if self.previous_perplexity - found <= self.recipe.minimum_improvement:
            group["lr"] *= self.recipe.decay
        self.previous_perplexity = found
        return metrics

    def log_likelihoods(self, part: Tensor) -> Tensor:
        """As the function of this name, in evaluation mode."""
        network = self.network.eval()
        found = log_likelihoods(network, part.to(self.device), self.recipe, self.context.autocast)
        network.train()
        return found

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
            "previous_perplexity": self.previous_perplexity,
            "words": self.words,
            "loss_sum": self.loss_sum,
            "hidden": self.hidden,
            "teacher_hidden": self.teacher_hidden,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state returned by `state_dict`."""
        super().load_state_dict(state)
        self.optimiser.load_state_dict(state["optimiser"])
        self.previous_perplexity, self.words = state["previous_perplexity"], state["words"]
        self.loss_sum = state["loss_sum"].to(self.device)
        self.hidden, self.teacher_hidden = (
            tuple(part.to(self.device) for part in state[key])
            for key in ("hidden", "teacher_hidden")
        )


@torch.no_grad()
def log_likelihoods(
    network: nn.Module, part: Tensor, recipe: LanguageRecipe, autocast: Autocast
) -> Tensor:
    """Log-likelihood (n,) in nats of every word of a part, on the CPU.

    The part is laid out in the recipe's batch size, and no word of it is left out.
    """
    found, hidden = [], initial_state(network, recipe)
    for inputs, targets in windows(part, recipe.batch_size, recipe.bptt, keep_all=True):
        with autocast():
            logits, hidden = forward(network, inputs, hidden)
        losses = cross_entropy(logits, targets.flatten(), reduction="none")
        found.append(-losses[targets.flatten() != IGNORED])
    return torch.cat(found).cpu()


@torch.no_grad()
def logits_in_order(
    train: Tensor, recipe: LanguageRecipe, network: nn.Module, autocast: Autocast
) -> Iterator[Tensor]:
    """A network's logits (steps · batch, words) on the training text, window by window."""
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
