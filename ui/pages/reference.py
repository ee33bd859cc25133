"""The reference of the API as a page, made of its OpenAPI document; it needs no network."""

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response

from ui.site import Site


def router(site: Site, api: FastAPI) -> APIRouter:
    """The route of this page."""
    routes = APIRouter()

    @routes.get("/api")
    def reference(request: Request) -> Response:
        document = api.openapi()
        schemas = document["components"]["schemas"]
        operations = list(_operations(document))
        return site.page(request, "api", operations=operations, schemas=schemas, kind=_kind, about=document["info"])

    return routes


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            content = operation["responses"]["200"]["content"]["application/json"]["schema"]
            refused = [(code, told["description"]) for code, told in operation["responses"].items() if code != "200"]
            yield {
                "verb": verb.upper(),
                "path": path,
                "summary": operation.get("description") or operation.get("summary", ""),
                "parameters": operation.get("parameters", []),
                "answer": _kind(content),
                "refusals": refused,
            }


def _kind(schema: dict[str, Any]) -> str:
    """The kind of a value in words, such as `list of Act` or `text or null`.

    Examples
    --------
    >>> _kind({"anyOf": [{"type": "string"}, {"type": "null"}]})
    'text or null'
    """
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(map(_kind, schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(repr(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    words = {"string": "text", "integer": "whole number", "boolean": "true or false"}
    kind = schema.get("type", "anything")
    return "time" if schema.get("format") == "date-time" else words.get(kind, kind)
