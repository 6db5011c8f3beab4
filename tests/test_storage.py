"""Results in an object storage: a local S3-compatible server, and machines that have nothing."""

import io
import json
import logging
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pytest
from conftest import PATH, TINY, Workplace
from moto.server import ThreadedMotoServer

BUCKET, PREFIX = "born-again", "s3://born-again/sweeps"
RUNS = "sweeps/results/one/runs/two_digit_numbers"
TABLE = "sweeps/results/one/tables/table3.csv"
STUDENT = f"{RUNS}/wide_resnet_28_2.label.0/wide_resnet_28_2.ban.0/"


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    """A bucket of a server on this machine, whose address and keys are in the environment."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNAKEMAKE_STORAGE_S3_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        storage = boto3.resource(
            "s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1"
        )
        yield storage.create_bucket(Bucket=BUCKET)
    server.stop()


def machine(folder: Path) -> Workplace:
    """A machine that has the suite and no results."""
    folder.mkdir()
    place = Workplace(folder)
    place.configure({**TINY, "scale": "one", "tables": ["table3"]})
    return place


def call(place: Workplace, target: str, *arguments: str) -> str:
    storage = ["--default-storage-provider", "s3", "--default-storage-prefix", PREFIX]
    files = ["--configfile", "config/digits.yaml", "mine.yaml"]
    done = subprocess.run(
        place.command(target, *storage, *arguments, *files),
        cwd=place.folder,
        env={**os.environ, "PATH": PATH},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def first(bucket: Any, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """The machine that has built a table."""
    place = machine(tmp_path_factory.mktemp("storage") / "first")
    call(place, "tables")
    return place


def read(bucket: Any, key: str) -> bytes:
    content: bytes = bucket.Object(key).get()["Body"].read()
    return content


def test_a_table_is_built_into_the_bucket_and_nowhere_else(bucket: Any, first: Workplace) -> None:
    table = pd.read_csv(io.BytesIO(read(bucket, TABLE)))
    assert (table["n"] == 1).all()
    keys = [entry.key for entry in bucket.objects.all()]
    assert sum(key.endswith("run.json") for key in keys) == 12
    assert "sweeps/results/one/claims.csv" in keys
    assert not (first.folder / "results").exists()


def test_another_machine_finds_everything_done(
    bucket: Any, first: Workplace, tmp_path: Path
) -> None:
    assert "Nothing to be done" in call(machine(tmp_path / "second"), "all", "--dry-run")


def test_another_machine_trains_what_is_missing_from_the_teacher_in_the_bucket(
    bucket: Any, first: Workplace, tmp_path: Path
) -> None:
    before = json.loads(read(bucket, f"{STUDENT}run.json"))
    for entry in bucket.objects.filter(Prefix=STUDENT):
        entry.delete()
    output = call(machine(tmp_path / "second"), "table3")
    assert output.count("Finished jobid") == 3
    after = json.loads(read(bucket, f"{STUDENT}run.json"))
    assert after["teacher"] == before["teacher"]
    assert after["checksums"] == before["checksums"]
    assert (pd.read_csv(io.BytesIO(read(bucket, TABLE)))["n"] == 1).all()
