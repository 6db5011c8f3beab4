"""The names of tables, rows, columns, networks and data as a reader of the paper knows them."""

import re
from collections.abc import Iterable

from replication.data.specs import DATASETS
from replication.wording import in_words

PAPER_WORDS = {
    "ban": "BAN",
    "cwtm": "CWTM",
    "dkpp": "DKPP",
    "kd": "KD",
    "dkd": "DKD",
    "tf-kd": "Tf-KD",
    "ens": "Ens",
    "densenet": "DenseNet",
    "wide-resnet": "Wide-ResNet",
    "pre-resnet": "Pre-ResNet",
    "match": "Match",
    "lstm": "LSTM",
    "cnn": "CNN",
    "depth": "Depth",
    "compr": "Compr",
    "baseline": "Baseline",
    "teacher": "Teacher",
    "val": "Val",
    "test": "Test",
    "error": "Error",
    "l": "L",
    "drop-out": "dropout",
}
"""How the paper writes the words of which the keys of tables are made."""

_LONGEST_FIRST = sorted(map(re.escape, PAPER_WORDS), key=len, reverse=True)
_WORD = re.compile(rf"(?<!\w)({'|'.join(_LONGEST_FIRST)})(?!\w)")
_NETWORK = {
    "wide_resnet_as_dense": "Wide-ResNet",
    "pre_resnet": "Pre-ResNet",
    "wide_resnet": "Wide-ResNet",
    "densenet": "DenseNet",
    "cnn_lstm": "CNN-LSTM",
    "lstm": "LSTM",
}
_PARTS = (
    (re.compile(r"_compression_(\d+)$"), "Compr"),
    (re.compile(r"_(half|double|triple|quadruple)_depth$"), "Depth"),
    (re.compile(r"_(50|100)$"), ""),
)
"""How a network differs from its teacher: Table 4's compression and depth, Table 5's width."""
_FACTORS = {"half": "0.5", "double": "2", "triple": "3", "quadruple": "4"}
_TABLES = {"beyond": "other objectives"}
_NUMBERED = re.compile(r"table(\d+)")


def paper_name(key: str) -> str:
    """The name of a row or a column as the paper writes it.

    For example ``Wide-ResNet-28-1`` for ``wide-resnet-28-1`` and ``BAN+L Val`` for ``ban+l val``. A
    key without any word of the paper stays as it is.
    """
    return _WORD.sub(lambda word: PAPER_WORDS[word[1]], key)


def network_name(network: str) -> str:
    """The name of a network of the catalogue as the paper writes it.

    For example ``DenseNet-90-60``, ``DenseNet-90-60 (0.5*Depth)`` and ``Pre-ResNet-14-0.5``.
    """
    if ":" in network:  # timm's names stay as they are
        return network
    change = ""
    for pattern, quantity in _PARTS:
        if part := pattern.search(network):
            network = network.removesuffix(part[0])
            factor = _FACTORS.get(part[1]) or f"{int(part[1]) / 100:g}"
            change = f" ({factor}*{quantity})" if quantity else f"-{factor}"
            break
    for family, name in _NETWORK.items():
        if network.startswith(family):
            return (name + network.removeprefix(family)).replace("_", "-") + change
    return network + change


def table_name(table: str) -> str:
    """The name of a table in a sentence: ``Table 2``, ``controls``, ``other objectives``."""
    number = table_number(table)
    return f"Table {number}" if number else _TABLES.get(table, table)


def table_number(table: str) -> str:
    """The number of one of the paper's tables; empty for any other table."""
    number = _NUMBERED.fullmatch(table)
    return number[1] if number else ""


def cell_name(table: str, row: str, column: str) -> str:
    """The name of a cell in a sentence: ``BAN+L Val of LSTM in Table 6``."""
    return f"{paper_name(column)} of {paper_name(row)} in {table_name(table)}"


def table_names(tables: Iterable[str]) -> str:
    """The names of several tables in a list: ``Tables 1, 3 and 4, controls``."""
    names = [*tables]
    numbers = [*filter(None, map(table_number, names))]
    others = [table_name(name) for name in names if not table_number(name)]
    if len(numbers) < 2:
        return ", ".join([*(f"Table {number}" for number in numbers), *others])
    return ", ".join([f"Tables {in_words(numbers)}", *others])


def networks_on_data(networks: Iterable[str], dataset: str) -> str:
    """Networks with what they were trained on: ``LSTM, CNN-LSTM on the Python reference``."""
    data = DATASETS[dataset].label if dataset in DATASETS else dataset
    return f"{', '.join(map(network_name, networks))} on {data}"


def label_trained_networks(reference: str) -> str:
    """How many label-trained networks count as one, from the column ``reference``.

    For example ``1``, or ``DenseNet-90-60: 3; DenseNet-80-80: 1`` where the numbers differ.
    """
    counts = [part.rsplit(": ", 1) for part in reference.split("; ")]
    if len({count for _, count in counts}) == 1:
        return counts[0][1]
    places = [place.rsplit(" on ", 1) for place, _ in counts]
    is_one_data_set = len({dataset for _, dataset in places}) == 1
    names = [
        network_name(network) if is_one_data_set else networks_on_data([network], dataset)
        for network, dataset in places
    ]
    return "; ".join(f"{name}: {count}" for name, (_, count) in zip(names, counts, strict=True))
