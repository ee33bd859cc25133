"""Probation: who cannot predict rows that its predecessor can is worse; where neither can, nobody is to blame."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from evergreen import Policy
from evergreen.errors import TrainingError
from evergreen.lake.delta_lake import DeltaLake
from evergreen.lake.lake import INGEST
from evergreen.monitoring import probation
from evergreen.registry.version import Version, stored
from evergreen.training.snapshot import Snapshot

START, DAY = pd.Timestamp("2013-01-01", tz="UTC"), pd.Timedelta(days=1)


class Answering:
    """An estimator that predicts what is true, but for some rows."""

    def __init__(self, how):
        self.how = how

    def predict(self, rows):
        if self.how == "out of memory":
            raise MemoryError
        if self.how == "raises":
            raise ValueError("a category that it does not know")
        values = 2 * rows["x"].to_numpy()
        return np.where(np.arange(len(values)) == 0, np.nan, values) if self.how == "nan" else values


class Two:
    """A registry with a champion and the version that it replaced."""

    def __init__(self, ours, theirs):
        self.estimators = {"2": Answering(ours), "1": Answering(theirs)}

    def load(self, version):
        return self.estimators[version.number]

    def previous(self, name):
        return version("1")


def version(number):
    bounds = {"train_until": START + 5 * DAY, "holdout_from": START + 5 * DAY, "holdout_until": START + 10 * DAY}
    return Version("toy", number, "", "", stored(bounds | {"promoted_at": START + 10 * DAY}))


@pytest.fixture(scope="module")
def snapshot(toy, rows, tmp_path_factory):
    lake = DeltaLake(str(tmp_path_factory.mktemp("lake")))
    lake.land(toy(), rows(30), "b", START, app=INGEST, mark=START)
    return Snapshot.pin(lake, toy(), START + 30 * DAY)


@pytest.mark.parametrize(
    ("ours", "theirs", "state"),
    [
        ("well", "well", "holds"),
        ("nan", "well", "worse"),
        ("raises", "well", "worse"),
        ("well", "nan", "unknown"),
        ("well", "raises", "unknown"),
        ("nan", "nan", "unknown"),
        ("raises", "nan", "unknown"),
    ],
)
def test_a_version_that_cannot_predict_is_worse_than_one_that_can(snapshot, ours, theirs, state):
    policy = snapshot.model.policy.model_copy(update={"probation": 10 * DAY})
    model = snapshot.model.model_copy(update={"policy": policy})
    found = probation.watch(replace(snapshot, model=model), Two(ours, theirs), version("2"), START + 16 * DAY)
    assert found is not None
    assert found.state == state, found.reason


def test_a_machine_without_memory_says_nothing_of_a_version(snapshot):
    policy = snapshot.model.policy.model_copy(update={"probation": 10 * DAY})
    model = snapshot.model.model_copy(update={"policy": policy})
    with pytest.raises(TrainingError, match="MemoryError"):
        probation.watch(replace(snapshot, model=model), Two("out of memory", "well"), version("2"), START + 16 * DAY)


class Classifying:
    """A classifier that ranks rows by `x`, and knows these classes."""

    def __init__(self, classes):
        self.classes_ = np.array(classes)

    def predict_proba(self, rows):
        chance = 1 / (1 + np.exp(-rows["x"].to_numpy()))
        return np.column_stack([1 - chance, chance, np.zeros((len(chance), len(self.classes_) - 2))])


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "accuracy"])
def test_one_class_more_that_only_the_champion_has_seen_makes_it_no_worse(toy, rows, tmp_path, metric):
    model = toy(task="classification", metric=metric, policy=Policy(probation="10d"))
    labelled = rows(30).assign(y=lambda rows: (rows["y"] > 0).astype("int64"))
    lake = DeltaLake(str(tmp_path))
    lake.land(model, labelled, "b", START, app=INGEST, mark=START)
    two = Two("", "")
    two.estimators = {"2": Classifying([0, 1, 2]), "1": Classifying([0, 1])}
    found = probation.watch(Snapshot.pin(lake, model, START + 30 * DAY), two, version("2"), START + 16 * DAY)
    assert found.state != "worse"
