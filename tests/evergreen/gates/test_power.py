"""Power: a challenger that is worse by more, or judged on more rows, is refused more often; asking for proof most."""

from itertools import pairwise

import pandas as pd
import pytest

from evergreen import Gates, Training
from evergreen.gates.honest_model import HonestModel
from evergreen.gates.power import power
from evergreen.lake.delta_lake import DeltaLake
from evergreen.lake.lake import INGEST
from evergreen.training.snapshot import Snapshot
from tests.evergreen.gates.test_known_bad import START, TASKS, encoded, labels


@pytest.fixture
def refused(toy, rows, tmp_path):
    """The probabilities by how much worse a challenger is, for a task and gates."""
    lake, frame = DeltaLake(str(tmp_path)), rows(60)

    def told(task="numbers", noise=0.0, holdout="20d", **gates):
        given = TASKS[task]
        shape = {"features": {"x": "number", "group": "category"}, "extra": {}}
        model = toy(
            gates=Gates(resamples=400, **gates),
            training=Training(holdout=holdout),
            **shape | given | {"estimator": lambda: encoded(given["estimator"]())},
        )
        lake.land(model, frame.assign(y=labels(frame, task)), "b", START, app=INGEST, mark=START)
        snapshot = Snapshot.pin(lake, model, START + pd.Timedelta(days=60))
        return {each.added: each.refused for each in power(snapshot, HonestModel.fitted(snapshot))}

    return told


@pytest.mark.parametrize("task", TASKS)
def test_what_is_worse_by_more_is_refused_more_often(refused, task):
    found = refused(task)
    assert found
    assert all(less <= more + 0.05 for less, more in pairwise(found.values()))  # the resamples are a sample
    assert all(0 <= share <= 1 for share in found.values())


def test_who_asks_for_more_proof_refuses_more_often(refused):
    by_proof = {who: refused(holdout="6d", undecided=who)[0.1] for who in ("challenger", "better", "champion")}
    assert by_proof["challenger"] <= by_proof["better"] <= by_proof["champion"]
    assert by_proof["challenger"] < by_proof["champion"]


def test_a_longer_holdout_refuses_more_often(refused):
    assert refused(holdout="5d")[0.2] <= refused(holdout="20d")[0.2]


def test_a_wider_margin_refuses_less_often(refused):
    assert refused(margin=0.2)[0.2] < refused(margin=0.0)[0.2]
