"""The keeper, on a real registry: who answers is what the registry says, as far as it can."""

import json

import pytest

from evergreen.errors import RegistryError
from evergreen.lake import audit_log
from evergreen.registry.mlflow_registry import MlflowRegistry
from evergreen.registry.version import CHAMPION
from evergreen.stores import Stores
from evergreen.training import fitting
from serving.model_cache import Copies, Standing
from serving.process.registry_sync import Keeper
from serving.process.registry_sync import _rows as rows_of
from tests.running_service import FEBRUARY, JANUARY, promoted

SIDES = """
from sklearn.linear_model import LogisticRegression

def sides(since, until):
    found = rows(since, until)
    return found.assign(y=(found["y"] > 10).astype(int))

source = model.source.model_copy(update={"function": sides})
other = {"task": "classification", "target_kind": "integer", "estimator": LogisticRegression, "source": source}
model = model.model_copy(update=other)
"""


@pytest.fixture(scope="module")
def world(worlds):
    with worlds("toy") as write:
        write()
        versions = promoted(JANUARY), promoted(FEBRUARY), promoted(JANUARY)
        yield write, versions


@pytest.fixture
def keeper(world, copies):
    _, versions = world
    registry, told = Stores.open().registry, []
    registry.withdraw("toy", "canary", "shadow")
    registry.alias(versions[0], CHAMPION)
    keeper = Keeper(copies, registry, Stores.open().lake, [], lambda *words: told.append(words))
    keeper.look()
    yield keeper, told, versions
    registry.withdraw("toy", "canary", "shadow")


def test_it_copies_the_champion_and_answers_as_the_registry_says(keeper, copies):
    keeper, told, (first, second, _) = keeper
    assert copies.standing("toy") == Standing("1")
    spec = copies.spec("toy", "1")
    rows = fitting.frame(spec.example, spec.features)
    expected = Stores.open().registry.load(first).predict(rows)
    assert [one[0] for one in spec.answers] == pytest.approx(expected.tolist())
    keeper.registry.alias(second, CHAMPION)
    keeper.look()
    assert (copies.standing("toy"), told) == (Standing("2", before="1"), [])


def test_canary_and_shadow_come_and_go(keeper, copies):
    keeper, told, (_, second, third) = keeper
    keeper.registry.challenge(second, 0.25)
    keeper.registry.challenge(third, None)
    keeper.look()
    assert copies.standing("toy") == Standing("1", "2", 0.25, "3")
    assert copies.has("toy", "2")
    keeper.registry.withdraw("toy", "canary", "shadow")
    keeper.look()
    assert (copies.standing("toy"), told) == (Standing("1"), [])


def test_a_canary_that_a_worker_refused_is_withdrawn_and_told(keeper, copies):
    keeper, told, (_, second, _) = keeper
    keeper.registry.challenge(second, 0.25)
    keeper.look()
    copies.refuse("toy", "2", "it errs")
    keeper.look()
    assert copies.standing("toy") == Standing("1")
    assert "canary" not in keeper.registry.version("toy", "2").aliases
    ((subject, reason, model),) = told
    assert ("taken back" in subject, reason, model) == (True, "it errs", "toy")
    line = audit_log.read(Stores.open().lake, "toy")[-1]
    assert (line.act, line.subject, line.by, json.loads(line.detail)["reason"]) == ("challenge", "2", "", "it errs")


def test_a_canary_that_errs_is_withdrawn_even_where_nothing_can_be_recorded(keeper, copies, monkeypatch, tmp_path):
    keeper, told, (_, second, _) = keeper
    keeper.registry.challenge(second, 0.25)
    keeper.look()
    copies.refuse("toy", "2", "it errs")
    (tmp_path / "file").touch()
    monkeypatch.setenv("EVERGREEN_LAKE", str(tmp_path / "file"))
    keeper.lake = Stores.open().lake
    keeper.look()
    assert "canary" not in keeper.registry.version("toy", "2").aliases
    assert "The audit log does not tell of it" in told[0][1]


def test_a_canary_that_is_promoted_is_none_any_more(keeper, copies):
    keeper, _, (_, second, _) = keeper
    keeper.registry.challenge(second, 0.25)
    keeper.look()
    keeper.registry.alias(second, CHAMPION)
    keeper.look()
    assert copies.standing("toy") == Standing("2", before="1")
    assert keeper.registry.version("toy", "2").aliases == ("champion",)


def test_a_champion_that_cannot_be_copied_leaves_the_one_before(keeper, copies, monkeypatch):
    keeper, told, (_, second, _) = keeper

    def torn(*_):
        raise ValueError("torn")

    monkeypatch.setattr("serving.process.registry_sync.copied", torn)
    keeper.registry.alias(second, CHAMPION)
    for _ in range(3):
        keeper.look()
    assert copies.standing("toy") == Standing("1")
    assert [(subject[:24], reason) for subject, reason, _ in told] == [("version 2 cannot answer;", "ValueError: torn")]


def test_a_champion_that_a_worker_cannot_load_gives_way_to_the_one_before_and_is_tried_again(
    keeper, copies, monkeypatch
):
    keeper, told, (_, second, _) = keeper
    keeper.registry.alias(second, CHAMPION)
    keeper.look()
    for _ in range(2):
        copies.refuse("toy", "2", "it does not load")
        keeper.look()
        assert copies.standing("toy") == Standing("1")
        monkeypatch.setattr("serving.process.registry_sync.time.monotonic", lambda: 1e9)  # a minute later
        keeper.look()
        assert copies.standing("toy") == Standing("2", before="1")
        monkeypatch.undo()
    assert [reason for _, reason, _ in told] == ["it does not load"], "and told once"


def test_a_registry_that_is_away_is_told_once_and_changes_nothing(keeper, copies, monkeypatch):
    keeper, told, _ = keeper

    def away(_):
        raise RegistryError("away")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowRegistry, "answering", away)
        for _ in range(3):
            keeper.look()
    keeper.look()
    assert (copies.standing("toy"), [reason for _, reason, _ in told]) == (Standing("1"), ["away"])


def test_only_what_is_to_be_served_is_copied(world, tmp_path):
    copies = Copies(tmp_path / "other")
    Keeper(copies, Stores.open().registry, Stores.open().lake, ["nobody"], print).look()
    assert copies.models() == []


@pytest.mark.parametrize("share", [None, 0.5])
@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("model = model.model_copy(update={'features': {'x': 'number'}})", "other columns"),
        ("model = model.model_copy(update={'features': {'z': 'number', 'x': 'number'}})", "another order"),
        (SIDES, "another kind"),
    ],
)
def test_a_challenger_that_cannot_answer_what_the_champion_is_asked_is_refused(world, keeper, copies, more, why, share):
    write, _ = world
    keeper, told, _ = keeper
    write(f"\n{more}\n")
    try:
        other = promoted(JANUARY)
        keeper.registry.alias(keeper.registry.version("toy", "1"), CHAMPION)
        keeper.registry.challenge(other, share)
        keeper.look()
    finally:
        write()
    assert copies.standing("toy") == Standing("1")
    assert [(why in reason) for _, reason, _ in told] == [True], told


def test_an_estimator_that_is_not_understood_answers_by_itself_and_a_forest_compiled(world, copies):
    write, _ = world
    write(
        "\nfrom sklearn.ensemble import RandomForestRegressor\n"
        "model = model.model_copy(update={'estimator': lambda: RandomForestRegressor(5)})\n"
    )
    try:
        forest = promoted(JANUARY)
    finally:
        write()
    Keeper(copies, Stores.open().registry, Stores.open().lake, [], print).look()
    assert copies.standing("toy") == Standing(forest.number)
    assert copies.spec("toy", forest.number).compiled <= 1e-12
    Stores.open().registry.alias(Stores.open().registry.version("toy", "1"), CHAMPION)
    Keeper(copies, Stores.open().registry, Stores.open().lake, [], print).look()
    assert copies.spec("toy", "1").compiled is None


def test_an_example_is_kept_as_a_request_gives_it():
    kinds = {"n": "number", "i": "integer", "c": "category", "b": "boolean", "t": "datetime"}
    rows = [[1.5, 2, "a", True, "2013-01-01T12:00:00+00:00"], [None, 3, None, False, None]]
    assert rows_of(fitting.frame(rows, kinds)) == rows
