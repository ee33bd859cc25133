"""Trials: everybody on the same rows that nobody has seen, with the faults of a challenger found."""

import math
from dataclasses import replace
from shutil import copytree

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from evergreen import Gates
from evergreen.errors import TrainingError
from evergreen.evaluation import performance
from evergreen.evaluation.bootstrap import Gain, Interval, pooled
from evergreen.evaluation.comparison import compare_on_holdout, refitted
from evergreen.evaluation.evidence import Soundness, carry
from evergreen.evaluation.rivals import Candidate, Rivals
from evergreen.gates.known_bad import Spoiled
from evergreen.gates.verdict import judge
from evergreen.lake.delta_lake import DeltaLake
from evergreen.lake.lake import INGEST
from evergreen.registry.model_store import save
from evergreen.training import fitting
from evergreen.training.snapshot import Snapshot
from evergreen.training.split import Split

START = pd.Timestamp("2013-01-01", tz="UTC")
DAY = pd.Timedelta(days=1)
BOUNDS = Split(START, START + 20 * DAY, START + 20 * DAY, START + 30 * DAY)
ALONE = Rivals(None, {})
BEFORE = Split(START, START + 10 * DAY, START + 10 * DAY, START + 20 * DAY)


@pytest.fixture(scope="module")
def snapshot(toy, rows, tmp_path_factory):
    """Thirty days of rows, all labels known."""
    lake = DeltaLake(str(tmp_path_factory.mktemp("lake")))
    lake.land(toy(), rows(30), "b", START, app=INGEST, mark=START)
    return Snapshot.pin(lake, toy(), START + 30 * DAY)


@pytest.fixture(scope="module")
def honest(snapshot, tmp_path_factory):
    """A challenger that learnt the first twenty days, stored as a registered one is."""
    model = snapshot.model
    rows = snapshot.labelled(BOUNDS.train_from, BOUNDS.train_until)
    path = tmp_path_factory.mktemp("stored") / "model"
    estimator = fitting.fit(model, rows)
    save(model, estimator, fitting.features(model, rows).tail(5), str(path))
    return Candidate(estimator, str(path), BOUNDS, BOUNDS.train_until)


@pytest.fixture(scope="module")
def champion(honest):
    """One that learnt ten days and is off by a little."""
    estimator = LinearRegression().fit(pd.DataFrame({"x": [0.0, 1.0]}), [0.0, 1.5])
    return Candidate(estimator, honest.path, BEFORE, BEFORE.train_until)


def test_everybody_is_scored_on_the_holdout(snapshot, honest, champion):
    trial = compare_on_holdout(snapshot, honest, Rivals(champion, {"version 1": champion}), looked=2)
    evidence = trial.evidence
    assert set(trial.predictions) == {"challenger", "champion", "dummy", "version 1"}
    assert (evidence.rows, evidence.blocks, evidence.looks, evidence.overlap) == (240, 10, 2, 0)
    assert pd.Timestamp(evidence.since) == BOUNDS.holdout_from
    assert evidence.challenger.value < evidence.champion.value < evidence.dummy.value
    assert (evidence.reload_error, evidence.signature_changes) == ("", [])
    assert evidence.size_mb > 0 < evidence.latency_ms
    assert trial.importance()["x"] > 0
    assert judge(evidence, snapshot.model.gates).passing


def test_rows_that_the_champion_was_trained_on_are_left_out_for_all(snapshot, honest, champion):
    later_champion = replace(champion, trained_until=BOUNDS.holdout_from + 7 * DAY)
    trial = compare_on_holdout(snapshot, honest, Rivals(later_champion, {}), looked=0)
    assert (trial.evidence.rows, pd.Timestamp(trial.evidence.since)) == (72, START + 27 * DAY)
    assert {len(prediction) for prediction in trial.predictions.values()} == {72}


def test_a_champion_that_has_seen_every_row_leaves_not_enough_evidence(snapshot, honest, champion):
    later_champion = replace(champion, trained_until=BOUNDS.holdout_until)
    evidence = compare_on_holdout(snapshot, honest, Rivals(later_champion, {}), looked=0).evidence
    assert evidence.rows == 0
    assert judge(evidence, snapshot.model.gates).decision == "not enough evidence"


def spoiled(how):
    return lambda honest: replace(honest, estimator=Spoiled(honest.estimator, how))


def peeking(honest):
    return replace(honest, trained_until=BOUNDS.holdout_from + DAY)


FAULTS = {
    "NaN predictions": (spoiled("nan"), "finite predictions", "0.00% of the predictions are finite"),
    "not what is stored": (spoiled("worse"), "repeats in a fresh process", "predictions differ by up to"),
    "trained on a day of the holdout": (peeking, "holdout unseen", "24 rows of the holdout are no later than"),
}


@pytest.mark.parametrize("share", [0.01, 1.0])
def test_champions_that_answer_what_is_no_number_keep_nobody_out(snapshot, honest, champion, share):
    broken = replace(champion, estimator=NotANumber(champion.estimator, share))
    for against in (Rivals(broken, {}), Rivals(champion, {"version 1": broken})):
        comparison = compare_on_holdout(snapshot, honest, against, looked=0)
        assert judge(comparison.evidence, snapshot.model.gates).passing
        assert not [name for name, values in comparison.predictions.items() if not np.isfinite(values).all()]
    evidence = compare_on_holdout(snapshot, honest, Rivals(broken, {}), looked=0).evidence
    assert evidence.champion_error == f"{round(share * 240)} of its 240 predictions are not finite"


@pytest.mark.parametrize(("seen", "slope", "better"), [(3, 2.0, False), (3, 0.0, True), (9.9, 0.0, None)])
def test_who_is_better_than_the_stand_in_is_compared_with_the_champion_itself_on_newer_rows(
    snapshot, honest, champion, seen, slope, better
):
    def line(steep):
        return LinearRegression().fit(pd.DataFrame({"x": [0.0, 1.0]}), [0.5, 0.5 + steep])

    earlier, old = replace(champion, estimator=line(1.5)), replace(champion, estimator=line(0.0))
    itself = replace(champion, estimator=line(slope), trained_until=BOUNDS.holdout_from + seen * DAY)
    against = Rivals(old, {"version 1": earlier}, stand_in="3", answering=itself)
    evidence = compare_on_holdout(snapshot, honest, against, looked=0).evidence
    assert evidence.earlier_over_champion["version 1"].low > 0
    found = evidence.earlier_over_answering.get("version 1")
    assert (found and found.low > 0) == better


class NotANumber:
    """An estimator that predicts NaN for a share of the rows."""

    def __init__(self, inner, share):
        self.inner, self.share = inner, share

    def predict(self, rows):
        values = np.array(self.inner.predict(rows), dtype=np.float64)
        values[: max(1, int(self.share * len(values)))] = np.nan
        return values


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_and_rejected_by_its_gate(snapshot, honest, champion, fault):
    spoil, gate, found = FAULTS[fault]
    verdict = judge(
        compare_on_holdout(snapshot, spoil(honest), Rivals(champion, {}), looked=0).evidence, snapshot.model.gates
    )
    outcomes = {check.name: (check.outcome, check.detail) for check in verdict.checks}
    assert verdict.decision == "reject"
    assert outcomes[gate][0] == "failed"
    assert outcomes[gate][1].startswith(found)


def test_a_stored_model_that_does_not_load_is_rejected(snapshot, honest, tmp_path):
    copytree(honest.path, tmp_path / "model")
    (tmp_path / "model" / "model.skops").write_text("not a model")
    evidence = compare_on_holdout(snapshot, replace(honest, path=str(tmp_path / "model")), ALONE, looked=0).evidence
    assert evidence.reload_error.startswith("the stored model cannot predict: ")
    assert judge(evidence, snapshot.model.gates).decision == "reject"


@pytest.mark.parametrize(
    ("columns", "change"),
    [
        ({"x": 1.0}, []),
        ({"x": 1.0, "z": 1.0}, ["z is new"]),
        ({"x": True}, ["x was double, is boolean"]),
    ],
    ids=["the same", "one more", "another type"],
)
def test_what_callers_of_the_champion_would_trip_over_is_named(snapshot, honest, champion, tmp_path, columns, change):
    rows = pd.DataFrame({name: [value] * 20 for name, value in columns.items()})
    other = LinearRegression().fit(rows, np.arange(20.0))
    save(snapshot.model, other, rows.tail(5), str(tmp_path / "model"))
    asked = replace(honest, path=str(tmp_path / "model"))
    assert compare_on_holdout(snapshot, asked, Rivals(champion, {}), looked=0).evidence.signature_changes == change


def test_of_an_earlier_champion_that_is_better_all_is_asked_that_lets_it_come_back(
    snapshot, honest, champion, tmp_path
):
    rows = pd.DataFrame({"x": [1.0, 2.0], "z": [1.0, 2.0]})
    save(snapshot.model, LinearRegression().fit(rows, [1.0, 2.0]), rows, str(tmp_path / "needy"))
    before = replace(honest, trained_until=BEFORE.train_until)
    earlier = {"version 1": before, "version 2": replace(before, path=str(tmp_path / "needy")), "version 3": champion}
    earlier_evidence = compare_on_holdout(snapshot, honest, Rivals(champion, earlier), looked=0).evidence.earlier
    assert earlier_evidence["version 1"] == Soundness(1.0, [], "")
    assert earlier_evidence["version 2"].signature_changes == ["z is new"]
    assert earlier_evidence["version 2"].reload_error.startswith("the stored model cannot predict")
    assert "version 3" not in earlier_evidence  # no better than itself


class Mute(LinearRegression):
    def predict(self, X):
        raise ValueError("no such category")


def test_a_champion_that_raises_on_the_holdout_is_lost_to_any_challenger_that_answers(snapshot, honest, champion):
    mute = Mute().fit(pd.DataFrame({"x": [0.0, 1.0]}), [0.0, 1.0])
    champion = replace(champion, estimator=mute)
    trial = compare_on_holdout(snapshot, honest, Rivals(champion, {"version 1": champion}), looked=0)
    verdict = judge(trial.evidence, snapshot.model.gates)
    check = next(check for check in verdict.checks if check.name == "not worse than the champion")
    assert verdict.passing
    assert check.detail.startswith("the champion cannot predict these rows: ")
    assert set(trial.predictions) == {"challenger", "dummy"}


def test_an_estimator_that_raises_on_the_holdout_is_named(toy, rows, honest, tmp_path):
    model = toy(features={"group": "category"}, estimator=lambda: make_pipeline(OneHotEncoder(), LinearRegression()))
    lake, given = DeltaLake(str(tmp_path)), rows(30)
    given["group"] = given["group"].mask(given["at"] > START + 25 * DAY, "never seen")
    lake.land(model, given, "b", START, app=INGEST, mark=START)
    strict = replace(honest, estimator=fitting.fit(model, given[given["at"] < BOUNDS.train_until]))
    with pytest.raises(TrainingError, match=r"toy: the estimator raised ValueError: Found unknown categories"):
        compare_on_holdout(Snapshot.pin(lake, model, START + 30 * DAY), strict, ALONE, looked=0)


@pytest.mark.parametrize("metric", ["log_loss", "roc_auc"])
def test_a_holdout_of_one_class_promotes_nobody_over_a_champion_as_good(toy, rows, honest, tmp_path, metric):
    model = toy(task="classification", estimator=LogisticRegression, metric=metric)
    lake, given = DeltaLake(str(tmp_path)), rows(30)
    given["y"] = ((given["x"] > 0) | (given["at"] >= BOUNDS.holdout_from)).astype("Int64")
    lake.land(model, given, "b", START, app=INGEST, mark=START)
    fitted = fitting.fit(model, given[given["at"] < BOUNDS.train_until])
    against = Rivals(Candidate(fitted, honest.path, BEFORE, BEFORE.train_until), {})
    evidence = compare_on_holdout(
        Snapshot.pin(lake, model, START + 30 * DAY), replace(honest, estimator=fitted), against, 0
    ).evidence
    assert not judge(evidence, model.gates).passing


GAINED = Gain(Interval(5.0, 4.0, 6.0), 0.95, 7)


def test_the_gain_that_is_carried_is_the_mean_of_all(evidence):
    alone, gates = evidence(), Gates()
    assert carry(alone, [], gates) is alone
    assert carry(evidence(over_champion=None), [GAINED], gates).carried is None
    gain = carry(alone, [GAINED, GAINED], gates)
    assert gain.carried.value == pytest.approx((2.0 + 2 * 5.0) / 3)
    assert gain.carried_judgings == 2
    level = gates.level(2, 2)
    assert gain.carried == pooled([alone.gain, GAINED, GAINED], level)
    lost = Gain(Interval(math.nan, math.nan, math.nan), 0.95, 7)
    assert carry(alone, [lost], gates).carried is None  # what is not known proves nothing


def line(slope, intercept=0.0):
    return LinearRegression().fit(pd.DataFrame({"x": [0.0, 1.0]}), [intercept, slope + intercept])


def disagreement(model, first, second, rows):
    return refitted(model, first, second, rows)[0]


@pytest.mark.parametrize(("offset", "apart"), [(0.0, 0.0), (1.0, 1.0), (-2.0, 2.0), (math.nan, math.inf)])
def test_numbers_disagree_by_their_distance_in_spreads_of_the_target(toy, rows, offset, apart):
    given = rows(10).assign(y=lambda rows: np.where(rows.index % 2, 3.0, -3.0))
    other = line(2.0, 3 * offset) if math.isfinite(offset) else Spoiled(line(2.0), "nan")
    assert disagreement(toy(), line(2.0), other, given) == pytest.approx(apart)


def test_a_target_that_never_changes_is_its_own_measure(toy, rows):
    assert disagreement(toy(), line(2.0), line(2.0, 0.5), rows(10).assign(y=7.0)) == pytest.approx(0.5)


def test_without_rows_nobody_agrees(toy, rows):
    assert disagreement(toy(), line(1.0), line(1.0), rows(1)[:0]) == math.inf


def test_classes_disagree_by_their_probabilities_also_where_one_never_saw_a_class(toy, rows):
    model = toy(task="classification", estimator=LogisticRegression)
    given = rows(20).assign(y=lambda rows: (rows["x"] > 0).astype(int))
    two, same = (fitting.fit(model, given) for _ in range(2))
    three = fitting.fit(model, given.assign(y=given["y"].mask(given["x"] > 1, 2)))
    assert disagreement(model, two, same, given) == 0.0
    assert 0 < disagreement(model, two, three, given) < 1
    assert disagreement(model, two, three, given) == disagreement(model, three, two, given)


@pytest.mark.parametrize(
    ("again", "good"),
    [(line(3.0), True), (line(2.0), False), (line(1.0), False), (Spoiled(line(3.0), "nan"), False)],
    ids=["learnt", "the same", "gone wrong", "no number"],
)
def test_a_refit_has_learnt_if_it_answers_better_what_it_was_shown(toy, rows, again, good):
    given = rows(20).assign(y=lambda rows: 3 * rows["x"])
    assert (refitted(toy(), line(2.0), again, given)[1] > 0) is good
    assert not refitted(toy(), line(2.0), again, given[:0])[1] > 0


@pytest.mark.parametrize("names", [(0, 1), (3, 7)])
def test_what_a_refit_of_a_classifier_has_learnt_is_its_gain(toy, rows, names):
    """Three of four rows are of the last class; the judged model says one of four."""
    model = toy(task="classification", target_kind="integer")
    given = rows(20).assign(y=lambda rows: np.where(rows.index % 4, names[1], names[0]))
    judged = DummyClassifier().fit(given[["x"]], np.where(given.index % 4, names[0], names[1]))
    again = DummyClassifier().fit(given[["x"]], given["y"])
    apart, learnt = refitted(model, judged, again, given)
    assert apart == pytest.approx(0.5)
    assert learnt == pytest.approx(math.log(3) / 2)  # 0.75 log(0.75 / 0.25) + 0.25 log(0.25 / 0.75), alike on all days


def test_what_a_refit_has_learnt_is_the_low_end_of_its_gain_at_a_first_evaluation(toy, rows):
    model, given = toy(), rows(20)
    judged, again = line(1.0), line(1.9)
    periods = [performance.realised(model, estimator, given) for estimator in (again, judged)]
    gain = performance.gain(model, periods[:1], periods[1:], level=0.95)
    assert refitted(model, judged, again, given)[1] == pytest.approx(gain.low)
