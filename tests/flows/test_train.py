"""A first model that is rejected: the advice leads to a champion, and is shown by every command that tells of it."""

import json
import math
from datetime import UTC, datetime

import pytest

from evergreen.errors import FeasibilityError
from evergreen.gates import advice
from evergreen.registry.mlflow_registry import MlflowRegistry
from evergreen.stores import Stores
from evergreen.training import recipe
from evergreen.training.window import WindowRecord, name_of
from flows.ingest import ingest
from flows.train import train
from tests.command_line import called
from tests.prepared_homes import ingested, refreshed

TURNED = datetime(2013, 2, 13, tzinfo=UTC)  # five of the 21 days that train, and the holdout, lie behind the turn
FOLLOWED = "\nmodel = model.model_copy(update={{'training': {}}})\n"


@pytest.mark.long
def test_following_the_advice_on_a_rejected_first_model_gives_a_champion(home, write_model, begun):
    begun(ingested, TURNED)
    outcome = train("toy", as_of=TURNED)
    assert (outcome.decision, outcome.advice.command) == ("reject", "evergreen train toy")
    assert outcome.advice.moved
    line = outcome.advice.lines
    assert line.startswith('training=Training(holdout="7d", window="')

    registry = Stores.open().registry
    first = registry.version("toy", "1")
    assert first.settings_tried == len(outcome.advice.tried)
    assert advice.stored(registry, first) == outcome.advice
    assert train("toy", as_of=TURNED).advice == outcome.advice  # not made again
    assert registry.champion("toy") is None

    told = called("verdict", "toy", "--json")
    assert json.loads(told.stdout)["advice"]["lines"] == line
    assert line in called("why", "toy").stdout

    write_model(FOLLOWED.format(line.removeprefix("training=").rstrip(",")))
    followed = train("toy", as_of=TURNED)
    assert (followed.decision, followed.advice) == ("promote", None)
    judged = json.loads(registry.text(registry.version("toy", "2"), "verdict.json"))
    assert judged["evidence"]["looks"] == 1 + first.settings_tried
    assert (
        called("why", "toy").stdout.strip()
        == "Nothing was decided on toy yet. `evergreen monitor toy` runs the monitor."
    )


@pytest.mark.long
def test_advice_that_was_interrupted_is_given_by_the_next_training(home, begun, monkeypatch):
    begun(ingested, TURNED)
    attach = MlflowRegistry.attach

    def interrupted(registry, version, name, page):
        if name == advice.ARTIFACT:
            raise OSError("the disk went away")
        attach(registry, version, name, page)

    with monkeypatch.context() as patch:
        patch.setattr(MlflowRegistry, "attach", interrupted)
        with pytest.raises(OSError, match="disk"):
            train("toy", as_of=TURNED)
    registry = Stores.open().registry
    tried = registry.version("toy", "1").settings_tried
    assert tried > 0
    assert len(train("toy", as_of=TURNED).advice.tried) == tried
    assert [version.number for version in registry.versions("toy")] == ["1"]


JANUARY, FEBRUARY = datetime(2013, 1, 29, tzinfo=UTC), datetime(2013, 2, 5, tzinfo=UTC)
NEVER = "\nmodel = model.model_copy(update={'training': Training(window='21d', holdout='2d')})\n"


def test_what_can_never_judge_is_refused_before_the_first_rows_and_the_first_training(home, write_model, begun):
    write_model(NEVER)
    with pytest.raises(FeasibilityError, match=r'Change it to: training=Training\(holdout="5d", window="21d"\),'):
        ingest("toy", as_of=JANUARY)
    assert not Stores.open().lake.exists("toy")
    write_model()
    begun(ingested, JANUARY)
    write_model(NEVER)
    with pytest.raises(FeasibilityError, match="holds 3 blocks of 1d at most; min_blocks asks for 5"):
        train("toy", as_of=JANUARY)


@pytest.mark.long
def test_a_loop_that_runs_is_not_stopped_by_what_an_earlier_release_accepted(home, write_model, begun):
    begun(refreshed, JANUARY)
    write_model(NEVER)
    assert ingest("toy", as_of=FEBRUARY)
    assert train("toy", as_of=FEBRUARY).decision == "not enough evidence"
    assert [state["champion"] for state in json.loads(called("status", "--json").stdout)]


@pytest.mark.long
def test_a_model_that_passes_is_given_no_advice(home, begun, monkeypatch):
    january = datetime(2013, 1, 29, tzinfo=UTC)
    begun(ingested, january)
    monkeypatch.setattr("evergreen.gates.advice.advise", lambda *_: pytest.fail("it costs time"))
    assert train("toy", as_of=january).advice is None


@pytest.mark.long
def test_after_too_few_blocks_the_longer_holdout_is_named(home, write_model, begun):
    write_model("\nmodel = model.model_copy(update={'training': Training(window='21d', holdout='4d')})\n")
    begun(ingested, datetime(2013, 1, 29, tzinfo=UTC))
    outcome = train("toy", as_of=datetime(2013, 1, 29, tzinfo=UTC))
    assert outcome.decision == "not enough evidence"
    assert "blocks of 1d are missing in the evaluation. At " in outcome.advice.missing
    assert outcome.advice.lines == 'training=Training(holdout="5d", window="21d"),'
    assert outcome.advice.tried == []


AUTO = "\nmodel = model.model_copy(update={'training': Training(window='auto', holdout='2d', min_rows=50)})\n"
AUTO += "model = model.model_copy(update={'gates': Gates(min_blocks=2, resamples=200)})\n"


@pytest.mark.long
def test_a_window_chosen_by_the_record_is_recorded_refitted_and_told(home, write_model, begun):
    begun(ingested, TURNED)
    write_model(AUTO)
    registry, champions = Stores.open().registry, []
    for as_of in (JANUARY, FEBRUARY, TURNED):
        assert train("toy", as_of=as_of).moved
        champions.append(registry.champion("toy"))
    judged = [registry.origin(champion) for champion in champions]
    compared = [WindowRecord.of(version).comparisons for version in judged]
    assert [(pair.used, pair.other) for pair in compared[0]] == [("all", "16d"), ("all", "8d")]  # all, before the first
    assert all(pair.rows > 0 and math.isfinite(pair.gain) for pairs in compared for pair in pairs)
    for version, pairs in zip(judged, compared[1:], strict=False):
        assert {pair.used for pair in pairs} == {name_of(recipe.split_of(version).window)}
    for champion, version in zip(champions, judged, strict=True):
        assert recipe.split_of(champion).window == recipe.split_of(version).window
    before = len(registry.versions("toy"))
    train("toy", as_of=TURNED)
    assert len(registry.versions("toy")) == before  # there is nothing new
    assert f"window chosen by the record: {compared[-1][0].sentence}"[:60] in called("lineage", "toy").stdout
    assert called("reproduce", "toy", "--json").returncode == 0
