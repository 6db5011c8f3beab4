"""Checks a run's ``history.csv``, and the time it took, against its recipe and its result."""

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from replication.config.recipes import ImageRecipe, LanguageRecipe
from replication.config.yaml_model import validate
from replication.plan.run import GIVEN
from replication.results.csv_files import read_csv
from replication.results.run_folder import HISTORY, RECORD, RETRAIN
from replication.training.optimisation import learning_rates
from replication.verify.findings import nested
from replication.wording import counted

# The history is written with six digits.
ROUNDED = 1e-5


def history_problems(folder: Path, record: Mapping[str, Any]) -> Iterator[str]:
    """Compare a history with recipe and result; raises InputError if it is damaged."""
    history = read_csv(folder / HISTORY, RETRAIN)
    if record.get("objective") == GIVEN:
        yield from _evaluation_problems(history, record)
        return
    recipe = nested(record, "recipe", "training") or {}
    image = "milestones" in recipe
    metric = "test_error" if image else "validation_perplexity"
    if missing := {"epoch", "learning_rate", "train_loss", metric} - set(history.columns):
        yield f"{HISTORY} has no column {', '.join(sorted(missing))}"
        return
    if not all(pd.api.types.is_numeric_dtype(kind) for kind in history.dtypes):
        yield f"{HISTORY} has an entry that is not a number"
        return
    epochs = recipe.get("epochs")
    if len(history) != epochs:
        yield f"{HISTORY} has {counted(len(history), 'epoch')}, but its recipe has {epochs}"
        return
    if list(history["epoch"]) != list(range(1, epochs + 1)):
        yield f"{HISTORY} does not number its epochs from 1 to {epochs}"
        return
    source = f"{folder / RECORD}: its recipe"
    if image:
        rates = learning_rates(validate(ImageRecipe, recipe, source), [])
    else:
        rates = _language_rates(validate(LanguageRecipe, recipe, source), history)
    wrong = ~np.isclose(history["learning_rate"], rates, rtol=ROUNDED, atol=ROUNDED**2)
    if wrong.any():
        yield f"{HISTORY} has a learning rate in epoch {wrong.argmax() + 1} other than its recipe's"
    last, result = history[metric].iloc[-1], next(iter(record["result"].values()))
    due = [epoch for epoch in range(1, epochs + 1) if _is_evaluated(recipe, epoch)]
    if list(history["epoch"][history[metric].notna()]) != due:
        yield f"{HISTORY} has no {metric} where its recipe evaluates, or has one elsewhere"
    elif not math.isclose(last, result, rel_tol=ROUNDED, abs_tol=ROUNDED):
        yield f"{HISTORY} ends with a {metric} of {last}, but its result is {result}"
    imitates = record.get("objective") == "ban" and "ban_cosine" in history
    if imitates and not (history["ban_cosine"] > 0.999).all():
        yield f"{HISTORY} has a gradient other than BAN's"
    # A language model's rate decays until nothing changes any more.
    measured = history.drop(columns=["epoch", "learning_rate", "test_error"], errors="ignore")
    if image:
        for first, second in pairwise(measured.index[measured.notna().any(axis="columns")]):
            if measured.loc[first].equals(measured.loc[second]):
                yield f"{HISTORY} has the same numbers in epochs {first + 1} and {second + 1}"


def _language_rates(recipe: LanguageRecipe, history: pd.DataFrame) -> list[float]:
    """The rates that follow from the perplexities before they were rounded.

    Two perplexities that are written alike need not have been equal. Where rounding decides whether
    the rate decays, the history's own rate is taken.
    """
    perplexities: list[float] = []
    rounded = history["validation_perplexity"].iloc[:-1]
    recorded = history["learning_rate"].iloc[1:]
    for perplexity, rate in zip(rounded, recorded, strict=True):
        possible = [perplexity, perplexity * (1 - ROUNDED), perplexity * (1 + ROUNDED)]
        explaining = (
            unrounded
            for unrounded in possible
            if math.isclose(
                learning_rates(recipe, [*perplexities, unrounded])[-1], rate, rel_tol=ROUNDED
            )
        )
        perplexities.append(next(explaining, perplexity))
    return learning_rates(recipe, perplexities)


def _evaluation_problems(history: pd.DataFrame, record: Mapping[str, Any]) -> Iterator[str]:
    """Compare the history of weights from elsewhere, which is one evaluation, with the result."""
    result = next(iter(record["result"].values()))
    columns = {"epoch", "train_error", "test_error"}
    if not columns <= set(history.columns) or list(history["epoch"]) != [0]:
        yield f"{HISTORY} is not the one evaluation of weights that were not trained here"
        return
    error = history["test_error"].iloc[0]
    if not math.isclose(error, result, rel_tol=ROUNDED, abs_tol=ROUNDED):
        yield f"{HISTORY} has a test_error of {error}, but its result is {result}"


def _is_evaluated(recipe: Mapping[str, Any], epoch: int) -> bool:
    every: int = recipe.get("evaluate_every", 1)
    return epoch % every == 0 or epoch == recipe["epochs"]


def time_problems(record: Mapping[str, Any]) -> Iterator[str]:
    """See that the training's throughput fits into the time that the run took."""
    if record.get("objective") == GIVEN:
        return
    rate = record.get("images_per_second", record.get("words_per_second"))
    seconds, samples = record.get("seconds"), nested(record, "dataset", "train")
    epochs = nested(record, "recipe", "training", "epochs")
    try:
        if not seconds * rate * 1.01 + 0.1 * rate > epochs * samples > 0 < rate:
            yield f"{epochs} epochs at {rate} samples a second do not fit in its {seconds} seconds"
    except TypeError:
        yield f"its {RECORD} has no times"
