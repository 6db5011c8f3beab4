"""The commands of ``replication`` on finished results."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from replication.config.scale import DEFAULT
from replication.errors import InputError
from replication.files import write_text
from replication.plan.plan import RESULTS, Plan

if TYPE_CHECKING:
    from replication.analysis.compare import Comparison

PUBLISHED = Path("published")
ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option("--configfile", help=f"Scale file, repeatable; the last wins. [{DEFAULT}]"),
]
Results = Annotated[Path, typer.Option("--results", help="Folder of all scales' results.")]


def verify(
    results: Annotated[Path, typer.Argument(help="results/<scale> or published/<scale>.")],
    configfile: ConfigFiles = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Run the trained networks on the data again, too.")
    ] = False,
    sample: Annotated[
        float, typer.Option(min=1e-6, max=1, help="Share of runs for --deep, drawn at random.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Draws the same runs of --sample again.")] = 0,
) -> None:
    """Check results: every file, lineage and number against those that it follows from.

    The scale is the one that the results were built with, or that of --configfile. Names each file
    as recomputed, or as checked against its checksum only; prints a line for each inconsistency,
    and fails if there is one.
    """
    from replication.verify.verification import verify as verify_results

    findings = verify_results(
        results, configfiles=configfile or (), deep=sample if deep else 0, seed=seed
    )
    for problem in findings.problems:
        print(f"wrong: {problem}", file=sys.stderr)
    for remark in findings.remarks:
        print(f"note: {remark}")
    for check, names in findings.files_by_check().items():
        print(f"{check}: {names}")
    drawn = f", drawn with seed {seed}" if deep and sample < 1 else ""
    print(f"{results}: {findings.counted}{drawn}")
    if findings.problems:
        raise InputError(f"{results}: {len(findings.problems)} inconsistencies, listed above")


def derive(
    results: Annotated[Path, typer.Argument(help="results/<scale> or published/<scale>.")],
    notebooks: Annotated[
        bool, typer.Option(help="Execute the notebooks, which draws the figures.")
    ] = True,
) -> None:
    """Write again all that follows from the csv files: tables, claims, criteria, pages, figures.

    Needs no run folders. The checksums of a publication are renewed.
    """
    from replication.publication.derive import derive as derive_results

    changed = derive_results(results, notebooks=notebooks)
    for file in changed:
        print(file)
    print(f"{results}: {len(changed)} files have changed")


def pool(
    folders: Annotated[
        list[Path], typer.Argument(help="Results or publications of one recipe, two or more.")
    ],
    scale: Annotated[str, typer.Option(help="Name of the pooled scale.")],
    to: Annotated[Path | None, typer.Option(help="Folder. [published/<scale>]")] = None,
    prefer: Annotated[
        list[Path] | None,
        typer.Option(help="Folder whose runs count where two have different ones, repeatable."),
    ] = None,
    notebooks: Annotated[
        bool, typer.Option(help="Execute the notebooks, which draws the figures.")
    ] = True,
) -> None:
    """Join results of one recipe: other seeds, other tables, other machines.

    Writes a publication, without weights, and verifies it.
    """
    from replication.publication.pool import write_pool

    folder, findings, notes = write_pool(
        folders, scale, to, prefer=prefer or (), notebooks=notebooks
    )
    for note in notes:
        print(f"note: {note}")
    print(f"{folder}: {findings.counted}")


def publish(
    results: Annotated[Path, typer.Argument(help="Results of a scale, such as results/digits.")],
    to: Annotated[Path | None, typer.Option(help="Folder. [published/<scale>]")] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Run the trained networks on the data again, before.")
    ] = False,
) -> None:
    """Verify finished results and publish them, without weights, as an RO-Crate."""
    from replication.publication.publish import publish as publish_results

    folder, findings = publish_results(results, to, deep=float(deep))
    print(f"{folder}: {findings.counted}")


def compare(
    results: Annotated[Path, typer.Argument(help="Results of a scale, such as results/digits.")],
    published: Annotated[
        Path | None, typer.Option("--with", help="Published results. [published/<scale>]")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Write every number and test here.")] = None,
) -> None:
    """Compare results with the published ones; fails if they differ by more than chance."""
    found, text = _compare(results, published or PUBLISHED / results.resolve().name)
    if csv:
        from replication.report.comparison import details

        write_text(csv, details(found).to_csv(index=False))
    print(text)
    if not found.consistent:
        raise typer.Exit(1)


def _compare(results: Path, published: Path) -> "tuple[Comparison, str]":
    from replication.analysis.compare import compare as compare_results
    from replication.report.comparison import describe_comparison

    found = compare_results(results, published)
    return found, describe_comparison(results, published, found)


def export(
    tracker: Annotated[str, typer.Argument(help="tensorboard, wandb or mlflow")],
    results: Annotated[Path, typer.Argument(help="Results of a scale, such as results/digits.")],
    to: Annotated[Path, typer.Option(help="Folder for what the tracker writes.")] = Path(
        "trackers"
    ),
) -> None:
    """Export the finished runs to an experiment tracker: histories, recipes, results."""
    from replication.publication.trackers import export as export_runs

    print(f"{to}: {export_runs(results, tracker, to)} runs for {tracker}")


def summary(configfile: ConfigFiles = None, results: Results = RESULTS) -> None:
    """Say in a few lines what the results of a scale can and cannot tell, and where they are."""
    plan = Plan.read(configfile or [], root=results)
    from replication.report.outcome import describe_outcome

    print(describe_outcome(plan), flush=True)
    published = PUBLISHED / plan.scale.scale
    if published.is_dir():
        # A comparison informs; it does not make the results that are there a failure.
        try:
            print(_compare(plan.results, published)[1])
        except InputError as problem:
            print(f"Not compared with {published}: {problem}")
