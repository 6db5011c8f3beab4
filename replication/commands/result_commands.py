"""The commands on finished results: check, summarise, compare, publish and export them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from replication.commands.options import ConfigFiles, ResultsOfScale, ResultsRoot, read_plan_of
from replication.errors import InputError
from replication.files import write_text
from replication.plan.plan import PUBLISHED, RESULTS
from replication.wording import counted

if TYPE_CHECKING:
    from replication.analysis.compare import Comparison


def verify(
    results: Annotated[Path, typer.Argument(help="results/<scale> or published/<scale>.")],
    configfile: ConfigFiles = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Run the trained networks on the data again as well.")
    ] = False,
    sample: Annotated[
        float,
        typer.Option(min=1e-6, max=1, help="The share of runs for --deep, drawn at random."),
    ] = 1.0,
    seed: Annotated[
        int, typer.Option(min=0, help="The same seed draws the same runs for --sample.")
    ] = 0,
) -> None:
    """Check results: every file, lineage and number against those that it follows from.

    The scale is the one that the results were built with, or the one of --configfile. The command
    prints one line for each inconsistency, and fails if there is any. It names the files that were
    recomputed, and those that were only checked against their checksums.
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
    print(f"{results}: {findings.summary}{drawn}")
    if findings.problems:
        number = counted(len(findings.problems), "inconsistency", "inconsistencies")
        raise InputError(f"{results}: {number}, listed above")


def publish(
    results: ResultsOfScale,
    to: Annotated[
        Path | None, typer.Option(help="The folder to write. [default: published/<scale>]")
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Run the trained networks on the data again first.")
    ] = False,
) -> None:
    """Verify finished results and publish them as an RO-Crate, without weights and predictions."""
    from replication.publication.publish import publish as publish_results

    folder, findings = publish_results(results, to, deep=float(deep))
    print(f"{folder}: {findings.summary}")


def derive(
    results: Annotated[Path, typer.Argument(help="results/<scale> or published/<scale>.")],
    notebooks: Annotated[
        bool, typer.Option(help="Execute the notebooks as well, which draw the figures.")
    ] = True,
) -> None:
    """Write again everything that follows from the csv files, without the runs.

    These are tables, claims, criteria, the first page, notebooks and figures. The checksums of a
    publication are renewed.
    """
    from replication.publication.derive import derive as derive_results

    changed = derive_results(results, notebooks=notebooks)
    for file in changed:
        print(file)
    print(f"{results}: files that have changed: {len(changed)}")


def pool(
    folders: Annotated[
        list[Path], typer.Argument(help="Two or more results or publications of one recipe.")
    ],
    scale: Annotated[str, typer.Option(help="The name of the pooled scale.")],
    to: Annotated[
        Path | None, typer.Option(help="The folder to write. [default: published/<scale>]")
    ] = None,
    prefer: Annotated[
        list[Path] | None,
        typer.Option(help="The folder whose runs count where two differ. Can be repeated."),
    ] = None,
    notebooks: Annotated[
        bool, typer.Option(help="Execute the notebooks as well, which draw the figures.")
    ] = True,
) -> None:
    """Join results of one recipe: other seeds, other tables, other machines.

    The command writes a publication, which has no weights and predictions, and verifies it.
    """
    from replication.publication.write_pooled import write_pool

    folder, findings, notes = write_pool(
        folders, scale, to, prefer=prefer or (), notebooks=notebooks
    )
    for note in notes:
        print(f"note: {note}")
    print(f"{folder}: {findings.summary}")


def compare(
    results: ResultsOfScale,
    published: Annotated[
        Path | None,
        typer.Option("--with", help="The published results. [default: published/<scale>]"),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Write every number and every test to this file.")
    ] = None,
) -> None:
    """Compare results with the published ones.

    The command fails if they differ by more than chance explains.
    """
    comparison, text = _compare(results, published or PUBLISHED / results.resolve().name)
    if csv:
        from replication.report.comparison import details

        write_text(csv, details(comparison).to_csv(index=False))
    print(text)
    if not comparison.consistent:
        raise typer.Exit(1)


def _compare(results: Path, published: Path) -> "tuple[Comparison, str]":
    from replication.analysis.compare import compare as compare_results
    from replication.report.comparison import describe_comparison

    comparison = compare_results(results, published)
    return comparison, describe_comparison(results, published, comparison)


def export(
    tracker: Annotated[str, typer.Argument(help="tensorboard, wandb or mlflow.")],
    results: ResultsOfScale,
    to: Annotated[Path, typer.Option(help="The folder for what the tracker writes.")] = Path(
        "trackers"
    ),
) -> None:
    """Export the finished runs to an experiment tracker: histories, recipes and results."""
    from replication.publication.trackers import export as export_runs

    print(f"{to}: {export_runs(results, tracker, to)} runs for {tracker}")


def docs(
    published: Annotated[Path, typer.Option(help="The folder of the publications.")] = PUBLISHED,
) -> None:
    """Write the published results into README.md, docs/results.md and their figure.

    Run it in a clone of the repository after published results have changed. The text between two
    markers of a document is replaced. The command prints the files that have changed.
    """
    from replication.report.documents import write_documents

    for file in write_documents(Path(), published):
        print(file)


def summary(configfile: ConfigFiles = None, results: ResultsRoot = RESULTS) -> None:
    """Say in a few lines what the results of a scale can and cannot tell, and where they are.

    For a study, the command also prints the tables and the evidence on each claim.
    """
    plan = read_plan_of(configfile, results)
    from replication.report.outcome import describe_outcome
    from replication.report.study_outcome import describe_study, is_study

    print(describe_study(plan) if is_study(plan) else describe_outcome(plan), flush=True)
    published = PUBLISHED / plan.scale.scale
    if published.is_dir():
        # A comparison only informs: if it fails, the results themselves have not.
        try:
            print(_compare(plan.results, published)[1])
        except InputError as problem:
            print(f"Not compared with {published}: {problem}")
