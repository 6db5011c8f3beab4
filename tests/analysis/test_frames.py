"""The frames behind the figures of §3.2 follow from what the runs have left."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support import synthetic_results

from replication.analysis.frames import by_argmax, frame_files
from replication.errors import InputError


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic_results.write(tmp_path_factory.mktemp("results") / "digits")


def of_runs(results: Path, row: str, column: str, name: str) -> list[pd.DataFrame]:
    cells = pd.read_csv(results / "cells/table2.csv").query("row == @row and column == @column")
    assert len(cells) == synthetic_results.SEEDS
    return [pd.read_csv(results / "runs" / run / name) for run in cells["run"]]


def test_curves_have_mean_and_range_of_the_seeds(results: Path) -> None:
    curves = pd.read_csv(results / "frames/learning_curves.csv")
    line = curves.query("row == 'densenet-80-80' and column == 'dkpp' and epoch == 5")
    histories = of_runs(results, "densenet-80-80", "dkpp", "history.csv")
    values = [history.query("epoch == 5")["ground_truth_share"].item() for history in histories]
    shares = line[["ground_truth_share", "ground_truth_share_low", "ground_truth_share_high"]]
    assert shares.to_numpy()[0] == pytest.approx([np.mean(values), min(values), max(values)], 1e-4)
    assert not curves["column"].str.startswith("ens").any()


def test_weights_are_means_over_the_seeds(results: Path) -> None:
    weights = pd.read_csv(results / "frames/confidence_weights.csv")
    (median_weight,) = weights.query("row == 'densenet-112-33' and percent == 50")["max"]
    seeds = of_runs(results, "densenet-112-33", "cwtm", "confidence_weights.csv")
    assert median_weight == pytest.approx(
        np.mean([percentiles["max"][50] for percentiles in seeds]), 1e-4
    )


def test_similarity_is_the_mean_distribution_of_the_same_argmax() -> None:
    similarity = by_argmax(np.array([[0.6, 0.3, 0.1], [0.5, 0.1, 0.4], [0.1, 0.1, 0.8]]))
    nan = np.nan
    expected = [[nan, 0.2, 0.25], [nan, nan, nan], [0.1, 0.1, nan]]
    assert similarity == pytest.approx(np.array(expected), nan_ok=True)


def test_a_permutation_spreads_similarity_evenly_and_keeps_its_amount(results: Path) -> None:
    frame = pd.read_csv(results / "frames/class_similarity.csv")
    plain, permuted = (
        frame[frame["treatment"] == treatment].drop(columns=["treatment", "argmax"]).to_numpy()
        for treatment in ("ban", "dkpp")
    )
    assert np.nansum(permuted, 1) == pytest.approx(np.nansum(plain, 1), 1e-3)
    assert np.nanstd(permuted) < 0.8 * np.nanstd(plain)


def test_a_history_of_another_version_is_named(tmp_path: Path) -> None:
    results = synthetic_results.write(tmp_path / "digits")
    run = pd.read_csv(results / "cells/table2.csv")["run"][0]
    (results / "runs" / run / "history.csv").write_text("step,loss\n1,2\n")
    with pytest.raises(InputError, match=rf"{run}/history\.csv: lacks epoch") as caught:
        frame_files(results)
    assert "\n" not in str(caught.value)
