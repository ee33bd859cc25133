"""The wire: every form gives the same rows, and what does not fit is told by its column."""

import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen import NumberFormat, TimeFormat, TimePart
from evergreen.definition.parsing.columns import stored
from serving.errors import RequestError
from serving.requests import Reader
from tests.serving.conftest import EXAMPLE, spec_of

EVERY = spec_of(
    features={"n": "number", "i": "integer", "c": "category", "b": "boolean", "t": "datetime"},
    beside={"id": "text", "side": "category", "note": "text"},
)
GOOD = {"n": 1.5, "i": 2, "c": "a", "b": True, "t": "2013-01-01T12:00:00"}
READER, SMALL = Reader(EVERY, 3), Reader(spec_of())


def records(*rows):
    return orjson.dumps({"dataframe_records": list(rows)})


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": ["x", "z"], "data": EXAMPLE}},
        {"dataframe_split": {"columns": ["x", "z"], "index": [7, 8], "data": EXAMPLE}},
        {"dataframe_split": {"columns": ["z", "x"], "data": [row[::-1] for row in EXAMPLE]}},
        {"dataframe_records": [{"x": x, "z": z} for x, z in EXAMPLE]},
        {"dataframe_records": [{"x": EXAMPLE[0][0], "z": EXAMPLE[0][1]}, {"z": EXAMPLE[1][1], "x": EXAMPLE[1][0]}]},
        {"instances": [{"x": x, "z": z} for x, z in EXAMPLE]},
        {"inputs": [{"x": x, "z": z} for x, z in EXAMPLE]},
        {"inputs": {"x": [1.0, 0.5], "z": [2.0, -1.0]}},
        {"inputs": {"x": [1.0, 0.5], "z": [2.0, -1.0]}, "params": {}},
    ],
)
def test_every_form_of_mlflow_gives_the_same_rows(body):
    assert SMALL.read(orjson.dumps(body)).rows == EXAMPLE


def test_csv_gives_the_same_rows_and_an_empty_field_is_missing():
    assert SMALL.read(b"z,x\n2,1\n-1,0.5\n", "text/csv; charset=utf-8").rows == EXAMPLE
    assert SMALL.read(b"x,z\n,1\n", "text/csv").rows == [[None, 1.0]]


def test_one_row_by_inputs_of_plain_values():
    assert SMALL.read(orjson.dumps({"inputs": {"x": 1.0, "z": 2.0}})).rows == [EXAMPLE[0]]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"n": "1.5"}, "n"),
        ({"n": True}, "n"),
        ({"n": 10**400}, None),  # no JSON number of any use: orjson itself refuses it
        ({"i": 7.5}, "i"),
        ({"i": None}, "i"),
        ({"i": 2**63}, "i"),
        ({"i": True}, "i"),
        ({"c": 5}, "c"),
        ({"c": ["a"]}, "c"),
        ({"b": 1}, "b"),
        ({"t": "yesterday"}, "t"),
        ({"t": 5}, "t"),
        ({"m": 1}, "m"),
        ({"side": 1.5}, "side"),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_its_column(changes, field):
    row = GOOD | changes
    body = (
        b'{"dataframe_records": ['
        + str(row).replace("'", '"').replace("True", "true").replace("None", "null").encode()
        + b"]}"
    )
    with pytest.raises(RequestError) as raised:
        READER.read(body)
    assert raised.value.field == field
    assert raised.value.status == (422 if field else 400)
    assert field is None or repr(field) in raised.value.message


@pytest.mark.parametrize("whole", [2, 2.0, -0.0, 2**53])
def test_a_whole_number_may_be_written_with_a_point(whole):
    assert READER.read(records(GOOD | {"i": whole})).rows[0][1] == int(whole)


@pytest.mark.parametrize("missing", ["n", "c", "b", "t"])
def test_null_is_missing_where_the_kind_has_a_word_for_it(missing):
    row = READER.read(records(GOOD | {missing: None})).rows[0]
    assert row[list(GOOD).index(missing)] is None


def test_a_missing_column_is_told_and_a_near_one_is_proposed():
    row = {("nn" if name == "n" else name): value for name, value in GOOD.items()}
    with pytest.raises(RequestError, match=r"'n' \(number\) is missing; did you mean 'nn', which was sent"):
        READER.read(records(row))


UNREAD = b'"%s' % (b"a" * 200_000)  # longer than csv takes for a field, so an error where it is read


@pytest.mark.parametrize(
    ("body", "content"),
    [
        (b'{"dataframe_split": {"columns": ["x", "z"], "data": [[1, 2], [1, 2], [1, 2], 5]}}', "application/json"),
        (b'{"instances": [{"x": 1, "z": 2}, {"x": 1, "z": 2}, {"x": 1, "z": 2}, {"x": 1}]}', "application/json"),
        (b'{"inputs": {"x": [1, 1, 1, 1], "z": [2]}}', "application/json"),
        (b"x,z\n" + b"1,2\n" * 7 + UNREAD, "text/csv"),
        (b"x,z\n" + b"\n" * 7 + UNREAD, "text/csv"),
    ],
)
def test_too_many_rows_are_refused_before_they_are_made(body, content):
    with pytest.raises(RequestError, match="More than 3 rows") as raised:
        Reader(spec_of(), 3).read(body, content)
    assert raised.value.status == 413


@pytest.mark.parametrize("line", [b"1,2,3", b"1"])
def test_a_line_of_a_csv_has_as_many_fields_as_the_header(line):
    with pytest.raises(RequestError, match=r"Row 0 is \d values"):
        SMALL.read(b"x,z\n" + line, "text/csv")


def test_blank_lines_of_a_csv_are_no_rows():
    assert Reader(spec_of(), 3).read(b"x,z\n1,2\n\n0.5,-1\n\n\n", "text/csv").rows == EXAMPLE


NAMES = [f"column {number}" for number in range(20_000)]


@pytest.mark.parametrize(
    ("body", "content"),
    [
        (orjson.dumps({"dataframe_split": {"columns": NAMES, "data": [[0] * len(NAMES)]}}), "application/json"),
        (orjson.dumps({"dataframe_split": {"columns": ["x"] * len(NAMES), "data": [[0]]}}), "application/json"),
        (orjson.dumps({"instances": [dict.fromkeys(NAMES, 0)]}), "application/json"),
        (orjson.dumps({"inputs": dict.fromkeys(NAMES, 0)}), "application/json"),
        (",".join(NAMES).encode(), "text/csv"),
    ],
)
def test_far_more_columns_than_there_are_are_refused_at_once(body, content):
    began = time.process_time()
    with pytest.raises(RequestError, match="20,000 columns; toy has 5") as raised:
        SMALL.read(body, content)
    assert raised.value.status == 422
    assert time.process_time() - began < 0.5, "and not after each was compared with each"


def test_a_near_column_is_sought_among_the_first_that_are_unknown_only(monkeypatch):
    sought = []
    close_matches = "serving.requests.difflib.get_close_matches"
    monkeypatch.setattr(close_matches, lambda _, among, **__: sought.extend(among) or [])
    with pytest.raises(RequestError, match="is missing"):
        SMALL.read(records(dict.fromkeys(NAMES[:90], 0)))
    assert sought == NAMES[:20]


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b"[" * 100_000, 400, "not JSON"),
        (b'{"dataframe_records": [{"x": NaN, "z": 1}]}', 400, "not JSON"),
        (b'\xff{"a": 1}', 400, "not JSON"),
        (b"[]", 400, "a list"),
        (b"{}", 400, "exactly one"),
        (b'{"dataframe_records": [], "instances": []}', 400, "exactly one"),
        (b'{"dataframe_records": [], "more": 1}', 400, "exactly one"),
        (b'{"dataframe_split": {"columns": ["x"]}}', 400, "'data'"),
        (b'{"dataframe_split": {"columns": [1], "data": [[1]]}}', 400, "text"),
        (b'{"dataframe_records": [1]}', 400, "list of objects"),
        (b'{"dataframe_records": []}', 422, "no row"),
        (b'{"dataframe_split": {"columns": ["x", "z"], "data": []}}', 422, "no row"),
        (b'{"dataframe_split": {"columns": ["x", "z"], "data": [[1]]}}', 422, "Row 0 is 1 values"),
        (b'{"dataframe_split": {"columns": ["x", "z"], "data": [5]}}', 422, "Row 0 is 5"),
        (b'{"dataframe_split": {"columns": ["x", "z", "x"], "data": [[1, 2, 3]]}}', 422, "more than once"),
        (b'{"dataframe_records": [{"x": 1, "z": 2}, {"x": 1}]}', 422, "Not every row"),
        (b'{"dataframe_records": [{"x": 1, "z": 2}, {"x": 1, "z": 2, "side": "a"}]}', 422, "Row 1 has"),
        (b'{"inputs": {"x": [1, 2], "z": [1]}}', 422, "differ in length"),
        (b'{"inputs": [{"x": 1, "z": 2}], "params": {"a": 1}}', 422, "params"),
    ],
)
def test_a_body_of_no_known_form_is_told_so(body, status, told):
    with pytest.raises(RequestError) as raised:
        SMALL.read(body)
    assert (raised.value.status, told in raised.value.message) == (status, True), raised.value.message


DEEP = b"[" * 1010 + b"]" * 1010  # orjson reads 1,024 levels, repr goes 1,000


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"instances": [{"x": %s, "z": 1}]}' % DEEP, "'x' of row 0 is a list"),
        (b'{"instances": [{"x": {"a": %s}, "z": 1}]}' % DEEP, "'x' of row 0 is an object"),
        (b'{"instances": [{"x": 1, "z": 1, "side": %s}]}' % DEEP, "'side' of row 0 is a list"),
        (b'{"dataframe_split": {"columns": ["x", "z"], "data": [{"a": %s}]}}' % DEEP, "Row 0 is an object"),
        (b'{"instances": [{"x": "%s", "z": 1}]}' % (b"a" * 10_000), f"is '{'a' * 56}...;"),
    ],
)
def test_a_value_is_shown_in_short_however_deep_or_long_it_is(body, told):
    with pytest.raises(RequestError) as raised:
        SMALL.read(body)
    assert (raised.value.status, told in raised.value.message) == (422, True), raised.value.message


def test_an_error_is_no_echo_of_a_name_of_megabytes():
    with pytest.raises(RequestError) as raised:
        SMALL.read(records({"x": 1, "z": 1, "a" * 1_000_000: 1}))
    assert len(orjson.dumps(raised.value.body())) < 3_000


def test_too_many_rows_and_other_types_are_refused():
    with pytest.raises(RequestError, match="More than 3 rows in one request") as raised:
        READER.read(records(GOOD, GOOD, GOOD, GOOD))
    assert raised.value.status == 413
    for content in ("text/html", "application/json; charset=latin-1"):
        with pytest.raises(RequestError) as raised:
            SMALL.read(b"{}", content)
        assert raised.value.status == 415


def test_the_key_is_the_id_and_what_else_is_sent_is_kept_beside():
    asked = SMALL.read(records({"x": 1, "z": 2, "id": "a", "at": "2013-01-01", "side": None}))
    assert (asked.ids, asked.beside) == (["a"], {"id": ["a"], "at": ["2013-01-01"], "side": [None]})
    assert SMALL.read(records({"x": 1, "z": 2})).ids is None
    with pytest.raises(RequestError, match="part of the key"):
        SMALL.read(records({"x": 1, "z": 2, "id": None}))


def test_a_key_of_several_columns_is_joined():
    reader = Reader(spec_of(beside={"id": "text", "leg": "integer"}, key=["id", "leg"]))
    assert reader.read(records({"x": 1, "z": 2, "id": "a", "leg": 3})).ids == ["a|3"]
    assert reader.read(records({"x": 1, "z": 2, "id": "a"})).ids is None


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*GOOD, "id", "columns", "data"]) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
BODIES = st.dictionaries(
    st.sampled_from(["dataframe_split", "dataframe_records", "instances", "inputs", "params", "x"]), JSON, max_size=2
)
ROWS = st.lists(
    st.fixed_dictionaries({name: JSON | st.just(value) for name, value in GOOD.items()}), min_size=1, max_size=3
)


@given(BODIES.map(orjson.dumps) | ROWS.map(lambda rows: records(*rows)) | st.binary(max_size=40))
def test_whatever_comes_gives_rows_of_the_kinds_or_a_told_error(body):
    try:
        asked = READER.read(body)
    except RequestError as error:
        refusal = orjson.loads(orjson.dumps(error.body())) | {"status": error.status}
    else:
        refusal, types = {}, {"n": (int, float), "i": int, "c": str, "b": bool, "t": str}
        for row in asked.rows:
            for name, value in zip(GOOD, row, strict=True):
                assert (value is None and name != "i") or isinstance(value, types[name])
    assert refusal.get("status", 400) in (400, 413, 422)


PARSED = spec_of(
    features={"x": "number", "hour": "number", "price": "number"},
    beside={"id": "text", "at": "datetime"},
    parsing=stored(
        {
            "at": TimeFormat(format="%d/%m/%Y %H", columns=["Date", "Hour"]),
            "hour": TimePart(part="hour", column="at"),
            "price": NumberFormat(remove="$", thousands=","),
        }
    ),
)


@pytest.mark.parametrize(
    ("sent", "rows"),
    [
        ({"x": 1.5, "Date": "31/1/2013", "Hour": 7, "price": "$1,000.5"}, [1.5, 7, 1000.5]),
        ({"Hour": 7, "x": 1.5, "price": 3, "Date": "31/1/2013"}, [1.5, 7, 3]),
        ({"x": 1.5, "at": "2013-01-31T07:00:00", "price": 3}, [1.5, 7, 3]),
        ({"x": 1.5, "hour": 9, "price": None}, [1.5, 9, None]),
    ],
)
def test_columns_are_read_as_the_model_file_says(sent, rows):
    request = Reader(PARSED).read(records(sent))
    assert request.rows == [rows]
    assert request.beside.get("at") in (None, ["2013-01-31T07:00:00"])


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("99,999,999,999,999,999,999,999", 1e23),
        ("9,007,199,254,740,993.5", 2.0**53 + 2),
        ("-18,446,744,073,709,551,617", -(2.0**64)),
    ],
)
def test_a_number_with_more_digits_than_a_float_has_is_a_float_as_in_a_batch(text, number):
    (row,) = Reader(PARSED).read(records({"x": 1.5, "hour": 7, "price": text})).rows
    assert (row, type(row[2])) == ([1.5, 7, number], float)


@pytest.mark.parametrize("text", ["9,007,199,254,740,993", "99,999,999,999,999,999,999,999.5"])
def test_a_key_that_no_float_holds_is_refused_as_in_a_batch(text):
    spec = spec_of(
        features={"x": "number"}, beside={"n": "number"}, key=["n"], parsing=stored({"n": NumberFormat(thousands=",")})
    )
    assert Reader(spec).read(records({"x": 1.5, "n": "9,007,199,254,740,992"})).ids == ["9007199254740992.0"]
    with pytest.raises(RequestError, match="cannot be read"):
        Reader(spec).read(records({"x": 1.5, "n": text}))


def test_csv_is_read_as_the_model_file_says():
    request = Reader(PARSED).read(b'x,Date,Hour,price\n1.5,31/1/2013,07,"$1,000.5"\n', "text/csv")
    assert request.rows == [[1.5, 7, 1000.5]]


@pytest.mark.parametrize(
    ("sent", "field", "said"),
    [
        ({"x": 1.5, "Date": "1/31/2013", "Hour": 7, "price": 3}, "Date", "'at' of row 0 cannot be read"),
        ({"x": 1.5, "Date": "31/1/2013", "Hour": 7, "price": "dear"}, "price", "cannot be read from 'dear'"),
        ({"x": 1.5, "Date": "31/1/2013", "Hour": 7, "price": "inf"}, "price", "cannot be read from 'inf'"),
        ({"x": 1.5, "Date": "31/1/2013", "Hour": 7, "price": "nan"}, "price", "cannot be read from 'nan'"),
        ({"x": 1.5, "Date": "31/1/2013", "price": 3}, "at", "'hour' is read from 'at', which is missing"),
        ({"x": 1.5, "Date": "31/1/2013", "Hour": [7], "price": 3}, "Date", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_told_by_its_column(sent, field, said):
    with pytest.raises(RequestError, match=said) as error:
        Reader(PARSED).read(records(sent))
    assert (error.value.status, error.value.field) == (422, field)


@pytest.mark.parametrize(
    ("columns", "status"), [(["x", "Date", "Hour", "price", "x"], 422), (["x", "Date", "Hour", "price", []], 400)]
)
def test_columns_that_are_none_or_come_twice_are_refused_where_columns_are_read(columns, status):
    body = orjson.dumps({"dataframe_split": {"columns": columns, "data": [[1.5, "31/1/2013", 7, 3, 2.5]]}})
    with pytest.raises(RequestError) as error:
        Reader(PARSED).read(body)
    assert error.value.status == status


BERLIN = Reader(spec_of(features={"t": "datetime"}, beside={"at": "datetime"}, timezone="Europe/Berlin"))


@pytest.mark.parametrize("column", ["t", "at"])
@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ("2024-10-27T02:30:00", "comes twice in Europe/Berlin"),
        ("2024-03-31T02:30:00", "does not exist in Europe/Berlin"),
    ],
)
def test_a_time_that_does_not_exist_once_is_refused(column, sent, says):
    with pytest.raises(RequestError, match=says) as refused:
        BERLIN.read(records({"t": "2024-01-01T00:00:00", column: sent}))
    assert refused.value.field == column
    for offset in ("Z", "+01:00"):
        assert BERLIN.read(records({"t": sent + offset})).rows == [[sent + offset]]


def test_times_with_a_zone_beside_others_without_are_refused():
    one, other = "2024-01-01T00:00:00", "2024-01-01T00:00:00Z"
    assert len(BERLIN.read(records({"t": one}, {"t": one})).rows) == 2
    with pytest.raises(RequestError, match="a time zone in some rows"):
        BERLIN.read(records({"t": one}, {"t": other}))
