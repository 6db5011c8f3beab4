"""What a person can mend."""


class InputError(Exception):
    """A file, key or option the user can mend; the message is one line: what, and the cure."""
