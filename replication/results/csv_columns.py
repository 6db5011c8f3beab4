"""The columns that csv files of a results folder share, with unit and meaning."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "integer", "number", "flag"]


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


def text(name: str, meaning: str, may_be_empty: bool = False) -> Column:
    """A column of names or sentences."""
    return Column(name, "text", meaning, may_be_empty=may_be_empty)


def integer(name: str, meaning: str, may_be_empty: bool = False) -> Column:
    """A column of counts or seeds."""
    return Column(name, "integer", meaning, may_be_empty=may_be_empty)


def number(name: str, unit: str, meaning: str, may_be_empty: bool = True) -> Column:
    """A column of measured numbers; one that does not exist is empty."""
    return Column(name, "number", meaning, unit, may_be_empty)


METRIC_UNIT = "of the metric"

CELL_COLUMNS = (
    text("table", "Table of the paper, or of the suite, that the cell belongs to."),
    text("row", "Row of the table."),
    text("column", "Column of the table."),
)
SEED_COLUMN = integer("seed", "Seed of the cell; one line per seed.")
CELL_KEY = ["table", "row", "column"]
CELL_AND_SEED_KEY = [*CELL_KEY, "seed"]

MEASUREMENT_COLUMNS = (
    *CELL_COLUMNS,
    SEED_COLUMN,
    text("metric", "What was measured, with its unit in brackets where it has one."),
    number("value", METRIC_UNIT, "The measured value.", may_be_empty=False),
    text("run", "Run behind the value; the members of an ensemble are separated by `;`."),
)

RUN_COLUMNS = (
    text(
        "run",
        "Identifier of the run: the place of its folder below `runs/`. Read nothing else from it.",
    ),
    text("dataset", "Data set that the network was trained on."),
    text("network", "Network, by its name in timm or in the suite."),
    text("objective", "Training objective, such as `label` or `ban`; `given` if only evaluated."),
    text("variant", "Variant of the scale; empty for the scale's own recipe.", True),
    integer("generation", "Number of teachers above the run; 0 for a network without a teacher."),
    integer("seed", "Seed of the run."),
    integer("lineage_seed", "Seed of the cells that the run serves, before any `seed_offset`."),
    text("teacher", "Run whose predictions this run was trained on.", True),
    text("root_teacher", "Generation 0 of the lineage; empty for generation 0 itself.", True),
    text("recipe_hash", "Hash of everything but teacher and seed that determines the result."),
    number("error", "percent", "Error on the evaluated images; image networks only."),
    number("validation_perplexity", "per word", "Perplexity on the validation text."),
    number("test_perplexity", "per word", "Perplexity on the test text."),
    number("nll", "nats per item", "Negative log-likelihood of a test image's label, or word."),
    number("train_error", "percent", "Error on the training images during the last epoch."),
    integer("parameters", "Number of trainable and frozen parameters of the network."),
    number("seconds", "seconds", "Duration of the training over all attempts."),
    text("device", "Device that trained the network.", True),
    text("precision", "Numerical precision of the forward pass."),
    integer("threads", "Threads of the CPU that the training used.", True),
    text("python", "Version of Python.", True),
    text("torch", "Version of PyTorch.", True),
    text("timm", "Version of timm.", True),
    text("commit", "Commit of the code that trained the network.", True),
    Column("dirty", "flag", "Whether that code had uncommitted changes.", may_be_empty=True),
    text("model_sha256", "SHA-256 of `model.safetensors`."),
    text("predictions_sha256", "SHA-256 of `predictions.safetensors`."),
)

LEVEL_COLUMNS = (
    number("mean", METRIC_UNIT, "Mean over the seeds."),
    number("std", METRIC_UNIT, "Standard deviation over the seeds, with n − 1."),
    number("ci_low", METRIC_UNIT, "Lower end of the mean's 95 % interval."),
    number("ci_high", METRIC_UNIT, "Upper end of the mean's 95 % interval."),
)
DIFFERENCE_COLUMNS = (
    number("delta_vs_teacher", METRIC_UNIT, "Mean difference from generation 0, paired by seed."),
    number("delta_ci_low", METRIC_UNIT, "Lower end of the difference's 95 % interval."),
    number("delta_ci_high", METRIC_UNIT, "Upper end of the difference's 95 % interval."),
    number("p_value", "", "Two-sided p-value of the difference, uncorrected."),
)
SPREAD_COLUMN = text(
    "spread", "What the intervals rest on: `own` spread, `pooled`, or `pooled by kind`.", True
)
LEVELS = [column.name for column in LEVEL_COLUMNS]
DIFFERENCES = [column.name for column in DIFFERENCE_COLUMNS]

CURVE_COLUMNS = (
    number("train_loss", "nats", "Training loss, as the objective defines it."),
    number("train_error", "percent", "Error on the training images of the epoch."),
    number("divergence", "nats per image", "KL(teacher ‖ student) on the training images."),
    number("ground_truth_share", "share", "Part of BAN's squared gradient on the true class."),
    number("ban_cosine", "", "Cosine between the objective's gradient and BAN's."),
)


def curve_range(ending: str, meaning: str) -> tuple[Column, ...]:
    """The columns of the lowest, or highest, values of `CURVE_COLUMNS` over the seeds."""
    return tuple(
        number(
            f"{column.name}{ending}", column.unit, f"{meaning} of `{column.name}` over the seeds."
        )
        for column in CURVE_COLUMNS
    )
