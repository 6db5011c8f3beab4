"""The index of the publications: what was trained on what, and what was found."""

import pandas as pd

from replication.analysis.claim_verdicts import NOT_MEASURED
from replication.analysis.tested_data import describe_data_sets
from replication.report.primary_claims import claims_table
from replication.report.published_results import Publications, commits_of, primary_claims_of
from replication.report.table_files import PRINTED_DATASETS
from replication.report.table_seeds import tables_by_seeds
from replication.wording import escaped, markdown_table


def scales_table(publications: Publications) -> str:
    """Return a row for each publication: data, tables, seeds, runs, time, verdicts."""
    header = [
        "folder",
        "the paper's data: ours",
        "tables: seeds",
        "training runs",
        "core hours",
        "commits",
        "verdicts",
    ]
    rows = []
    for scale in publications.scales:
        runs = publications.file(scale, "runs")
        published = publications.plan(scale).scale
        words, trained_on = describe_data_sets(published), {*runs["dataset"]}
        data = [
            f"{PRINTED_DATASETS.get(role, role)}: {words[role]}"
            for role, dataset in published.datasets.items()
            if dataset.name in trained_on
        ]
        rows.append(
            [
                f"[{scale}]({scale}/README.md)",
                "; ".join(data),
                escaped(tables_by_seeds(publications.plan(scale))),
                f"{len(runs):,}",
                f"{runs['seconds'].sum() / 3600:.1f}",
                commits_of(runs),
                _verdicts(publications.claims(scale)),
            ]
        )
    return markdown_table(header, rows)


def primary_claims_table(publications: Publications) -> str:
    """Return the primary claims at all published scales, with links to their pages."""
    return claims_table(publications, publications.scales, "")


def _verdicts(claims: pd.DataFrame) -> str:
    """The number of primary claims of each verdict, and of those that are not measured."""
    primary = primary_claims_of(claims)
    is_measured = primary["reason"] != NOT_MEASURED
    counts = primary["verdict"].where(is_measured, NOT_MEASURED).value_counts()
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
