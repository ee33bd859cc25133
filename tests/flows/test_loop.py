"""The loop on real stores and a real Prefect server: what each run comes to, and what stays as it was."""

from datetime import UTC, datetime

import pytest

from evergreen import model as models
from evergreen.errors import BusyError, NotEnoughDataError, QuarantineError, TrainingError
from evergreen.judgement import recorded
from evergreen.lake import Lake
from evergreen.lock import alone
from evergreen.quarantine import Quarantine
from evergreen.registry import Registry
from evergreen.release import release
from flows.ingest import ingest
from flows.refresh import refresh
from flows.train import train

JANUARY = datetime(2013, 1, 29, tzinfo=UTC)
FEBRUARY = datetime(2013, 2, 26, tzinfo=UTC)


def champion() -> str | None:
    found = Registry.open().champion("toy")
    return found.number if found else None


def test_the_first_model_is_promoted_with_its_evidence_and_the_same_again_is_nothing(home):
    came = refresh("toy", as_of=JANUARY)
    assert (came.decision, came.challenger, came.champion, came.moved) == ("promote", "1", "2", True)
    registry = Registry.open()
    judged = recorded(registry, registry.champion("toy"))
    comparison = next(check for check in judged.verdict.checks if check.name == "not worse than the champion")
    assert comparison.outcome == "skipped"
    assert "first model" in comparison.detail
    assert registry.text(registry.version("toy", "1"), "card.md").startswith("# toy version 1: promote")
    assert registry.version("toy", "2").tags["refit_of"] == "1"

    assert refresh("toy", as_of=JANUARY).decision == "none"
    again = train("toy", as_of=JANUARY)
    assert (again.challenger, again.champion, again.moved) == ("1", "2", False)
    assert len(registry.versions("toy")) == 2


def test_a_world_that_turned_is_learnt_and_the_old_champion_is_kept_as_previous(home):
    refresh("toy", as_of=JANUARY)
    came = refresh("toy", as_of=FEBRUARY)
    assert (came.decision, came.moved) == ("promote", True)
    registry = Registry.open()
    assert registry.version("toy", "previous").number == "2"
    assert registry.version("toy", "champion").number == came.champion


def test_a_worse_challenger_is_rejected_and_moves_nothing(home, write_model):
    refresh("toy", as_of=datetime(2013, 1, 22, tzinfo=UTC))
    ingest("toy", as_of=JANUARY)
    write_model(
        "\nfrom sklearn.dummy import DummyRegressor\nmodel = model.model_copy(update={'estimator': DummyRegressor})\n"
    )
    came = train("toy", as_of=JANUARY)
    assert came.decision == "reject"
    assert champion() == "2"
    assert Registry.open().version("toy", "challenger").tags["decision"] == "reject"


def test_a_holdout_that_the_champion_has_seen_is_not_enough_evidence(home, write_model):
    refresh("toy", as_of=JANUARY)
    write_model("\n# the same recipe in another file: the champion was refitted on all of its holdout\n")
    came = train("toy", as_of=JANUARY)
    assert came.decision == "not enough evidence"
    assert champion() == "2"


def test_the_third_champion_of_a_world_that_turned_back_is_an_earlier_one(home):
    for as_of in (JANUARY, FEBRUARY):
        refresh("toy", as_of=as_of)
    earlier = Registry.open().version("toy", "previous")
    assert earlier.tags["promoted_at"]


@pytest.mark.parametrize(
    ("spoil", "column"),
    [
        ("frame.assign(y=frame['y'] * 1000)", "y"),
        ("frame.drop(columns='x')", "x"),
        ("frame.assign(id='one')", "id"),
        ("frame.assign(x='high')", "x"),
        ("frame.assign(x=float('inf'))", "x"),
        ("frame.assign(at=frame['at'] + pd.Timedelta(days=900))", "at"),
        ("frame.assign(at=pd.NaT)", "at"),
    ],
)
def test_a_batch_that_breaks_its_contract_goes_whole_into_quarantine(home, write_model, spoil, column):
    ingest("toy", as_of=datetime(2013, 1, 15, tzinfo=UTC))
    write_model(
        f"\ndef spoilt(since, until):\n    frame = rows(since, until)\n    return {spoil}\n"
        "model = model.model_copy(update={'source': Call(function=spoilt, start='2013-01-01', batch='7d')})\n"
    )
    (one,) = ingest("toy", as_of=datetime(2013, 1, 22, tzinfo=UTC))
    assert one.fate == "quarantined"
    (entry,) = Quarantine.open().entries("toy")
    assert column in {failure.column for failure in entry.failures}
    assert Lake.open().query(models.load("toy"), "SELECT count(*) AS n FROM rows")["n"][0] == 700

    write_model()
    assert [one.fate for one in ingest("toy", as_of=JANUARY)] == ["landed"]
    assert refresh("toy", as_of=JANUARY).decision == "promote"


def test_a_batch_is_released_once_or_dropped_for_good(home, write_model):
    write_model(
        "\nmodel = model.model_copy(update={'contract': [expect('column_mean_to_be_between', 'y', max_value=0)]})\n"
    )
    first, second = ingest("toy", as_of=datetime(2013, 1, 15, tzinfo=UTC))
    toy = models.load("toy")
    assert release(toy, first.batch, "the bound was wrong").new == 350
    assert release(toy, first.batch, "").new == 0
    quarantine = Quarantine.open()
    quarantine.close(quarantine.entry("toy", second.batch), "dropped", "a test")
    with pytest.raises(QuarantineError, match="was dropped before"):
        release(toy, second.batch, "")
    assert Lake.open().query(toy, "SELECT count(*) AS n FROM rows")["n"][0] == 350
    assert ingest("toy", as_of=datetime(2013, 1, 15, tzinfo=UTC)) == []


def test_a_second_training_of_a_model_ends_at_once(home):
    ingest("toy", as_of=JANUARY)
    with alone("toy", "train"), pytest.raises(BusyError, match="already"):
        train("toy", as_of=JANUARY)
    assert train("toy", as_of=JANUARY).decision == "promote"


@pytest.mark.parametrize(
    ("more", "error", "says"),
    [
        ("'estimator': lambda: 1 / 0", TrainingError, "ZeroDivisionError"),
        ("'label_delay': DAY * 900", NotEnoughDataError, "no label is known"),
        ("'training': Training(min_rows=10**6)", NotEnoughDataError, "at least 1000000 are needed"),
        ("'training': Training(holdout='900d')", NotEnoughDataError, "0 labelled rows"),
    ],
)
def test_a_training_that_cannot_be_says_why_and_moves_nothing(home, write_model, more, error, says):
    refresh("toy", as_of=JANUARY)
    write_model(f"\nmodel = model.model_copy(update={{{more}}})\n")
    with pytest.raises(error, match=says):
        train("toy", as_of=JANUARY)
    assert champion() == "2"


def test_the_form_offers_the_models():
    assert "enum" in train.parameters.properties["model"]
    assert train.parameters.properties["reason"]["description"].startswith("Why")
