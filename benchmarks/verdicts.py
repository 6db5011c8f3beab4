"""Writes into docs/appendix/simulations.md how often intervals and verdicts are right.

``python -m benchmarks.verdicts`` simulates errors with known truth, calls the suite's own
intervals, tests and corrections on them, and replaces the tables of the page. It takes a few
minutes.
"""

import re
from pathlib import Path

import numpy as np

from benchmarks.simulated_cells import (
    SEEDS,
    Rows,
    describe_mean,
    describe_share,
    interval_widths,
    simulate_cells,
    simulate_few_seeds,
    simulate_references,
    simulate_units,
)
from benchmarks.simulated_claims import TRUTHS, Study
from replication.analysis.claim_verdicts import AT_LEAST_HALF, BELOW_HALF
from replication.wording import markdown_table

PAGE = Path("docs/appendix/simulations.md")
DRAWS = 5_000
"""Simulations of all claims."""
VERDICTS = ("replicated", "weaker", "small", "contradicted", "undecided")


def simulate_claims(study: Study, draws: int = DRAWS, seed: int = 0) -> tuple[Rows, Rows]:
    """Wrong decisions by kind, and expected decisions, by true effect and number of seeds."""
    generator = np.random.default_rng(seed)
    errors: Rows = []
    decisions: Rows = []
    for truth in TRUTHS:
        effects = study.effects(truth)
        for n in SEEDS:
            tests = study.test(study.draw(n, draws, generator), effects)
            decided = study.decide(*tests)
            wrong = study.wrong(decided, effects)
            alone = study.wrong(study.decide(*tests, corrected=False), effects)
            row: dict[str, object] = {"true effect": truth, "seeds": n}
            errors.append(row)
            for kind, cases in wrong.items():
                row[f"{kind}: primary"] = describe_share(cases[study.is_primary].any(0))
                row[f"{kind}: others"] = describe_share(cases[~study.is_primary].any(0))
            row["direction: uncorrected"] = describe_share(alone["direction"].any(0))
            decisions.append(
                {
                    "true effect": truth,
                    "seeds": n,
                    **{
                        f"`{verdict}`": describe_mean((decided.verdicts == verdict).sum(0))
                        for verdict in VERDICTS
                    },
                    **{
                        f"*{size}*": describe_mean((decided.sizes == size).sum(0))
                        for size in (AT_LEAST_HALF, BELOW_HALF)
                    },
                }
            )
    return errors, decisions


def markdown(rows: Rows) -> str:
    """Rows as a Markdown table."""
    return markdown_table([*rows[0]], [[*map(str, row.values())] for row in rows])


def printed_table(text: str, name: str) -> str:
    """The table of a page between its two comments."""
    (table,) = re.findall(_pattern(name), text, re.S)
    return str(table)


def replace_table(text: str, name: str, table: str) -> str:
    """The text of a page with another table between the two comments of this name."""
    printed_table(text, name)
    pattern = f"(?<=<!-- begin {name} -->\n).*?(?=\n<!-- end {name} -->)"
    return re.sub(pattern, lambda _: table, text, flags=re.S)


def _pattern(name: str) -> str:
    return f"<!-- begin {name} -->\n(.*?)\n<!-- end {name} -->"


def main() -> None:
    """Simulate everything and write the tables into the page."""
    study = Study()
    errors, decisions = simulate_claims(study)
    tables = {
        "widths": interval_widths(),
        "cells": simulate_cells(),
        "few seeds": simulate_few_seeds(study),
        "units": simulate_units(),
        "references": simulate_references(),
        "wrong decisions": errors,
        "decisions": decisions,
    }
    text = PAGE.read_text(encoding="utf-8")
    for name, rows in tables.items():
        text = replace_table(text, name, markdown(rows))
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
