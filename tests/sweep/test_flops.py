"""Parameters and FLOPs of networks and trainings."""

from pathlib import Path

import pytest
from support.plans import ROOT, tiny_plan

from replication.data.specs import ImageSpec
from replication.errors import InputError
from replication.networks.counting import build_network, parameters
from replication.plan.plan import Plan
from replication.sweep.flops import forward_flops, training_flops

LABEL = "two_digit_numbers/densenet_90_60.label.0"
BAN = f"{LABEL}/densenet_90_60.ban.0"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def paper() -> Plan:
    return Plan.read([ROOT / "config/paper.yaml"], ROOT / "tables")


@pytest.mark.parametrize(
    ("run", "millions", "giga_flops"),
    [
        # 2 * 5.25 GMAC: Zagoruyko & Komodakis (2016) have 36.5 M parameters.
        ("cifar10/wide_resnet_28_10.label.0", 36.479194, 10.487),
        # Its 51.03 M weights, each multiplied and added once for a word.
        ("penn_treebank/lstm.label.0", 51.034, 0.1020),
    ],
)
def test_the_paper_s_networks_have_their_known_size(
    paper: Plan, run: str, millions: float, giga_flops: float
) -> None:
    assert parameters(paper, paper.run(run)) == round(millions * 1e6)
    assert forward_flops(paper, paper.run(run)) == pytest.approx(giga_flops * 1e9, rel=1e-3)


def test_every_kind_of_network_is_counted_with_its_options() -> None:
    plan = tiny_plan()
    wider = tiny_plan(
        networks={"cnn_lstm": {"width_ratio": "1/10"}, "pre_resnet": {"width_ratio": 1}}
    )
    runs = {run.network: run for run in plan.runs.values()}
    assert all(forward_flops(plan, run) > 0 for run in runs.values())
    for network in ("cnn_lstm", "pre_resnet_1001"):
        run, other = runs[network], wider.run(runs[network].id)
        assert parameters(wider, other) > 2 * parameters(plan, run)
        assert forward_flops(wider, other) > 2 * forward_flops(plan, run)


def test_a_training_is_three_passes_a_sample_and_its_evaluations() -> None:
    plan = tiny_plan(images={"epochs": 6, "evaluate_every": 4})
    run = plan.run(BAN)
    assert not plan.students(run)
    forward = forward_flops(plan, run)
    # 200 images in 6 epochs; 100 test images after epochs 4 and 6, and for the predictions.
    assert training_flops(plan, run) == forward * (3 * 6 * 200 + 3 * 100)


def test_a_teacher_also_computes_the_cached_logits_of_all_views() -> None:
    plan = tiny_plan(images={"crop_padding": 1, "flip": True})
    teacher, student = plan.run(LABEL), plan.run(BAN)
    assert plan.students(teacher)
    difference = training_flops(plan, teacher) - training_flops(plan, student)
    assert difference == forward_flops(plan, teacher) * 9 * 2 * 200


def test_a_live_teacher_runs_at_every_step_instead() -> None:
    cached, live = tiny_plan(), tiny_plan(logit_cache_limit_gib=0)
    forward = forward_flops(live, live.run(LABEL))
    difference = training_flops(live, live.run(BAN)) - training_flops(cached, cached.run(BAN))
    assert difference == forward * 2 * 200
    assert training_flops(live, live.run(LABEL)) < training_flops(cached, cached.run(LABEL))


def test_a_network_that_is_counted_downloads_no_weights() -> None:
    images = ImageSpec("images", "", 10, (3, 32, 32), 1, 1)
    network = build_network("timm:test_vit", '{"pretrained": true, "img_size": 32}', images)
    assert network.head.out_features == 10


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("timm:resnt18", "{}", "timm has no network `resnt18`; did you mean resnet18"),
        ("timm:resnet18", '{"chanels": [1]}', r"cannot classify images of 3 × 32 × 32 \(.*chanels"),
    ],
)
def test_a_network_that_cannot_be_counted_is_one_line(
    name: str, arguments: str, message: str
) -> None:
    images = ImageSpec("images", "", 10, (3, 32, 32), 1, 1)
    with pytest.raises(InputError, match=message):
        build_network(name, arguments, images)
