"""A version's typed properties, and the tags that they are stored as."""

import inspect
import re
from pathlib import Path
from typing import get_type_hints

import pandas as pd
import pytest

from evergreen.errors import RegistryError
from evergreen.registry.version import TAGS, TagValues, Version, stored

AT, LATER = pd.Timestamp("2013-01-11T01:02:03.000004", tz="UTC"), pd.Timestamp("2013-01-12", tz="UTC")
SAMPLES = {
    pd.Timestamp | None: AT,
    str: "some text",
    int: 7,
    int | None: 0,
    float: 0.1,
    bool: True,
    dict: {"depth": 3},
    list: [(AT, LATER)],
}
STORED = {  # data of every registry that exists: a name or a text that changes here is a break of the format
    "uncommitted": ({True: "True", False: "False"}, "dirty"),
    "trial_settled": ({True: "True", False: ""}, "trial_settled"),
    "as_of": ({AT: "2013-01-11T01:02:03.000004+00:00", None: ""}, "as_of"),
    "rows": ({0: "0", 240: "240"}, "rows"),
    "table_version": ({0: "0", None: ""}, "table_version"),
    "refit_disagreement": ({0.1: "0.1", float("inf"): "inf"}, "disagreement"),
    "refit_gain": ({-0.5: "-0.5"}, "learnt"),
    "lock_hash": ({"feed": "feed"}, "lock"),
    "model_file_hash": ({"feed": "feed"}, "model_file"),
    "python_version": ({"3.11.9": "3.11.9"}, "python"),
    "verdict_reason": ({"It is better.": "It is better."}, "verdict"),
    "trial_decision": ({"reject": "reject"}, "trial"),
    "trial_reason": ({"It is worse.": "It is worse."}, "trial_verdict"),
    "stored_hash": ({"feed": "feed"}, "stored_hash"),
    "promotion_seal": ({"feed": "feed"}, "audit"),
}


def version(**tags):
    return Version("toy", "1", "a run", "", tags)


def sample(name):
    hint = get_type_hints(TagValues)[name]
    return SAMPLES.get(hint, SAMPLES.get(getattr(hint, "__origin__", None)))


def test_what_can_be_stored_is_what_can_be_read():
    assert list(get_type_hints(TagValues)) == list(TAGS)
    assert len({tag.stored for tag in TAGS.values()}) == len(TAGS)


@pytest.mark.parametrize("name", TAGS)
def test_a_value_comes_back_as_it_was_stored(name):
    value = sample(name)
    assert getattr(version(**stored({name: value})), name) == value
    assert TAGS[name].meaning.endswith(".")


@pytest.mark.parametrize("name", TAGS)
def test_a_tag_that_is_not_set_reads_as_the_value_for_unknown(name):
    unset, empty = getattr(version(), name), getattr(version(**{TAGS[name].stored: ""}), name)
    assert repr(unset) == repr(empty)
    assert repr(unset) in ("None", "''", "0", "nan", "False", "{}", "[]")


@pytest.mark.parametrize("name", STORED)
def test_the_stored_names_and_texts_stay(name):
    texts, tag = STORED[name]
    assert [stored({name: value}) for value in texts] == [{tag: text} for text in texts.values()]


def test_periods_are_stored_as_they_were():
    text = "2013-01-01T00:00:00+00:00/2013-01-20T23:00:00+00:00"
    parsed = version(trial_looks=text)
    assert stored({"trial_periods": parsed.trial_periods}) == {"trial_looks": text}
    more = parsed.with_trial_period(AT, LATER)
    assert more == [*parsed.trial_periods, (AT, LATER)]
    assert len(version(**stored({"trial_periods": more * 60})).with_trial_period(AT, LATER)) == 51


def test_a_name_that_is_no_property_is_refused():
    with pytest.raises(KeyError, match="verdict"):
        stored({"verdict": "promote"})


def test_a_time_that_every_training_has_is_asked_for_by_name():
    assert version(as_of=AT.isoformat()).required(Version.as_of) == AT
    with pytest.raises(RegistryError, match="toy@1 was not trained by Evergreen, so its as_of is not recorded"):
        version().required(Version.as_of)


@pytest.mark.parametrize(
    ("tags", "rolled_back", "restored", "since"),
    [
        ({}, False, False, None),
        ({"promoted_at": AT.isoformat()}, False, False, AT),
        ({"promoted_at": AT.isoformat(), "rolled_back_at": LATER.isoformat()}, True, False, AT),
        (
            {"promoted_at": AT.isoformat(), "rolled_back_at": "", "restored_at": LATER.isoformat()},
            False,
            True,
            LATER,
        ),
        ({"promoted_at": LATER.isoformat(), "restored_at": AT.isoformat()}, False, False, LATER),
    ],
)
def test_it_knows_whether_it_was_rolled_back_or_restored(tags, rolled_back, restored, since):
    parsed = version(**tags)
    assert (parsed.rolled_back, parsed.restored, parsed.champion_since) == (rolled_back, restored, since)


def test_no_other_package_reads_a_tag_by_its_stored_name():
    checkout = Path(inspect.getfile(Version)).parents[2]
    reading = re.compile(r"\.tags(\[|\.get\(|\.items\()")
    files = [
        path
        for folder in ("evergreen", "tasks", "flows", "cli", "serving", "ui")
        for path in (checkout / folder).rglob("*.py")
    ]
    assert files
    assert [
        str(path.relative_to(checkout))
        for path in files
        if reading.search(path.read_text()) and path.parent.name not in ("registry", "replay")
    ] == []
