"""What was found, as the README shows it: sentences, a table and a figure of the primary claims."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from replication.errors import InputError
from replication.plan.plan import RESULTS, Plan
from replication.report.outcome import describe_outcome
from replication.report.plotting import (
    PAPER,
    REFERENCE,
    TREATMENT_COLOURS,
    canvas,
    drawn,
)
from replication.report.published_results import (
    TESTED_ON,
    Publications,
    difference_of,
    line_of,
    primary_claims_of,
    reported_of,
    seeds_of,
    verdict_of,
)
from replication.wording import escaped, formatted, in_words, lowered, markdown_table

EVIDENCE = ["cifar", "fashion"]
"""The scales that the README shows; `digits` only checks that the machinery works."""

CHECK_SCALE = "digits"
"""The default scale, which shows that everything works."""

CONTROL = "ensemble-of-two-beats-label-ensemble"
"""The claim of ours beside the claim on ensembles in `CLAIM_WORDS`."""

TEXT_CLAIM = "language-models"
"""The last of `CLAIM_WORDS`, which is tested on text."""

TEXT = "the Python language reference"
"""What stands in for Penn Treebank at every scale that the documents show."""

CLAIM_WORDS = {
    "ban-all": "BAN students have a lower error than label-trained networks",
    "ban-better-than-ban-l": "BAN, which leaves the labels out, has a lower error than BAN+L",
    "cwtm-weaker-than-ban": "CWTM has a higher error than BAN",
    "dkpp-all": "DKPP still has a lower error than label training",
    "sequence-improves": "the third generation, BAN-3, has a lower error than generation 0",
    "ensemble-of-two-beats-last": "Ens*2 has a lower error than its last member, BAN-2",
    CONTROL: (
        "our control: Ens*2, which takes three training runs, has a lower error than two averaged"
        " label-trained networks"
    ),
    "densenet-students-beat-wide-resnet-teachers": (
        "DenseNet-90-60 students have a lower error than their Wide-ResNet teachers"
    ),
    "fragile-to-compression": "changed compression costs a student more than changed depth",
    "residual-students-beat-baselines": (
        "residual students of a DenseNet have a lower error than the same networks trained on"
        " labels"
    ),
    TEXT_CLAIM: "BAN+L lowers the perplexity of language models",
}
"""The primary claims and the control in words that a reader of the paper knows, in this order."""

ALTERNATIVES = {
    "ban-beats-twice-the-epochs": "label training for twice the epochs",
    "ban-beats-label-smoothing": "label smoothing",
    "ban-beats-tf-kd": "a virtual teacher (Tf-KD)",
}
"""The claims that BAN has a lower error than something that needs no teacher."""

COUNT_WORDS = (
    *("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve"),
)


def findings(publications: Publications) -> str:
    """Return README's sentences and its table of the primary claims, as Markdown."""
    scales = evidence_scales(publications)
    blocks = []
    for scale in scales:
        claims = publications.claims(scale)
        primary = _primary(claims)
        if primary.empty:
            continue
        if len(primary) == 1:
            blocks.append(_single_claim(primary.iloc[0], scale))
            continue
        sentences = [
            _verdicts_sentence(primary, scale),
            _sizes_sentence(primary),
            *_other_decided_sentences(claims, len(primary)),
            *_alternatives_sentences(claims),
        ]
        blocks.append(" ".join(sentences))
    return "\n\n".join([*blocks, claims_table(publications, scales, "published/")])


def claims_table(publications: Publications, scales: Sequence[str], folder: str) -> str:
    """Return a row for each primary claim and the control, with three columns for each scale.

    A primary claim links to its page; ``folder`` leads from the document to the publications.
    """
    by_scale = {scale: publications.claims(scale) for scale in scales}
    header = ["claim", "the paper"]
    for scale, claims in by_scale.items():
        has_text = bool(line_of(claims, TEXT_CLAIM)["n"] > 0)
        data = TESTED_ON[scale] + "; Python reference in the last row" * has_text
        header += [f"ours, on {data}", "n", "verdict; size"]
    rows = []
    for claim in CLAIM_WORDS:
        lines = [line_of(claims, claim) for claims in by_scale.values()]
        title = claim_title(claim)
        if claim != CONTROL:
            title = f"[{title}]({folder}{page_file(claim)})"
        row = [title, reported_of(lines[0])]
        for line in lines:
            row += [difference_of(line), seeds_of(line), verdict_of(line)]
        rows.append(row)
    return markdown_table(header, rows)


def check_scale_summary(publications: Publications) -> str:
    """Return what ``make tables`` ends with, for the published results of the default scale."""
    published = publications.folder
    plan = Plan.read([published / CHECK_SCALE / "scale.json"], root=published)
    # The reader sees this for results of their own.
    text = describe_outcome(plan).replace(published.as_posix(), str(RESULTS))
    return f"```\n{text}\n```"


@drawn
def findings_figure(publications: Publications) -> Figure:
    """Draw the primary claims and the control: relative differences, the paper's beside ours.

    Differences are in percent of the mean of what the claim compares with, ours with 95 %
    intervals. The paper prints single runs, and therefore no intervals.
    """
    scales = evidence_scales(publications)
    figure, grid = canvas(1, 1, 3.4)
    axes = grid[0, 0]
    axes.axvline(0, **REFERENCE)
    places = np.arange(len(CLAIM_WORDS))
    for number, scale in enumerate(scales):
        claims = publications.claims(scale).reindex([*CLAIM_WORDS])
        percent = 100 / claims["level"]
        mean = claims["difference"] * percent
        ends = [mean - claims["ci_low"] * percent, claims["ci_high"] * percent - mean]
        axes.errorbar(
            mean,
            places + 0.25 * (number - (len(scales) - 1) / 2),
            xerr=ends,
            fmt="os"[number],
            markersize=4,
            elinewidth=1.2,
            color=[TREATMENT_COLOURS["ban"], TREATMENT_COLOURS["cwtm"]][number],
            label=f"ours, on {TESTED_ON[scale]}, with 95 % interval",
        )
    claims = publications.claims(scales[0]).reindex([*CLAIM_WORDS])
    reported = 100 * claims["reported_difference"] / claims["reported_level"]
    axes.plot(reported, places, label="the paper, single runs", **PAPER)
    axes.set(
        yticks=places,
        yticklabels=[
            f"control: {lowered(title)}" if claim == CONTROL else title
            for claim, title in claims["title"].items()
        ],
        ylim=(len(places) - 0.5, -0.5),
        xlabel="relative difference in % (left of 0: a lower error)",
    )
    return figure


def claim_title(claim: str) -> str:
    """Return the words of `CLAIM_WORDS` for a claim as a title in Markdown."""
    words = CLAIM_WORDS[claim]
    return escaped(words[0].upper() + words[1:])


def page_file(claim: str) -> str:
    """The file of a claim's page, relative to the folder of the publications."""
    return f"claims/{claim}.md"


def evidence_scales(publications: Publications) -> list[str]:
    """Return the scales of `EVIDENCE` that are published.

    Raises:
        InputError: there is none.
    """
    scales = [scale for scale in EVIDENCE if scale in publications.scales]
    if not scales:
        raise InputError(
            f"{publications.folder}: no results of {in_words(EVIDENCE, 'or')}; run the command in"
            " a clone of the repository"
        )
    return scales


def _primary(claims: pd.DataFrame) -> pd.DataFrame:
    return primary_claims_of(claims).dropna(subset="difference")


def _single_claim(line: "pd.Series[float]", scale: str) -> str:
    """What is known at a scale that has been trained for one primary claim so far."""
    words = CLAIM_WORDS[str(line["claim"])]
    sentence = (
        f"On {TESTED_ON[scale]} (scale `{scale}`), one of the paper's primary claims has been"
        f" tested so far: {words}. It is *{line['verdict']}*: the difference is"
        f" {difference_of(line)} points, where the paper prints {reported_of(line)}."
    )
    if pd.isna(line["fraction"]):
        return sentence
    fraction = formatted(line["fraction"])
    return f"{sentence} In proportion to the error, this is {fraction} times the paper's effect."


def _verdicts_sentence(primary: pd.DataFrame, scale: str) -> str:
    counts = primary["verdict"].value_counts().to_dict()
    counts.setdefault("contradicted", 0)
    parts = [
        f"{COUNT_WORDS[count]} {'is' if count <= 1 else 'are'} *{verdict}*"
        for verdict, count in counts.items()
    ]
    of_paper = len(CLAIM_WORDS.keys() - {CONTROL})
    tested = (
        f"The paper's {COUNT_WORDS[of_paper]} primary claims have been tested"
        if len(primary) == of_paper
        else f"Of the paper's {COUNT_WORDS[of_paper]} primary claims,"
        f" {COUNT_WORDS[len(primary)]} have been tested so far"
    )
    text = f", and for language models on {TEXT}," if TEXT_CLAIM in set(primary["claim"]) else ""
    return f"{tested} on {TESTED_ON[scale]}{text} at the scale `{scale}`: {in_words(parts)}."


def _sizes_sentence(primary: pd.DataFrame) -> str:
    """How large the effects are relative to the paper's; one without an interval says nothing."""
    fractions = primary["fraction"][primary["fraction_low"].notna()]
    if fractions.empty:
        return ""
    counts = primary["size"].value_counts()
    at_least, below = (int(counts.get(size, 0)) for size in ("at least half", "below half"))
    effects = (
        "effects"
        if len(fractions) == primary["fraction"].count()
        else "effects that have an interval"
    )
    return (
        f"In proportion to the error, the {effects} are {formatted(fractions.min(), 'z.2f')} to"
        f" {formatted(fractions.max(), 'z.2f')} times the paper's: {COUNT_WORDS[at_least]} of them"
        f" {'is' if at_least <= 1 else 'are'} shown to be at least half as large, and"
        f" {COUNT_WORDS[below]} {'is' if below <= 1 else 'are'} shown to be smaller than half."
    )


def _other_decided_sentences(claims: pd.DataFrame, measured: int) -> list[str]:
    """What a scale that lacks primary claims decides otherwise, a sentence for each verdict."""
    if measured == len(CLAIM_WORDS.keys() - {CONTROL}):
        return []
    is_other = (claims["claim"] != claims["family"]) & (claims["verdict"] != "undecided")
    sentences = []
    for verdict, lines in claims[is_other & claims["metric"].isna()].groupby("verdict", sort=False):
        results = [
            f"*{escaped(line['title'])}*, {difference_of(line)} points (the paper"
            f" {reported_of(line)})"
            for _, line in lines.iterrows()
        ]
        number, verb = COUNT_WORDS[len(lines)].capitalize(), "is" if len(lines) == 1 else "are"
        plural = "s" * (len(lines) > 1)
        sentences.append(
            f"{number} claim{plural} that {verb} not primary {verb} *{verdict}*:"
            f" {'; '.join(results)}."
        )
    return sentences


def _alternatives_sentences(claims: pd.DataFrame) -> list[str]:
    """How BAN compares with what needs no trained teacher, a sentence for each verdict."""
    known = claims.reindex([claim for claim in ALTERNATIVES if claim in claims.index])
    sentences = []
    for verdict, lines in known.dropna(subset="difference").groupby("verdict", sort=False):
        words = in_words([ALTERNATIVES[claim] for claim in lines["claim"]])
        differences = [difference_of(line) for _, line in lines.iterrows()]
        subject = "claim" if len(lines) == 1 else "claims"
        sentences.append(
            f"The {subject} that BAN has a lower error than {words}, which need no trained teacher,"
            f" {'is' if len(lines) == 1 else 'are'} *{verdict}*: BAN minus"
            f" {'it' if len(lines) == 1 else 'these'} is {in_words(differences)} points."
        )
    return sentences
