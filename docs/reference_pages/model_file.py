"""The page of the model file, from the fields and docstrings of its parts."""

import inspect
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from datetime import timedelta
from typing import Any, get_args, get_origin

import griffe
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import evergreen
from docs.reference_pages.parts import WRITTEN, cell, plain
from evergreen.definition.kinds.register import KINDS

_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
# What a model file is made of, in the order of the page.
PARTS = (
    "Model",
    "Files",
    "Csv",
    "Sql",
    "Call",
    "Served",
    "TimeFormat",
    "NumberFormat",
    "TextFormat",
    "TimePart",
    "Training",
    "Search",
    "Gates",
    "Fairness",
    "Policy",
    "Monitoring",
    "Serving",
)


def model_file() -> str:
    """Every field of what a model file is made of."""
    lines = ["# The model file", "", WRITTEN]
    lines += [
        "A model file defines one object, `model = Model(...)`, of the parts below. `from evergreen import Model, ...` "
        "gives all of them. [Add a model](../how-to/add-a-model.md) explains them by example.",
        "",
        "A duration is text such as `30min`, `12h`, `7d` or `4w`, or a `timedelta`. The kinds of columns are "
        f"{', '.join(f'`{kind}`' for kind in KINDS)}. An unknown field is an error.",
        "",
    ]
    for name in PARTS:
        lines += _part(name, getattr(evergreen, name))
    lines += _expectations()
    return "\n".join(lines).rstrip() + "\n"


def _part(name: str, part: type[BaseModel]) -> list[str]:
    described = dict(_described(part))
    require_described(name, part)
    rows = [
        f"| {', '.join(f'`{field}`' for field in names)} | {cell(plain(meaning))} | {_each(part, names)} |"
        for names, meaning in _in_order(part, described)
    ]
    return [
        f"## {name}",
        "",
        _summary(part),
        "",
        "| field | meaning | type and default |",
        "| --- | --- | --- |",
        *rows,
        "",
    ]


def require_described(name: str, part: type) -> None:
    """Refuse a public class with a field that its docstring says nothing of."""
    fields = getattr(part, "model_fields", None) or (part.__dataclass_fields__ if is_dataclass(part) else {})
    described = {field for names, meaning in _described(part) if meaning.strip() for field in names}
    missing = [field for field in fields if field not in described and not field.startswith("_")]
    if missing:
        raise SystemExit(f"evergreen.{name} describes no {missing}: add them to the Attributes of its docstring.")


def _in_order(part: type[BaseModel], described: dict[tuple[str, ...], str]) -> Iterator[tuple[list[str], str]]:
    place = {field: number for number, field in enumerate(part.model_fields)}
    for names, meaning in sorted(
        described.items(), key=lambda item: min((place.get(name, 99) for name in item[0]), default=99)
    ):
        known = [name for name in names if name in place]
        if known:
            yield known, meaning


def _described(part: type) -> Iterator[tuple[tuple[str, ...], str]]:
    """The attributes that a class and its bases describe, as they stand together."""
    for of in reversed([base for base in part.__mro__ if base not in (object, BaseModel)]):
        for section in _docstring(of):
            if section.kind is griffe.DocstringSectionKind.attributes:
                for attribute in section.value:
                    names = tuple(name.strip() for name in attribute.name.split(","))
                    yield names, attribute.description or ""


def _docstring(of: Any) -> list[Any]:
    return griffe.Docstring(inspect.cleandoc(of.__dict__.get("__doc__") or ""), lineno=1).parse("numpy", warnings=False)


def _summary(of: Any) -> str:
    text = next((section.value for section in _docstring(of) if section.kind is griffe.DocstringSectionKind.text), "")
    return plain("\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n")))


def _each(part: type[BaseModel], names: list[str]) -> str:
    """The type and the default of fields, once if they share them."""
    texts = [f"{_kind_of(part.model_fields[name])}; {_default_of(part.model_fields[name])}" for name in names]
    if len(set(texts)) == 1:
        return texts[0]
    return "<br>".join(f"`{name}`: {text}" for name, text in zip(names, texts, strict=True))


def _kind_of(field: FieldInfo) -> str:
    limits = {name: getattr(rule, name) for rule in field.metadata for name in _BOUNDS if hasattr(rule, name)}
    bounds = [f"{_BOUNDS[name]} {value}" for name, value in limits.items() if not isinstance(value, timedelta)]
    return cell(", ".join([_kind(field.annotation), *bounds]))


def _kind(annotation: Any) -> str:
    origin = get_origin(annotation)
    if annotation == get_args(evergreen.Model.model_fields["features"].annotation)[1]:
        return "a kind"
    if origin is typing.Annotated:
        return _kind(get_args(annotation)[0])
    if origin is typing.Literal:
        return " or ".join(f'`"{value}"`' for value in get_args(annotation))
    if origin in (typing.Union, types.UnionType):
        return " or ".join("None" if member is types.NoneType else _kind(member) for member in get_args(annotation))
    if origin is list:
        return f"list of {_kind(get_args(annotation)[0])}"
    if origin is dict:
        return f"dict of {_kind(get_args(annotation)[0])} to {_kind(get_args(annotation)[1])}"
    if origin is not None or annotation in (Callable, typing.Callable):
        return "function"
    names = {"str": "text", "bool": "true or false", "int": "whole number", "float": "number", "timedelta": "duration"}
    name = getattr(annotation, "__name__", str(annotation))
    return names.get(name, "time" if name == "datetime" else f"`{name}`")


def _default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True) if field.default_factory else field.default
    if value is PydanticUndefined or value is None:
        return "default None"
    if isinstance(value, timedelta):
        return f"default `{_duration(value)}`"
    return f"default `{type(value).__name__}()`" if isinstance(value, BaseModel) else f"default `{value!r}`"


def _duration(value: timedelta) -> str:
    for seconds, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if not value.total_seconds() % seconds:
            return f"{value.total_seconds() / seconds:.0f}{unit}"
    return f"{value.total_seconds():g}s"


def _expectations() -> list[str]:
    return [
        "## expect",
        "",
        f"`expect{inspect.signature(evergreen.expect)}`".replace('"', ""),
        "",
        _summary_of(evergreen.expect),
        "",
    ]


def _summary_of(function: Any) -> str:
    return plain(
        "\n\n".join(
            " ".join(paragraph.split())
            for paragraph in inspect.cleandoc(function.__doc__).split("\n\nParameters")[0].split("\n\n")
        )
    )
