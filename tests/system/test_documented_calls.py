"""The examples of the documentation, run as they are written: only the address is another one."""

import os
import re
import subprocess

import numpy as np
import pandas as pd
import pytest

from evergreen.definition import loader
from tests.running_service import promoted_on, serving
from tests.running_system import CHECKOUT

ADDRESS = "http://127.0.0.1:8100"
pytestmark = pytest.mark.long


@pytest.fixture
def airtime(home, monkeypatch):
    """The address of a service of `airtime`, which learnt a few made-up flights."""
    folder = str(CHECKOUT / "models")
    monkeypatch.setenv("EVERGREEN_MODELS", folder)
    minutes = np.arange(60.0, 360.0, 2.5)
    known = {"carrier": "UA", "origin": "EWR", "dest": "IAH", "minute_of_day": 315.0, "weekday": 1.0, "seats": 178.0}
    departs = pd.date_range("2013-01-01", periods=len(minutes), freq="h", tz="UTC")
    flights = pd.DataFrame({"departs": departs, "distance": 7 * minutes, "air_time": minutes}).assign(**known)
    promoted_on(loader.load("airtime"), flights)
    with serving(EVERGREEN_MODELS=folder) as running:
        yield running.wait().url


def examples(page):
    """The calls of `curl` on a page."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (CHECKOUT / page).read_text(), re.MULTILINE | re.DOTALL)
    return [block for block in blocks if "curl" in block]


def test_the_examples_of_asking_and_labelling_are_answered(airtime, tmp_path):
    (tmp_path / ".curlrc").write_text('silent\nwrite-out = "\\n%{response_code}"\n')
    environ = os.environ | {"CURL_HOME": str(tmp_path)}
    calls = [*examples("README.md"), *examples("docs/how-to/serving.md")]
    assert len(calls) == 3
    for example in calls:
        assert ADDRESS in example
        command = ["bash", "-c", example.replace(ADDRESS, airtime)]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
        assert done.stdout.splitlines()[-1] == "200", done
