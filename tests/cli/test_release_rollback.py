"""`evergreen rollback --made-by`: what a release has made of the models is taken back, or told of."""

from datetime import UTC, datetime

import pandas as pd
import pytest

import flows.rollback
from evergreen.errors import PromotionError
from evergreen.governance import audit
from evergreen.lake import audit_log
from evergreen.locks import model_lock
from evergreen.registry.version import CANARY, CHALLENGER, CHAMPION
from evergreen.stores import Stores
from flows.approve import approve
from tests.command_line import called
from tests.prepared_homes import refreshed
from tests.running_service import FEBRUARY, JANUARY, promoted

BAD, GOOD = "bad0000aaaa", "good000aaaa"
TOLD = datetime(2013, 1, 29, tzinfo=UTC)
ASKS = "\nmodel = model.model_copy(update={'policy': Policy(every='7d', approval='5d')})\n"
pytestmark = pytest.mark.long


def made(commit, day, days=JANUARY, name="toy"):
    """A champion of a release, since a day of January."""
    registry, version = Stores.open().registry, promoted(days, name)
    registry.tag(version, commit=commit, promoted_at=pd.Timestamp(f"2013-01-{day}", tz="UTC"))
    return version


def take_back(*more):
    return called("rollback", "--made-by", BAD[:7], "--reason", "wrong unit", *more)


def champion(name="toy"):
    return Stores.open().registry.champion(name).number


def test_a_model_that_only_the_release_had_is_told_of_with_what_ends_its_answers(
    home, write_model, server, monkeypatch
):
    monkeypatch.setattr(flows.rollback, "build_reference", lambda *_: None)  # of a version that no table made
    write_model(name="extra")
    made(BAD, 10, name="extra")
    write_model()
    made(GOOD, 9)
    made(BAD, 10, FEBRUARY)
    (home.parent / "models" / "extra.py").unlink()  # `deploy --back`
    done = take_back()
    assert done.returncode == 1, done.stderr
    assert "extra: it has no model file any more, so its champion was left" in done.stderr
    assert "`evergreen retire extra --reason ...`" in done.stderr
    assert (champion(), champion("extra")) == ("1", "1")
    assert called("retire", "extra", "--reason", "wrong unit").returncode == 0
    assert "No champion was made by release bad0000" in take_back().stdout


def test_a_model_that_cannot_be_taken_back_keeps_no_other(home, write_model, server, monkeypatch):
    monkeypatch.setattr(flows.rollback, "build_reference", lambda *_: None)  # of a version that no table made
    write_model(name="extra")
    for name in ("extra", "toy"):
        made(GOOD, 9, name=name)
        made(BAD, 10, FEBRUARY, name=name)
    with model_lock("extra", "train"):
        done = take_back()
    assert done.returncode == 1
    assert "extra: another process already runs train" in done.stderr
    assert (champion(), champion("extra")) == ("1", "2")
    assert take_back().returncode == 0
    assert champion("extra") == "1"


def test_a_first_champion_stays_and_is_told_of(home, server):
    made(BAD, 10)
    done = take_back()
    assert done.returncode == 1
    assert "toy: no champion of another release came before, so toy@1 was left." in done.stderr
    assert champion() == "1"


def test_a_version_of_the_release_that_runs_beside_the_champion_is_stopped(home, server):
    beside = made(BAD, 9)
    made(GOOD, 10, FEBRUARY)
    registry = Stores.open().registry
    registry.challenge(beside, 0.1)
    registry.alias(beside, CHALLENGER)
    done = take_back()
    assert done.returncode == 0, done.stderr
    assert "toy: version 1, which ran beside the champion, was stopped." in done.stderr
    assert "toy: version 1 stays the newest challenger until the next training" in done.stderr
    assert (registry.find("toy", CANARY), champion()) == (None, "2")
    (line,) = [line for line in audit_log.read(Stores.open().lake, "toy") if line.act == "challenge"]
    assert (line.subject, line.details["reason"], line.by) == ("1", "wrong unit", audit_log.person())


@pytest.mark.parametrize("file", [True, False])
def test_a_version_of_the_release_that_waits_for_approval_is_refused(home, write_model, begun, file):
    path = write_model(ASKS)
    waiting = begun(refreshed, TOLD)
    assert (waiting.decision, waiting.champion) == ("waiting", "2")
    stores = Stores.open()
    stores.registry.tag(stores.registry.version("toy", "2"), commit=BAD)
    if not file:
        made(GOOD, 10)
        path.unlink()
    done = take_back("--as-of", "2013-01-30")
    assert done.returncode == 0, done.stderr
    assert "toy@2 was refused by" in done.stdout
    assert stores.registry.version("toy", "2").approval == "refused"
    assert CHAMPION not in stores.registry.version("toy", "2").aliases
    write_model(ASKS)
    with pytest.raises(PromotionError, match="was refused"):
        approve("toy", "why", "Ada", version="2", as_of=datetime(2013, 1, 30, tzinfo=UTC))
    assert audit.verify(stores.lake, stores.registry, "toy").problems == []
