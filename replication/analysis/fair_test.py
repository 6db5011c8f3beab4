"""The criteria of a fair test: thresholds, sentences, and whether a measured number meets them.

A result at a small scale says something about the paper only where the paper's premises hold. This
module imports nothing heavy, because the summary of a sweep reads it.
"""

import math
from dataclasses import dataclass

MET, NOT_MET, EXCEPTION = "met", "not met", "exception"
"""What ``criteria.csv`` says about a criterion; empty where nothing is measured yet."""


@dataclass(frozen=True)
class Criterion:
    """One premise of a fair test.

    Attributes:
        name: its column in ``criteria.csv``.
        thresholds: the numbers that decide whether it is met.
        template: when it is met, with a place for each threshold.
        short_template: the same in a few words, with places for some of the thresholds.
        reason: why a result says little about the paper where the criterion is not met.
        needs: what has to be trained for it to be measured.
    """

    name: str
    thresholds: tuple[float, ...]
    template: str
    short_template: str
    reason: str
    needs: str

    @property
    def sentence(self) -> str:
        """When the criterion is met, with its thresholds."""
        return self.template.format(*self.thresholds)

    @property
    def in_short(self) -> str:
        """The same in a few words."""
        return self.short_template.format(*self.thresholds)


CAPACITY = Criterion(
    "capacity",
    (2, 1.25),
    "a network has at least 1/{0:g} and at most {0:g} times the paper’s ratio of parameters to"
    " those of DenseNet-90-60, both with ten classes, and two networks are in the paper’s order"
    " where their sizes in the paper differ by more than {1:g} times",
    "sizes of networks in the paper's proportions",
    "the claims are about small and large networks",
    "networks of the paper",
)
FIT = Criterion(
    "fit",
    (1,),
    "generation 0 has an error of less than {0:g} % on its training images in the last epoch",
    "training error below {0:g} %",
    "the paper’s teachers fit their training images; an underfitted student can be worse than"
    " its teacher because it is underfitted",
    "a network that is trained on labels",
)
ROOM = Criterion(
    "error",
    (8, 80),
    "generation 0 has a test error of at least {0:g} %, and of at most {1:g} % of that of guessing,"
    " whose error is (C − 1)/C for C classes",
    "test error of at least {0:g} %, and at most {1:g} % of that of guessing",
    "below that, there is little to gain; above it, the labels are hardly learnt",
    "a network that is trained on labels",
)
SCHEDULE = Criterion(
    "schedule",
    (10,),
    "the divergence of BAN’s students from their teachers (nats per training image) changes by less"
    " than {0:g} % from the second-to-last tenth of the epochs to the last tenth (of at least two"
    " epochs each)",
    "students that change by less than {0:g} % at the end of their training",
    "a student needs longer than its teacher; single epochs differ too much to be compared",
    "a student that is trained by BAN",
)
FAIR_TEST = (CAPACITY, FIT, ROOM, SCHEDULE)
"""The criteria in the order of the columns of ``criteria.csv``."""


def is_within_factor(quotient: float) -> bool:
    """Whether a network's size, relative to the paper's, is within the factor of the criterion."""
    factor, _ = CAPACITY.thresholds
    return 1 / factor <= quotient <= factor


def judge_fit(train_error: float) -> str | None:
    """Whether generation 0 fits its training images, by its error on them in percent."""
    (limit,) = FIT.thresholds
    return _judge(train_error, train_error < limit)


def judge_error(test_error: float, classes: int) -> str | None:
    """Whether a test error in percent leaves something to gain and is far below guessing.

    Guessing one of C balanced classes has an error of (C − 1)/C.
    """
    lowest, percent_of_guessing = ROOM.thresholds
    guessing = 100 * (classes - 1) / classes
    return _judge(test_error, lowest <= test_error <= percent_of_guessing / 100 * guessing)


def judge_schedule(divergence_change: float) -> str | None:
    """Whether students no longer change, by the relative change of their divergence."""
    (percent,) = SCHEDULE.thresholds
    return _judge(divergence_change, abs(divergence_change) < percent / 100)


def _judge(value: float, met: bool) -> str | None:
    """The word for ``criteria.csv``; None where the value is missing (NaN)."""
    return None if math.isnan(value) else MET if met else NOT_MET
