"""Evergreen keeps machine-learning models fresh. What a model file needs is named here."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evergreen.definition.expectations import expect
    from evergreen.definition.gates import Check, Fairness, Gates
    from evergreen.definition.model import Model
    from evergreen.definition.options import Monitoring, Policy, Search, Serving, Training
    from evergreen.ingestion.sources.database import Sql
    from evergreen.ingestion.sources.files import Files
    from evergreen.ingestion.sources.function import Call
    from evergreen.ingestion.sources.served import Served

_HOME_OF = {
    "Call": "ingestion.sources.function",
    "Check": "definition.gates",
    "Fairness": "definition.gates",
    "Files": "ingestion.sources.files",
    "Gates": "definition.gates",
    "Model": "definition.model",
    "Monitoring": "definition.options",
    "Policy": "definition.options",
    "Search": "definition.options",
    "Served": "ingestion.sources.served",
    "Serving": "definition.options",
    "Sql": "ingestion.sources.database",
    "Training": "definition.options",
    "expect": "definition.expectations",
}

__all__ = [
    "Call",
    "Check",
    "Fairness",
    "Files",
    "Gates",
    "Model",
    "Monitoring",
    "Policy",
    "Search",
    "Served",
    "Serving",
    "Sql",
    "Training",
    "expect",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `evergreen --help` stays fast."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'evergreen' has no attribute {name!r}")
    return getattr(import_module(f"evergreen.{_HOME_OF[name]}"), name)
