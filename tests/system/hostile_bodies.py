"""Bodies of requests as no writer would write them, drawn from good ones."""

import json

import orjson
from hypothesis import strategies as st

# A good row of each model, and a good label.
ONE = {
    "toy": {"x": 1.0, "z": 0.0},
    "sort": {"x": 1.0, "z": 0.0},
    "every": {"n": 1.5, "i": 2, "c": "a", "w": "some words", "b": True, "t": "2013-01-01T12:00:00"},
}
LABEL = {"toy": 1.5, "sort": True, "every": 2}

# JSON as text: what no writer of JSON would write is among it.
ODD = [
    *("NaN", "-Infinity", "1e999", "9" * 400, "18446744073709551616", "-9223372036854775809", "9007199254740993"),
    *('"\\ud800"', '"\\u0000"', '"\\udfff\\ud800"', '"' + "a" * 70_000 + '"', "[" * 1100, "[" * 900 + "]" * 900),
    *('"0001-01-01T00:00:00+14:00"', '"9999-12-31T23:59:59-14:00"', '"2013-W01-1"', '"NaT"', "-0.0", "5e-324", "1e308"),
    *("nul", "", "'a'", "01", "1_000", '"', "\\", "\x00"),
]
PLAIN = st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats() | st.text(max_size=5)
TEXT = st.sampled_from(ODD) | PLAIN.map(lambda text: json.dumps(text))
COLUMNS = sorted({name for row in ONE.values() for name in row} | {"id", "at", "side", "seen", "many", "y"})
KEYS = st.sampled_from([*COLUMNS, "columns", "data", "index", "value", "time", "labels", "a" * 6_000]) | st.text(
    max_size=3
)


def object_of(pairs):
    return "{" + ",".join(f"{orjson.dumps(name).decode()}:{value}" for name, value in pairs) + "}"


def array_of(values):
    return "[" + ",".join(values) + "]"


ANY = st.recursive(
    TEXT,
    lambda inner: (
        st.lists(inner, max_size=4).map(array_of) | st.lists(st.tuples(KEYS, inner), max_size=4).map(object_of)
    ),
    max_leaves=8,
)
FORMS = st.sampled_from(["dataframe_split", "dataframe_records", "instances", "inputs", "params"])


@st.composite
def mutated(draw, row):
    """A good row as pairs of name and JSON, of which some are another value, gone, twice, or of another name."""
    pairs = [(name, orjson.dumps(value).decode()) for name, value in row.items()]
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(pairs) - 1))
        pairs[place] = (draw(st.just(pairs[place][0]) | KEYS), draw(ANY))
    pairs += draw(st.lists(st.tuples(KEYS, ANY), max_size=1))
    return pairs[draw(st.sampled_from([0, 0, 0, 1])) :]


@st.composite
def asking(draw, row):
    """The body of an invocation, or what looks like one."""
    if draw(st.integers(0, 4)) == 0:
        return object_of(draw(st.lists(st.tuples(FORMS, ANY), max_size=2)))
    rows = draw(st.lists(mutated(row), min_size=1, max_size=3))
    form = draw(FORMS)
    if form == "dataframe_split":
        columns = array_of(orjson.dumps(name).decode() for name, _ in rows[0])
        data = array_of(array_of(value for _, value in row) for row in rows)
        return object_of([(form, object_of([("columns", columns), ("data", data)]))])
    return object_of([(form, array_of(map(object_of, rows)))])


FIELDS = st.text("ab,\"'\r\n;é\x00", max_size=4) | st.sampled_from(["1", "nan", "1_0", "1e999", "9" * 5_000, "true"])


@st.composite
def table_of(draw, row):
    """A CSV, or what looks like one."""
    header = draw(st.just(list(row)) | st.lists(st.sampled_from(COLUMNS) | FIELDS, max_size=8))
    lines = draw(st.lists(st.lists(FIELDS | st.just("1"), max_size=8) | st.just(["1"] * len(header)), max_size=4))
    return draw(st.sampled_from(["\n", "\r\n", "\r"])).join(map(",".join, [header, *lines]))


@st.composite
def labelling(draw, value):
    """The body of labels, or what looks like one."""
    good = {"id": draw(st.text(max_size=3)), "value": value, "time": "2013-01-02T00:00:00Z"}
    labels = draw(st.lists(mutated(good).map(object_of), min_size=1, max_size=3))
    return draw(st.sampled_from([labels[0], object_of([("labels", array_of(labels))])]) | ANY)
