"""Checks whether a scale's results follow from each other, whoever made them.

The cells and runs that there have to be are planned from ``tables/`` and from the scale: the one
that the caller names, or ``scale.json`` beside the results. `runs` checks the run folders, `tables`
the numbers of ``cells.csv``, tables and claims against the predictions of the runs, and
`recompute` the predictions against weights and data.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from replication.config.paper_tables import TABLES
from replication.config.scale import check_scale, read_config
from replication.errors import InputError
from replication.plan.plan import MACHINE, SCALE_FILE, Plan
from replication.verify.findings import Findings, Records, differences, nested
from replication.verify.quality import check_frames, check_quality
from replication.verify.recompute import check_predictions
from replication.verify.runs import check_runs
from replication.verify.tables import check_claims, check_tables

UNIFORM = {
    "precision": ("precision",),
    "device": ("device",),
    "threads": ("threads",),
    "torch": ("versions", "torch"),
    "commit of the code": ("code", "commit"),
}


def verify(
    results: Path, tables: Path = TABLES, configfiles: Sequence[Path] = (), deep: float = 0
) -> Findings:
    """Check a folder ``results/<scale>``; ``deep`` is the share of runs whose networks are run.

    Raises:
        InputError: it is not a folder of results, its scale is not known, or ``tables`` or a data
            set are missing or wrong.
    """
    if not (results / "runs").is_dir():
        raise InputError(f"{results}: no results: it has no folder runs; name another folder")
    found = Findings()
    plan = _read_plan(results, tables, configfiles, found)
    records = check_runs(plan, found)
    _remark_on_differences(records, found)
    if (results / "cells.csv").exists():
        check_tables(plan, found)
        check_quality(plan, found)
        check_frames(plan, found)
        check_claims(plan, tables, found)
    else:
        found.remarks.append(f"{results / 'cells.csv'}: no such file, so no table was checked")
    if deep:
        check_predictions(plan, records, deep, found)
    return found


@dataclass(frozen=True)
class _PlacedPlan(Plan):
    """A plan whose results may have been moved."""

    place: Path = Path()

    @property
    def results(self) -> Path:
        """Folder of the scale's results."""
        return self.place


def _read_plan(results: Path, tables: Path, configfiles: Sequence[Path], found: Findings) -> Plan:
    """Plan the named scale, else that of the results; remark on keys unlike the published ones."""
    own = results / SCALE_FILE
    if not configfiles and not own.exists():
        configfiles = [it for it in [_published(results.resolve().name)] if it.exists()]
    config = read_config(configfiles) if configfiles else _read_scale(own)
    scale = check_scale(config, " + ".join(map(str, configfiles)) or str(own))
    if not configfiles and (published := _published(scale.scale)).exists():
        wanted = check_scale(read_config([published]), str(published))
        has, it_has = (it.model_dump(mode="json", exclude=MACHINE) for it in (scale, wanted))
        found.remarks += [
            f"{own}: `{key}` is {value}, in {published} {it}"
            for key, value, it in differences(has, it_has)
        ]
    return replace(_PlacedPlan.make(scale, tables), place=results)


def _published(name: str) -> Path:
    return Path("config") / f"{name}.yaml"


def _read_scale(file: Path) -> dict[str, Any]:
    try:
        scale = json.loads(file.read_text(encoding="utf-8"))
        return dict(scale)
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; name the scale with --configfile") from None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{file}: damaged ({error}); name the scale with --configfile") from None


def _remark_on_differences(records: Records, found: Findings) -> None:
    for what, keys in UNIFORM.items():
        count = Counter(str(nested(record, *keys)) for record in records.values())
        if len(count) > 1:
            parts = ", ".join(f"{n} with {value}" for value, n in count.items())
            found.remarks.append(f"runs differ in {what}: {parts}")
    dirty = sum(bool(nested(record, "code", "dirty")) for record in records.values())
    if dirty:
        found.remarks.append(f"{dirty} runs were trained with uncommitted code")
