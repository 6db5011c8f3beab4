"""Where the time of a sweep goes, by the rules of the workflow, from what Snakemake wrote down."""

import json
from pathlib import Path

import pandas as pd

COLUMNS = ["tree", "rule", "jobs", "seconds"]
WHOLE, TRAINING = "whole call", "training within the jobs"


def measure_stages(folder: Path, tree: str) -> pd.DataFrame:
    """Jobs and their seconds by rule, the longest first, for the last call in a folder.

    ``folder`` is the checkout in which Snakemake was run for one scale; ``tree`` names its
    commit. The first line is the time from the first job's start to the last one's end. *Training
    within the jobs* is what ``run.json`` says of the runs; the rest of the rule `train` is what the
    workflow adds.
    """
    outputs = [
        json.loads(file.read_text(encoding="utf-8"))
        for file in (folder / ".snakemake/metadata").rglob("*")
        if file.is_file()
    ]
    # Each output of a job has a file of its own; the log is the job's.
    lines = [
        (line["rule"], str(line["log"]), line["starttime"], line["endtime"]) for line in outputs
    ]
    frame = pd.DataFrame(lines, columns=["rule", "log", "start", "end"])
    frame = frame.groupby(["rule", "log"]).agg({"start": "min", "end": "max"}).reset_index()
    frame["seconds"] = frame["end"] - frame["start"]
    by_rule = frame.groupby("rule")["seconds"].agg(["size", "sum"])
    by_rule = by_rule.sort_values("sum", ascending=False)
    records = [
        json.loads(file.read_text(encoding="utf-8"))
        for file in (folder / "results").glob("*/runs/**/run.json")
    ]
    stages = [
        (WHOLE, 1, frame["end"].max() - frame["start"].min()),
        (TRAINING, len(records), sum(record["seconds"] for record in records)),
        *by_rule.itertuples(name=None),
    ]
    return pd.DataFrame([(tree, *line) for line in stages], columns=COLUMNS)
