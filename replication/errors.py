"""What a person can mend."""


class InputError(Exception):
    """A file, key or option the user can mend; the message is one line: what, and the hint.

    What it quotes of other libraries, files and command lines cannot break the line, nor command
    the terminal.
    """

    def __str__(self) -> str:
        line = " ".join(part for part in super().__str__().splitlines() if part.strip())
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
