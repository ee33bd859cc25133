"""The state of every model in a line, read from the stores."""

from dataclasses import dataclass
from typing import NamedTuple

from evergreen import diary
from evergreen import model as models
from evergreen.errors import EvergreenError
from evergreen.lake import Lake
from evergreen.quarantine import Quarantine
from evergreen.registry import Registry


@dataclass(frozen=True)
class Status:
    """What a person wants to know of a model first; times are ISO 8601, empty where unknown.

    Attributes
    ----------
    model : str
    champion, since : str
        The version that answers, and when it was promoted.
    watermark : str
        Up to when data has been taken in.
    decision : str
        Of the last training.
    quarantined : int
        Batches that wait for a person.
    decided : str
        The newest decision, and why.
    note : str
        What is wrong, if anything is.
    """

    model: str
    champion: str = ""
    since: str = ""
    watermark: str = ""
    decision: str = ""
    quarantined: int = 0
    decided: str = ""
    note: str = ""


class _Name(NamedTuple):
    """A model whose file is not run: that would import what it imports."""

    name: str


def status() -> list[Status]:
    """Look every model up; one whose file or store is broken says so and hides none of the others."""
    return [_status(name) for name in models.names()]


def _status(name: str) -> Status:
    try:
        models.parse(name)
        versions = Registry.open().versions(name)
        champion = next((one for one in versions if "champion" in one.aliases), None)
        last = next((one for one in versions if not one.tags.get("refit_of")), None)
        mark = Lake.open().watermark(name)
        newest = diary.read(Lake.open(), _Name(name), most=1)
        held = [one for one in Quarantine.open().entries(name) if one.state == "held"]
        return Status(
            model=name,
            champion=champion.number if champion else "",
            since=(champion.tags.get("restored_at") or champion.tags.get("promoted_at", "")) if champion else "",
            watermark=mark.isoformat() if mark is not None else "",
            decision=last.tags.get("decision", "not judged") if last else "",
            quarantined=len(held),
            decided=f"{newest[0].action}: {newest[0].reason}" if newest else "",
        )
    except EvergreenError as error:
        return Status(model=name, note=str(error))
