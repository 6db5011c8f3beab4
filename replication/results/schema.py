"""The columns of every csv file of a results folder, with unit and meaning, written down once.

``results/<scale>`` and ``published/<scale>`` have the same files. Paths are relative to that
folder. `CsvFile.from_runs` says which files of the runs' folders a csv file is computed from, and
`CsvFile.from_files` which other csv files; a file with nothing in `from_runs` can be derived again
without any run.
"""

from dataclasses import dataclass
from typing import Literal

from replication.results.csv_columns import (
    CELL_AND_SEED_KEY,
    CELL_COLUMNS,
    CELL_KEY,
    CURVE_COLUMNS,
    DIFFERENCE_COLUMNS,
    LEVEL_COLUMNS,
    MEASUREMENT_COLUMNS,
    METRIC_UNIT,
    RUN_COLUMNS,
    SEED_COLUMN,
    SPREAD_COLUMN,
    Column,
    curve_range,
    integer,
    number,
    text,
)

RunFile = Literal["run.json", "history.csv", "predictions.safetensors", "confidence_weights.csv"]


@dataclass(frozen=True)
class CsvFile:
    """One csv file, or one per table where ``path`` contains ``{table}``.

    ``key`` names the columns that together identify a line. With ``more_columns`` further columns
    of numbers may follow, such as one per class. ``from_correctness`` says whether the file also
    needs ``correct.safetensors``.
    """

    path: str
    meaning: str
    key: list[str]
    columns: tuple[Column, ...]
    more_columns: bool = False
    from_runs: tuple[RunFile, ...] = ()
    from_files: tuple[str, ...] = ()
    from_correctness: bool = False

    @property
    def names(self) -> list[str]:
        """The names of the columns, in the order of the file."""
        return [column.name for column in self.columns]


CSV_FILES: dict[str, CsvFile] = {
    "runs": CsvFile(
        "runs.csv",
        "One line per training run: what it is, its result, and what made it.",
        ["run"],
        RUN_COLUMNS,
        from_runs=("run.json", "history.csv", "predictions.safetensors"),
    ),
    "cells": CsvFile(
        "cells.csv",
        "Every cell of every table and every seed, with the run behind it.",
        CELL_AND_SEED_KEY,
        MEASUREMENT_COLUMNS,
        from_runs=("run.json", "predictions.safetensors"),
    ),
    "table_cells": CsvFile(
        "cells/{table}.csv",
        "The lines of one table in `cells.csv`.",
        CELL_AND_SEED_KEY,
        MEASUREMENT_COLUMNS,
        from_runs=("run.json", "predictions.safetensors"),
    ),
    "table_runs": CsvFile(
        "cells/{table}.runs.csv",
        "The lines of `runs.csv` for the runs of one table and their teachers.",
        ["run"],
        RUN_COLUMNS,
        from_runs=("run.json", "history.csv", "predictions.safetensors"),
    ),
    "quality": CsvFile(
        "quality.csv.gz",
        "Likelihood, calibration and agreement of every image cell and seed.",
        [*CELL_AND_SEED_KEY, "metric"],
        MEASUREMENT_COLUMNS,
        from_runs=("run.json", "predictions.safetensors"),
        from_files=("cells",),
    ),
    "reliability": CsvFile(
        "reliability.csv.gz",
        "Reliability diagram of every image cell and seed; bins without an image are left out.",
        [*CELL_AND_SEED_KEY, "bin"],
        (
            *CELL_COLUMNS,
            SEED_COLUMN,
            integer("bin", "Number of the confidence bin, from 1 to 15."),
            integer("count", "Number of test images in the bin."),
            number("confidence", "probability", "Mean confidence of the bin's images."),
            number("accuracy", "share", "Share of the bin's images that are classified correctly."),
        ),
        from_runs=("predictions.safetensors",),
        from_files=("cells",),
    ),
    "table": CsvFile(
        "tables/{table}.csv",
        "One table: a line per cell with its statistics over the seeds.",
        CELL_KEY,
        (
            *CELL_COLUMNS,
            text("metric", "What was measured."),
            number("reported", METRIC_UNIT, "The value that the paper prints."),
            *LEVEL_COLUMNS,
            integer("n", "Number of seeds."),
            *DIFFERENCE_COLUMNS,
            SPREAD_COLUMN,
            number("params", "millions", "Parameters of the network."),
            number("params_reported", "millions", "Parameters that the paper prints."),
            text("verdict", "Whether the cell is better or worse than its teacher.", True),
            text("agrees", "Whether this agrees with the paper's difference.", True),
        ),
        from_files=("cells", "runs"),
    ),
    "quality_table": CsvFile(
        "tables/quality.csv",
        "Likelihood, calibration and agreement, summarised over the seeds.",
        [*CELL_KEY, "metric"],
        (
            *CELL_COLUMNS,
            text("metric", "What was measured."),
            *LEVEL_COLUMNS,
            integer("n", "Number of seeds."),
            *DIFFERENCE_COLUMNS,
            SPREAD_COLUMN,
        ),
        from_files=("quality", "runs"),
    ),
    "claims": CsvFile(
        "claims.csv",
        "The claims of the paper and of the suite, each with its verdict and the evidence.",
        ["claim"],
        (
            text("claim", "Name of the claim in `claims.yaml`."),
            text("section", "Section of the paper.", True),
            text("title", "A few words for figures; the statement of a claim without a title."),
            text("statement", "What is claimed, on the paper's data sets."),
            text("tested_on", "The data that it was tested on at this scale."),
            text("verdict", "What these results say about it."),
            text(
                "size",
                "Whether the effect is at least half of the paper's; bounds have none.",
                True,
            ),
            text("reason", "Why the claim is undecided; empty for all others.", True),
            number(
                "seeds_to_decide", "seeds", "About how many would decide, if there are too few."
            ),
            text("evidence", "The numbers behind the verdict, in sentences."),
            text("source", "Where the claim comes from."),
            text("family", "Primary claim that the claim belongs to; its own name if primary."),
        ),
        from_files=("cells", "quality", "runs"),
    ),
    "claims_power": CsvFile(
        "claims_power.csv",
        "The numbers behind every claim.",
        ["claim"],
        (
            text("claim", "Name of the claim in `claims.yaml`."),
            text("family", "Primary claim that the claim belongs to."),
            text("metric", "Metric of `quality.csv.gz`; empty for error and perplexity.", True),
            text("expect", "How the two sides are expected to compare."),
            integer("n", "Number of seeds."),
            integer("strata", "Independent parts of the comparison; 0 if it is not measured."),
            text("reference", "Label-trained runs per seed in each reference.", True),
            number("difference", METRIC_UNIT, "Mean difference, left side minus right side."),
            number("std", METRIC_UNIT, "Standard deviation of the difference over the seeds."),
            number("ci_low", METRIC_UNIT, "Lower end of the 95 % interval."),
            number("ci_high", METRIC_UNIT, "Upper end of the 95 % interval."),
            number("paired_difference", METRIC_UNIT, "Difference from each run's own teacher."),
            number("level", METRIC_UNIT, "Mean of the right side."),
            number(
                "smallest_effect", METRIC_UNIT, "Half of the paper's effect, or the claim's margin."
            ),
            number("p_direction", "", "P-value that there is a difference, or of a bound."),
            number("p_small", "", "P-value that the effect is below `smallest_effect`."),
            number("p_large", "", "P-value that it is above, in the claim's direction."),
            number("p_direction_corrected", "", "`p_direction` after Holm's correction."),
            number("p_small_corrected", "", "`p_small` after Holm's correction."),
            number("p_large_corrected", "", "`p_large` after Holm's correction."),
            number("reported_difference", METRIC_UNIT, "The difference that the paper prints."),
            number("reported_level", METRIC_UNIT, "The right side in the paper."),
            number("fraction", "", "Effect relative to `level`, as a fraction of the paper's."),
            number("fraction_low", "", "Lower end of its 95 % interval."),
            number("fraction_high", "", "Upper end of its 95 % interval."),
            number("assumed_effect", METRIC_UNIT, "The true difference that power assumes."),
            number("power", "", "Power of the present seeds for this claim alone."),
            number("power_corrected", "", "The same at the strictest level of the correction."),
            number("seeds_needed", "seeds", "Seeds for 80 % power for this claim alone."),
            number("seeds_needed_corrected", "seeds", "The same at the strictest level."),
            text("single_run_verdict", "What the paper's single runs alone can tell."),
        ),
        from_files=("cells", "quality", "runs"),
    ),
    "claims_items": CsvFile(
        "claims_items.csv",
        "Intervals of the primary claims on images over test items instead of seeds.",
        ["claim"],
        (
            text("claim", "Name of the claim in `claims.yaml`."),
            number("items", "", "Number of single test items."),
            number("paired_difference", "points", "Mean difference from each run's own teacher."),
            number("item_low", "points", "Lower end of the 95 % interval over items."),
            number("item_high", "points", "Upper end of the 95 % interval over items."),
        ),
        from_files=("cells",),
        from_correctness=True,
    ),
    "criteria": CsvFile(
        "criteria.csv",
        "Whether the scale is a fair test, by data set and network.",
        ["dataset", "network"],
        (
            text("dataset", "Data set."),
            text("network", "Network."),
            integer("parameters", "Parameters of the network."),
            number("ratio", "", "Parameters relative to DenseNet-90-60's, with ten classes."),
            number("paper_ratio", "", "The same at the paper's size."),
            number("quotient", "", "`ratio` divided by `paper_ratio`."),
            integer("seeds", "Number of finished label-trained runs."),
            number("train_error", "percent", "Training error of generation 0."),
            number("test_error", "percent", "Test error of generation 0."),
            integer("test_images", "Number of test images."),
            integer("test_items", "Number of single items that they are made of."),
            number("divergence", "nats per image", "KL(teacher ‖ student) at the end of training."),
            number("divergence_change", "share", "Its relative change over the last epochs."),
            text("capacity", "Whether its relative size is the paper's.", True),
            text("fit", "Whether generation 0 fits its training images.", True),
            text("error", "Whether its test error leaves something to gain.", True),
            text("schedule", "Whether the schedule is long enough for the students.", True),
            text("reason", "What is wrong with its size, or why it is an exception.", True),
        ),
        from_runs=("run.json", "history.csv"),
        from_files=("runs",),
    ),
    "learning_curves": CsvFile(
        "frames/learning_curves.csv",
        "Training curves of Table 2's runs, averaged over the seeds.",
        ["row", "column", "epoch"],
        (
            text("row", "Row of Table 2."),
            text("column", "Column of Table 2."),
            integer("epoch", "Number of finished epochs."),
            *CURVE_COLUMNS,
            *curve_range("_low", "Lowest value"),
            *curve_range("_high", "Highest value"),
        ),
        from_runs=("history.csv",),
        from_files=("cells",),
    ),
    "confidence_weights": CsvFile(
        "frames/confidence_weights.csv",
        "Distribution of CWTM's weights in Table 2, averaged over the seeds.",
        ["row", "percent"],
        (
            text("row", "Row of Table 2."),
            integer("percent", "Percentile, from 0 to 100."),
            number("max", "", "Weight by the teacher's largest probability, times batch size."),
            number("true_class", "", "Weight by that of the true class, times batch size."),
        ),
        from_runs=("confidence_weights.csv",),
        from_files=("cells",),
    ),
    "class_similarity": CsvFile(
        "frames/class_similarity.csv",
        "Mean probability of every class by predicted class; one further column per class.",
        ["treatment", "argmax"],
        (
            integer("argmax", "Class that the teacher predicts."),
            text("treatment", "`ban` as predicted, `dkpp` with permuted probabilities."),
        ),
        more_columns=True,
        from_runs=("predictions.safetensors",),
        from_files=("cells",),
    ),
}
