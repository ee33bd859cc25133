"""The policies of a replay: what each decides, and names that are none."""

from dataclasses import replace
from datetime import timedelta

import pandas as pd
import pytest

from evergreen import Policy
from evergreen.errors import PolicyError
from evergreen.ingestion.quarantine import Quarantine
from evergreen.lake.delta_lake import DeltaLake
from evergreen.lifecycle.decision import State
from evergreen.registry.mlflow_registry import MlflowRegistry
from evergreen.replay import policies
from evergreen.replay.policies import named
from evergreen.stores import Stores

NOW = pd.Timestamp("2013-03-01", tz="UTC")
STATE = State(NOW, "", NOW - timedelta(days=10), 500, champion="1")
DRIFTED, WORSE = replace(STATE, drift=("x 0.4 over 0.1",)), replace(STATE, performance="3.1 against 2.0")
FORESEEN = replace(STATE, foreseen="estimated 3.1 after 2.0")
STORES = Stores(DeltaLake("nowhere"), MlflowRegistry("memory:"), Quarantine("nowhere"), live=False)
FALLEN = replace(STATE, predecessor="2.0 against 3.1")


@pytest.fixture
def model(toy):
    return toy(policy=Policy(every="30d", min_new_rows=10))


@pytest.mark.parametrize(
    ("name", "quiet", "drifted", "worse", "foreseen", "fallen"),
    [
        ("never", "nothing", "nothing", "nothing", "nothing", "nothing"),
        ("every-7d", "train", "train", "train", "train", "train"),
        ("every-12h", "train", "train", "train", "train", "train"),
        ("every-14d", "nothing", "nothing", "nothing", "nothing", "nothing"),
        ("data-500", "train", "train", "train", "train", "train"),
        ("data-501", "nothing", "nothing", "nothing", "nothing", "nothing"),
        ("drift", "nothing", "train", "nothing", "nothing", "roll back"),
        ("performance", "nothing", "nothing", "train", "nothing", "roll back"),
        ("estimated", "nothing", "nothing", "nothing", "train", "roll back"),
        ("own", "nothing", "train", "train", "nothing", "roll back"),
        ("oracle", "train", "train", "train", "train", "train"),
    ],
)
def test_a_policy_decides_by_what_it_looks_at(model, name, quiet, drifted, worse, foreseen, fallen):
    policy = named(name, model)
    actions = [
        policies.decision_of(policy, state, STORES).action for state in (STATE, DRIFTED, WORSE, FORESEEN, FALLEN)
    ]
    assert actions == [quiet, drifted, worse, foreseen, fallen]
    assert policy.watches == (name in ("drift", "performance", "estimated", "own"))
    assert policy.gated == (name != "oracle")


def test_the_own_policy_has_the_schedule_of_the_file(toy):
    own = named("own", toy(policy=Policy(every="7d")))
    decided = policies.decision_of(own, STATE, STORES)
    assert (decided.action, decided.reason) == ("train", "schedule")


def test_the_own_policy_may_trust_estimates(toy):
    own = named("own", toy(policy=Policy(every="30d", estimated=True)))
    assert policies.decision_of(own, FORESEEN, STORES).reason == "performance: estimated 3.1 after 2.0"


def test_the_gates_of_any_can_be_off(model):
    policy = named("every-7d-ungated", model)
    assert (policy.name, policy.gated, policies.decision_of(policy, STATE, STORES).train) == (
        "every-7d-ungated",
        False,
        True,
    )
    assert (policy.watches, named("own-ungated", model).watches) == (False, True)


def test_only_what_a_model_file_can_have_says_how(model, mine):
    for name in ("never", "every-7d", "data-500", "drift", "performance", "estimated", "own"):
        assert named(name, model).lines
        assert named(f"{name}-ungated", model).lines == ""
    assert named("oracle", model).lines == named(f"{mine}:cold", model).lines == ""


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from evergreen.lifecycle.decision import Decision\n"
        "def cold(state):\n    return Decision('train' if state.as_of.month == 3 else 'nothing', 'mine')\n"
        "def blind(state):\n    return Decision('nothing', 'mine')\n"
        "blind.watches = False\n"
        "def reads(state, stores):\n    return Decision('nothing', stores.lake.root)\n"
        "def tuned(state, often=3):\n    return Decision('nothing', str(often))\n"
        "def broken(state):\n    return 1 / 0\n"
        "def wrong(state):\n    return 'train'\n"
        "number = 1\n"
    )
    return path


def test_a_function_in_a_file_is_a_policy(model, mine):
    policy = named(f"{mine}:cold", model)
    assert [
        policies.decision_of(policy, replace(STATE, as_of=at), STORES).action for at in (NOW, NOW + timedelta(days=40))
    ] == [
        "train",
        "nothing",
    ]


@pytest.mark.parametrize(("function", "reason"), [("reads", "nowhere"), ("tuned", "3")])
def test_only_a_function_with_a_parameter_for_them_gets_the_stores(model, mine, function, reason):
    assert policies.decision_of(named(f"{mine}:{function}", model), STATE, STORES).reason == reason


def test_a_function_says_whether_it_looks_at_what_a_monitor_sees(model, mine):
    assert (named(f"{mine}:cold", model).watches, named(f"{mine}:blind", model).watches) == (True, False)


@pytest.mark.parametrize(
    ("function", "message"),
    [("broken", "raised ZeroDivisionError at 2013-03-01"), ("wrong", "returned 'train', not")],
)
def test_a_policy_that_cannot_decide_says_so(model, mine, function, message):
    with pytest.raises(PolicyError, match=message):
        policies.decision_of(named(f"{mine}:{function}", model), STATE, STORES)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sometimes", "no policy 'sometimes'"),
        ("every-7y", "no policy 'every-7y'"),
        ("every-0d", "no policy 'every-0d'"),
        ("data-", "no policy"),
        ("{mine}:none", "defines no 'none'"),
        ("{mine}:number", "is not a function"),
        ("nowhere.py:cold", "does not run: FileNotFoundError"),
    ],
)
def test_a_name_that_is_none_is_told(model, mine, name, message):
    with pytest.raises(PolicyError, match=message):
        named(name.format(mine=mine), model)


def test_a_function_is_another_when_its_file_is_changed(mine):
    before = policies.fingerprint(f"{mine}:cold")
    assert policies.fingerprint(f"{mine}:cold") == before != policies.fingerprint(f"{mine}:broken")
    mine.write_text(mine.read_text() + "\n")
    assert policies.fingerprint(f"{mine}:cold") != before
