"""Cached teacher logits: as good as the live teacher, and never those of another."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from support.plans import tiny_plan
from torch import nn

from replication import files
from replication.config.decisions import Decisions
from replication.data.images import ImageData
from replication.errors import InputError
from replication.objectives import OBJECTIVES
from replication.plan.plan import Plan
from replication.results.run_folder import MODEL
from replication.results.run_record import LOGITS_OF
from replication.training.image_trainer import Augmenter, draw_views
from replication.training.logit_cache import (
    LogitCache,
    TeacherLogits,
    find_cache,
    join_logits,
    logits_in_order,
)
from replication.training.loop import TrainingContext
from replication.training.teacher import Teacher, load_teacher
from replication.training.train_run import load_data, train

CPU = torch.device("cpu")
LABEL = "two_digit_numbers/densenet_90_60.label.0"
BAN = f"{LABEL}/densenet_90_60.ban.0"
LSTM = "python_reference/lstm.label.0"
VIEWS: dict[str, Any] = {"images": {"crop_padding": 1, "flip": True}}
FILE = "teacher_logits.18-views.safetensors"


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(tmp_path)
    return tiny_plan(**VIEWS)


def cached_logits(plan: Plan, run_id: str) -> tuple[nn.Module, TeacherLogits, Any]:
    """The teacher's network, its cached logits, and the data."""
    run = plan.run(run_id)
    assert run.teacher is not None
    data, teacher = load_data(plan, run, CPU), Teacher.find(plan, run.teacher)
    logits = load_teacher(teacher, run, data, CPU, nullcontext)
    assert isinstance(logits, TeacherLogits)
    return teacher.network(data, CPU), logits, data


@pytest.mark.parametrize("objective", list(OBJECTIVES))
def test_every_objective_has_the_same_loss_and_gradient_on_cached_logits(
    plan: Plan, objective: str
) -> None:
    train(plan, plan.run(LABEL))
    network, kept, data = cached_logits(plan, BAN)
    generator = torch.Generator().manual_seed(0)
    recipe = plan.scale.images
    views = draw_views(200, recipe.crop_padding, recipe.flip, generator)
    assert len(views.unique()) == 18
    index = torch.randperm(200, generator=generator)[:64]
    augment = Augmenter(data.train.images, recipe.crop_padding, recipe.flip)
    pictures = augment(index, views[index])
    labels = data.train.labels[index]
    student = torch.randn(64, 100, generator=generator)
    losses_and_gradients = []
    context = TrainingContext(
        run_id="a/run",
        network=network,
        objective_name=objective,
        objective=OBJECTIVES[objective],
        teacher=None,
        recipe=None,
        decisions=Decisions(),
        autocast=nullcontext,
    )
    with torch.no_grad():
        live = network(pictures)
    for logits in (live, kept(index, views[index])):
        z = student.clone().requires_grad_()
        loss = context.make_loss(CPU, (200, 100))(z, labels, logits, index)
        loss.backward()  # type: ignore[no-untyped-call]
        losses_and_gradients.append((loss.detach(), z.grad))
    torch.testing.assert_close(*losses_and_gradients, rtol=1e-3, atol=1e-5)
    live = live - live.amax(-1, keepdim=True)
    torch.testing.assert_close(kept(index, views[index]), live, rtol=2**-10, atol=1e-3)


def test_language_students_get_the_teachers_logits_on_their_own_words(plan: Plan) -> None:
    train(plan, plan.run(LSTM))
    student = f"{LSTM}/lstm.ban+l.0"
    network, kept, data = cached_logits(plan, student)
    position = 0
    recipe = plan.training(plan.run(student))
    for logits in logits_in_order(network, recipe, data, nullcontext):
        p = logits.softmax(-1)
        stored = kept(slice(position, position + len(p))).softmax(-1)
        torch.testing.assert_close(stored, p, rtol=5e-3, atol=1e-5)
        position += len(p)
    assert position == kept.logits.shape[1]


def test_a_teacher_writes_logits_that_its_students_share(plan: Plan) -> None:
    train(plan, plan.run(LABEL))
    file = plan.folder(plan.run(LABEL)) / FILE
    assert load_file(file)["logits"].shape == (18, 200, 100)
    written = file.stat().st_mtime_ns
    train(plan, plan.run(BAN))
    assert file.stat().st_mtime_ns == written


def test_a_student_writes_missing_logits_and_ends_the_same(plan: Plan) -> None:
    train(plan, plan.run(LABEL))
    train(plan, plan.run(BAN))
    weights = (plan.folder(plan.run(BAN)) / MODEL).read_bytes()
    file = plan.folder(plan.run(LABEL)) / FILE
    first = file.read_bytes()
    file.unlink()
    train(plan, plan.run(BAN))
    assert file.read_bytes() == first
    assert (plan.folder(plan.run(BAN)) / MODEL).read_bytes() == weights


def test_logits_over_the_limit_are_not_cached_and_the_teacher_runs(
    plan: Plan, tmp_path: Path
) -> None:
    plan = tiny_plan(**VIEWS, logit_cache_limit_gib=18 * 200 * 100 * 2 / 2**30 - 1e-9)
    train(plan, plan.run(LABEL))
    assert not list(plan.folder(plan.run(LABEL)).glob("teacher_logits*"))
    run = plan.run(BAN)
    assert run.teacher is not None
    data = load_data(plan, run, CPU)
    network = load_teacher(Teacher.find(plan, run.teacher), run, data, CPU, nullcontext)
    assert isinstance(network, nn.Module)
    assert not network.training
    train(plan, run)
    assert not list(tmp_path.rglob("teacher_logits*"))


def alter(file: Path, change: str) -> None:
    logits = load_file(file)["logits"]
    identity = {"teacher": files.checksum(file.parent / MODEL), "data": "?"}
    if change == "truncated":
        file.write_bytes(file.read_bytes()[:1000])
    elif change == "of other data":
        save_file({"logits": logits}, file, metadata={LOGITS_OF: json.dumps(identity)})
    elif change == "without a word of what they are":
        save_file({"logits": logits}, file)
    elif change == "an empty file":
        file.write_bytes(b"")
    elif change == "of numbers that have changed":
        content = bytearray(file.read_bytes())
        content[-1000] ^= 1
        file.write_bytes(content)
    else:
        file.rename(file.with_name("moved"))
        file.mkdir()


@pytest.mark.parametrize(
    "change",
    [
        *("truncated", "of other data", "without a word of what they are", "an empty file"),
        *("of numbers that have changed", "a folder"),
    ],
)
def test_wrong_logits_are_refused_with_one_line(plan: Plan, change: str) -> None:
    train(plan, plan.run(LABEL))
    alter(plan.folder(plan.run(LABEL)) / FILE, change)
    with pytest.raises(InputError, match=f"{FILE}: .*delete it, and the next") as caught:
        train(plan, plan.run(BAN))
    assert "\n" not in str(caught.value)


def test_logits_of_another_teacher_are_refused(plan: Plan) -> None:
    train(plan, plan.run(LABEL))
    folder = plan.folder(plan.run(LABEL))
    first = (folder / FILE).read_bytes()
    other = tiny_plan(**VIEWS, seeds=[1])
    train(other, other.run(LABEL.replace("label.0", "label.1")))
    other_file = folder.parent / "densenet_90_60.label.1" / FILE
    assert other_file.read_bytes() != first
    (folder / FILE).write_bytes(other_file.read_bytes())
    with pytest.raises(InputError, match="logits of another teacher, on other data"):
        train(plan, plan.run(BAN))


def test_logits_in_another_precision_are_refused(plan: Plan) -> None:
    # As `precision: auto` takes on another machine: the recipes are the same.
    train(plan, plan.run(LABEL))
    file, run = plan.folder(plan.run(LABEL)) / FILE, plan.run(BAN)
    data = load_data(plan, run, CPU)
    for precision in ("float32", "bfloat16"):
        plan = tiny_plan(**VIEWS, precision=precision)
        kept = find_cache(plan, run, data, files.checksum(file.parent / MODEL), CPU)
        assert kept
        if precision == "float32":
            kept.read()
        else:
            with pytest.raises(InputError, match="or in another precision"):
                kept.read()


def test_students_with_another_batch_size_have_logits_of_their_own(plan: Plan) -> None:
    # 5,000 words fill 10 columns and 20 alike, in another order.
    by_columns = {
        n: tiny_plan(datasets={"ptb": {"train": 5000}}, language={"lstm": {"batch_size": n}})
        for n in (10, 20)
    }
    run = plan.run(f"{LSTM}/lstm.ban+l.0")
    data = load_data(by_columns[10], by_columns[10].run(run.id), CPU)
    caches = {n: find_cache(p, p.run(run.id), data, "", CPU) for n, p in by_columns.items()}
    kept = {n: cache for n, cache in caches.items() if cache}
    assert kept[10].shape == kept[20].shape
    assert kept[10].identity == kept[20].identity
    assert {n: cache.file.name for n, cache in kept.items()} == {
        n: f"teacher_logits.{n}-columns.safetensors" for n in kept
    }


def test_a_retrained_teacher_renews_its_logits(plan: Plan) -> None:
    train(plan, plan.run(LABEL))
    changed = tiny_plan(**{**VIEWS, "images": {**VIEWS["images"], "learning_rate": 0.05}})
    train(changed, changed.run(LABEL))
    train(changed, changed.run(BAN))


def test_cached_logits_keep_the_softmax_of_large_logits() -> None:
    logits = torch.tensor([[300.0, 299.0, 0.0], [-5e4, 5e4, 5e4]])
    kept = join_logits((1, 2, 3), iter([logits]))
    index = torch.tensor([0, 1])
    torch.testing.assert_close(kept(index).softmax(-1), logits.softmax(-1), rtol=1e-3, atol=1e-6)
    assert kept(index).amax(-1).tolist() == [0, 0]


def test_cached_logits_are_read_by_view_and_by_image() -> None:
    logits = torch.arange(2 * 3 * 4).view(2, 3, 4).half()
    kept = TeacherLogits(logits)
    selected = kept(torch.tensor([2, 0]), torch.tensor([1, 0]))
    assert selected.tolist() == [logits[1, 2].tolist(), logits[0, 0].tolist()]
    assert selected.dtype == torch.float32


def test_the_file_is_mapped_and_not_read(plan: Plan, tmp_path: Path) -> None:
    file, shape = tmp_path / "a.safetensors", (1, 2**19, 64)
    cache = LogitCache(file, shape, {})
    cache.store(iter(torch.zeros(shape, dtype=torch.float16)))
    before = resident()
    kept = cache.read()
    assert resident() - before < file.stat().st_size / 4
    kept(torch.tensor([5]))


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_image_data_have_a_fingerprint_of_their_own(plan: Plan) -> None:
    data = load_data(plan, plan.run(LABEL), CPU)
    assert isinstance(data, ImageData)
    fewer = tiny_plan(datasets={"cifar100": {"name": "two_digit_numbers", "train": 199}})
    other = load_data(fewer, fewer.run(LABEL), CPU)
    assert data.fingerprint != other.fingerprint
