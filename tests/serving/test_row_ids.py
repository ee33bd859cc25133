"""A row has one id: in the lake, in a scored file, and in the service, however its key is written."""

import duckdb
import orjson
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen import Call, Model, row_id
from evergreen.definition import row_ids
from evergreen.ingestion.schema import cast
from evergreen.training.batch_scoring import prepared
from serving.errors import RequestError
from serving.http import labels
from serving.requests import Reader
from serving.row_ids import KeyReader
from tests.serving.conftest import spec_of

WHOLE = st.integers(-(2**53), 2**53) | st.integers(0, 99)
KEYS = st.lists(st.tuples(WHOLE, WHOLE), min_size=1, max_size=5, unique=True)
COLUMNS = {  # how a source or a file of rows to score can hold whole numbers
    "whole": lambda values: pd.Series(values, dtype="int64"),
    "whole, may have gaps": lambda values: pd.Series(values, dtype="Int64"),
    "had gaps": lambda values: pd.Series([*values, None], dtype="float64").iloc[:-1],
    "text": lambda values: pd.Series(list(map(str, values)), dtype="str"),
    "objects": lambda values: pd.Series(values, dtype="object"),
}
SENT = {"whole": int, "had gaps": float}  # as JSON
FORM = st.sampled_from(list(COLUMNS))
KINDS = ("integer", "number", "category")
SMALL = Reader(spec_of())


@pytest.fixture(scope="module")
def connection():
    return duckdb.connect()


def model_of(key, features, extra):
    given = {"task": "regression", "time": "at", "target": "y", "source": Call(function=print), "estimator": print}
    return Model(name="toy", key=key, features={"x": "number"} | features, extra=extra, **given)


def stored(connection, model, rows):
    """The ids of rows as the lake's SQL makes them."""
    landed, problems = cast(rows, model)
    assert not problems
    connection.register("landed", landed)
    return [id_ for (id_,) in connection.sql(f"SELECT {row_id.sql(model.key)} FROM landed").fetchall()]


@pytest.mark.parametrize("kind", KINDS)
@given(keys=KEYS, landed=FORM, asked=FORM, sent=st.sampled_from(list(SENT)))
def test_whole_numbers_in_a_key_give_one_id_with_and_without_gaps(connection, kind, keys, landed, asked, sent):
    orders, stores = ([key[place] for key in keys] for place in (0, 1))
    model = model_of(["id", "store"], {"store": kind}, {})

    def rows(form):
        made = {"id": COLUMNS[form](orders), "store": COLUMNS[form](stores), "x": 0.5, "y": 1.0}
        return pd.DataFrame(made).assign(at=pd.Timestamp("2026-01-01", tz="UTC"))

    ids = stored(connection, model, rows(landed))
    assert row_ids.ids(model, prepared(model, rows(asked))) == ids
    spec = spec_of(features={"x": "number", "store": kind}, beside={"id": "category"}, key=["id", "store"])
    text = kind == "category"  # a feature that is text is sent as such
    parts = [(SENT[sent](order), str(store) if text else SENT[sent](store)) for order, store in keys]
    request = [{"id": order, "store": store, "x": 0.5} for order, store in parts]
    assert Reader(spec).read(records(*request)).ids == ids
    assert [KeyReader(spec).read({"id": order, "store": store}) for order, store in parts] == ids


@pytest.mark.parametrize("kind", KINDS)
@given(orders=st.lists(WHOLE, min_size=1, max_size=5, unique=True), form=FORM, whole=st.booleans())
def test_a_label_is_sent_by_the_number_that_the_key_is_as_well_as_by_the_id_that_the_service_answered(
    connection, kind, orders, form, whole
):
    model = model_of("order", {}, {"order": kind})
    rows = pd.DataFrame({"order": COLUMNS[form](orders), "x": 0.5, "y": 1.0})
    ids = stored(connection, model, rows.assign(at=pd.Timestamp("2026-01-01", tz="UTC")))
    spec = spec_of(beside={"order": kind}, key=["order"])
    sent = [{"id": order if whole else id_, "value": 1.0} for order, id_ in zip(orders, ids, strict=True)]
    assert labels.read(spec, orjson.dumps({"labels": sent}), 10)["ids"] == ids


def test_a_label_of_a_row_that_was_predicted_without_its_key_keeps_its_id():
    assert KeyReader(spec_of(beside={"order": "integer"}, key=["order"])).canonical("ab-1") == "ab-1"
    assert KeyReader(spec_of(beside={"id": "text"}, key=["id", "x"])).canonical("7|1.0") == "7|1.0"


@pytest.mark.parametrize("key", [["id"], ["id", "x"]])
@pytest.mark.parametrize("content", ["application/json", "text/csv"])
def test_an_empty_key_is_none_however_it_is_sent(key, content):
    spec = spec_of(features={"x": "number"}, beside={"id": "text"}, key=key)
    body = b"id,x\n,1.5\n" if content == "text/csv" else records({"id": "", "x": 1.5})
    with pytest.raises(RequestError, match="'id' is part of the key and may not be null or empty") as error:
        Reader(spec).read(body, content)
    assert (error.value.status, error.value.field) == (422, "id")


def test_a_key_of_features_and_the_time_gives_the_ids_that_the_lake_has():
    spec = spec_of(
        features={"store": "number", "x": "number"}, beside={"at": "datetime"}, key=["store", "at"], time="at"
    )
    sent = {"store": 7, "x": 1.5, "at": "2013-01-31T07:00:00.250+02:00"}
    ids = Reader(spec).read(records(sent)).ids
    landed = pd.DataFrame({"store": [7.0], "at": [pd.Timestamp(sent["at"]).tz_convert("UTC")]})
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("landed", landed)
        assert ids == [connection.sql(f"SELECT {row_id.sql(spec.key)} FROM landed").fetchall()[0][0]]


@pytest.mark.parametrize("bad", ["a\nb", "a\r", "\x00", "\x1b[2J", "\x7f", "\x85", "\u2028", "a" * 513])
def test_an_id_that_is_long_or_holds_what_one_line_cannot_is_refused(bad):
    sent = records({"x": 1, "z": 2, "id": "good"}, {"x": 1, "z": 2, "id": bad})
    with pytest.raises(RequestError, match=r"one line of text") as raised:
        SMALL.read(sent)
    assert (raised.value.status, raised.value.field) == (422, "id")
    assert len(raised.value.message) < 200
    assert not set("\n\r\x00\x1b\x7f\x85\u2028") & set(raised.value.message)


def test_an_id_may_be_any_other_text():
    names = ["a" * 512, "é\u00a0|\\ 'x\"", "日本", "🙂"]
    assert SMALL.read(records(*[{"x": 1, "z": 2, "id": name} for name in names])).ids == names


def records(*rows):
    return orjson.dumps({"dataframe_records": list(rows)})
