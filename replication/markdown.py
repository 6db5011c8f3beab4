"""Tables and names in Markdown."""

from collections.abc import Iterable, Sequence


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
