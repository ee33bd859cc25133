"""What `evergreen deploy` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flows.runtime.releasing import Deployed


def deployed(done: Deployed) -> str:
    """Which release is in force, and what is registered where."""
    if done.waiting:
        asked, now = done.waiting[:10], f"{done.commit[:10]} stays in force" if done.commit else "none is in force"
        waits = (
            f"Release {asked} has passed its checks and waits for a person's approval; {now}. To approve it: evergreen "
            f"deploy --release {asked} --approve --reason ..."
        )
        return "\n".join([*done.registered.notes, waits])
    lines = []
    if done.commit:
        since = f", in the place of {done.before[:10]}" if done.before else ""
        lines.append(f"Release {done.commit[:10]} is in force{since}.")
    if done.registered.names:
        already = "" if done.changed else " already"
        lines.append(f"Registered{already} with {done.server}: {', '.join(done.registered.names)}.")
    return "\n".join([*lines, *done.registered.notes])
