"""Two pages for a person with a browser: what is served, and how it is asked. They need no other host and no script."""

import json
import shlex
from collections.abc import Iterator
from typing import Any

from fastapi.responses import HTMLResponse

from serving.inference.loaded_model import Canary, LoadedModel

_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def home(served: dict[str, LoadedModel], canaries: dict[str, Canary], problem: str) -> HTMLResponse:
    """The page at `/`.

    Parameters
    ----------
    served : dict of str to LoadedModel
        The models that the caller may use.
    canaries : dict of str to Canary
    problem : str
        Why not every model answers; empty if all do.
    """
    models = [
        {
            "name": name,
            "task": model.spec.task,
            "version": model.spec.number,
            "canary": {"version": canaries[name].served.spec.number, "share": canaries[name].share}
            if name in canaries
            else None,
        }
        for name, model in sorted(served.items())
    ]
    return _page("service", models=models, problem=problem)


def reference(document: dict[str, Any], served: dict[str, LoadedModel], address: str) -> HTMLResponse:
    """The page at `/docs`.

    Parameters
    ----------
    document : dict
        The OpenAPI document for the caller.
    served : dict of str to LoadedModel
        The models that the caller may use.
    address : str
        The address that the caller used, for the examples.
    """
    return _page(
        "service_docs", routes=sorted(_routes(document, served, address), key=lambda route: not route["example"])
    )


def _routes(document: dict[str, Any], served: dict[str, LoadedModel], address: str) -> Iterator[dict[str, Any]]:
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            name = path.split("/")[2] if path.endswith("/invocations") else ""
            yield {
                "verb": verb.upper(),
                "path": path,
                "summary": operation.get("summary", ""),
                "description": operation.get("description", ""),
                "example": _curl(address + path, content["example"]) if content else "",
                "columns": _columns(served[name], content["schema"]) if name in served else [],
                "answers": [(code, answer["description"]) for code, answer in operation["responses"].items()],
            }


def _columns(served: LoadedModel, schema: dict[str, Any]) -> list[dict[str, Any]]:
    """What a row may hold: of a column that is read from text, as it is written."""
    kinds = served.spec.features | served.spec.beside
    row = schema["oneOf"][1]["properties"]["dataframe_records"]["items"]
    return [
        {"name": name, "kind": kinds.get(name, "as it is written"), "needed": name in row["required"]}
        for name in row["properties"]
    ]


def _curl(url: str, example: Any) -> str:
    body = shlex.quote(json.dumps(example, ensure_ascii=False))
    return f"curl {shlex.quote(url)} -H 'content-type: application/json' -d {body}"


def _page(template: str, **values: Any) -> HTMLResponse:
    from evergreen.reports.html import render  # once somebody looks: it loads what makes pages

    return HTMLResponse(render(template, **values), headers=_HEADERS)
