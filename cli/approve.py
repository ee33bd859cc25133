"""`evergreen approve` and `evergreen refuse`: a person's answer to a version that waits."""

from typing import Annotated

import typer

from cli.printing import Json, say

Version = Annotated[
    str, typer.Argument(metavar="MODEL[@VERSION]", help="Such as airtime@7; the one that waits otherwise.")
]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]
By = Annotated[str, typer.Option(help="Who answers, for the record; the user of this shell otherwise.")]


def approve(version: Version, reason: Reason, by: By = "", json: Json = False) -> None:
    """Give leave to promote a version that has passed its gates; it is champion at once.

    Exit code: 0; 1 nothing waits, or the champion it was judged against answers no more; 6 busy.
    """
    _answer(version, reason, by, True, json)


def refuse(version: Version, reason: Reason, by: By = "", json: Json = False) -> None:
    """Refuse leave to promote a version; the champion stays, and the version never takes over by this verdict.

    Exit code: 0; 1 nothing waits; 6 busy.
    """
    _answer(version, reason, by, False, json)


def _answer(version: str, reason: str, by: str, approved: bool, json: bool) -> None:
    from cli.showing import outcome
    from evergreen.lake.audit_log import person
    from flows.approve import approve as run
    from flows.runtime.terminal import attended

    name, _, number = version.partition("@")
    attended(name)
    came = run(name, reason, by or person(), approved, number)
    say(json, came, outcome(came))
