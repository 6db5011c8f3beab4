"""A scale whose runs take a fraction of a second, and what a folder needs to run Snakemake."""

from typing import Any

TINY: dict[str, Any] = {
    "scale": "tiny",
    "tables": [*(f"table{number}" for number in range(1, 7)), "controls", "sensitivity"],
    "seeds": [0],
    "device": "cpu",
    "precision": "float32",
    # After two epochs a network knows nothing yet.
    "teacher_at_chance": "allow",
    "datasets": {
        "cifar10": {"name": "digits", "train": 200, "test": 100},
        "cifar100": {"name": "two_digit_numbers", "train": 200, "test": 100},
    },
    "networks": {
        "wide_resnet": {"width_ratio": "1/8"},
        "densenet": {"width_ratio": "1/10"},
        "lstm": {"width_ratio": "1/100"},
        "cnn_lstm": {"width_ratio": "1/50"},
    },
    "images": {"epochs": 2, "milestones": [1]},
    "language": {"lstm": {"epochs": 1}, "cnn_lstm": {"epochs": 1}},
}

LINKED = ("Snakefile", "rules", "tables", "config", "notebooks", "profiles", "environment.yml")
