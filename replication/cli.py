"""The command line ``replication``: its commands by stage, and what an error looks like.

Every command takes the scale that its ``--configfile`` options name.
"""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

import typer

from replication.commands.measure_commands import (
    claim,
    claims,
    collect,
    criteria,
    frames,
    quality,
    scale,
    table,
)
from replication.commands.plan_commands import plan, status
from replication.commands.result_commands import (
    compare,
    derive,
    docs,
    export,
    pool,
    publish,
    summary,
    verify,
)
from replication.commands.study_commands import new, schema
from replication.commands.train_commands import data, train
from replication.errors import EXIT_RESUMABLE, InputError, Interrupted

STAGES: dict[str, tuple[Callable[..., None], ...]] = {
    "Plan": (plan, status, criteria),
    "Train": (data, train),
    "Measure": (scale, table, collect, quality, frames, claims, claim),
    "Results": (summary, verify, compare, publish, derive, pool, docs, export),
    "Your own study": (new, schema),
}
"""The commands by the stage at which one needs them, in the order of the help text."""

app = typer.Typer(
    help="Replicates Born-Again Neural Networks (Furlanello et al., ICML 2018).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for stage, commands in STAGES.items():
    for command in commands:
        app.command(rich_help_panel=stage)(command)


def run_command(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status.

    An error that the user can correct prints one line, or with ``REPLICATION_TRACEBACK=1`` a
    traceback, and returns 1; a run that was stopped and can be resumed returns 75.
    """
    try:
        app(arguments)
    except InputError as error:
        if os.environ.get("REPLICATION_TRACEBACK"):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1
    except Interrupted as stop:
        with suppress(OSError):  # the terminal may be what was closed
            print(stop, file=sys.stderr)
        return EXIT_RESUMABLE
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0
