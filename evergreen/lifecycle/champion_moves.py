"""Moves of the champion: the newest move in the audit log names the champion, and the aliases follow.

An act that moves the champion (promotion, rollback, retirement) first writes its line, which is refused if another line
has moved the champion since (`evergreen.lake.audit_log.write`), and then does what the line says. What a process that
died or was stopped has left undone is done by the next act, before that decides.
"""

from collections.abc import Callable
from contextlib import suppress

import pandas as pd

from evergreen.errors import AlteredModelError, LakeError, PromotionError
from evergreen.lake import audit_log
from evergreen.lake.audit_log import Line
from evergreen.lifecycle.rollback import record_restoration, record_rollback
from evergreen.registry.registry import Registry
from evergreen.registry.version import CANARY, CHAMPION, PREVIOUS, SHADOW, Version
from evergreen.stores import Stores


def settle(stores: Stores, model: str, mine: Callable[[Line], bool] = lambda _: False) -> int:
    """Do what the newest line says, if that is not done yet; the number of the line, 0 if there is none.

    To be called before the champion is read, on which an act is decided. A version that was altered since it was
    registered does not become champion by it.

    Parameters
    ----------
    stores : Stores
    model : str
    mine : callable
        Whether a line is that of the act itself, which was interrupted and goes on from there.
    """
    line = audit_log.newest_move(stores.lake, model) if stores.live else None
    while not (line is None or mine(line) or stands(stores.registry, line)) and _unaltered(stores.registry, line):
        enact(stores.registry, line)
        newest = audit_log.newest_move(stores.lake, model)
        if newest is None or newest.number == line.number:
            break
        line = newest
    return line.number if line else 0


def carry_out(stores: Stores, line: Line) -> None:
    """Do what a line says that this process has just written.

    Raises
    ------
    PromotionError
        Another process has moved the champion since; what its line says is done.
    """
    if stores.live:
        _check_newest(stores, line)
    enact(stores.registry, line)
    if stores.live:
        with suppress(LakeError):  # the act is done; if another one came first, the next act puts that right
            _check_newest(stores, line)


def stands(registry: Registry, line: Line) -> bool:
    """Whether the aliases are as a line says; also where its version is not there any more.

    A champion that is marked as rolled back or retired is not: a process that came late has marked it, and has died.
    """
    champion, named = registry.champion(line.model), "" if _retires(line) else line.subject
    if champion is not None and champion.number == named:
        return not champion.rolled_back and champion.retired_at is None
    return (champion.number if champion else "") == named or bool(named and registry.find(line.model, named) is None)


def enact(registry: Registry, line: Line) -> None:
    """Do what a line says: the tags of its act, then the aliases, that of the champion last; idempotent."""
    version = registry.version(line.model, line.subject)
    at, seal, details = pd.Timestamp(line.at), line.seal if line.number else "", line.details
    replaced = registry.find(line.model, details["replaces"]) if details.get("replaces") else None
    if line.act == "promotion":
        judged = details.get("judged") or version.number
        registry.tag(version, promoted_at=at, promoted_by=judged, promotion_seal=seal)
        _replace(registry, replaced, version)
    elif line.act == "rollback":
        registry.tag(version, rollback_seal=seal)
        if replaced is not None:
            record_rollback(registry, replaced, version, details.get("reason", ""), at)
        record_restoration(registry, version, at)
        _replace(registry, replaced, version)
    elif _retires(line):
        registry.tag(version, retired_at=at, retired_reason=details.get("reason", ""), retirement_seal=seal)
        registry.withdraw(line.model, CANARY, SHADOW, CHAMPION)
    else:
        registry.tag(version, retirement_seal=seal)
        registry.alias(version, CHAMPION)
        registry.tag(version, retired_at=None)


def _replace(registry: Registry, replaced: Version | None, version: Version) -> None:
    if replaced is not None and replaced.number != version.number:
        registry.alias(replaced, PREVIOUS)
    registry.alias(version, CHAMPION)


def _unaltered(registry: Registry, line: Line) -> bool:
    """Whether the version that a line makes champion is as it was registered; a retirement makes none."""
    try:
        if not _retires(line):
            registry.verify(registry.version(line.model, line.subject))
    except AlteredModelError:
        return False
    return True


def _retires(line: Line) -> bool:
    return line.act == "retirement" and not line.details.get("undone")


def _check_newest(stores: Stores, line: Line) -> None:
    newest = audit_log.newest_move(stores.lake, line.model)
    if newest is not None and newest.number != line.number:
        settle(stores, line.model)
        raise PromotionError(
            f"{line.model}@{line.subject} comes too late: another process has moved the champion at {newest.written} "
            f"({newest.act} of version {newest.subject}), and that stands."
        )
