"""The parameters that flows share, described for the form in Prefect's UI."""

from datetime import UTC, datetime
from typing import Annotated

import pandas as pd
from prefect import runtime
from pydantic import Field

from evergreen.credentials import SECRET
from evergreen.definition import loader

# Prefect's form takes descriptions from the flows' docstrings, and choices from here.
ModelName = Annotated[str, Field(json_schema_extra={"enum": list(loader.names())})]
AsOf = datetime | None
# A run's parameters are stored and shown by Prefect, whose server refuses a run whose address holds a secret.
Address = Annotated[str, Field(json_schema_extra={"pattern": f"^(?!.*({SECRET}))"})]
Reason = str  # free text, so that an event can add its figures; the first word is the trigger


def timestamp_of(as_of: datetime | None) -> pd.Timestamp:
    """The time that a flow works at: the only place where the clock is read."""
    time = as_of or datetime.now(UTC)
    return pd.Timestamp(time if time.tzinfo else time.replace(tzinfo=UTC)).tz_convert("UTC").as_unit("us")


def run_name() -> str:
    """Name a flow run by model, reason and day, such as ``airtime · drift · 2013-06-20``."""
    parameters = runtime.flow_run.parameters
    what = parameters.get("reason") or runtime.flow_run.flow_name
    return f"{parameters['model']} · {what} · {timestamp_of(parameters.get('as_of')):%Y-%m-%d}"
