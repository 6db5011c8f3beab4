"""How many seeds the tables of a scale have, in words."""

from collections import defaultdict

from replication.config.paper_names import paper_name, table_name, table_names, table_number
from replication.config.scale import Scale
from replication.plan.plan import Plan
from replication.wording import counted, in_words


def tables_by_seeds(plan: Plan) -> str:
    """The tables of a scale by their numbers of seeds: ``Table 2: 10; Tables 1 and 3: 5``.

    Where rows of a table have fewer seeds than others, they are named: ``Table 2: 5, but 2 for
    DenseNet-80-80``.
    """
    parts = []
    for seeds, tables in _by_number(plan).items():
        parts.append(f"{table_names(tables)}: {seeds}" + _fewer(plan, tables))
    return "; ".join(parts)


def describe_seeds(plan: Plan) -> str:
    """The number of seeds of a scale: ``20 seeds (10 for Table 5, sensitivity)``."""
    total = len(plan.seeds)
    others = [
        f"{seeds} for {table_names(tables)}" + _fewer(plan, tables)
        for seeds, tables in _by_number(plan).items()
        if seeds != total or _fewer(plan, tables)
    ]
    return counted(total, "seed") + (f" ({'; '.join(others)})" if others else "")


def describe_progress(plan: Plan, planned: Scale) -> str | None:
    """What a publication has of the tables and seeds that its scale plans, as a sentence.

    ``plan`` is that of the publication, and ``planned`` the scale as its file in ``config`` is.
    Returns None where nothing is missing.
    """
    missing = sorted(set(planned.tables) - set(plan.tables))
    parts, is_whole = [], not missing
    for seeds, names in _by_number(plan).items():
        by_aim: defaultdict[int, list[str]] = defaultdict(list)
        for name in names:
            aims = [len(planned.seeds_of(name, row)) for row in plan.tables[name].rows]
            by_aim[max(aims) if name in planned.tables else seeds].append(name)
        for aim, tables in by_aim.items():
            fewer = _fewer(plan, tables)
            is_whole = is_whole and seeds >= aim and not fewer
            number = f"{seeds} of {aim} seeds" if seeds < aim else counted(seeds, "seed")
            parts.append(f"{table_names(tables)} with {number}{fewer}")
    if is_whole:
        return None
    verb = "follows" if len(missing) == 1 and table_number(missing[0]) else "follow"
    follow = f" {table_names(missing)} {verb}." if missing else ""
    return f"The scale `{plan.scale.scale}` has so far: {'; '.join(parts)}.{follow}"


def _by_number(plan: Plan) -> dict[int, list[str]]:
    """The names of the tables by the seeds of the row that has most of them, most seeds first."""
    tables: defaultdict[int, list[str]] = defaultdict(list)
    for name in sorted(plan.tables):
        tables[max(map(len, plan.seeds_by_row(name).values()))].append(name)
    return dict(sorted(tables.items(), reverse=True))


def _fewer(plan: Plan, tables: list[str]) -> str:
    """Which rows of these tables have fewer seeds than the table has; empty if there are none."""
    parts = []
    for table in tables:
        by_row = plan.seeds_by_row(table)
        most = max(map(len, by_row.values()))
        rows: defaultdict[int, list[str]] = defaultdict(list)
        for row, seeds in by_row.items():
            if len(seeds) < most:
                rows[len(seeds)].append(paper_name(row))
        in_table = f" in {table_name(table)}" if len(tables) > 1 else ""
        parts += [
            f"{seeds or 'none'} for {in_words(names)}{in_table}" for seeds, names in rows.items()
        ]
    return f", but {in_words(parts)}" if parts else ""
