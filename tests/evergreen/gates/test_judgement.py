"""Judgements: what a verdict permits, against whom, and how it is kept, tagged and told."""

import math
import re
from dataclasses import replace

import pytest

from evergreen import Gates
from evergreen.errors import PromotionError, RegistryError
from evergreen.evaluation.bootstrap import Interval
from evergreen.evaluation.slices import Slice
from evergreen.gates.judgement import (
    Judgement,
    deciding_judgement,
    judge_challenger,
    newest_judgement,
    settle,
    stored_judgements,
    table,
    unsettled,
    valid_judgement,
)
from evergreen.registry.version import Version, stored
from evergreen.reports.model_card import markdown

WORSE = {"over_champion": Interval(-1.0, -1.5, -0.5)}
BACK = WORSE | {"earlier_over_champion": {"version 1": Interval(1.0, 0.5, 1.5)}}
AS_OF = "2013-02-08T00:00:00+00:00"


def version(number, model="toy", **tags):
    return Version(model, str(number), "r", "s", {"as_of": AS_OF} | tags)


@pytest.fixture
def judged(evidence):
    """Judge version 3 against champion 2 (None for none) on evidence with these changes."""

    def made(against=2, model="toy", **changes):
        return judge_challenger(version(3, model), against and version(against, model), evidence(**changes), Gates())

    return made


CASES = {
    "it passes": ({}, version(3), 2, True),
    "the first model": ({"champion": None, "over_champion": None}, version(3), None, True),
    "a refit of it": ({}, version(4, refit_of="3"), 2, True),
    "a refit of another": ({}, version(4, refit_of="1"), 2, False),
    "another version": ({}, version(4), 2, False),
    "another model's": ({}, version(3, model="other"), 2, False),
    "it fails": (WORSE, version(3), 2, False),
    "it waits": ({"rows": 50}, version(3), 2, False),
    "NaN": ({"latency_ms": math.nan}, version(3), 2, False),
    "the one that comes back": (BACK, version(1), 2, True),
    "the loser when another comes back": (BACK, version(3), 2, False),
    "another champion has come": ({}, version(3), 5, False),
    "the champion is gone": ({}, version(3), None, False),
    "it is the champion itself by now": ({}, version(3), 3, False),
}


@pytest.mark.parametrize("case", CASES)
def test_a_verdict_permits_what_it_was_reached_on_and_nothing_else(judged, case):
    changes, asking, champion, permitted = CASES[case]
    judgement = judged(against=None if case == "the first model" else 2, **changes)
    now = champion and version(champion, asking.model)
    if permitted:
        judgement.permit(asking, now)
    else:
        with pytest.raises(PromotionError, match=f"{asking}"):
            judgement.permit(asking, now)


def test_a_verdict_against_another_champion_says_so(judged):
    with pytest.raises(PromotionError, match=r"toy@3: judged against version 2, but the champion is 5 now. Train agai"):
        judged().permit(version(3), version(5))


@pytest.mark.parametrize(("restored", "permitted"), [("00:00:00", True), ("00:00:01", False)])
def test_a_verdict_on_data_from_before_the_champion_was_restored_counts_no_more(judged, restored, permitted):
    champion = version(2, restored_at=f"2013-02-08T{restored}+00:00")
    if permitted:
        judged().permit(version(3), champion)
    else:
        with pytest.raises(PromotionError, match=f"judged on data known at {re.escape(AS_OF)}, before toy@2 was res"):
            judged().permit(version(3), champion)


def test_a_version_that_was_rolled_back_is_not_promoted_again(judged):
    rolled_back = version(3, rolled_back_at=AS_OF, rolled_back_reason="too slow")
    with pytest.raises(
        PromotionError, match=r"toy@3 was rolled back: too slow.*`evergreen rollback toy --to 3 --reason ...`"
    ):
        judged().permit(rolled_back, version(2))


def test_an_earlier_champion_comes_back_by_the_gates(judged):
    judgement = judged(**BACK)
    assert (judgement.verdict.decision, judgement.comeback, judgement.comeback_verdict.decision) == (
        "reject",
        "1",
        "promote",
    )
    assert (judged(**WORSE).comeback, judged(**WORSE).comeback_verdict) == (None, None)


@pytest.mark.parametrize(
    "changes",
    [{}, BACK, {"over_champion": Interval.unknown()}, {"champion": None, "over_champion": None}, {"size_mb": math.inf}],
    ids=["passing", "a comeback", "NaN", "the first", "infinity"],
)
def test_what_is_kept_is_read_as_it_was(judged, changes):
    judgement = judged(**changes)
    again = Judgement.parse(judgement.dump())
    assert (again.dump(), again.verdict, again.comeback) == (
        judgement.dump(),
        judgement.verdict,
        judgement.comeback,
    )


@pytest.mark.parametrize(
    ("changes", "decision"),
    [
        ({}, "promote"),
        (WORSE, "reject"),
        (BACK, "reject"),
        ({"rows": 50}, "not enough evidence"),
    ],
    ids=["passing", "failing", "a comeback", "waiting"],
)
def test_tags_say_what_was_judged_and_end_with_the_decision(judged, changes, decision):
    judgement = judged(**changes)
    tags = stored(judgement.values())
    assert list(tags)[-1] == "decision"  # what dies before it is judged again
    assert tags == {
        "gain": judgement.evidence.gain.dump(),
        "judged_from": "2013-02-01T00:00:00+00:00",
        "judged_until": "2013-02-07T23:00:00+00:00",
        "judged_against": "2",
        "verdict": judgement.verdict.reason,
        "decision": decision,
    }


def test_without_rows_or_champion_tags_are_empty(judged):
    values = judged(against=None, since=None, until=None, over_champion=None).values()
    tags = stored(values)
    assert [tags[name] for name in ("gain", "judged_from", "judged_until", "judged_against")] == ["", "", "", ""]


LINEAGE = {
    "rows": "2400",
    "data_from": "2013-01-01T00:00:00",
    "train_until": "2013-02-01T00:00:00",
    "table_version": "4",
    "reason": "drift",
    "commit": "0123456789abcdef",
    "dirty": "True",
    "lock": "feed",
}


def test_the_card_tells_what_a_person_asks_for(judged):
    card = markdown(judged(), version(3, **LINEAGE), "Tests.", "the testers")
    for text in (
        "# toy version 3: promote",
        "**For** Tests. **Owner** the testers",
        "2400 rows from 2013-01-01 to 2013-02-01, table version 4, because: drift",
        "Code 0123456789 with uncommitted changes, lock feed.",
        "1,000 rows from 2013-02-01 to 2013-02-07",
        "mean_absolute_error 8 [7.5, 8.5]; champion (version 2) 10; dummy 20.",
        "| not worse than the champion | passed |",
        "| group a | 500 | 8 | 10 |",
    ):
        assert text in card


def test_the_card_of_a_first_model_outside_git_says_what_is_not_known(judged):
    alone = {"champion": None, "over_champion": None, "slices": [Slice("group", "a", 5, 8.0, None, None)]}
    card = markdown(judged(against=None, **alone), version(3), "", "")
    assert "no purpose is stated **Owner** not named" in card
    assert "Code without a commit, lock none." in card
    assert "champion (version" not in card
    assert "| group a | 5 | 8 |  |" in card


def test_every_gate_has_a_row_in_the_table(judged):
    checks = judged().verdict.checks
    assert [row["gate"] for row in table(checks)] == [check.name for check in checks]


@pytest.fixture(scope="module")
def versions(record, toy):
    return [record(toy(name="judged"), as_of=AS_OF) for _ in range(3)]


@pytest.fixture
def put(registry, versions, judged):
    """Keep a judgement with the third of three versions, whose second is champion; give all four."""

    def made(tagged=True, **changes):
        judgement = judged(model="judged", **changes)
        registry.alias(versions[1], "champion")
        registry.attach(versions[2], "verdict.json", judgement.dump())
        untold = dict.fromkeys(("decision", "trial_decision", "trial_settled"), "")  # of the tests before this one
        registry.tag(versions[2], **(untold | (judgement.values() if tagged else {})))
        return *(registry.version("judged", number) for number in "123"), judgement

    return made


def test_a_judgement_is_found_with_its_version_and_with_a_refit_of_it(registry, put):
    *_, third, judgement = put()
    refit = replace(third, number="4", run_id="none", tags={"refit_of": "3"})
    assert newest_judgement(registry, third) == newest_judgement(registry, refit) == judgement


def test_a_version_without_a_judgement_says_how_to_get_one(registry, put):
    first, *_ = put()
    with pytest.raises(RegistryError, match=f"{first} has not been judged yet. `evergreen train {first.model}` judges"):
        newest_judgement(registry, first)


def test_a_judging_that_died_before_its_tags_counts_for_nothing(registry, put):
    _, _, third, _ = put(tagged=False)
    assert valid_judgement(registry, third) is None
    with pytest.raises(RegistryError, match="has not been judged yet"):
        newest_judgement(registry, third)


def test_a_judgement_stands_against_its_champion_and_the_one_it_led_to_alone(registry, put):
    first, second, third, judgement = put(**BACK)
    for champion, stands in ((second, True), (third, True), (first, True)):
        registry.alias(champion, "champion")
        assert (valid_judgement(registry, third) == judgement) == stands
    registry.client.delete_registered_model_alias(first.model, "champion")
    assert valid_judgement(registry, third) is None


def test_a_judgement_does_not_stand_once_another_champion_has_come(registry, put):
    first, _, third, _ = put()
    registry.alias(first, "champion")
    assert valid_judgement(registry, third) is None


@pytest.mark.parametrize(
    ("decision", "deciding"),
    [({}, "trial"), (WORSE, "trial"), ({"rows": 50}, "training")],
    ids=["passes", "fails", "waits"],
)
def test_the_judgement_of_an_online_evaluation_is_the_newer_one_and_decides_unless_it_waits(
    registry, put, judged, evidence, decision, deciding
):
    *_, third, training = put()
    online = judge_challenger(third, version(2), evidence(**decision), Gates(), trial="canary")
    registry.attach(third, online.page, online.dump())
    registry.tag(third, **online.values())
    third = registry.version(third.model, third.number)
    assert stored_judgements(registry, third) == [online, training]
    assert newest_judgement(registry, third) == online
    assert newest_judgement(registry, third, trained=True) == training
    assert deciding_judgement(registry, third) == {"trial": online, "training": training}[deciding]
    assert unsettled(registry, third, version(2)) == online
    assert unsettled(registry, third, version(5)) is None
    settle(registry, online)
    assert unsettled(registry, registry.version(third.model, third.number), version(2)) is None
    registry.tag(third, trial_decision="", trial_settled="")


def test_tags_of_an_online_evaluation_leave_those_of_the_training(evidence):
    online = judge_challenger(version(3), version(2), evidence(), Gates(), trial="shadow")
    assert (online.page, online.values()) == (
        "trial.json",
        {
            "trial_rows": 1000,
            "trial_against": "2",
            "trial_reason": online.verdict.reason,
            "trial_settled": False,
            "trial_decision": "promote",
        },
    )
