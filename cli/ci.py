"""`evergreen ci`: what a change of model files does to the models that are in production, before it is merged."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.experiments import PeriodLength, Periods
from cli.output import say
from cli.parameters import AsOf, Json, exits, utc
from evergreen.exit_codes import Exit


@exits(Exit.DONE, Exit.FAILED, Exit.REJECTED, Exit.UNDECIDED, released=False)
def ci(
    models: Annotated[list[str] | None, typer.Argument(metavar="[MODEL ...]", help="All by default.")] = None,
    base: Annotated[str, typer.Option(help="What the change is to be merged into: a branch, tag or commit.")] = "main",
    output: Annotated[
        Path | None, typer.Option(help="The file to write the comment into; in the home's reports by default.")
    ] = None,
    periods: Periods = 8,
    step: PeriodLength = "",
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Check a change of model files against production, as a pull request: better, worse, or nothing to do with it.

    The models that the change affects are found by their code, that of imported modules included. Of each the base
    and the changed file are trained and compared on production's history, and judged by the gates against its
    champion. Production's lake and registry are only read. The comment is Markdown; what was fitted before is not
    fitted again.
    """
    from evergreen.experiments.model_change import code_of
    from evergreen.files import replace
    from evergreen.reports.change_comment import markdown
    from evergreen.settings import Settings

    commit, changes = _changes(models or [], base, periods, step, as_of)
    path = output or Settings.read().home / "reports" / "ci.md"
    comment = markdown(changes, base, commit)
    replace(path.absolute(), comment)
    value = {
        "base": commit,
        "comment": str(path),
        "models": [vars(change) | {"verdict": change.verdict} for change in changes],
    }
    from cli.render.ci import checked

    say(json, value, None if json else checked(changes, base, str(path)))
    raise typer.Exit(code_of(changes))


def _changes(names: list[str], base: str, periods: int, step: str, as_of: Any) -> tuple[str, list[Any]]:
    from cli.experiments import length_of
    from evergreen.definition.model_files import existing
    from evergreen.experiments.revision import affected, revision
    from evergreen.settings import Settings

    length = length_of(step)
    for name in names:
        existing(name)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # a person or a runner waits
    settings = Settings.read()
    there = revision(base, settings.models, settings.home / "experiments" / "revisions")
    found = affected(there, settings.models, names)
    if not found:
        return there.commit, []
    from functools import partial

    from flows.runtime.change_check import Check, checked
    from flows.runtime.parameters import timestamp_of
    from flows.runtime.terminal import attended, watched

    attended(found[0].model)
    folder = settings.home / "experiments"
    check = Check(there, settings.models, folder, timestamp_of(utc(as_of)), periods, length)
    return there.commit, [
        checked(check, change, partial(watched, what=f"{change.model}: trainings")) for change in found
    ]
