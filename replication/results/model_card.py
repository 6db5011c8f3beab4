"""A run's model card: its ``README.md`` in the format of the Hugging Face Hub, from its record."""

import json
from collections.abc import Mapping
from typing import Any

import yaml

IMAGE_CODE = """\
import timm
import replication.networks  # registers the networks with timm

network = timm.create_model("local-dir:.", pretrained=True).eval()  # in this folder
logits = network(images)  # (n, {in_chans}, height, width), normalised by mean and std below
"""
LANGUAGE_CODE = """\
from replication.networks.language import create_language_model
from safetensors.torch import load_file

network = create_language_model("{name}", vocabulary, **{arguments})  # the training text's words
network.load_state_dict(load_file("model.safetensors"))
"""


def model_card(record: Mapping[str, Any]) -> str:
    """The card of a finished run: metadata, description, data, recipe, lineage, result, loading.

    `record` is what ``run.json`` holds. The same run gives the same text.
    """
    network, data, result = (record[key] for key in ("network", "dataset", "result"))
    name, images = record["run"].rpartition("/")[2], "classes" in data
    task = "image-classification" if images else "text-generation"
    measured = [
        {"type": metric.split(" ")[1], "name": metric, "value": round(value, 4)}
        for metric, value in result.items()
    ]
    metadata = {
        "license": "mit",
        "library_name": "timm" if images else "pytorch",
        "pipeline_tag": task,
        "tags": ["born-again-networks", "knowledge-distillation", record["objective"]],
        "model-index": [
            {
                "name": name,
                "results": [
                    {
                        "task": {"type": task},
                        "dataset": {"name": data["name"], "type": data["name"]},
                        "metrics": measured,
                    }
                ],
            }
        ],
    }
    code = IMAGE_CODE if images else LANGUAGE_CODE
    # Weights from elsewhere have no recipe.
    training = record["recipe"].get("training")
    # A network from elsewhere sees the images in its own normalisation, not in the data set's.
    normalisation = (
        {"Normalisation": _table(record["normalisation"])} if "normalisation" in record else {}
    )
    shown = {
        key: value for key, value in data.items() if not (normalisation and key in ("mean", "std"))
    }
    sections = {
        "Data": _table(shown),
        **normalisation,
        **({"Recipe": _table(training)} if training else {}),
        "Lineage": _lineage(record),
        "Result": _table({metric: f"{value:.4g}" for metric, value in result.items()}),
        "Load it": f"```python\n{code.format(**network, **network['arguments'])}```",
    }
    front = yaml.safe_dump(metadata, sort_keys=False)
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items())
    return f"---\n{front}---\n\n# {name}\n\n{_description(record)}\n\n{body}\n"


def _description(record: Mapping[str, Any]) -> str:
    network, generation = record["network"]["name"], record["generation"]
    if "weights" in record["recipe"]:
        source = "with weights from elsewhere, which were evaluated and not trained here"
    elif record["teacher"]:
        source = f"trained on the predictions of `{record['teacher']['run']}`"
    else:
        source = "trained without a teacher"
    return (
        f"`{network}` with {record['parameters']:,} parameters, generation {generation}, seed"
        f" {record['seed']}, {source} (objective `{record['objective']}`). Part of a replication of"
        " *Born-Again Neural Networks*"
        " (Furlanello et al., ICML 2018, [arXiv 1805.04770](https://arxiv.org/abs/1805.04770));"
        f" `run.json` has the whole record. Recipe hash `{record['recipe_hash']}`, precision"
        f" {record['precision']}."
    )


def _lineage(record: Mapping[str, Any]) -> str:
    teachers = [
        f"{generation}. `{teacher['run']}`, weights `{teacher['model_sha256'][:12]}`"
        for generation, teacher in enumerate(record["lineage"])
    ]
    return "\n".join([*teachers, f"{len(teachers)}. this network"])


def _table(values: Mapping[str, Any]) -> str:
    lines = [
        f"| {key} | {value if isinstance(value, str) else json.dumps(value)} |"
        for key, value in values.items()
    ]
    return "\n".join(["| | |", "|---|---|", *lines])
