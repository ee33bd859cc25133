"""Which models there are, also those that no file declares any more, and their definitions."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from evergreen.definition import loader, model_files
from evergreen.errors import EvergreenError
from evergreen.lake.lake import DECISIONS, ROWS
from evergreen.stores import Stores
from ui.known import summary
from ui.known.fleet import Known
from ui.known.summary import Summary

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def find(known: Known, open_stores: Callable[[], Stores], name: str) -> Summary | None:
    """What is known of a model, if there is one or was one.

    Parameters
    ----------
    known : Known
    open_stores : callable
    name : str

    Raises
    ------
    EvergreenError
        It is not known yet, and the stores cannot be read.
    """
    found = known.find(name)
    if found is not None:
        return found
    stores = open_stores()
    return summary.of(stores, name) if _exists(stores, name) else None


def _exists(stores: Stores, name: str) -> bool:
    if name in model_files.names():
        return True
    named = _NAME.fullmatch(name) is not None
    return named and (
        bool(stores.registry.versions(name)) or any(stores.lake.exists(name, t) for t in (ROWS, DECISIONS))
    )


def defined(name: str) -> "Model | None":
    """The definition of a model; None where its file is missing or does not run."""
    try:
        return loader.load(name)
    except EvergreenError:
        return None
