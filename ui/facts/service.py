"""What the service did for a model: what it counts while it runs here, and what the log in the lake says."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from evergreen.lake.lake import SERVED, Bare
from evergreen.registry.version import CANARY, SHADOW
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
class Canary:
    """A version that answers a share of the requests.

    Attributes
    ----------
    version : str
    share : float
        Of the requests that it is to get.
    rows, of : int
        The rows that it answered, of those of the champion and its own since its first one, in the days of the log.
    """

    version: str
    share: float
    rows: int = 0
    of: int = 0


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
    canary : Canary or None
    shadow : str
        The version that predicts for the log only; empty for none.
    """

    usage: Usage | None = None
    logged: list[Logged] = field(default_factory=list)
    days: int = _DAYS
    canary: Canary | None = None
    shadow: str = ""


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
        canary=_canary(stores, name, aliases[CANARY], float(aliases.get("share", 0))) if CANARY in aliases else None,
        shadow=aliases.get(SHADOW, ""),
    )


def _canary(stores: Stores, name: str, version: str, share: float) -> Canary:
    if not stores.lake.exists(name, SERVED):
        return Canary(version, share)
    sql = (
        """WITH newest AS (SELECT "_time" AS moment, "_role" = 'canary' AND "_version" = $version AS own """
        f"""FROM {SERVED} WHERE "_time" >= $since AND "_role" IN ('champion', 'canary')) """
        "SELECT count(*) FILTER (own) AS answered, count(*) AS total FROM newest "
        "WHERE moment >= (SELECT min(moment) FROM newest WHERE own)"
    )
    bounds = {"since": datetime.now(UTC) - timedelta(days=_DAYS), "version": version}
    counted = stores.lake.query(Bare(name), sql, bounds, tables=[SERVED])
    return Canary(version, share, int(counted["answered"][0]), int(counted["total"][0]))


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
