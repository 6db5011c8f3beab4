"""What would change the verdict of a claim: other numbers, more seeds, a fairer test."""

from collections.abc import Iterator

import pandas as pd

from replication.analysis.fair_test import FIT, ROOM, SCHEDULE
from replication.config.paper_names import network_name
from replication.plan.run import LABEL_OBJECTIVE
from replication.report.claim_evidence_tables import runs_of_claim
from replication.report.published_results import Publications, difference_of, line_of, seeds_of
from replication.wording import escaped, in_words, seeds_in_words

UNFAIR = (
    (FIT, LABEL_OBJECTIVE, "Label-trained networks that do not fit their training data"),
    (
        ROOM,
        LABEL_OBJECTIVE,
        "Label-trained networks whose test error is below {0:g} %, or above {1:g} % of that of"
        " guessing",
    ),
    (
        SCHEDULE,
        "ban",
        "BAN students that still change by {0:g} % or more when their training ends",
    ),
)
"""The criteria on what is trained, of which objective, and which networks do not meet them."""


def what_would_change(publications: Publications, scale: str, name: str) -> str:
    """Return which numbers would have led to another verdict, by the rules of the verdicts.

    Raises:
        InputError: a csv file of the publication is missing or damaged.
    """
    line = line_of(publications.claims(scale), name)
    margin = f"{line['smallest_effect']:.2f}"
    sentences = [
        f"half of the paper's effect is {margin} here, and the difference is {difference_of(line)}."
    ]
    verdict, size = str(line["verdict"]), str(line["size"])
    if verdict == "replicated":
        sentences.append(
            "The effect is shown to be larger than that half; it would read *weaker* if it were"
            " shown to be smaller."
            if size == "at least half"
            else "It would read *weaker* if the effect were shown to be smaller than that half;"
            " neither that nor the opposite is shown."
        )
    elif verdict == "weaker":
        sentences.append(
            "It would read *replicated* if these runs did not show that the effect is smaller than"
            " that half."
        )
    elif verdict == "small":
        sentences.append(
            "The direction is open. It would read *weaker* or *contradicted* if the corrected"
            " interval excluded zero."
        )
    elif verdict == "contradicted":
        sentences.append(
            "It would read *undecided* if the corrected interval contained zero, and *replicated*"
            " only with a difference of the other sign."
        )
    if verdict in ("undecided", "small"):
        sentences.append(seeds_to_decide(line))
    return " ".join([*sentences, *_unfair_networks(publications, scale, name)])


def seeds_to_decide(line: "pd.Series[float]") -> str:
    """How many seeds would decide a direction, by the power at the spread that was measured."""
    seeds, power = line["seeds_needed_corrected"], line["power_corrected"]
    if pd.isna(power):
        return "One seed shows neither a spread nor how many seeds would decide the direction."
    needed = "more than 10,000" if pd.isna(seeds) else f"{seeds:,.0f}"
    chance = "more than 99" if power > 0.99 else f"{100 * power:.0f}"
    sentence = (
        f"If the effect were as large as the paper's, {needed} seeds with the spread measured here"
        " would decide the direction with a chance of 80 %, and the"
        f" {seeds_of(line)} seeds here with a chance of {chance} %."
    )
    if pd.isna(to_decide := line["seeds_to_decide"]):
        return sentence
    needed = seeds_in_words(to_decide)
    return f"{sentence} For the difference that was measured, it would take {needed}."


def _unfair_networks(publications: Publications, scale: str, name: str) -> Iterator[str]:
    """Which networks behind a claim do not meet the criteria of a fair test."""
    runs = runs_of_claim(publications, scale, name).lines
    criteria = publications.file(scale, "criteria")
    sentences = []
    for criterion, objective, words in UNFAIR:
        trained = runs.loc[runs["objective"] == objective, ["dataset", "network"]]
        judged = criteria.merge(trained.drop_duplicates(), on=["dataset", "network"])
        failing = judged.loc[judged[criterion.name] == "not met", "network"]
        if not failing.empty:
            names = escaped(in_words([network_name(key) for key in failing]))
            sentences.append(f"{words.format(*criterion.thresholds)}: {names}.")
    if sentences:
        yield (
            "Not every network behind the claim meets the [criteria of a fair"
            f" test](../../docs/results.md#was-it-a-fair-test). {' '.join(sentences)}"
        )
