"""What lets a release go on: each model passed its online evaluation, or has none to pass."""

import pandas as pd
import pytest

from evergreen.lake.release_log import Trial
from evergreen.lifecycle.release_trials import examine
from evergreen.registry.version import CANARY, CHAMPION, SHADOW, Version, stored
from evergreen.replay.fit_cache import FitCache
from evergreen.replay.memory_registry import MemoryRegistry

X, BEFORE = "x000000", "before0"
NEW, OLD = {"code_hash": "new"}, {"code_hash": "old"}


def tried(decision, **more):
    return {
        "trial_decision": decision,
        "trial_reason": "What the gates said.",
        "trial_rows": 1500,
        "trial_against": "1",
    } | more


PASSED, WORSE, OPEN = tried("promote"), tried("reject"), tried("not enough evidence")
FALLEN = {"rolled_back_at": pd.Timestamp("2013-02-01", tz="UTC"), "rolled_back_reason": "worse in its second week"}
UNCOMMITTED = {"code_hash": "another", "uncommitted": True}
BY_X = NEW | {"commit": X}
FIRST = OLD | {"commit": BEFORE}  # the champion before the release


def registry(tmp_path, *versions, champion=1, **beside):
    """Versions by their values, numbered from 1, and the aliases that some have."""
    made = MemoryRegistry(fits=FitCache(tmp_path))
    for number, values in enumerate(versions, 1):
        made.add(Version("toy", str(number), str(number), "", stored(values)))
    for alias, number in (beside | ({CHAMPION: champion} if versions else {})).items():
        made.alias(made.version("toy", str(number)), alias)
    return made


CASES = {
    "passed": ([FIRST, BY_X | PASSED], {}, "passed", "2", ""),
    "passed, and is champion": ([FIRST, BY_X | PASSED], {"champion": 2}, "passed", "2", ""),
    "passed, and was trained again since": ([FIRST, BY_X | PASSED, BY_X, BY_X], {}, "passed", "2", ""),
    "was refused first": ([FIRST, BY_X | WORSE, BY_X | PASSED], {}, "passed", "3", ""),
    "was undecided again": ([FIRST, BY_X | PASSED, BY_X | OPEN], {}, "passed", "2", ""),
    "was worse": ([FIRST, BY_X | WORSE], {}, "worse", "2", "verdict toy --version 2"),
    "was worse at last": ([FIRST, BY_X | PASSED, BY_X | WORSE], {}, "worse", "3", "verdict toy --version 3"),
    "was rolled back": ([FIRST, BY_X | PASSED | FALLEN], {}, "worse", "2", "verdict toy --version 2"),
    "undecided": ([FIRST, BY_X | OPEN], {SHADOW: 2}, "undecided", "2", "challenge toy --judge"),
    "undecided, and stopped": ([FIRST, BY_X | OPEN], {}, "undecided", "2", "challenge toy --version 2"),
    "runs": ([FIRST, BY_X], {CANARY: 2}, "not tried", "2", "challenge toy --judge"),
    "runs after an undecided one": ([FIRST, BY_X | OPEN, BY_X], {SHADOW: 3}, "not tried", "3", "challenge toy --judge"),
    "never ran": ([FIRST, BY_X, BY_X], {}, "not tried", "3", "challenge toy --version 3"),
    "another's runs": ([FIRST, BY_X, FIRST], {SHADOW: 3}, "not tried", "2", "challenge toy --version 2"),
    "champion by training": ([FIRST, BY_X], {"champion": 2}, "not tried", None, "train toy"),
    "champion by a refit": ([FIRST, BY_X, BY_X | {"refit_of": "2"}], {"champion": 3}, "not tried", None, "train toy"),
    "by changes that are in no commit": ([FIRST, BY_X | PASSED | UNCOMMITTED], {}, "not trained", None, "train toy"),
    "nothing of it": ([FIRST], {}, "not trained", None, "train toy"),
    "nothing at all": ([], {}, "not trained", None, "train toy"),
    "by the release before": ([FIRST, NEW | {"commit": BEFORE} | PASSED], {}, "passed", "2", ""),
    "worse by the release before": ([NEW | {"commit": BEFORE} | WORSE], {}, "worse", "1", "verdict toy --version 1"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_model_goes_on_or_the_next_command_is_named(tmp_path, case):
    versions, aliases, state, number, command = CASES[case]
    found = examine(registry(tmp_path, *versions, **aliases), "toy", X, "new", "old")
    assert (found.state, found.version and found.version.number) == (state, number)
    assert found.goes_on == (not command)
    said = found.sentence("staging")
    assert said.startswith("toy")
    assert said.endswith(f" Next: evergreen --env staging {command}") if command else "Next:" not in said
    assert (found.trial is not None) == (state == "passed")


def test_what_the_release_does_not_change_is_asked_only_where_the_release_trained_it(tmp_path):
    unchanged = examine(registry(tmp_path, FIRST), "toy", X, "old", "old")
    assert unchanged.sentence("staging") == (
        "toy: not changed by the release, and no version was made with it in staging."
    )
    assert (unchanged.goes_on, unchanged.trial) == (True, None)
    again = examine(registry(tmp_path, FIRST, OLD | {"commit": X}), "toy", X, "old", "old")
    assert again.state == "not tried"


def test_the_figures_are_told_and_kept(tmp_path):
    passed = examine(registry(tmp_path, FIRST, BY_X | PASSED), "toy", X, "new", "")
    assert passed.sentence("staging") == (
        "toy@2 was evaluated online in staging on 1,500 rows against version 1: promote. What the gates said."
    )
    assert passed.trial == Trial("toy", "2", "1", 1500, "promote", "What the gates said.")
    fallen = examine(registry(tmp_path, FIRST, BY_X | PASSED | FALLEN), "toy", X, "new", "")
    assert "It was rolled back afterwards: worse in its second week. Next:" in fallen.sentence("staging")
