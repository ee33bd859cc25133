"""Which champions a release has made, and what came before them."""

import pandas as pd
import pytest

from evergreen.lifecycle.rollback import made_by
from evergreen.registry.version import CANARY, CHALLENGER, CHAMPION, SHADOW, Version, stored
from evergreen.replay.fit_cache import FitCache
from evergreen.replay.memory_registry import MemoryRegistry

BAD, GOOD, OTHER = "bad0000aaaa", "good000aaaa", "other00aaaa"


def registry(tmp_path, *versions, champion):
    """Versions by commit, day of promotion (0 for never), and further values; the one of a number is champion."""
    made = MemoryRegistry(fits=FitCache(tmp_path))
    for number, (commit, day, more) in enumerate(versions, 1):
        promoted = {"promoted_at": pd.Timestamp("2013-01-01", tz="UTC") + pd.Timedelta(day, "d")} if day else {}
        made.add(Version("toy", str(number), str(number), "", stored({"commit": commit, **promoted, **more})))
    made.alias(made.version("toy", str(champion)), CHAMPION)
    return made


FALLEN = {"rolled_back_reason": "worse", "rolled_back_at": pd.Timestamp("2013-02-01", tz="UTC"), "rolled_back_to": "1"}


@pytest.mark.parametrize(
    ("versions", "champion", "target"),
    [
        ([(GOOD, 1, {}), (BAD, 2, {})], 2, "1"),
        ([(OTHER, 1, {}), (GOOD, 2, {}), (BAD, 3, {}), (BAD, 4, {})], 4, "2"),
        ([(OTHER, 1, {}), (GOOD, 2, FALLEN), (BAD, 3, {})], 3, "1"),
        ([(OTHER, 1, {}), (GOOD, 0, {}), (BAD, 3, {})], 3, "1"),
        ([(OTHER, 1, {"restored_at": pd.Timestamp("2013-01-09", tz="UTC")}), (GOOD, 2, {}), (BAD, 3, {})], 3, "1"),
        ([(BAD, 1, {}), (BAD, 2, {})], 2, None),
    ],
)
def test_the_newest_champion_before_of_another_release_is_put_back(tmp_path, versions, champion, target):
    found = made_by(registry(tmp_path, *versions, champion=champion), [], BAD[:7])
    assert {name: version and version.number for name, version in found.champions.items()} == {"toy": target}


def test_a_champion_of_another_release_is_left(tmp_path):
    assert made_by(registry(tmp_path, (BAD, 1, {}), (GOOD, 2, {}), champion=2), [], BAD).champions == {}


def test_versions_that_run_wait_or_are_the_challenger_are_found_and_no_other(tmp_path):
    waits = {"approval": "waiting", "approval_judged": "1"}
    made = registry(
        tmp_path, (GOOD, 1, {}), (BAD, 0, waits), *[(BAD, 0, {})] * 4, (GOOD, 0, waits), (BAD, 2, waits), champion=8
    )
    for number, alias in {"3": CANARY, "4": SHADOW, "5": CHALLENGER}.items():
        made.alias(made.version("toy", number), alias)
    assert sorted(version.number for version in made_by(made, [], BAD[:7]).promotable) == ["2", "3", "4", "5"]
