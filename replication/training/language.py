"""Training of language models: truncated back-propagation with a carried state (§4.5, Table 6)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from replication.data.text import IGNORED, Corpus, windows
from replication.scale import LanguageRecipe
from replication.training.loss import bind
from replication.training.setting import Row, Setting
from replication.training.streams import seed

State = tuple[Tensor, ...]


def train_language(
    setting: Setting[LanguageRecipe], corpus: Corpus, report: Callable[[Row], None]
) -> list[Row]:
    """Train a language model for the recipe's epochs and leave the last epoch's weights in it.

    The loss of a window is the objective's mean over words times the unrolled steps, that is
    summed over steps and averaged over the batch, as Zaremba et al. and Kim et al. have it; their
    learning rates belong to that. The teacher reads the same words with a state of its own.

    Returns the history, one row per epoch; ``report`` sees each row when its epoch ends.
    """
    recipe, network = setting.recipe, setting.network
    device = next(network.parameters()).device
    size = (len(corpus.train), len(corpus.vocabulary))
    loss_of = bind(setting.run_id, setting.objective, setting.decisions, device, size)
    torch.manual_seed(seed(setting.run_id, "dropout"))
    train = corpus.train.to(device)
    optimiser = torch.optim.SGD(network.parameters(), lr=recipe.learning_rate)
    previous = math.inf
    history: list[Row] = []
    for epoch in range(1, recipe.epochs + 1):
        network.train()
        states = [_start(network, recipe), _start(setting.teacher, recipe)]
        total, words = torch.zeros((), device=device), 0
        for inputs, targets in windows(train, recipe.batch_size, recipe.unroll):
            with setting.autocast():
                with torch.no_grad():
                    taught, states[1] = _read(setting.teacher, inputs, states[1])
                logits, states[0] = _read(network, inputs, states[0])
            assert logits is not None
            loss = loss_of(logits, targets.flatten(), taught, None)
            optimiser.zero_grad(set_to_none=True)
            (loss * len(targets)).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), recipe.clip_norm)
            optimiser.step()
            total += loss.detach() * targets.numel()
            words += targets.numel()
        perplexity = math.exp(-log_likelihoods(setting, corpus.validation).mean().item())
        row: Row = {
            "epoch": epoch,
            "learning_rate": optimiser.param_groups[0]["lr"],
            "train_loss": total.item() / words,
            "validation_perplexity": perplexity,
        }
        if previous - perplexity <= recipe.minimum_improvement:
            optimiser.param_groups[0]["lr"] *= recipe.decay
        previous = perplexity
        history.append(row)
        report(row)
    return history


def _start(network: nn.Module | None, recipe: LanguageRecipe) -> State:
    return network.initial_state(recipe.batch_size) if network is not None else ()  # type: ignore[operator]


def _read(network: nn.Module | None, inputs: Tensor, state: State) -> tuple[Tensor | None, State]:
    """Logits (steps · batch, words) in float32, and the state cut off from its history."""
    if network is None:
        return None, ()
    logits, state = network(inputs, state)
    return logits.float().flatten(0, 1), tuple(part.detach() for part in state)


@torch.no_grad()
def log_likelihoods(setting: Setting[LanguageRecipe], part: Tensor) -> Tensor:
    """Log-likelihood (n,) in nats of every word of a part, in evaluation mode, on the CPU.

    The part is laid out in the recipe's columns, and no word of it is left out.
    """
    recipe, network = setting.recipe, setting.network
    part = part.to(next(network.parameters()).device)
    training = network.training
    network.eval()
    state, found = _start(network, recipe), []
    for inputs, targets in windows(part, recipe.batch_size, recipe.unroll, keep_all=True):
        with setting.autocast():
            logits, state = _read(network, inputs, state)
        assert logits is not None
        losses = cross_entropy(logits, targets.flatten(), reduction="none")
        found.append(-losses[targets.flatten() != IGNORED])
    network.train(training)
    return torch.cat(found).cpu()


def predictions(setting: Setting[LanguageRecipe], corpus: Corpus) -> dict[str, Tensor]:
    """What a run leaves for its table: the log-likelihoods of both parts, window by window."""
    return {
        "validation": log_likelihoods(setting, corpus.validation),
        "test": log_likelihoods(setting, corpus.test),
    }
