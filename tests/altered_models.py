"""Stored models that an attacker has altered: one calls a function of his choice while it is built."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from mlflow.utils.yaml_utils import read_yaml, write_yaml

from evergreen.registry.model_store import ESTIMATOR

TOUCH = ("posix", "system")


def node(loader: str, module: str, name: str, **more: Any) -> dict[str, Any]:
    """A node of a skops file."""
    return {"__loader__": loader, "__module__": module, "__class__": name, **more}


def value(plain: Any) -> dict[str, Any]:
    """A plain value."""
    return node("JsonNode", "builtins", "str", content=json.dumps(plain), is_json=True)


def call(module: str, name: str, *arguments: Any) -> dict[str, Any]:
    """A call that is made when the file is built."""
    content = node("TupleNode", "builtins", "tuple", content=[value(argument) for argument in arguments])
    return node("ConstructorFromReduceNode", module, name, content=content)


def filled(module: str, name: str, **attributes: Any) -> dict[str, Any]:
    """An object whose attributes are set without its constructor."""
    text = node("TypeNode", "builtins", "str")
    kinds = node("ListNode", "builtins", "list", content=[text] * len(attributes))
    content = {name: value(plain) for name, plain in attributes.items()}
    return node(
        "ObjectNode", module, name, content=node("DictNode", "builtins", "dict", key_types=kinds, content=content)
    )


def with_part(estimator: bytes, part: dict[str, Any]) -> bytes:
    """A stored estimator with one more attribute, which is built with it."""
    with zipfile.ZipFile(io.BytesIO(estimator)) as before:
        files = {name: before.read(name) for name in before.namelist()}
    schema = json.loads(files["schema.json"])
    attributes = schema["content"]
    attributes["content"]["more_"] = part
    attributes["key_types"]["content"].append(node("TypeNode", "builtins", "str"))
    altered = io.BytesIO()
    with zipfile.ZipFile(altered, "w") as after:
        for name, content in files.items():
            after.writestr(name, json.dumps(schema) if name == "schema.json" else content)
    return altered.getvalue()


def with_text(estimator: bytes, old: str, new: str) -> bytes:
    """A stored estimator whose description has another text in its place."""
    altered = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(estimator)) as before, zipfile.ZipFile(altered, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            after.writestr(name, content.replace(old.encode(), new.encode()) if name == "schema.json" else content)
    return altered.getvalue()


def alter(folder: Path, marker: Path) -> None:
    """Alter a stored model: it makes a file when it is loaded, and says of itself that it may."""
    estimator = folder / ESTIMATOR
    estimator.write_bytes(with_part(estimator.read_bytes(), call(*TOUCH, f"touch {marker}")))
    _describe(folder, skops_trusted_types=[".".join(TOUCH)])


def alter_to_pickle(folder: Path, marker: Path) -> None:
    """Alter a stored model: it says of itself that it is a pickle, and is one that makes a file."""
    (folder / ESTIMATOR).write_bytes(f"cposix\nsystem\n(S'touch {marker}'\ntR.".encode())
    _describe(folder, serialization_format="pickle")


def _describe(folder: Path, **told: Any) -> None:
    description = read_yaml(str(folder), "MLmodel")
    description["flavors"]["sklearn"] |= told
    write_yaml(str(folder), "MLmodel", description, overwrite=True)
