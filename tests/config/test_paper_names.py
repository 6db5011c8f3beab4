"""Documents name tables, networks and data as a reader of the paper knows them."""

import pytest
from support.plans import ROOT

from replication.architectures.catalogue import NETWORKS
from replication.config.paper_names import (
    label_trained_networks,
    network_name,
    networks_on_data,
    table_name,
    table_names,
)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("densenet_90_60", "DenseNet-90-60"),
        ("densenet_90_60_half_depth", "DenseNet-90-60 (0.5*Depth)"),
        ("densenet_90_60_compression_150", "DenseNet-90-60 (1.5*Compr)"),
        ("pre_resnet_1001", "Pre-ResNet-1001"),
        ("pre_resnet_14_50", "Pre-ResNet-14-0.5"),
        ("wide_resnet_28_10", "Wide-ResNet-28-10"),
        ("wide_resnet_as_dense_4_100", "Wide-ResNet-4-1"),
        ("cnn_lstm", "CNN-LSTM"),
        ("timm:mobilenetv3_large_100", "timm:mobilenetv3_large_100"),
    ],
)
def test_a_network_has_the_name_that_the_paper_prints(key: str, name: str) -> None:
    assert network_name(key) == name


def test_every_network_has_a_name_of_its_own() -> None:
    names = [network_name(key) for key in NETWORKS]
    assert len({*names}) == len(names)
    assert not [name for name in names if "_" in name]


def test_tables_and_data_are_named_in_words() -> None:
    assert table_name("table2") == "Table 2"
    assert [table_name(name) for name in ("tabletop", "tests1", "study1")] == [
        *("tabletop", "tests1", "study1")
    ]
    assert table_names(["tests1", "table2"]) == "Table 2, tests1"
    assert table_names(["table1", "table3", "table4"]) == "Tables 1, 3 and 4"
    assert table_names(["beyond", "controls", "table3"]) == "Table 3, other objectives, controls"
    networks = ["densenet_90_60", "lstm"]
    shown = networks_on_data(networks, "fashion_mnist_pairs")
    assert shown == "DenseNet-90-60, LSTM on pairs of Fashion-MNIST items"
    assert networks_on_data(["timm-resnet18"], "my_data") == "timm-resnet18 on my_data"


def test_the_numbers_of_label_trained_networks_are_one_number_where_they_are_equal() -> None:
    assert label_trained_networks("lstm on words: 2; cnn_lstm on words: 2") == "2"
    unequal = "lstm on words: 2; cnn_lstm on words: 1"
    assert label_trained_networks(unequal) == "LSTM: 2; CNN-LSTM: 1"
    two = "lstm on words: 2; lstm on digits: 1"
    assert label_trained_networks(two) == "LSTM on words: 2; LSTM on scikit-learn’s digits: 1"


@pytest.mark.parametrize("page", ["docs/results.md", "published/README.md"])
def test_no_page_of_results_has_keys_of_networks_or_data(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    assert not [key for key in NETWORKS if "_" in key and f" {key} " in text.replace("\\", "")]
