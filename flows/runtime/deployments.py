"""Register every deployment of prefect.yaml with a Prefect server."""

import hashlib
import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evergreen import lifeline, provenance
from evergreen.definition import loader
from evergreen.errors import RunningError
from evergreen.settings import Settings
from flows.runtime import declared
from flows.runtime.declared import file
from flows.runtime.registered import POOL, Deployment, Schedule, has_just, has_triggers, ours
from tasks.support.pages import every

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import WorkPool

_MARK = "evergreen_registered"  # the variable on the server that says what was registered last
_FLOWS = Path(__file__).parents[1]
_FEW = 25  # schedules: Prefect takes 60 ms to list one, and a deploy of nothing changed is to take no longer than 5 s
# Without the process that would first prepare a folder of code, and importing nothing from the working folder.
_COMMAND = "python -P -m prefect.engine"
_CAPTURE: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "check": False}


@dataclass(frozen=True)
class Registered:
    """The deployments that a server has now.

    Attributes
    ----------
    names : list of str
        The deployments, one a flow.
    notes : list of str
        Schedules of the file that were left out, and models without one, a sentence each.
    """

    names: list[str]
    notes: list[str]


def server() -> str:
    """The address of the server to register with.

    Raises
    ------
    RunningError
        None is set.
    """
    address = os.environ.get("PREFECT_API_URL")
    if not address:
        raise RunningError(
            "PREFECT_API_URL is not set. Name the server's API, such as http://127.0.0.1:4200/api;"
            " `evergreen up` starts one and registers by itself."
        )
    return address


def make_pool(limit: int | None = None) -> None:
    """Create the work pool of the deployments if there is none, and give it a limit if it has none.

    A pool of processes that is there, also of an earlier release, loses what would let a run change the code.

    Parameters
    ----------
    limit : int, optional
        How many runs may be active at once. The limit is set on the pool: the worker's own limit ends
        the worker if a suspended run is resumed before its process has ended.

    Raises
    ------
    RunningError
        The server does not answer.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolUpdate

    with get_client(sync_client=True) as client:
        away = client.api_healthcheck()
        if away:
            raise RunningError(f"{server()} does not answer ({away}): start the Prefect server it names.")
        pool = _pool(client)
        change: dict[str, Any] = {}
        if pool.type == "process" and _fixed(pool.base_job_template) != pool.base_job_template:
            change["base_job_template"] = _fixed(pool.base_job_template)
        if limit and pool.concurrency_limit is None:
            change["concurrency_limit"] = limit
        if change:
            client.update_work_pool(POOL, WorkPoolUpdate(**change))


def _pool(client: "SyncPrefectClient") -> "WorkPool":
    """The work pool, made if there is none: what a pool begins with takes a second to import."""
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

    with suppress(ObjectNotFound):
        return client.read_work_pool(POOL)
    from prefect.workers.process import ProcessWorker

    template = _fixed(ProcessWorker.get_default_base_job_template())
    with suppress(ObjectAlreadyExists):
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process", base_job_template=template))
    return client.read_work_pool(POOL)


def _fixed(template: dict[str, Any]) -> dict[str, Any]:
    """A pool's template in which nothing that decides which code runs is left to a run or a deployment.

    A variable that is only fixed to a value would not do: Prefect adds a run's `env` to that of the template.
    """
    fixed = deepcopy(template)
    for name in ("command", "env", "working_dir"):
        fixed["job_configuration"].pop(name, None)
        fixed["variables"].get("properties", {}).pop(name, None)
    fixed["job_configuration"]["command"] = _COMMAND
    return fixed


def register(environment: Mapping[str, str] | None = None) -> Registered:
    """Register the deployments with `prefect deploy --all`, and delete those that are declared no more; idempotent.

    Raises
    ------
    RunningError
        No server is set, or Prefect refused.
    """
    from prefect.client.orchestration import get_client

    server()
    make_pool()
    with get_client(sync_client=True) as client:
        there = ours(client)
    held, wanted = declared.held_up(there), declared.names()
    chosen = declared.with_paused(held) if held else file()
    words = lifeline.command("prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(chosen))
    home = Settings.read().home  # Prefect imports flows from its working folder first, where a team may have others
    done = subprocess.run(words, cwd=home, env=dict(environment or lifeline.environment()), **_CAPTURE)  # noqa: S603 - no word from outside
    if done.returncode:
        raise RunningError(f"Prefect could not register {file()}; it said:\n{done.stdout.strip()[-2000:]}")
    gone = sorted((found for found in there if found.name not in wanted), key=lambda deployment: deployment.name)
    with get_client(sync_client=True) as client:
        for deployment in gone:
            client.delete_resource_owned_automations(f"prefect.deployment.{deployment.id}")  # which Prefect leaves
            client.delete_deployment(deployment.id)
    registered = _delete_unknown_schedules()
    registered.notes.extend(
        f"The schedules of {name} are paused, and stay so: `evergreen resume {name} --reason ...` resumes them."
        for name in sorted({model for model, _, _ in held if model})
    )
    registered.notes.extend(f"Deployment {old.name!r} is not declared any more and was deleted." for old in gone)
    return registered


def register_once() -> tuple[Registered, bool]:
    """Register the deployments; nothing if the server has just these.

    Returns
    -------
    registered : Registered
    changed : bool

    Raises
    ------
    RunningError
        No server is set, it does not answer, or Prefect refused.
    """
    from prefect.client.orchestration import get_client

    server()
    make_pool()
    mark, wanted = _mark(), declared.names()
    with get_client(sync_client=True) as client:
        known = client.read_variable_by_name(_MARK)
        if known is not None and known.value == mark and _has_all(client, wanted):
            return Registered(sorted(wanted), []), False
    registered = register()
    with get_client(sync_client=True) as client:
        _note(client, mark)
    return registered, True


def _has_all(client: "SyncPrefectClient", wanted: list[str]) -> bool:
    """Whether the server still has what was registered: deployments, triggers, and schedules where they are few."""
    if not (has_just(client, wanted) and has_triggers(client, declared.triggers())):
        return False
    schedules = declared.schedules(loader.names())
    if len(schedules) > _FEW:
        return True
    return schedules <= {
        (deployment.name, schedule.slug or "") for deployment in ours(client) for schedule in deployment.schedules
    }


def _mark() -> str:
    """Equal for two registrations that would register the same: the code of a flow says which parameters it takes."""
    files = [*sorted(_FLOWS.glob("*.py")), _FLOWS / "runtime" / "parameters.py"]
    code = [path.read_text(encoding="utf-8") for path in files]
    versions = [metadata.version("prefect"), provenance.release()]
    parts = [file().read_text(encoding="utf-8"), *loader.names(), _COMMAND, *versions, *code]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _note(client: Any, mark: str) -> None:
    from prefect.client.schemas.actions import VariableCreate, VariableUpdate

    if client.read_variable_by_name(_MARK) is None:
        client.create_variable(VariableCreate(name=_MARK, value=mark))
    else:
        client.update_variable(VariableUpdate(name=_MARK, value=mark))


def _delete_unknown_schedules() -> Registered:
    """Delete the schedules of models that do not exist here: their runs would fail."""
    from prefect.client.orchestration import get_client

    known, notes = loader.names(), []
    with get_client(sync_client=True) as client:
        registered = ours(client)
        for deployment in registered:
            for schedule in deployment.schedules:
                name = schedule.parameters.get("model", known[0] if known else None)
                if name not in known and not (name and loader.is_declared(name)):
                    client.delete_deployment_schedule(deployment.id, schedule.id)
                    notes.append(f"{file()}: {_named(deployment, schedule)} left out, {name!r} is no model here.")
    return Registered(sorted(deployment.name for deployment in registered), [*notes, *_unscheduled(known, registered)])


def _unscheduled(models: list[str], registered: list[Deployment]) -> list[str]:
    """A sentence on the models that no schedule refreshes, which nothing else would tell."""
    refresh = next((deployment for deployment in registered if deployment.name == "refresh"), None)
    scheduled = {schedule.parameters.get("model") for schedule in (refresh.schedules if refresh else [])}
    names = ", ".join(name for name in models if name not in scheduled)
    return [f"{file()} has no schedule of refresh for {names}: only events and commands start one."] if names else []


def _named(deployment: Deployment, schedule: Schedule) -> str:
    return f"schedule {schedule.slug!r} of {deployment.name} is"


def end_dead_runs() -> None:
    """End the runs whose process died while no worker was running: nothing else would end them.

    A run that had begun becomes crashed; a pending one is scheduled again, so that no request is lost.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.client.schemas.objects import State, StateType
    from prefect.states import Crashed, Scheduled

    running = {"type": {"any_": [StateType.RUNNING, StateType.CANCELLING, StateType.PENDING]}}
    with get_client(sync_client=True) as client:
        among = FlowRunFilter.model_validate({"state": running})
        running_runs = every(lambda offset: client.read_flow_runs(flow_run_filter=among, offset=offset))
        dead = {run.id: run for run in running_runs if run.deployment_id}
        parents = {"parent_flow_run_id": {"any_": list(dead)}, "state": running}
        if dead:
            below = FlowRunFilter.model_validate(parents)
            children = every(lambda offset: client.read_flow_runs(flow_run_filter=below, offset=offset))
            dead |= {run.id: run for run in children}
        for run in dead.values():
            begun = run.state_type is not StateType.PENDING
            state: State[Any] = Crashed(message="Its process ended without a report.") if begun else Scheduled()
            client.set_flow_run_state(run.id, state, force=True)
