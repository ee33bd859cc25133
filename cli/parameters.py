"""Parameters that several commands take, and the exit codes that a command can end with."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, time
from functools import partial, wraps
from typing import Annotated, Any, TypeVar, cast

import typer

from cli.stopping import stands
from evergreen import ctrl_c
from evergreen.exit_codes import Exit
from evergreen.lifecycle.triggers import TRIGGERS, name_of, names
from evergreen.settings import embed

F = TypeVar("F", bound=Callable[..., Any])

ModelName = Annotated[str, typer.Argument(metavar="MODEL", help="The name of a file in models/.")]
ModelVersion = Annotated[
    str,
    typer.Argument(metavar="MODEL[@VERSION]", help="By number or alias, such as airtime@7; the champion otherwise."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]
Open = Annotated[
    bool | None,
    typer.Option("--open/--no-open", help="Open the page in a browser; by default where a screen is attached."),
]
AsOf = Annotated[
    datetime | None,
    typer.Option(
        help="Use only what was known at this time, in UTC, such as 2026-01-31 or 2026-01-31T08:00:00; now by default.",
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"],
        metavar="TIME",  # the formats would take half of a narrow help page
    ),
]


def _trigger(reason: str) -> str:
    """Check that a reason begins with a trigger; further words are kept."""
    if name_of(reason) not in TRIGGERS:
        raise typer.BadParameter(f"{reason!r} does not begin with one of {', '.join(TRIGGERS)}.")
    return reason.strip()


Reason = Annotated[
    str,
    typer.Option(callback=_trigger, help=f"Why: {names()}, then any further words."),
]


def utc(moment: datetime | None) -> datetime | None:
    """A time of the command line, which has no zone, in UTC."""
    return moment.replace(tzinfo=UTC) if moment else None


def as_typed(moment: datetime | None) -> str:
    """The option of a time for a command that is named as the next one; empty without a time.

    Examples
    --------
    >>> as_typed(datetime(2013, 2, 1)), as_typed(datetime(2013, 2, 1, 8)), as_typed(None)
    (' --as-of 2013-02-01', ' --as-of 2013-02-01T08:00:00', '')
    """
    if moment is None:
        return ""
    return f" --as-of {moment:%Y-%m-%d}" if moment.time() == time() else f" --as-of {moment:%Y-%m-%dT%H:%M:%S}"


def exits(*codes: Exit, waiting: bool = True, placed: bool = True, released: bool = True) -> Callable[[F], F]:
    """Note the exit codes that a command can end with; its help names them with their meaning.

    Parameters
    ----------
    codes : Exit
    waiting : bool
        Whether a person waits for its end, and sees after two seconds that it works.
    placed : bool
        Whether it needs a project, or settings in place of one.
    released : bool
        Whether it works with the release that is in force, if one is; not with the working tree.
    """

    def noted(command: F) -> F:
        @wraps(command)
        def shown(*args: Any, **options: Any) -> Any:
            if placed:
                embed(released=released)
            name = command_name(command)
            ctrl_c.promise(partial(stands, name))
            subject = next((word for word in _words(*args, *options.values()) if word), "")
            with _shown(f"{name} {subject}".strip()) if waiting else nullcontext():
                return command(*args, **options)

        shown.exit_codes = codes  # type: ignore[attr-defined]
        return cast(F, shown)

    return noted


def _words(*values: object) -> Iterator[str]:
    """The texts among the arguments of a command, and in its lists of them."""
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from _words(*value)


def _shown(what: str) -> AbstractContextManager[None]:
    from flows.runtime.progress import working  # its package reads the settings when it is imported

    return working(what)


def command_name(command: Callable[..., Any]) -> str:
    """The name of a command, by its function, whose name ends with _ where it is a word of Python's.

    Examples
    --------
    >>> def try_(): ...
    >>> command_name(try_)
    'try'
    """
    return command.__name__.strip("_").replace("_", "-")


def exit_help(command: Callable[..., Any]) -> str | None:
    """The exit codes of a command in one line, for the end of its help."""
    codes: tuple[Exit, ...] = getattr(command, "exit_codes", ())
    return "Exit codes: " + ", ".join(f"{code.value} {code.meaning}" for code in codes) + "." if codes else None
