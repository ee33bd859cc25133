"""Contenders of a replay: the policies that are compared, each one function from what is known to a decision."""

import inspect
import re
import runpy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from evergreen import provenance
from evergreen.durations import parse
from evergreen.errors import PolicyError
from evergreen.lifecycle.retraining import Decision, State, decide
from evergreen.stores import Stores

if TYPE_CHECKING:
    from evergreen.definition.model import Model
    from evergreen.definition.options import Policy

ORACLE = "oracle"
UNGATED = "-ungated"
NAMES = (
    "never, every-7d (any length), data-1000 (so many new rows), drift, performance, estimated, own, FILE.py:FUNCTION"
)
_SCHEDULE = "# in prefect.yaml its schedule of refresh, and none of monitor"
_DATA = '# in prefect.yaml a schedule of ingest and the trigger "new data", and no schedule of refresh or monitor'
_WATCHED = '# in prefect.yaml schedules of ingest and monitor, and of the triggers of refresh only "{}"'
Decide = Callable[..., Decision]


@dataclass(frozen=True)
class Contender:
    """A policy in a replay.

    Attributes
    ----------
    name : str
    decide : callable
        From `evergreen.lifecycle.retraining.State` to `evergreen.lifecycle.retraining.Decision`.
    takes_stores : bool
        Whether `decide` has a parameter ``stores``: what is known at the moment, as an `evergreen.stores.Stores`.
    watches : bool
        Whether it looks at what a monitor sees; to see it costs as it does in production.
    gated : bool
        Whether a challenger takes over by its verdict only.
    lines : str
        What the model file and prefect.yaml have to say for it; empty where they cannot.
    """

    name: str
    decide: Decide
    watches: bool = False
    gated: bool = True
    lines: str = ""
    takes_stores: bool = False


def named(name: str, model: "Model") -> Contender:
    """Find a contender by its name.

    Parameters
    ----------
    name : str
        ``never``; ``every-7d``; ``data-1000``, which trains once so many new rows are labelled;
        ``drift``; ``performance``; ``estimated``, which is performance before labels come; ``own``,
        the model file's policy with its schedule and its monitor; ``oracle``, which trains at every
        step and takes what it gets; or ``file.py:function``. With ``-ungated`` at its end every challenger takes over.
    model : Model

    Raises
    ------
    PolicyError
        There is none of that name.
    """
    plain = name.removesuffix(UNGATED)
    found = _file(plain) if ":" in plain else _built_in(plain, model)
    return found if plain == name else replace(found, name=name, gated=False, lines="")


def _built_in(name: str, model: "Model") -> Contender:
    policy = model.policy
    if name == "never":
        return Contender(name, _never, lines="# in prefect.yaml neither schedules nor triggers of refresh and monitor")
    if name == ORACLE:
        return Contender(name, _always, gated=False)
    if re.fullmatch(r"every-[1-9]\d*(min|h|d|w)", name):
        length = name.removeprefix("every-")
        own = policy.model_copy(update={"every": parse(length)})
        return Contender(name, partial(_wished, own, "schedule"), lines=f'policy=Policy(every="{length}")  {_SCHEDULE}')
    if re.fullmatch(r"data-\d+", name):
        rows = int(name.removeprefix("data-"))
        own = policy.model_copy(update={"min_new_rows": rows})
        return Contender(name, partial(_wished, own, "data"), lines=f"policy=Policy(min_new_rows={rows})  {_DATA}")
    kinds: dict[str, Contender] = {
        "drift": Contender(name, partial(_drift, policy), watches=True, lines=_WATCHED.format("drift")),
        "performance": Contender(
            name, partial(_performance, policy), watches=True, lines=_WATCHED.format("loss of performance")
        ),
        "estimated": Contender(
            name,
            partial(_estimated, policy.model_copy(update={"estimated": True})),
            watches=True,
            lines=f"policy=Policy(estimated=True)  {_WATCHED.format('loss of performance')}",
        ),
        "own": Contender(name, partial(_own, policy), watches=True, lines="the model file as it is"),
    }
    if name not in kinds:
        raise PolicyError(f"There is no policy {name!r}. Name any of {NAMES}; with {UNGATED} its gates are off.")
    return kinds[name]


def _file(name: str) -> Contender:
    """A function of the user's own."""
    path, _, function = name.rpartition(":")
    try:
        found = runpy.run_path(path)[function]
    except KeyError:
        raise PolicyError(f"{path} defines no {function!r}.") from None
    except Exception as error:
        raise PolicyError(f"{path} does not run: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise PolicyError(f"{function!r} of {path} is no function.")
    return Contender(name, found, watches=getattr(found, "watches", True), takes_stores=_takes_stores(found))


def _takes_stores(decide: Decide) -> bool:
    """Whether a policy asks for the stores, by a parameter of that name."""
    try:
        return "stores" in inspect.signature(decide).parameters
    except ValueError:  # of some that are written in C
        return False


def fingerprint(name: str) -> str:
    """Alike for what decides alike: a function in a file is another one when the file is changed."""
    path = Path(name.removesuffix(UNGATED).rpartition(":")[0])
    return provenance.fingerprint([name, path.read_text() if path.is_file() else ""])


def asked(contender: Contender, state: State, stores: Stores) -> Decision:
    """What a contender decides.

    Raises
    ------
    PolicyError
        It raises, or gives something else than a decision.
    """
    try:
        found = contender.decide(state, stores=stores) if contender.takes_stores else contender.decide(state)
    except Exception as error:
        message = f"The policy {contender.name} raised {type(error).__name__} at {state.as_of:%Y-%m-%d}: {error}"
        raise PolicyError(message) from error
    if not isinstance(found, Decision):
        raise PolicyError(f"The policy {contender.name} gave {found!r}, not a Decision, at {state.as_of:%Y-%m-%d}.")
    return found


def _never(state: State) -> Decision:
    return Decision("nothing", "never")


def _always(state: State) -> Decision:
    return Decision("train", "every step")


def _wished(policy: "Policy", wish: str, state: State) -> Decision:
    """As if only this were wished for, and nothing seen."""
    return decide(replace(state, wish=wish, predecessor=""), policy)


def _drift(policy: "Policy", state: State) -> Decision:
    """A monitor that does not look at performance."""
    return decide(replace(state, performance="", foreseen=""), policy)


def _performance(policy: "Policy", state: State) -> Decision:
    """A monitor that looks at realised performance only."""
    return decide(replace(state, drift=(), foreseen=""), policy)


def _estimated(policy: "Policy", state: State) -> Decision:
    """A monitor that looks at estimated performance only."""
    return decide(replace(state, drift=(), performance=""), policy)


def _own(policy: "Policy", state: State) -> Decision:
    """As in production: the schedule's wish first, then what the monitor sees; a rollback before both."""
    if state.predecessor:
        return decide(state, policy)
    by_schedule = decide(replace(state, wish="schedule"), policy)
    return by_schedule if by_schedule.train else decide(state, policy)
