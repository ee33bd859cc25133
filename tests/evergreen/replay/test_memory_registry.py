"""The registry in memory answers as the one in MLflow does."""

import pytest

from evergreen.errors import RegistryError
from evergreen.registry.registry import TrainingRecord
from evergreen.registry.version import CHAMPION, SHADOW
from evergreen.replay.fit_cache import FitCache
from evergreen.replay.memory_registry import MemoryRegistry
from evergreen.training import fitting


@pytest.fixture
def train(toy, rows):
    """Register a version of the toy in a registry."""
    model, given = toy(name="alike"), rows(10)
    example, estimator = fitting.features(model, given).tail(5), fitting.fit(model, given)

    def made(registry, **tags):
        dataset = {"name": "rows", "digest": "d1", "uri": "/lake", "version": "3"}
        return registry.record_training(model, estimator, example, TrainingRecord("a run", {}, {}, tags, dataset))

    return made


def without_storage(tags):
    """Tags but that of the stored model, which a registry in memory has not."""
    return {name: text for name, text in tags.items() if name != "stored_hash"}


def test_both_registries_answer_alike(registry, toy, train, tmp_path):
    answers = []
    for each in (registry, MemoryRegistry(fits=FitCache(tmp_path))):
        first, second = train(each, reason="demand"), train(each, refit_of="1", fingerprint="f")
        each.alias(second, CHAMPION)
        each.challenge(first, None)
        each.tag(first, decision="reject")
        each.attach(first, "card.md", "a card")
        versions = each.versions("alike")
        answers.append(
            (
                [(version.number, without_storage(version.tags), version.aliases) for version in versions],
                [version.number for version in each.versions("alike", fingerprint="f")],
                each.champion("alike").number,
                each.previous("alike"),
                each.beside("alike", SHADOW).number,
                each.origin(second).number,
                each.serving_aliases()["alike"],
                each.open_runs(toy(name="alike")),
                (each.text(first, "card.md"), each.artifact(first, "card.md"), each.text(first, "none.md")),
                each.withdraw("alike", SHADOW),
                each.beside("alike", SHADOW),
            )
        )
        with pytest.raises(RegistryError, match="alike has no version '9'"):
            each.version("alike", "9")
    assert answers[0] == answers[1]


def test_a_replay_records_no_backtest(toy, tmp_path):
    with pytest.raises(RegistryError, match="A replay records nothing in MLflow"):
        MemoryRegistry(fits=FitCache(tmp_path)).record_backtest(toy(), "key", "note", [])
