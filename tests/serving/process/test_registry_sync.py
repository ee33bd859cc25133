"""The sync, on a real registry: who answers is what the registry says, as far as it can."""

import json

import pytest

from evergreen.errors import RegistryError, TrainingError
from evergreen.lake import audit_log
from evergreen.registry.mlflow_registry import MlflowRegistry
from evergreen.registry.model_store import ESTIMATOR
from evergreen.registry.version import CHAMPION
from evergreen.stores import Stores
from evergreen.training import fitting
from serving.inference.loaded_model import load, predictor_of
from serving.model_cache import ModelCache, ServingState
from serving.process.registry_sync import RegistrySync
from serving.process.version_copy import _rows as rows_of
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
def sync(world, copies):
    _, versions = world
    registry, messages = Stores.open().registry, []
    registry.withdraw("toy", "canary", "shadow")
    registry.alias(versions[0], CHAMPION)
    sync = RegistrySync(copies, registry, Stores.open().lake, [], lambda *words: messages.append(words))
    sync.run_once()
    yield sync, messages, versions
    registry.withdraw("toy", "canary", "shadow")


def test_an_estimator_that_raises_is_told_by_its_own_error():
    class Raising:
        def predict(self, rows):
            raise ValueError("no such thing")

    predict = predictor_of(Raising(), "toy", "regression", {"x": "number"}, "UTC")
    with pytest.raises(TrainingError, match="the estimator raised ValueError: no such thing"):
        predict([[1.0]])


def test_it_copies_the_champion_and_answers_as_the_registry_says(sync, copies):
    sync, messages, (first, second, _) = sync
    assert copies.state("toy") == ServingState("1")
    spec = copies.spec("toy", "1")
    rows = fitting.frame(spec.example, spec.features)
    expected = Stores.open().registry.load(first).predict(rows)
    assert [answer[0] for answer in spec.answers] == pytest.approx(expected.tolist())
    sync.registry.alias(second, CHAMPION)
    sync.run_once()
    assert (copies.state("toy"), messages) == (ServingState("2", before="1"), [])


def test_canary_and_shadow_come_and_go(sync, copies):
    sync, messages, (_, second, third) = sync
    sync.registry.challenge(second, 0.25)
    sync.registry.challenge(third, None)
    sync.run_once()
    assert copies.state("toy") == ServingState("1", "2", 0.25, "3")
    assert copies.has("toy", "2")
    sync.registry.withdraw("toy", "canary", "shadow")
    sync.run_once()
    assert (copies.state("toy"), messages) == (ServingState("1"), [])


def test_a_retired_model_is_served_no_more_and_one_that_is_merely_not_found_is(sync, copies):
    sync, messages, (first, *_) = sync
    sync.registry.withdraw("toy", CHAMPION)
    sync.run_once()
    assert copies.state("toy") == ServingState("1")
    sync.registry.tag(first, retired_at=JANUARY[0])
    sync.run_once()
    assert copies.models() == []
    sync.registry.tag(first, retired_at=None)
    sync.registry.alias(first, CHAMPION)
    sync.run_once()
    assert (copies.state("toy"), messages) == (ServingState("1"), [])


def test_a_canary_that_a_worker_refused_is_withdrawn_and_told(sync, copies):
    sync, messages, (_, second, _) = sync
    sync.registry.challenge(second, 0.25)
    sync.run_once()
    copies.refuse("toy", "2", "it errs")
    sync.run_once()
    assert copies.state("toy") == ServingState("1")
    assert "canary" not in sync.registry.version("toy", "2").aliases
    ((subject, reason, model),) = messages
    assert ("withdrawn" in subject, reason, model) == (True, "it errs", "toy")
    line = audit_log.read(Stores.open().lake, "toy")[-1]
    assert (line.act, line.subject, line.by, json.loads(line.detail)["reason"]) == ("challenge", "2", "", "it errs")


def test_a_canary_that_errs_is_withdrawn_even_where_nothing_can_be_recorded(sync, copies, monkeypatch, tmp_path):
    sync, messages, (_, second, _) = sync
    sync.registry.challenge(second, 0.25)
    sync.run_once()
    copies.refuse("toy", "2", "it errs")
    (tmp_path / "file").touch()
    monkeypatch.setenv("EVERGREEN_LAKE", str(tmp_path / "file"))
    sync.lake = Stores.open().lake
    sync.run_once()
    assert "canary" not in sync.registry.version("toy", "2").aliases
    assert "The audit log could not record it" in messages[0][1]


def test_a_canary_that_is_promoted_is_none_any_more(sync, copies):
    sync, _, (_, second, _) = sync
    sync.registry.challenge(second, 0.25)
    sync.run_once()
    sync.registry.alias(second, CHAMPION)
    sync.run_once()
    assert copies.state("toy") == ServingState("2", before="1")
    assert sync.registry.version("toy", "2").aliases == ("champion",)


def test_a_canary_that_is_promoted_ends_no_shadow_of_another_version(sync, copies):
    sync, messages, (_, second, third) = sync
    sync.registry.challenge(second, 0.25)
    sync.registry.challenge(third, None)
    sync.registry.alias(second, CHAMPION)
    sync.run_once()
    assert copies.state("toy") == ServingState("2", shadow="3", before="1")
    assert [sync.registry.version("toy", number).aliases for number in "23"] == [("champion",), ("shadow",)]
    assert messages == []


def test_a_first_champion_that_a_worker_could_not_load_once_is_offered_again_after_a_pause(sync, copies, monkeypatch):
    sync, messages, _ = sync
    changed = copies.changes()["toy"]
    copies.refuse("toy", "1", "MemoryError: once")
    for _ in range(2):
        sync.run_once()
    assert (copies.state("toy"), copies.changes()["toy"]) == (ServingState("1"), changed)
    monkeypatch.setattr("serving.process.registry_sync.time.monotonic", lambda: 1e9)  # a minute later
    sync.run_once()
    offered = copies.changes()["toy"]
    assert (copies.state("toy"), offered > changed) == (ServingState("1"), True)
    for _ in range(2):
        sync.run_once()
    assert (copies.changes()["toy"], [reason for _, reason, _ in messages]) == (offered, ["MemoryError: once"])


def test_a_column_that_becomes_private_is_so_in_every_copy(world, sync, copies):
    write, _ = world
    sync, messages, (_, second, _) = sync
    sync.registry.alias(second, CHAMPION)
    sync.run_once()
    changed, answers = copies.changes()["toy"], copies.spec("toy", "2").answers
    write(
        "\nmodel = model.model_copy(update={'serving': model.serving.model_copy(update={'private': {'x': 'hash'}})})\n"
    )
    try:
        sync._settled.clear()
        sync.run_once()
        assert [copies.spec("toy", number).private for number in "12"] == [{"x": "hash"}] * 2
        assert copies.changes()["toy"] > changed
        copies.verify("toy", "2")
        assert load(copies, "toy", "2", 1).spec.answers == answers
        changed = copies.changes()["toy"]
        sync._settled.clear()
        sync.run_once()
        assert copies.changes()["toy"] == changed
    finally:
        write()
    sync._settled.clear()
    sync.run_once()
    assert (copies.spec("toy", "2").private, copies.state("toy"), messages) == ({}, ServingState("2", before="1"), [])


def test_a_state_that_cannot_be_read_is_written_anew(sync, copies):
    sync, messages, _ = sync
    (copies.root / "toy" / "standing.json").write_text("")
    sync.run_once()
    assert (copies.state("toy"), messages) == (ServingState("1"), [])


def test_a_model_whose_copies_cannot_be_updated_stops_no_other_and_is_told_once(sync, copies, monkeypatch):
    sync, messages, _ = sync
    aliases, update, updated = sync.registry.serving_aliases()["toy"], sync._update, []

    def broken(model, aliases):
        if model == "broken":
            raise ValueError("no such thing")
        updated.append(model)
        return update(model, aliases)

    monkeypatch.setattr(sync, "_update", broken)
    for _ in range(2):
        sync._update_changed({"broken": aliases, "toy": aliases}, {})
    assert (set(updated), messages) == (
        {"toy"},
        [("its local copies cannot be updated", "ValueError: no such thing", "broken")],
    )


def test_a_champion_that_cannot_be_copied_leaves_the_one_before(sync, copies, monkeypatch):
    sync, messages, (_, second, _) = sync

    def torn(*_):
        raise ValueError("torn")

    monkeypatch.setattr("serving.process.registry_sync.copy_version", torn)
    sync.registry.alias(second, CHAMPION)
    for _ in range(3):
        sync.run_once()
    assert copies.state("toy") == ServingState("1")
    assert [(subject[:25], reason) for subject, reason, _ in messages] == [
        ("version 2 cannot predict;", "ValueError: torn")
    ]


def test_a_champion_that_a_worker_cannot_load_gives_way_to_the_one_before_and_is_tried_again(sync, copies, monkeypatch):
    sync, messages, (_, second, _) = sync
    sync.registry.alias(second, CHAMPION)
    sync.run_once()
    for _ in range(2):
        copies.refuse("toy", "2", "it does not load")
        sync.run_once()
        assert copies.state("toy") == ServingState("1")
        monkeypatch.setattr("serving.process.registry_sync.time.monotonic", lambda: 1e9)  # a minute later
        sync.run_once()
        assert copies.state("toy") == ServingState("2", before="1")
        monkeypatch.undo()
    assert [reason for _, reason, _ in messages] == ["it does not load"], "and told once"


def test_a_registry_that_is_away_is_told_once_and_changes_nothing(sync, copies, monkeypatch):
    sync, messages, _ = sync

    def away(_):
        raise RegistryError("away")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowRegistry, "serving_aliases", away)
        for _ in range(3):
            sync.run_once()
    sync.run_once()
    assert (copies.state("toy"), [reason for _, reason, _ in messages]) == (ServingState("1"), ["away"])


def test_only_what_is_to_be_served_is_copied(world, tmp_path):
    copies = ModelCache(tmp_path / "other")
    RegistrySync(copies, Stores.open().registry, Stores.open().lake, ["nobody"], print).run_once()
    assert copies.models() == []


@pytest.mark.long
@pytest.mark.parametrize("share", [None, 0.5])
@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("model = model.model_copy(update={'features': {'x': 'number'}})", "features differ"),
        ("model = model.model_copy(update={'features': {'z': 'number', 'x': 'number'}})", "or order"),
        (SIDES, "differs in kind"),
    ],
)
def test_a_challenger_that_cannot_answer_what_the_champion_is_asked_is_refused(world, sync, copies, more, why, share):
    write, _ = world
    sync, messages, _ = sync
    write(f"\n{more}\n")
    try:
        other = promoted(JANUARY)
        sync.registry.alias(sync.registry.version("toy", "1"), CHAMPION)
        sync.registry.challenge(other, share)
        sync.run_once()
    finally:
        write()
    assert copies.state("toy") == ServingState("1")
    assert [(why in reason) for _, reason, _ in messages] == [True], messages


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
    RegistrySync(copies, Stores.open().registry, Stores.open().lake, [], print).run_once()
    assert copies.state("toy") == ServingState(forest.number)
    assert copies.spec("toy", forest.number).compiled <= 1e-12
    Stores.open().registry.alias(Stores.open().registry.version("toy", "1"), CHAMPION)
    RegistrySync(copies, Stores.open().registry, Stores.open().lake, [], print).run_once()
    assert copies.spec("toy", "1").compiled is None


def test_an_example_is_kept_as_a_request_gives_it():
    kinds = {"n": "number", "i": "integer", "c": "category", "b": "boolean", "t": "datetime"}
    rows = [[1.5, 2, "a", True, "2013-01-01T12:00:00+00:00"], [None, 3, None, False, None]]
    assert rows_of(fitting.frame(rows, kinds)) == rows


def test_an_altered_copy_is_told_made_again_and_offered_to_the_workers_once_more(sync, copies):
    sync, messages, _ = sync
    (copies.folder("toy", "1") / ESTIMATOR).write_bytes(b"altered")
    changed = copies.changes()["toy"]
    copies.refuse("toy", "1", "AlteredCopyError: the local copy of toy@1 was altered after it was made")
    sync.run_once()
    copies.verify("toy", "1")
    assert (copies.state("toy"), copies.changes()["toy"] > changed) == (ServingState("1"), True)
    assert [subject for subject, _, _ in messages] == ["the local copy of version 1 was altered"]


def test_a_model_of_which_nothing_has_changed_is_left_alone_and_a_copy_that_is_gone_comes_back(
    sync, copies, monkeypatch
):
    sync, messages, (_, second, _) = sync
    looked = []
    monkeypatch.setattr(
        sync, "_target_state", lambda *given, of=sync._target_state: looked.append(given[0]) or of(*given)
    )
    for _ in range(3):
        sync.run_once()
    assert len(looked) <= 1  # the first time after the champion was copied
    looked.clear()
    copies.remove("toy", "1")
    sync._looked_at_all -= 3600
    sync.run_once()
    assert (looked, copies.has("toy", "1"), messages) == (["toy"], True, [])
    sync.registry.alias(second, CHAMPION)
    sync.run_once()
    assert copies.state("toy") == ServingState("2", before="1")
