"""The champion is the version that the newest line of the audit log names, also where a process died or came late."""

from datetime import UTC, datetime

import pandas as pd
import pytest

from evergreen.definition import loader
from evergreen.errors import PromotionError
from evergreen.gates.judgement import newest_judgement
from evergreen.governance.integrity import examine
from evergreen.lake import audit_log
from evergreen.lifecycle import champion_moves, retirement
from evergreen.lifecycle.rollback import destination
from evergreen.registry.version import CHAMPION, PREVIOUS
from evergreen.stores import Stores
from flows.monitor import finish_rollback
from flows.refresh import refresh
from tasks import promote, rollback
from tests.prepared_homes import refreshed

JANUARY, MARCH, APRIL = (datetime(2013, month, day, tzinfo=UTC) for month, day in ((1, 29), (3, 12), (4, 2)))
AT = pd.Timestamp(APRIL)


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def stores(home, worlds, begun):
    """A champion of January, and one of March that took over."""
    with worlds("toy") as write:
        write()
        begun(refreshed, JANUARY, MARCH)
        yield Stores.open()


@pytest.fixture
def old(stores):
    return stores.registry.version("toy", PREVIOUS)


@pytest.fixture
def new(stores):
    return stores.registry.champion("toy")


def champion(stores):
    found = stores.registry.champion("toy")
    return found and found.number


def moves(stores):
    return [(line.act, line.subject) for line in audit_log.read(stores.lake, "toy") if line.moves_champion]


def put_back(stores, version, target):
    return rollback.rollback.fn(stores, version, target, "it does worse", AT)


def killed_after_its_line(monkeypatch, act, *given):
    """An act whose process ends between its line of the log and the aliases."""

    def die(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(champion_moves, "enact", die)
        with pytest.raises(Killed):
            act(*given)


def problems(stores):
    return [problem for looked in examine(stores, loader.load("toy")) for problem in looked.problems]


def test_a_rollback_that_died_after_its_line_is_told_of_and_done_by_the_same_again(stores, old, new, monkeypatch):
    killed_after_its_line(monkeypatch, put_back, stores, new, old)
    assert champion(stores) == new.number
    (problem,) = problems(stores)
    assert f"is the rollback of version {old.number}: it was interrupted" in problem
    assert put_back(stores, new, old)
    assert (champion(stores), moves(stores)[2:]) == (old.number, [("rollback", old.number)])
    assert stores.registry.version("toy", new.number).rolled_back
    assert problems(stores) == []
    assert destination(stores.registry, "toy", new.number)[1].number == new.number


def test_what_an_act_that_died_has_left_is_done_before_another_one_is_decided_on(stores, old, new, monkeypatch):
    killed_after_its_line(monkeypatch, put_back, stores, new, old)
    again, judged = promote.promote.fn, promotion_of(stores, new)
    with pytest.raises(PromotionError, match="Train again"):
        again(stores, stores.registry.version("toy", new.number), judged, AT)
    assert (champion(stores), moves(stores)[-1]) == (old.number, ("rollback", old.number))


def promotion_of(stores, version):
    return newest_judgement(stores.registry, stores.registry.version("toy", version.promoted_by))


@pytest.fixture
def overtaken(monkeypatch):
    """Whoever has settled what the log says is overtaken by another process, which rolls back."""
    settle = champion_moves.settle

    def overtake(stores, model, **options):
        newest, present = settle(stores, model, **options), stores.registry.champion(model)
        detail = {"replaces": present.number, "reason": "there", "moment": AT.isoformat()}
        number = stores.registry.version(model, PREVIOUS).number
        audit_log.write(stores.lake, model, "rollback", number, AT, after=newest, detail=detail)
        return newest

    monkeypatch.setattr(champion_moves, "settle", overtake)


def test_a_rollback_that_was_overtaken_moves_nothing(stores, old, new, overtaken):
    with pytest.raises(PromotionError, match="another process has moved the champion meanwhile"):
        put_back(stores, new, old)
    assert champion(stores) == new.number
    assert len(moves(stores)) == 3


def test_a_promotion_that_was_overtaken_moves_nothing(stores, new, overtaken):
    with pytest.raises(PromotionError, match="another process has moved the champion meanwhile"):
        refresh("toy", reason="demand", as_of=APRIL)
    assert champion(stores) == new.number


def test_a_process_that_was_stopped_after_its_line_comes_too_late(stores, old, new, monkeypatch):
    lines = []
    with monkeypatch.context() as patch:
        patch.setattr(champion_moves, "carry_out", lambda _, line: lines.append(line))
        put_back(stores, new, old)  # stopped before it does anything
    champion_moves.settle(stores, "toy")  # another process does it, and goes on
    detail = {"judged": new.promoted_by, "replaces": old.number}
    audit_log.write(stores.lake, "toy", "promotion", new.number, AT, after=lines[0].number, detail=detail)
    with pytest.raises(PromotionError, match=f"toy@{old.number} comes too late"):
        champion_moves.carry_out(stores, lines[0])
    assert champion(stores) == new.number
    assert stores.registry.version("toy", PREVIOUS).number == old.number


def test_what_a_process_marked_that_came_too_late_and_died_is_put_right(stores, old, new, monkeypatch):
    put_back(stores, new, old)
    late = audit_log.newest_move(stores.lake, "toy")
    put_back(stores, old, stores.registry.version("toy", new.number))  # a person takes it back
    with monkeypatch.context() as patch:
        patch.setattr(type(stores.registry), "alias", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            champion_moves.enact(stores.registry, late)
    assert stores.registry.champion("toy").rolled_back
    assert finish_rollback(stores, "toy", AT).number == new.number
    assert not stores.registry.champion("toy").rolled_back
    assert problems(stores) == []


def test_the_same_promotion_after_another_move_is_a_line_of_its_own(stores, old, new):
    put_back(stores, new, old)
    newest, detail = (
        audit_log.newest_move(stores.lake, "toy").number,
        {"judged": new.promoted_by, "replaces": old.number},
    )
    first, second = (
        audit_log.write(stores.lake, "toy", "promotion", new.number, AT, after=newest, detail=detail) for _ in range(2)
    )
    assert first == second
    champion_moves.carry_out(stores, first)
    assert (champion(stores), moves(stores)[-1]) == (new.number, ("promotion", new.number))


@pytest.mark.parametrize("undone", [False, True])
def test_a_retirement_that_comes_after_another_move_takes_no_champion_away(stores, old, new, monkeypatch, undone):
    monkeypatch.setattr(retirement.model_files, "is_declared", lambda _: False)  # its file is deleted
    if undone:
        retirement.retire(stores, "toy", "sold no more", "ann", AT)
    act = retirement.undo if undone else retirement.retire
    lines = []
    with monkeypatch.context() as patch:
        patch.setattr(champion_moves, "carry_out", lambda _, line: lines.append(line))
        act(stores, "toy", "why", "ann", AT)
    champion_moves.settle(stores, "toy")
    detail = {"judged": old.promoted_by, "replaces": "" if not undone else new.number}
    audit_log.write(stores.lake, "toy", "promotion", old.number, AT, after=lines[0].number, detail=detail)
    with pytest.raises(PromotionError, match="comes too late"):
        champion_moves.carry_out(stores, lines[0])
    assert champion(stores) == old.number


def test_a_line_whose_version_is_not_there_any_more_holds_up_nothing(stores, new, old):
    newest = audit_log.newest_move(stores.lake, "toy").number
    line = audit_log.write(stores.lake, "toy", "promotion", "99", AT, after=newest, detail={"judged": "99"})
    assert champion_moves.settle(stores, "toy") == line.number
    assert put_back(stores, new, old)
    assert champion(stores) == old.number


def test_an_alias_that_a_person_moved_is_told_of_and_put_back_by_the_next_move(stores, old, new):
    stores.registry.alias(old, CHAMPION)
    assert any("or an alias was moved by hand" in problem for problem in problems(stores))
    with pytest.raises(PromotionError, match="is not champion any more"):
        put_back(stores, old, stores.registry.version("toy", "1"))
    assert champion(stores) == new.number


def test_a_champion_whose_alias_is_gone_is_told_of_and_put_back_by_the_next_monitor(stores, new):
    stores.registry.withdraw("toy", CHAMPION)
    assert any(problem.startswith("No version is champion, but") for problem in problems(stores))
    assert finish_rollback(stores, "toy", AT).number == new.number
    assert problems(stores) == []
