"""Training of language models: truncated back-propagation with a carried state (§4.5, Table 6)."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from replication.config.scale import LanguageRecipe
from replication.data.text import IGNORED, Corpus, windows
from replication.metrics import perplexity
from replication.runtime.precision import Autocast
from replication.runtime.seeding import global_rng_state, seed, set_global_rng_state
from replication.training.context import EpochMetrics, TrainingContext
from replication.training.loss import Loss
from replication.training.teacher_logits import TeacherLogits

State = tuple[Tensor, ...]


class LanguageTraining:
    """Trains a language model for the recipe's epochs and leaves the last epoch's weights in it.

    The loss of a window is the objective's mean over words times the unrolled steps, that is
    summed over steps and averaged over the batch, as Zaremba et al. and Kim et al. have it; their
    learning rates belong to that. The teacher reads the same words with a state of its own.
    """

    samples = "words"

    def __init__(self, setting: TrainingContext[LanguageRecipe], corpus: Corpus) -> None:
        self.setting, self.corpus, self.recipe = setting, corpus, setting.recipe
        self.network = setting.network
        self.device = next(setting.network.parameters()).device
        self.epochs, self.history = setting.recipe.epochs, list[EpochMetrics]()
        self.seen = self.epochs * len(corpus.train)
        size = (len(corpus.train), len(corpus.vocabulary))
        self.loss = Loss(setting.run_id, setting.objective, setting.decisions, self.device, size)
        torch.manual_seed(seed(setting.run_id, "dropout"))
        train = corpus.train.to(self.device)
        self.windows = list(windows(train, self.recipe.batch_size, self.recipe.bptt))
        self.optimiser = torch.optim.SGD(setting.network.parameters(), lr=self.recipe.learning_rate)
        self.previous = math.inf
        setting.network.train()
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self.done = self.words = 0
        self.total = torch.zeros((), device=self.device)
        self.hidden = start(self.network, self.recipe)
        teacher = self.setting.teacher
        self.teachers = start(teacher, self.recipe) if isinstance(teacher, nn.Module) else ()

    def step(self) -> bool:
        """Train on the next window; whether the epoch has another after it."""
        inputs, targets = self.windows[self.done]
        teacher_logits = self._teach(inputs)
        with self.setting.autocast():
            logits, self.hidden = read(self.network, inputs, self.hidden)
        loss = self.loss(logits, targets.flatten(), teacher_logits, None)
        self.optimiser.zero_grad(set_to_none=True)
        (loss * len(targets)).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip_norm)
        self.optimiser.step()
        self.total += loss.detach() * targets.numel()
        self.words += targets.numel()
        self.done += 1
        return self.done < len(self.windows)

    @torch.no_grad()
    def _teach(self, inputs: Tensor) -> Tensor | None:
        """The teacher's logits for the very words that the student predicts."""
        teacher = self.setting.teacher
        if isinstance(teacher, TeacherLogits):
            positions = slice(self.words, self.words + inputs.numel())
            return teacher(positions).to(self.device)
        if teacher is None:
            return None
        with self.setting.autocast():
            logits, self.teachers = read(teacher, inputs, self.teachers)
        return logits

    def end_epoch(self) -> EpochMetrics:
        """Close the epoch: its line of the history; a stalled one lowers the rate."""
        found = perplexity(self.log_likelihoods(self.corpus.validation))
        row: EpochMetrics = {
            "epoch": len(self.history) + 1,
            "learning_rate": self.optimiser.param_groups[0]["lr"],
            "train_loss": self.total.item() / self.words,
            "validation_perplexity": found,
        }
        if self.previous - found <= self.recipe.minimum_improvement:
            self.optimiser.param_groups[0]["lr"] *= self.recipe.decay
        self.previous = found
        self.history.append(row)
        if len(self.history) < self.epochs:
            self._begin_epoch()
        return row

    @torch.no_grad()
    def log_likelihoods(self, part: Tensor) -> Tensor:
        """Log-likelihood (n,) in nats of every word of a part, in evaluation mode, on the CPU.

        The part is laid out in the recipe's columns, and no word of it is left out.
        """
        recipe, part, found = self.recipe, part.to(self.device), []
        self.network.eval()
        state = start(self.network, recipe)
        for inputs, targets in windows(part, recipe.batch_size, recipe.bptt, keep_all=True):
            with self.setting.autocast():
                logits, state = read(self.network, inputs, state)
            losses = cross_entropy(logits, targets.flatten(), reduction="none")
            found.append(-losses[targets.flatten() != IGNORED])
        self.network.train()
        return torch.cat(found).cpu()

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "previous": self.previous,
            "history": self.history,
            "done": self.done,
            "words": self.words,
            "total": self.total,
            "hidden": self.hidden,
            "teachers": self.teachers,
            "permutation": self.loss.generator.get_state(),
            "dropout": global_rng_state(self.device),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to a state that `state_dict` has given."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.previous, self.history = state["previous"], state["history"]
        self.done, self.words = state["done"], state["words"]
        self.total = state["total"].to(self.device)
        self.hidden, self.teachers = (
            tuple(part.to(self.device) for part in state[of]) for of in ("hidden", "teachers")
        )
        self.loss.generator.set_state(state["permutation"])
        set_global_rng_state(state["dropout"], self.device)


def predictions(training: LanguageTraining) -> dict[str, Tensor]:
    """What a run leaves for its table: the log-likelihoods of both parts, window by window."""
    return {
        "validation": training.log_likelihoods(training.corpus.validation),
        "test": training.log_likelihoods(training.corpus.test),
    }


@torch.no_grad()
def logits_in_order(
    network: nn.Module, train: Tensor, recipe: LanguageRecipe, autocast: Autocast
) -> Iterator[Tensor]:
    """A network's logits (steps · batch, words) on the training text, window by window."""
    state = start(network, recipe)
    for inputs, _ in windows(train, recipe.batch_size, recipe.bptt):
        with autocast():
            logits, state = read(network, inputs, state)
        yield logits


def start(network: nn.Module, recipe: LanguageRecipe) -> State:
    """A language model's state before the first word."""
    state: State = network.initial_state(recipe.batch_size)  # type: ignore[operator]
    return state


def read(network: nn.Module, inputs: Tensor, state: State) -> tuple[Tensor, State]:
    """Logits (steps · batch, words) in float32, and the state cut off from its history."""
    logits, state = network(inputs, state)
    return logits.float().flatten(0, 1), tuple(part.detach() for part in state)
