"""How a study ends on the terminal: its tables, the verdicts on its claims, and what comes next."""

import textwrap
from collections.abc import Iterator

from replication.plan.plan import Plan
from replication.report.outcome import (
    Lines,
    count_verdicts,
    criteria_met,
    read_lines,
    tested_claims,
)
from replication.results.run_folder import RECORD
from replication.results.run_record import read_record
from replication.wording import formatted, seeds_in_words, signed

LINE_WIDTH = 100
"""Columns of the text."""


def is_study(plan: Plan) -> bool:
    """Whether a plan is a study that has claims of its own, in the place of the paper's."""
    study = plan.scale.study
    return study is not None and plan.claims_file == study / "claims.yaml"


def describe_study(plan: Plan) -> str:
    """The study's tables with their intervals, what became of each claim, and where everything is.

    Raises:
        InputError: a csv file or the record of a run is damaged.
    """
    claims = tested_claims(plan)
    blocks = [
        *(_table(plan, name) for name in plan.tables),
        [f"Claims: {count_verdicts(claims) or 'not tested'}", *_claims(claims)],
        criteria_met(plan),
        *([warnings] if (warnings := list(_warnings(plan))) else []),
        list(_next_steps(plan, claims)),
    ]
    return "\n\n".join("\n".join(lines) for lines in blocks)


def _warnings(plan: Plan) -> Iterator[str]:
    """What speaks against weights from elsewhere, by the evaluation of each."""
    for run in plan.runs.values():
        if run.weights and (plan.folder(run) / RECORD).is_file():
            for warning in read_record(plan.folder(run)).get("warnings", ()):
                yield from _wrapped(f"WARNING: {warning}", "")


def _table(plan: Plan, name: str) -> list[str]:
    """A table as text: a line for each column, below the name of its row."""
    spec = plan.tables[name]
    cells = read_lines(plan.results / "tables" / f"{name}.csv")
    shown = [cell for cell in cells if cell["column"] not in spec.hidden]
    width = max((len(cell["column"]) for cell in shown), default=0)
    lines = [spec.title, "Mean and 95 % interval over the seeds; a difference is paired by seed."]
    row = ""
    for cell in shown:
        if cell["row"] != row:
            row = cell["row"]
            lines.append(f"  {row}, {cell['metric']}")
        lines.append(f"    {cell['column']:<{width}}  {_interval(cell)}")
    return lines


def _interval(cell: dict[str, str]) -> str:
    """A cell's mean with its interval, and how many seeds that is."""
    if not cell["mean"]:
        return "not measured"
    sign = "+" if cell["metric"].startswith("difference") else ""
    numbers = [cell[key] for key in ("mean", "ci_low", "ci_high") if cell[key]]
    mean, *ends = (formatted(float(number), f"{sign}.2f") for number in numbers)
    interval = f" [{', '.join(ends)}]" if ends else ""
    return f"{mean:>6}{interval}, n = {cell['n']}"


def _claims(claims: Lines) -> Iterator[str]:
    for claim in claims:
        yield from _wrapped(f"{claim['verdict'].upper()}: {claim['statement']}", "  ")
        yield from _wrapped(f"{claim['evidence']} {_reference(claim)}", "    ")


def _reference(claim: dict[str, str]) -> str:
    """The difference from the student's own teacher, where that is another number."""
    difference, paired = claim.get("difference"), claim.get("paired_difference")
    if not difference or not paired or difference == paired:
        return ""
    from_own_teacher = signed(float(paired))
    return (
        "It is the difference from the mean of all label-trained networks of each seed; from each"
        f" student's own teacher alone, it is {from_own_teacher}."
    )


def _next_steps(plan: Plan, claims: Lines) -> Iterator[str]:
    study, results = plan.scale.folder, plan.results
    needed = {
        claim["claim"]: float(claim["seeds_to_decide"])
        for claim in claims
        if claim.get("seeds_to_decide")
    }
    if needed:
        numbers = ", ".join(f"{name} {seeds_in_words(seeds)}" for name, seeds in needed.items())
        yield from _wrapped(
            f"Seeds that would decide what is open: {numbers}. These numbers are for the smallest"
            " effect of interest, which a claim can set as `smallest_effect`; a larger effect takes"
            f" fewer. Add some to `seeds` in {study}/study.yaml and run make study STUDY={study}"
            " again; existing runs are kept.",
            "",
        )
    yield f"Tables:     {results}/tables/*.html"
    yield f"Claims:     {results}/claims.csv, with a figure {results}/notebooks/claims.html"
    yield f"Networks:   {results}/runs/"
    yield f"One file:   snakemake --configfile {study}/study.yaml --report {results}/report.html"


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, LINE_WIDTH, initial_indent=indent, subsequent_indent=indent + "  ")
