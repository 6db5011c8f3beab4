"""The notebooks as data: the tables that each needs, and the figures that it saves.

Snakemake's rules read this, so it imports nothing heavy.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

NOTEBOOKS_FOLDER = Path("notebooks")
"""The folder of the notebooks as they are written, in the suite."""
NOTEBOOK_FRAMES = ("learning_curves", "confidence_weights", "class_similarity")


@dataclass(frozen=True)
class Notebook:
    """A notebook: the tables and frames without which it cannot run, its figures' captions."""

    tables: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    figures: dict[str, str] = field(default_factory=dict)


NOTEBOOKS = {
    "tables": Notebook(),
    "figures": Notebook(
        tables=("table1", "table2", "table3", "table4", "table5", "table6"),
        figures={
            "sweeps": "Teacher and BAN against the number of parameters (Tables 1 and 3).",
            "generations": "The sequence of generations with its ensembles (Table 2).",
            "treatments": "BAN, BAN+L, CWTM and DKPP: difference from the teacher (Table 2).",
            "cross_architecture": "Students of another architecture (Tables 3, 4 and 5).",
            "agreement": "Reported and measured difference from the teacher in all cells.",
        },
    ),
    "dark_knowledge": Notebook(
        tables=("table2",),
        frames=NOTEBOOK_FRAMES,
        figures={
            "gradient_shares": "The two terms of q − p, student minus teacher, over training.",
            "confidence_weights": "Weights of CWTM and of equation 9 on training images.",
            "gradient_cosine": "Cosine between each treatment's gradient and BAN's over training.",
            "similarity_structure": "Teacher's mean probability of each class, plain and permuted.",
        },
    ),
    "calibration": Notebook(
        tables=("table2",),
        figures={
            "reliability": "Accuracy against confidence: teacher, students, ensembles (Table 2).",
            "quality_differences": "NLL, Brier score, ECE: difference from the teacher (Table 2).",
        },
    ),
    "claims": Notebook(
        figures={"claims": "Each claim's difference next to the paper's, in percent."},
    ),
}


def shown_notebooks(tables: Collection[str]) -> dict[str, Notebook]:
    """The notebooks that can be shown with these tables, by name."""
    return {name: spec for name, spec in NOTEBOOKS.items() if {*spec.tables} <= {*tables}}
