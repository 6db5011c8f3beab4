"""Whatever can be checked without a training is checked before the first one, by a dry run too."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import timm
from safetensors.torch import save_file
from support.plans import ROOT
from support.studies import CLAIM, STUDY, TABLE, prepare_data, write_study
from support.workplace import Workplace

from replication.cli import run_command
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.training.own_parts import check_parts, check_parts_on
from replication.workflow.preflight import check_before_training, check_notebooks


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Workplace.LINKED:
        (tmp_path / name).symlink_to(ROOT / name)


def with_column(**cell: Any) -> dict[str, Any]:
    """The table with one more column."""
    return {**TABLE, "columns": {**TABLE["columns"], "wrong": cell}}


def with_row(**row: Any) -> dict[str, Any]:
    return {**TABLE, "rows": {**TABLE["rows"], "wrong": row}}


OWN = {"objective": "losses:match", "teacher": "teacher"}
WRONG: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, str], str]] = {
    # The table, keys of the scale, other files; and what the line says.
    "a function": (
        with_column(objective="losses:no", teacher="teacher"), {}, {}, "has no function `no`",
    ),
    "a module": (
        with_column(objective="other:match", teacher="teacher"), {}, {}, "no module other; put",
    ),
    "a parameter": (
        with_column(objective={"name": "losses:match", "wait": 1}, teacher="teacher"), {}, {},
        "failed (TypeError",
    ),
    "an import": (TABLE, {}, {"losses.py": "import no_such\n"}, "cannot be imported"),
    "a helper": (TABLE, {}, {"distances/square.py": "square = 3\n"}, "failed (TypeError"),
    "a vector": (
        TABLE, {}, {"losses.py": "def match(z, y, t, weight):\n    return (z - t).sum(1)\n"},
        "returned shape (8,) instead of a scalar",
    ),
    "no teacher": (
        with_column(objective="losses:match"), {}, {}, "objective `losses:match`: failed",
    ),
    "a network": (with_row(network="timm:test_resnett"), {}, {}, "timm has no network"),
    "an argument": (
        with_row(network="timm:test_resnet", arguments={"depth": 3}), {}, {}, "cannot classify",
    ),
    "a size": (with_row(network="timm:test_vit"), {}, {}, "cannot classify images of 1 × 8 × 8"),
    "an optimiser": (
        TABLE, {"images": {"optimizer": "adahessian"}}, {}, "adahessian needs second derivatives",
    ),
    "weights": (
        with_column(weights="pets/no.safetensors"), {}, {}, "no.safetensors: cannot be read",
    ),
    "weights of another form": (
        with_column(weights="pets/losses.py"), {}, {}, "not a safetensors file",
    ),
    "padding": (TABLE, {"images": {"crop_padding": 9}}, {}, "9 pixels cannot be reflected"),
    "shared layers": (
        with_column(objective="ban", teacher="teacher", share_ends=True, network="timm:test_vit",
                    arguments={"img_size": 8, "patch_size": 4}, seed_offset=1000),
        {}, {}, "of student and teacher differ",
    ),
}  # fmt: skip


def plan_of(name: str) -> Plan:
    table, keys, files, _ = WRONG[name]
    scale: dict[str, Any] = {}
    if "images" in keys:
        from support.studies import SCALE

        scale["images"] = {**SCALE["images"], **keys["images"]}
    file = write_study(table, **scale)
    for path, text in files.items():
        (STUDY / path).write_text(text, encoding="utf-8")
    prepare_data(Plan.read([file]))
    return Plan.read([file])


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_in_a_study_is_one_line_before_any_training(name: str) -> None:
    plan = plan_of(name)
    with pytest.raises(InputError) as caught:
        check_parts(plan, plan.runs.values())
    assert WRONG[name][3] in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_study_without_mistakes_passes_and_draws_nothing_from_its_data(
    capfd: pytest.CaptureFixture[str],
) -> None:
    file = write_study()
    assert run_command(["check", "--configfile", str(file)]) == 0
    assert (
        "scale pets: no mistakes found; tried the networks, losses or weights of 6 runs"
        in capfd.readouterr().out
    )


def test_networks_are_checked_when_the_shape_of_the_data_is_known(
    capfd: pytest.CaptureFixture[str],
) -> None:
    file = write_study(with_row(network="timm:test_vit"))
    plan = Plan.read([file])
    check_parts(plan, plan.runs.values())
    assert run_command(["data", "--configfile", str(file)]) == 1
    assert "cannot classify images of 1 × 8 × 8" in capfd.readouterr().err


def test_weights_of_another_network_are_found_when_the_data_are_there(
    capfd: pytest.CaptureFixture[str],
) -> None:
    file = write_study(with_column(weights="pets/other.safetensors"))
    network = timm.create_model("test_resnet", num_classes=4, in_chans=1)
    save_file(network.state_dict(), STUDY / "other.safetensors")
    prepare_data(plan := Plan.read([file]))
    with pytest.raises(InputError, match=r"has shape .*, but here .*; name its network"):
        check_parts(plan, plan.runs.values())
    check_parts_on(plan, "elsewhere", object())


CLAIMS: dict[str, tuple[dict[str, Any], str]] = {
    "column": (
        {**CLAIM, "left": {"table": "own", "rows": ["null"], "columns": ["bann"]}},
        "own has no column `bann`; available: teacher, ban, own",
    ),
    "row": (
        {**CLAIM, "right": {"table": "own", "rows": ["wide"], "columns": ["ban"]}},
        "own has no row `wide`",
    ),
    "table": (
        {**CLAIM, "right": {"table": "owns", "rows": ["null"], "columns": ["ban"]}},
        "no table `owns`",
    ),
    "itself": ({**CLAIM, "right": CLAIM["left"]}, "left and right are the same cells"),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_are_compared_with_the_tables_first(name: str) -> None:
    claim, says = CLAIMS[name]
    plan = Plan.read([write_study(claim=claim)])
    with pytest.raises(InputError) as caught:
        check_before_training(plan, None)
    assert says in str(caught.value)


def test_a_path_with_braces_is_one_line() -> None:
    write_study()
    folder = Path("{a}")
    shutil.move(STUDY, folder)
    with pytest.raises(InputError, match=r"has braces, which Snakemake takes for wildcards"):
        check_before_training(Plan.read([folder / "study.yaml"]), None)


def test_a_notebook_without_its_kernel_is_one_line() -> None:
    plan = Plan.read([write_study()])
    check_notebooks(plan)
    copied = Path("notebooks").resolve()
    Path("notebooks").unlink()
    shutil.copytree(copied, "notebooks")
    file = Path("notebooks/claims.ipynb")
    content = json.loads(file.read_text(encoding="utf-8"))
    content["metadata"]["kernelspec"]["name"] = "python9"
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match="Jupyter has no kernel `python9`; install one with"):
        check_notebooks(plan)
    file.write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"claims.ipynb: not a notebook"):
        check_notebooks(plan)
    file.unlink()
    with pytest.raises(InputError, match=r"claims.ipynb: no such file"):
        check_notebooks(plan)


@pytest.mark.long
def test_a_dry_run_of_snakemake_shows_mistakes() -> None:
    place = Workplace(Path())
    file = write_study(with_column(objective="losses:no", teacher="teacher"))
    done = place.call("--dry-run", "--configfile", str(file), default_files=False)
    assert done.returncode != 0
    assert "has no function `no`" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    claims = (STUDY / "claims.yaml").read_text(encoding="utf-8")
    (STUDY / "claims.yaml").write_text(claims.replace("- ban\n", "- bann\n"), encoding="utf-8")
    done = place.call("--dry-run", "--configfile", str(file), default_files=False)
    assert "own has no column `bann`" in done.stdout + done.stderr
