"""Exact shrinking ratios."""

import math
from fractions import Fraction

Ratio = int | float | str | Fraction


def scaled(value: int, ratio: Ratio) -> int:
    """`value` times `ratio`, rounded up and at least 1.

    "1/12" and Fraction(1, 12) are exact, and a float is the decimal it prints: 60 × 0.2 is 12.
    """
    return max(1, math.ceil(value * Fraction(str(ratio))))
