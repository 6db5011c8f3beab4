"""The error that users see as one line."""


class InputError(Exception):
    """A file, key or option that the user can correct; the message is one line: what, and the fix.

    Text quoted from other libraries, files and command lines cannot break the line or send control
    sequences to the terminal.
    """

    def __str__(self) -> str:
        line = " ".join(part for part in super().__str__().splitlines() if part.strip())
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
