"""What results have to contain: the plan of the scale that they were built with."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from replication.config.scale import check_scale, read_config
from replication.errors import InputError
from replication.plan.plan import MACHINE, SCALE_FILE, Plan
from replication.verify.findings import Findings, differences


@dataclass(frozen=True)
class _PlacedPlan(Plan):
    """A plan whose results may have been moved."""

    place: Path = Path()

    @property
    def results(self) -> Path:
        """Folder of the scale's results."""
        return self.place


def read_plan(results: Path, tables: Path, configfiles: Sequence[Path], found: Findings) -> Plan:
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
