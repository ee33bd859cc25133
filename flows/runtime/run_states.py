"""Final states of flow runs: the state in Prefect's UI is named after the outcome, which the flow's caller gets."""

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from prefect import Flow, State
from prefect.context import FlowRunContext
from prefect.exceptions import CancelledRun, MissingResult
from prefect.states import Cancelled, Completed

from evergreen.errors import BusyError
from evergreen.lifecycle.outcome import Outcome, code_after
from flows.runtime.heartbeats import no_heartbeats

if TYPE_CHECKING:
    from evergreen.ingestion.batch import Ingested
    from evergreen.lifecycle.decision import Decision
    from evergreen.reports.replay_page import ReplayPage

P = ParamSpec("P")
R = TypeVar("R")
_RETURNED: ContextVar[list[Any] | None] = ContextVar("what the flow that was called last returned", default=None)


class LoopFlow(Flow[P, R]):
    """A flow whose caller gets what it returned, however late Prefect's server answers.

    A server that has stored the final state and answers too late is asked again, says that it has it, and gives the
    state without its data. Prefect then raises `MissingResult`, or `CancelledRun`, though the work is done.
    """

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:  # type: ignore[override]
        """Run the flow; what it returned."""
        returned: list[Any] = []
        token = _RETURNED.set(returned)
        try:
            return super().__call__(*args, **kwargs)
        except (MissingResult, CancelledRun):
            if not returned:
                raise
        finally:
            _RETURNED.reset(token)
        if isinstance(returned[-1], BusyError):
            raise returned[-1]
        return cast(R, returned[-1])


def loop_flow(name: str, flow_run_name: Callable[[], str]) -> Callable[[Callable[P, R]], LoopFlow[P, R]]:
    """Make a flow of a function, as Prefect's own decorator does; it ends as Busy where the model's lock is held."""
    return lambda body: LoopFlow(_unless_busy(body), name=name, flow_run_name=flow_run_name)


def _final(state: State[Any]) -> Any:
    """A final state for a flow to return; its caller gets the state's data."""
    returned = _RETURNED.get()
    if returned is not None:
        returned.append(state.data)
    return state


def end_with_outcome(outcome: Outcome) -> Outcome:
    """End a flow with the outcome of the loop; a caller of the flow gets the outcome itself."""
    moved = "Rolled back" if outcome.decision == "rollback" else "Promoted"
    idle = "Refused" if outcome.decision == "refused" else "Nothing to do"
    name = moved if outcome.moved else outcome.code.state or idle
    quarantined = f" In quarantine: {', '.join(outcome.quarantined)}." if outcome.quarantined else ""
    return cast(Outcome, _final(Completed(name=name, message=outcome.reason + quarantined, data=outcome)))


def end_with_batches(batches: "list[Ingested]") -> "list[Ingested]":
    """End a flow with the batches of an ingest; a caller of the flow gets the batches."""
    name = code_after(batches).state or ("Ingested" if batches else "Nothing to do")
    lines = [f"{batch.batch} {batch.fate}{': ' if batch.notes else ''}{'; '.join(batch.notes)}" for batch in batches]
    message = "\n".join(lines) or "Nothing is newer than what is there."
    return cast("list[Ingested]", _final(Completed(name=name, message=message, data=batches)))


def end_with_decision(decision: "Decision") -> "Decision":
    """End a flow with the decision of a monitor; a caller of the flow gets the decision."""
    named = {"train": "Training asked for", "alert": "Alert", "roll back": "Rolled back"}
    name = named.get(decision.action, "Found, nothing done" if decision.found else "All quiet")
    return cast("Decision", _final(Completed(name=name, message=decision.reason, data=decision)))


def end_with_replay(written: "ReplayPage") -> "ReplayPage":
    """End a flow with the result of a replay; a caller of the flow gets the written page."""
    found = written.replayed
    name = f"Take {found.recommended}" if found.recommended else "Nothing to take"
    message = "\n\n".join([found.reason, written.page, *written.problems()])
    return cast("ReplayPage", _final(Completed(name=name, message=message, data=written)))


def _unless_busy(body: Callable[P, R]) -> Callable[P, R]:
    """End a flow as Busy, not as failed, if another process is working on the model.

    A caller of the flow gets the error itself; a run that a worker started has no caller. The flows that this
    flow calls send no heartbeats: its own cover the whole run.
    """

    @wraps(body)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with no_heartbeats():
                return body(*args, **kwargs)
        except BusyError as error:
            context = FlowRunContext.get()
            if context and context.flow_run and context.flow_run.deployment_id:
                return cast(R, Completed(name="Busy", message=str(error)))
            return cast(R, _final(Cancelled(name="Busy", message=str(error), data=error)))

    return run
