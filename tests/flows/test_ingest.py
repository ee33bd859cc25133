"""Ingest where batches overlap, meet, or cannot be written: nothing is doubled, and nothing is held twice."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from evergreen.definition import loader
from evergreen.ingestion.release import drop, release
from evergreen.lake import audit_log
from evergreen.stores import Stores
from flows.ingest import ingest

CHECKOUT = Path(__file__).parent.parent.parent
LOOKBACK = """
usual = rows


def faulty(since, until):
    found = usual(since, until)
    return found.assign(y=found["y"].where(found["id"] != "20130203-7", {bad}))


source = Call(function=faulty, start="2013-01-01", lookback="3d")
model = model.model_copy(update={{"source": source}})
"""
FILES = """
from evergreen import Files

model = model.model_copy(update={"source": Files(path="rows.csv")})
"""


def day(number: int) -> datetime:
    return datetime(2013, 2, number, tzinfo=UTC)


def keys() -> list[str]:
    return sorted(Stores.open().lake.query(loader.load("toy"), "SELECT id FROM rows")["id"])


def expected(until: int, *, without: tuple[int, ...] = ()) -> list[str]:
    """The keys of all days up to that of February."""
    days = pd.date_range("2013-01-01", f"2013-02-{until:02}", freq="D", inclusive="left")
    dates = [date for date in days if date.month == 1 or date.day not in without]
    return sorted(f"{date:%Y%m%d}-{number}" for date in dates for number in range(50))


def test_a_bad_row_counts_against_the_batch_that_it_came_with_and_no_other(write_model):
    write_model(LOOKBACK.format(bad=1e6))
    ingest("toy", as_of=day(3))
    assert [batch.fate for batch in ingest("toy", as_of=day(4))] == ["quarantined"]
    assert [batch.fate for number in (5, 6) for batch in ingest("toy", as_of=day(number))] == ["landed", "landed"]
    assert keys() == expected(6, without=(3,))


def test_a_row_that_was_mended_since_comes_with_the_next_batch(write_model):
    write_model(LOOKBACK.format(bad=1e6))
    ingest("toy", as_of=day(3))
    ingest("toy", as_of=day(4))
    write_model(LOOKBACK.format(bad=1.0))
    ingest("toy", as_of=day(5))
    assert "20130203-7" in keys()


def test_a_batch_that_was_released_does_not_hold_up_the_next(write_model):
    write_model(LOOKBACK.format(bad=1e6))
    ingest("toy", as_of=day(3))
    (quarantined,) = ingest("toy", as_of=day(4))
    release(
        Stores.open().lake,
        Stores.open().quarantine,
        loader.load("toy"),
        quarantined.batch,
        "it is true",
        pd.Timestamp(day(4)),
    )
    assert [batch.fate for batch in ingest("toy", as_of=day(5))] == ["landed"]
    assert keys() == expected(5)


@pytest.mark.long
def test_a_row_without_a_time_counts_against_one_batch(home, write_model):
    definition = loader.load("toy")
    rows = definition.source.read(
        definition, pd.Timestamp("2013-01-01", tz="UTC"), pd.Timestamp(day(6)), Stores.open().lake
    )
    rows.assign(at=rows["at"].where(rows["id"] != "20130105-3")).to_csv(home.parent / "rows.csv", index=False)
    write_model(FILES)
    fates = [batch.fate for number in (2, 4, 6) for batch in ingest("toy", as_of=day(number))]
    assert fates == ["quarantined", "landed", "landed"]


@pytest.mark.long
def test_rows_from_before_the_lookback_land_and_are_told(home, write_model):
    definition, lake = loader.load("toy"), Stores.open().lake
    rows = definition.source.read(definition, pd.Timestamp("2013-01-01", tz="UTC"), pd.Timestamp(day(6)), lake)
    late = rows["at"].dt.day.eq(9) & rows["at"].dt.month.eq(1)
    rows[~late].to_csv(home.parent / "rows.csv", index=False)
    write_model(FILES)
    ingest("toy", as_of=day(4))
    rows.to_csv(home.parent / "rows.csv", index=False)
    usual, come_late = ingest("toy", as_of=day(6))
    assert "rows.csv was changed since the last ingest, and not only at its end" in usual.notes[-1]
    assert (usual.new, come_late.new, come_late.fate) == (100, 50, "landed")
    assert come_late.notes == ["50 rows of before 2013-01-10 00:00 came after that time had been ingested"]
    assert Stores.open().lake.history("toy")[0]["evergreen.warned"] == come_late.notes[0]
    assert keys() == expected(6)
    assert [batch.fate for batch in ingest("toy", as_of=day(6))] == []


@pytest.mark.long
def test_a_row_that_was_corrected_before_the_lookback_lands_when_it_is_asked_for(home, write_model):
    definition, lake = loader.load("toy"), Stores.open().lake
    rows = definition.source.read(definition, pd.Timestamp("2013-01-01", tz="UTC"), pd.Timestamp(day(6)), lake)
    rows.to_csv(home.parent / "rows.csv", index=False)
    write_model(FILES)
    ingest("toy", as_of=day(4))
    rows.assign(y=rows["y"].where(rows["id"] != "20130105-3", 7.5)).to_csv(home.parent / "rows.csv", index=False)
    assert ingest("toy", as_of=day(5))[0].notes[-1].endswith("`evergreen ingest toy --since 2013-01-01`")
    usual, corrected = ingest("toy", as_of=day(6), since=datetime(2013, 1, 1, tzinfo=UTC))
    assert (usual.corrected, corrected.new, corrected.corrected, corrected.fate) == (0, 0, 1, "landed")
    assert [batch.fate for batch in ingest("toy", as_of=day(6), since=datetime(2013, 1, 1, tzinfo=UTC))] == []


STRICT = (
    FILES
    + """
from evergreen import expect

usual_contract = model.contract
model = model.model_copy(update={"contract": [expect("column_values_to_be_between", "y", max_value=-1e9)]})
"""
)


@pytest.mark.long
def test_late_rows_land_where_the_first_batch_was_quarantined(home, write_model):
    """As long as the lake had no table, no row of before the watermark was looked for."""
    definition, lake = loader.load("toy"), Stores.open().lake
    rows = definition.source.read(definition, pd.Timestamp("2013-01-01", tz="UTC"), pd.Timestamp(day(6)), lake)
    late = rows["at"].dt.month.eq(1) & rows["at"].dt.day.isin([9, 10])
    rows[~late].to_csv(home.parent / "rows.csv", index=False)
    write_model(STRICT)
    (first,) = ingest("toy", as_of=day(4))
    assert first.fate == "quarantined"
    usual, told = ingest("toy", as_of=day(5))
    waiting = int((rows["at"] < pd.Timestamp(day(4))).sum()) - 100
    assert (usual.fate, told.fate) == ("quarantined", "empty")
    assert told.notes[0].startswith(
        f"{waiting:,} rows of before 2013-02-04 00:00 are in the source and not in the lake"
    )
    rows.to_csv(home.parent / "rows.csv", index=False)
    write_model(FILES)
    drop(lake, Stores.open().quarantine, "toy", first.batch, "", pd.Timestamp(day(5)))
    assert [batch.new for batch in ingest("toy", as_of=day(6))] == [50, 100]


@pytest.mark.long
def test_a_batch_that_was_released_hides_no_late_row(home, write_model):
    definition, stores = loader.load("toy"), Stores.open()
    rows = definition.source.read(definition, pd.Timestamp("2013-01-01", tz="UTC"), pd.Timestamp(day(6)), stores.lake)
    late = rows["id"].isin(["20130109-1", "20130109-2"])
    rows[~late].to_csv(home.parent / "rows.csv", index=False)
    write_model(STRICT)
    (held,) = ingest("toy", as_of=day(4))
    ingest("toy", as_of=day(5))
    write_model(FILES)
    release(stores.lake, stores.quarantine, loader.load("toy"), held.batch, "", pd.Timestamp(day(5)))
    rows.to_csv(home.parent / "rows.csv", index=False)
    assert [batch.new for batch in ingest("toy", as_of=day(6))] == [50, 2]


def test_rows_that_are_in_quarantine_are_told_where_they_are_read_again(write_model):
    write_model(LOOKBACK.format(bad=1e6))
    ingest("toy", as_of=day(3))
    ingest("toy", as_of=day(4))
    (landed,) = ingest("toy", as_of=day(5))
    assert landed.notes == [
        "150 rows are left out; they came with a batch in quarantine, or dropped: `evergreen quarantine list toy --all`"
    ]


def test_a_warning_is_kept_with_the_commit(write_model):
    write_model(
        "\nwarning = expect('column_mean_to_be_between', 'y', max_value=-40, warn=True)\n"
        "model = model.model_copy(update={'contract': [warning]})\n"
    )
    assert [batch.fate for batch in ingest("toy", as_of=datetime(2013, 1, 5, tzinfo=UTC))] == ["landed"]
    assert "y: column mean to be between" in Stores.open().lake.history("toy")[0]["evergreen.warned"]


def run(*words: str, limit: int = 0) -> "subprocess.Popen[str]":
    """An ingest as a process of its own; with a limit, no file of it may be larger."""
    code = "import resource, signal, sys; from cli.main import main\n"
    code += "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    code += f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n" if limit else ""
    code += f"sys.argv = ['evergreen', *{list(words)!r}]; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
        env={name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"},
    )


@pytest.mark.long
def test_two_ingests_at_once_land_every_row_once(home):
    both = [run("ingest", "toy", "--as-of", "2013-02-06") for _ in range(2)]
    outputs = [process.communicate(timeout=300) for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes in ([0, 0], [0, 6]), outputs
    assert keys() == expected(6)


@pytest.mark.slow
def test_a_disk_that_is_full_is_a_sentence_and_the_next_run_puts_it_right(home):
    ingest("toy", as_of=datetime(2013, 1, 8, tzinfo=UTC))
    before = keys()
    full = run("ingest", "toy", "--as-of", "2013-02-06", limit=2048)
    _, error = full.communicate(timeout=300)
    assert full.returncode == 1
    assert "Cannot write" in error
    assert "Traceback" not in error
    assert keys() == before
    assert Stores.open().quarantine.entries("toy") == []
    ingest("toy", as_of=day(6))
    assert keys() == expected(6)


@pytest.mark.long
def test_late_rows_are_counted_and_left_out_where_erased_ones_cannot_be_told_from_them(home, write_model):
    definition, lake = loader.load("toy"), Stores.open().lake
    rows = definition.source.read(definition, pd.Timestamp("2013-01-01", tz="UTC"), pd.Timestamp(day(6)), lake)
    rows[50:].to_csv(home.parent / "rows.csv", index=False)
    write_model(FILES)
    ingest("toy", as_of=day(4))
    audit_log.write(lake, "toy", "deletion", "rows", pd.Timestamp(day(4)), detail={"rows": {"rows": 1}})
    rows.to_csv(home.parent / "rows.csv", index=False)
    usual, told = ingest("toy", as_of=day(6))
    assert (usual.new, told.fate) == (100, "empty")
    assert told.notes[0].startswith("50 rows of before 2013-02-0")
    assert "20130101-0" not in keys()
    assert [batch.fate for batch in ingest("toy", as_of=day(7))] == ["empty"]
