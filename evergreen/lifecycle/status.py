"""The status of every model, one line each, read from the stores."""

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from evergreen.definition import loader
from evergreen.errors import EvergreenError
from evergreen.lake.lake import Bare, Lake
from evergreen.lifecycle import acknowledgement, decision_log
from evergreen.lifecycle.approval import Approval, last_request, pending_approval
from evergreen.lifecycle.decision_log import Entry
from evergreen.lifecycle.kept_status import KeptStatus
from evergreen.lifecycle.retirement import undeclared
from evergreen.sql import stored
from evergreen.stores import Stores

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_LATER = ("until", "later")  # kept beside a status: when its request for approval lapses, what is `decided` then
_MOMENT = pd.Timedelta(microseconds=1)


@dataclass(frozen=True)
class Status:
    """The status of a model; times are ISO 8601, empty where unknown.

    Attributes
    ----------
    model : str
    champion, since : str
        The champion's version number, and when it was promoted.
    newest : str
        The time of the newest row; the watermark, if the model file is broken.
    watermark : str
        Up to when the source has been read.
    decision : str
        The verdict of the last training.
    quarantined : int
        Batches in quarantine that await a decision.
    decided : str
        The newest decision and its reason, or the request for an approval, pending or lapsed; after the monitor's
        alert if it is not cleared.
    note : str
        The error, if there is one.
    """

    model: str
    champion: str = ""
    since: str = ""
    newest: str = ""
    watermark: str = ""
    decision: str = ""
    quarantined: int = 0
    decided: str = ""
    note: str = ""


def status(stores: Stores, as_of: pd.Timestamp) -> list[Status]:
    """The status of every model; a broken file or store is noted in that model's line only.

    What is kept of an earlier look is not read again while nothing of the model has changed since.

    Parameters
    ----------
    stores : Stores
    as_of : Timestamp
        Whether a request for approval has lapsed by then.
    """
    kept = KeptStatus(stores, [*(column.name for column in fields(Status)), *_LATER])
    found = [_status(stores, kept, name, as_of) for name in [*loader.names(), *_undeclared(stores)]]
    kept.keep()
    return found


def _undeclared(stores: Stores) -> list[str]:
    """The models that answer without a model file; none where the registry cannot be asked, as each line says."""
    try:
        return undeclared(stores.registry)
    except EvergreenError:
        return []


def _status(stores: Stores, kept: KeptStatus, name: str, now: pd.Timestamp) -> Status:
    model, broken = _defined(name)
    column = "" if isinstance(model, Bare) else stored(model.time)
    try:
        known = dict(kept.get(name, column, lambda: _looked_up(stores, model)))
        until, later = (known.pop(field) for field in _LATER)
        if until and now > pd.Timestamp(until):
            known["decided"] = later
        return replace(Status(**known), note=broken)
    except EvergreenError as error:
        return Status(model=name, note=broken or str(error))


def _defined(name: str) -> "tuple[Model | Bare, str]":
    """A model's definition, or its bare name and the error: its champion is served nevertheless."""
    try:
        return loader.load(name), ""
    except EvergreenError as error:
        if loader.is_declared(name):
            return Bare(name), f"broken: {' '.join(str(error).split())}"
        todo = f"its champion still answers: `evergreen retire {name} --reason ...`"
        return Bare(name), f"no model file any more, and {todo}"


def _looked_up(stores: Stores, model: "Model | Bare") -> dict[str, Any]:
    """The fields of a status, until when it holds, and what `decided` is afterwards."""
    lake, versions = stores.lake, stores.registry.versions(model.name)
    champion = next((version for version in versions if "champion" in version.aliases), None)
    last = next((version for version in versions if not version.refit_of), None)
    mark = lake.watermark(model.name)
    newest = mark if isinstance(model, Bare) else lake.newest(model.name, stored(model.time)) or mark
    quarantined = [entry for entry in stores.quarantine.entries(model.name) if entry.state == "held"]
    pending = pending_approval(versions)
    until = pending.until if pending else ""
    lapsed = last_request(versions, pd.Timestamp(until) + _MOMENT) if until else None
    found = Status(
        model=model.name,
        champion=champion.number if champion else "",
        since=champion.champion_since.isoformat() if champion and champion.champion_since else "",
        newest=newest.isoformat() if newest is not None else "",
        watermark=mark.isoformat() if mark is not None else "",
        decision=last.decision or "not judged" if last else "",
        quarantined=len(quarantined),
        decided=_decided(lake, model, pending),
    )
    return vars(found) | dict(zip(_LATER, (until, _decided(lake, model, lapsed) if until else ""), strict=True))


def _decided(lake: "Lake", model: "Model | Bare", pending: Approval | None) -> str:
    """The last decision, or the request for an approval that came of it; an alert that stands comes before either."""
    entries = decision_log.current(lake, model)
    if pending:
        entries = [entry for entry in entries if entry.action == "alert"]
    return "; then ".join([*(_told(lake, model, entry) for entry in entries), *([pending.sentence] if pending else [])])


def _told(lake: Lake, model: "Model | Bare", entry: Entry) -> str:
    """A decision in words; of an alert also who has acknowledged it."""
    alert = acknowledgement.current(lake, model) if entry.action == "alert" else None
    seen = f" ({alert.acknowledged})" if alert and alert.entry == entry and alert.by else ""
    return f"{entry.action}: {entry.reason}{seen}"
