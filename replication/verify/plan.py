"""What results have to contain: the plan of the scale that they were built with."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from replication.config.scale import check_scale, read_config
from replication.plan.plan import MACHINE, SCALE_FILE, Plan, read_scale
from replication.verify.findings import Findings, differences


def read_plan(results: Path, tables: Path, configfiles: Sequence[Path], found: Findings) -> Plan:
    """Plan the named scale, else that of the results; remark on keys unlike the published ones."""
    own = results / SCALE_FILE
    if not configfiles and not own.exists():
        configfiles = [it for it in [_published(results.resolve().name)] if it.exists()]
    if configfiles:
        scale = check_scale(read_config(configfiles), " + ".join(map(str, configfiles)))
    else:
        scale = read_scale(own)
    if not configfiles and (published := _published(scale.scale)).exists():
        wanted = check_scale(read_config([published]), str(published))
        has, it_has = (it.model_dump(mode="json", exclude=MACHINE) for it in (scale, wanted))
        found.remarks += [
            f"{own}: `{key}` is {value}, in {published} {it}"
            for key, value, it in differences(has, it_has)
        ]
    return replace(Plan.make(scale, tables), results=results)


def _published(name: str) -> Path:
    return Path("config") / f"{name}.yaml"
