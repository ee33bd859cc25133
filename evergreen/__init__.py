"""Evergreen keeps machine-learning models fresh. What a model file needs is named here."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evergreen.contract import expect
    from evergreen.fairness import Fairness
    from evergreen.gate import Check, Gates
    from evergreen.model import Model, Monitoring, Policy, Search, Serving, Training
    from evergreen.source import Call, Files, Served, Sql

_HOME_OF = {
    "Call": "source",
    "Check": "gate",
    "Fairness": "fairness",
    "Files": "source",
    "Gates": "gate",
    "Model": "model",
    "Monitoring": "model",
    "Policy": "model",
    "Search": "model",
    "Served": "source",
    "Serving": "model",
    "Sql": "source",
    "Training": "model",
    "expect": "contract",
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
