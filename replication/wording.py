"""Numbers and lists as sentences, tables and figures show them, and tables in Markdown."""

import math
from collections.abc import Iterable, Sequence


def formatted(value: float, spec: str = ".2f") -> str:
    """Return a number in a format of Python's, with the typographic minus."""
    return format(value, spec).replace("-", "−")


def signed(value: float, decimals: int = 2) -> str:
    """Return a difference with its sign."""
    return formatted(value, f"+.{decimals}f")


def with_interval(value: float, low: float, high: float, decimals: int = 2) -> str:
    """Return a difference with its interval, or alone if it has none; a dash if it is missing."""
    if math.isnan(value):
        return "–"
    if math.isnan(low):
        return signed(value, decimals)
    return f"{signed(value, decimals)} [{signed(low, decimals)}, {signed(high, decimals)}]"


def p_value(p: float) -> str:
    """Return a p-value with two significant digits, or that it is below 0.001."""
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def p_in_words(p: float) -> str:
    """Return ``p = `` and a p-value with two significant digits, or ``p < 0.001``."""
    return f"p {p_value(p)}" if p < 0.001 else f"p = {p_value(p)}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 run``, ``1,030 runs``; ``plural`` if it is not regular."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def seeds_in_words(seeds: float) -> str:
    """Return a number of seeds that would decide a claim: ``about 12``, or that it is too large."""
    return "more than 10,000" if math.isinf(seeds) else f"about {seeds:,.0f}"


def in_words(items: Sequence[str], conjunction: str = "and") -> str:
    """Return a list as a sentence has it: ``a``, ``a and b``, ``a, b and c``; empty for none."""
    *others, last = items or [""]
    return f"{', '.join(others)} {conjunction} {last}" if others else last


def first_of(items: Sequence[str], most: int, separator: str = ", ") -> str:
    """Return at most ``most`` items of a list, and how many more there are: ``a, b and 3 more``."""
    more = len(items) - most
    shown = separator.join(items[:most])
    return f"{shown} and {more} more" if more > 0 else shown


def ranges_in_words(numbers: Sequence[int]) -> str:
    """Return ascending whole numbers, those that follow each other as a range: ``0 to 2 and 5``."""
    starts = [n for n in numbers if n - 1 not in numbers]
    ends = [n for n in numbers if n + 1 not in numbers]
    pairs = zip(starts, ends, strict=True)
    return in_words(
        [str(first) if first == last else f"{first} to {last}" for first, last in pairs]
    )


def lowered(title: str) -> str:
    """Return a title for the middle of a label; names such as BAN keep their capitals."""
    return title if title[:2].isupper() else f"{title[0].lower()}{title[1:]}"


def markdown_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], alignment: Sequence[str] | None = None
) -> str:
    """Return a pipe table.

    ``alignment`` has ``:--`` for each column whose entries are aligned at the left, and ``--:`` at
    the right; by default the reader's program decides.
    """
    lines = [header, alignment or ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escaped(text: str) -> str:
    """Return a text in which Markdown sees no italics, as in the name Ens*2."""
    return text.replace("*", r"\*")
