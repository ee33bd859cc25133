"""Quarantine: whole or not at all, released once, dropped for good, however often it is asked."""

from dataclasses import replace

import pandas as pd
import pytest

from evergreen import expect
from evergreen.errors import LakeError, LakeSetupError, QuarantineError
from evergreen.ingestion.batch import Batch, Checked
from evergreen.ingestion.contract import Report, Result
from evergreen.ingestion.quarantine import Quarantine
from evergreen.ingestion.release import release, retry
from evergreen.ingestion.schema import cast
from evergreen.lake.lake import INGEST
from evergreen.stores import Stores

START = pd.Timestamp("2013-01-01", tz="UTC")
DAY = pd.Timedelta(days=1)
FINE = Result("expect_fine", "x", success=True, warn=False, expected="", found="")
WARNED = replace(FINE, type="expect_warned", success=False, warn=True)
BROKEN = replace(FINE, type="expect_broken", success=False)
REPORT = Report(24, [FINE, WARNED, BROKEN])


@pytest.fixture
def quarantine():
    return Stores.open().quarantine


def held(toy, batch="b1", until=1):
    day = pd.DataFrame(index=range(24))
    return Batch(toy(), batch, START, START + until * DAY, START + 9 * DAY, day, Checked(day, REPORT)).entry


def test_an_entry_tells_the_failures_first(toy):
    entry = held(toy)
    assert [result.type for result in entry.results] == ["expect_broken", "expect_warned", "expect_fine"]
    assert [failure.type for failure in entry.failures] == ["expect_broken"]
    assert (entry.state, entry.rows) == ("held", 24)


def test_rows_are_counted_as_the_source_gave_them_doubles_too(toy, rows):
    given = pd.concat([rows(1), rows(1).head(3)]).assign(x=lambda rows: rows["x"].astype(str) + "?")
    batch = Batch(toy(), "b1", START, START + DAY, START + DAY, given, Checked(given.head(24), REPORT))
    assert batch.entry.rows == batch.ingested().rows == 27


def test_a_row_is_held_once_whatever_changes_in_a_column_that_the_model_does_not_read(toy, rows, quarantine):
    quarantine.hold(held(toy), rows(1), "")
    again = rows(1).assign(another="new")
    assert quarantine.without_quarantined(toy(), again, "b2", START).empty
    corrected = again.assign(x=again["x"].where(again.index > 0, 99.0))
    assert quarantine.without_quarantined(toy(), corrected, "b2", START)["x"].tolist() == [99.0]


def test_a_row_that_was_released_in_another_batch_has_landed(toy, rows, quarantine):
    """A batch that reads it again leaves it out in either case, and tells only those that have not landed."""
    quarantine.hold(replace(held(toy), state="released"), rows(1).head(2), "")
    quarantine.hold(held(toy, "b2"), rows(1).head(3), "")
    assert quarantine.states(toy(), rows(1).head(4), "b3", START).tolist() == ["released", "released", "held", ""]


def test_a_row_with_a_wide_number_is_held_once_whether_or_not_its_column_has_gaps(toy, rows, quarantine):
    whole = rows(1).assign(x=2**53 + 1 + rows(1).index.to_series())
    quarantine.hold(held(toy), whole, "")
    later = pd.concat([whole.astype({"x": "Int64"}), whole.head(1).assign(x=pd.NA)], ignore_index=True)
    assert quarantine.without_quarantined(toy(), later, "b2", START)["x"].tolist() == [pd.NA]


def test_what_is_held_comes_back_as_it_went_in(toy, rows, quarantine):
    entry = quarantine.hold(held(toy), rows(1), "<p>why</p>")
    assert quarantine.entries("toy") == [entry]
    assert quarantine.entry("toy", "b1") == entry
    pd.testing.assert_frame_equal(quarantine.rows(entry), rows(1))


ODD = {
    "numbers among text": pd.DataFrame({"x": [1, "many", None]}),
    "a column named by a number": pd.DataFrame({0: [1.0, 2.0]}),
    "infinite values": pd.DataFrame({"x": [float("inf"), 1.0]}),
    "no column": pd.DataFrame(index=range(3)),
}


@pytest.mark.parametrize("odd", ODD)
def test_any_rows_can_be_held(toy, quarantine, odd):
    entry = quarantine.hold(held(toy), ODD[odd], "")
    back, given = quarantine.rows(entry), ODD[odd].rename(columns=str)
    assert list(back.columns) == list(given.columns)
    assert [back[name].dropna().map(str).tolist() for name in back] == [
        given[name].dropna().map(str).tolist() for name in given
    ]


def test_holding_the_same_batch_again_changes_nothing(toy, rows, quarantine):
    once = quarantine.hold(held(toy), rows(1), "page")
    again = quarantine.hold(held(toy), rows(1), "page")
    assert quarantine.entries("toy") == [once] == [again]


def test_entries_are_in_the_order_of_their_time(toy, rows, quarantine):
    for batch, until in [("c", 1), ("a", 3), ("b", 2)]:
        quarantine.hold(held(toy, batch, until), rows(1), "")
    assert [entry.batch for entry in quarantine.entries("toy")] == ["c", "b", "a"]
    assert quarantine.watermark("toy") == START + 3 * DAY


def test_what_was_begun_and_not_finished_is_not_there(toy, rows, quarantine, home):
    entry = quarantine.hold(held(toy), rows(1), "")
    (home / "lake/toy/quarantine/b1/entry.json").unlink()
    assert (quarantine.entries("toy"), quarantine.watermark("toy")) == ([], None)
    assert quarantine.hold(entry, rows(1), "") == entry


def test_models_have_entries_of_their_own(toy, rows, quarantine):
    quarantine.hold(held(toy), rows(1), "")
    assert quarantine.entries("other") == []


def test_a_batch_that_is_not_held_is_named_beside_those_that_are(toy, rows, quarantine):
    quarantine.hold(held(toy), rows(1), "")
    with pytest.raises(QuarantineError, match=r"toy has no batch 'x' in quarantine. Held: b1"):
        quarantine.entry("toy", "x")


@pytest.mark.parametrize(
    ("first", "then", "refused"),
    [
        ("released", "released", False),
        ("dropped", "dropped", False),
        ("released", "dropped", True),
        ("dropped", "released", True),
    ],
)
def test_what_was_decided_stays_decided(toy, rows, quarantine, first, then, refused):
    closed = quarantine.close(quarantine.hold(held(toy), rows(1), ""), first, "because")
    if refused:
        with pytest.raises(QuarantineError, match=f"toy b1 was {first} before: because"):
            quarantine.close(closed, then, "")
    else:
        assert quarantine.close(closed, then, "") == closed
    assert quarantine.entry("toy", "b1") == replace(held(toy), state=first, note="because")
    assert len(quarantine.rows(closed)) == 24


def test_a_released_batch_lands_once_however_often_it_is_asked(toy, rows, quarantine):
    quarantine.hold(held(toy), rows(1), "")
    assert release(Stores.open().lake, Stores.open().quarantine, toy(), "b1", "the contract was wrong", START).new == 24
    assert release(Stores.open().lake, Stores.open().quarantine, toy(), "b1", "", START).new == 0
    assert len(Stores.open().lake.query(toy(), "SELECT id FROM rows")) == 24
    assert quarantine.entry("toy", "b1").note == "the contract was wrong"


def test_a_release_that_died_before_its_mark_is_finished(toy, rows, quarantine):
    entry = quarantine.hold(held(toy), rows(1), "")
    release(Stores.open().lake, Stores.open().quarantine, toy(), "b1", "", START)
    quarantine.hold(entry, rows(1), "")  # as it was before the last step
    assert release(Stores.open().lake, Stores.open().quarantine, toy(), "b1", "again", START).new == 0
    assert quarantine.entry("toy", "b1").state == "released"


def test_a_correction_that_came_since_is_not_undone_by_a_release(toy, rows, quarantine):
    model, lake = toy(), Stores.open().lake
    quarantine.hold(held(toy), rows(1), "")
    newer, problems = cast(rows(1)[:1].assign(y=99.0), model)
    assert problems == []
    lake.land(model, newer, "b2", START + 10 * DAY, app=INGEST, mark=START + 10 * DAY)
    assert release(Stores.open().lake, Stores.open().quarantine, model, "b1", "", START).new == 23
    first = rows(1)["id"][0]
    stored = lake.query(model, "SELECT id, y FROM rows")
    assert stored.loc[stored["id"] == first, "y"].tolist() == [99.0]


def test_what_is_released_counts_as_known_from_its_release_on(toy, rows, quarantine):
    quarantine.hold(held(toy), rows(1), "")
    release(Stores.open().lake, quarantine, toy(), "b1", "", START + 20 * DAY)
    assert arrivals(toy) == [START + 20 * DAY]


def arrivals(toy):
    return Stores.open().lake.query(toy(), 'SELECT DISTINCT "_arrived" AS a FROM rows ORDER BY a')["a"].tolist()


@pytest.mark.parametrize("order", [("b1", "b2"), ("b2", "b1")])
def test_of_two_held_batches_the_later_one_stands_in_whichever_order_they_are_released(toy, rows, quarantine, order):
    lake = Stores.open().lake
    for name, day, value in (("b1", 1, 1.0), ("b2", 2, 2.0)):
        entry = replace(held(toy, name), arrived=(START + day * DAY).isoformat())
        quarantine.hold(entry, rows(1).assign(x=value), "")
    for turn, name in enumerate(order):
        release(lake, quarantine, toy(), name, "", START + (20 + turn) * DAY)
    assert lake.query(toy(), "SELECT DISTINCT x FROM rows")["x"].tolist() == [2.0]


def test_what_was_read_again_is_newer_than_what_is_released_as_it_was(toy, rows, quarantine):
    entry = replace(held(toy, "b2"), arrived=(START + 10 * DAY).isoformat())
    quarantine.hold(held(toy), rows(1).assign(x=1.0), "")
    quarantine.hold(entry, rows(1).assign(x=2.0), "")
    retry(Stores.open().lake, quarantine, toy(), "b1", "", START + 12 * DAY)
    assert release(Stores.open().lake, quarantine, toy(), "b2", "", START + 13 * DAY).new == 0
    assert arrivals(toy) == [START + 12 * DAY]


def test_a_batch_is_asked_for_again_once_its_source_is_mended(toy, rows, quarantine):
    quarantine.hold(held(toy), rows(1).assign(x=None), "")
    done = retry(Stores.open().lake, Stores.open().quarantine, toy(), "b1", "", START + 12 * DAY)
    assert (done.new, quarantine.entry("toy", "b1").state) == (24, "released")
    assert Stores.open().lake.query(toy(), 'SELECT DISTINCT "_arrived" AS a FROM rows')["a"].tolist() == [
        START + 12 * DAY
    ]
    with pytest.raises(QuarantineError, match="toy b1 was released before: asked for again"):
        retry(Stores.open().lake, Stores.open().quarantine, toy(), "b1", "", START + 13 * DAY)


def test_what_still_breaks_its_contract_stays_held(toy, rows, quarantine):
    model = toy(contract=[expect("column_max_to_be_between", "y", max_value=-100)])
    quarantine.hold(held(toy), rows(1), "")
    with pytest.raises(QuarantineError, match="toy b1 still breaks its contract: y: column max to be between"):
        retry(Stores.open().lake, Stores.open().quarantine, model, "b1", "", START + 12 * DAY)
    assert (quarantine.entry("toy", "b1").state, Stores.open().lake.exists("toy")) == ("held", False)


def test_what_was_dropped_is_not_released_and_nothing_lands(toy, rows, quarantine):
    quarantine.close(quarantine.hold(held(toy), rows(1), ""), "dropped", "wrong units")
    with pytest.raises(QuarantineError, match="toy b1 was dropped before: wrong units"):
        release(Stores.open().lake, Stores.open().quarantine, toy(), "b1", "", START)
    assert not Stores.open().lake.exists("toy")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda rows: pd.concat([rows, rows[:1].assign(x=0.25)]), "'id': "),
        (lambda rows: rows.drop(columns="x"), "'x': no such column"),
        (lambda rows: rows.assign(at=rows["at"] + 5 * DAY), "'at': "),
    ],
    ids=["the same key twice", "a column gone", "the future"],
)
def test_what_the_table_cannot_hold_is_not_released_and_stays_held(toy, rows, quarantine, spoil, says):
    quarantine.hold(held(toy), spoil(rows(1)), "")
    with pytest.raises(QuarantineError, match=f"cannot be released, because it does not fit the table: {says}"):
        release(Stores.open().lake, Stores.open().quarantine, toy(), "b1", "", START)
    assert quarantine.entry("toy", "b1").state == "held"
    assert not Stores.open().lake.exists("toy")


def test_rows_that_are_gone_are_a_lake_error(toy, rows, quarantine, home):
    entry = quarantine.hold(held(toy), rows(1), "")
    (home / "lake/toy/quarantine/b1/rows.parquet").unlink()
    with pytest.raises(LakeError, match=r"Cannot read .*toy/quarantine/b1"):
        quarantine.rows(entry)


@pytest.mark.parametrize("place", ["lake", "lake/toy", "lake/toy/quarantine/b1"])
def test_a_store_that_cannot_be_written_is_a_lake_error_with_a_reason(toy, rows, home, quarantine, place):
    (home / place).parent.mkdir(parents=True, exist_ok=True)
    (home / place).write_text("in the way")
    with pytest.raises(LakeError, match=r"Cannot write .*/toy/quarantine/b1: .* Check that the lake is there"):
        quarantine.hold(held(toy), rows(1), "")


@pytest.mark.parametrize(
    ("root", "reason"),
    [
        ("foo://bucket/lake", "Protocol not known: foo"),
        ("s3://bucket/lake", "Install s3fs to access S3"),
        ("gs://bucket/lake", "Please install gcsfs to access Google Storage"),
    ],
)
def test_a_store_that_cannot_be_spoken_to_is_a_lake_error_that_will_not_pass(root, reason):
    with pytest.raises(LakeSetupError, match=rf"use {root}: {reason}\. Set EVERGREEN_LAKE") as raised:
        Quarantine(root).entries("toy")
    assert not raised.value.may_pass


def test_an_erasure_takes_rows_and_every_example_the_rows_last(toy, rows, quarantine, home, monkeypatch):
    given = rows(1)
    gone = str(given["id"].iloc[3])
    told = [replace(BROKEN, found="2 of 24 rows", examples=gone), replace(WARNED, found=f"2 of 24 rows: {gone}, b")]
    entry = replace(held(toy), results=told)
    quarantine.hold(entry, given, f"<p>{gone}</p>")
    other = quarantine.hold(held(toy, batch="b2", until=2), given.iloc[:2], "<p>another</p>")
    assert [len(matching) for matching in quarantine.matching("toy", [{"id": gone}])] == [1, 0]

    def dies(*given, **more):
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(pd.DataFrame, "to_parquet", dies)
        with pytest.raises(LakeError, match="the disk is full"):
            quarantine.erase("toy", [{"id": gone}], lambda entry: "<p>erased</p>")
    assert sum(map(len, quarantine.matching("toy", [{"id": gone}]))) == 1, "so a repeated call finds it"

    quarantine.erase("toy", [{"id": gone}, {"id": "nobody", "x": "1"}], lambda entry: "<p>erased</p>")
    assert [result.shown for result in quarantine.entry("toy", "b1").results] == ["2 of 24 rows"] * 2
    assert len(quarantine.rows(entry)) == 23
    folder = home / "lake" / "toy" / "quarantine"
    assert (folder / "b1" / "report.html").read_text() == "<p>erased</p>"
    assert quarantine.entry("toy", "b2") == other
    assert (folder / "b2" / "report.html").read_text() == "<p>another</p>"
    assert not any(gone.encode() in path.read_bytes() for path in (folder / "b1").iterdir())
