"""Show something again and again, until Ctrl-C: on a terminal in place, else one below the other."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import typer

from evergreen.errors import EvergreenError
from evergreen.exit_codes import Exit
from evergreen.reports.html import plain

Show = Callable[[Any, str], None]


def watch(look: Callable[[], Any], shown: Callable[[Any], Any], every: float, *, as_json: bool) -> None:
    """Look, show, wait; an error after the first look is shown, and does not end it.

    Parameters
    ----------
    look : callable
        Gives what is shown.
    shown : callable
        What a person sees of it.
    every : float
        Seconds from one look to the next; more, where a look takes longer than that.
    as_json : bool
        Print each as one line of JSON instead.

    Raises
    ------
    EvergreenError
        The first look fails.
    """
    found = look()
    with _lines() if as_json else _display(shown) as show:
        problem = ""
        while True:
            show(found, problem)
            began = time.monotonic()
            try:
                found, problem = look(), ""
            except EvergreenError as error:
                problem = str(error)
            took = time.monotonic() - began
            time.sleep(max(every - took, took, 0.1))


@contextmanager
def _lines() -> Iterator[Show]:
    """One document a line; the end of its reader is the end of it."""

    def show(found: Any, problem: str) -> None:
        if not problem:
            print(json.dumps(plain(found)), flush=True)

    _pause()
    try:
        yield show
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python would complain at its end
        raise typer.Exit(Exit.DONE) from None


@contextmanager
def _display(shown: Callable[[Any], Any]) -> Iterator[Show]:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    from cli.render.parts import readable

    def whole(found: Any, problem: str) -> Group:
        told = Text(f"{datetime.now().astimezone():%H:%M:%S %Z}. Ctrl-C ends this.", style="dim")
        away = [Text(f"This is what was known before: {problem}", style="bold red")] if problem else []
        return Group(readable(shown(found)), *away, told)

    _pause()
    console = Console(highlight=False)
    if not console.is_terminal or console.is_dumb_terminal:  # which cannot write over what is there
        yield lambda found, problem: console.print(whole(found, problem), crop=False)
        return
    with Live(console=console, auto_refresh=False) as live:
        yield lambda found, problem: live.update(whole(found, problem), refresh=True)


def _pause() -> None:
    """End the display of a command that takes long."""
    progress = sys.modules.get("flows.runtime.progress")
    if progress:
        progress.pause()
