"""The benchmarks compare what they say: the same student, the same loss, the same inputs."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from support.plans import ROOT, runs_per_seed

from benchmarks import cases, costs, gpu, growth, ours, pages, profile, settings
from benchmarks.__main__ import app
from benchmarks.cases import CASES, Case, Pictures, random_pictures, wide_resnet_16
from benchmarks.compare import PEERS, Line, Ready, contestants, rounds_table, table
from benchmarks.contestants import Peer, Plain, Task
from benchmarks.figure import SIDE_BY_SIDE, draw
from benchmarks.ladder import Variant, VariantLoop, variants
from benchmarks.measure import flops, machine, medians, ratios
from benchmarks.stages import measure_stages
from benchmarks.turns import Round, Worker, alternate
from replication.data.images import Items
from replication.objectives import OBJECTIVES

CPU = torch.device("cpu")
RESULTS = ROOT / "benchmarks" / "results" / "cpu"
TINY = Case(
    "tiny",
    "wide_resnet_28_1",
    {"depth_ratio": "1/4", "width_ratio": "1/2", "dropout": 0.0},
    steps=1,
)


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (256, 28, 28), generator=generator, dtype=torch.uint8)
    return Pictures.of(pixels, torch.randint(10, (256,), generator=generator))


def test_pictures_are_padded_or_averaged_to_a_side() -> None:
    pixels = torch.arange(28 * 28).remainder(256).byte().view(1, 28, 28)
    labels = torch.zeros(1, dtype=torch.long)
    padded, averaged, both = (Pictures.of(pixels, labels, side).pixels for side in (32, 14, 16))
    assert padded.shape == (1, 32, 32)
    assert torch.equal(padded[:, 2:30, 2:30], pixels)
    assert padded[:, :2].sum() == 0
    corner = pixels[0, :2, :2].float().mean().round()
    assert averaged.shape == (1, 14, 14)
    assert averaged[0, 0, 0] == corner
    assert both.shape == (1, 16, 16)
    assert both[0, 0].sum() == 0
    assert both[0, 1, 1] == corner


@pytest.fixture
def task(pictures: Pictures) -> Callable[[], Task]:
    return lambda: Task.make(TINY, pictures, CPU)


def weights(task: Task) -> torch.Tensor:
    parts = [parameter.detach().flatten() for parameter in task.student.parameters()]
    return torch.cat([part.contiguous() for part in parts])


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_a_peer_takes_the_step_that_the_suite_takes(
    peer: type[Peer], task: Callable[[], Task], tmp_path: Path
) -> None:
    suite_task, peer_task = task(), task()
    before = weights(suite_task)
    assert torch.equal(before, weights(peer_task))
    suite = ours.Ours(suite_task, ours.Kind("float32"), tmp_path)
    index, views = suite.training.batches[0]
    images = suite.training.augment(index, views)
    suite.step()
    contestant = peer(peer_task)
    contestant.step(images, suite_task.pictures.labels[index])
    contestant.close()
    moved = weights(suite_task) - before
    assert moved.abs().max() > 1e-4
    assert torch.allclose(weights(peer_task) - before, moved, atol=1e-6, rtol=1e-3)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_a_peer_computes_in_bfloat16_what_the_suite_does(
    peer: type[Peer], task: Callable[[], Task], tmp_path: Path
) -> None:
    suite_task, peer_task, exact_task = task(), task(), task()
    before = weights(suite_task)
    suites = [
        ours.Ours(given, ours.Kind(precision), tmp_path)
        for given, precision in ((suite_task, "bfloat16"), (exact_task, "float32"))
    ]
    index, views = suites[0].training.batches[0]
    images = suites[0].training.augment(index, views)
    contestant = peer(peer_task, "bfloat16")
    contestant.step(images, suite_task.pictures.labels[index])
    contestant.close()
    for suite in suites:
        suite.step()
    moved = weights(suite_task) - before
    assert torch.allclose(weights(peer_task) - before, moved, atol=1e-6, rtol=1e-3)
    assert not torch.allclose(weights(exact_task) - before, moved, atol=1e-6, rtol=1e-3)


def test_everybody_is_compared_in_both_formats(pictures: Pictures, tmp_path: Path) -> None:
    case = replace(TINY, augmented=False)
    names = list(contestants(case, pictures, CPU, tmp_path))
    for precision in ours.formats(CPU):
        expected = {f"{peer.name}, {precision}{SIDE_BY_SIDE}" for peer in PEERS}
        expected |= {f"ours, {how}, {precision}{SIDE_BY_SIDE}" for how in ("live", "cached")}
        assert expected <= set(names)
    assert {f"{peer.name}, float32" for peer in PEERS} <= set(names)


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_a_peer_trains_on_what_its_workers_load(peer: type[Peer], task: Callable[[], Task]) -> None:
    given = task()
    before = weights(given)
    contestant = peer(given)
    assert contestant.seconds(2, warm=1) > 0
    contestant.close()
    assert not torch.equal(before, weights(given))
    assert not given.teacher.training


def test_a_loader_gives_each_image_cut_mirrored_and_normalised(pictures: Pictures) -> None:
    contestant = Plain(Task.make(TINY, pictures, CPU))
    images, labels = contestant.loader.dataset[3]
    contestant.close()
    assert images.shape == (1, 32, 32)
    assert labels == pictures.labels[3]
    assert pictures.normalised.mean().abs() < 1e-5
    assert pictures.normalised.std() == pytest.approx(1, abs=1e-3)


def test_a_student_of_cached_logits_takes_the_step_of_one_with_a_live_teacher(
    task: Callable[[], Task], tmp_path: Path
) -> None:
    recipe = ours.recipe_of(TINY).model_copy(update={"crop_padding": 1})
    live, cached = task(), task()
    before = weights(live)
    assert ours.compute_logits(cached, ours.Kind("float32"), recipe, tmp_path) > 0
    for given, kind in ((live, ours.Kind("float32")), (cached, ours.Kind("float32", True))):
        ours.Ours(given, kind, tmp_path, recipe).step()
    assert torch.allclose(weights(cached) - before, weights(live) - before, atol=1e-4)


def test_every_variant_trains(task: Callable[[], Task]) -> None:
    for variant in variants("bfloat16"):
        if variant.compiled:
            continue
        given = task()
        before = weights(given)
        VariantLoop(given, variant).step()
        assert not torch.equal(before, weights(given)), variant.name


def test_the_first_variant_differs_from_the_plain_loop_in_its_data_alone() -> None:
    lowest = variants("bfloat16")[0]
    assert lowest == Variant(lowest.name)


class Fake:
    def __init__(self, name: str, seconds: float, log: list[str]) -> None:
        self.name, self.time, self.log = name, seconds, log
        self.images = 128

    def seconds(self, steps: int, warm: int) -> float:
        self.log.append(self.name)
        return self.time * steps


def test_contestants_take_turns_and_another_begins_each_round() -> None:
    log: list[str] = []
    workers = [Fake("a", 1.0, log), Fake("b", 0.5, log)]
    rounds = alternate(workers, steps=4, rounds=3)  # type: ignore[arg-type]
    assert "".join(log) == "ab" + "ab" + "ba" + "ab"
    assert medians(rounds) == {"a": 128.0, "b": 256.0}
    assert ratios(rounds, "b", "a") == [2.0, 2.0, 2.0]


@pytest.mark.long
def test_a_worker_measures_in_a_process_of_its_own(pictures: Pictures) -> None:
    with Worker(Plain.name, Ready(Plain, TINY, pictures, CPU), CPU, 128, processes=2) as worker:
        assert worker.images == 256
        assert worker.seconds(1, warm=0) > 0
        assert worker.memory() > 200
    assert [process.exitcode for process in worker.processes] == [0, 0]


@pytest.mark.long
def test_settings_are_compared_with_the_defaults(
    pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of more settings, which have two processes each, it says nothing more.
    compared = [setting for setting in settings.settings() if not setting.name.startswith("freed")]
    monkeypatch.setattr(settings, "settings", lambda: compared[:2])
    case = replace(TINY, augmented=False, batch=8)
    frame = settings.table([case], lambda side: pictures, 1, tmp_path)
    assert list(frame["setting"]) == [setting.name for setting in compared[:2]]
    assert (frame["gain"] > 0).all()
    assert frame["gain"][0] == 1


def test_a_teacher_adds_a_forward_pass_to_the_operations_of_a_step() -> None:
    case = wide_resnet_16(1)
    # Backward takes twice forward, but for the first convolution's input.
    assert flops(case, True) / flops(case, False) == pytest.approx(4 / 3, abs=0.01)


def test_tables_have_their_columns() -> None:
    line = Line("n", "c", 2.0, 1.0, 3.0, 1.5, 10.0, 500.0)
    assert list(table([line]).columns) == list(Line.__annotations__)
    rounds = rounds_table({"n": [Round("c", 0, 256, 0.5)]})
    assert rounds.loc[0, "images_per_second"] == 512
    (point,) = growth.jobs([(("table1",), 1)], draw=False)
    assert point.value > 0
    assert point.x > 10
    assert {name for name, _ in costs.objectives(CPU)} >= {"objective dkpp, 100 classes"}


def test_an_exponent_is_the_slope_of_the_logarithms() -> None:
    points = [growth.Point("jobs", "plan", x, 3 * x**1.5, "s") for x in (10, 100, 1000)]
    points += [growth.Point("jobs", "two points", x, x, "s") for x in (1, 2)]
    (fit,) = growth.exponents(pd.DataFrame(points)).itertuples()
    assert (fit.line, fit.points) == ("plan", 3)
    assert (fit.low, fit.exponent, fit.high) == pytest.approx((1.5, 1.5, 1.5))


def test_the_largest_plan_has_about_five_thousand_runs() -> None:
    tables, seeds = growth.PLANS[-1]
    assert 4900 < runs_per_seed(tables) * seeds < 5200


def test_a_profile_splits_the_time_of_a_step(pictures: Pictures, tmp_path: Path) -> None:
    frame = profile.table([TINY], pictures, 2, tmp_path, "float32")
    percentages = frame.set_index("what")["percent"]
    assert percentages["convolutions"] > percentages["optimiser"] > 0
    assert (percentages >= 0).all()
    shares = percentages.drop("convolutions, of the matrix product")
    assert shares.sum() == pytest.approx(100)


@pytest.mark.parametrize("page", pages.BLOCKS, ids=str)
def test_the_pages_say_what_was_measured(page: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert text == pages.filled(page, RESULTS, ROOT)
    # Another number in a csv file is another number on the page.
    changed = pages.Measured(RESULTS)
    changed.comparison["ratio"] *= 2
    assert pages.BLOCKS[page]["limits"](changed) not in text


def test_the_stages_of_a_call_are_its_jobs(tmp_path: Path) -> None:
    metadata, run = tmp_path / ".snakemake/metadata", tmp_path / "results/tiny/runs/digits/a"
    (metadata / "@folder").mkdir(parents=True)
    run.mkdir(parents=True)
    (run / "run.json").write_text(json.dumps({"seconds": 2.5}), encoding="utf-8")
    outputs = {"a": ("train", 10, 14), "@folder/b": ("train", 10.1, 14), "c": ("table", 14, 15)}
    for name, (rule, start, end) in outputs.items():
        line = {"rule": rule, "log": [f"{rule}.log"], "starttime": start, "endtime": end}
        (metadata / name).write_text(json.dumps(line), encoding="utf-8")
    lines = measure_stages(tmp_path, "now").drop(columns="tree").to_numpy().tolist()
    assert lines == [
        ["whole call", 1, 5],
        ["training within the jobs", 1, 2.5],
        ["train", 1, 4],
        ["table", 1, 1],
    ]


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_the_benchmark_of_a_gpu_measures_everything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Compiling for the CPU takes minutes and says nothing of a GPU.
    monkeypatch.setenv("TORCH_COMPILE_DISABLE", "1")
    none, out = str(tmp_path / "none"), str(tmp_path / "out")
    arguments = ["gpu", "--device", "cpu", "--quick", "--data", none, "--results", out]
    app(arguments, standalone_mode=False)
    assert "not measured" not in capsys.readouterr().out
    correctness, comparison, sharing, lineage = (
        pd.read_csv(tmp_path / f"out/{name}.csv")
        for name in ("correctness", "comparison", "sharing", "lineage")
    )
    assert set(correctness["objective"]) == set(OBJECTIVES)
    assert correctness["within"].all()
    contestants = set(comparison["contestant"])
    assert contestants > {peer.name for peer in PEERS}
    best = f"ours, cached, {ours.automatic(CPU)}"
    assert {f"{best}, compiled", f"{best}, CUDA graphs"} <= contestants
    assert (comparison["ratio"] > 0).all()
    assert list(sharing["trainings"]) == [1, 2]
    assert list(lineage["run"]) == ["generation 0", "student"]


def test_what_a_gpu_has_no_time_for_is_listed(tmp_path: Path) -> None:
    measurements = [*gpu.measure(CPU, lambda side: random_pictures(side, 64), tmp_path, 0, True)]
    skipped = [what for part, what in measurements if part == "not measured"]
    assert "a lineage of fashion-gpu" in skipped
    assert any(str(what).startswith("tiny: ours, cached") for what in skipped)
    # What there was time for is there all the same.
    assert measurements[0][0] == "correctness"


def test_the_published_results_are_whole_and_drawn(tmp_path: Path) -> None:
    comparison = pd.read_csv(RESULTS / "comparison.csv")
    assert list(comparison.columns) == list(Line.__annotations__)
    measured = {name for name, case in CASES.items() if not case.needs_gpu}
    assert set(comparison["network"]) == measured
    rounds = pd.read_csv(RESULTS / "rounds.csv")
    assert (rounds.groupby(["network", "contestant"]).size() >= 3).all()
    studies = {"students", "width", "images", "seeds", "jobs"}
    assert set(pd.read_csv(RESULTS / "growth.csv")["study"]) == studies
    assert (pd.read_csv(RESULTS / "growth_exponents.csv")["points"] >= 3).all()
    assert set(pd.read_csv(RESULTS / "profile.csv")["network"]) <= measured
    assert (pd.read_csv(RESULTS / "settings.csv").groupby("network").size() >= 4).all()
    published = json.loads((RESULTS / "machine.json").read_text(encoding="utf-8"))
    assert set(machine(CPU)) <= set(published)
    draw(RESULTS, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_pictures_are_those_of_fashion_mnist(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.arange(2 * 28 * 28).remainder(256).byte().reshape(2, 1, 28, 28)
    parts = (Items(images, torch.tensor([3, 4])),) * 2
    monkeypatch.setattr(cases, "fashion_mnist", lambda root, download: parts)
    assert cases.load_pictures(Path("nowhere"), 28).pixels.equal(images[:, 0])
