"""`replication verify` on damaged results."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.project import FILES, TEACHER, Project, binary, truncate

VERIFY = ["verify", "results/tiny", *FILES]


def test_results_that_do_not_exist_are_refused(project: Project) -> None:
    project.refuses(["verify", "none"], "none: has no results")


DAMAGED: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "a file of a run missing": (
        f"runs/{TEACHER}/config.json",
        Path.unlink,
        "config.json: cannot be read",
    ),
    "a file of a run truncated": (
        f"runs/{TEACHER}/history.csv",
        truncate,
        "history.csv is not the file",
    ),
    "a table binary": ("tables/small.csv", binary, "small.csv: damaged"),
    "claims truncated": ("claims.csv", truncate, "claims.csv: "),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_named(name: str, project: Project) -> None:
    file, damage, says = DAMAGED[name]
    damage(project.results / file)
    project.refuses(VERIFY, says)


def test_a_recipe_without_keys_is_named(project: Project) -> None:
    project.change_record(TEACHER, recipe={}, code="none", versions=[])
    project.refuses(VERIFY, "results/tiny: ", "inconsistencies")
