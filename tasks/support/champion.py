"""Move the alias of the champion so that no two processes replace the same one, whatever became of their locks.

What is decided is decided against one champion. The line of the audit log is written only if no other process has moved
the champion since (`evergreen.lake.audit_log.write`), and the log is looked at again once the aliases have moved: a
process that was stopped in between comes too late, and puts back what the log says.
"""

from evergreen.errors import PromotionError
from evergreen.lake import audit_log
from evergreen.registry.version import CHAMPION, PREVIOUS, Version
from evergreen.stores import Stores


def newest_move(stores: Stores, model: str) -> int:
    """The number of the audit line that last moved the champion, 0 if none did; to be read before the champion is."""
    line = audit_log.newest_move(stores.lake, model) if stores.live else None
    return line.number if line else 0


def move(stores: Stores, version: Version, champion: Version | None) -> None:
    """Point the aliases at a new champion and the one before; its line is in the audit log.

    Raises
    ------
    PromotionError
        Another process has moved the champion since that line was written; its version is champion.
    """
    registry = stores.registry
    if champion is not None:
        registry.alias(champion, PREVIOUS)
    registry.alias(version, CHAMPION)
    line = audit_log.newest_move(stores.lake, version.model) if stores.live else None
    if line is not None and line.act != "retirement" and line.subject != version.number:
        registry.alias(registry.version(version.model, line.subject), CHAMPION)
        raise PromotionError(
            f"{version} comes too late: another process has made version {line.subject} the champion at "
            f"{line.written}, which it stays."
        )
