"""The monitor where things are not as they should be: each ends in a clear state, and nothing is lost or doubled."""

import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock

from evergreen.definition import loader
from evergreen.errors import BusyError, LakeError, TrainingError
from evergreen.governance.integrity import examine
from evergreen.lake.lake import PREDICTIONS
from evergreen.lifecycle import decision_log
from evergreen.lifecycle.status import status
from evergreen.locks import model_lock
from evergreen.monitoring import observation
from evergreen.settings import Settings
from evergreen.stores import Stores
from flows import monitor as monitoring
from flows.ingest import ingest
from flows.monitor import monitor
from flows.refresh import refresh
from tests.labels_that_end import LABELS_END
from tests.prepared_homes import refreshed

JANUARY = datetime(2013, 1, 29, tzinfo=UTC)
LATE_LABELS = "\nmodel = model.model_copy(update={'label_delay': 5 * DAY})\n"
HIGHER = """
usual = rows


def higher(since, until):
    found = usual(since, until)
    return found.assign(y=found["y"] + np.where(found["at"] < "2013-02-01", 0.0, 8.0))


model = model.model_copy(update={"source": model.source.model_copy(update={"function": higher})})
"""
ONE_FEATURE = (
    "\nmodel = model.model_copy(update={'features': {'x': 'number'}, 'extra': model.extra | {'z': 'number'}})\n"
)
RAISES = """
class Broken(LinearRegression):
    def fit(self, X, y):
        raise ValueError("no luck")


model = model.model_copy(update={"estimator": Broken})
"""
NULLS = """
from sklearn.ensemble import HistGradientBoostingRegressor

labelled = model.source.function


def null(since, until):
    found = labelled(since, until)
    return found.assign(z=found["z"].where(found["at"] < "2013-01-29"))


source = model.source.model_copy(update={"function": null})
model = model.model_copy(update={"source": source, "estimator": HistGradientBoostingRegressor})
"""
pytestmark = pytest.mark.long


@pytest.fixture
def told(server, receiver, monkeypatch):
    """What a person is told, by a webhook that is really there."""
    port, got = receiver
    text = {"text": "{{subject}}: {{body}}"}
    block = CustomWebhookNotificationBlock(name="astray", url=f"http://127.0.0.1:{port}", json_data=text)
    block.save("astray", overwrite=True)
    monkeypatch.setenv("EVERGREEN_ALERTS", "custom-webhook/astray")
    return lambda: [json.loads(body)["text"] for body in got]


def day(number: int) -> datetime:
    return datetime(2013, 2, number, tzinfo=UTC)


def stands() -> str:
    """What `evergreen status` shows as decided."""
    (state,) = status(Stores.open(), pd.Timestamp.now("UTC"))
    return state.decided


def test_labels_that_stop_coming_are_told_and_nothing_is_scored(write_model):
    write_model(LABELS_END)
    refresh("toy", as_of=JANUARY)
    ingest("toy", as_of=day(12))
    decision = monitor("toy", as_of=day(12))
    check = observation.read(Stores.open().lake, loader.load("toy"))[-1]
    assert (check.state, check.realised.whole.rows) == ("unknown", 0)
    assert decision.action == "alert"
    assert "labels are overdue: 0% of the 350 rows from 2013-02-0" in decision.reason
    assert refresh("toy", as_of=day(12) + timedelta(hours=1)).decision == "none"
    assert stands() == f"alert: {decision.reason}"  # which a refresh that finds nothing to do takes not back


def test_a_second_fault_is_told_while_the_first_lasts_and_each_once(write_model, told):
    write_model(LABELS_END + NULLS + LATE_LABELS)
    refresh("toy", as_of=JANUARY)
    ingest("toy", as_of=day(7))
    assert [monitor("toy", as_of=day(number)).action for number in (2, 3, 6, 7)] == ["alert"] * 4
    null, both = told()
    assert null.startswith("toy: a person should look: data quality: z: ")
    assert "labels are overdue" not in null
    assert "labels are overdue" in both
    assert stands().startswith("alert: data quality: z: ")


def test_a_feed_that_stopped_is_told_though_labels_of_older_rows_still_ripen(write_model):
    write_model(LATE_LABELS)
    refresh("toy", as_of=JANUARY)
    ingest("toy", as_of=day(1))
    decision = monitor("toy", as_of=day(10))
    check = observation.read(Stores.open().lake, loader.load("toy"))[-1]
    assert check.ripened.startswith("2013-02-01")  # the end of its rows
    assert (check.rows, check.quality) == (350, ["no rows since 2013-01-31 16:20"])
    assert decision.action == "alert"
    assert stands() == "alert: data quality: no rows since 2013-01-31 16:20"


def test_rows_of_a_source_that_ended_long_ago_are_predicted_and_judged_in_their_own_time(home, begun):
    begun(refreshed, JANUARY)
    ingest("toy", as_of=day(9))
    decision = monitor("toy", as_of=datetime(2019, 5, 1, tzinfo=UTC))
    last = observation.read(Stores.open().lake, loader.load("toy"))[-1]
    assert (last.until[:10], last.rows, last.realised.whole.rows) == ("2013-02-09", 350, 350)
    assert (last.state, last.quality) == ("degraded", ["no rows since 2013-02-08 16:20"])
    assert decision.action == "train"  # on rows that no training has seen


def test_a_monitor_that_failed_is_an_alert_until_one_succeeds(home, begun, told):
    begun(refreshed, JANUARY)
    ingest("toy", as_of=day(1))
    monitor("toy", as_of=JANUARY)
    predictions = Settings.read().home / "lake" / "toy" / PREDICTIONS
    predictions.rename(predictions.with_name("gone"))
    predictions.write_text("no table")
    with pytest.raises(LakeError):
        monitor("toy", as_of=day(1))
    assert stands().startswith("alert: the monitor failed: ")
    assert [text.count("the monitor failed") for text in told()] == [1]
    assert "the monitor failed" in examined()[0]
    predictions.unlink()
    predictions.with_name("gone").rename(predictions)
    monitor("toy", as_of=day(2))
    assert "failed" not in stands()
    assert examined() == []


def examined() -> list[str]:
    """What `evergreen doctor` says of the last monitor run."""
    found = {examination.what: examination.problems for examination in examine(Stores.open(), loader.load("toy"))}
    return found["the last monitor run succeeded"]


def test_labels_drift_too(write_model):
    write_model(HIGHER)
    refresh("toy", as_of=JANUARY)
    ingest("toy", as_of=day(9))
    monitor("toy", as_of=day(9))
    last = observation.read(Stores.open().lake, loader.load("toy"))[-1]
    drifted = [column.column for column in last.drift if column.drifted]
    assert drifted == ["y"]


def test_a_champion_is_asked_with_a_column_that_its_file_no_longer_names(write_model, begun):
    begun(refreshed, JANUARY)
    write_model(ONE_FEATURE)
    ingest("toy", as_of=day(1))
    assert monitor("toy", as_of=day(1)).action == "nothing"
    assert stands() == "nothing: no drift, no loss of performance"
    answers = Stores.open().lake.query(loader.load("toy"), f"SELECT * FROM {PREDICTIONS}", {}, tables=[PREDICTIONS])
    assert len(answers) == 150


def test_a_clock_that_was_set_back_changes_no_record(home, begun):
    begun(refreshed, JANUARY)
    ingest("toy", as_of=day(1))
    monitor("toy", as_of=day(1))
    before = observation.read(Stores.open().lake, loader.load("toy"))
    monitor("toy", as_of=datetime(2013, 1, 31, tzinfo=UTC))
    after = observation.read(Stores.open().lake, loader.load("toy"))
    assert [check for check in after if check in before] == before
    assert len(after) == len(before) + 1


def test_a_second_monitor_of_a_model_ends_at_once(home, begun):
    begun(refreshed, JANUARY)
    with model_lock("toy", "monitor"), pytest.raises(BusyError, match="another process already runs monitor"):
        monitor("toy", as_of=day(1))
    assert observation.read(Stores.open().lake, loader.load("toy")) == []


def test_a_training_that_fails_three_times_is_not_tried_a_fourth_time_and_a_person_is_told(write_model, told, begun):
    begun(refreshed, JANUARY)
    write_model(RAISES)
    for number in (10, 11, 12):
        with pytest.raises(TrainingError, match="no luck"):
            refresh("toy", reason="drift x 0.3", as_of=day(number))
    outcome = refresh("toy", reason="drift x 0.3", as_of=day(13))
    assert outcome.decision == "none"
    assert "3 trainings in a row failed" in outcome.reason
    assert decision_log.read(Stores.open().lake, loader.load("toy"))[0].action == "alert"
    assert refresh("toy", reason="drift x 0.4", as_of=day(14)).decision == "none"
    reason = "3 trainings in a row failed; see their flow runs (drift x 0.3)"
    assert told() == [f"toy: a person should look: {reason}"]
    assert stands().startswith("alert: 3 trainings in a row failed")
    assert Stores.open().registry.champion("toy").as_of == pd.Timestamp(JANUARY)


def test_what_a_monitor_decided_before_it_failed_stays_in_the_log(home, begun, monkeypatch):
    begun(refreshed, JANUARY)
    ingest("toy", as_of=day(1))

    def fails(*_: object) -> None:
        raise LakeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(monitoring, "report", fails)
        with pytest.raises(LakeError):
            monitor("toy", as_of=day(1))
    failed, decided = decision_log.read(Stores.open().lake, loader.load("toy"), triggered=False)[:2]
    assert (failed.reason, decided.action) == ("the monitor failed: the disk is full", "nothing")
    assert decided.state["champion"] == "2"
    monitor("toy", as_of=day(1))
    assert "failed" not in stands()
