"""The policies that a replay compares, each a function from the known state to a decision."""

import inspect
import re
import runpy
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from evergreen import provenance
from evergreen.durations import parse, positive
from evergreen.errors import PolicyError, translated
from evergreen.lifecycle.decision import Decision, State, decide
from evergreen.replay.hindsight import KNOWING, RunOf
from evergreen.stores import Stores

if TYPE_CHECKING:
    from evergreen.definition.model import Model
    from evergreen.definition.options import Policy

ORACLE = "oracle"
UNGATED = "-ungated"
NAMES = (
    "never, every-7d (any length), data-1000 (so many new rows), drift, performance, estimated, own, FILE.py:FUNCTION, "
    "best-window, each-window"
)
_SCHEDULE = "# in prefect.yaml its schedule of refresh, and none of monitor"
_DATA = '# in prefect.yaml a schedule of ingest and the trigger "new data", and no schedule of refresh or monitor'
_WATCHED = '# in prefect.yaml schedules of ingest and monitor, and of the triggers of refresh only "{}"'
Decide = Callable[..., Decision]


@dataclass(frozen=True)
class ReplayedPolicy:
    """A policy in a replay.

    Attributes
    ----------
    name : str
    decide : callable
        From `evergreen.lifecycle.decision.State` to `evergreen.lifecycle.decision.Decision`.
    takes_stores : bool
        Whether `decide` has a parameter ``stores``: the known data as an `evergreen.stores.Stores`.
    run_of : callable or None
        For one that knows the future: its run, from the scores of all training windows (`evergreen.replay.hindsight`).
    watches : bool
        Whether it uses the monitor's observations, which cost as much as in production.
    gated : bool
        Whether a challenger is promoted only by its verdict.
    lines : str
        The lines of the model file and of prefect.yaml that set this policy; empty if they cannot express it.
    """

    name: str
    decide: Decide
    watches: bool = False
    gated: bool = True
    lines: str = ""
    takes_stores: bool = False
    run_of: RunOf | None = None


def step_length(step: str) -> timedelta:
    """The time between decisions, as a person writes it.

    Raises
    ------
    PolicyError
        It is no duration, or is 0.
    """
    with translated(PolicyError, "step: {reason}.", ValueError):
        return positive(step)


def listed(policies: str) -> list[str]:
    """The names in a text that separates them by commas."""
    return [name.strip() for name in policies.split(",") if name.strip()]


def named(name: str, model: "Model") -> ReplayedPolicy:
    """Find a policy by its name.

    Parameters
    ----------
    name : str
        ``never``; ``every-7d``; ``data-1000``, which trains once so many new rows are labelled;
        ``drift``; ``performance``; ``estimated``, which is performance before labels arrive; ``own``,
        the model file's policy with its schedule and its monitor; ``oracle``, which trains at every
        step and promotes every challenger; ``best-window`` and ``each-window``, which also know which training window
        will be best; or ``file.py:function``. With ``-ungated`` at its end every challenger is promoted.
    model : Model

    Raises
    ------
    PolicyError
        There is none of that name.
    """
    plain = name.removesuffix(UNGATED)
    policy = _file(plain) if ":" in plain else _built_in(plain, model)
    return policy if plain == name else replace(policy, name=name, gated=False, lines="")


def _built_in(name: str, model: "Model") -> ReplayedPolicy:
    policy = model.policy
    if name == "never":
        return ReplayedPolicy(
            name, _never, lines="# in prefect.yaml neither schedules nor triggers of refresh and monitor"
        )
    if name == ORACLE:
        return ReplayedPolicy(name, _always, gated=False)
    if name in KNOWING:
        return ReplayedPolicy(name, _always, gated=False, run_of=KNOWING[name])
    if re.fullmatch(r"every-[1-9]\d*(min|h|d|w)", name):
        length = name.removeprefix("every-")
        own = policy.model_copy(update={"every": parse(length)})
        return ReplayedPolicy(
            name, partial(_triggered, own, "schedule"), lines=f'policy=Policy(every="{length}")  {_SCHEDULE}'
        )
    if re.fullmatch(r"data-\d+", name):
        rows = int(name.removeprefix("data-"))
        own = policy.model_copy(update={"min_new_rows": rows})
        return ReplayedPolicy(
            name, partial(_triggered, own, "data"), lines=f"policy=Policy(min_new_rows={rows})  {_DATA}"
        )
    kinds: dict[str, ReplayedPolicy] = {
        "drift": ReplayedPolicy(name, partial(_drift, policy), watches=True, lines=_WATCHED.format("drift")),
        "performance": ReplayedPolicy(
            name, partial(_performance, policy), watches=True, lines=_WATCHED.format("loss of performance")
        ),
        "estimated": ReplayedPolicy(
            name,
            partial(_estimated, policy.model_copy(update={"estimated": True})),
            watches=True,
            lines=f"policy=Policy(estimated=True)  {_WATCHED.format('loss of performance')}",
        ),
        "own": ReplayedPolicy(name, partial(_own, policy), watches=True, lines="Keep the model file as it is."),
    }
    if name not in kinds:
        raise PolicyError(f"There is no policy {name!r}. Name any of {NAMES}; with {UNGATED} its gates are off.")
    return kinds[name]


def _file(name: str) -> ReplayedPolicy:
    """A policy function in a file of the user."""
    path, _, function = name.rpartition(":")
    try:
        policy_function = runpy.run_path(path)[function]
    except KeyError:
        raise PolicyError(f"{path} defines no {function!r}.") from None
    except Exception as error:
        raise PolicyError(f"{path} does not run: {type(error).__name__}: {error}") from error
    if not callable(policy_function):
        raise PolicyError(f"{function!r} of {path} is not a function.")
    return ReplayedPolicy(
        name,
        policy_function,
        watches=getattr(policy_function, "watches", True),
        takes_stores=_takes_stores(policy_function),
    )


def _takes_stores(decide: Decide) -> bool:
    """Whether a policy has a parameter named `stores`."""
    try:
        return "stores" in inspect.signature(decide).parameters
    except ValueError:  # some functions written in C have no signature
        return False


def fingerprint(name: str) -> str:
    """Equal for policies that decide equally: a function in a file changes with the file."""
    path = Path(name.removesuffix(UNGATED).rpartition(":")[0])
    return provenance.fingerprint([name, path.read_text() if path.is_file() else ""])


def decision_of(policy: ReplayedPolicy, state: State, stores: Stores) -> Decision:
    """The decision of a policy.

    Raises
    ------
    PolicyError
        It raises, or returns something other than a decision.
    """
    try:
        decision = policy.decide(state, stores=stores) if policy.takes_stores else policy.decide(state)
    except Exception as error:
        message = f"The policy {policy.name} raised {type(error).__name__} at {state.as_of:%Y-%m-%d}: {error}"
        raise PolicyError(message) from error
    if not isinstance(decision, Decision):
        raise PolicyError(f"The policy {policy.name} returned {decision!r}, not a Decision, at {state.as_of:%Y-%m-%d}.")
    return decision


def _never(state: State) -> Decision:
    return Decision("nothing", "never")


def _always(state: State) -> Decision:
    return Decision("train", "every step")


def _triggered(policy: "Policy", trigger: str, state: State) -> Decision:
    """Decide on this trigger only, without the monitor's observations."""
    return decide(replace(state, wish=trigger, predecessor=""), policy)


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
    """As in production: a rollback first, then the schedule, then the monitor's observations."""
    if state.predecessor:
        return decide(state, policy)
    by_schedule = decide(replace(state, wish="schedule"), policy)
    return by_schedule if by_schedule.train else decide(state, policy)
