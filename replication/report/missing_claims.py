"""Primary claims that an unfinished scale cannot decide yet, and how many seeds would do."""

from replication.config.paper_claims import read_claims
from replication.config.paper_tables import TABLES
from replication.config.scale import OWN_SCALES, Scale, check_scale, read_config
from replication.report.primary_claims import CLAIM_WORDS, CONTROL, EVIDENCE, claim_title
from replication.report.published_results import Publications, line_of, seeds_of
from replication.wording import markdown_table

FEWEST_SEEDS = 2
"""An interval needs at least this many seeds."""


def missing_claims(publications: Publications) -> str:
    """Return a row for each primary claim that a scale of `EVIDENCE` has no interval for.

    The seeds that would decide it come from the power at another of these scales, because its own
    spread is not known yet. Effect and spread are there in proportion to the error.

    Raises:
        InputError: a csv file, or the scale's own file, is missing or damaged.
    """
    header = ["claim", "scale", "seeds so far", "seeds planned", "seeds that would decide it"]
    rows = []
    for scale in EVIDENCE:
        if not (planned := planned_scale(publications, scale)) or scale not in publications.scales:
            continue
        claims = publications.claims(scale)
        for claim in [*CLAIM_WORDS]:
            line = line_of(claims, claim)
            if claim == CONTROL or line["n"] >= FEWEST_SEEDS:
                continue
            needed = _seeds_elsewhere(publications, scale, claim)
            rows.append(
                [
                    claim_title(claim),
                    f"`{scale}`",
                    seeds_of(line),
                    str(_planned_seeds(planned, claim)),
                    needed,
                ]
            )
    if not rows:
        return "Every primary claim has an interval at these scales."
    return markdown_table(header, rows)


def planned_scale(publications: Publications, scale: str) -> Scale | None:
    """Return a published scale as its file in ``config`` has it, or None if there is no file."""
    file = publications.folder.parent / OWN_SCALES / f"{scale}.yaml"
    return check_scale(read_config([file]), str(file)) if file.is_file() else None


def _planned_seeds(planned: Scale, claim: str) -> int:
    """The seeds that all cells of a claim are planned with."""
    cells = read_claims(TABLES).file.claims[claim].contrast()
    return min(len(planned.seeds_of(table, row)) for table, row, _ in cells)


def _seeds_elsewhere(publications: Publications, scale: str, claim: str) -> str:
    """The seeds that decide a direction with a chance of 80 % at another scale, with its name."""
    for other in EVIDENCE:
        if other == scale or other not in publications.scales:
            continue
        line = line_of(publications.claims(other), claim)
        if line["n"] >= FEWEST_SEEDS and line["seeds_needed_corrected"] > 0:
            return f"{line['seeds_needed_corrected']:,.0f}, with the spread of `{other}`"
    return "–"
