"""State that commit 716df15 wrote opens today, and says and does what it said and did then.

`make_old_state` made the fixture; `old_state.json` is what that commit's own code printed of it. The
commands go by their names of then.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from tests.running_service import ask
from tests.running_system import CHECKOUT, until
from tests.system import make_old_state, old_state
from tests.system.old_state import ACTS, COMMIT, FORMATS, STORED, Done, apart, asked, plain, recorded, run, unpack
from tests.system.stored_formats import declared, formats, lost, offers, told

RECORDED = recorded()
NAMES, PRINTED = RECORDED["names"], RECORDED["printed"]
FORMAT = json.loads(FORMATS.read_text())
MODELS = ("claims", "parcels")
# What is written by another name today on purpose, and still read by the name of then.
CHANGED = {
    # A user's own column may be named `_prediction`; Evergreen's beside it is `evergreen:prediction`.
    "artifacts.reference.json.profile.columns: '_prediction'",
    # A note of MLflow's, which it put beside a model in the store when the model was fetched; nothing reads it.
    "artifacts: 'model/registered_model_meta'",
}
# MLflow warns of integer columns, and of a warning that is an error it makes another signature.
pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore:.*schema contains integer column:UserWarning")]
_MORE_SEALS = re.compile(r"\.seals: \d then, \d+ now$")  # every line is sealed today, then only some were
_NEW_CHECKS = {"the last monitor run succeeded"}
_SAME_NUMBER = re.compile(r": (?P<then>-?[\d.e+-]+) then, (?P<now>-?[\d.e+-]+) now$")


@pytest.fixture(scope="module")
def state(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The unpacked fixture, as the state of this process."""
    folder = tmp_path_factory.mktemp("old") / "state"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        for name, value in unpack(folder).items():
            patch.setenv(name, value)
        yield folder
    os.environ.pop("MLFLOW_TRACKING_URI", None)


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """An unpacked fixture of its own, which no process works on yet."""
    unpack(tmp_path / "state")
    return tmp_path / "state"


@pytest.fixture(scope="module")
def stored(state: Path) -> list[Done]:
    """What the commands that only read print."""
    return [asked(command, NAMES) for command in STORED]


@pytest.fixture(scope="module")
def acted(state: Path, stored: list[Done]) -> tuple[list[Done], float]:
    """What those print that act on it afterwards, and when they began."""
    began = time.time()
    return [asked(command, NAMES) for command in ACTS], began


def numbered(commands: list[str]) -> list[Any]:
    """The places of commands, named after them."""
    return [pytest.param(place, id=command) for place, command in enumerate(commands)]


def test_the_record_is_of_these_commands():
    assert [printed["command"] for printed in PRINTED] == [*STORED, *ACTS]


@pytest.mark.parametrize("place", numbered(STORED))
def test_what_is_stored_is_shown_as_it_was(state, stored, place):
    then, now = PRINTED[place], stored[place]
    assert (now.code, now.err) == (then["code"], "")
    assert apart(then["json"], plain(now.json, state), sentences=True) == []


@pytest.mark.parametrize("place", numbered(ACTS))
def test_what_is_done_with_it_comes_to_the_same(state, acted, place):
    then, now = PRINTED[len(STORED) + place], acted[0][place]
    assert now.code == then["code"], now.err
    differences = apart(then["json"], without_new(plain(now.json, state)), sentences=False)
    assert [difference for difference in differences if not _MORE_SEALS.search(difference)] == []


def without_new(printed: Any) -> Any:
    """Without the checks that `doctor` makes today besides."""
    parts = printed if isinstance(printed, list) else []
    return [part for part in parts if part.get("what") not in _NEW_CHECKS] if parts else printed


def test_the_record_tells_of_a_life(state, acted):
    """The fixture is worth its name: what the comparisons rest on did happen."""
    done = dict(zip(ACTS, acted[0], strict=True))  # of twins the last
    assert {model["model"]: model["champion"] for model in done["status"].json} == {"claims": "3", "parcels": "6"}
    trained = done["train parcels --as-of 2025-05-12 --reason performance"].json
    assert (trained["decision"], trained["champion"], trained["moved"]) == ("promote", "11", True)
    again = done["train parcels --as-of 2025-05-12"].json
    assert (again["decision"], again["moved"]) == ("none", False)
    back = done["rollback parcels --reason looks-odd --as-of 2025-05-13"].json
    assert (back["decision"], back["champion"]) == ("rollback", "6")
    assert done["approve claims --reason fine --by me"].json["champion"] == "3"
    released = done["quarantine release parcels {held} --note looked-at"].json
    assert (released["new"], released["same"]) == (24, 24)
    verified = {model["model"]: model for model in done["audit --verify"].json}
    assert all(model["problems"] == [] and model["seals"] >= 2 for model in verified.values())
    assert [check["problems"] for check in done["doctor parcels"].json] == [[]] * 7


def test_a_changed_line_of_the_old_log_shows(unpacked, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name, value in old_state.environment(unpacked).items():
        monkeypatch.setenv(name, value)
    table = DeltaTable(str(unpacked / "home" / "lake" / "parcels" / "audit"))
    table.update(updates={"by": "'nobody'"}, predicate="number = 5")
    done = run("audit", "parcels", "--verify", "--json")
    assert done.code == 7
    assert len(done.json[0]["problems"]) == 1


def same(finding: dict[str, Any]) -> bool:
    """Whether something came out again: to the last bit, but for a figure that another processor rounds otherwise."""
    number = _SAME_NUMBER.search(finding["detail"])
    near = number and float(number["now"]) == pytest.approx(float(number["then"]), rel=1e-9)
    return bool(finding["same"] or (finding["what"] == "verdict" and near))


WHAT = ["model file", "training rows", "fitted parameters", "predictions for the holdout", "verdict"]


@pytest.mark.parametrize(
    "words",
    [
        ("parcels@4",),
        pytest.param(("parcels", "--promoted"), marks=pytest.mark.slow),
    ],
)
def test_a_version_of_then_is_reproduced_by_the_code_of_today(state, words):
    done = run("reproduce", *words, "--json")
    assert done.code in (0, 7), done.err
    for reproduction in done.json:
        assert [finding for finding in reproduction["findings"] if not same(finding)] == []
        assert {finding["what"] for finding in reproduction["findings"]} == set(WHAT)


@pytest.mark.slow
def test_a_version_of_then_is_reproduced_exactly_by_the_code_of_then(state, tmp_path):
    """All of ``--exact`` but the installation: the packages are today's."""
    known = subprocess.run(["git", "-C", CHECKOUT, "cat-file", "-e", COMMIT], capture_output=True)
    if known.returncode:
        pytest.skip("this clone is without the history that --exact needs")
    folder = state / "home" / "environments" / COMMIT[:12]
    folder.mkdir(parents=True)
    subprocess.run(["git", "-C", CHECKOUT, "archive", "-o", tmp_path / "code.tar", COMMIT], check=True)
    with tarfile.open(tmp_path / "code.tar") as packed:
        packed.extractall(folder, filter="data")
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "ready").touch()
    with (folder / "evergreen" / "reproduction.py").open("a") as module:
        module.write('    Path("ran").touch()\n')  # within `if __name__ == "__main__":`
    done = run("reproduce", "parcels@4", "--exact", "--json")
    assert done.code == 0, done.out + done.err
    assert [finding["same"] for finding in done.json[0]["findings"]] == [True] * len(done.json[0]["findings"])
    assert (folder / "ran").exists()


@pytest.mark.slow
def test_a_release_of_then_can_run_the_code_of_today_to_reproduce_a_version(state, tmp_path):
    """What ``--exact`` of 716df15 runs in the checkout of another commit, and what it reads of the answer."""
    model_file = state / "home" / "artifacts" / "parcels" / run_of("parcels", "1") / "artifacts" / "model_file.py"
    shutil.copy(model_file, tmp_path / "parcels.py")
    answer = tmp_path / "answer.json"
    command = [sys.executable, "-m", "evergreen.reproduction", "parcels", "1", str(answer)]
    places = {"EVERGREEN_HOME": str(state / "home"), "EVERGREEN_MODELS": str(tmp_path), "PYTHONPATH": str(CHECKOUT)}
    subprocess.run(command, cwd=CHECKOUT, env=old_state.child_environment(places), check=True)
    findings = json.loads(answer.read_text())["findings"]
    assert {"version", "what", "same", "detail"} <= findings[0].keys()
    assert [finding for finding in findings if not same(finding)] == []


def run_of(model: str, number: str) -> str:
    """The MLflow run of a version."""
    versions = run("models", model, "--json").json
    return str(next(version["run_id"] for version in versions if version["number"] == number))


# What is still stored.


def test_what_is_written_today_has_all_names_of_then(state, acted):
    written = formats(state / "home", since=acted[1])
    assert set(lost({name: FORMAT["acts"][name] for name in written}, written)) <= CHANGED


def test_what_is_told_today_has_all_names_of_then(acted):
    until(
        lambda: not lost({name: FORMAT["acts"][name] for name in ("events", "states")}, told(MODELS)), "the events", 30
    )


def test_deployments_commands_and_settings_of_then_are_there():
    assert lost(FORMAT["declared"], declared(CHECKOUT)) == []


@pytest.mark.slow
def test_a_whole_life_of_today_has_all_names_of_then(server, tmp_path, monkeypatch):
    """The very life that made the fixture, lived by today's code."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name, value in old_state.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "home").mkdir()
    make_old_state.live(tmp_path)
    offered = make_old_state.serve(tmp_path)
    until(lambda: not lost(FORMAT["life"]["events"], told(MODELS)["events"]), "the events", 30)
    written = formats(tmp_path / "home") | told(MODELS) | {"offered": offered}
    assert set(lost(FORMAT["life"], written)) <= CHANGED


# The service.

Answer = tuple[str, str, str]  # id, version and role
ROW = {"zone": "city", "distance": 10.5, "weight": 3.0, "pieces": 2, "express": True}


@pytest.fixture
def service(unpacked: Path, tmp_path: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]", dict[str, list[Answer]]]]:
    """`evergreen serve` of today: its address, its process, and what was in the lake before it began."""
    before = {model: served(unpacked / "home", model) for model in MODELS}
    assert len(left(unpacked / "home")) >= 1
    environ = old_state.child_environment(old_state.environment(unpacked) | {"PYTHONPATH": str(CHECKOUT)})
    said = tmp_path / "serve.log"
    with said.open("w") as log:
        command = [sys.executable, "-m", "cli.main", "serve", "--port", "0"]
        process = subprocess.Popen(command, cwd=CHECKOUT, env=environ, stdout=log, stderr=subprocess.STDOUT)
    try:
        address = until(lambda: re.search(r"http://[\d.:]+", said.read_text()), "the address")
        until(lambda: ask(f"{address[0]}/ping")[0] == 200, "an answer")
        yield address[0], process, before
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def served(home: Path, model: str) -> list[Answer]:
    """The answers in the lake."""
    rows = DeltaTable(str(home / "lake" / model / "served")).to_pandas()
    return sorted(zip(rows["_id"], rows["_version"], rows["_role"], strict=True))


def left(home: Path) -> list[str]:
    """What lies in the folder of the log beside the segment that is being written."""
    return sorted(path.name for path in (home / "serving" / "log").glob("*/*") if path.suffix)


def test_the_service_answers_with_what_it_finds_and_lands_the_log_that_was_left(unpacked, service):
    home, (url, process, before) = unpacked / "home", service
    until(lambda: all(model["canary"] for model in ask(f"{url}/models")[1].values()), "the canaries, loaded last")
    status, standing = ask(f"{url}/models")
    assert status == 200
    assert {name: model["version"] for name, model in standing.items()} == {"claims": "2", "parcels": "6"}
    assert {name: model["canary"]["version"] for name, model in standing.items()} == {"claims": "3", "parcels": "8"}
    row = ROW | {"order_id": "a|b", "part": "c", "placed": "2025-05-11T10:00:00Z"}
    status, answer = ask(f"{url}/models/parcels/invocations", {"dataframe_records": [row]})
    assert (status, answer["version"] in ("6", "8")) == (200, True)
    status, _ = ask(f"{url}/models/claims/labels", {"id": "c-20250509-00", "value": 1})
    assert status == 200
    assert lost(FORMAT["life"]["offered"], offers(lambda path, body=None: ask(f"{url}/{path}", body)[1])) == []
    until(lambda: left(home) == [], "the log that was left is landed", 60)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    after = {model: served(home, model) for model in MODELS}
    assert [row for row in before["parcels"] if row not in after["parcels"]] == []
    answered = [(number, role) for number, _, role in after["parcels"]]
    assert len(answered) == len(set(answered))
    assert left(home) == []
    # The orders of closed segments, and the one of today; the claims of one that was open.
    orders = [row for row in after["parcels"] if row not in before["parcels"]]
    assert [row[0] for row in orders] == [
        *answer["ids"],
        *(f"o-20250507-{n:02}|{2 if n % 6 == 5 else 1}" for n in range(24)),
    ]
    asked_of = {number for number, _, _ in after["claims"]} - {number for number, _, _ in before["claims"]}
    # The one with which `offers` asks has a key of its own.
    assert sorted(asked_of - {"c-1"}) == [f"c-20250508-{number:02}" for number in range(30)]
    labels = DeltaTable(str(home / "lake" / "claims" / "labels")).to_pandas()
    assert {"c-20250508-00", "c-20250508-09", "c-20250509-00"} <= set(labels["_id"])
