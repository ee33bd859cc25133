"""What needs a person, and what a person holds up: alerts, and schedules."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import say
from cli.parameters import Json, ModelName, exits
from evergreen.exit_codes import Exit

if TYPE_CHECKING:
    import pandas as pd

Reason = Annotated[str, typer.Option(help="Why, for the record.")]


@exits(Exit.DONE, Exit.FAILED, Exit.BUSY)
def acknowledge(model: ModelName, reason: Reason, json: Json = False) -> None:
    """Record that you have seen the alert of a model; it waits for nobody until another one is raised."""
    from evergreen.definition.model_files import existing
    from evergreen.lake.audit_log import person
    from evergreen.lake.lake import Bare
    from evergreen.lifecycle.acknowledgement import acknowledge as record
    from evergreen.stores import Stores

    existing(model)
    alert = record(Stores.open(), Bare(model), reason, person(), _now())
    told = {"model": model, "alert": alert.entry.reason, "raised": alert.entry.as_of, "by": alert.by, "reason": reason}
    say(json, told, f"{model}: acknowledged: {alert.entry.reason}", then=f"evergreen why {model}")


@exits(Exit.DONE, Exit.FAILED)
def pause(model: ModelName, reason: Reason, json: Json = False) -> None:
    """Let no schedule start a run of a model until it is resumed; `deploy` and `up` keep it so.

    Events such as new data, and persons, still start runs.
    """
    _switch(model, reason, json, paused=True)


@exits(Exit.DONE, Exit.FAILED)
def resume(model: ModelName, reason: Reason, json: Json = False) -> None:
    """Let the schedules of a model start runs again."""
    _switch(model, reason, json, paused=False)


def _switch(model: str, reason: str, json: bool, *, paused: bool) -> None:
    from evergreen.definition.model_files import existing
    from evergreen.lake.audit_log import person
    from evergreen.stores import Stores
    from flows.runtime import schedules

    existing(model)
    act = schedules.pause if paused else schedules.resume
    done = act(Stores.open(), model, reason, person(), _now())
    word = schedules.PAUSED if paused else schedules.RESUMED
    back = "resume" if paused else "pause"
    say(json, done, f"{model}: {word}: {', '.join(done.schedules)}.", then=f"evergreen {back} {model} --reason ...")


def _now() -> "pd.Timestamp":
    import pandas as pd

    return pd.Timestamp(datetime.now(UTC)).as_unit("us")
