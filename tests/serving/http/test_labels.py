"""Labels by POST: their ids are those of the rows in the lake, however the key is sent."""

from types import SimpleNamespace

import orjson
import pytest
from jsonschema import Draft202012Validator

from evergreen import TimeFormat
from evergreen.definition.parsing.columns import stored
from serving.errors import RequestError
from serving.http import labels
from serving.http.openapi import with_model_paths
from serving.requests import Reader
from tests.serving.conftest import spec_of

SPEC = spec_of(
    features={"store": "number", "x": "number"},
    beside={"at": "datetime", "code": "text"},
    key=["store", "at", "code"],
    time="at",
    parsing=stored({"at": TimeFormat(format="%d/%m/%Y %H", columns=["Date", "Hour"])}),
)


def ids(spec, *sent):
    body = orjson.dumps({"labels": [{**label, "value": 1.5} for label in sent]})
    return labels.read(spec, body, 10)["ids"]


@pytest.mark.parametrize(
    "key",
    [
        {"store": 7, "at": "2013-01-31T07:00:00.250+02:00", "code": "a|b"},
        {"store": 7.0, "at": "2013-01-31", "code": 5},
        {"store": 7, "Date": "31/1/2013", "Hour": 7, "code": "a"},
    ],
)
def test_a_key_of_a_label_has_the_id_that_the_same_key_has_in_a_request(key):
    asked = Reader(SPEC).read(orjson.dumps({"dataframe_records": [{**key, "x": 1.5}]}))
    assert ids(SPEC, key) == asked.ids


def test_a_number_may_be_sent_as_text_and_a_key_may_be_called_id():
    assert ids(spec_of(beside={"n": "integer"}, key=["n"]), {"n": "7"}, {"n": 7}, {"id": "7"}) == ["7"] * 3
    assert ids(spec_of(features={"id": "number"}, beside={}, key=["id"]), {"id": 7}, {"id": "7.0"}) == ["7.0"] * 2
    assert ids(spec_of(), {"id": 7}, {"id": "7"}) == ["7", "7"]


def test_a_time_that_comes_twice_is_refused_with_the_reason():
    spec = spec_of(beside={"at": "datetime"}, key=["at"], time="at", timezone="Europe/Berlin")
    assert ids(spec, {"at": "2024-10-27T02:30:00+01:00"}) == ["2024-10-27 01:30:00+00"]
    with pytest.raises(RequestError, match="which comes twice in Europe/Berlin"):
        ids(spec, {"at": "2024-10-27T02:30:00"})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"at": "yesterday"}, "at"),
        ({"store": None}, "store"),
        ({"store": "seven"}, "store"),
        ({"store": True}, "store"),
        ({"code": ""}, "code"),
        ({"code": [1]}, "code"),
    ],
)
def test_what_is_no_value_of_a_key_column_is_refused_by_its_name(change, field):
    with pytest.raises(RequestError, match="which is no value of this column of the key") as error:
        ids(SPEC, {"store": 7, "at": "2013-01-31", "code": "a", **change})
    assert (error.value.status, error.value.field) == (422, field)


@pytest.mark.parametrize(
    ("sent", "fits"),
    [
        ({"id": "a", "value": 1.5}, True),
        ({"store": 7, "at": "2013-01-31T07:00:00", "code": "a", "value": 1.5}, True),
        ({"store": 7, "Date": "31/1/2013", "Hour": 7, "code": "a", "value": None, "time": "2013-02-01T00:00:00"}, True),
        ({"store": 7, "Date": "31/1/2013", "code": "a", "value": 1.5}, False),
        ({"store": 7, "at": "2013-01-31T07:00:00", "value": 1.5}, False),
        ({"store": 7, "at": "2013-01-31T07:00:00", "code": "", "value": 1.5}, False),
        ({"store": 7, "at": "2013-01-31T07:00:00", "code": "a", "id": "a", "value": 1.5}, False),
        ({"value": 1.5}, False),
    ],
)
@pytest.mark.parametrize("many", [False, True])
def test_the_document_takes_what_is_taken(sent, fits, many):
    paths = with_model_paths({"paths": {}}, {"toy": SimpleNamespace(spec=SPEC)})["paths"]
    schema = paths["/models/toy/labels"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    body = {"labels": [sent]} if many else sent
    assert Draft202012Validator(schema).is_valid(body) == fits
    try:
        taken = labels.read(SPEC, orjson.dumps(body), 10)["values"] == [sent["value"]]
    except RequestError:
        taken = False
    assert taken == fits
