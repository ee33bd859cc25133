"""A batch: its name, what the contract says of bad input, and which periods are still to be asked for."""

import numpy as np
import pandas as pd
import pytest

from evergreen import Call, Csv, Files, expect
from evergreen.errors import SourceShapeError
from evergreen.ingestion import moved_times
from evergreen.ingestion.batch import Batch, Checked, batch_id, check, in_words, of_source, outstanding
from evergreen.ingestion.contract import Report, Result
from evergreen.ingestion.quarantine import Quarantine
from evergreen.lake.delta_lake import DeltaLake
from evergreen.lake.lake import INGEST
from evergreen.lake.landing import Landed

START = pd.Timestamp("2013-01-01", tz="UTC")
DAY = pd.Timedelta(days=1)


def put(column, value):
    """Replace one value of a column."""
    return lambda rows: rows.assign(**{column: rows[column].mask(rows.index == 3, value)})


GOOD = {
    "as it comes": lambda rows: rows,
    "no rows": lambda rows: rows.iloc[:0],
    "no rows and no columns": lambda rows: pd.DataFrame(),
    "all labels missing": lambda rows: rows.assign(y=np.nan),
    "a feature that is missing": put("x", np.nan),
    "a feature that is missing everywhere": lambda rows: rows.assign(x=np.nan),
    "a constant feature": lambda rows: rows.assign(x=1.0),
    "as many categories as rows": lambda rows: rows.assign(group=rows["id"]),
    "columns that nobody declared": lambda rows: rows.assign(more=1),
}
BAD = {
    "an infinite value": (put("x", np.inf), "x: schema .*1 of 24 rows are infinite$"),
    "an infinite label": (put("y", -np.inf), "y: schema .*1 of 24 rows are infinite$"),
    "a column gone": (lambda rows: rows.drop(columns="x"), "x: schema .*no such column"),
    "a column renamed": (lambda rows: rows.rename(columns={"group": "groups"}), "did 'groups' take its place"),
    "a column of another type": (lambda rows: rows.assign(x="many"), "24 of 24 rows hold no number$"),
    "the same key twice": (lambda rows: pd.concat([rows, rows[3:4].assign(x=0.25)]), "id: column values to be unique"),
    "a key that is missing": (put("id", None), "id: column values to not be null"),
    "a time that is missing": (put("at", pd.NaT), "at: column values to not be null"),
    "a time in the future": (put("at", START + 2 * DAY), "at: column values to be between"),
    "what the model file forbids": (put("x", 99.0), r"x: column values to be between .*found 1 of 24 rows$"),
}


def test_exact_doubles_are_left_out_and_counted(toy, rows):
    twice = pd.concat([rows(1), rows(1)[3:8]])
    checked = check(toy(), twice, START + DAY)
    assert checked.report.success
    assert len(checked.rows) == 24
    assert [result.found for result in checked.report.failures] == [
        "5 of 29 rows are exact doubles of others, and were left out"
    ]


@pytest.mark.parametrize("given", GOOD)
def test_what_is_good_passes(toy, rows, given):
    model = toy(contract=[expect("column_values_to_be_between", "x", min_value=-9, max_value=9)])
    assert check(model, GOOD[given](rows(1)), START + DAY).report.failures == []


@pytest.mark.parametrize("given", BAD)
def test_what_is_bad_fails_and_says_why(toy, rows, given):
    model = toy(contract=[expect("column_values_to_be_between", "x", min_value=-9, max_value=9)])
    spoil, says = BAD[given]
    report = check(model, spoil(rows(1)), START + DAY).report
    assert not report.success
    assert pd.Series(in_words(report.failures)).str.contains(says).any(), in_words(report.failures)


def test_rows_that_cannot_be_cast_stay_as_they_came(toy, rows):
    given = rows(1).assign(x="many")
    pd.testing.assert_frame_equal(check(toy(), given, START + DAY).rows, given)


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        (("toy", START, START + DAY), True),
        (("toy", START.tz_convert("UTC"), pd.Timestamp("2013-01-02", tz="UTC")), True),
        (("other", START, START + DAY), False),
        (("toy", START - DAY, START + DAY), False),
        (("toy", START, START + 2 * DAY), False),
    ],
)
def test_a_batch_is_named_by_what_was_asked_for(other, alike):
    assert (batch_id(*other) == batch_id("toy", START, START + DAY)) == alike


@pytest.fixture
def places(tmp_path):
    return DeltaLake(str(tmp_path)), Quarantine(str(tmp_path))


def arrive(toy, rows, places, landed_until=None, held_until=None):
    """Land and hold batches that reach so many days."""
    lake, quarantine = places
    if landed_until is not None:
        lake.land(toy(), rows(1), "b", START, app=INGEST, mark=START + landed_until * DAY)
    if held_until is not None:
        checked = Checked(rows(1), Report(0, []))
        quarantined = Batch(toy(), "q", START, START + held_until * DAY, START, rows(1), checked)
        quarantine.hold(quarantined.entry, quarantined.rows, "")


@pytest.mark.parametrize(
    ("marks", "until", "expected"),
    [
        ({}, 2, [(0, 1), (1, 2)]),
        ({"landed_until": 1}, 3, [(1, 2), (2, 3)]),
        ({"landed_until": 1}, 1.5, [(1, 1.5)]),
        ({"landed_until": 3}, 3, []),
        ({"landed_until": 3}, 2, []),
        ({"landed_until": 1, "held_until": 2}, 3, [(2, 3)]),
        ({"landed_until": 2, "held_until": 1}, 3, [(2, 3)]),
        ({"held_until": 1}, 2, [(1, 2)]),
    ],
)
def test_only_what_is_behind_the_watermark_is_asked_for(toy, rows, places, marks, until, expected):
    arrive(toy, rows, places, **marks)
    periods = outstanding(toy(), *places, START + until * DAY)
    assert periods == [(START + low * DAY, START + high * DAY) for low, high in expected]


def test_a_source_that_has_nothing_yet_says_when_it_begins(toy, places):
    with pytest.raises(SourceShapeError, match="the source begins at"):
        outstanding(toy(), *places, START)


def test_a_lookback_reaches_behind_the_watermark_with_the_first_batch_alone(toy, rows, places):
    model = toy(source=Call(function=print, start="2013-01-01", batch="1d", lookback="6h"))
    assert outstanding(model, *places, START + DAY) == [(START, START + DAY)]
    arrive(toy, rows, places, landed_until=2)
    first, second = outstanding(model, *places, START + 4 * DAY)
    assert first == (START + 1.75 * DAY, START + 3 * DAY)
    assert second == (START + 3 * DAY, START + 4 * DAY)


def result(*, warn):
    return Result("expect_x", "x", success=False, warn=warn, expected="a", found="b")


@pytest.mark.parametrize(
    ("given", "results", "fate"),
    [(0, [], "empty"), (1, [], "landed"), (1, [result(warn=True)], "landed"), (1, [result(warn=False)], "quarantined")],
)
def test_the_fate_of_a_batch_follows_from_its_report(toy, rows, given, results, fate):
    frame = rows(given)
    batch = Batch(toy(), "b", START, START + DAY, START, frame, Checked(frame, Report(len(frame), results)))
    assert batch.fate == fate
    landed = Landed(version=4, new=20, corrected=3, same=1) if fate == "landed" else None
    ingested = batch.ingested(landed)
    assert (ingested.fate, ingested.rows) == (fate, len(frame))
    assert (ingested.new, ingested.corrected, ingested.same, ingested.version) == (
        (20, 3, 1, 4) if landed else (0, 0, 0, None)
    )
    assert ingested.notes == ["x: x (a); found b"] * len(results)


def test_rows_that_come_after_the_lookback_are_read_too(toy, rows, home):
    """A file that is filled once a month brings rows that are older than any lookback."""
    path = home / "months.parquet"
    model = toy(source=Files(path=str(path), lookback="1d"))
    lake, quarantine = DeltaLake(str(home / "lake")), Quarantine(str(home / "lake"))

    def ingest(at):
        (period,) = outstanding(model, lake, quarantine, at)
        batch = of_source(model, lake, quarantine, *period, at)
        return batch.ingested(batch.land(lake) if batch.fate == "landed" else None)

    rows(1).to_parquet(path)
    assert ingest(START + 30 * DAY).new == 24
    later = rows(1).assign(at=rows(1)["at"] + 5 * DAY, id=[f"later{number}" for number in range(24)])
    pd.concat([rows(1), later]).to_parquet(path)
    assert (ingest(START + 60 * DAY).new, ingest(START + 90 * DAY).new) == (24, 0)


def test_rows_of_the_future_are_counted_and_wait(toy, rows, home):
    path = home / "future.csv"
    rows(3).to_csv(path, index=False)
    lake, quarantine = DeltaLake(str(home / "lake")), Quarantine(str(home / "lake"))
    for csv in (None, Csv()):
        model = toy(source=Files(path=str(path), csv=csv))
        batch = of_source(model, lake, quarantine, START, START + DAY, START + DAY)
        assert (len(batch.rows), batch.fate) == (24, "landed")
        assert batch.notes == ["48 rows lie at 2013-01-02 00:00 or later; they wait until then"]
        empty = of_source(model, lake, quarantine, START - 2 * DAY, START - DAY, START - DAY)
        assert empty.ingested().notes == ["72 rows lie at 2012-12-31 00:00 or later; they wait until then"]
    earlier = of_source(model, lake, quarantine, START, START + DAY, START + 3 * DAY)
    assert earlier.waiting == 0


def test_rows_that_replace_much_earlier_ones_are_told(toy, rows, home):
    """Of a thing that comes again, the earlier event is lost; of a row whose time is corrected, none is."""
    lake, quarantine = DeltaLake(str(home / "lake")), Quarantine(str(home / "lake"))
    model = toy(source=Files(path=str(home / "rows.parquet"), lookback="2d"))
    told = {}
    for days in (0, 1, 9):
        rows(1).assign(at=rows(1)["at"] + days * DAY).to_parquet(home / "rows.parquet")
        since = START + days * DAY
        batch = of_source(model, lake, quarantine, since, since + DAY, since + DAY)
        told[days] = batch.notes
        assert batch.fate == "landed"
        batch.land(lake)
    assert (told[0], told[1]) == ([], [])
    assert "24 of 24 rows that replace one of an earlier time" in told[9][0]
    assert "set `key` to ['id', 'at']" in told[9][0]
    by_time = toy(source=model.source, key=["id", "at"])
    assert moved_times.compared(by_time, lake, rows(1)) == []


def test_files_of_another_kind_in_a_folder_are_told(toy, rows, home):
    folder = home / "mixed"
    folder.mkdir()
    rows(1).to_parquet(folder / "a.parquet")
    lake, quarantine = DeltaLake(str(home / "lake")), Quarantine(str(home / "lake"))
    model = toy(source=Files(path=str(folder)))
    assert of_source(model, lake, quarantine, START, START + DAY, START + DAY).notes == []
    rows(2).to_csv(folder / "b.csv", index=False)
    (folder / "_SUCCESS").touch()
    told = f"not read in {folder}: b.csv; of a folder one kind of files is read, here *.parquet"
    assert of_source(model, lake, quarantine, START, START + DAY, START + DAY).notes == [told]
    assert model.source.passed_over() == told
    (folder / "a.parquet").unlink()
    rows(1).to_csv(folder / "c.tsv", index=False, sep="\t")
    assert model.source.passed_over().endswith(": c.tsv; of a folder one kind of files is read, here *.csv*")
    assert toy(source=Files(path=f"{folder}/*.csv")).source.passed_over() == ""
