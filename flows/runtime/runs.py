"""Runs of the deployments, for a process that only asks: start one, look at it, find those that did not end well.

The Prefect server is looked for at every call, as it can start, end and move while such a process goes on.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from evergreen import errors
from evergreen.errors import RunningError, translated
from flows.runtime import connection

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

LOOP = ("refresh", "train", "monitor", "ingest")
"""The flows whose failure leaves a model as it was, so that somebody has to see to it."""

_MOST = 200  # that Prefect gives at once
_PAGES = 10  # of so many
_FAILED = 50  # failed runs that are looked at; a fleet in trouble has Prefect's own list
_DOES_TOO = {"ingest": "refresh"}  # the flow that does what another one does: it need not train
_RAISED = re.compile(r"^Flow run encountered an exception:?\s*")


@dataclass(frozen=True)
class Run:
    """A flow run, as a person looks at it.

    Attributes
    ----------
    id : str
    flow, model : str
        What is run, and for which model.
    state : str
        Its name, such as `Promoted` or `Late`.
    kind : str
        The kind of the state, as Prefect writes it, such as ``"COMPLETED"``.
    sentence : str
        What it came to, or why it failed; empty before.
    at : str
        When it ended, began or was to begin; ISO 8601.
    page : str
        The address of Prefect's page of it.
    """

    id: str
    flow: str
    model: str
    state: str
    kind: str
    sentence: str
    at: str
    page: str

    @property
    def ended(self) -> bool:
        """Whether it will not change any more."""
        return self.kind in ("COMPLETED", "CANCELLED", "FAILED", "CRASHED")

    @property
    def failed(self) -> bool:
        """Whether it ended without a result."""
        return self.kind in ("FAILED", "CRASHED")


@dataclass(frozen=True)
class Troubled:
    """The runs that a person has to see to.

    Attributes
    ----------
    runs : list of Run
        Newest first.
    unseen : int
        How many more failed; nobody has looked whether a later run has made them good.
    """

    runs: list[Run]
    unseen: int = 0


def has_server() -> bool:
    """Whether a Prefect server is known: that of the home's `evergreen up`, or the one that is set."""
    return bool(connection.current()[0])


def page_of(run: str) -> str:
    """The page of a run in Prefect's own UI, by its id; empty without one, and where no server is known."""
    server = connection.current()[0]
    return _page(server, run) if run and server else ""


def start(flow: str, parameters: dict[str, Any], key: str) -> Run:
    """Ask for a run of a deployment; the same key gives the same run.

    Raises
    ------
    RunningError
        There is no server, it does not answer, or it has no such deployment.
    """
    from prefect.exceptions import ObjectNotFound

    with connected("start a run") as client:
        try:
            deployment = client.read_deployment_by_name(f"{flow}/{flow}")
        except ObjectNotFound as error:
            raise RunningError(
                f"Prefect's server has no deployment of {flow}. `evergreen up` or `evergreen deploy` registers it."
            ) from error
        begun = client.create_flow_run_from_deployment(deployment.id, parameters=parameters, idempotency_key=key)
        return _run(begun, flow, client)


def find(key: str) -> Run | None:
    """The run that was asked for with a key; None if there is none.

    Raises
    ------
    RunningError
        There is no server, or it does not answer.
    """
    with connected("look for a run") as client:
        found = _runs(client, idempotency_key={"any_": [key]})
        names = _deployments(client) if found else {}
        return _run(found[0], names.get(found[0].deployment_id, ""), client) if found else None


def look(run: Run) -> Run:
    """A run as it is now.

    Raises
    ------
    RunningError
        There is no server, or it does not answer.
    """
    with connected("look at a run") as client:
        return _run(client.read_flow_run(UUID(run.id)), run.flow, client)


def troubled(within: timedelta = timedelta(days=7)) -> Troubled:
    """The runs of the loop that failed and that no later run has made good, and those that are overdue; newest first.

    Parameters
    ----------
    within : timedelta
        Leave out what ended longer ago.

    Raises
    ------
    RunningError
        There is no server, or it does not answer.
    """
    since = datetime.now(UTC) - within
    with connected("look for failed runs") as client:
        names = {place: name for place, name in _deployments(client).items() if name in LOOP}
        own: dict[str, Any] = {"deployment_id": {"any_": list(names)}}
        if not names:
            return Troubled([])
        failed = {"type": {"any_": ["FAILED", "CRASHED"]}}
        runs = _all(client, **own, state=failed, end_time={"after_": since}, sort="END_TIME_DESC")
        late = _all(client, **own, state={"name": {"any_": ["Late"]}})
        newest: dict[tuple[Any, Any], FlowRun] = {}
        for run in runs:
            newest.setdefault((run.deployment_id, run.parameters.get("model")), run)
        still = [run for run in list(newest.values())[:_FAILED] if not _made_good(client, run, names)]
        overdue: dict[tuple[Any, Any], FlowRun] = {}
        for run in late:
            overdue.setdefault((run.deployment_id, run.parameters.get("model")), run)
        found = [*overdue.values(), *still]
        shown = [_run(run, names.get(run.deployment_id, ""), client) for run in found]
        return Troubled(shown, max(len(newest) - _FAILED, 0))


def _made_good(client: "SyncPrefectClient", failed: "FlowRun", names: dict[Any, str]) -> bool:
    """Whether a later run for the same model has completed: of the same deployment, or of one that does the same."""
    model, flow = failed.parameters.get("model"), names.get(failed.deployment_id, "")
    equal = {flow, _DOES_TOO.get(flow, flow)}
    later = _runs(
        client,
        deployment_id={"any_": [deployment for deployment, name in names.items() if name in equal]},
        state={"type": {"any_": ["COMPLETED"]}},
        start_time={"after_": failed.end_time},
        name={"like_": f"{model} · "},
    )
    return any(run.parameters.get("model") == model and run.state_name != "Busy" for run in later)


@contextmanager
def connected(doing: str) -> "Iterator[SyncPrefectClient]":
    """A client of the server as it is now.

    Parameters
    ----------
    doing : str
        What is done with it, for errors.

    Raises
    ------
    RunningError
        There is no server, it does not answer, or it refuses.
    """
    address, secret = connection.current()
    if not address:
        raise RunningError(f"There is no Prefect server to {doing} with. `evergreen up` starts one.")
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    settings = {PREFECT_API_URL: address, PREFECT_API_AUTH_STRING: secret or None}
    message = f"Prefect's server at {address} could not {doing}: {{reason}}."
    with (
        translated(RunningError, message, chained=False),
        temporary_settings(settings),
        get_client(sync_client=True) as client,
    ):
        yield client


def _deployments(client: "SyncPrefectClient") -> dict[Any, str]:
    """The names of our deployments by their ids."""
    from flows.runtime.registered import ours

    return {deployment.id: deployment.name for deployment in ours(client)}


def _all(client: "SyncPrefectClient", **conditions: Any) -> "list[FlowRun]":
    """All runs that meet conditions, up to some thousands: Prefect gives so many at once, without a word of more."""
    found: list[FlowRun] = []
    while len(found) < _PAGES * _MOST:
        page = _runs(client, offset=len(found), **conditions)
        found += page
        if len(page) < _MOST:
            break
    return found


def _runs(
    client: "SyncPrefectClient", sort: str = "EXPECTED_START_TIME_DESC", offset: int = 0, **conditions: Any
) -> "list[FlowRun]":
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.client.schemas.sorting import FlowRunSort

    among = FlowRunFilter.model_validate(conditions)
    return client.read_flow_runs(flow_run_filter=among, sort=FlowRunSort(sort), limit=_MOST, offset=offset)


def _run(run: "FlowRun", flow: str, client: "SyncPrefectClient") -> Run:
    state = run.state
    at = run.end_time or run.start_time or run.expected_start_time
    return Run(
        id=str(run.id),
        flow=flow,
        model=str(run.parameters.get("model", "")),
        state=state.name or "" if state else "",
        kind=state.type.value if state else "",
        sentence=_sentence(state.message or "" if state else ""),
        at=at.isoformat() if at else "",
        page=_page(str(client.api_url), str(run.id)),
    )


def _page(server: str, run: str) -> str:
    pages = os.environ.get("PREFECT_UI_URL") or server.removesuffix("/").removesuffix("/api")
    return f"{pages}/runs/flow-run/{run}"


def _sentence(message: str) -> str:
    """What a state says, without what Prefect says of the exception.

    Examples
    --------
    >>> _sentence("Flow run encountered an exception: BusyError: toy is being trained.")
    'toy is being trained.'
    >>> _sentence("Flow run encountered an exception: KeyError: 'x'")
    "KeyError: 'x'"
    """
    text, raised = _RAISED.subn("", message)
    kind, _, rest = text.partition(": ")
    return rest if raised and isinstance(getattr(errors, kind, None), type) else text
