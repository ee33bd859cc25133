"""A model without a file answers until a person retires it, and answers again once that is undone."""

import json

import pytest

from evergreen.definition.model_files import path_of
from evergreen.errors import LakeError, PromotionError
from evergreen.governance import audit
from evergreen.lake import audit_log
from evergreen.lifecycle import champion_moves, retirement
from evergreen.lifecycle.status import status
from evergreen.registry.mlflow_registry import MlflowRegistry
from evergreen.registry.version import CANARY, CHAMPION
from evergreen.stores import Stores
from tests.running_service import FEBRUARY, JANUARY, promoted

NOW = JANUARY[-1]


@pytest.fixture
def stores(home, worlds):
    """A model with two versions, of which the second is champion, whose file is deleted."""
    with worlds("toy") as write:
        file = write()
        promoted(JANUARY)
        promoted(FEBRUARY)
        file.unlink()
        yield Stores.open()


def test_a_model_without_a_file_is_told_of_and_retired_and_comes_back(stores):
    (line,) = status(stores, NOW)
    assert (line.model, line.champion) == ("toy", "2")
    assert "`evergreen retire toy --reason ...`" in line.note
    stores.registry.challenge(stores.registry.version("toy", "1"), 0.1)
    for _ in range(2):  # repeated, it changes nothing
        version = retirement.retire(stores, "toy", "sold no more", "ann", NOW)
        assert (version.number, version.retired_reason, version.aliases) == ("2", "sold no more", ())
    assert (stores.registry.find("toy", CANARY), status(stores, NOW)) == (None, [])
    assert retirement.undo(stores, "toy", "a caller needs it", "bob", NOW).aliases == (CHAMPION,)
    champion = stores.registry.champion("toy")
    assert champion is not None
    assert (champion.number, champion.retired_at) == ("2", None)
    lines = [line for line in audit_log.read(stores.lake, "toy") if line.act == "retirement"]
    assert [(line.subject, line.by) for line in lines] == [("2", "ann"), ("2", "bob")]
    assert [json.loads(line.detail)["undone"] for line in lines] == [False, True]
    assert audit.verify(stores.lake, stores.registry, "toy").problems == []


def test_what_cannot_be_retired_or_undone_is_told_and_nothing_moves(stores):
    with pytest.raises(PromotionError, match="was not retired"):
        retirement.undo(stores, "toy", "why", "ann", NOW)
    file = path_of("toy")
    file.touch()
    with pytest.raises(PromotionError, match=r"toy has a model file, .*toy\.py, whose next training"):
        retirement.retire(stores, "toy", "why", "ann", NOW)
    file.unlink()
    retirement.retire(stores, "toy", "why", "ann", NOW)
    newest, detail = champion_moves.settle(stores, "toy"), {"judged": "1", "replaces": ""}
    champion_moves.carry_out(
        stores, audit_log.write(stores.lake, "toy", "promotion", "1", NOW, after=newest, detail=detail)
    )
    with pytest.raises(PromotionError, match="has got a champion since: toy@1"):
        retirement.undo(stores, "toy", "why", "ann", NOW)
    with pytest.raises(PromotionError, match="other has no champion, so there is nothing to retire"):
        retirement.retire(stores, "other", "why", "ann", NOW)


@pytest.mark.parametrize("broken", ["tag", "withdraw"])
def test_a_retirement_that_was_interrupted_is_finished_by_the_same_call(stores, monkeypatch, broken):
    def die(*_args, **_values):
        raise KeyboardInterrupt

    def interrupted(act, at):
        with monkeypatch.context() as patch:
            patch.setattr(MlflowRegistry, at, die)
            with pytest.raises(KeyboardInterrupt):
                act(stores, "toy", "why", "ann", NOW)

    interrupted(retirement.retire, broken)
    assert stores.registry.champion("toy") is not None
    assert retirement.retire(stores, "toy", "why", "ann", NOW).aliases == ()
    interrupted(retirement.undo, "alias" if broken == "withdraw" else broken)
    assert retirement.undo(stores, "toy", "why", "ann", NOW).aliases == (CHAMPION,)


def test_what_cannot_be_recorded_is_not_done(stores, monkeypatch):
    def full(*_args, **_values):
        raise LakeError("no space left")

    monkeypatch.setattr(audit_log, "write", full)
    with pytest.raises(LakeError):
        retirement.retire(stores, "toy", "why", "ann", NOW)
    champion = stores.registry.champion("toy")
    assert champion is not None
    assert champion.retired_at is None
