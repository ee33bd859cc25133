"""Why an estimator cannot be stored without pickle, and what to write about it."""

from typing import TYPE_CHECKING, Any

from evergreen.definition.code.source_files import PREFIX, displayed
from evergreen.errors import TrainingError
from evergreen.registry import skops_nodes

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_DEEPEST = 8  # attributes of attributes that are looked at for what cannot be stored


def dumped(model: "Model", estimator: Any) -> bytes:
    """An estimator in the format of skops.

    Raises
    ------
    TrainingError
        A part of it has no such form; the message names the attribute.
    """
    import skops.io

    skops_nodes.register()
    try:
        stored: bytes = skops.io.dumps(estimator)
    except Exception as error:
        where, part = culprit(estimator)
        raise TrainingError(
            f"{model.name}: the estimator cannot be stored without pickle: {where} is a {_type_name(type(part))}, "
            f"which skops cannot store ({error}). Keep numbers, text, lists, dicts, arrays or frames in its place."
        ) from error
    return stored


def require(model: "Model", estimator: Any, stored: bytes, types: list[str]) -> None:
    """Require that all types of a stored estimator are trusted.

    Raises
    ------
    TrainingError
        Some are not; the message holds the line to write.
    """
    import skops.io

    missing = sorted(set(skops.io.get_untrusted_types(data=stored)) - set(types))
    nameless = [name for name in missing if name.startswith(PREFIX) or "<" in name]
    if nameless:
        shown = ", ".join(_shown(name, estimator) for name in nameless)
        raise TrainingError(
            f"{model.name}: the estimator cannot be stored without pickle: {shown} cannot be found by its name when "
            "the model is loaded. Write it as a `def` or a `class` at the top level of the model file, or of a module "
            "in `lib/` beside it."
        )
    if missing:
        raise TrainingError(
            f"{model.name}: the estimator cannot be stored without pickle: it holds {', '.join(missing)}. If you trust "
            f"the packages that these come from, name them in `trusted` of the model file: trusted={missing!r}."
        )


def culprit(thing: Any, name: str = "it", depth: int = 0) -> tuple[str, Any]:
    """The innermost attribute that skops cannot store, and its name from the outside."""
    for inner, part in _parts(thing) if depth < _DEEPEST else ():
        if not _storable(part):
            return culprit(part, f"{'' if depth == 0 else name}{inner}".lstrip("."), depth + 1)
    return name, thing


def _parts(thing: Any) -> list[tuple[str, Any]]:
    if isinstance(thing, dict):
        return [(f"[{key!r}]", value) for key, value in thing.items()]
    if isinstance(thing, list | tuple):
        return [(f"[{place}]", value) for place, value in enumerate(thing)]
    home = type(thing).__module__.split(".")[0]
    return [(f".{name}", value) for name, value in getattr(thing, "__dict__", {}).items()] if home != "pandas" else []


def _storable(part: Any) -> bool:
    import skops.io

    try:
        skops.io.dumps(part)
    except Exception:
        return False
    return True


def _type_name(kind: type) -> str:
    module = displayed(kind.__module__)
    return kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"


def _shown(name: str, estimator: Any) -> str:
    module, _, member = name.rpartition(".")
    if member != "<lambda>":
        return f"`{member}` of {displayed(module)}"
    lines = [
        value.__code__.co_firstlineno
        for value in estimator.get_params().values()
        if getattr(value, "__name__", "") == "<lambda>" and value.__module__ == module
    ]
    return f"the lambda of {displayed(module)}" + (f", line {lines[0]}," if lines else "")
