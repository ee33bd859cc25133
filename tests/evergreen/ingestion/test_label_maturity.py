"""From which age on labels are used: old enough for every outcome, never younger, and the same when asked again."""

import re
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.definition.label_delay import used_from
from evergreen.ingestion import label_maturity
from evergreen.ingestion.label_maturity import LabelMaturity, learn
from evergreen.ingestion.label_times import LabelTimes
from evergreen.ingestion.schema import cast
from evergreen.lake.delta_lake import DeltaLake
from evergreen.lake.lake import INGEST
from evergreen.training import recipe
from evergreen.training.snapshot import Snapshot

START = pd.Timestamp("2013-01-01", tz="UTC")
DAY = pd.Timedelta(days=1)
NEVER = np.nan


def labels(delay_of, days=200, a_day=12, never=0.0, task="classification", seed=0):
    """Rows of two outcomes, known after `delay_of(random, at, y)` days; NaN for never."""
    random = np.random.default_rng(seed)
    at = np.sort(random.uniform(0, days, days * a_day))
    y = (random.random(len(at)) < 0.4).astype(float) if task == "classification" else random.normal(size=len(at))
    delay = np.where(random.random(len(at)) < never, NEVER, delay_of(random, at, y))
    times = (START + pd.to_timedelta(at, unit="D")).round("s").as_unit("us")
    known = (START + pd.to_timedelta(at + delay, unit="D")).round("s").as_unit("us")
    return pd.DataFrame({"at": times, "y": np.where(np.isnan(delay), np.nan, y), "known": known})


def loans(random, at, y):
    """A default after 5 to 20 days, a repayment after 45 to 60."""
    return np.where(y == 1, random.uniform(5, 20, len(at)), random.uniform(45, 60, len(at)))


def lump(random, at, y):
    """All labels of a month together, a day after it."""
    return (np.floor(at / 30) + 1) * 30 + 1 - at


def slower(random, at, y):
    """Repayments take 30 days more from day 100 on."""
    return loans(random, at, y) + np.where((y == 0) & (at > 100), 30, 0)


def faster(random, at, y):
    """All labels are known within a day from day 100 on."""
    return np.where(at > 100, random.uniform(0, 1, len(at)), loans(random, at, y))


def lender(toy, **changes):
    return toy(**{"task": "classification", "target_kind": "integer", "label_time": "known"} | changes)


def at_day(model, rows, day):
    now = START + day * DAY
    return learn(model, rows[rows["at"] <= now], now), now


def used_rows(model, rows, day):
    """The rows that take part on a day."""
    maturity, now = at_day(model, rows, day)
    there = rows["y"].notna() & (used_from(model, rows, maturity.delay) <= now)
    return rows[there & (rows["at"] <= pd.Timestamp(maturity.held_after or now))]


@pytest.mark.parametrize(
    ("delay_of", "never", "day", "low", "high"),
    [
        (loans, 0.0, 200, 55, 60),
        (loans, 0.3, 200, 55, 60),
        (loans, 0.0, 70, 55, 60),
        (lambda random, at, y: np.full(len(at), 3.0), 0.0, 200, 2.9, 3.0),
        (lambda random, at, y: np.zeros(len(at)), 0.0, 200, 0, 0.2),
        (lambda random, at, y: -np.ones(len(at)), 0.0, 200, 0, 0.2),
        (lump, 0.0, 200, 19, 20.1),
        (slower, 0.0, 200, 80, 90),
        (faster, 0.0, 350, 0.5, 1),
    ],
    ids=["loans", "a third never", "not followed for long", "fixed", "at once", "before", "lump", "slower", "faster"],
)
def test_rows_wait_until_nearly_all_labels_of_every_outcome_are_in(toy, delay_of, never, day, low, high):
    maturity, _ = at_day(lender(toy), labels(delay_of, never=never, days=350), day)
    assert low <= maturity.delay / timedelta(days=1) <= high


def test_a_rare_outcome_that_is_known_late_is_waited_for(toy):
    rows = labels(lambda random, at, y: np.where(at * 12 % 40 < 1, 50.0, 2.0))
    rows["y"] = (rows["known"] - rows["at"] > 30 * DAY).astype(float)
    assert rows["y"].mean() < 0.04
    assert at_day(lender(toy), rows, 200)[0].delay > timedelta(days=49)


def test_large_numbers_that_are_known_late_are_waited_for(toy):
    rows = labels(lambda random, at, y: np.where(y > 1.3, 40.0, 2.0), task="regression")
    assert at_day(toy(label_time="known"), rows, 200)[0].delay > timedelta(days=39)


@pytest.mark.parametrize("day", [80, 100, 130, 160, 200, 260, 290, 300, 310, 320])
@pytest.mark.parametrize("delay_of", [loans, lump, slower, faster])
def test_the_outcomes_of_the_rows_that_take_part_are_those_of_all_rows(toy, delay_of, day):
    rows = labels(delay_of, days=330, a_day=30, seed=day)
    newest = used_rows(lender(toy), rows, day).tail(600)
    whole = rows[(rows["at"] >= newest["at"].min()) & (rows["at"] <= newest["at"].max())]
    assert newest["y"].mean() == pytest.approx(whole["y"].mean(), abs=0.03)


def test_labels_that_are_held_up_leave_their_rows_out_until_they_come(toy):
    rows = labels(lambda random, at, y: random.uniform(0, 2, len(at)))
    held_up = (rows["y"] == 0) & (rows["at"] > START + 100 * DAY) & (rows["at"] < START + 140 * DAY)
    rows.loc[held_up, "known"] = START + 141 * DAY
    model = lender(toy)
    during, after = (used_rows(model, rows, day)["at"].max() for day in (138, 144))
    assert START + 98 * DAY < during < START + 101 * DAY
    assert after > START + 141 * DAY
    assert at_day(model, rows, 138)[0].delay < 3 * DAY  # a monitor says that they are overdue


def test_labels_that_are_held_up_hold_up_no_older_rows(toy, tmp_path):
    """Those of one outcome stop: what was known before goes on to train, for as long as it lasts."""
    rows = labels(lambda random, at, y: random.uniform(0, 2, len(at)))
    rows.loc[(rows["y"] == 0) & (rows["at"] > START + 100 * DAY), "known"] = START + 900 * DAY
    lake, usable = DeltaLake(str(tmp_path)), []
    model = lender(toy, source=toy().source)
    fitting = cast(rows.assign(id=[f"r{n}" for n in range(len(rows))], x=1.0, group="a"), model)[0]
    lake.land(model, fitting, "b", START, app=INGEST, mark=START + 200 * DAY)
    for day in (99, 140, 200):
        snapshot = Snapshot.pin(lake, model, START + day * DAY)
        bounds = recipe.whole(snapshot)
        assert bounds.holdout_until <= START + 101 * DAY
        usable.append(len(snapshot.training(bounds)))
    assert usable[0] > 900
    assert usable == pytest.approx([usable[0]] * 3, rel=0.05)


@pytest.mark.parametrize("never", [0.3, 0.6])
@pytest.mark.parametrize("seed", range(20))
def test_labels_that_lack_by_chance_are_not_held_up(toy, never, seed):
    rows = labels(lambda random, at, y: random.uniform(0, 2, len(at)), never=never, seed=seed)
    assert not at_day(lender(toy), rows, 190)[0].held_after


def test_where_fewer_labels_come_of_all_outcomes_alike_none_is_waited_for(toy):
    rows = labels(lambda random, at, y: random.uniform(0, 2, len(at)))
    less = (rows["at"] > START + 150 * DAY) & (rows.index % 2 == 0)
    assert used_rows(lender(toy), rows.assign(y=rows["y"].mask(less)), 190)["at"].max() > START + 187 * DAY


@pytest.mark.parametrize("count", [0, 5, 29])
def test_of_too_few_rows_nothing_is_learned(toy, count):
    model, rows = lender(toy, label_delay="3d"), labels(loans).head(count)
    assert learn(model, rows, START + 300 * DAY) == LabelMaturity(3 * 86_400, rows=count)


def test_rows_without_a_label_or_its_time_and_labels_of_the_future_are_not_known(toy):
    rows, now = labels(loans, days=300), START + 200 * DAY
    later = rows["known"] > now
    unknown = rows.assign(known=rows["known"].mask(later))
    without = rows.assign(y=rows["y"].mask(later))
    model = lender(toy)
    untimed = int((later & (rows["at"] <= now)).sum())
    assert learn(model, rows, now) == learn(model, without, now)
    assert learn(model, unknown, now) == replace(learn(model, rows, now), untimed=untimed)


@pytest.mark.parametrize("declared", [0, 10, 90])
def test_the_declared_delay_is_the_least(toy, declared):
    model = lender(toy, label_delay=timedelta(days=declared))
    maturity, _ = at_day(model, labels(loans), 200)
    assert maturity.delay >= timedelta(days=declared)
    assert (maturity.delay == timedelta(days=declared)) == (declared == 90)


delays = st.integers(0, 40)


@settings(max_examples=60)
@given(delays, delays, st.floats(0, 0.5), st.integers(90, 200), st.integers(0, 9))
def test_no_row_younger_than_the_delay_of_its_outcome_takes_part_unless_all_are_in(toy, soon, late, never, day, seed):
    rows = labels(lambda random, at, y: np.where(y == 1, soon, late), never=never, seed=seed)
    model, now = lender(toy), START + day * DAY
    used = used_rows(model, rows, day)
    young = used[used["at"] > now - max(soon, late) * DAY]
    if len(young):
        since = rows[(rows["at"] >= young["at"].min()) & (rows["at"] <= young["at"].max())]
        assert (since["known"] <= now).all()


@settings(max_examples=30)
@given(st.integers(20, 190), st.integers(0, 9), st.floats(0, 0.4))
def test_what_is_learned_later_as_of_the_same_moment_is_the_same(toy, day, seed, never):
    rows, now = labels(loans, never=never, seed=seed), START + day * DAY
    then = rows[rows["at"] <= now]
    then = then.assign(y=then["y"].mask(then["known"] > now), known=then["known"].mask(then["known"] > now))
    model = lender(toy)
    assert learn(model, rows, now) == learn(model, then, now)


@pytest.mark.parametrize(
    ("change", "day", "told"),
    [
        (lambda rows: rows, 190, "Early labels are a biased sample: one class makes up"),
        (lambda rows: rows, 70, "How long labels take is not known yet: at least 5"),
        (lambda rows: rows.assign(known=rows["at"] + DAY), 190, ""),
        (lambda rows: rows.assign(known=rows["at"] - DAY), 190, "Most labels have a 'known' before the time"),
        (
            lambda rows: rows.assign(known=(rows["at"] + DAY).where(rows.index >= 50)),
            190,
            "50 labels of the last year have no 'known', and are not used.",
        ),
        (
            lambda rows: rows.assign(known=(rows["at"] + DAY).where(rows["at"] < START + 150 * DAY, START + 400 * DAY)),
            190,
            "Labels of some outcomes are held up: fewer rows after 2013-05-3",
        ),
    ],
    ids=["biased", "too young", "plain", "before the row", "without a time", "none for weeks"],
)
def test_what_a_person_should_know_of_labels_is_told(toy, change, day, told):
    model = lender(toy)
    notes = at_day(model, change(labels(loans)), day)[0].notes(model)
    assert any(note.startswith(told) for note in notes) if told else notes == []


def test_weighted_labels_are_no_biased_sample(toy):
    rows, now = labels(loans, days=100, a_day=100), START + 100 * DAY
    seen = LabelTimes.of(lender(toy), rows, now)
    outcome, weight = seen.outcome[seen.arrived], seen.weights
    assert outcome.mean() > rows["y"].mean() + 0.08
    assert np.average(outcome, weights=weight) == pytest.approx(rows["y"].mean(), abs=0.02)


def test_it_comes_back_from_json():
    for maturity in (LabelMaturity(60), LabelMaturity(61.5, 59.1, True, 300, held_after=START.isoformat())):
        assert LabelMaturity.parse(maturity.dump()) == maturity


@pytest.mark.parametrize(
    ("delay_of", "delay", "told"),
    [(loans, "0d", 'label_delay="5'), (loans, "61d", ""), (lambda random, at, y: 0 * at, "0d", "")],
    ids=["lacking", "stated", "at once"],
)
def test_labels_that_newer_rows_lack_are_told_where_no_column_has_their_time(toy, tmp_path, delay_of, delay, told):
    rows, now = labels(delay_of), START + 200 * DAY
    rows = rows.assign(y=rows["y"].mask(rows["known"] > now), id=[f"r{n}" for n in range(len(rows))], x=1.0, group="a")
    model, lake = toy(label_delay=delay), DeltaLake(str(tmp_path))
    fitting, problems = cast(rows.drop(columns="known"), model)
    assert problems == []
    lake.land(model, fitting, "b", START, app=INGEST, mark=now)
    notes = label_maturity.unlabelled(lake, model, now, lake.version(model.name))
    assert (told in notes[0]) if told else (notes == [])
    if told:  # what is advised ends the advice
        advised = model.model_copy(update={"label_delay": pd.Timedelta(re.search(r'"(\d+d)"', notes[0])[1])})
        assert label_maturity.unlabelled(lake, advised, now, lake.version(model.name)) == []
        years_later = label_maturity.unlabelled(lake, model, now + 900 * DAY, lake.version(model.name))
        assert "The source has no rows after" in years_later[0]
        assert "label_delay=" not in years_later[0]
