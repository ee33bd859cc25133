"""The part of the OpenAPI document that describes the routes of each model."""

from collections.abc import Iterator
from typing import Any

from evergreen.definition.kinds.register import kind_of
from evergreen.definition.parsing import columns as parsing
from serving.inference.loaded_model import LoadedModel
from serving.model_cache import Spec


def with_model_paths(document: dict[str, Any], models: dict[str, LoadedModel]) -> dict[str, Any]:
    """The OpenAPI document with the paths of each model and an example of its input."""
    paths = {f"/models/{name}/invocations": _invocations(served) for name, served in models.items()}
    paths |= {f"/models/{name}/labels": _labels(served) for name, served in models.items()}
    return document | {"paths": document["paths"] | paths}


def _invocations(served: LoadedModel) -> dict[str, Any]:
    spec = served.spec
    parsers = parsing.loaded(spec.parsing)
    columns = {name: kind_of(kind).json_schema for name, kind in spec.features.items()}
    columns |= {name: kind_of(kind).kept_schema for name, kind in spec.beside.items()}
    columns |= {column: {} for name, parser in parsers.items() for column in parser.inputs(name)}  # as they are written
    row = {
        "type": "object",
        "properties": columns,
        "required": [name for name in spec.features if name not in parsers],
        "additionalProperties": False,
    }
    records = {"type": "array", "items": row, "minItems": 1}
    split = {
        "type": "object",
        "properties": {
            "columns": {"type": "array", "items": {"enum": list(columns)}},
            "data": {"type": "array", "items": {"type": "array"}, "minItems": 1},
        },
        "required": ["columns", "data"],
    }
    forms = {"dataframe_split": split, "dataframe_records": records, "instances": records, "inputs": records}
    one_of = [
        {"type": "object", "properties": {form: schema}, "required": [form], "additionalProperties": False}
        for form, schema in forms.items()
    ]
    example = {"dataframe_split": {"columns": list(spec.features), "data": _shown_rows(spec)}}
    content = {"application/json": {"schema": {"oneOf": one_of}, "example": example}}
    return _post(
        f"invoke_{spec.model}",
        f"Predict with {spec.model} (currently version {spec.number})",
        content,
        "predictions, ids, model, version; for a classifier also probabilities",
    )


def _shown_rows(spec: Spec) -> list[list[Any]]:
    """Two rows of the version's example, with a made-up value in each private column."""
    made_up = [kind_of(kind).json_example if name in spec.private else None for name, kind in spec.features.items()]
    return [
        [value if other is None else other for value, other in zip(row, made_up, strict=True)]
        for row in spec.example[:2]
    ]


def _labels(served: LoadedModel) -> dict[str, Any]:
    spec = served.spec
    forms = [_label(spec, properties, needed) for properties, needed in _identified(spec)]
    many = {
        "type": "object",
        "properties": {"labels": {"type": "array", "items": {"anyOf": forms}, "minItems": 1}},
        "required": ["labels"],
        "additionalProperties": False,
    }
    example = {
        "labels": [
            {"id": "the id of a prediction", "value": kind_of(spec.target).json_example, "time": "2026-01-31T12:00:00Z"}
        ]
    }
    content = {"application/json": {"schema": {"oneOf": [*forms, many]}, "example": example}}
    return _post(
        f"label_{spec.model}", f"Send labels for predictions of {spec.model}", content, "the number of labels accepted"
    )


def _label(spec: Spec, properties: dict[str, Any], needed: list[list[list[str]]]) -> dict[str, Any]:
    """A label whose row is identified by some columns; of each of `needed`, all columns of one of the lists are."""
    own = {"value": kind_of(spec.target).kept_schema, "time": {"type": ["string", "null"], "format": "date-time"}}
    always = [name for lists in needed if len(lists) == 1 for name in lists[0]]
    either = [{"anyOf": [{"required": names} for names in lists]} for lists in needed if len(lists) > 1]
    schema = {
        "type": "object",
        "properties": own | properties,
        "required": [*dict.fromkeys([*always, "value"])],
        "additionalProperties": False,
    }
    return schema | {"allOf": either} if either else schema


def _identified(spec: Spec) -> Iterator[tuple[dict[str, Any], list[list[list[str]]]]]:
    """What identifies the row of a label: the id of a prediction, or the columns of the key."""
    if spec.key != ["id"]:
        yield {"id": {"type": ["string", "integer"], "minLength": 1}}, [[["id"]]]
    if "id" not in spec.key or spec.key == ["id"]:
        kinds, parsers = spec.features | spec.beside, parsing.loaded(spec.parsing)
        read_from = {name: parsers[name].inputs(name) if name in parsers else [name] for name in spec.key}
        columns = {name: _of_key(kinds.get(name, "text")) for name in spec.key}
        columns |= {column: {} for name in spec.key if name in parsers for column in read_from[name]}
        needed = [[[name]] if names == [name] else [[name], names] for name, names in read_from.items()]
        yield columns, needed


def _of_key(kind: str) -> dict[str, Any]:
    """What a column of the key takes: nothing that is missing."""
    schema = kind_of(kind).kept_schema
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    return schema | {"type": [name for name in types if name != "null"], "minLength": 1}


def _post(name: str, summary: str, content: dict[str, Any], success: str) -> dict[str, Any]:
    descriptions = {
        "200": success,
        "400": "the body has no supported format",
        "401": "API keys are configured, and the request has no valid one",
        "403": "the API key is for other models, or the request comes from a web page of another host",
        "404": "no such model",
        "408": "the body did not arrive in time",
        "413": "the body is too large, or has too many rows",
        "415": "the content type is not supported",
        "422": "a row does not match the signature; `field` names the column",
        "429": "too many concurrent requests of one API key",
        "503": "overloaded, or the log cannot be written; send the request again later",
    }
    responses = {code: {"description": text} for code, text in descriptions.items()}
    body = {"required": True, "content": content}
    post = {"tags": ["models"], "operationId": name, "summary": summary, "requestBody": body, "responses": responses}
    return {"post": post}
