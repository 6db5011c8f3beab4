"""``python -m benchmarks``: measure, print, and leave csv files and a figure.

Contestants take turns, so whatever else runs on the machine slows all of them alike;
it should be quiet nevertheless.
"""

import json
import multiprocessing
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Annotated

import pandas as pd
import torch
import typer
from rich.console import Console
from rich.table import Table

from benchmarks import compare as comparison
from benchmarks import costs, growth, ladder, ours, pages, profile, settings
from benchmarks.cases import CASES, Pictures, load_pictures, random_pictures
from benchmarks.data_parts import pack, unpack
from benchmarks.figure import draw
from benchmarks.gpu import measure as gpu_measurements
from benchmarks.lineage import SCALE, train_lineage
from benchmarks.measure import machine
from benchmarks.precision import PAIRS, pair_runs, precision_table
from benchmarks.stages import measure_stages
from benchmarks.turns import changed_environment, environment_of_jobs
from replication.errors import InputError

RESULTS = Path(__file__).parent / "results"
FIGURE = Path("docs/images/performance.png")

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)
console = Console(width=150)
Device = Annotated[str, typer.Option(help="cpu or cuda; auto: CUDA where there is one.")]
Data = Annotated[Path, typer.Option(help="Folder of Fashion-MNIST.")]


def find(device: str) -> torch.device:
    """The device by its name."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cudnn.benchmark = device == "cuda"
    return torch.device(device)


@app.command()
def everything(
    device: Device = "auto",
    data: Data = Path("data"),
    rounds: Annotated[int, typer.Option(min=1, help="Turns of every contestant.")] = 5,
    only: Annotated[
        str, typer.Option(help="The parts to measure; an empty list only redraws the figure.")
    ] = "compare,profile,ladder,settings,costs,students,width,images,seeds,jobs",
    results: Annotated[Path, typer.Option(help="Folder of the csv files.")] = RESULTS,
    figure: Annotated[Path, typer.Option(help="File of the figure.")] = FIGURE,
) -> None:
    """Measure everything, or some parts; the results of other parts are kept."""
    chosen, parts = find(device), set(only.split(","))
    results = results / chosen.type
    results.mkdir(parents=True, exist_ok=True)
    facts = {**machine(chosen), "automatic precision": ours.automatic(chosen)}
    (results / "machine.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    pictures, on_gpu = cache(partial(load_pictures, data)), chosen.type == "cuda"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "compare" in parts:
            lines, measured = [], {}
            for case in [case for case in CASES.values() if not case.needs_gpu or on_gpu]:
                case_lines, measured[case.name] = comparison.compare(
                    case, pictures(case.side), chosen, rounds, folder / case.name
                )
                lines += case_lines
            save(comparison.table(lines), results / "comparison.csv")
            save(comparison.rounds_table(measured), results / "rounds.csv", show=False)
        small = [case for case in CASES.values() if not case.augmented]
        if "profile" in parts:
            shares = [
                in_job(profile.table, [case], pictures(case.side), 20, folder, precision)
                for case in small
                for precision in ours.formats(chosen)
            ]
            save(pd.concat(shares), results / "profile.csv")
        if "ladder" in parts:
            save(ladder.measure_variants(pictures(32), chosen, rounds), results / "ladder.csv")
        if "settings" in parts:
            save(settings.table(small, pictures, rounds, folder), results / "settings.csv")
        if "costs" in parts:
            save(costs.table(chosen), results / "costs.csv")
        points: list[growth.Point] = []
        if "students" in parts:
            points += growth.students(pictures(32), chosen, folder, range(1, 5))
        if "width" in parts:
            points += growth.widths(pictures(32), chosen, folder, rounds, (1, 2, 4))
        if "images" in parts:
            points += growth.images(pictures(14), chosen, folder, (512, 1024, 2048, 4096))
        if "seeds" in parts:
            points += growth.seeds((1, 2, 4))
        if "jobs" in parts:
            points += growth.jobs(growth.PLANS)
        if points:
            grown = merged(points, results / "growth.csv")
            save(grown, results / "growth.csv")
            save(growth.exponents(grown), results / "growth_exponents.csv")
    if all((results / f"{part}.csv").exists() for part in ("comparison", "growth")):
        draw(results, figure)


@app.command()
def gpu(
    device: Device = "auto",
    data: Data = Path("data"),
    minutes: Annotated[float, typer.Option(help="What has not begun by then is left out.")] = 8.0,
    quick: Annotated[
        bool, typer.Option("--quick", help="Tiny networks, one step: a test.")
    ] = False,
    results: Annotated[Path, typer.Option(help="Folder of the csv files.")] = RESULTS,
) -> None:
    """Measure a GPU in less than ten minutes, without a network: speed, sharing, correctness."""
    chosen = find(device)
    results = results / "gpu" if not quick else results
    results.mkdir(parents=True, exist_ok=True)
    facts = {**machine(chosen), "automatic precision": ours.automatic(chosen)}
    (results / "machine.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")

    def make_pictures(side: int) -> Pictures:
        try:
            return load_pictures(data, side)
        except InputError:
            print("no Fashion-MNIST here; using noise in its place, which takes as long")
            return random_pictures(side, 256 if quick else 60_000)

    with tempfile.TemporaryDirectory() as name:
        for part, measurement in gpu_measurements(
            chosen, make_pictures, Path(name), minutes, quick
        ):
            if isinstance(measurement, str):
                print(f"{part}: {measurement}")
            else:
                save(measurement, results / f"{part}.csv")


@app.command()
def lineage(
    device: Device = "auto",
    minutes: Annotated[
        float, typer.Option(help="The time for measuring and training together.")
    ] = 9.0,
    configfile: Annotated[
        list[Path] | None, typer.Option(help="A scale file with keys instead of the paper's.")
    ] = None,
    results: Annotated[Path, typer.Option(help="Folder of all results.")] = Path("results"),
) -> None:
    """Train Wide-ResNet-28-2 of Table 3 at the paper's size: two networks, then two students."""
    chosen = find(device)
    try:
        frame = train_lineage(results, minutes, configfile or [], chosen.type)
    except InputError as error:
        raise SystemExit(f"error: {error}") from None
    folder = results / SCALE
    (folder / "machine.json").write_text(
        json.dumps(machine(chosen), indent=2) + "\n", encoding="utf-8"
    )
    save(frame, folder / "lineage.csv")


@app.command()
def pack_data(
    parts_folder: Annotated[Path, typer.Argument(help="Folder of the parts.")],
    data: Annotated[Path, typer.Option(help="Folder with cifar-100/ in it.")] = Path("data"),
    parts: Annotated[int, typer.Option(min=1, help="How many parts to write.")] = 4,
) -> None:
    """Write CIFAR-100 as parts of about 27 MB, for a machine that takes only little at a time."""
    for file in pack(data, parts_folder, parts):
        print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")


@app.command()
def unpack_data(
    parts: Annotated[list[Path], typer.Argument(help="Parts; the others may follow later.")],
    data: Annotated[Path, typer.Option(help="Folder in which cifar-100/ is made.")] = Path("data"),
) -> None:
    """Write the images of parts of CIFAR-100 into the folder that the suite reads."""
    print(f"{data}: {unpack(parts, data):,} images")


@app.command()
def precision(
    float32: Annotated[Path, typer.Argument(help="Results in float32, such as results/cifar.")],
    bfloat16: Annotated[Path, typer.Argument(help="The same runs in bfloat16.")],
    pairs: Annotated[Path, typer.Option(help="File of the errors by run.")] = PAIRS,
) -> None:
    """Compare the test errors of the same runs in two precisions; print the appendix's table."""
    frame = pair_runs(float32, bfloat16)
    frame.to_csv(pairs, index=False, float_format="%.2f")
    print(precision_table(frame), end="")


@app.command()
def stages(
    folder: Annotated[Path, typer.Argument(help="A checkout in which `make tables` was run.")],
    tree: Annotated[str, typer.Argument(help="What to call it: its commit.")],
    results: Annotated[Path, typer.Option(help="Folder of the csv files.")] = RESULTS,
) -> None:
    """Measure where the time of `make tables` went; a line for each rule of the workflow."""
    file = results / "cpu" / "stages.csv"
    frame = measure_stages(folder, tree)
    if file.exists():
        before = pd.read_csv(file)
        frame = pd.concat([before[before["tree"] != tree], frame], ignore_index=True)
    save(frame, file)


@app.command(name="pages")
def fill_pages(
    results: Annotated[Path, typer.Option(help="Folder of the csv files.")] = RESULTS,
) -> None:
    """Write the numbers of a CPU's csv files into the pages on speed."""
    for page in pages.BLOCKS:
        page.write_text(pages.filled(page, results / "cpu"), encoding="utf-8")
        print(page)


def save(frame: pd.DataFrame, file: Path, show: bool = True) -> None:
    """Write a csv, and print it as a table."""
    frame.to_csv(file, index=False, float_format="%.6g")
    if not show:
        return
    shown = Table(title=file.stem)
    for column in frame.columns:
        numeric = pd.api.types.is_numeric_dtype(frame[column])
        shown.add_column(column, justify="right" if numeric else "left")
    for row in frame.itertuples(index=False):
        shown.add_row(
            *(f"{value:.4g}" if isinstance(value, float) else str(value) for value in row)
        )
    console.print(shown)


def in_job(work: Callable[..., pd.DataFrame], *arguments: object) -> pd.DataFrame:
    """What a function returns in a new process with the environment of the workflow's jobs."""
    with (
        changed_environment(environment_of_jobs()),
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes,
    ):
        return processes.submit(work, *arguments).result()


def merged(points: list[growth.Point], file: Path) -> pd.DataFrame:
    """The new points, and those of other studies that the file holds already."""
    new = pd.DataFrame(points, columns=list(growth.Point._fields))
    if not file.exists():
        return new
    old = pd.read_csv(file)
    return pd.concat([old[~old["study"].isin(new["study"])], new], ignore_index=True)


if __name__ == "__main__":
    app()
