"""Evergreen keeps machine-learning models fresh. What model files, gates and policies need is named here."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evergreen.definition.expectations import expect
    from evergreen.definition.gates import Check, Fairness, Gates
    from evergreen.definition.metrics import Metric, mean_of
    from evergreen.definition.model import Model
    from evergreen.definition.options import Monitoring, Policy, Search, Serving, Training
    from evergreen.definition.parsing.number_format import NumberFormat
    from evergreen.definition.parsing.text_format import TextFormat
    from evergreen.definition.parsing.time_format import TimeFormat
    from evergreen.definition.parsing.time_part import TimePart
    from evergreen.errors import EvergreenError
    from evergreen.ingestion.sources.call import Call
    from evergreen.ingestion.sources.csv_format import Csv
    from evergreen.ingestion.sources.database import Sql
    from evergreen.ingestion.sources.files import Files
    from evergreen.ingestion.sources.served import Served
    from evergreen.lifecycle.decision import Decision, State

_HOME_OF = {
    "Call": "ingestion.sources.call",
    "Check": "definition.gates",
    "Csv": "ingestion.sources.csv_format",
    "Decision": "lifecycle.decision",
    "EvergreenError": "errors",
    "Fairness": "definition.gates",
    "Files": "ingestion.sources.files",
    "Gates": "definition.gates",
    "Metric": "definition.metrics",
    "Model": "definition.model",
    "Monitoring": "definition.options",
    "NumberFormat": "definition.parsing.number_format",
    "Policy": "definition.options",
    "Search": "definition.options",
    "Served": "ingestion.sources.served",
    "Serving": "definition.options",
    "Sql": "ingestion.sources.database",
    "State": "lifecycle.decision",
    "TextFormat": "definition.parsing.text_format",
    "TimeFormat": "definition.parsing.time_format",
    "TimePart": "definition.parsing.time_part",
    "Training": "definition.options",
    "expect": "definition.expectations",
    "mean_of": "definition.metrics",
}

__all__ = [
    "Call",
    "Check",
    "Csv",
    "Decision",
    "EvergreenError",
    "Fairness",
    "Files",
    "Gates",
    "Metric",
    "Model",
    "Monitoring",
    "NumberFormat",
    "Policy",
    "Search",
    "Served",
    "Serving",
    "Sql",
    "State",
    "TextFormat",
    "TimeFormat",
    "TimePart",
    "Training",
    "expect",
    "mean_of",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `evergreen --help` stays fast."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'evergreen' has no attribute {name!r}")
    return getattr(import_module(f"evergreen.{_HOME_OF[name]}"), name)
