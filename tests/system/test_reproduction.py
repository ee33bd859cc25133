"""Reproduction: what was trained comes out again to the last bit, and what does not is said where it differs."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evergreen import provenance
from evergreen.errors import ReproductionError
from evergreen.governance import environment
from evergreen.governance.reproduction import promoted, reproduce
from evergreen.stores import Stores
from flows.refresh import refresh
from flows.rollback import rollback
from tests.command_line import called
from tests.prepared_homes import refreshed

WEEKS = [datetime(2013, 1, 29, tzinfo=UTC), datetime(2013, 2, 12, tzinfo=UTC), datetime(2013, 2, 26, tzinfo=UTC)]
CHANCE = """
from sklearn.ensemble import RandomForestRegressor
def estimator():
    import os
    return RandomForestRegressor(20, max_depth=4, random_state=int.from_bytes(os.urandom(3), "little"))
model = model.model_copy(update={"estimator": estimator, "trusted": ["sklearn.ensemble._forest.RandomForestRegressor"]})
"""
BESIDE = """
import pathlib
NUDGE = float(pathlib.Path({path!r}).read_text())
class Nudged(LinearRegression):
    pass
def estimator():
    from sklearn.linear_model import Ridge
    return Ridge(alpha=NUDGE)
model = model.model_copy(update={{"estimator": estimator}})
"""
pytestmark = pytest.mark.long


def told(found):
    return [(finding.version, finding.what, finding.same) for finding in found.findings]


WHOLE = ["training rows", "fitted parameters", "predictions for the holdout", "verdict"]


def test_every_champion_comes_out_again_to_the_last_bit_whatever_has_become_of_it(home, write_model):
    for as_of in WEEKS:
        refresh("toy", as_of=as_of)
    rollback("toy", "a test", as_of=WEEKS[-1])
    write_model("\nmodel = model.model_copy(update={'features': {'z': 'number'}})  # another model since\n")
    versions = len(Stores.open().registry.versions("toy"))
    once_champion = promoted(Stores.open().registry, ["toy"])
    assert len(once_champion) >= 2
    for name, number in once_champion:
        reproduction = reproduce(Stores.open().registry, name, number)
        assert reproduction.same, reproduction.first
        origin = Stores.open().registry.version(name, number).refit_of or number
        refitted = [(number, what, True) for what in WHOLE[:3]] if origin != number else []
        assert told(reproduction) == [
            (number, "model file", True),
            *((origin, what, True) for what in WHOLE),
            *refitted,
        ]
    assert len(Stores.open().registry.versions("toy")) == versions


def test_what_chance_decides_is_held_to_the_tolerance_that_the_model_file_states(home, write_model):
    write_model(CHANCE)
    refresh("toy", as_of=WEEKS[0])
    reproduction = reproduce(Stores.open().registry, "toy", "1")
    assert reproduction.same, reproduction.first
    by_what = {finding.what: finding.detail for finding in reproduction.findings}
    assert "two trainings here differ too" in by_what["fitted parameters"]
    assert "of the target's spread, at most 0.1" in by_what["predictions for the holdout"]


@pytest.mark.slow
def test_what_the_record_does_not_hold_shows_as_the_first_difference(home, write_model, tmp_path):
    beside = tmp_path / "nudge"
    beside.write_text("1.0")
    write_model(BESIDE.format(path=str(beside)))
    refresh("toy", as_of=WEEKS[0])
    assert reproduce(Stores.open().registry, "toy", "champion").same
    beside.write_text("2.0")
    reproduction = reproduce(Stores.open().registry, "toy", "champion")
    assert not reproduction.same
    assert reproduction.first == "fitted parameters: alpha: 1.0 then, 2.0 now"
    assert {finding.what for finding in reproduction.findings if finding.same} >= {"model file", "training rows"}
    done = called("reproduce", "toy", "--json")
    assert done.returncode == 7
    assert [finding["same"] for finding in json.loads(done.stdout)[0]["findings"]].count(False) >= 2
    beside.unlink()
    with pytest.raises(ReproductionError, match=r"toy@2 could not be trained again: .*does not run: FileNotFoundError"):
        reproduce(Stores.open().registry, "toy", "champion")


@pytest.fixture(scope="module")
def trained(worlds, begun):
    """A version that was trained once; its tags and files are broken and put back."""
    with worlds("toy") as write:
        write()
        begun(refreshed, WEEKS[0])
        yield Stores.open().registry


@pytest.fixture
def version(trained):
    """The version, whose tags are put back afterwards."""
    trained_version = trained.version("toy", "1")
    yield trained_version
    names = ("table_version", "python_version", "lock_hash", "commit")
    trained.tag(trained_version, **{name: getattr(trained_version, name) for name in names})


def test_a_version_that_something_else_registered_has_no_record(trained, version):
    trained.client.delete_model_version_tag("toy", version.number, "evergreen.table_version")
    with pytest.raises(ReproductionError, match="was not trained by Evergreen"):
        reproduce(Stores.open().registry, "toy", "1")


def test_another_environment_is_told_first(trained, version):
    path = trained.path(version)
    here = environment.present()
    differences = environment.differences(version, path, here)
    same = [difference for difference in differences if not difference.startswith("code: it was trained")]
    assert same == []
    trained.tag(version, python_version="3.11.0", lock_hash="0123", commit="abcdef0123456789")
    requirements = Path(path) / "requirements.txt"
    requirements.write_text(requirements.read_text().replace("skops==", "skops==0.0."))
    text = "\n".join(environment.differences(trained.version("toy", "1"), path, here))
    assert "python: 3.11.0 then, " in text
    assert "lock: 0123 then, " in text
    assert "code: commit abcdef0123 then, " in text
    assert "skops: 0.0." in text


@pytest.mark.parametrize(
    ("tags", "says"),
    [
        ({"commit": ""}, "has no recorded commit"),
        ({"commit": "0" * 40}, "Cannot find its commit 0000000000"),
        ({"lock_hash": "0123"}, "but it was trained with 0123"),
    ],
)
def test_an_environment_that_cannot_be_built_says_why(trained, version, tags, says):
    head, _ = provenance.commit(Path("models/airtime.py"))
    trained.tag(version, **{"commit": head} | tags)
    with pytest.raises(ReproductionError, match=says):
        reproduce(Stores.open().registry, "toy", "1", exact=True)


def test_rows_of_then_are_read_though_the_table_went_on(home, begun):
    begun(refreshed, WEEKS[0])
    then = Stores.open().lake.version("toy")
    refresh("toy", as_of=WEEKS[2])
    assert Stores.open().lake.version("toy") > then
    reproduction = reproduce(Stores.open().registry, "toy", "2")
    assert f"of version {then} of the table" in reproduction.findings[1].detail
    assert reproduction.same
