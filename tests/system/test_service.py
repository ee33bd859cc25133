"""`evergreen serve` as its user meets it: real processes, a real registry, a real lake, real HTTP."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError

import mlflow
import pandas as pd
import pytest
import schemathesis
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from mlflow.pyfunc.scoring_server.client import ScoringServerClient
from schemathesis.specs.openapi.checks import positive_data_acceptance

from evergreen.definition.model_files import path_of
from evergreen.lake.lake import SERVED
from evergreen.registry.version import CHAMPION
from evergreen.settings import Settings
from evergreen.stores import Stores
from serving.http.keys import new_key
from serving.log.segments import closed
from tests.running_service import Address, Callers, Service, ask, landed, serving
from tests.running_system import CHECKOUT, environment, free_port, until

PATH = "/models/toy/invocations"
IN_TIME = 4.0  # seconds: two on a machine with a core to spare
ONE = {"dataframe_records": [{"x": 1.0, "z": 0.0}]}
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def service(lived):
    """A running service of it."""
    with serving() as running:
        yield running.wait()


@pytest.fixture
def back(lived):
    """The first version is champion again at the end."""
    yield
    Stores.open().registry.alias(lived[0], CHAMPION)


OFTEN = [3, pytest.param(20, marks=pytest.mark.slow)]


@pytest.mark.parametrize("often", OFTEN)
def test_a_promotion_and_a_rollback_reach_the_running_service_in_time_and_nobody_is_refused(
    lived, service, back, often
):
    times = []
    with Callers(service) as callers:
        for version in itertools.islice(itertools.cycle(lived[::-1]), often):
            Stores.open().registry.alias(version, CHAMPION)
            began = time.monotonic()
            service.wait(version)
            times.append(time.monotonic() - began)
    assert callers.failed == []
    assert set(callers.answered.values()) == {"1", "2"}
    assert max(times) < 5, times
    assert landed(callers) == callers.answered


@pytest.mark.long
def test_a_model_whose_file_is_deleted_answers_until_a_person_retires_it(lived, service, back):
    file = path_of("toy")
    text = file.read_text()
    file.unlink()
    try:
        assert service.ask(PATH, ONE)[0] == 200
        for words, status in (([], 503), (["--undo"], 200)):
            assert run("retire", "toy", "--reason", "sold no more", *words).returncode == 0
            until(lambda status=status: service.ask(PATH, ONE)[0] == status, f"status {status}")
            assert (service.standing() == {}) == (status == 503)
        for words in (["audit"], ["audit", "toy"], ["models", "toy"], ["why", "toy"]):  # its records are still read
            done = run(*words, "--json")
            assert (done.returncode, bool(json.loads(done.stdout))) == (0, words[0] != "why"), done
    finally:
        file.write_text(text)


def test_mlflows_own_client_is_answered(service):
    client = ScoringServerClient(*service.url.removeprefix("http://").split(":"))
    client.ping()
    rows = pd.DataFrame([[1.0, 0.0], [2.0, None]], columns=["x", "z"])
    with pytest.raises(Exception, match="422"):
        client.invoke(pd.DataFrame({"x": [1.0]}))
    predictions = client.invoke(rows.head(1)).get_predictions()
    assert predictions.to_numpy().tolist() == [service.ask(PATH, ONE)[1]["predictions"]]
    assert client.get_version() == mlflow.__version__


@pytest.mark.long
def test_a_challenger_answers_a_share_or_in_the_shadow_until_it_is_taken_back(lived, service, back):
    def beside():
        return service.ask("/models")[1]["toy"]["canary"]

    Stores.open().registry.alias(lived[0], CHAMPION)
    service.wait(lived[0])
    assert run("challenge", "toy", "--version", "2", "--share", "0.5").returncode == 0
    until(beside, "the canary")
    with Callers(service) as callers:
        until(lambda: len(callers.answered) > 100, "some answers")
    assert (callers.failed, set(callers.answered.values())) == ([], {"1", "2"})
    assert landed(callers) == callers.answered
    stopped = run("challenge", "toy", "--stop", "--json")
    assert json.loads(stopped.stdout) == {"model": "toy", "withdrawn": ["2"]}
    until(lambda: not beside(), "the end of the canary")

    Stores.open().registry.challenge(lived[1], None)
    until(
        lambda: (
            "shadow" in DeltaTable(Stores.open().lake.uri("toy", SERVED)).to_pandas()["_role"].values
            or not service.ask(PATH, ONE)
        ),
        "the shadow's answers",
    )
    Stores.open().registry.withdraw("toy", "shadow")


@pytest.mark.parametrize(
    ("words", "told"),
    [(("--share", "1.5"), "above 0"), (("--version", "challenger"), "challenger")],
)
def test_a_challenge_that_cannot_be_is_told(lived, words, told):
    done = run("challenge", "toy", *words)
    assert (done.returncode in (1, 2), told in done.stderr, "Traceback" in done.stderr) == (True, True, False), (
        done.stderr
    )


@pytest.mark.long
@pytest.mark.parametrize("often", OFTEN)
def test_every_worker_that_is_killed_is_started_again_and_no_answer_is_lost(lived, service, often):
    with Callers(service) as callers:
        for _ in range(often):
            until(lambda: len(callers.answered) > 20, "some answers")
            (worker,) = until(service.workers, "a worker")
            time.sleep(0.3)
            os.kill(worker, signal.SIGKILL)
            until(lambda killed=worker: service.workers() not in ([], [killed]), "another worker")
            service.wait()
    assert landed(callers) == callers.answered


def test_whatever_the_document_allows_is_answered_or_refused_and_nothing_else_happens(service):
    schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
    for documented in schema.get_all_operations():
        operation = documented.ok()

        @given(case=operation.as_strategy())
        @settings(
            max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
        )
        def fuzzed(case):
            # The document says that a number may be missing; whether the estimator takes that, it says itself.
            case.call_and_validate(excluded_checks=[positive_data_acceptance])

        fuzzed()
    assert service.ask(PATH, ONE)[0] == 200


def test_one_home_is_served_once(lived, service):
    again = run("serve", "--port", "0")
    assert (again.returncode, "already runs in" in again.stderr) == (6, True)


def run(*words, **more):
    command = [sys.executable, "-m", "cli.main", *words]
    given = environment(Settings.read().home, **more)
    return subprocess.run(command, cwd=CHECKOUT, env=given, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("words", "more", "code", "told"),
    [
        (("serve", "nobody"), {}, 1, "nobody"),
        (("serve", "--host", "0.0.0.0"), {}, 1, "evergreen key"),
        (("serve",), {"EVERGREEN_KEYS": "spoilt"}, 1, "SHA-256"),
        (("key", "nobody"), {}, 1, "nobody"),
    ],
)
def test_what_cannot_be_served_is_told(home, words, more, code, told):
    done = run(*words, **more)
    assert (done.returncode, told in done.stderr, "Traceback" in done.stderr) == (code, True, False), done.stderr


def test_keys_that_every_user_can_add_to_are_refused(home, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(f"{'a' * 64} *")
    keys.chmod(0o666)
    done = run("serve", EVERGREEN_KEYS_FILE=str(keys))
    assert (done.returncode, done.stderr) == (
        1,
        f"Error: {keys} can be changed by other users (mode 0666). Close it: chmod 600 {keys}, once you have checked "
        "what it holds.\n",
    )


@pytest.fixture(scope="module")
def guarded(lived, service, tmp_path_factory):
    """A service that asks for keys, from copies of the models; its file of keys, and two keys."""
    home, keys = service.home.parent / "guarded" / "home", tmp_path_factory.mktemp("keys") / "keys"
    shutil.copytree(service.home / "serving" / "models", home / "serving" / "models")
    shutil.copytree(service.home.parent / "models", home.parent / "models")
    shutil.copy(service.home / "serving" / "secret", home / "serving" / "secret")  # it seals the copies
    (toy, line), (other, more) = new_key(["toy"]), new_key(["other"])
    keys.write_text(f"{line}\n{more}\n")
    running = Service(home=home, EVERGREEN_KEYS_FILE=str(keys))
    try:
        until(lambda: ask(running.url + PATH, ONE, toy)[0] == 200, "an answer", 60)
        yield running, keys, {"nobody": "", "another": other, "its own": toy}
    finally:
        running.stop()
    assert "Traceback" not in running.text


@pytest.mark.parametrize("who", ["nobody", "another", "its own"])
def test_whatever_is_asked_with_a_key_is_answered_of_its_own_models_alone(guarded, who):
    running, _, keys = guarded
    headers = {"authorization": f"Bearer {keys[who]}"} if keys[who] else {}
    own = {"authorization": f"Bearer {keys['its own']}"}
    schema = schemathesis.openapi.from_url(f"{running.url}/openapi.json", headers=own)
    operations = [documented.ok() for documented in schema.get_all_operations()]
    assert len(operations) >= 7

    def fuzz(operation):
        @given(case=operation.as_strategy())
        @settings(
            max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
        )
        def fuzzed(case):
            answer = case.call(headers=headers)
            if who == "its own" or case.path in ("/ping", "/health", "/version"):
                case.validate_response(answer, excluded_checks=[positive_data_acceptance])
                return
            expected = 401 if who == "nobody" else 403 if "toy" in case.path else 200
            assert answer.status_code == expected
            assert answer.status_code == 403 or "toy" not in answer.text

        fuzzed()

    for operation in operations:
        fuzz(operation)


@pytest.mark.long
def test_a_key_is_made_and_lets_in_until_it_is_removed_which_a_person_is_told(guarded):
    running, keys, _ = guarded
    command = run("key", "toy")
    key = command.stderr.splitlines()[0].split()[-1]
    assert (command.returncode, key in command.stdout) == (0, False)
    assert "EVERGREEN_KEYS_FILE" in command.stderr
    asked = [(PATH, ONE, key), ("/models", None, key), ("/models", None), ("/ping", None)]

    def statuses():
        return [ask(running.url + path, body, *bearer)[0] for path, body, *bearer in asked]

    assert statuses() == [401, 401, 401, 200]
    keys.write_text(command.stdout)
    until(lambda: statuses() == [200, 200, 401, 200], "the new key", 10)
    for text, problem in (("", "which has no key"), (None, "which cannot be read")):
        keys.unlink() if text is None else keys.write_text(text)
        until(lambda: statuses() == [401, 401, 401, 200], "the refusal", 10)
        until(lambda problem=problem: running.text.count(problem) == 2, "the alert, here and as it goes out", 30)
        time.sleep(2.5)  # two more looks
        assert running.text.count(problem) == 2
        keys.write_text(command.stdout)
        until(lambda: statuses() == [200, 200, 401, 200], "an answer", 10)


@pytest.mark.long
def test_ctrl_c_ends_it_in_time_with_requests_in_progress_and_no_answer_is_lost(lived, service, tmp_path):
    home = service.home.parent / "stopped" / "home"
    for name in ("models", "secret"):
        copy = shutil.copytree if name == "models" else shutil.copy
        copy(service.home / "serving" / name, home / "serving" / name)
    shutil.copytree(service.home.parent / "models", home.parent / "models")
    with serving(home=home) as stopped, Callers(Address(stopped.wait().url)) as callers:
        until(lambda: len(callers.answered) > 50, "some answers")
        began = time.monotonic()
        assert stopped.stop() == 130
        assert time.monotonic() - began < IN_TIME
    assert "\nStopped. Every answer is logged" in stopped.text
    assert "Traceback" not in stopped.text
    logged = [set(line["ids"]) for segment in closed(home / "serving" / "log") for line, _ in segment.lines()]
    served = DeltaTable(str(home / "lake" / "toy" / SERVED)).to_pandas(columns=["_id"])["_id"]
    assert set(callers.answered) <= set(served).union(*logged)


def _before_the_address(service, port):
    """What a caller is answered who comes before the address is said; None while nothing listens."""
    with suppress(URLError):
        answer = ask(f"http://127.0.0.1:{port}{PATH}", ONE)
        assert "serves on" not in service.text
        return answer
    return None


@pytest.mark.long
def test_with_the_registry_away_it_starts_from_its_copies_and_ctrl_c_ends_all_of_it(worlds, lived, service):
    home = service.home.parent / "elsewhere" / "home"
    shutil.copytree(service.home / "serving" / "models", home / "serving" / "models")
    shutil.copytree(service.home.parent / "models", home.parent / "models")
    shutil.copy(service.home / "serving" / "secret", home / "serving" / "secret")  # it seals the copies
    (home / "serving" / "secret").chmod(0o640)
    home.chmod(0o755)
    port, nowhere = free_port(), "http://127.0.0.1:9"
    away = Service("--port", str(port), home=home, MLFLOW_TRACKING_URI=nowhere, MLFLOW_HTTP_REQUEST_MAX_RETRIES="0")
    try:
        refused = until(lambda: _before_the_address(away, port), "an answer")
        assert (refused[0], "The service starts, and loads its libraries" in refused[1]["message"]) == (503, True)
        assert "The service starts" not in str(ask(f"{away.url}{PATH}", ONE)[1]), "its address is said once it answers"
        away.wait()
        status, answer = away.ask(PATH, ONE)
        assert (status, answer["version"]) == (200, service.standing()["toy"])
        workers = away.workers()
        assert len(workers) == 1
    finally:
        code = away.stop()
    assert (code, "Traceback" in away.text) == (130, False), away.text
    assert f"Warning: {home} can be read by other users (mode 0755). Close it: chmod o-rwx {home}\n" in away.text
    assert f"Warning: {home / 'serving' / 'secret'} can be read by its group (mode 0640)." in away.text
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    stored = json.loads((home / "serving" / "models" / "toy" / "standing.json").read_text())
    assert stored["champion"] == answer["version"]
