"""The columns of every csv file of a results folder, with unit and meaning, written down once.

``results/<scale>`` and ``published/<scale>`` have the same files. Paths are relative to that
folder. `CsvFile.from_runs` says which files of the runs' folders a csv file is computed from, and
`CsvFile.from_files` which other csv files; a file with nothing in `from_runs` can be derived again
without any run.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "integer", "number", "flag"]
RunFile = Literal["run.json", "history.csv", "predictions.safetensors", "confidence_weights.csv"]


@dataclass(frozen=True)
class Column:
    """One column of a csv file.

    ``unit`` is empty for names and counts. ``may_be_empty`` says whether an entry can be missing.
    """

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    may_be_empty: bool = False


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


def _text(name: str, meaning: str, may_be_empty: bool = False) -> Column:
    return Column(name, "text", meaning, may_be_empty=may_be_empty)


def _integer(name: str, meaning: str, may_be_empty: bool = False) -> Column:
    return Column(name, "integer", meaning, may_be_empty=may_be_empty)


def _number(name: str, unit: str, meaning: str, may_be_empty: bool = True) -> Column:
    return Column(name, "number", meaning, unit, may_be_empty)


METRIC_UNIT = "of the metric"

CELL_COLUMNS = (
    _text("table", "Table of the paper, or of the suite, that the cell belongs to."),
    _text("row", "Row of the table."),
    _text("column", "Column of the table."),
)
SEED_COLUMN = _integer("seed", "Seed of the cell; one line per seed.")
CELL_KEY = ["table", "row", "column"]
CELL_AND_SEED_KEY = [*CELL_KEY, "seed"]

MEASUREMENT_COLUMNS = (
    *CELL_COLUMNS,
    SEED_COLUMN,
    _text("metric", "What was measured, with its unit in brackets where it has one."),
    _number("value", METRIC_UNIT, "The measured value.", may_be_empty=False),
    _text("run", "Run behind the value; the members of an ensemble are separated by `;`."),
)

RUN_COLUMNS = (
    _text("run", "Identifier of the run: the place of its folder below `runs/`, and no more."),
    _text("dataset", "Data set that the network was trained on."),
    _text("network", "Network, by its name in timm or in the suite."),
    _text("objective", "Training objective, such as `label` or `ban`; `given` if only evaluated."),
    _text("variant", "Variant of the scale; empty for the scale's own recipe.", True),
    _integer("generation", "Number of teachers above the run; 0 for a network without teacher."),
    _integer("seed", "Seed of the run."),
    _integer("lineage_seed", "Seed of the cells that the run serves, before any `seed_offset`."),
    _text("teacher", "Run whose predictions this run was trained on.", True),
    _text("root_teacher", "Generation 0 of the lineage; empty for generation 0 itself.", True),
    _text("recipe_hash", "Hash of everything but teacher and seed that determines the result."),
    _number("error", "percent", "Error on the evaluated images; image networks only."),
    _number("validation_perplexity", "per word", "Perplexity on the validation text."),
    _number("test_perplexity", "per word", "Perplexity on the test text."),
    _number("nll", "nats per item", "Negative log-likelihood of a test image's label, or word."),
    _number("train_error", "percent", "Error on the training images during the last epoch."),
    _integer("parameters", "Number of trainable and frozen parameters of the network."),
    _number("seconds", "seconds", "Duration of the training over all attempts."),
    _text("device", "Device that trained the network.", True),
    _text("precision", "Numerical precision of the forward pass."),
    _integer("threads", "Threads of the CPU that the training used.", True),
    _text("python", "Version of Python.", True),
    _text("torch", "Version of PyTorch.", True),
    _text("timm", "Version of timm.", True),
    _text("commit", "Commit of the code that trained the network.", True),
    Column("dirty", "flag", "Whether that code had uncommitted changes.", may_be_empty=True),
    _text("model_sha256", "SHA-256 of `model.safetensors`."),
    _text("predictions_sha256", "SHA-256 of `predictions.safetensors`."),
)

LEVEL_COLUMNS = (
    _number("mean", METRIC_UNIT, "Mean over the seeds."),
    _number("std", METRIC_UNIT, "Standard deviation over the seeds, with n − 1."),
    _number("ci_low", METRIC_UNIT, "Lower end of the mean's 95 % interval."),
    _number("ci_high", METRIC_UNIT, "Upper end of the mean's 95 % interval."),
)
DIFFERENCE_COLUMNS = (
    _number("delta_vs_teacher", METRIC_UNIT, "Mean difference from generation 0, paired by seed."),
    _number("delta_ci_low", METRIC_UNIT, "Lower end of the difference's 95 % interval."),
    _number("delta_ci_high", METRIC_UNIT, "Upper end of the difference's 95 % interval."),
    _number("p_value", "", "Two-sided p-value of the difference, uncorrected."),
)
SPREAD_COLUMN = _text(
    "spread", "What the intervals rest on: `own` spread, `pooled`, or `pooled by kind`.", True
)
LEVELS = [column.name for column in LEVEL_COLUMNS]
DIFFERENCES = [column.name for column in DIFFERENCE_COLUMNS]

CURVE_COLUMNS = (
    _number("train_loss", "nats", "Training loss, as the objective defines it."),
    _number("train_error", "percent", "Error on the training images of the epoch."),
    _number("divergence", "nats per image", "KL(teacher ‖ student) on the training images."),
    _number("ground_truth_share", "share", "Part of BAN's squared gradient on the true class."),
    _number("ban_cosine", "", "Cosine between the objective's gradient and BAN's."),
)


def _curve_range(ending: str, meaning: str) -> tuple[Column, ...]:
    return tuple(
        _number(f"{column.name}{ending}", column.unit, f"{meaning} over the seeds of the above.")
        for column in CURVE_COLUMNS
    )


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
        "quality.csv",
        "Likelihood, calibration and agreement of every image cell and seed.",
        [*CELL_AND_SEED_KEY, "metric"],
        MEASUREMENT_COLUMNS,
        from_runs=("run.json", "predictions.safetensors"),
        from_files=("cells",),
    ),
    "reliability": CsvFile(
        "reliability.csv",
        "Reliability diagram of every image cell and seed; bins without an image are left out.",
        [*CELL_AND_SEED_KEY, "bin"],
        (
            *CELL_COLUMNS,
            SEED_COLUMN,
            _integer("bin", "Number of the confidence bin, from 1 to 15."),
            _integer("count", "Number of test images in the bin."),
            _number("confidence", "probability", "Mean confidence of the bin's images."),
            _number(
                "accuracy", "share", "Share of the bin's images that are classified correctly."
            ),
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
            _text("metric", "What was measured."),
            _number("reported", METRIC_UNIT, "The value that the paper prints."),
            *LEVEL_COLUMNS,
            _integer("n", "Number of seeds."),
            *DIFFERENCE_COLUMNS,
            SPREAD_COLUMN,
            _number("params", "millions", "Parameters of the network."),
            _number("params_reported", "millions", "Parameters that the paper prints."),
            _text("verdict", "Whether the cell is better or worse than its teacher.", True),
            _text("agrees", "Whether this agrees with the paper's difference.", True),
        ),
        from_files=("cells", "runs"),
    ),
    "quality_table": CsvFile(
        "tables/quality.csv",
        "Likelihood, calibration and agreement, summarised over the seeds.",
        [*CELL_KEY, "metric"],
        (
            *CELL_COLUMNS,
            _text("metric", "What was measured."),
            *LEVEL_COLUMNS,
            _integer("n", "Number of seeds."),
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
            _text("claim", "Name of the claim in `claims.yaml`."),
            _text("section", "Section of the paper.", True),
            _text("title", "A few words for figures; the statement of a claim without a title."),
            _text("statement", "What is claimed, on the paper's data sets."),
            _text("tested_on", "The data that it was tested on at this scale."),
            _text("verdict", "What these results say about it."),
            _text(
                "size",
                "Whether the effect is at least half of the paper's; bounds have none.",
                True,
            ),
            _text("reason", "Why the claim is undecided; empty for all others.", True),
            _number(
                "seeds_to_decide", "seeds", "About how many would decide, if there are too few."
            ),
            _text("evidence", "The numbers behind the verdict, in sentences."),
            _text("source", "Where the claim comes from."),
            _text("family", "Primary claim that the claim belongs to; its own name if primary."),
        ),
        from_files=("cells", "quality", "runs"),
    ),
    "claims_power": CsvFile(
        "claims_power.csv",
        "The numbers behind every claim.",
        ["claim"],
        (
            _text("claim", "Name of the claim in `claims.yaml`."),
            _text("family", "Primary claim that the claim belongs to."),
            _text("metric", "Metric of `quality.csv`; empty for error and perplexity.", True),
            _text("expect", "How the two sides are expected to compare."),
            _integer("n", "Number of seeds."),
            _integer("strata", "Independent parts of the comparison; 0 if it is not measured."),
            _text("reference", "Label-trained runs per seed in each reference.", True),
            _number("difference", METRIC_UNIT, "Mean difference, left side minus right side."),
            _number("std", METRIC_UNIT, "Standard deviation of the difference over the seeds."),
            _number("ci_low", METRIC_UNIT, "Lower end of the 95 % interval."),
            _number("ci_high", METRIC_UNIT, "Upper end of the 95 % interval."),
            _number("paired_difference", METRIC_UNIT, "Difference from each run's own teacher."),
            _number("level", METRIC_UNIT, "Mean of the right side."),
            _number(
                "smallest_effect", METRIC_UNIT, "Half of the paper's effect, or the claim's margin."
            ),
            _number("p_direction", "", "P-value that there is a difference, or of a bound."),
            _number("p_small", "", "P-value that the effect is below `smallest_effect`."),
            _number("p_large", "", "P-value that it is above, in the claim's direction."),
            _number("p_direction_corrected", "", "`p_direction` after Holm's correction."),
            _number("p_small_corrected", "", "`p_small` after Holm's correction."),
            _number("p_large_corrected", "", "`p_large` after Holm's correction."),
            _number("reported_difference", METRIC_UNIT, "The difference that the paper prints."),
            _number("reported_level", METRIC_UNIT, "The right side in the paper."),
            _number("fraction", "", "Effect relative to `level`, as a fraction of the paper's."),
            _number("fraction_low", "", "Lower end of its 95 % interval."),
            _number("fraction_high", "", "Upper end of its 95 % interval."),
            _number("assumed_effect", METRIC_UNIT, "The true difference that power assumes."),
            _number("power", "", "Power of the present seeds for this claim alone."),
            _number("power_corrected", "", "The same at the strictest level of the correction."),
            _number("seeds_needed", "seeds", "Seeds for 80 % power for this claim alone."),
            _number("seeds_needed_corrected", "seeds", "The same at the strictest level."),
            _text("single_run_verdict", "What the paper's single runs alone can tell."),
        ),
        from_files=("cells", "quality", "runs"),
    ),
    "claims_items": CsvFile(
        "claims_items.csv",
        "Intervals of the primary claims on images over test items instead of seeds.",
        ["claim"],
        (
            _text("claim", "Name of the claim in `claims.yaml`."),
            _number("items", "", "Number of single test items."),
            _number("paired_difference", "points", "Mean difference from each run's own teacher."),
            _number("item_low", "points", "Lower end of the 95 % interval over items."),
            _number("item_high", "points", "Upper end of the 95 % interval over items."),
        ),
        from_files=("cells",),
        from_correctness=True,
    ),
    "criteria": CsvFile(
        "criteria.csv",
        "Whether the scale is a fair test, by data set and network.",
        ["dataset", "network"],
        (
            _text("dataset", "Data set."),
            _text("network", "Network."),
            _integer("parameters", "Parameters of the network."),
            _number("ratio", "", "Parameters relative to DenseNet-90-60's, with ten classes."),
            _number("paper_ratio", "", "The same at the paper's size."),
            _number("quotient", "", "`ratio` divided by `paper_ratio`."),
            _integer("seeds", "Number of finished label-trained runs."),
            _number("train_error", "percent", "Training error of generation 0."),
            _number("test_error", "percent", "Test error of generation 0."),
            _integer("test_images", "Number of test images."),
            _integer("test_items", "Number of single items that they are made of."),
            _number(
                "divergence", "nats per image", "KL(teacher ‖ student) at the end of training."
            ),
            _number("divergence_change", "share", "Its relative change over the last epochs."),
            _text("capacity", "Whether its relative size is the paper's.", True),
            _text("fit", "Whether generation 0 fits its training images.", True),
            _text("error", "Whether its test error leaves something to gain.", True),
            _text("schedule", "Whether the schedule is long enough for the students.", True),
            _text("reason", "What is wrong with its size, or why it is an exception.", True),
        ),
        from_runs=("run.json", "history.csv"),
        from_files=("runs",),
    ),
    "learning_curves": CsvFile(
        "frames/learning_curves.csv",
        "Training curves of Table 2's runs, averaged over the seeds.",
        ["row", "column", "epoch"],
        (
            _text("row", "Row of Table 2."),
            _text("column", "Column of Table 2."),
            _integer("epoch", "Number of finished epochs."),
            *CURVE_COLUMNS,
            *_curve_range("_low", "Lowest value"),
            *_curve_range("_high", "Highest value"),
        ),
        from_runs=("history.csv",),
        from_files=("cells",),
    ),
    "confidence_weights": CsvFile(
        "frames/confidence_weights.csv",
        "Distribution of CWTM's weights in Table 2, averaged over the seeds.",
        ["row", "percent"],
        (
            _text("row", "Row of Table 2."),
            _integer("percent", "Percentile, from 0 to 100."),
            _number("max", "", "Weight by the teacher's largest probability, times batch size."),
            _number("true_class", "", "Weight by that of the true class, times batch size."),
        ),
        from_runs=("confidence_weights.csv",),
        from_files=("cells",),
    ),
    "class_similarity": CsvFile(
        "frames/class_similarity.csv",
        "Mean probability of every class by predicted class; one further column per class.",
        ["treatment", "argmax"],
        (
            _integer("argmax", "Class that the teacher predicts."),
            _text("treatment", "`ban` as predicted, `dkpp` with permuted probabilities."),
        ),
        more_columns=True,
        from_runs=("predictions.safetensors",),
        from_files=("cells",),
    ),
}
