"""Tables as people publish them: what is drafted from each, and that its own rows meet the draft.

The tables of `shared/data` are skipped where they are not; each kind of trouble has a table of its own here too.
"""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evergreen import NumberFormat, TimeFormat, TimePart
from evergreen.definition.model import ROW_KEY
from evergreen.errors import ScaffoldError
from evergreen.ingestion.batch import check
from evergreen.scaffold.draft import Choices
from evergreen.scaffold.reading.sample import Table, source_of
from evergreen.scaffold.scaffold import scaffold
from tests.evergreen.scaffold.drafted_tables import LAKE, NOW, hours, written

DATA = Path(__file__).parents[4] / "shared" / "data"


CASES = {
    "decimal_comma.csv": ({"spend": NumberFormat(decimal=","), "target": NumberFormat(decimal=",")}, ["id"], 1500),
    "either_day_or_month.csv": ({"ts": TimeFormat(format="%m/%d/%Y")}, ["id"], None),
    "ended_years_ago.csv": ({}, ["id"], 1500),
    "epoch_beside_clock.csv": ({"UNIX": TimeFormat(format="seconds")}, ["UNIX"], 1500),
    "header_one_short.txt": ({}, ["ts"], 1500),
    "hidden_clock.csv": ({"hour": TimePart(part="hour", column="ts")}, ["ts", "place"], None),
    "key_with_time.csv": ({}, ["ts", "store"], None),
    "months_as_numbers.csv": ({"period": TimeFormat(format="%Y%m")}, ["period", "line"], None),
    "names_by_case.csv": ({}, ["id"], 1500),
    "numbers_for_people.csv": (
        {
            "age": NumberFormat(missing=["-", "NULL", "n/a"]),
            "spend": NumberFormat(remove="$", thousands=","),
            "rate": NumberFormat(remove="%"),
        },
        ["id"],
        1500,
    ),
    "one_bad_cell.csv": ({"spend": NumberFormat(missing=["12.4.1"])}, ["id"], 1500),
    "own_names.csv": ({}, ["_time"], 1500),
    "rows_twice.csv": ({}, ["id"], 1500),
    "same_key_other_values.csv": ({}, [], 1500),
    "space_after_comma.csv": ({}, ["id"], 1500),
    "target_as_text.csv": ({"target": NumberFormat(remove="kg")}, ["id"], 1500),
}


TARGETS = {"own_names.csv": "known_at", "months_as_numbers.csv": "flights"}


@pytest.mark.skipif(not DATA.is_dir(), reason="the tables are not here")
@pytest.mark.parametrize("name", CASES)
def test_a_table_with_one_trouble_is_read_rightly(landed, name):
    parsing, key, rows = CASES[name]
    draft, model, read = landed(DATA / "cases" / name, target=TARGETS.get(name, "target"))
    assert draft.parsing | parsing == draft.parsing
    assert sorted(draft.key) == sorted(key)
    assert rows in (None, len(read))
    assert read[model.target].notna().any()


RAW = {
    "SeoulBikeData.csv": ("Rented_Bike_Count", TimeFormat(format="%d/%m/%Y %H", columns=["Date", "Hour"]), ["time"]),
    "Metro_Interstate_Traffic_Volume.csv": ("traffic_volume", None, []),
    "ETTh1.csv": ("OT", None, ["date"]),
    "Steel_industry_data.csv": ("Usage_kWh", TimeFormat(format="%d-%m-%y %H.%M"), ["date"]),
    "Tetuan City power consumption.csv": (
        "Zone 1 Power Consumption",
        TimeFormat(format="%m/%d/%y %H:%M"),
        ["DateTime"],
    ),
    "avocado.csv": ("AveragePrice", TimeFormat(format="%m-%d-%Y"), None),
    "london_merged.csv": (
        "Count of bike shares",
        TimeFormat(format="%d-%m-%Y %I.%M.%S %p", columns=["date", "time"]),
        ["timestamp"],
    ),
}


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the tables are not here")
@pytest.mark.parametrize("name", RAW)
def test_a_published_table_is_read_rightly(landed, name):
    target, time, key = RAW[name]
    draft, model, rows = landed(DATA / "raw" / name, target=target)
    assert draft.parsing.get(draft.time) == time
    assert key in (None, draft.key)
    assert len(rows) >= 0.99 * draft.rows
    assert rows[model.time].between("2011-01-01", "2022-01-01").all()


def test_hour_and_weekday_are_drafted_where_the_history_supports_them(landed, home):
    path = written(home, hours(1000).to_csv(index=False))
    draft, _, rows = landed(path)
    assert {"hour", "weekday"} <= set(draft.features)
    assert (rows["hour"] == rows["at"].dt.hour).all()
    assert "weekday" not in landed(written(home, hours(100).to_csv(index=False), "few.csv"))[0].features


def test_a_part_of_the_time_that_is_a_column_already_is_not_drafted_again(landed, home):
    path = written(home, hours(1000).assign(clock=lambda rows: rows["at"].dt.hour).to_csv(index=False))
    features = set(landed(path, target="y")[0].features)
    assert {"clock", "weekday"} <= features
    assert "hour" not in features


def test_day_or_month_first_is_asked_for_where_no_row_decides(landed, home):
    text = "at,x,y\n" + "\n".join(f"0{1 + n % 2}/0{1 + n % 2}/2026,{n % 7},{n % 11}" for n in range(60))
    with pytest.raises(ScaffoldError, match=r"can be read as .* or as .*, and no row decides: .*--time-format"):
        landed(written(home, text))


def test_the_format_of_the_time_can_be_named(landed, home):
    text = "at,x,y\n" + "\n".join(f"0{1 + n % 2}/0{1 + n % 2}/2026,{n % 7},{n % 11}" for n in range(60))
    draft, _, _ = landed(written(home, text), time="at", time_format="%m/%d/%Y", target="y")
    assert draft.parsing["at"] == TimeFormat(format="%m/%d/%Y")
    with pytest.raises(ScaffoldError, match=r"'at' is not written as %Y-%m-%d in 60 rows"):
        scaffold("other", source_of(str(home / "table.csv")), Choices(time="at", time_format="%Y-%m-%d", target="y"))


def test_rows_of_the_future_are_told_and_left_out_of_account(landed, home):
    path = written(home, hours(4000).to_csv(index=False))
    now = pd.Timestamp("2026-01-31", tz="UTC")
    draft, _, _ = landed(path, target="y", until=now)
    assert draft.why["time"] == "the only time; 3,280 of 4,000 rows lie in the future and wait"
    assert draft.rhythm == landed(written(home, hours(720).to_csv(index=False)), target="y")[0].rhythm
    with pytest.raises(ScaffoldError, match=r"All times of 'at' lie in the future, from 2026-01-01 on\. Correct them"):
        landed(path, target="y", until=pd.Timestamp("2025-01-01", tz="UTC"))


def test_the_holdout_is_longer_where_a_class_is_rare(landed, home):
    rows = hours(4000).assign(at=pd.date_range("2019-01-01", periods=4000, freq="2h"))
    even, rare = (
        landed(written(home, rows.assign(y=(rows["x"].rank() > 4000 - ones) * 1).to_csv(index=False)), target="y")[1]
        for ones in (2000, 40)
    )
    assert (even.training.holdout.days, rare.training.holdout.days) == (33, 99)


def test_exact_doubles_are_dropped_and_told(landed, home):
    rows = hours().assign(id=range(400))
    draft, _, read = landed(written(home, pd.concat([rows, rows.head(7)]).to_csv(index=False)), target="y")
    assert draft.key == ["id"]
    assert draft.why["key"] == "7 of 407 rows are exact doubles of others"
    assert len(read) == 400


def test_rows_without_a_key_are_identified_by_what_they_hold(landed, home):
    rows = hours()
    rows = pd.concat([rows, rows.head(5).assign(x=9.5), rows.head(3)])
    path = written(home, rows.to_csv(index=False))
    draft, model, read = landed(path, target="y")
    assert (draft.key, model.key) == ([], [ROW_KEY])
    assert "no columns identify a row (10 rows of 'at' differ in others)" in draft.why["key"]
    assert read[ROW_KEY].is_unique
    again = landed_again(model, path, rows.sample(frac=1, random_state=0), hours(403).tail(3))
    assert set(read[ROW_KEY]) < set(again[ROW_KEY])
    assert len(again) == len(rows) + 3


def landed_again(model, path, *rows):
    """The rows of the file once it was written anew, in another order and with more rows."""
    path.write_text(pd.concat(rows).to_csv(index=False))
    return check(model, model.source.read(model, NOW - pd.Timedelta(days=900), NOW, LAKE), NOW).rows


def test_a_label_that_becomes_known_is_no_other_row(landed, home):
    rows = hours()
    rows = pd.concat([rows, rows.head(5).assign(x=9.5)]).reset_index(drop=True)
    path = written(home, rows.assign(y=rows["y"].where(rows.index > 9)).to_csv(index=False))
    _, model, read = landed(path, target="y")
    again = landed_again(model, path, rows)
    assert set(again[ROW_KEY]) == set(read[ROW_KEY])


def test_a_column_that_nearly_separates_the_classes_is_a_suspect(landed, home):
    chance = np.random.default_rng(0)
    rows = hours(2000)
    label = (chance.random(2000) < 0.3).astype(int)
    known_after = np.where(chance.random(2000) < 0.995, label, 1 - label)
    path = written(home, rows.assign(paid_back=known_after, y=label).to_csv(index=False))
    draft, _, _ = landed(path, target="y")
    assert draft.left_out["paid_back"].startswith("it alone separates the target to 0.98")
    assert '# Left out: "paid_back" (it alone' in draft.path.read_text()
    assert "x" in draft.features


def test_what_names_single_rows_or_has_ended_is_no_feature(landed, home):
    rows = hours(2000).assign(
        customer=[f"customer {number % 1500}" for number in range(2000)],
        loan_id=np.arange(2000) % 1900 * 7,
        old=np.where(np.arange(2000) < 1500, 1.5 * np.arange(2000) % 7, np.nan),
        region=[f"region {number % 40}" for number in range(2000)],
    )
    draft, _, _ = landed(written(home, rows.to_csv(index=False)), target="y")
    assert draft.left_out["customer"] == "names single rows: 1,500 different values in 2,000 rows"
    assert draft.left_out["loan_id"] == "names single rows: 1,900 different values in 2,000 rows"
    assert draft.left_out["old"] == "no value since 2026-03-04"
    assert {"x", "region"} <= set(draft.features)


@pytest.mark.parametrize(
    ("freq", "window", "unit"), [("h", "7d", "1d"), ("D", "7d", "1d"), ("W", "112d", "28d"), ("MS", "112d", "28d")]
)
def test_the_monitor_looks_at_a_window_that_holds_rows(landed, home, freq, window, unit):
    rows = hours(900).assign(at=pd.date_range("1990-01-01", periods=900, freq=freq)).tail(400)
    _, model, _ = landed(written(home, rows.to_csv(index=False)), target="y")
    assert (model.monitoring.window, model.monitoring.unit) == (pd.Timedelta(window), pd.Timedelta(unit))


def test_a_column_of_numbers_with_words_is_told_as_such(landed, home):
    rows = hours(800).assign(id=range(800), speed=lambda rows: (1000 * rows["x"]).astype(str))
    bad = rows["speed"].where(rows["id"] % 30 > 0, "ERR")
    missing = ["n/a", "NULL", "-", "none", "missing", "unknown", "?"]
    known = rows["speed"].where(rows["id"] % 10 > 0, [missing[number % 7] for number in range(800)])
    path = written(home, rows.assign(bad=bad, known=known).to_csv(index=False))
    draft, _, read = landed(path, target="y")
    assert draft.left_out["bad"].startswith("mostly numbers, but 'ERR' in 27 of 800 rows; `NumberFormat")
    assert (draft.features["known"], read["known"].isna().sum()) == ("number", 80)


def test_years_and_weeks_in_two_columns_are_the_time(landed, home):
    weeks = pd.date_range("2016-01-04", periods=520, freq="7D")
    rows = hours(520).assign(year=weeks.isocalendar().year.to_numpy(), week=weeks.isocalendar().week.to_numpy())
    path = written(home, rows.drop(columns="at").to_csv(index=False))
    draft, _, read = landed(path, target="y")
    assert draft.parsing[draft.time] == TimeFormat(format="%G %V", columns=["year", "week"])
    assert read[draft.time].tolist() == weeks.tz_localize("UTC").tolist()


@pytest.mark.parametrize(("unit", "factor"), [("seconds", 1e9), ("milliseconds", 1e6), ("microseconds", 1e3)])
def test_times_counted_since_1970_are_read_in_their_unit(landed, home, unit, factor):
    rows = hours()
    path = written(
        home,
        rows.assign(at=(rows["at"].astype("datetime64[ns]").astype("int64") / factor).astype("int64"))
        .rename(columns={"at": "ts"})
        .to_csv(index=False),
    )
    draft, _, read = landed(path, target="y")
    assert draft.parsing["ts"] == TimeFormat(format=unit)
    assert read["ts"].tolist() == rows["at"].dt.tz_localize("UTC").tolist()


@pytest.mark.parametrize(
    ("name", "told_after", "label_time"), [("seen", "36h", None), ("outcome_known", "36h", "outcome_known")]
)
@pytest.mark.parametrize(("unit", "factor"), [("seconds", 10**9), ("milliseconds", 10**6)])
def test_numbers_that_are_times_beside_the_rows_own_are_read_as_such(
    landed, home, name, told_after, label_time, unit, factor
):
    table = hours()
    table["price"] = [Decimal(place).scaleb(-2) for place in range(len(table))]  # in a Parquet file it stays one
    told = (table["at"] + pd.Timedelta(told_after)).astype("datetime64[ns]").astype("int64") // factor
    table[name] = told.where(table.index % 7 > 0).astype("Int64") if label_time is None else told
    table.to_parquet(home / "table.parquet", index=False)
    draft, model, _ = landed(home / "table.parquet", target="y")
    assert (draft.label_time, name in model.features) == (label_time, False)
    assert label_time is not None or draft.left_out[name].startswith("a time")


def test_blocks_follow_the_steps_of_all_rows_not_of_the_sample(landed, home, monkeypatch):
    rows = hours(6000)
    whole = landed(written(home, rows.to_csv(index=False)), target="y")[0].rhythm
    sample = Table.sample
    monkeypatch.setattr(Table, "sample", lambda table: sample(table, 300))
    assert landed(written(home, rows.to_csv(index=False)), target="y")[0].rhythm.block == whole.block == "1d"
