"""From tables and a scale to the runs to train, each once.

Snakemake loads this module at every start, so it imports neither torch nor pandas.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from replication.architectures.catalogue import find_network, kind_of
from replication.config.custom_objectives import is_custom, source_hash
from replication.config.datasets import AnyDataset, OwnText, TextDataset
from replication.config.paper_claims import find_claims
from replication.config.paper_tables import TABLES, TableSpec, find_tables, read_table
from replication.config.scale import ImageRecipe, LanguageRecipe, Scale, check_scale, read_config
from replication.config.yaml_model import merge, multiply
from replication.data.specs import ImageSpec, TextSpec
from replication.errors import InputError
from replication.files import checksum, write_text
from replication.objectives import OBJECTIVES
from replication.plan.cells import Cell, cells_of
from replication.plan.run import Run

RESULTS = Path("results")
Keys = Mapping[str, Any] | None
VARIED = ("networks", "images", "language", "decisions")
SCALE_FILE = "scale.json"
# Where and how fast a result is computed, and not what it is.
MACHINE = {"data_root", "device", "compile", "checkpoint", "resource_table"}


@dataclass(frozen=True)
class Plan:
    """The cells of a scale and the runs behind them, teachers first.

    ``files`` are those of the tables by name, which may be a study's.
    """

    scale: Scale
    tables: dict[str, TableSpec]
    cells: tuple[Cell, ...]
    runs: dict[str, Run]
    variants: dict[str, Scale]
    root: Path = RESULTS
    files: Mapping[str, Path] = field(default_factory=dict)
    claims_file: Path = TABLES / "claims.yaml"

    @classmethod
    def read(
        cls, files: Sequence[Path], tables: Path = TABLES, root: Path = RESULTS, keys: Keys = None
    ) -> Self:
        """Plan the scale of these files; its results go to a folder of ``root``.

        ``keys`` are instead of those in the files.
        """
        source = " + ".join(map(str, files)) or "default scale"
        return cls.make(check_scale({**read_config(files), **(keys or {})}, source), tables, root)

    @classmethod
    def make(cls, scale: Scale, tables: Path = TABLES, root: Path = RESULTS) -> Self:
        """Plan the tables of a scale.

        Raises:
            InputError: a table is missing or invalid, or two cells have different runs under one
                id.
        """
        for name in scale.table_seeds:
            if not (find_tables(name, scale.study, tables) / f"{name}.yaml").is_file():
                raise InputError(
                    f"scale {scale.scale}: `table_seeds`: no table `{name}`; correct it"
                )
        folders = {name: find_tables(name, scale.study, tables) for name in scale.tables}
        specs = {name: read_table(name, folder) for name, folder in folders.items()}
        for name, spec in specs.items():
            _check_datasets(scale, spec, f"{folders[name] / name}.yaml")
        variants = _variants(specs, scale, tables)
        cells = tuple(
            cell for name, spec in specs.items() for cell in cells_of(name, spec, scale, variants)
        )
        runs: dict[str, Run] = {}
        for cell in cells:
            for run in cell.needed():
                if runs.setdefault(run.id, run) != run:
                    raise InputError(
                        f"{tables / cell.table}.yaml: cell `{cell.row}` / `{cell.column}`: another"
                        f" cell has {run.id} with other data, arguments or shared layers; give one"
                        " a `seed_offset`"
                    )
        claims = find_claims(scale.study, tables)
        files = {name: folder / f"{name}.yaml" for name, folder in folders.items()}
        return cls(scale, specs, cells, runs, variants, root, files, claims)

    def write_scale(self) -> None:
        """Write beside the results what they were planned by; raises as `files.write_text`."""
        text = self.scale.model_dump_json(indent=2, exclude=MACHINE)
        write_text(self.results / SCALE_FILE, text + "\n")

    @property
    def results(self) -> Path:
        """Folder of the scale's results."""
        return self.root / self.scale.scale

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of all tables, in ascending order."""
        return tuple(sorted({seed for name in self.tables for seed in self.scale.seeds_of(name)}))

    def folder(self, run: Run) -> Path:
        """Folder of a run."""
        return self.results / "runs" / run.id

    def run(self, run_id: str) -> Run:
        """The run with this id, which has to be one of the scale."""
        if run_id not in self.runs:
            raise InputError(
                f"{run_id}: no such run at scale {self.scale.scale};"
                " `replication plan --runs` lists its runs"
            )
        return self.runs[run_id]

    def table_cells(self, table: str) -> list[Cell]:
        """The cells of a table of the scale, in the paper's order."""
        if table not in self.tables:
            raise InputError(
                f"{table}: no such table at scale {self.scale.scale};"
                f" there are: {', '.join(self.tables)}"
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
        """Everything except the teacher that determines a run's result, as plain data."""
        scale = self.scale_of(run)
        own = is_custom(run.objective)
        found = OBJECTIVES.get(run.objective)
        decision = found.decision if found else None
        if run.weights:
            return {
                "dataset": run.dataset.recipe,
                "evaluate_on": scale.evaluate_on,
                "network": {"name": run.network, "options": self.options(run)},
                "objective": run.objective,
                "weights": checksum(Path(run.weights)),
                "training": {"epochs": 1, "milestones": [], "learning_rate": 0.0, "gamma": 1.0},
                "precision": scale.precision,
            }
        return {
            "dataset": run.dataset.recipe,
            "evaluate_on": scale.evaluate_on,
            "network": {"name": run.network, "options": self.options(run)},
            "objective": run.objective,
            **({"parameters": dict(run.parameters)} if run.parameters else {}),
            **({"source": source_hash(run.objective, scale.study or Path())} if own else {}),
            "decisions": {decision: getattr(scale.decisions, decision)} if decision else {},
            "share_ends": run.share_ends,
            "training": self.training(run).model_dump(mode="json"),
            "precision": scale.precision,
            # Cached teacher logits are rounded to half precision, those of a live teacher are not.
            **({"logit_cache_limit_gib": scale.logit_cache_limit_gib} if run.teacher else {}),
        }

    def data_spec(self, dataset: AnyDataset) -> ImageSpec | TextSpec:
        """A data set's sizes as they are used; raises InputError where they are not known yet."""
        return dataset.spec(self.scale.evaluate_on, self.scale.data_root)

    def students(self, run: Run) -> list[Run]:
        """The runs whose teacher is this one."""
        return [it for it in self.runs.values() if it.teacher and it.teacher.id == run.id]

    def recipe_hash(self, run: Run) -> str:
        """A hash of the run's recipe."""
        return hash_recipe(self.recipe(run))


def read_scale(file: Path) -> Scale:
    """Read the scale that stands beside results; raises InputError if it is missing or damaged."""
    try:
        config = dict(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; name the scale with --configfile") from None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{file}: damaged ({error}); name the scale with --configfile") from None
    return check_scale(config, str(file))


def hash_recipe(recipe: dict[str, Any]) -> str:
    """A hash of a recipe that does not depend on the order of its keys."""
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]


def _check_datasets(scale: Scale, table: TableSpec, where: str) -> None:
    """Check that the scale has the data set of every row, and a recipe, of its network's kind."""
    for row in table.rows:
        role = table.role(row)
        if role not in scale.datasets:
            has = ", ".join(scale.datasets)
            raise InputError(
                f"{where}: row `{row}`: no data set `{role}` at scale {scale.scale}, which has"
                f" {has}; add it to `datasets`"
            )
        kind = "language" if isinstance(scale.datasets[role], TextDataset | OwnText) else "image"
        for column in table.columns:
            network = table.network(row, column)
            if not table.is_dash(row, column) and kind_of(network) != kind:
                raise InputError(
                    f"{where}: cell `{row}` / `{column}`: `{network}` is no {kind} network; the"
                    " data set needs one"
                )
        if kind == "language" and scale.language is None:
            raise InputError(f"{where}: row `{row}`: the scale has no `language`; add its recipes")


def _variants(specs: dict[str, TableSpec], scale: Scale, tables: Path) -> dict[str, Scale]:
    """Each variant as a complete scale, by name.

    A variant that changes nothing at this scale is left out, so that it shares the scale's runs.
    """
    found: dict[str, Scale] = {}
    config = scale.model_dump(mode="json")
    for name, spec in specs.items():
        for variant, changes in spec.variants.items():
            here = f"{tables / name}.yaml: variant `{variant}`"
            values = {key: value for key, value in changes.items() if key != "multiply"}
            if fixed := [key for key in values if key not in VARIED]:
                raise InputError(
                    f"{here}: `{fixed[0]}` is the same for all runs of a scale; a variant can only"
                    f" change {', '.join(VARIED)}"
                )
            try:
                varied = {key: config[key] for key in VARIED}
                multiplied = multiply(varied, changes.get("multiply", {}))
            except InputError as error:
                raise InputError(f"{here}: `multiply`: {error}") from None
            changed = check_scale(merge(config, merge(multiplied, values)), here)
            if found.setdefault(variant, changed) != changed:
                raise InputError(
                    f"{here}: another table has a different variant of this name; rename one"
                )
    return {variant: changed for variant, changed in found.items() if changed != scale}
