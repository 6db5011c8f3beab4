"""The profile for Kubernetes, as far as it goes without a cluster: it loads, and plans a sweep."""

import boto3
import pytest
from conftest import ROOT, TINY, Workplace
from moto.server import ThreadedMotoServer


def test_a_sweep_is_planned_from_a_bucket(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        url = "http://{}:{}".format(*server.get_host_and_port())
        bucket = boto3.resource("s3", endpoint_url=url).Bucket("your-bucket")
        bucket.create()
        for file in (ROOT / "tables").glob("*.yaml"):
            bucket.upload_file(str(file), f"born-again-networks/tables/{file.name}")
        place = Workplace(tmp_path_factory.mktemp("kubernetes"))
        place.configure({**TINY, "tables": ["table6"]})
        profile = ["--profile", "profiles/kubernetes", "--storage-s3-endpoint-url", url]
        assert place.jobs("tables", *profile)["train"] == 4
    finally:
        server.stop()
