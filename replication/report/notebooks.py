"""The notebooks as data: the files that each reads, and the figures that it saves.

Snakemake's rules read this, so it imports nothing heavy.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Notebook:
    """A notebook, its files below ``results/<scale>``, and a caption for each of its figures."""

    inputs: tuple[str, ...]
    """Files it reads; `{table}` is every table of the scale."""
    tables: tuple[str, ...] = ()
    """Tables without which it cannot run."""
    figures: dict[str, str] = field(default_factory=dict)


NOTEBOOKS = {
    "tables": Notebook(inputs=("tables/{table}.html", "tables/{table}.csv")),
    "figures": Notebook(
        inputs=("tables/{table}.csv", "cells.csv"),
        tables=("table1", "table2", "table3", "table4", "table5", "table6"),
        figures={
            "sweeps": "Teacher and BAN over the number of parameters (tables 1 and 3).",
            "generations": "The sequence of generations with its ensembles (table 2).",
            "treatments": "BAN, BAN+L, CWTM and DKPP: difference to the teacher (table 2).",
            "cross_architecture": "Students of another architecture (tables 3, 4 and 5).",
            "agreement": "Reported and measured difference to the teacher over all cells.",
        },
    ),
    "dark_knowledge": Notebook(
        inputs=("cells.csv",),
        tables=("table2",),
        figures={
            "gradient_shares": "Shares of the two terms of the gradient over training.",
            "confidence_weights": "Distribution of the weights of CWTM and of equation 9.",
            "gradient_cosine": "Cosine of each treatment's gradient to BAN's over training.",
            "similarity_structure": "Teacher's mean probability of each class, plain and permuted.",
        },
    ),
    "claims": Notebook(
        inputs=("claims.csv", "claims_power.csv"),
        figures={"claims": "Each claim's difference next to the paper's, in percent."},
    ),
}
