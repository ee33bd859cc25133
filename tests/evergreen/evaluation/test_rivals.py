"""Rivals: which versions a challenger meets, what earlier ones gained, and how often rows were looked at."""

import pandas as pd
import pytest

from evergreen import Policy
from evergreen.evaluation.bootstrap import Gain, Interval
from evergreen.evaluation.rivals import Rivals, looks, rivals
from evergreen.registry.version import Version
from evergreen.training.recipe import split_of
from evergreen.training.split import Split

START = pd.Timestamp("2013-01-01", tz="UTC")
DAY = pd.Timedelta(days=1)
BOUNDS = Split(START, START + 20 * DAY, START + 20 * DAY, START + 30 * DAY)
PERIODS = {name: moment.isoformat() for name, moment in vars(BOUNDS).items()}
CHALLENGER = Version("toy", "9", "a run", "", PERIODS | {"model_file": "as it is", "code": "as it is"})


def version(number, *aliases, model="toy", **tags):
    bounds = {"train_from": "", "train_until": "2013-01-01T00:00Z", "holdout_from": "2013-01-01T00:00Z"}
    return Version(model, str(number), "r", "s", bounds | {"holdout_until": "2013-01-02T00:00Z"} | tags, aliases)


def on_trial(*looks):
    return version(1, trial="reject", trial_looks=" ".join(looks))


def judged(number, low, high, **tags):
    return version(number, **{"decision": "reject", "judged_from": low, "judged_until": high} | tags)


@pytest.mark.parametrize(
    ("versions", "count"),
    [
        ([], 0),
        ([version(1)], 0),
        ([judged(1, "2013-01-21T00:00Z", "2013-01-30T23:00Z")], 1),
        ([judged(1, "2013-01-10T00:00Z", "2013-01-22T00:00Z")], 1),
        ([judged(1, "2013-01-10T00:00Z", "2013-01-21T00:00Z")], 1),
        ([judged(1, "2013-01-30T00:00Z", "2013-02-09T00:00Z")], 1),
        ([judged(1, "2013-01-01T00:00Z", "2013-01-20T23:00Z")], 0),
        ([judged(1, "2013-01-31T00:00Z", "2013-02-09T00:00Z")], 0),
        ([judged(1, "", "")], 0),
        ([judged(1, "2013-01-21T00:00Z", "2013-01-30T00:00Z", decision="")], 0),
        ([judged(number, "2013-01-21T00:00Z", "2013-01-30T00:00Z") for number in range(3)], 3),
        ([on_trial("2013-01-01T00:00Z/2013-01-20T23:00Z", "2013-01-21T00:00Z/2013-01-22T00:00Z")], 1),
        ([on_trial("2013-01-21T00:00Z/2013-01-22T00:00Z", "2013-01-21T00:00Z/2013-01-24T00:00Z")], 2),
    ],
    ids=[
        *["none", "unjudged", "same", "start", "first row", "end", "before", "after", "no rows", "died", "three"],
        *["on trial", "twice on trial"],
    ],
)
def test_each_judging_of_any_of_these_rows_was_a_look(versions, count):
    assert looks(versions, BOUNDS.holdout_from, BOUNDS.holdout_until) == count


@pytest.mark.parametrize(
    ("judged_until", "refitted_until", "met"),
    [
        ("2013-01-10T00:00Z", "2013-01-25T00:00Z", "1"),  # the refit has seen a part of the holdout
        ("2013-01-10T00:00Z", "2013-01-21T00:00Z", ""),
        ("2013-01-22T00:00Z", "2013-01-25T00:00Z", ""),  # so has the one that was judged: what the refit has not seen
    ],
)
def test_a_champion_that_has_seen_the_holdout_is_met_as_it_was_before_its_refit(
    registry, own, record, judged_until, refitted_until, met
):
    model = own()
    first = {"train_from": "", "holdout_from": judged_until, "holdout_until": refitted_until}
    again = {"train_from": "", "holdout_from": refitted_until, "holdout_until": refitted_until}
    record(model, **first, train_until=judged_until)
    record(model, **again, train_until=refitted_until, refit_of="1")
    registry.alias(registry.version(model.name, "2"), "champion")
    found = rivals(registry, model, registry.champion(model.name), registry.versions(model.name), CHALLENGER)
    assert found.stand_in == met
    assert found.champion.trained_until == pd.Timestamp(judged_until if met else refitted_until)


def test_a_champion_whose_judged_version_is_gone_is_met_itself(registry, own, record):
    model = own()
    again = {"train_from": "", "holdout_from": "2013-01-25T00:00Z", "holdout_until": "2013-01-25T00:00Z"}
    record(model, **again, train_until="2013-01-25T00:00Z", refit_of="7")
    registry.alias(registry.version(model.name, "1"), "champion")
    assert rivals(registry, model, registry.champion(model.name), [], CHALLENGER).stand_in == ""


def test_the_champion_and_earlier_champions_that_have_not_seen_the_holdout_are_met(registry, own, record):
    bounds = {"train_from": "", "holdout_from": "2013-01-20T00:00Z", "holdout_until": "2013-01-21T00:00Z"}
    once = {"promoted_at": "2013-01-20T00:00Z"}
    model = own(policy=Policy(contenders=1))
    for until, tags in [
        ("2013-01-05T00:00Z", once),
        ("2013-01-06T00:00Z", once),
        ("2013-01-22T00:00Z", once),  # was to see a part of the holdout
        ("2013-01-07T00:00Z", once | {"data_until": "2013-01-21T00:00Z"}),  # has seen a part of it
        ("2013-01-07T00:00Z", {}),  # never was champion
        ("2013-01-08T00:00Z", once),
    ]:
        record(model, **bounds, train_until=until, **tags)
    registry.alias(registry.version(model.name, "6"), "champion")
    champion, versions = registry.champion(model.name), registry.versions(model.name)
    met = rivals(registry, model, champion, versions, CHALLENGER)
    assert met.champion.trained_until == START + 7 * DAY
    assert list(met.earlier) == ["version 2"]
    assert (met.champion.path, met.champion.split) == (registry.path(champion), split_of(champion))
    assert met.champion.estimator.coef_ == registry.load(champion).coef_
    online = rivals(registry, model, champion, versions, registry.version(model.name, "2"), since=START + 19 * DAY)
    assert list(online.earlier) == ["version 1"]  # the one in online evaluation is no rival of its own
    assert list(rivals(registry, model, champion, versions, CHALLENGER, since=START + 4 * DAY).earlier) == ["version 1"]
    assert rivals(registry, model, None, [], CHALLENGER) == Rivals(None, {})


def test_what_challengers_gained_over_this_champion_on_rows_of_their_own_is_carried(registry, own, record):
    bounds = {"train_from": "", "holdout_from": "2013-01-20T00:00Z", "holdout_until": "2013-01-21T00:00Z"}
    model, days = own(), {"train_until": "2013-01-05T00:00Z"}
    champion = record(model, **bounds, **days, promoted_at="2013-01-06T00:00Z")

    def judged(low, high, value, against=champion.number, **tags):
        period = {"judged_from": f"2013-01-{low:02}T00:00Z", "judged_until": f"2013-01-{high:02}T23:00Z"}
        gain = Gain(Interval(value, value - 1, value + 1), 0.95, 7).dump()
        recorded_tags = {"judged_against": against, "gain": gain, "model_file_hash": CHALLENGER.model_file_hash}
        record(model, **bounds, **days, **period, **recorded_tags | tags)

    judged(1, 5, 1.0, against="99")  # another champion
    judged(2, 6, 2.0)
    judged(6, 9, 3.0)  # overlaps the next
    judged(7, 7, 3.5, model_file_hash="another")
    judged(1, 1, 3.6, code_hash="another")  # of a module that the model file imports
    judged(8, 14, 4.0)
    judged(15, 17, 5.0, gain="")  # before it met a champion
    judged(16, 21, 6.0)  # overlaps the holdout
    met = rivals(registry, model, champion, registry.versions(model.name), CHALLENGER)
    assert [gain.interval.value for gain in met.gains] == [4.0, 2.0]
