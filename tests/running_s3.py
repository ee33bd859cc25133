"""A real object store for tests: moto's server of S3, from what the machine has, and what fsspec reads it with."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.request import urlopen

import fsspec
import pytest
from fsspec.implementations.arrow import ArrowFSWrapper
from pyarrow.fs import S3FileSystem

from tests.running_system import free_port, until

BUCKET = "bucket"


class _ArrowS3(ArrowFSWrapper):
    """S3 by pyarrow, as the tests' environment has no s3fs."""

    def __init__(self, **_: object) -> None:
        super().__init__(_arrow())


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """The URI of an empty bucket, for this process and those that it starts, until the end of the block.

    The test is skipped where there is no server.
    """
    places = (Path(sys.executable).parent, Path(sys.base_prefix) / "bin", os.environ["PATH"])
    server, port = shutil.which("moto_server", path=os.pathsep.join(map(str, places))), free_port()
    if server is None:
        pytest.skip("moto_server is not here")
    url = f"http://127.0.0.1:{port}"
    given = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with (folder / "s3.log").open("w") as log:
        process = subprocess.Popen([server, "-H", "127.0.0.1", "-p", str(port)], env=given, stdout=log, stderr=log)
    access = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests", "AWS_REGION": "us-east-1"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (access | {"AWS_ENDPOINT_URL": url, "AWS_ALLOW_HTTP": "true"}).items():
            patch.setenv(name, value)
        try:
            until(lambda: _answers(url), "S3", 60)
            _arrow().create_dir(BUCKET)
            if find_spec("s3fs") is None:
                fsspec.register_implementation("s3", _ArrowS3, clobber=True)
            yield f"s3://{BUCKET}"
        finally:
            process.terminate()
            process.wait(timeout=30)


def _arrow() -> S3FileSystem:
    place = os.environ["AWS_ENDPOINT_URL"].partition("://")[2]
    return S3FileSystem(
        endpoint_override=place,
        scheme="http",
        region="us-east-1",
        allow_bucket_creation=True,
        allow_delayed_open=True,  # a small file in one request, as s3fs writes it
    )


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5):
            return True
    except OSError:
        return False
