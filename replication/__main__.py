"""The console command ``replication``, same as ``python -m replication``."""

import sys

from replication.runtime import forkserver


def main() -> None:
    """Run the command, by the process that stands by for training where there is one."""
    arguments = sys.argv[1:]
    status = forkserver.delegate(arguments) if arguments[:1] == ["train"] else None
    if status is None:
        # Whoever delegates need not wait for this import: a tenth of a small run's time.
        from replication.cli import run_command

        status = run_command(arguments)
    sys.exit(status)


if __name__ == "__main__":
    main()
