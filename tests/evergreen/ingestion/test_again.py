"""Rows that were corrected before the lookback: asked for, they land; a file in which they may be is told."""

import pandas as pd
import pytest
import sqlalchemy

from evergreen import expect
from evergreen.governance.erasure import erase
from evergreen.ingestion import again, late
from evergreen.ingestion.sources.file_changes import compared
from tests.evergreen.ingestion.test_late import DAY, START, hours, made, take_in

__all__ = ["made", "take_in"]


def corrected(source, rows):
    """Write the rows anew, in the place of those that are there."""
    if hasattr(source, "url"):
        written = rows.assign(at=rows["at"].dt.tz_localize(None))
        written.to_sql("t", sqlalchemy.create_engine(source.url), index=False, if_exists="replace")
    elif source.csv is not None:
        written = rows.assign(at=rows["at"].dt.strftime("%d.%m.%Y %H"))
        written.to_csv(source.path.replace("*", "0"), index=False)
    else:
        rows.to_parquet(source.path.replace("*", "0"), index=False)


@pytest.fixture
def ask_again(take_in):
    """Compare the rows of a model from a day on, as the flow does."""

    def run(model, day, at):
        lake, quarantine, batches = take_in.lake, take_in.stores.quarantine, []
        arrived = again.after(lake, model, START + at * DAY)
        for place, (low, high) in enumerate(again.periods(model, lake, quarantine, START + day * DAY, None)):
            moment = arrived + place * pd.Timedelta(1, "us")
            batch = late.of_period(model, lake, quarantine, low, high, moment, again.differing)
            if batch and batch.fate == "landed":
                batches.append(batch.land(lake))
            elif batch:
                quarantine.hold(batch.entry, batch.rows, "")
        return [(landed.new, landed.corrected) for landed in batches]

    return run


@pytest.mark.parametrize("fields", [{}, {"batch": "7d"}, {"key": None}], ids=str)
def test_corrected_rows_land_and_no_others_and_once(made, take_in, ask_again, fields):
    model, add = made(**fields)
    add(hours(0, 20))
    take_in(model, 20)
    rows = hours(0, 20)
    rows.loc[[30, 300], "y"] = 7.5  # of the second day, and of the 13th
    corrected(model.source, rows)
    assert take_in(model, 21) == []  # as many rows a day as before
    assert sum(count for _, count in ask_again(model, 5, 21)) == 1
    assert sum(count for _, count in ask_again(model, 0, 21)) == 1
    assert ask_again(model, 0, 21) == []
    values = take_in.lake.query(model, "SELECT y, count(*) AS n FROM rows GROUP BY y ORDER BY y")
    assert values.to_numpy().tolist() == [[2.0, 478], [7.5, 2]]


def test_corrected_rows_that_break_the_contract_are_quarantined_once(made, take_in, ask_again):
    model, add = made(contract=[expect("column_values_to_be_between", "x", max_value=5)])
    add(hours(0, 9))
    take_in(model, 9)
    rows = hours(0, 9)
    rows.loc[30, "x"] = 7.5
    corrected(model.source, rows)
    assert ask_again(model, 0, 9) == []
    assert ask_again(model, 0, 9) == []
    assert [entry.rows for entry in take_in.stores.quarantine.entries(model.name)] == [1]


def test_erased_rows_do_not_come_back(made, take_in, ask_again):
    model, add = made()
    add(hours(0, 9))
    take_in(model, 9)
    erase(take_in.stores, model, {"id": hours(0, 9)["id"][3]}, "request 1", START)
    assert ask_again(model, 0, 9) == []


def test_a_file_that_was_changed_and_not_only_at_its_end_is_told_once(made, take_in):
    model, add = made()
    add(hours(0, 9))
    take_in(model, 9)
    lake, quarantine = take_in.lake, take_in.stores.quarantine

    def told():
        return again.rewritten(model, lake, quarantine, START + 8 * DAY)

    assert told() == ""
    rows = hours(0, 9)
    rows.loc[30, "y"] = 7.5
    corrected(model.source, rows)
    note = told()
    assert hasattr(model.source, "url") or f"`evergreen ingest {model.name} --since 2024-01-01`" in note
    assert hasattr(model.source, "url") or "rows of before 2024-01-09 00:00" in note
    assert told() == ""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda path: None, False),
        (lambda path: path.write_text("a\n1\n2\n"), False),
        (lambda path: path.touch(), False),
        (lambda path: path.write_text("a\n9\n"), True),
        (lambda path: path.write_text("a\n9\n2\n"), True),
        (lambda path: path.write_text("a\n"), True),
        (lambda path: path.unlink(), False),
    ],
    ids=["same", "added", "touched", "changed", "changed and added", "shorter", "gone"],
)
def test_only_what_was_added_at_the_end_of_a_file_is_no_change(tmp_path, change, told):
    path = tmp_path / "a.csv"
    path.write_text("a\n1\n")
    first, known = compared([path], {})
    change(path)
    assert (first, compared([path], known)[0]) == ([], [str(path)] * told)
