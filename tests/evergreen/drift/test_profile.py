"""Profiles: what a scan counts, however the rows are cut, is what is there."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen import time_units
from evergreen.definition.kinds.register import kind_of
from evergreen.definition.options import MIN_GROUP_SIZE
from evergreen.drift import profile
from evergreen.drift import scan as scanning
from evergreen.drift.bins import Bins, bins_of
from evergreen.drift.profile import Profile
from evergreen.lake.delta_lake import DeltaLake
from evergreen.lake.lake import PROFILES

DAY = timedelta(days=1)
START = pd.Timestamp("2013-01-07", tz="UTC")
KINDS = {
    "x": "number",
    "a 'b\"": "category",
    "yes": "boolean",
    "said": "text",
    "when": "datetime",
    "n": "integer",
}


def frame(rows):
    """Rows from tuples of (day, number, category, truth, text)."""
    days, x, word, yes, said = ([row[place] for row in rows] for place in range(5))
    return pd.DataFrame(
        {
            "at": pd.Series([START + day * DAY for day in days], dtype="datetime64[us, UTC]"),
            "x": pd.Series(x, dtype="float64"),
            "a 'b\"": pd.Series(word, dtype="str"),
            "yes": pd.Series(yes, dtype="boolean"),
            "said": pd.Series(said, dtype="str"),
            "when": pd.Series([START + day * DAY for day in days], dtype="datetime64[us, UTC]"),
            "n": pd.Series([None if n is None or not np.isfinite(n) else int(n) % 5 for n in x], dtype="Int64"),
        }
    )


NUMBERS = st.one_of(st.none(), st.floats(-1e6, 1e6), st.sampled_from([np.nan, np.inf, -np.inf]))
ROWS = st.lists(
    st.tuples(
        st.integers(0, 9),
        NUMBERS,
        st.sampled_from(["a", "b", "c", "new", None]),
        st.sampled_from([True, False, None]),
        st.text("ab", max_size=3) | st.none(),
    ),
    max_size=40,
)
BASE = frame([(day, float(day), "abc"[day % 3], day % 2 == 0, "a" * (day % 4)) for day in range(9)])
BINS = {name: bins_of(BASE[name], kind) for name, kind in KINDS.items()}


@pytest.fixture(scope="module")
def scan(tmp_path_factory, toy):
    """Count a frame's rows by the SQL that counts a table's."""
    lake = DeltaLake(str(tmp_path_factory.mktemp("lake")))

    def scanned(rows, unit=DAY):
        given_rows = {"given": pa.Table.from_pandas(rows, preserve_index=False)}
        sql = scanning.sql(BINS, KINDS, "given", "at", unit)
        return scanning.read(BINS, lake.query(toy(), sql, tables=[], beside=given_rows))

    return scanned


def by_hand(rows, name):
    """The counts of one column over all rows, one by one."""
    bins, kind = BINS[name], KINDS[name]
    counts = dict.fromkeys(bins.labels, 0)
    for value in rows[name]:
        if pd.isna(value) or (kind == "number" and not np.isfinite(value)):
            counts["missing"] += 1
        elif bins.kind == "category":
            word = str(value).lower() if kind == "boolean" else value
            counts[word if word in bins.categories else "other"] += 1
        else:
            number = {"text": len, "datetime": pd.Timestamp.timestamp}.get(kind, float)(value)
            slot = next((place for place, edge in enumerate(bins.edges) if number <= edge), len(bins.edges))
            counts[bins.labels[slot]] += 1
    return list(counts.values())


@given(ROWS)
def test_a_scan_counts_what_one_would_count_by_hand(scan, rows):
    rows = frame(rows)
    counted = scan(rows)
    assert len(counted.units) == rows["at"].nunique()
    for name, column in counted.total().items():
        assert column.counts[0].tolist() == by_hand(rows, name)


@pytest.mark.long
@given(ROWS, ROWS)
def test_any_window_is_a_sum(scan, some, more):
    whole, left, right = (scan(frame(rows)).total() for rows in (some + more, some, more))
    for name in KINDS:
        parts = np.vstack([left[name].counts, right[name].counts])
        assert whole[name].counts.tolist() == parts.sum(axis=0, keepdims=True).tolist()
        low, high = np.fmin(left[name].moments, right[name].moments), np.fmax(left[name].moments, right[name].moments)
        np.testing.assert_array_equal(whole[name].moments[0, 2:], [low[0, 2], high[0, 3]])


@pytest.mark.long
@given(ROWS, st.sampled_from([DAY, 7 * DAY]))
def test_what_is_kept_reads_as_it_was(scan, rows, unit):
    counted = scan(frame(rows), unit)
    stored = counted.table("3", counted.units).to_pandas()
    for again in (Profile.parse(counted.dump()), Profile.of_table(BINS, stored)):
        np.testing.assert_array_equal(again.units, counted.units)
        for name, column in counted.columns.items():
            np.testing.assert_array_equal(again.columns[name].counts, column.counts)
            np.testing.assert_array_equal(again.columns[name].moments, column.moments)


@pytest.mark.long
@given(ROWS)
def test_numbers_in_memory_are_counted_as_those_of_a_table(scan, rows):
    rows = frame(rows)
    counted = scan(rows).columns["x"]
    _, place = np.unique(rows["at"], return_inverse=True)
    here = profile.count(BINS["x"], kind_of("number").numbers(rows["x"]), place, rows["at"].nunique())
    np.testing.assert_array_equal(here.counts, counted.counts)
    np.testing.assert_allclose(here.moments, counted.moments)


def test_a_week_begins_on_monday(scan):
    rows = frame([(day, 1.0, "a", True, "") for day in range(9)])
    assert [str(unit)[:10] for unit in scan(rows, 7 * DAY).units] == ["2013-01-07", "2013-01-14"]


@pytest.mark.long
@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),
    st.sampled_from([timedelta(minutes=30), timedelta(hours=5), DAY, 7 * DAY]),
    st.sampled_from([-1, 0, 1]),
)
def test_a_unit_begins_where_it_does_in_memory(scan, moment, unit, beside):
    """Long before the origin too, and at its very edges."""
    start = time_units.unit_start(pd.Timestamp(moment), unit)
    at = start + pd.Timedelta(beside, unit="us")
    rows = frame([(0, 1.0, "a", True, "")]).assign(at=pd.Series([at], dtype="datetime64[us, UTC]"))
    assert scan(rows, unit).units.tolist() == [time_units.unit_start(at, unit).tz_localize(None).to_pydatetime()]


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([], "number", Bins("number")),
        ([np.nan, np.inf], "number", Bins("number")),
        ([5.0, 5.0], "number", Bins("number", edges=(float(np.nextafter(5.0, -np.inf)), 5.0))),
        (["b", "a", "a", "b", "c"], "category", Bins("category", categories=("a", "b", "c"))),
        ([True, True, False], "boolean", Bins("category", categories=("true", "false"))),
    ],
)
def test_bins_follow_the_reference(values, kind, expected):
    assert bins_of(pd.Series(values), kind) == expected


def test_of_ten_thousand_categories_the_most_frequent_are_told_apart():
    many = pd.Series([f"v{number}" for number in range(10_000)] + ["often"] * 50)
    bins = bins_of(many, "category")
    assert (len(bins.categories), bins.categories[0], bins.slots) == (500, "often", 502)


def test_profiles_of_different_units_stand_beside_each_other():
    first, second = (
        Profile(
            np.array([day], dtype="datetime64[us]"),
            {name: profile.count(Bins("number"), np.ones(3), np.zeros(3, int), 1)},
        )
        for day, name in (("2013-01-01", "x"), ("2013-01-02", "y"))
    )
    both = first.beside(second)
    assert [str(unit)[:10] for unit in both.units] == ["2013-01-01", "2013-01-02"]
    assert {name: column.counts.sum(axis=1).tolist() for name, column in both.columns.items()} == {
        "x": [3, 0],
        "y": [0, 3],
    }


def test_the_table_of_profiles_replaces_a_unit_and_leaves_the_others(tmp_path, toy, scan):
    lake, rows = DeltaLake(str(tmp_path)), frame([(day, 1.0, "a", True, "") for day in range(3)])
    lake.replace("toy", PROFILES, scan(rows).table("3", scan(rows).units), "true")
    second = scan(pd.concat([rows, rows[rows["at"] == START + DAY]])).only(np.array([False, True, False]))
    key = profile.key("3", second.units[0])
    lake.replace("toy", PROFILES, second.table("3", second.units), f"key IN ('{key}')")
    stored = Profile.of_table(BINS, lake.query(toy(), f"SELECT * FROM {PROFILES}", tables=[PROFILES]))
    assert stored.columns["x"].counts.sum(axis=1).tolist() == [1, 2, 1]


@given(counts=st.lists(st.integers(1, 20), min_size=1, max_size=8))
def test_bins_of_a_private_column_name_only_what_ten_rows_share(counts):
    values = pd.Series([f"name {place}" for place, count in enumerate(counts) for _ in range(count)])
    named = bins_of(values, "category", private=True).categories
    assert all(counts[int(name.split()[1])] >= MIN_GROUP_SIZE for name in named)
    numbers = pd.Series([float(place) for place, count in enumerate(counts) for _ in range(count)])
    edges = bins_of(numbers, "number", private=True).edges
    assert numbers.min() <= edges[0] <= edges[-1] <= numbers.max()
    assert len(edges) <= 9


@pytest.mark.parametrize(
    ("bins", "labels"),
    [
        (Bins("number", edges=(0.5, 1234567.0)), ["up to 0.5", "up to 1.23457e+06", "above 1.23457e+06", "missing"]),
        (Bins("number"), ["any", "missing"]),
        (Bins("category", categories=("b", "a")), ["b", "a", "other", "missing"]),
    ],
)
def test_every_slot_has_a_label(bins, labels):
    assert (bins.labels, bins.slots) == (labels, len(labels))


@pytest.mark.parametrize(("often", "categories"), [(1998, ("often",)), (1997, ("often", "a"))])
def test_separate_categories_cover_999_of_1000_rows(often, categories):
    values = pd.Series(["often"] * often + ["b"] + ["a"] * (1999 - often))
    assert bins_of(values, "category").categories == categories


def test_categories_as_frequent_are_in_alphabetical_order():
    names = [f"v{number:03}" for number in range(200)]
    assert bins_of(pd.Series(np.random.default_rng(0).permutation(names * 3)), "category").categories == tuple(names)


def test_bins_hold_as_many_rows_each_and_a_private_column_shows_no_extremes():
    values = pd.Series(np.arange(101.0))
    inner = (25.0, 50.0, 75.0)
    below = float(np.nextafter(0.0, -np.inf))
    assert bins_of(values, "number", most=4) == Bins("number", edges=(below, *inner, 100.0))
    assert bins_of(values, "number", most=4, private=True) == Bins("number", edges=inner)


def test_a_private_category_needs_as_many_rows_as_a_group():
    values = pd.Series(["kept"] * MIN_GROUP_SIZE + ["hidden"] * (MIN_GROUP_SIZE - 1))
    assert bins_of(values, "category", private=True).categories == ("kept",)


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("largest", [1.7e308, float(np.finfo(float).max)])
def test_edges_are_numbers_however_far_the_values_lie_apart(largest, private):
    values = pd.Series([-largest, largest] * 30 + [1.0])
    bins = bins_of(values, "number", private=private)
    assert np.isfinite(bins.edges).all()
    assert 1.0 in bins.edges
    assert scanning.sql({"x": bins}, {"x": "number"}, "rows", "at", DAY).count("nan") == 0
