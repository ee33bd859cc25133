"""The newest replay of a model: what its page recommends."""

import json
from dataclasses import dataclass
from pathlib import Path

from evergreen.settings import Settings


@dataclass(frozen=True)
class Recommended:
    """What a replay recommends; fields as in `evergreen.replay.result.Replayed`."""

    since: str
    until: str
    recommended: str
    reason: str
    lines: str
    written: float


def page(name: str) -> Path:
    """The page of a model's newest replay, whether there is one or not."""
    return Settings.read().home / "reports" / f"{name}.replay.html"


def of(name: str) -> Recommended | None:
    """The recommendation of a model's newest replay; None without a replay, or for one that is being written."""
    figures = page(name).with_suffix(".json")
    try:
        found = json.loads(figures.read_text(encoding="utf-8"))
        policies = {policy["name"]: policy for policy in found["policies"]}
        return Recommended(
            found["since"],
            found["until"],
            found["recommended"],
            found["reason"],
            policies.get(found["recommended"], {}).get("lines", ""),
            figures.stat().st_mtime,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
