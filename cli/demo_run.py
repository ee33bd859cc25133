"""The demo: a year of flights, week by week, with a retrained and a frozen model."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import pandas as pd

from evergreen import nycflights
from evergreen.definition import loader
from evergreen.evaluation import performance
from evergreen.evaluation.performance import Realised
from evergreen.lifecycle.outcome import Outcome
from evergreen.registry.version import Version
from evergreen.stores import Stores
from evergreen.training.snapshot import Snapshot
from flows.ingest import ingest
from flows.refresh import refresh
from flows.runtime.heartbeats import no_heartbeats

MODEL = "airtime"
WEEK = pd.Timedelta(days=7)
FIRST = pd.Timestamp("2013-02-01", tz="UTC")  # January trains the first champion
LAST = pd.Timestamp("2014-01-01", tz="UTC")
_PLANTED = """

# Planted by the demo: for half a day in June the feed gives distances in kilometres.
from evergreen.nycflights import flights_with_a_fault

model = model.model_copy(update={"source": model.source.model_copy(update={"function": flights_with_a_fault})})
"""


@dataclass(frozen=True)
class Week:
    """What happened in one week.

    Attributes
    ----------
    since, until : str
    champion : str or None
        The champion during the week.
    frozen, fresh : Realised or None
        The performance of the first and of the current champion; None before the first promotion.
    outcome : Outcome
        The outcome of the loop at the end of the week.
    """

    since: str
    until: str
    champion: str | None
    frozen: Realised | None
    fresh: Realised | None
    outcome: Outcome
    quarantined: list[str] = field(default_factory=list)


def write_model(folder: Path) -> None:
    """Write the demo's model file: the example, with a fault in its feed."""
    folder.mkdir(parents=True, exist_ok=True)
    text = (files("evergreen.scaffold") / "carried" / f"{MODEL}.txt").read_text()
    (folder / f"{MODEL}.py").write_text(text + _PLANTED)


def weeks() -> Iterator[tuple[pd.Timestamp, pd.Timestamp]]:
    """The weeks of the year, the first of them January as a whole."""
    yield pd.Timestamp("2013-01-01", tz="UTC"), FIRST
    low = FIRST
    while low < LAST:
        yield low, min(low + WEEK, LAST)
        low += WEEK


def year(progress: Path) -> Iterator[Week]:
    """Run the year; a stopped run continues after its last finished week.

    Parameters
    ----------
    progress : Path
        Where finished weeks are kept, a line of JSON each.
    """
    done = [_week(json.loads(line)) for line in progress.read_text().splitlines()] if progress.is_file() else []
    yield from done
    with no_heartbeats():
        for since, until in list(weeks())[len(done) :]:
            week = run_week(since, until)
            with progress.open("a") as file:
                file.write(json.dumps(asdict(week)) + "\n")
            yield week


def run_week(since: pd.Timestamp, until: pd.Timestamp) -> Week:
    """Run one week: the champion predicts, then the loop runs at the end of the week."""
    champion = Stores.open().registry.champion(MODEL)
    quarantined = []
    if since <= nycflights.FAULT[0] < until:
        half_days = [ingest(MODEL, as_of=moment) for moment in nycflights.FAULT]
        quarantined = [
            ingested.batch for batches in half_days for ingested in batches if ingested.fate == "quarantined"
        ]
    outcome = refresh(MODEL, reason="schedule", as_of=until)
    return Week(
        since.isoformat(),
        until.isoformat(),
        champion.number if champion else None,
        *_scored(champion, since, until),
        outcome,
        quarantined + outcome.quarantined,
    )


def _scored(
    champion: Version | None, since: pd.Timestamp, until: pd.Timestamp
) -> tuple[Realised | None, Realised | None]:
    """The performance of the first and of the current champion in a week, once its labels are known."""
    if champion is None:
        return None, None
    definition, stores = loader.load(MODEL), Stores.open()
    rows = Snapshot.pin(stores.lake, definition, until + timedelta(days=7)).labelled(since, until)
    first = [version for version in stores.registry.versions(MODEL) if version.promoted_at][-1]  # newest first
    frozen, fresh = (
        performance.realised(definition, stores.registry.load(version), rows) for version in (first, champion)
    )
    return frozen, fresh


def _week(data: dict) -> Week:  # type: ignore[type-arg]
    scored = {name: Realised(**data[name]) if data[name] else None for name in ("frozen", "fresh")}
    return Week(**data | scored | {"outcome": Outcome(**data["outcome"])})
