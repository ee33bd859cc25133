"""What the service did for a model: what it counts while it runs here, and what the log in the lake says."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from evergreen.lake.lake import SERVED, Bare
from evergreen.settings import Settings
from evergreen.stores import Stores
from serving import usage
from serving.process import metrics_folder
from serving.usage import Usage

_DAYS = 7


@dataclass(frozen=True)
class Logged:
    """Predictions of one version in one role.

    Attributes
    ----------
    version, role : str
    rows : int
    newest : str
        When the last one was asked for; ISO 8601.
    """

    version: str
    role: str
    rows: int
    newest: str


@dataclass(frozen=True)
class Service:
    """The service of a model.

    Attributes
    ----------
    usage : Usage or None
        What a service on this machine counted since it began; None if none runs here.
    logged : list of Logged
        Of the newest days of the log; those of the champion first.
    days : int
        How many days that are.
    share : float
        Of the requests that a canary gets; 0 without one.
    """

    usage: Usage | None = None
    logged: list[Logged] = field(default_factory=list)
    days: int = _DAYS
    share: float = 0.0


def folder() -> Path:
    """Where a service on this machine keeps its state."""
    return Settings.read().home / "serving"


def of(stores: Stores, name: str) -> Service:
    """What is known of the service of a model."""
    running = metrics_folder.current(folder())
    aliases = stores.registry.serving_aliases().get(name, {})
    return Service(
        usage=usage.read(running, name) if running else None,
        logged=_logged(stores, name),
        share=float(aliases.get("share", 0)) if "canary" in aliases else 0.0,
    )


def _logged(stores: Stores, name: str) -> list[Logged]:
    if not stores.lake.exists(name, SERVED):
        return []
    sql = (
        f'SELECT "_version" AS version, "_role" AS role, count(*) AS n, max("_time") AS newest FROM {SERVED} '
        'WHERE "_time" >= $since GROUP BY ALL ORDER BY n DESC LIMIT 50'
    )
    since = datetime.now(UTC) - timedelta(days=_DAYS)
    rows = stores.lake.query(Bare(name), sql, {"since": since}, tables=[SERVED])
    return [
        Logged(str(row["version"]), str(row["role"]), int(row["n"]), row["newest"].isoformat())
        for row in rows.to_dict("records")
    ]
