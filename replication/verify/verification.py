"""Checks whether a scale's results follow from each other, whoever made them.

The cells and runs that there have to be are planned from ``tables/`` and from the scale: the one
that the caller names, or ``scale.json`` beside the results. Where there are run folders,
`check_runs` checks them, `check_measured` the numbers that were measured from them, and
`recompute` the predictions against weights and data. Published results have no run folders: there
`check_collected` checks the measured csv files against the plan and against each other, and
`check_publication` every file against its checksum. `check_derived` checks what follows from the
csv files, with and without runs.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from replication.config.paper_tables import TABLES
from replication.config.scale import OWN_SCALES, check_scale, read_config
from replication.errors import InputError
from replication.plan.plan import MACHINE, SCALE_FILE, Plan, read_scale
from replication.results.csv_files import csv_path
from replication.results.run_folder import RECORD
from replication.verify.check_collected import check_collected
from replication.verify.check_derived import check_derived
from replication.verify.check_measured import check_measured
from replication.verify.check_publication import CRATE, check_files
from replication.verify.check_runs import check_runs
from replication.verify.findings import Findings, describe_files, differing_values
from replication.verify.recompute import check_predictions


def verify(
    results: Path,
    tables: Path = TABLES,
    configfiles: Sequence[Path] = (),
    deep: float = 0,
    seed: int = 0,
) -> Findings:
    """Check a folder ``results/<scale>`` or ``published/<scale>``.

    ``deep`` is the share of runs whose networks are run again, drawn at random with ``seed``.

    Raises:
        InputError: it is not a folder of results, its scale is not known, ``tables``, a data set,
            or a file that others are compared with are missing or wrong; or results without
            networks should be checked with ``deep``.
    """
    has_networks = (results / "runs").is_dir()
    if not has_networks and not csv_path(results, "runs").exists():
        raise InputError(
            f"{results}: has no results (neither a folder runs nor runs.csv); name another folder"
        )
    if deep and not has_networks:
        raise InputError(f"{results}: published results have no networks; leave out --deep")
    findings = Findings()
    plan = read_plan(results, tables, configfiles, findings)
    if (results / CRATE).exists() or not has_networks:
        check_files(results, findings)
    if has_networks:
        records = check_runs(plan, findings)
        if csv_path(results, "cells").exists():
            check_measured(plan, findings)
            check_derived(plan, tables, findings)
        else:
            findings.remarks.append(
                f"{csv_path(results, 'cells')}: no such file, so no table was checked"
            )
        if deep:
            check_predictions(plan, records, deep, seed, findings)
    elif check_collected(plan, findings):
        check_derived(plan, tables, findings)
    _conclude(results, results / SCALE_FILE, findings)
    return findings


def read_plan(results: Path, tables: Path, configfiles: Sequence[Path], findings: Findings) -> Plan:
    """Plan the named scale, else that of the results; remark on keys that differ from ``config/``.

    Raises:
        InputError: the scale is not known, or it or ``tables`` are wrong.
    """
    scale_file = results / SCALE_FILE
    if not configfiles and not scale_file.exists():
        configfiles = [file for file in [_configured(results.resolve().name)] if file.exists()]
    if configfiles:
        scale = check_scale(read_config(configfiles), " + ".join(map(str, configfiles)))
    else:
        scale = read_scale(scale_file)
    if not configfiles and (file := _configured(scale.scale)).exists():
        configured = check_scale(read_config([file]), str(file))
        stored, expected = (
            config.model_dump(mode="json", exclude=MACHINE) for config in (scale, configured)
        )
        findings.remarks += [
            f"{scale_file}: `{key}` is {value}, but {expected_value} in {file}"
            for key, value, expected_value in differing_values(stored, expected)
        ]
    return replace(Plan.make(scale, tables), results=results)


def _configured(name: str) -> Path:
    return OWN_SCALES / f"{name}.yaml"


def _conclude(results: Path, reference: Path, findings: Findings) -> None:
    """Take back the check of files with a problem, and remark on files without any check.

    ``reference`` is the file of the scale, which the others are compared with.
    """
    wrong = {problem.split(": ")[0] for problem in findings.problems}
    checked = set(findings.checks)
    findings.checks = {
        name: check for name, check in findings.checks.items() if str(results / name) not in wrong
    }
    manifests = {reference, results / CRATE}
    unchecked = [
        file.relative_to(results).as_posix()
        for file in results.rglob("*")
        if file.is_file() and file not in manifests and file.name != RECORD
    ]
    names = [name for name in unchecked if name not in checked and str(results / name) not in wrong]
    if names:
        findings.remarks.append(f"{results}: not checked: {describe_files(names)}")
