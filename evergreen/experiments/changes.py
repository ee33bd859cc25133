"""Changes of single settings of a model, as `evergreen try --set` takes them: ``training.window=56d``."""

import ast
import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from evergreen.definition.loader import blaming
from evergreen.errors import ExperimentError

if TYPE_CHECKING:
    from evergreen.definition.model import Model

ESTIMATOR = "estimator"
# What a change of makes another model of it, or other rows.
_FIXED = (
    *("name", "task", "source", "key", "time", "timezone", "target", "target_kind", "label_time", "parsing"),
    *("contract", "gates", "metric", "slices", "monitoring", "policy", "serving", "purpose", "owner", "trusted"),
)
_NEXT = r",(?=\s*(?:[a-z_]+\.|seed\s*=|label_delay\s*=))"  # a comma before a further change
_WORDS = {"none": None, "null": None, "true": True, "false": False}


@dataclass(frozen=True)
class Change:
    """One setting and its value.

    Attributes
    ----------
    path : tuple of str
        Such as ``("training", "window")``, or ``("estimator", "max_iter")``.
    value : Any
        A plain value; a duration is text.
    """

    path: tuple[str, ...]
    value: Any

    @property
    def name(self) -> str:
        """The setting with dots."""
        return ".".join(self.path)


def parse(text: str) -> list[Change]:
    """Read changes, separated by commas.

    Raises
    ------
    ExperimentError
        One is not of the form ``part.setting=value``.

    Examples
    --------
    >>> parse("training.window=56d, estimator.max_iter=200")
    [Change(path=('training', 'window'), value='56d'), Change(path=('estimator', 'max_iter'), value=200)]
    """
    changes = []
    for part in re.split(_NEXT, text):
        name, equals, value = part.rpartition("=") if part.lstrip().startswith("features.") else part.partition("=")
        first, _, rest = name.strip().partition(".")
        path = (first, rest) if rest else (first,)
        if not equals or not first.isidentifier() or name.strip().endswith("."):
            raise ExperimentError(
                f"--set takes part.setting=value, such as training.window=56d or estimator.max_iter=200, not {part!r}."
            )
        changes.append(Change(path, _value(value.strip())))
    return changes


def _value(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def applied(model: "Model", changes: Iterable[Change]) -> "Model":
    """The model with other settings, checked as its file would be.

    Raises
    ------
    ExperimentError
        There is no such setting, it does not take the value, or an experiment cannot change it.
    """
    for change in changes:
        model = _estimator(model, change) if change.path[0] == ESTIMATOR else _setting(model, change)
    return model


def _setting(model: "Model", change: Change) -> "Model":
    first, *rest = change.path
    if first in _FIXED:
        raise ExperimentError(
            f"{change.name} cannot be changed by --set: an experiment compares recipes for the same rows by the same "
            "metric. It changes seed, label_delay, features, training and estimator; for more write a file, --file."
        )
    _require_known(change.name, first, [*type(model).model_fields, ESTIMATOR])
    if rest and first == "features":
        changed = _features(model, rest[0], change.value)
    else:
        changed = {first: _part(getattr(model, first), change) if rest else change.value}
    made: Model = _checked(change, type(model), _declared(model) | changed)
    return made


def _features(model: "Model", name: str, kind: Any) -> dict[str, Any]:
    """The features with one more, or without one, which is then kept beside them: the contract may name it."""
    others = {feature: of for feature, of in model.features.items() if feature != name}
    if kind is not None:
        extra = {column: of for column, of in model.extra.items() if column != name}
        return {"features": others | {name: kind}, "extra": extra}
    if name not in model.features:
        _require_known(f"features.{name}", name, model.features)
    return {"features": others, "extra": model.extra | {name: model.features[name]}}


def _part(part: Any, change: Change) -> Any:
    """A part of a model with another setting."""
    if not isinstance(part, BaseModel) or len(change.path) != 2:
        raise ExperimentError(f"There is no setting {change.name}: {change.path[0]} is one value.")
    name = change.path[1]
    _require_known(change.name, name, type(part).model_fields)
    return _checked(change, type(part), _declared(part) | {name: change.value})


def _declared(part: BaseModel) -> dict[str, Any]:
    return {name: getattr(part, name) for name in part.model_fields_set}


def _checked(change: Change, kind: type[Any], fields: dict[str, Any]) -> Any:
    try:
        return kind(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise ExperimentError(f"{change.name}={change.value}: {first['msg'].removeprefix('Value error, ')}.") from error


def _require_known(setting: str, name: str, known: Iterable[str]) -> None:
    names = [*known]
    if name not in names:
        near = get_close_matches(name, names, 3) or sorted(names)
        raise ExperimentError(f"There is no setting {setting}. Did you mean {' or '.join(near[:12])}?")


def _estimator(model: "Model", change: Change) -> "Model":
    if len(change.path) != 2:
        raise ExperimentError(f"{change.name}: name one parameter of the estimator, such as estimator.max_iter=200.")
    return model.model_copy(update={"estimator": Parametrised.of(model, change.path[1], change.value)})


def _arguments(make: Callable[..., Any]) -> Iterable[str]:
    return _arguments(make.make) if isinstance(make, Parametrised) else inspect.signature(make).parameters


@dataclass(frozen=True)
class Parametrised:
    """A model file's `estimator` with one parameter set; called as that function is."""

    make: Callable[..., Any]
    argument: str
    parameter: str
    value: Any

    def __post_init__(self) -> None:
        """Take the module of the function, by which the model's own code is found."""
        object.__setattr__(self, "__module__", getattr(self.make, "__module__", ""))

    @classmethod
    def of(cls, model: "Model", name: str, value: Any) -> "Parametrised":
        """Find what a name means: an argument of the model's function, or a parameter of what it returns.

        Raises
        ------
        ExperimentError
            It means nothing, or more than one parameter.
        TrainingError
            The function raises.
        """
        make = model.estimator
        if name in _arguments(make):
            return cls(make, name, "", value)
        with blaming(model):
            known = [*make().get_params(deep=True)]
        meant = [key for key in known if key == name] or [key for key in known if key.endswith(f"__{name}")]
        if not meant:
            _require_known(f"estimator.{name}", name, dict.fromkeys(key.rpartition("__")[2] for key in known))
        if len(meant) > 1:
            raise ExperimentError(f"estimator.{name} may be {', '.join(meant)}; name one of them.")
        return cls(make, "", meant[0], value)

    def __call__(self, **given: Any) -> Any:
        """The estimator, unfitted."""
        if self.argument:
            return self.make(**given | {self.argument: self.value})
        return self.make(**given).set_params(**{self.parameter: self.value})
