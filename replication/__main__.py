"""The console command ``replication``, same as ``python -m replication``."""

import sys
from pathlib import Path

from replication.runtime.forkserver import OPTION, delegate


def main() -> None:
    """Run the command, in a worker process if ``--worker SOCKET`` precedes it."""
    arguments, status = sys.argv[1:], None
    if arguments[:1] == [OPTION] and len(arguments) > 1:
        _, socket, *arguments = arguments
        status = delegate(Path(socket), arguments)
    if status is None:
        # A command that is delegated need not wait for this import.
        from replication.cli import run_command

        status = run_command(arguments)
    sys.exit(status)


if __name__ == "__main__":
    main()
