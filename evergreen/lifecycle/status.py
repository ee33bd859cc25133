"""The state of every model in a line, read from the stores."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evergreen.definition import loader
from evergreen.errors import EvergreenError
from evergreen.lake.lake import Bare
from evergreen.lifecycle import decision_log
from evergreen.lifecycle.approval import waiting
from evergreen.stores import Stores

if TYPE_CHECKING:
    from evergreen.definition.model import Model


@dataclass(frozen=True)
class Status:
    """What a person wants to know of a model first; times are ISO 8601, empty where unknown.

    Attributes
    ----------
    model : str
    champion, since : str
        The version that answers, and when it was promoted.
    newest : str
        The time of the newest row; the watermark, if the model file is broken.
    watermark : str
        Up to when the source has been asked.
    decision : str
        Of the last training.
    quarantined : int
        Batches that wait for a person.
    decided : str
        The newest decision, and why, and before it an alert of the monitor that still stands; or what waits
        for a person's leave.
    note : str
        What is wrong, if anything is.
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


def status(stores: Stores) -> list[Status]:
    """Look every model up; one whose file or store is broken says so and hides none of the others."""
    return [_status(stores, name) for name in loader.names()]


def _status(stores: Stores, name: str) -> Status:
    model, broken = _defined(name)
    try:
        return replace(_looked_up(stores, model), note=broken)
    except EvergreenError as error:
        return Status(model=name, note=broken or str(error))


def _defined(name: str) -> "tuple[Model | Bare, str]":
    """A model's definition, or why there is none: its champion answers all the same."""
    try:
        return loader.load(name), ""
    except EvergreenError as error:
        return Bare(name), f"broken: {' '.join(str(error).split())}"


def _looked_up(stores: Stores, model: "Model | Bare") -> Status:
    lake, versions = stores.lake, stores.registry.versions(model.name)
    champion = next((one for one in versions if "champion" in one.aliases), None)
    last = next((version for version in versions if not version.refit_of), None)
    mark = lake.watermark(model.name)
    newest = mark if isinstance(model, Bare) else lake.newest(model.name, model.time)
    decided = "; then ".join(f"{one.action}: {one.reason}" for one in decision_log.standing(lake, model))
    open_question = waiting(versions)
    held = [one for one in stores.quarantine.entries(model.name) if one.state == "held"]
    return Status(
        model=model.name,
        champion=champion.number if champion else "",
        since=champion.champion_since.isoformat() if champion and champion.champion_since else "",
        newest=newest.isoformat() if newest is not None else "",
        watermark=mark.isoformat() if mark is not None else "",
        decision=last.decision or "not judged" if last else "",
        quarantined=len(held),
        decided=open_question.sentence if open_question else decided,
    )
