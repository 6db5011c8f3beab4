"""Results changed so that every other file follows from the change, as a forger would."""

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from support.small_results import change_record
from torch import Tensor

from replication import files
from replication.analysis.claims import build_claims
from replication.analysis.collect import collect
from replication.analysis.measure import measure
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.plan.recipe import hash_recipe
from replication.report.quality_table import build_quality
from replication.report.table_files import build_table
from replication.results.run_folder import HISTORY, MODEL, PREDICTIONS, RECORD
from replication.results.run_record import LOGITS_OF, logits_of, read_predictions, read_record
from replication.results.scale_file import write_scale


def rebuild(plan: Plan, keep_scale: bool = False) -> None:
    """Build cells, tables, quality and claims by this plan, whatever recipes the runs have."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Plan, "recipe_hash", lambda plan, run: read_record(plan.folder(run))["recipe_hash"]
        )
        if not keep_scale:
            write_scale(plan)
        for name in plan.tables:
            assert build_table(plan, name).reasons == []
        collect(plan)
        with suppress(InputError):  # as with labels that differ, which it refuses
            build_quality(plan)
    build_claims(plan)


def weights(plan: Plan, run: str) -> dict[str, Tensor]:
    return load_file(plan.results / "runs" / run / MODEL)


def predictions(plan: Plan, run: str) -> dict[str, Tensor]:
    return load_file(plan.results / "runs" / run / PREDICTIONS)


def history(plan: Plan, run: str) -> pd.DataFrame:
    return pd.read_csv(plan.results / "runs" / run / HISTORY)


def forge(
    plan: Plan,
    run: str,
    *,
    model: Mapping[str, Tensor] | None = None,
    predicted: Mapping[str, Tensor] | None = None,
    lines: pd.DataFrame | None = None,
    **record: Any,
) -> None:
    """Replace files and keys of a run; record, history, students and logits follow from them."""
    folder = plan.results / "runs" / run
    if model:
        save_file(dict(model), folder / MODEL)
    if predicted:
        save_file(
            {name: tensor.contiguous() for name, tensor in predicted.items()}, folder / PREDICTIONS
        )
    old = {**read_record(folder), **record}
    tensors = read_predictions(folder)
    parts = ["logits"] if "logits" in tensors else ["validation", "test"]
    measured = [measure([tensors], part) for part in parts]
    if lines is None:
        lines = history(plan, run)
        metric = "test_error" if "logits" in tensors else "validation_perplexity"
        lines.loc[len(lines) - 1, metric] = measured[0]
    lines.to_csv(folder / HISTORY, index=False, float_format="%.6g")
    change_record(
        folder,
        **record,
        recipe_hash=hash_recipe(old["recipe"]),
        result=dict(zip(old["result"], measured, strict=True)),
        checksums={name: files.checksum(folder / name) for name in old["checksums"]},
    )
    for file in folder.glob("teacher_logits.*"):
        of = _metadata(file) | {"teacher": files.checksum(folder / MODEL)}
        save_file(load_file(file), file, metadata={LOGITS_OF: json.dumps(of)})
    for student in [name for name in plan.runs if name.startswith(f"{run}/")]:
        _relink(plan, student)


def _metadata(file: Path) -> dict[str, str]:
    with safe_open(file, "pt") as stored:
        return logits_of(stored.metadata())


def _relink(plan: Plan, run: str) -> None:
    """Have a student's record name the weights that its teachers have now."""
    root = plan.results / "runs"
    lineage = [
        {"run": teacher.id, "model_sha256": files.checksum(root / teacher.id / MODEL)}
        for teacher in plan.runs[run].lineage
    ]
    change_record(root / run, teacher=lineage[-1], lineage=lineage)


def copy_over(plan: Plan, source: str, target: str) -> None:
    """Put a run's files in the place of another run's, whose record stays."""
    root = plan.results / "runs"
    for file in (root / source).iterdir():
        if file.is_file() and file.name != RECORD:
            shutil.copy(file, root / target)
    forge(plan, target)


def permuted(plan: Plan, run: str) -> dict[str, Tensor]:
    """The same function with the inner units of each residual unit in another order."""
    model = weights(plan, run)
    for name in [key for key in model if key.endswith("conv1.weight")]:
        order = torch.arange(len(model[name])).flip(0)
        prefix = name.removesuffix("conv1.weight")
        for key in [key for key in model if key.startswith((f"{prefix}conv1.", f"{prefix}norm2."))]:
            if model[key].ndim:
                model[key] = model[key][order]
        model[f"{prefix}conv2.weight"] = model[f"{prefix}conv2.weight"][:, order]
    return model
