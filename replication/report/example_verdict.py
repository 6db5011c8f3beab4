"""One claim followed from the paper's numbers to its verdict, for the page on reading verdicts."""

from replication.report.primary_claims import evidence_scales
from replication.report.published_results import (
    TESTED_ON,
    Publications,
    difference_of,
    line_of,
    seeds_of,
    verdict_of,
)
from replication.wording import markdown_table, signed

EXAMPLE = "ban-all"
"""The claim that is followed: BAN students against label-trained networks."""


def example_verdict(publications: Publications) -> str:
    """Return the steps from the printed numbers to the verdict, each with its number."""
    measured = publications.scales_of(EXAMPLE)
    scale = next(scale for scale in evidence_scales(publications) if scale in measured)
    line = line_of(publications.claims(scale), EXAMPLE)
    printed, printed_level = line["reported_difference"], line["reported_level"]
    relative = printed / printed_level
    p_values = [line[f"p_{name}_corrected"] for name in ("direction", "small", "large")]
    is_different, is_below, is_above = (_compared(p) for p in p_values)
    rows = [
        (
            "What the paper prints",
            f"{signed(printed)} points, as {printed_level:.2f} % are wrong after label training:"
            f" {_percent(relative)} of the error",
        ),
        ("What it was tested on", f"{TESTED_ON[scale]}, {seeds_of(line)} seeds"),
        ("Our error after label training, *L*", f"{line['level']:.2f} %"),
        ("Our difference with its 95 % interval", f"{difference_of(line)} points"),
        ("In proportion", f"{_percent(line['difference'] / line['level'])} of the error"),
        (
            "The margin *h*, half of the paper's effect at our error",
            f"{abs(relative):.4f} / 2 · {line['level']:.2f} = {line['smallest_effect']:.2f} points",
        ),
        ("Is there a difference? *p*, corrected", is_different),
        ("Is it smaller than the margin? *p*, corrected", is_below),
        ("Is it larger than the margin? *p*, corrected", is_above),
        ("Verdict and size", verdict_of(line)),
    ]
    return markdown_table(["step", "number"], rows)


def _percent(share: float) -> str:
    return f"{signed(100 * share, 1)} %"


def _compared(p: float) -> str:
    """A p-value and which side of 5 % it is on."""
    shown = "below 0.001" if p < 0.001 else f"{p:.3f}"
    return f"{shown}: {'yes' if p < 0.05 else 'not shown'}"
