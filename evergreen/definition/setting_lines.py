"""Settings as lines of a model file, for a person to copy."""

import json
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from evergreen.durations import as_text


def line(name: str, part: BaseModel, **changes: Any) -> str:
    """A part of a model as it is written in its file, with other values.

    What cannot be written on a line, such as a function, is left as ``...``.

    Parameters
    ----------
    name : str
        Of the part in the model file, such as ``"training"``.
    part : BaseModel
    changes
        Durations as timedelta, or as text.

    Examples
    --------
    >>> from evergreen import Training
    >>> line("training", Training(window="21d", holdout="2d"), holdout=timedelta(days=5))
    'training=Training(holdout="5d", window="21d"),'
    """
    declared = {setting: getattr(part, setting) for setting in sorted(part.model_fields_set)}
    plain, opaque = dict[str, Any](), dict[str, str]()
    for setting, value in (declared | changes).items():
        written = _written(value)
        (plain if written != "..." else opaque)[setting] = written
    return f"{name}={type(part).__name__}({', '.join(f'{key}={value}' for key, value in (plain | opaque).items())}),"


def _written(value: Any) -> str:
    """A value as Python writes it, with double quotes."""
    if isinstance(value, timedelta):
        return json.dumps(as_text(value))
    if isinstance(value, str):
        return json.dumps(value)
    return repr(value) if value is None or isinstance(value, bool | int | float) else "..."
