"""A page for each primary claim: what the paper says, what was tested, and what was found."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from replication.config.paper_claims import Claims, read_claims
from replication.config.paper_names import label_trained_networks
from replication.config.paper_tables import TABLES
from replication.report.changed_verdicts import what_would_change
from replication.report.claim_evidence_tables import (
    CORES,
    cells_table,
    data_table,
    runs_of_claim,
    runs_table,
    seeds_table,
)
from replication.report.claim_figure import claim_figure
from replication.report.plotting import draw_small
from replication.report.primary_claims import CLAIM_WORDS, CONTROL, claim_title, page_file
from replication.report.published_results import (
    Publications,
    difference_of,
    line_of,
    reported_of,
    seeds_of,
    verdict_of,
)
from replication.wording import counted, escaped, lowered, markdown_table, signed

ABSTRACT = "https://arxiv.org/abs/1805.04770"
OUTPERFORM = (
    "Surprisingly, these Born-Again Networks (BANs), outperform their teachers significantly, both"
    " on computer vision and language modeling tasks."
)
BOTH_METHODS = (
    "Both methods [CWTM and DKPP] elucidate the essential components of KD, demonstrating the"
    " effect of the teacher outputs on both predicted and non-predicted classes."
)
QUOTATIONS = {
    "ban-all": OUTPERFORM,
    "cwtm-weaker-than-ban": BOTH_METHODS,
    "dkpp-all": BOTH_METHODS,
    "language-models": OUTPERFORM,
}
"""Sentences of the paper's abstract on primary claims."""


def claim_pages(publications: Publications) -> dict[Path, str | bytes]:
    """Return the pages of all primary claims with their figures, by file.

    Raises:
        InputError: a csv file or ``claims.yaml`` is missing or damaged.
    """
    claims = read_claims(TABLES)
    pages: dict[Path, str | bytes] = {}
    for name in CLAIM_WORDS:
        if name == CONTROL or not publications.scales_of(name):
            continue
        page = publications.folder / page_file(name)
        pages[page] = "\n\n".join(_blocks(publications, claims, name)) + "\n"
        controls = _controls(publications, claims, name)
        pages[page.with_suffix(".png")] = draw_small(claim_figure(publications, name, controls))
    return pages


def _controls(publications: Publications, claims: Claims, name: str) -> list[str]:
    """The claims of ours in the family of a claim that are measured on its own metric."""
    specs = claims.file.claims
    family = [other for other in specs if claims.file.primary_of(other) == name]
    ours = [other for other in family if specs[other].source == "ours" and not specs[other].metric]
    return [other for other in ours if publications.scales_of(other)]


def _blocks(publications: Publications, claims: Claims, name: str) -> Iterator[str]:
    claim, scales = claims.file.claims[name], publications.scales_of(name)
    plural = "s" * (" and " in claim.section.split(",")[0])
    yield f"# {claim_title(name)}"
    yield (
        "`replication docs` writes this page from the [published results](../README.md);"
        " [how to read a verdict](../../docs/explanation/reading-a-verdict.md) explains the words,"
        " and the [glossary](../../docs/reference/glossary.md) the abbreviations."
    )
    yield "## What the paper says"
    if name in QUOTATIONS:
        yield f"> {QUOTATIONS[name]}\n>\n> — [abstract]({ABSTRACT})"
    yield (
        f"In our words, as [`tables/claims.yaml`](../../tables/claims.yaml) has it: *"
        f"{escaped(claim.statement)}* This is from section{plural}"
        f" {claim.section} of the paper."
    )
    yield "## What was found"
    controls = _controls(publications, claims, name)
    yield _results_table(publications, [name, *controls], scales)
    and_controls = ", and the controls" * bool(controls)
    shown = f"The paper's relative difference, and ours with 95 % intervals{and_controls}"
    yield f"![{shown}]({name}.png)"
    yield (
        "Differences are left side minus right side, in points of test error or in perplexity, with"
        " 95 % intervals over n seeds. Intervals are not corrected for the number of claims;"
        " verdicts and sizes are. The figure shows differences in percent of the right side."
        + " Controls are claims of our own, which the paper does not have."
        * bool(controls)
    )
    yield "## What was tested"
    yield data_table(publications, claims, name)
    yield (
        "The cells that are compared, with their means over all of their seeds; each side of the"
        " claim is the mean of its cells. The difference above uses only the seeds that all cells"
        " have, and takes a label-trained cell as the mean of all label-trained networks of its"
        " seed, so it can differ from what these means give:"
    )
    yield cells_table(publications, claims, name)
    yield "## What would change the verdict"
    yield "\n".join(
        f"- **`{scale}`**: {what_would_change(publications, scale, name)}" for scale in scales
    )
    yield "## Repeat it"
    yield (
        "These commands train only the runs that the claim needs, with the seeds that were"
        " published, and end with the verdict. Times are those of the published runs on"
        f" {CORES} cores."
    )
    for scale in scales:
        yield _command(publications, scale, name)
    yield (
        "A single claim is corrected as if the other primary claims were not measured, so its"
        " verdict can be more cautious than the one above."
    )
    yield "## The runs behind it"
    for scale in scales:
        yield from _runs(publications, scale, claims, name)


def _results_table(publications: Publications, names: list[str], scales: list[str]) -> str:
    header = ["claim", "scale", "the paper", "ours", "in % of the right side", "n", "verdict; size"]
    rows = []
    for name in names:
        for scale in scales:
            line = line_of(publications.claims(scale), name)
            if pd.isna(line["n"]):
                continue
            title = str(line["title"])
            if name != names[0]:
                title = f"control: {lowered(title)}"
            relative = signed(100 * line["difference"] / line["level"], 1)
            if pd.notna(line["reported_difference"]):
                printed = 100 * line["reported_difference"] / line["reported_level"]
                relative += f" (the paper {signed(printed, 1)})"
            texts = [escaped(title), f"`{scale}`", reported_of(line), difference_of(line)]
            rows.append([*texts, relative, seeds_of(line), verdict_of(line)])
    return markdown_table(header, rows)


def _command(publications: Publications, scale: str, name: str) -> str:
    behind = runs_of_claim(publications, scale, name)
    source = f"{publications.folder.name}/{scale}/scale.json"
    return (
        f"```sh\n# {counted(len(behind.part.runs), 'training run')}, {behind.wall_time}\n"
        f"snakemake --cores {CORES} --configfile {source} \\\n"
        f"    results/{scale}/claims/{name}.txt\n```"
        + _second_runs(scale, len(behind.lines) - len(behind.part.runs))
    )


def _second_runs(scale: str, number: int) -> str:
    """Why the command gives a number other than the published one, where it does."""
    if number <= 0:
        return ""
    return (
        f"\n\nThis command gives a different number: {number} of the runs behind the published one"
        f" train the same network and seed a second time, which `{scale}` has because results of"
        " several machines were pooled. All of them count there."
    )


def _reference(numbers: str) -> str:
    """How many networks a label-trained cell rests on: a number, or one for each network."""
    if numbers == "1":
        return "A label-trained cell is one network for each seed."
    if numbers.isdigit():
        return f"A label-trained cell is the mean of {numbers} networks for each seed."
    return (
        "A label-trained cell is the mean of all label-trained networks of its seed"
        f" ({escaped(numbers)})."
    )


def _runs(publications: Publications, scale: str, claims: Claims, name: str) -> Iterator[str]:
    behind = runs_of_claim(publications, scale, name)
    line = line_of(publications.claims(scale), name)
    yield f"### `{scale}`"
    yield runs_table(behind.lines)
    reference = line["reference"]
    if isinstance(reference, str):
        yield _reference(label_trained_networks(reference))
    yield (
        "<details><summary>Each seed</summary>\n\n"
        + seeds_table(publications, scale, claims, name)
        + "\n\n</details>"
    )
    yield (
        f"[`runs.csv`](../{scale}/runs.csv) lists every run with its checksums, and"
        f" [`cells.csv`](../{scale}/cells.csv) which run is behind which cell."
    )
