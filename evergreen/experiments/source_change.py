"""What a variant changes in the model file, as a unified diff to apply with `git apply`."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from typing import TYPE_CHECKING, Any

from evergreen.definition import loader
from evergreen.errors import EvergreenError
from evergreen.experiments import changes
from evergreen.experiments.changes import ESTIMATOR, Change
from evergreen.experiments.variant import Variant

if TYPE_CHECKING:
    from evergreen.definition.model import Model


def diff(variant: Variant) -> str:
    """What to change in a model file; in words where a setting is made by code that is no plain value."""
    if variant.estimator is not None:
        return f"# In the model file, let `estimator` return:\n{variant.estimator!r}"
    before = variant.path.read_text(encoding="utf-8")
    after = before if variant.text is None else variant.text
    asked = changes.parse(variant.settings) if variant.settings else []
    left: list[str] = []
    for change in asked:
        edited = _edited(variant, after, change)
        after, left = edited or after, [*left, *([] if edited else [_in_words(change)])]
    name = f"models/{variant.path.name}"
    lines = unified_diff(before.splitlines(), after.splitlines(), f"a/{name}", f"b/{name}", lineterm="")
    return "\n".join([*lines, *left])


def _in_words(change: Change) -> str:
    return f"# In the model file, set {change.name} to {change.value!r}."


@dataclass(frozen=True)
class _Edit:
    """A piece of a text and what stands there instead."""

    start: int
    end: int
    text: str

    def of(self, source: str) -> str:
        return source[: self.start] + self.text + source[self.end :]


def _edited(variant: Variant, source: str, change: Change) -> str | None:
    """A model file's text with one setting changed; None unless the file then says just that."""
    if change.path[0] != ESTIMATOR and len(change.path) != 2:
        return None
    text = _Text(source)
    edits = text.in_estimator(change) if change.path[0] == ESTIMATOR else text.in_part(change)
    for edit in edits:
        edited = edit.of(source)
        if _says(variant, source, edited, change):
            return edited
    return None


def _says(variant: Variant, source: str, edited: str, change: Change) -> bool:
    """Whether a changed text defines what the change makes of the text."""
    try:
        wanted = changes.applied(loader.load_file(variant.path, source, variant.model), [change])
        got = loader.load_file(variant.path, edited, variant.model)
        if change.path[0] != ESTIMATOR:
            return bool(getattr(got, change.path[0]) == getattr(wanted, change.path[0]))
        return _params(got) == _params(wanted)
    except (EvergreenError, SyntaxError):
        return False


def _params(model: "Model") -> dict[str, str]:
    with loader.blaming(model):
        return {name: repr(value) for name, value in model.estimator().get_params(deep=True).items()}


class _Text:
    """The text of a model file, with the places of its parts."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line.encode()))
        self._tree = ast.parse(source)

    def in_part(self, change: Change) -> Iterator[_Edit]:
        """The edits that may set a setting of a part: its value, a new argument of the part, or a new part."""
        part, setting = change.path
        value = _literal(change.value)
        model = next((call for call in self._calls(self._tree) if _name(call.func) == "Model"), None)
        if model is None:
            return
        inner = next((word.value for word in model.keywords if word.arg == part), None)
        if isinstance(inner, ast.Call):
            yield from self._argument(inner, setting, value)

    def in_estimator(self, change: Change) -> Iterator[_Edit]:
        """The edits that may set a parameter of the estimator: each argument of that name, each call without it."""
        name = change.path[1].rpartition("__")[2]
        value = _literal(change.value)
        functions = [node for node in ast.walk(self._tree) if isinstance(node, ast.FunctionDef | ast.Lambda)]
        calls = [call for function in functions for call in self._calls(function)]
        for call in calls:
            if any(word.arg == name for word in call.keywords):
                yield from self._argument(call, name, value)
        for call in calls:
            if _name(call.func)[:1].isupper():
                yield from self._argument(call, name, value)

    def _argument(self, call: ast.Call, name: str, value: str) -> Iterator[_Edit]:
        given = next((word.value for word in call.keywords if word.arg == name), None)
        if given is not None:
            yield _Edit(*self._span(given), value)
        else:
            end = self._span(call)[1] - 1
            before = self._source[:end].rstrip()
            joint = "" if before.endswith("(") else " " if before.endswith(",") else ", "
            yield _Edit(len(before), end, f"{joint}{name}={value}")

    @staticmethod
    def _calls(tree: ast.AST) -> Iterator[ast.Call]:
        return (node for node in ast.walk(tree) if isinstance(node, ast.Call))

    def _span(self, node: Any) -> tuple[int, int]:
        return self._place(node.lineno, node.col_offset), self._place(node.end_lineno, node.end_col_offset)

    def _place(self, line: int, column: int) -> int:
        """The place of a line and a column in bytes, in characters."""
        return len(self._source.encode()[: self._starts[line - 1] + column].decode())


def _literal(value: Any) -> str:
    """A plain value as it is written in a file that prefers double quotes."""
    text = repr(value)
    return text.replace("'", '"') if isinstance(value, str) and '"' not in value else text


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
