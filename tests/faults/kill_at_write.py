"""Run refresh(), or another flow, in processes that are killed for real at a given call (for the tests beside it).

It reads a line of JSON for each run, imports what is heavy once, and forks a process for each:
`at` names a call (``"MlflowRegistry.tag"``), `nth` which one of them, `when` ``"before"`` or ``"after"``;
without `at`, nothing is killed, and all calls are listed in the file `trace`. With `look`, the
state of the stores (and what was `watched`) is written to that file instead: a process of its own
sees no stale connection.
An event is a call by its own name, such as ``"evergreen.data.arrived"``.
"""

import ctypes
import importlib
import json
import os
import resource
import signal
import sys
from collections import Counter
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

# Whatever writes to a store, and whatever tells of it.
WRITES = {
    "evergreen.lake.delta_lake:DeltaLake": ["land", "_append_next", "append", "replace", "compact"],
    "evergreen.lake.landing:": ["append", "merge"],
    "evergreen.lake.audit_log:": ["_seal"],
    "evergreen.lake.state_format:": ["write"],
    "evergreen.ingestion.quarantine:Quarantine": ["hold", "_write"],
    "evergreen.registry.mlflow_registry:MlflowRegistry": [
        "record_training",
        "_log_dataset",
        "_store",
        "_register",
        "draw",
        "measure",
        "attach",
        "describe",
        "tag",
        "alias",
        "chart",
    ],
    "mlflow:MlflowClient": ["set_model_version_tag"],
    "evergreen.reports.model_page:": ["write"],
    "tasks.support.events:": ["emit_event"],
}
TELLS = "tasks.support.events.emit_event"
HEAVY = [  # imported once, before the first fork
    "flows.refresh",
    "great_expectations",
    "mlflow.sklearn",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store",
    "alembic.command",
    "git",
    "deltalake",
    "duckdb",
    "skops.io",
    "matplotlib.pyplot",
    "skrub",
]


def main() -> None:
    """Serve until the input ends."""
    for module in HEAVY:
        importlib.import_module(module)
    from flows.runtime.heartbeats import no_heartbeats

    with no_heartbeats():
        for line in sys.stdin:
            child = os.fork()
            if child == 0:
                _run(json.loads(line))
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            print(f"ended {code}", flush=True)


def _run(asked: dict[str, Any]) -> None:
    os.environ.update(EVERGREEN_HOME=asked["home"], EVERGREEN_MODELS=asked["models"], **asked.get("environment", {}))
    try:
        if asked.get("look"):
            Path(asked["look"]).write_text(json.dumps(state() | (watched() if asked.get("watched") else {})))
        else:
            (_hook_all if asked.get("at") == ANY else _hook)(asked)
            if asked.get("planted"):
                _plant()
            if asked.get("largest"):
                resource.setrlimit(resource.RLIMIT_FSIZE, (asked["largest"],) * 2)  # what is longer cannot be written
            if asked.get("bound"):
                _obey()
            name = asked.get("flow") or "refresh"
            if name == "migrate":
                _migrate()
                os._exit(0)
            flow = getattr(importlib.import_module(f"flows.{name}"), name)
            flow("toy", as_of=asked["as_of"], **({"reason": "trial"} if name == "rollback" else {}))
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


def _migrate() -> None:
    import pandas as pd

    from evergreen.migrations.run import migrate
    from evergreen.settings import Settings

    migrate(Settings.read(), pd.Timestamp("2025-05-12", tz="UTC"), "a person", lambda step: None)


def state() -> dict[str, Any]:
    """What must come out the same however often a run was killed on the way, and what must hold in between."""
    from evergreen.definition import loader
    from evergreen.gates.judgement import newest_judgement
    from evergreen.governance import audit
    from evergreen.governance.integrity import examine
    from evergreen.lake import audit_log
    from evergreen.stores import Stores

    stores = Stores.open()
    registry, lake = stores.registry, stores.lake
    versions, champion = registry.versions("toy"), registry.champion("toy")
    tag_names = ("train_from", "train_until", "rows", "data_hash", "refit_of", "decision", "promoted_by", "promoted_at")
    tag_names += ("rolled_back_at", "rolled_back_to", "restored_at")
    table = lake.query(loader.load("toy"), "SELECT id, y FROM rows ORDER BY id") if lake.exists("toy") else None
    lines, batches = audit_log.read(lake, "toy"), set()
    if table is not None:
        batches = set(lake.query(loader.load("toy"), "SELECT DISTINCT _batch FROM rows")["_batch"])
    acts = {(line.act, line.subject) for line in lines}
    # Nothing is done that no line tells of, and no line is out of the chain.
    proved = audit.verify(lake, registry, "toy").problems == [] and {("ingest", batch) for batch in batches} <= acts
    proved = proved and (
        champion is None or {("promotion", champion.number), ("rollback", champion.number)} & acts != set()
    )
    experiment = registry.client.get_experiment_by_name("toy")
    running = "attributes.status = 'RUNNING'"
    return {
        "aliases": {
            alias: {tag: version.tags.get(tag) for tag in tag_names}
            for version in versions
            for alias in version.aliases
        },
        "versions": len(versions),
        "rows": None if table is None else table.to_dict("list"),
        "held": [(entry.batch, entry.state, entry.rows) for entry in stores.quarantine.entries("toy")],
        "running": len(registry.client.search_runs([experiment.experiment_id], running)) if experiment else 0,
        "checked": [examined.what for examined in examine(stores, loader.load("toy")) if examined.problems],
        "acts": sorted((line.act, line.subject) for line in lines if line.act != "decision"),
        "proved": proved
        and (champion is None or (champion.decision == "promote" and passed(newest_judgement(registry, champion)))),
    }


def watched() -> dict[str, Any]:
    """What monitors have left behind, and how often each of it is there."""
    from evergreen.lake.lake import DECISIONS, OBSERVATIONS, PREDICTIONS, PROFILES, Bare
    from evergreen.stores import Stores

    lake, asked = (
        Stores.open().lake,
        {
            "seen": (OBSERVATIONS, "version, as_of"),
            "profiled": (PROFILES, "version, unit"),
            "answered": (PREDICTIONS, "_version, id"),
            "decided": (DECISIONS, "as_of, wish, action"),
        },
    )

    def counted(table: str, what: str) -> list[list[str]]:
        sql = f"SELECT {what}, count(*) AS n FROM {table} GROUP BY ALL ORDER BY ALL"
        rows = lake.query(Bare("toy"), sql, tables=[table]) if lake.exists("toy", table) else None
        return [] if rows is None else rows.astype(str).to_numpy().tolist()

    return {name: counted(*where) for name, where in asked.items()}


def passed(judged: Any) -> bool:
    """Whether a judgement put somebody forward."""
    return judged.verdict.passing or bool(judged.comeback_verdict and judged.comeback_verdict.passing)


def _hook(asked: dict[str, Any]) -> None:
    calls: Counter[str] = Counter()
    for place, names in WRITES.items():
        module, _, kind = place.partition(":")
        owner = importlib.import_module(module)
        owner = getattr(owner, kind) if kind else owner
        for name in names:
            setattr(owner, name, _hooked(getattr(owner, name), f"{kind or module}.{name}", calls, asked))


ANY = "any write"
_OPENED = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_MOVES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "shutil.move")


def _hook_all(asked: dict[str, Any]) -> None:
    """Count every write into the home, by Python or a library, and die at the nth of them.

    Python tells of its own files, SQLAlchemy of every commit of any engine; what writes Delta tables is
    Rust, and tells nobody, so that its entrances are hooked, before and after.
    """
    import deltalake
    import deltalake.table
    import sqlalchemy.event

    writes = Writes(asked["home"], asked.get("nth", 0), asked.get("trace", ""))
    sys.addaudithook(writes.heard)
    sqlalchemy.event.listen(sqlalchemy.Engine, "commit", lambda _: writes.reached("SQL commit"))
    delta = deltalake.DeltaTable
    parts = [(deltalake, "write_deltalake"), (deltalake.table.TableMerger, "execute"), (delta, "delete")]
    for owner, name in [*parts, (delta, "vacuum"), (deltalake.table.TableOptimizer, "compact")]:
        setattr(owner, name, writes.around(getattr(owner, name), name))


class Writes:
    """The writes of one run, in their order; with a trace, each is a line of that file."""

    def __init__(self, home: str, last: int, trace: str) -> None:
        self._home, self._last, self._trace, self._count = home, last, trace, 0

    def reached(self, label: str) -> None:
        self._count += 1
        if self._trace:
            with open(self._trace, "a") as file:  # noqa: PTH123 - outside of the home, so that it is no write of it
                print(label.replace("\n", " "), file=file)
        if self._count == self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def heard(self, event: str, given: tuple[Any, ...]) -> None:
        """Python's own word of what it is about to do (PEP 578)."""
        opened = event == "open" and isinstance(given[2], int) and given[2] & _OPENED
        if (opened or event in _MOVES) and str(given[0]).startswith(self._home):
            self.reached(f"{event} {given[0]}")

    def around(self, work: Callable[..., Any], name: str) -> Callable[..., Any]:
        @wraps(work)
        def hooked(*given: Any, **named: Any) -> Any:
            self.reached(f"before {name}")
            answer = work(*given, **named)
            self.reached(f"after {name}")
            return answer

        return hooked


def _obey() -> None:
    """Be bound by what may be written, as everybody but root is (capset(2), with no capability)."""
    libc, header = ctypes.CDLL(None, use_errno=True), (ctypes.c_uint32 * 2)(0x20080522, 0)
    if os.geteuid() == 0 and libc.capset(header, (ctypes.c_uint32 * 6)()):
        raise OSError(ctypes.get_errno(), "capset")


def _plant() -> None:
    """A fault that the harness must find: a rollback that marks nobody before it moves the aliases."""
    import tasks.rollback

    tasks.rollback.fell = lambda *_: None


def _hooked(work: Callable[..., Any], name: str, calls: "Counter[str]", asked: dict[str, Any]) -> Callable[..., Any]:
    @wraps(work)
    def hooked(*given: Any, **named: Any) -> Any:
        label = str(given[0]) if name == TELLS else name
        calls[label] += 1
        mine = (label, calls[label]) == (asked.get("at"), asked.get("nth"))
        if asked.get("trace"):
            with Path(asked["trace"]).open("a") as file:
                file.write(f"{label} {calls[label]}\n")
        if mine and asked["when"] == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = work(*given, **named)
        if mine:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    return hooked


if __name__ == "__main__":
    main()
