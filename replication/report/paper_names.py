"""The names that the paper prints for the rows and columns of its tables, from their keys."""

import re

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


def paper_name(key: str) -> str:
    """The name of a row or a column as the paper writes it.

    For example ``Wide-ResNet-28-1`` for ``wide-resnet-28-1`` and ``BAN+L Val`` for ``ban+l val``. A
    key without any word of the paper stays as it is.
    """
    return _WORD.sub(lambda word: PAPER_WORDS[word[1]], key)


def network_name(network: str) -> str:
    """The name of a network of the catalogue as the paper writes it: DenseNet-90-60."""
    for family, name in _NETWORK.items():
        if network.startswith(family):
            return (name + network.removeprefix(family)).replace("_", "-")
    return network
