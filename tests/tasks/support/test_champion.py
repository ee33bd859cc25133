"""Two processes that decided on the same champion: one replaces it, and the other is told."""

from datetime import UTC, datetime

import pandas as pd
import pytest

from evergreen.errors import PromotionError
from evergreen.lake import audit_log
from evergreen.stores import Stores
from flows.refresh import refresh
from tasks import rollback
from tasks.support import champion as champions
from tests.prepared_homes import refreshed

JANUARY, MARCH = (datetime(2013, month, day, tzinfo=UTC) for month, day in ((1, 29), (3, 12)))
AT = pd.Timestamp(MARCH)


def moves(stores):
    return [line for line in audit_log.read(stores.lake, "toy") if line.moves_champion]


@pytest.fixture
def stores(home, begun):
    begun(refreshed, JANUARY)
    return Stores.open()


@pytest.fixture
def overtaken(stores, monkeypatch):
    """Whoever has looked at the log is overtaken by another process, which writes the line of a promotion."""
    looked = champions.newest_move

    def overtake(opened, model):
        newest, champion = looked(opened, model), opened.registry.champion(model)
        audit_log.write(opened.lake, model, "promotion", champion.number, AT, after=newest, detail={"judged": "there"})
        return newest

    monkeypatch.setattr(champions, "newest_move", overtake)


def test_a_promotion_that_was_overtaken_moves_nothing(stores, overtaken):
    champion = stores.registry.champion("toy")
    with pytest.raises(PromotionError, match="another process has moved the champion meanwhile"):
        refresh("toy", as_of=MARCH)
    assert stores.registry.champion("toy").number == champion.number
    assert [line.subject for line in moves(stores)] == [champion.number, champion.number]


@pytest.mark.long
def test_a_process_that_was_stopped_after_its_line_puts_back_what_the_log_says(stores):
    old = stores.registry.champion("toy")
    assert refresh("toy", as_of=MARCH).moved
    new = stores.registry.champion("toy")
    with pytest.raises(PromotionError, match=f"{old} comes too late: another process has made version {new.number}"):
        champions.move(stores, old, new)
    assert stores.registry.champion("toy").number == new.number


@pytest.mark.long
def test_a_rollback_from_a_version_that_is_not_champion_any_more_moves_nothing(stores):
    old = stores.registry.champion("toy")
    assert refresh("toy", as_of=MARCH).moved
    new = stores.registry.champion("toy")
    with pytest.raises(PromotionError, match=f"{old} is not champion any more"):
        rollback.rollback.fn(stores, old, new, "a second person's", AT)
    assert stores.registry.champion("toy").number == new.number
    assert len(moves(stores)) == 2
