"""A canary or shadow is evaluated on what it answered beside the champion, and is promoted if it passes."""

import json
import math
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cli.main import app
from evergreen.errors import NotEnoughDataError, PromotionError, RegistryError
from evergreen.evaluation import rivals
from evergreen.gates import judgement
from evergreen.gates.reevaluation import reevaluate
from evergreen.governance import integrity
from evergreen.governance.reproduction import compared
from evergreen.lake.lake import INGEST, SERVED
from evergreen.registry.version import CANARY, SHADOW
from evergreen.reports import model_card
from evergreen.settings import FOUR_EYES
from evergreen.stores import Stores
from flows.approve import approve
from flows.judge import judge
from flows.monitor import monitor
from tasks import promote as promoting
from tasks.evaluate import evaluate
from tasks.judge import judge as verdict
from tasks.refit import refit
from tests.flows.online_world import END, TRAINED, World, trained
from tests.running_service import serving
from tests.running_system import until
from tests.toy import DAY, day_of
from tests.toy import rows as toy_rows

CLASSES = """
from sklearn.linear_model import LogisticRegression

plain = rows


def classed(since, until):
    found = plain(since, until)
    return found.assign(y=(found["y"] > 10).astype(int))


model = Model(
    name="toy", task="classification", source=Call(function=classed, start="2013-01-01", batch="7d"), key="id",
    time="at", target="y", features={"x": "number", "z": "number"}, extra={"side": "category"},
    estimator=LogisticRegression, training=Training(window="21d", holdout="7d"), gates=Gates(resamples=200),
)
"""
LATE = """
usual = rows


def late(since, until):
    found = usual(since, until)
    return found.assign(told=found["at"] + pd.Timedelta("5d"))


source = Call(function=late, start="2013-01-01", batch="7d")
model = model.model_copy(update={"source": source, "label_time": "told"})
"""


@pytest.fixture
def world_of(write_model, begun):
    """Make the world of a model: give the lines of its file that are not the toy's."""

    def made(more=""):
        write_model(more)
        numbers = begun(trained)
        world = World()
        world.go_on(*numbers)
        return world

    return made


@pytest.fixture
def world(world_of):
    return world_of()


def test_a_shadow_that_answers_better_takes_over_as_it_stands(world):
    world.challenge()
    rows = world.shadowed()
    world.take(END)
    outcome = judge("toy", as_of=END)
    assert (outcome.decision, outcome.moved, outcome.champion) == ("promote", True, world.challenger.number)
    assert world.registry.champion("toy").number == world.challenger.number, "no refit: it was judged as it stands"
    assert world.beside() == set()
    judged = world.judgement()
    assert (judged.trial, judged.against, judged.evidence.rows) == ("shadow", world.champion.number, len(rows))
    assert (judged.evidence.looks, judged.as_of) == (0, pd.Timestamp(END).isoformat())
    mean = np.abs(world.answers(world.challenger, rows)[:, 0] - rows["y"]).mean()
    assert judged.evidence.challenger.value == pytest.approx(mean)
    with pytest.raises(RegistryError, match="No version of toy runs as shadow or canary"):
        judge("toy", as_of=END)


@pytest.mark.long
def test_a_refit_is_judged_for_itself_and_all_that_is_kept_of_it_agrees(world):
    verdict.fn(Stores.open(), world.challenger, evaluate.fn(Stores.open(), world.challenger))
    world.challenger = world.registry.version("toy", refit.fn(Stores.open(), world.challenger).number)
    world.challenge()
    world.shadowed()
    world.take(END)
    assert judge("toy", as_of=END).champion == world.challenger.number
    judgements = judgement.stored_judgements(world.registry, world.now())
    assert [(judged.version, judged.trial) for judged in judgements] == [
        (world.now().number, "shadow"),
        (world.now().refit_of, ""),
    ]
    assert {examined.what: examined.problems for examined in integrity.examine(Stores.open(), world.model)}[
        "the champion has passed its gates"
    ] == []
    page = model_card.write(Stores.open(), "toy", world.now().number).read_text()
    assert "as a shadow beside the champion" in page


def test_what_the_service_did_differently_counts(world):
    """The stored version would pass, but what callers would have had of it is wrong."""
    world.challenge()
    rows = toy_rows(pd.Timestamp(TRAINED), pd.Timestamp(END))
    world.shadowed(answers=world.answers(world.challenger, rows) + 25.0)
    world.take(END)
    outcome = judge("toy", as_of=END)
    assert (outcome.decision, outcome.moved, outcome.code) == ("reject", False, 3)
    assert world.beside() == set(), "the trial is over"
    assert world.registry.champion("toy").number == world.champion.number
    assert "-" in world.registry.text(world.now(), "card.md")


@pytest.mark.long
@pytest.mark.parametrize("private", [False, True], ids=["as it was sent", "as the lake has it"])
def test_beside_a_canary_the_champion_is_asked_now_what_the_canary_was(world, write_model, private):
    if private:
        write_model(
            "\nfrom evergreen import Serving\n"
            "model = model.model_copy(update={'serving': Serving(private={'x': 'omit'})})\n"
        )
    world.challenge(0.5)
    rows = toy_rows(pd.Timestamp(TRAINED), pd.Timestamp(END))
    sent = rows.iloc[::2].assign(x=rows["x"] + 1.0)  # a caller sends x otherwise than the source has it
    world.log(world.challenger, "canary", sent, world.answers(world.challenger, sent), latency=3.0)
    world.log(world.champion, "champion", rows.iloc[1::2], world.answers(world.champion, rows.iloc[1::2]), 1.0)
    world.take(END)
    judge("toy", as_of=END)
    judged = world.judgement()
    assert (judged.trial, judged.evidence.rows, judged.evidence.latency_ms) == ("canary", len(sent), 3.0)
    asked = rows.iloc[::2] if private else sent
    both = {"challenger": (world.challenger, sent), "champion": (world.champion, asked)}
    for name, (version, given) in both.items():
        mean = np.abs(world.answers(version, given)[:, 0] - sent["y"]).mean()
        assert getattr(judged.evidence, name).value == pytest.approx(mean)


def test_a_shadow_counts_where_the_champion_of_now_answered_the_same_request(world):
    world.challenge()
    world.shadowed(until=TRAINED + timedelta(days=3), champion=world.challenger)  # another version was champion then
    later = world.shadowed(since=TRAINED + timedelta(days=3))
    world.log(world.challenger, "shadow", later.assign(at=later["at"] + DAY), np.full(len(later), 99.0))  # not paired
    world.take(END)
    judge("toy", as_of=END)
    evidence = world.judgement().evidence
    assert (evidence.rows, pd.Timestamp(evidence.since)) == (len(later), later["at"].min())
    assert evidence.challenger.value < 1


@pytest.mark.long
def test_classes_are_judged_by_the_probabilities_that_were_logged(world_of):
    world = world_of(CLASSES)
    world.challenge()
    rows = world.shadowed()
    world.take(END)
    assert judge("toy", as_of=END).moved
    truth = (rows["y"] > 10).astype(int).to_numpy()
    given = world.answers(world.challenger, rows)
    assert world.judgement().evidence.challenger.value == pytest.approx(
        -np.log(given[np.arange(len(rows)), truth]).mean()
    )


def test_a_training_is_reproduced_whatever_its_version_was_judged_to_be_on_trial(world):
    before = reevaluate(Stores.open(), "toy", world.challenger.number)
    world.challenge()
    world.shadowed()
    world.take(END)
    assert judge("toy", as_of=END).moved
    again = reevaluate(Stores.open(), "toy", world.challenger.number)
    assert (again.verdict.decision, again.trial) == (before.verdict.decision, "")
    assert all(finding.same for finding in compared(Stores.open(), "toy", world.challenger.number))


TOO_SOON = {
    "a few rows": ("", timedelta(days=1), "50 rows in 1 blocks"),
    "many rows of a few days": ("", timedelta(days=4), "at least 100 and 5"),
    "labels that are not mature": (LATE, timedelta(days=4), "are not mature; that takes 5 days"),
}


@pytest.mark.long
@pytest.mark.parametrize("case", TOO_SOON)
def test_what_is_too_little_is_told_and_not_looked_at(world_of, case):
    more, days, told = TOO_SOON[case]
    world = world_of(more)
    world.challenge()
    world.shadowed(until=TRAINED + days)
    world.take(TRAINED + days)
    outcome = judge("toy", as_of=TRAINED + days)
    assert (outcome.decision, outcome.moved, outcome.code) == ("not enough evidence", False, 5)
    assert told in outcome.reason
    assert world.beside() == {SHADOW}, "it goes on"
    assert not [name for name in world.now().tags if name.startswith("trial")]


def test_early_labels_are_not_judged_on(world_of):
    world = world_of(LATE)
    world.challenge()
    world.shadowed()
    world.take(END)
    judge("toy", as_of=END)
    evidence = world.judgement().evidence
    assert pd.Timestamp(evidence.until) < pd.Timestamp(END) - pd.Timedelta("4d 23h")  # when nearly all labels are in


NOBODY = {
    "nobody is on trial": (lambda world: world.shadowed(), RegistryError, "No version of toy runs as shadow or canary"),
    "nothing was served": (lambda world: world.challenge(), NotEnoughDataError, "has no logged prediction"),
    "the champion alone answered": (
        lambda world: (
            world.challenge(),
            world.log(world.champion, "champion", day_of(pd.Timestamp(TRAINED)), [[1.0]] * 50),
        ),
        NotEnoughDataError,
        "has no logged prediction",
    ),
    "no id is a key": (
        lambda world: (
            world.challenge(),
            world.log(world.challenger, "canary", day_of(pd.Timestamp(TRAINED)).assign(id="made"), [[1.0]] * 50),
        ),
        NotEnoughDataError,
        "None of the 50 predictions",
    ),
    "it was rolled back": (
        lambda world: (
            world.challenge(),
            world.registry.tag(
                world.challenger, rolled_back_at=pd.Timestamp("2013-03-02"), rolled_back_reason="it was worse"
            ),
        ),
        PromotionError,
        "was rolled back: it was worse",
    ),
}


@pytest.mark.parametrize("case", NOBODY)
def test_what_cannot_be_judged_is_told_in_a_sentence(world, case):
    prepare, error, told = NOBODY[case]
    prepare(world)
    world.take(END)
    with pytest.raises(error, match=told):
        judge("toy", as_of=END)


def test_rows_without_any_label_are_told(world):
    world.challenge()
    world.shadowed()
    rows = world.model.source.read(world.model, world.taken, pd.Timestamp(END), Stores.open().lake).assign(y=np.nan)
    rows = rows.assign(at=rows["at"].dt.as_unit("us"))[list(world.model.columns)]
    world.lake.land(world.model, rows, "unlabelled", pd.Timestamp(END), app=INGEST, mark=pd.Timestamp(END))
    with pytest.raises(NotEnoughDataError, match="none of the 500 rows"):
        judge("toy", as_of=END)


CAUTIOUS = "\nmodel = model.model_copy(update={'gates': Gates(resamples=200, undecided='champion', margin=0)})\n"


@pytest.mark.long
def test_looks_are_counted_and_the_next_is_at_twice_the_rows(world_of):
    world = world_of(CAUTIOUS)
    world.challenge()

    def alike(since, until):
        """Both answer well, and alike but for a little that chance explains."""
        rows = toy_rows(pd.Timestamp(since), pd.Timestamp(until))
        right = world.answers(world.challenger, rows)
        noise = np.random.default_rng(0).normal(scale=0.1, size=(2, *right.shape))
        world.shadowed(since, until, answers=right + noise[0], beside=right + noise[1])

    middle, later = TRAINED + timedelta(days=6), TRAINED + timedelta(days=12)
    alike(TRAINED, middle)
    world.take(middle)
    first = judge("toy", as_of=middle)
    assert (first.decision, world.judgement().evidence.looks) == ("not enough evidence", 0)
    alike(middle, later - timedelta(days=1))
    world.take(later - timedelta(days=1))
    soon = judge("toy", as_of=later - timedelta(days=1))
    assert "evaluated again on 600, and there are 550" in soon.reason
    alike(later - timedelta(days=1), later)
    world.take(later)
    assert judge("toy", as_of=later).decision == "not enough evidence"
    evidence = world.judgement().evidence
    assert (evidence.rows, evidence.looks) == (600, 1)
    assert evidence.level > world.model.gates.level(0)
    versions = world.registry.versions("toy")
    assert rivals.looks(versions, pd.Timestamp(TRAINED), pd.Timestamp(middle)) == 2, "for a challenger of later, too"
    assert world.beside() == {SHADOW}


def test_what_the_same_version_gained_at_its_training_is_carried(world):
    verdict.fn(Stores.open(), world.challenger, evaluate.fn(Stores.open(), world.challenger))
    world.challenge()
    world.shadowed()
    world.take(END)
    judge("toy", as_of=END)
    evidence = world.judgement().evidence
    assert (evidence.carried_judgings, evidence.looks) == (1, 0)


@pytest.mark.long
def test_where_a_person_has_to_approve_it_waits_and_answers_on(world_of, monkeypatch):
    world = world_of("\nmodel = model.model_copy(update={'policy': Policy(approval='7d')})\n")
    world.challenge(0.5)
    rows = toy_rows(pd.Timestamp(TRAINED), pd.Timestamp(END))
    world.log(world.challenger, "canary", rows, world.answers(world.challenger, rows), 1.0)
    world.take(END)
    outcome = judge("toy", as_of=END, by="Ada")
    assert (outcome.decision, outcome.moved, outcome.code, world.beside()) == ("waiting", False, 8, {CANARY})
    monkeypatch.setenv(FOUR_EYES, "1")
    with pytest.raises(PromotionError, match="was requested by Ada"):
        approve("toy", reason="it did well", by="Ada", as_of=END)
    done = approve("toy", reason="it did well", by="a person", as_of=END)
    assert (done.moved, world.registry.champion("toy").number) == (True, world.challenger.number)


@pytest.mark.long
@pytest.mark.parametrize("again", [judge, monitor])
def test_a_judging_that_died_before_its_promotion_is_taken_up_again_with_no_further_look(world, monkeypatch, again):
    world.challenge()
    world.shadowed()
    world.take(END)

    def killed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(promoting, "log_move", killed)
    with pytest.raises(KeyboardInterrupt):
        judge("toy", as_of=END)
    monkeypatch.undo()
    assert world.registry.champion("toy").number == world.champion.number
    again("toy", as_of=END + timedelta(hours=1))
    assert world.registry.champion("toy").number == world.challenger.number
    assert len(world.now().trial_periods) == 1
    assert math.isfinite(world.judgement().evidence.challenger.value)


@pytest.mark.long
def test_the_monitor_judges_by_itself_once_there_is_enough(world):
    world.challenge()
    world.shadowed()
    world.take(TRAINED + timedelta(days=2))
    monitor("toy", as_of=TRAINED + timedelta(days=2))
    assert world.registry.champion("toy").number == world.champion.number
    world.take(END)
    monitor("toy", as_of=END)
    assert world.registry.champion("toy").number == world.challenger.number


@pytest.mark.slow
def test_a_service_is_asked_and_its_shadow_judged_from_the_command_line(world):
    """Nothing by hand but the requests: a real service, its log, its shadow behind it, and the lake."""
    rows = toy_rows(pd.Timestamp(TRAINED), pd.Timestamp(END))
    sent = rows[["id", "x", "z"]].to_dict("records")
    world.challenge()
    with serving() as service:
        service.wait(world.champion)
        for low in range(0, len(sent), 100):
            assert service.ask("/models/toy/invocations", {"dataframe_records": sent[low : low + 100]})[0] == 200
        where = "SELECT count(*) AS n FROM served WHERE \"_role\" = 'shadow'"
        until(lambda: shadowed(world, where) == len(sent), "the shadow's answers")
        world.take(END)
        words = ["challenge", "toy", "--judge", "--as-of", f"{END:%Y-%m-%d}", "--json"]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["moved"]
        service.wait(world.challenger)
    assert world.judgement().evidence.rows == len(sent)


def shadowed(world, sql):
    there = world.lake.exists("toy", SERVED)
    return int(world.lake.query(world.model, sql, tables=[SERVED])["n"][0]) if there else 0
