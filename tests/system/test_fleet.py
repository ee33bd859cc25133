"""Models of one template live each on its own: every command takes their names, and one's row is none of another's."""

import json
import shutil

import pandas as pd
import pytest

from evergreen.definition import loader
from evergreen.governance import code_record
from evergreen.governance.reproduction import reproduce
from evergreen.registry.version import CHAMPION
from evergreen.settings import Settings
from evergreen.stores import Stores
from flows.refresh import refresh
from tests.command_line import called
from tests.conftest import TOY
from tests.running_service import serving

BEFORE, WHOLE = 'model = Model(\n    name="toy",\n    purpose="Tests.",', "estimator=LinearRegression,"
TEMPLATE = """
class Line(LinearRegression):
    pass

def toy(name, number, town, seed):
    return Model(
    name=name, purpose=f"Of {town}.", seed=int(seed),"""
EACH = '\nmodels = Model.each(toy, over="toys.csv", name="toys_{number}")\n'
ROWS = "number,town,seed\n1,Rome,1\n2,Oslo,2\n"
END = pd.Timestamp("2013-01-29", tz="UTC")
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def fleet(worlds, server):
    """Two models of one file, with a champion each, which have an estimator of the file's own class."""
    with worlds("toy"):
        models = Settings.read().models
        (models / "toy.py").unlink(missing_ok=True)
        text = TOY.read_text()
        assert text.count(BEFORE) == text.count(WHOLE) == 1
        text = text.replace(BEFORE, TEMPLATE).replace(WHOLE, "estimator=Line,")
        (models / "toys.py").write_text(text + EACH)
        (models / "toys.csv").write_text(ROWS)
        for name in ("toys_1", "toys_2"):
            assert refresh(name, as_of=END) is not None
        yield models


@pytest.fixture
def rows(fleet):
    """The file of rows, which is as it was afterwards."""
    yield fleet / "toys.csv"
    (fleet / "toys.csv").write_text(ROWS)


def test_each_is_a_model_in_status_lists_and_pages(fleet):
    told = {line["model"]: line for line in json.loads(called("status", "--json").stdout)}
    assert {name: (line["champion"] != "", line["note"]) for name, line in told.items()} == {
        "toys_1": (True, ""),
        "toys_2": (True, ""),
    }
    assert json.loads(called("models", "--json").stdout) == ["toys_1", "toys_2"]
    for words in (("verdict",), ("why",), ("doctor",), ("lineage",), ("report", "--no-open"), ("models",)):
        done = called(words[0], "toys_2", *words[1:], "--json")
        assert done.returncode == 0, (words, done.stderr)
    assert called("doctor", "--json").returncode == 0


def test_a_version_comes_out_again_whatever_has_become_of_its_row_and_of_others(rows):
    registry = Stores.open().registry
    for text in (ROWS, ROWS.replace("Oslo,2", "Kyiv,7"), "town,number,seed\nLima,2,3\n"):
        rows.write_text(text)
        found = reproduce(registry, "toys_2", CHAMPION)
        assert found.same, found.first
    kept = code_record.read(registry, registry.version("toys_2", CHAMPION))
    assert (sorted(kept), kept["toys.csv"]) == (["toys.csv", "toys.py"], "number,seed,town\n2,2,Oslo\n")


def test_another_row_is_no_reason_to_train_and_its_own_is(rows):
    def made(name):
        return len(Stores.open().registry.versions(name))

    before = made("toys_1"), made("toys_2")
    rows.write_text(ROWS.replace("Oslo,2", "Oslo,3") + "3,Lima,1\n")
    for name in ("toys_1", "toys_2"):
        assert called("train", name, "--as-of", f"{END:%Y-%m-%d}").returncode in (0, 3, 4)
    assert made("toys_1") == before[0]
    assert made("toys_2") > before[1]


def test_each_answers_for_itself(fleet):
    with serving() as service:
        service.wait()
        for name in ("toys_1", "toys_2"):
            status, answer = service.ask(f"/models/{name}/invocations", {"dataframe_records": [{"x": 1.0, "z": 0.0}]})
            assert (status, len(answer["predictions"])) == (200, 1), answer


def test_a_model_whose_row_is_gone_is_retired_and_no_other(rows):
    refused = called("retire", "toys_2", "--reason", "closed")
    assert refused.returncode != 0
    assert "toys.py" in refused.stderr
    rows.write_text("number,town,seed\n1,Rome,1\n")
    notes = {line["model"]: line["note"] for line in json.loads(called("status", "--json").stdout)}
    assert (notes["toys_1"], "evergreen retire toys_2" in notes["toys_2"]) == ("", True)
    assert called("retire", "toys_2", "--reason", "closed").returncode == 0
    assert [line["model"] for line in json.loads(called("status", "--json").stdout)] == ["toys_1"]
    rows.write_text(ROWS)
    assert called("retire", "toys_2", "--undo", "--reason", "open again").returncode == 0


def test_a_broken_file_takes_nothing_away(fleet):
    file = fleet / "toys.py"
    kept = file.read_text()
    shutil.copy(TOY, fleet / "toy.py")
    try:
        file.write_text(kept + "1 / 0\n")
        notes = {line["model"]: line["note"] for line in json.loads(called("status", "--json").stdout)}
        assert sorted(notes) == ["toy", "toys", "toys_1", "toys_2"]
        assert all("ZeroDivisionError" in notes[name] for name in ("toys", "toys_1", "toys_2"))
        assert notes["toy"] == ""
        assert "ZeroDivisionError" in called("train", "toys_1").stderr
        assert called("retire", "toys_1", "--reason", "why").returncode != 0
    finally:
        file.write_text(kept)
        (fleet / "toy.py").unlink()
    assert loader.names() == ["toys_1", "toys_2"]


def test_no_file_is_drafted_for_a_model_that_a_row_makes(fleet, tmp_path):
    pd.DataFrame({"at": pd.date_range("2024", periods=60), "x": range(60), "y": range(60)}).to_csv(tmp_path / "a.csv")
    done = called("new", "toys_1", "--from", str(tmp_path / "a.csv"), "--target", "y")
    assert "toys.py" in done.stderr
    assert not (fleet / "toys_1.py").exists()
