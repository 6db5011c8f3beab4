"""How many seeds the tables of a scale have, in words."""

from collections import defaultdict

from replication.config.paper_names import paper_name, table_name, table_names
from replication.plan.plan import Plan


def tables_by_seeds(plan: Plan) -> str:
    """The tables of a scale by their numbers of seeds: ``Table 2: 10; Tables 1 and 3: 5``.

    Where rows of a table have fewer seeds than others, they are named: ``Table 2: 5, of which
    DenseNet-80-80: 2``.
    """
    parts = []
    for seeds, tables in _by_number(plan).items():
        parts.append(f"{table_names(tables)}: {seeds}" + "".join(_fewer(plan, tables)))
    return "; ".join(parts)


def describe_seeds(plan: Plan) -> str:
    """The number of seeds of a scale: ``20 seeds (10 for Table 5, sensitivity)``."""
    total = len(plan.seeds)
    others = [
        f"{seeds} for {table_names(tables)}" + "".join(_fewer(plan, tables))
        for seeds, tables in _by_number(plan).items()
        if seeds != total or any(_fewer(plan, tables))
    ]
    return f"{total} seed{'s' * (total != 1)}" + (f" ({'; '.join(others)})" if others else "")


def _by_number(plan: Plan) -> dict[int, list[str]]:
    """The names of the tables by the seeds of the row that has most of them, most seeds first."""
    tables: defaultdict[int, list[str]] = defaultdict(list)
    for name in sorted(plan.tables):
        tables[max(map(len, plan.seeds_by_row(name).values()))].append(name)
    return dict(sorted(tables.items(), reverse=True))


def _fewer(plan: Plan, tables: list[str]) -> list[str]:
    """For each of these tables with rows that have fewer seeds, which rows have how many."""
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
            f", of which {', '.join(names)}{in_table}: {seeds or 'none'}"
            for seeds, names in rows.items()
        ]
    return parts
