"""Random cases for the property tests: the same in every run, and none is timed."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from support.plans import ROOT

from replication.architectures.catalogue import NETWORKS
from replication.config.yaml_model import merge, read_yaml

settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    max_examples=30,
    # Files are written anew in each example.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("repeatable")

# Statistics.

deviations = st.floats(-3, 3, allow_nan=False).map(lambda value: round(value, 3))


@st.composite
def measurements(draw: st.DrawFn, min_size: int = 2, max_size: int = 20) -> list[float]:
    """Values of seeds that differ, of any magnitude: mean and spread from 1e-6 to 1e9."""
    spread = 10.0 ** draw(st.integers(-6, 9))
    centre = draw(st.sampled_from([0.0, 1.0, -1.0])) * 10.0 ** draw(st.integers(-6, 9))
    scattered = draw(st.lists(deviations, min_size=min_size, max_size=max_size))
    values = [centre + spread * value for value in scattered]
    # At a spread that rounding swallows, no two implementations agree.
    if max(values) - min(values) < max(1e-7, 1e-5 * max(map(abs, values))):
        values[0] = values[1] + max(spread, abs(centre))
    return values


def percentages(
    min_size: int = 1, max_size: int = 12
) -> st.SearchStrategy[tuple[int, list[tuple[int, int]]]]:
    """A number of test items, and the wrong ones of student and teacher for each seed."""
    return st.sampled_from([100, 597, 600, 2000, 10_000]).flatmap(
        lambda items: st.tuples(
            st.just(items),
            st.lists(
                st.tuples(st.integers(0, min(items, 30)), st.integers(0, min(items, 30))),
                min_size=min_size,
                max_size=max_size,
            ),
        )
    )


# Scales.

DEFAULT = read_yaml(ROOT / "config" / "digits.yaml")
folder_names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,12}", fullmatch=True)
counts = st.integers(1, 10**9)
positive = st.floats(0, 1e300, exclude_min=True)
shares = st.floats(0, 1, exclude_max=True)
ratios = st.builds("{}/{}".format, st.integers(1, 50), st.integers(1, 50))
seeds = st.lists(st.integers(0, 10**9), min_size=1, max_size=4, unique=True)


def lines(min_size: int = 0) -> st.SearchStrategy[str]:
    """Free text on one line."""
    letters = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])
    return st.text(letters, min_size=min_size, max_size=12)


def some(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any of these keys with values of theirs."""
    return st.fixed_dictionaries({}, optional=keys)


def dataset(*names: str, **keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"name": st.sampled_from(names)}, optional=keys)


size = st.none() | counts
datasets = some(
    cifar10=dataset("digits", "fashion_mnist", "cifar10", train=size, test=size),
    cifar100=dataset("two_digit_numbers", "fashion_mnist_pairs", "cifar100", train=size, test=size),
    ptb=dataset("python_reference", "penn_treebank", words=size, train=size),
)
sizes = {"depth_ratio": ratios, "width_ratio": ratios}
recipe = {"epochs": counts, "batch_size": counts, "learning_rate": positive}
language = some(**recipe, bptt=counts, decay=shares, minimum_improvement=positive,
                clip_norm=positive)  # fmt: skip
overrides = some(
    scale=folder_names,
    tables=st.lists(folder_names, min_size=1, max_size=3, unique=True),
    seeds=seeds,
    datasets=datasets,
    data_root=lines(min_size=1),
    evaluate_on=st.sampled_from(["test", "validation"]),
    networks=some(
        wide_resnet=some(**sizes, dropout=shares),
        densenet=some(**sizes, final_transition=st.none() | st.booleans()),
        wide_resnet_as_dense=some(depth_ratio=ratios, dropout=shares),
        pre_resnet_as_dense=some(depth_ratio=ratios),
        pre_resnet=some(**sizes),
        lstm=some(layers=counts, width_ratio=ratios, dropout=shares),
        cnn_lstm=some(**sizes, dropout=shares),
        width_ratios=some(lstm=ratios, densenet_90_60=ratios, wide_resnet_28_5=ratios),
    ),
    images=some(
        **recipe,
        milestones=st.sets(counts, max_size=4).map(sorted),
        gamma=positive,
        momentum=shares,
        weight_decay=positive,
        crop_padding=st.integers(0, 8),
        flip=st.booleans(),
        evaluate_every=counts,
    ),
    language=some(lstm=language, cnn_lstm=language),
    decisions=some(
        ban_l_weighting=st.sampled_from(["mean", "sum"]),
        dkpp_permutation=st.sampled_from(["sample and step", "sample", "batch"]),
        cwtm_weight=st.sampled_from(["max", "true class"]),
        ensemble=st.sampled_from(["probabilities", "logits"]),
        densenet_recipe=st.sampled_from(["wide-resnet", "densenet"]),
    ),
    device=st.sampled_from(["auto", "cpu", "cuda"]),
    precision=st.sampled_from(["float32", "bfloat16"]),
)
scales = overrides.map(lambda keys: merge(DEFAULT, keys))

# Tables.

# The same name means the same in every table.
VARIANTS: dict[str, dict[str, Any]] = {
    "sum": {"decisions": {"ban_l_weighting": "sum"}},
    "batch": {"decisions": {"dkpp_permutation": "batch"}},
    "no-dropout": {"networks": {"wide_resnet": {"dropout": 0.0}}},
    "7": {"images": {"weight_decay": 0.125}},
}
NAMES = {kind: [name for name, network in NETWORKS.items() if network.kind == kind]
         for kind in ("image", "language")}  # fmt: skip


@st.composite
def trained(draw: st.DrawFn, teachers: list[str], networks: list[str]) -> dict[str, Any]:
    """A cell of one network, from one of these teachers or from the labels."""
    cell: dict[str, Any] = {"objective": "label"}
    if teachers and draw(st.booleans()):
        cell["objective"] = draw(st.sampled_from(["ban", "ban+l", "cwtm", "dkpp"]))
        cell["teacher"] = draw(st.sampled_from(teachers))
        # By the objective, so that no two cells want one run with and without it.
        cell["share_ends"] = cell["objective"] == "dkpp"
    options = some(
        seed_offset=st.sampled_from([1, 1000]),
        network=st.sampled_from(networks),
        variant=st.sampled_from([*VARIANTS]),
        part=st.sampled_from(["validation", "test"]),
    )
    return cell | draw(options)


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    """A valid table: lineages, ensembles, variants, dashes, and teachers in other rows."""
    role = draw(st.sampled_from(["cifar10", "cifar100", "ptb"]))
    networks = NAMES["language" if role == "ptb" else "image"]
    columns: dict[str, Any] = {}
    for i in range(draw(st.integers(1, 5))):
        before = [name for name, cell in columns.items() if "ensemble" not in cell]
        if len(before) > 1 and draw(st.integers(0, 3)) == 0:
            members = draw(st.lists(st.sampled_from(before), min_size=2, unique=True))
            columns[f"c{i}"] = {"ensemble": members}
        else:
            columns[f"c{i}"] = draw(trained(before, networks))
    needed = {cell.get("teacher") for cell in columns.values()} | {
        member for cell in columns.values() for member in cell.get("ensemble", ())
    }
    rows: dict[str, Any] = {}
    for i in range(draw(st.integers(1, 3))):
        row: dict[str, Any] = {"network": draw(st.sampled_from(networks)), "cells": {}}
        free = [name for name in columns if name not in needed and name != "c0"]
        if free and draw(st.booleans()):
            row["cells"][draw(st.sampled_from(free))] = None
        if rows and draw(st.booleans()):
            teacher = {"row": draw(st.sampled_from([*rows])), "column": "c0"}
            row["cells"]["c0"] = {"objective": "ban", "teacher": teacher}
        if draw(st.booleans()):
            row["reported"] = dict.fromkeys(columns, draw(positive))
        rows[f"r{i}"] = row | draw(some(params=positive))
    # Students may stand before their teachers.
    return {
        "title": draw(lines(min_size=1)),
        "dataset": role,
        "columns": {name: columns[name] for name in draw(st.permutations([*columns]))},
        "rows": {name: rows[name] for name in draw(st.permutations([*rows]))},
        "variants": VARIANTS,
        **draw(some(notes=st.lists(lines(), max_size=2))),
    }
