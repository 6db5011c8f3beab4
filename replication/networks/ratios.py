"""Exact shrinking ratios."""

from __future__ import annotations

import math
from fractions import Fraction

Ratio = int | float | str | Fraction


def scaled(value: int, ratio: Ratio) -> int:
    """`value` times `ratio`, rounded up and at least 1; "1/12" and Fraction(1, 12) are exact."""
    return max(1, math.ceil(value * Fraction(ratio)))
