"""The outlook: what can judge with the rows that are really in the lake, and with the champion's own reference."""

import pandas as pd
import pytest

from evergreen import Fairness, Gates, Monitoring, Policy, Training
from evergreen.definition.feasibility.finding import Finding
from evergreen.definition.figures import Figures
from evergreen.governance import outlook
from evergreen.ingestion import batch
from evergreen.stores import Stores
from evergreen.training.snapshot import Snapshot

UNTIL = pd.Timestamp("2013-03-01", tz="UTC")


@pytest.fixture
def looked(toy):
    """Land two months of a row an hour, and look."""

    def made(**changes) -> dict[str, Finding]:
        stores, model = Stores.open(), toy(**changes)
        if not stores.lake.exists("toy"):
            since = UNTIL - pd.Timedelta(days=59)
            batch.of_source(model, stores.lake, stores.quarantine, since, UNTIL, UNTIL).land(stores.lake)
        return {finding.what: finding for finding in outlook.examine(stores, model, UNTIL)}

    return made


def test_the_figures_are_those_of_the_labelled_rows(looked, toy):
    looked()
    model = toy(label_delay="2d")
    figures = outlook.measured(Snapshot.pin(Stores.open().lake, model, UNTIL))
    times = pd.Series(pd.date_range(UNTIL - pd.Timedelta(days=59), UNTIL - pd.Timedelta(days=2), freq="h"))
    expected = Figures.of(times, model.gates.block)
    assert figures.rows.tolist() == expected.rows.tolist()
    assert figures.last.tolist() == expected.last.tolist()
    assert (figures.filled, figures.delay) == (1.0, pd.Timedelta("2d"))


def test_before_the_first_rows_the_model_file_alone_is_judged(toy):
    found = outlook.examine(Stores.open(), toy(training=Training(holdout="2d")), UNTIL)
    assert [finding.what for finding in found if finding.problems] == ["gate: holdout"]


@pytest.mark.parametrize(
    ("changes", "what", "state", "told"),
    [
        ({}, "gate: holdout", "judges", "168 rows in 7 blocks"),
        ({"gates": Gates(min_rows=500)}, "gate: holdout", "never", 'training=Training(holdout="21d"),'),
        ({"slices": ["group"]}, "gate: slices of group", "skipped", 'training=Training(holdout="17d"),'),
        ({"slices": ["group"], "gates": Gates(slice_rows=50)}, "gate: slices of group", "judges", "2 of 2 values"),
        (
            {"gates": Gates(fairness=[Fairness(column="group", error=1.0)])},
            "gate: fairness by group",
            "never",
            "0 of 2 values have 100 rows in the newest holdout (group_rows)",
        ),
        ({"label_delay": "0d"}, "labels", "judges", "declared after 0d"),
        ({"label_delay": "3d"}, "labels", "partly", 'lookback="10d",'),
        ({"label_time": "at"}, "labels", "judges", "known after 0d"),
        ({"policy": Policy(every="2d")}, "trigger: schedule", "judges", "judged on a holdout of 7d"),
        ({"monitoring": Monitoring(window="28d")}, "trigger: drift", "not yet", "3 windows of 28d"),
    ],
)  # fmt: skip
def test_what_can_judge_follows_from_the_rows_of_the_lake(looked, changes, what, state, told):
    finding = looked(**changes)[what]
    assert finding.state == state, finding
    assert told in f"{finding.why} {finding.change}"


def test_a_label_delay_that_is_not_learned_yet_is_told(toy):
    source = toy().source.model_copy(update={"lookback": pd.Timedelta(days=2).to_pytimedelta()})
    stores, model, middle = Stores.open(), toy(source=source), UNTIL - pd.Timedelta(hours=6)
    for since, until in ((UNTIL - pd.Timedelta(days=59), middle), (middle, UNTIL)):
        batch.of_source(model, stores.lake, stores.quarantine, since, until, until).land(stores.lake)
    found = {finding.what: finding for finding in outlook.examine(stores, model, UNTIL)}
    assert found["labels"].state == "not yet"
