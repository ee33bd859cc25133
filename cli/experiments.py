"""`evergreen try`: what a changed recipe would have come to, beside the model file's."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import checks
from cli.output import browse, say
from cli.parameters import AsOf, Json, ModelName, Open, exits, utc
from evergreen.exit_codes import Exit

Periods = Annotated[int, typer.Option(help="How many of the last periods to compare on.", min=3)]
PeriodLength = Annotated[
    str, typer.Option(help="The length of a period, such as 7d; the time between trainings by default.")
]


@exits(Exit.DONE, Exit.FAILED)
def try_(
    model: ModelName,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="CHANGES",
            help="A variant: the model file with other settings, separated by commas, such as training.window=56d or "
            "estimator.max_iter=200,features.weekday=none. Repeat it for further variants.",
        ),
    ] = None,
    files: Annotated[
        list[Path] | None,
        typer.Option(
            "--file",
            metavar="FILE",
            help="A variant: what this file would be as the model file. Repeat it for further variants.",
        ),
    ] = None,
    periods: Periods = 8,
    step: PeriodLength = "",
    as_of: AsOf = None,
    json: Json = False,
    open: Open = None,
) -> None:
    """Compare variants of a model with its file, on what was known in the past.

    At the beginning of each period every variant is trained on what was known then, and scored on the rows that
    followed. Nothing is registered, and the rows of the next holdout are not read. Run a stopped one again to
    continue it.
    """
    from evergreen.experiments.variant import Variant

    variants = [Variant.of_file(model, file) for file in files or []]
    variants += [Variant.of_settings(model, changes) for changes in settings or []]
    if not variants:
        raise typer.BadParameter("Name a variant: --set training.window=56d, or --file variant.py.")
    for variant in variants:  # what is wrong with one is told before anything large is imported
        variant.load()
    checks.rows(model)
    page = _compared(model, variants, periods, length_of(step), as_of)
    if json:
        from flows.runtime.progress import pause

        pause()
        print(Path(page.figures).read_text())
    else:
        from cli.render.experiments import compared

        best = page.compared.best
        say(False, page, compared(page), then=f"apply the change, then evergreen train {model}" if best else "")
    browse(page.page, open, json)


def length_of(step: str) -> timedelta | None:
    """The length of a period that `--step` names; None for the default.

    Raises
    ------
    ExperimentError
        It is no duration, or not longer than 0.
    """
    from evergreen.durations import positive
    from evergreen.errors import ExperimentError, translated

    with translated(ExperimentError, "--step: {reason}.", ValueError):
        return positive(step) if step else None


def _compared(model: str, variants: list[Any], periods: int, length: timedelta | None, as_of: Any) -> Any:
    from functools import partial

    from evergreen.experiments import recording, rolling
    from evergreen.experiments.run import run
    from evergreen.experiments.variant import Variant
    from evergreen.reports import experiment_page
    from evergreen.settings import Settings
    from evergreen.stores import Stores
    from flows.runtime.parameters import timestamp_of
    from flows.runtime.terminal import attended, watched

    attended(model)
    stores = Stores.open()
    folder = Settings.read().home / "experiments" / model
    at = timestamp_of(utc(as_of))
    experiment = rolling.planned(stores.lake, variants, Variant.own(model), folder, at, periods, length)
    compared = run(experiment, partial(watched, what=f"{model}: trainings"))
    page = experiment_page.write(compared)
    recording.record(stores.registry, experiment, compared)
    return page
