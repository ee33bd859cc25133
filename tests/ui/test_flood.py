"""A flood of requests beside a promotion: it is not held up, and the UI answers again afterwards."""

import json
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime

import pytest

from benchmarks.harness.flood import flooded
from evergreen.stores import Stores
from tests.running_system import CHECKOUT, environment, until
from tests.ui.running_ui import running

RATE = 1000  # requests a second
PAGES = ("/", "/models", "/models/toy", "/models/toy/versions", "/activity", "/api/models/toy/versions", "/metrics")
ASKS = "\nmodel = model.model_copy(update={'policy': Policy(every='7d', approval='9999d')})\n"


def pending():
    from flows.refresh import refresh

    refresh("toy", as_of=datetime(2013, 1, 29, tzinfo=UTC))


@pytest.mark.slow
def test_a_flood_of_requests_holds_up_no_promotion(home, begun, write_model):
    write_model(ASKS)
    begun(pending)
    registry = Stores.open().registry
    assert registry.champion("toy") is None
    command = [sys.executable, "-m", "cli.main", "approve", "toy", "--reason", "seen", "--json"]
    with running(home) as url:

        def champion():
            with urllib.request.urlopen(f"{url}/api/models/toy", timeout=60) as answer:
                return json.load(answer)["champion"]

        with flooded(url, RATE, *PAGES) as came:
            done = subprocess.run(command, cwd=CHECKOUT, env=environment(home), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        promoted = registry.champion("toy").number
        assert json.loads(done.stdout)["champion"] == promoted
        print(came)
        assert came["200"] > 0
        until(lambda: champion() == promoted, "the new champion on the page")
