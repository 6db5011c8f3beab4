"""From tables and a scale to the runs to train, each once.

Snakemake loads this module at every start, so it imports neither torch nor pandas.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from replication.architectures.catalogue import find_network
from replication.config.datasets import AnyDataset
from replication.config.paper_claims import find_claims
from replication.config.paper_tables import TABLES, TableSpec, find_tables, read_table
from replication.config.recipes import ImageRecipe, LanguageRecipe
from replication.config.scale import Scale, check_scale, read_config
from replication.data.specs import ImageSpec, TextSpec
from replication.errors import InputError
from replication.files import JSON_ERRORS
from replication.plan.cells import Cell, cells_of
from replication.plan.published_study import STUDY, described_spec
from replication.plan.recipe import hash_recipe, make_recipe
from replication.plan.run import Run
from replication.plan.seeds import check_row_seeds, check_seed_keys, check_seeds
from replication.plan.stored_logits import (
    TrainingSize,
    described_size,
    is_within_limit,
    logit_shape,
    size_of,
)
from replication.plan.table_checks import check_table
from replication.plan.variants import complete_variants

RESULTS = Path("results")
"""The folder of all scales' results."""
PUBLISHED = Path("published")
"""The folder of all publications."""
Keys = Mapping[str, Any] | None
SCALE_FILE = "scale.json"
"""The file beside results that holds the scale they were planned with."""
# Where and how fast a result is computed, and not what it is.
MACHINE = {"data_root", "device", "compile", "checkpoint", "resource_table"}


@dataclass(frozen=True)
class Plan:
    """The cells of a scale and the runs behind them, teachers first.

    ``runs`` are by id, ``variants`` are complete scales by name. ``results`` is the folder of the
    scale's results: where they are made, or where they were moved to. ``files`` are those of the
    tables by name, and like ``claims_file`` may be a study's.
    """

    scale: Scale
    tables: dict[str, TableSpec]
    cells: tuple[Cell, ...]
    runs: dict[str, Run]
    variants: dict[str, Scale]
    results: Path
    files: Mapping[str, Path] = field(default_factory=dict)
    claims_file: Path = TABLES / "claims.yaml"

    @classmethod
    def read(
        cls, files: Sequence[Path], tables: Path = TABLES, root: Path = RESULTS, keys: Keys = None
    ) -> Self:
        """Plan the scale of these files; its results go to a folder of ``root``, named after it.

        ``keys`` of the scale replace those in the files; ``tables`` is the folder of the tables.

        Raises:
            InputError: a file is missing or wrong, or as `make`.
        """
        source = " + ".join(map(str, files)) or "default scale"
        return cls.make(check_scale({**read_config(files), **(keys or {})}, source), tables, root)

    @classmethod
    def make(cls, scale: Scale, tables: Path = TABLES, root: Path = RESULTS) -> Self:
        """Plan the tables of a scale; its results go to a folder of ``root``, named after it.

        Raises:
            InputError: a table is missing or invalid or does not fit the scale, two cells have
                different runs under one id, or one run would serve two seeds.
        """
        check_seed_keys(scale, tables)
        folders = {name: find_tables(name, scale.study, tables) for name in scale.tables}
        files = {name: folder / f"{name}.yaml" for name, folder in folders.items()}
        specs = {name: read_table(name, folder) for name, folder in folders.items()}
        for name, spec in specs.items():
            check_table(scale, spec, files[name])
            check_row_seeds(scale, name, spec)
        variants = complete_variants(specs, scale, files)
        cells = tuple(
            cell for name, spec in specs.items() for cell in cells_of(name, spec, scale, variants)
        )
        runs = _runs_behind(cells, files)
        check_seeds(cells, specs, files)
        claims = find_claims(scale.study, tables)
        return cls(scale, specs, cells, runs, variants, root / scale.scale, files, claims)

    @property
    def scale_text(self) -> str:
        """The scale as ``scale.json`` has it, without what depends on the machine."""
        return self.scale.model_dump_json(indent=2, exclude=MACHINE) + "\n"

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of all tables, in ascending order."""
        return tuple(sorted({seed for cell in self.cells for seed in cell.members}))

    def seeds_by_row(self, table: str) -> dict[str, tuple[int, ...]]:
        """The seeds of each row of a table; none for a row that is not trained."""
        return {row: self.scale.seeds_of(table, row) for row in self.tables[table].rows}

    @cached_property
    def lineage_seeds(self) -> dict[str, int]:
        """The seed that each run serves, by id: that of its cells before any ``seed_offset``.

        A network from elsewhere serves all seeds and has 0 here.
        """
        return {
            run.id: 0 if run.weights else seed
            for cell in self.cells
            for seed, members in cell.members.items()
            for member in members
            for run in member.with_lineage
        }

    def folder(self, run: Run) -> Path:
        """Folder of a run."""
        return self.results / "runs" / run.id

    def run(self, run_id: str) -> Run:
        """The run with this id; raises InputError if the scale does not have it."""
        if run_id not in self.runs:
            raise InputError(
                f"{run_id}: no such run at scale {self.scale.scale};"
                " `replication plan --runs` lists its runs"
            )
        return self.runs[run_id]

    def table_cells(self, table: str) -> list[Cell]:
        """A table's cells in the paper's order; raises InputError if the scale lacks the table."""
        if table not in self.tables:
            raise InputError(
                f"{table}: no such table at scale {self.scale.scale};"
                f" available: {', '.join(self.tables)}"
            )
        return [cell for cell in self.cells if cell.table == table]

    def needed(self, table: str) -> dict[str, Run]:
        """The runs behind a table and their teachers, by id, teachers first."""
        return {run.id: run for cell in self.table_cells(table) for run in cell.needed()}

    def scale_of(self, run: Run) -> Scale:
        """The scale that a run is trained with: the plan's, or the run's variant of it."""
        return self.variants[run.variant] if run.variant else self.scale

    def training(self, run: Run) -> ImageRecipe | LanguageRecipe:
        """The training recipe of a run: its network family's, or its language model's."""
        scale, network = self.scale_of(run), find_network(run.network)
        assert network is not None  # read_table has checked it
        if network.kind == "image":
            return scale.image_recipe(network.family)
        recipe: LanguageRecipe = getattr(scale.language, run.network)
        return recipe

    def options(self, run: Run) -> dict[str, Any]:
        """Keyword arguments of a run's network, beside those that the data set gives."""
        sizes = self.scale_of(run).networks.options(run.network)
        return {**sizes, **json.loads(run.arguments)}

    def recipe(self, run: Run) -> dict[str, Any]:
        """Everything except teacher and seed that determines a run's result; see `plan.recipe`."""
        stored = run.teacher is not None and self.stores_logits_for(run)
        return make_recipe(run, self.scale_of(run), self.options(run), self.training(run), stored)

    def stores_logits_for(self, student: Run) -> bool:
        """Whether the logits of a student's teacher are stored; else the teacher runs beside it.

        The sizes of data of one's own are known once they are prepared: from what was prepared, or
        from the description that this left beside the results. Until then their logits are taken
        to be within the limit.
        """
        limit = self.scale.logit_cache_limit_gib
        size = self._training_size(student.dataset)
        if size is None:
            return limit > 0
        return is_within_limit(logit_shape(self.training(student), size), limit)

    def _training_size(self, dataset: AnyDataset) -> TrainingSize | None:
        try:
            return size_of(self.data_spec(dataset))
        except InputError:
            return described_size(self.prepared_data_file(dataset.name))

    def prepared_data_file(self, dataset: str) -> Path:
        """The file that describes a data set, by its name, once it is prepared."""
        return self.results / "data" / f"{dataset}.json"

    def data_spec(self, dataset: AnyDataset) -> ImageSpec | TextSpec:
        """A data set's sizes as they are used; raises InputError where they are not known yet."""
        if dataset not in self._known_specs:
            scale = self.scale
            published = described_spec(scale.study, dataset, scale.evaluate_on)
            spec = published or dataset.spec(scale.evaluate_on, scale.data_root)
            self._known_specs[dataset] = spec
        return self._known_specs[dataset]

    @cached_property
    def _known_specs(self) -> dict[AnyDataset, ImageSpec | TextSpec]:
        """The data sets whose sizes have been read, which is done once for each."""
        return {}

    def students(self, run: Run) -> list[Run]:
        """The runs whose teacher is this one."""
        return [
            student
            for student in self.runs.values()
            if student.teacher and student.teacher.id == run.id
        ]

    def recipe_hash(self, run: Run) -> str:
        """A hash of the run's recipe."""
        return hash_recipe(self.recipe(run))


def _runs_behind(cells: Sequence[Cell], files: Mapping[str, Path]) -> dict[str, Run]:
    """The runs of cells and all of their teachers by id, teachers first.

    Raises:
        InputError: two cells have different runs under one id.
    """
    runs: dict[str, Run] = {}
    for cell in cells:
        for run in cell.needed():
            other = runs.setdefault(run.id, run)
            if other != run:
                difference = (
                    "different `weights`, or a different normalisation of them; evaluate the two in"
                    " separate scales"
                    if run.weights
                    else "different shared layers; give one a `seed_offset`"
                )
                raise InputError(
                    f"{files[cell.table]}: cell `{cell.row}` / `{cell.column}`: another cell has"
                    f" {run.id} with {difference}"
                )
    return runs


def read_scale(file: Path) -> Scale:
    """Read the scale that is kept beside results; raises InputError if it is missing or damaged.

    The folder of its study is the copy that a publication has.
    """
    try:
        config = dict(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; name the scale with --configfile") from None
    except JSON_ERRORS as error:
        raise InputError(f"{file}: damaged ({error}); name the scale with --configfile") from None
    if (study := file.parent / STUDY).is_dir():
        config["folder"] = str(study)
    return check_scale(config, str(file))
