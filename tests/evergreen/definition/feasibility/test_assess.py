"""Feasibility: which settings can never judge, by the model file alone and with the figures of a table."""

import pandas as pd
import pytest

from evergreen import Files, Gates, Monitoring, Policy, Served, Serving, Training
from evergreen.definition.feasibility.assess import findings, require, time_to_judge
from evergreen.definition.figures import Figures
from evergreen.errors import FeasibilityError

DAY = pd.Timedelta(days=1)


def times(freq: str, days: int, each: int = 1) -> "pd.Series[pd.Timestamp]":
    at = pd.date_range("2013-01-01", periods=int(DAY * days / pd.Timedelta(freq)), freq=freq, tz="UTC")
    return pd.Series(at.repeat(each))


def figures_of(model, freq: str, days: int, each: int = 1) -> Figures:
    return Figures.of(times(freq, days, each), model.gates.block, model.monitoring.unit)


NEVER = {
    "holdout of fewer blocks": (
        {"training": Training(holdout="2d")},
        "gate: holdout can never judge: a holdout of 2d holds 3 blocks of 1d at most; min_blocks asks for 5. "
        'Change it to: training=Training(holdout="5d"),',
    ),
    "holdout of one long block": (
        {"training": Training(holdout="7d"), "gates": Gates(block="7d")},
        'Change it to: training=Training(holdout="35d"),',
    ),
    "predictions are deleted before their labels": (
        {"source": Served(), "label_delay": "30d", "serving": Serving(retention="7d")},
        'Change it to: serving=Serving(retention="42d"),',
    ),
}


@pytest.mark.parametrize("name", NEVER)
def test_what_can_never_judge_by_the_file_alone_is_refused_with_the_line_to_change(toy, name):
    changes, told = NEVER[name]
    with pytest.raises(FeasibilityError) as raised:
        require(toy(**changes))
    assert told in str(raised.value)


POSSIBLE = {
    "as drafted": {},
    "four days touch five blocks": {"training": Training(holdout="4d")},
    "a reference of two windows, which is widened": {"training": Training(window="7d", holdout="7d")},
    "no training window": {"training": Training(holdout="40d"), "monitoring": Monitoring(window="84d", unit="28d")},
    "one block a week": {"training": Training(holdout="70d"), "gates": Gates(block="7d")},
    "another source keeps its rows": {"label_delay": "30d", "serving": Serving(retention="7d")},
}


@pytest.mark.parametrize("name", POSSIBLE)
def test_what_may_judge_is_accepted(toy, name):
    require(toy(**POSSIBLE[name]))


WITH_ROWS = [  # settings, rows: every, for days, at a time; finding, its state, in its reason or line
    ({}, ("1h", 60, 1), "gate: holdout", "judges", "168 rows in 7 blocks; 100 in 5 are needed"),
    ({}, ("1d", 60, 1), "gate: holdout", "never", 'training=Training(holdout="100d"),'),
    ({"training": Training(holdout="4d")}, ("1d", 60, 30), "gate: holdout", "never", "holds 4 blocks of 1d at most"),
    (
        {"training": Training(holdout="10d")},
        ("3d", 90, 50),
        "gate: holdout",
        "never",
        'training=Training(holdout="15d"),',
    ),
    ({}, ("1h", 5, 1), "gate: holdout", "not yet", "the history spans 119h"),
    ({"training": Training(window="2d")}, ("1h", 60, 1), "training", "never", 'training=Training(window="5d"),'),
    ({"policy": Policy(every="1d")}, ("1h", 60, 1), "trigger: schedule", "judges", "1 block"),
    ({"policy": Policy(every="7d")}, ("1h", 60, 1), "trigger: schedule", "judges", "7 blocks"),
    (
        {"policy": Policy(every="7d", cooldown="7d")},
        ("1h", 60, 1),
        "triggers: data, drift, performance",
        "skipped",
        "first",
    ),
    ({}, ("1h", 60, 1), "trigger: performance", "judges", "168 rows in 7 blocks"),
    ({"policy": Policy(every="7d", min_new_rows=500)}, ("1h", 60, 1), "triggers: new rows", "partly", "come in 21d"),
    ({"gates": Gates(block="7d")}, ("1h", 60, 1), "trigger: performance", "judges", "judged over 35d instead of 7d"),
    ({}, ("1d", 60, 10), "trigger: performance", "partly", 'monitoring=Monitoring(performance="10d"),'),
    ({}, ("1d", 60, 10), "trigger: performance", "partly", "judged over 10d instead of 7d, since 5 blocks"),
    (
        {"monitoring": Monitoring(performance="10d")},
        ("1d", 60, 10),
        "trigger: performance",
        "judges",
        "over 10d: about",
    ),
    ({"policy": Policy(every="7d")}, ("1d", 60, 10), "trigger: performance", "partly", 'policy=Policy(every="10d"),'),
    ({}, ("1h", 15, 1), "trigger: drift", "not yet", "the reference spans 15d"),
    ({}, ("1h", 60, 1), "trigger: drift", "judges", "3 windows of 7d"),
    ({}, ("3d", 60, 50), "trigger: drift", "not yet", "34% of its units hold rows"),
    ({"training": Training(window="28d")}, ("3d", 200, 50), "trigger: drift", "never", 'Training(window="63d"),'),
    ({}, ("1h", 60, 1), "trigger: drift of the predictions", "skipped", "holdout of 7d only"),
    ({}, ("1h", 60, 1), "probation", "judges", "336 rows"),
    ({"gates": Gates(block="7d")}, ("1h", 60, 1), "probation", "judges", "over 35d instead of 14d"),
    ({}, ("1d", 60, 5), "probation", "never", 'policy=Policy(probation="20d"),'),
    (
        {"source": Files(path="x.csv", lookback="2d"), "label_delay": "30d"},
        ("1h", 60, 1),
        "labels",
        "partly",
        'lookback="37d"',
    ),
    ({"serving": Serving(retention="2d")}, ("1h", 60, 1), "shadow and canary", "skipped", 'Serving(retention="12d"),'),
    ({"policy": Policy(every="7d", approval="9d")}, ("1h", 60, 1), "approval", "partly", "may supersede it"),
]


@pytest.mark.parametrize(("changes", "rows", "what", "state", "told"), WITH_ROWS)
def test_the_figures_of_the_table_decide_what_judges(toy, changes, rows, what, state, told):
    model = toy(**changes)
    found = {finding.what: finding for finding in findings(model, figures_of(model, *rows))}[what]
    assert found.state == state, found
    assert told in f"{found.why} {found.change}"


def test_from_when_on_it_can_judge_is_told(toy):
    found = {finding.what: finding for finding in findings(toy(), figures_of(toy(), "1h", 15))}["trigger: drift"]
    assert (found.state, found.since, found.problems) == ("not yet", "2013-01-22", [])  # 21 days after the first row


def test_a_champion_should_be_judged_once_its_labels_a_window_a_unit_and_a_margin_are_there(toy):
    model = toy(gates=Gates(block="7d"), label_delay="2d")
    assert time_to_judge(model) == 2 * DAY + 35 * DAY + DAY + 7 * DAY
    assert time_to_judge(model, 9 * DAY) == 9 * DAY + 35 * DAY + DAY + 7 * DAY


def test_a_schedule_of_trainings_that_can_never_decide_is_not_called_one_that_judges(toy):
    found = [finding.what for finding in findings(toy(training=Training(holdout="2d"), policy=Policy(every="7d")))]
    assert found == ["gate: holdout"]


def test_never_takes_the_fullest_of_the_newest_periods_and_the_mean_says_what_is_usual(toy):
    model = toy(training=Training(holdout="5d"), gates=Gates(min_rows=58))
    uneven = pd.concat([times("1D", 30, 10), times("3D", 30, 6)])  # 10 rows a day, and 6 more every third
    figures = Figures.of(uneven, model.gates.block)
    assert (figures.rows_in(5 * DAY), figures.most_rows_in(5 * DAY)) == (58, 62)
    (found,) = [finding for finding in findings(model, figures) if finding.what == "gate: holdout"]
    assert found.state == "judges"
    stricter = model.model_copy(update={"gates": Gates(min_rows=62)})
    states = [finding.state for finding in findings(stricter, figures) if finding.what == "gate: holdout"]
    assert states == ["partly"]
