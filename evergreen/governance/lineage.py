"""The trace of a model: back from an answer to the files its model was made of, and forward from a batch to answers."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from evergreen.definition import loader
from evergreen.definition.model import Model
from evergreen.errors import LakeError, TraceError
from evergreen.gates.judgement import kept
from evergreen.lake import audit_log
from evergreen.lake.audit_log import Line
from evergreen.lake.lake import LABELS, PREDICTIONS, SERVED, Bare, Lake
from evergreen.registry.version import Version
from evergreen.row_id import unescaped
from evergreen.stores import Stores
from evergreen.training import plan
from evergreen.training.snapshot import Snapshot

_OF_BATCHES = ("ingest", "quarantine")  # acts whose subject is a batch


@dataclass(frozen=True)
class Batch:
    """A batch, as far as a version was trained on it.

    Attributes
    ----------
    batch : str
    rows : int
        How many of the training rows came with it.
    arrived, source : str
        When, ISO 8601, and from which files, query or function; empty where no act tells of it.
    released_by : str
        Who let it out of quarantine; empty if it was not there.
    """

    batch: str
    rows: int
    arrived: str = ""
    source: str = ""
    released_by: str = ""


@dataclass(frozen=True)
class Origin:
    """What a version was made of, and by whose leave it answers.

    Attributes
    ----------
    model, version, run : str
        The run is MLflow's.
    trigger, as_of : str
        Why it was trained, and the moment whose knowledge counted.
    judged, verdict, against : str
        The version that was judged (itself, unless it is a refit), what came of it, and the champion then.
    approved_by : str
        Empty where nobody was to be asked.
    promoted_at : str
        Empty if it never was champion.
    table_version, rows : int
    data_from, data_until : str
    batches : list of Batch
        The oldest first.
    commit, lock, python, model_file : str
    acts : list of Line
        Of the audit log, on this version and the judged one.
    served, scored : int
        How many answers it gave to callers, and to rows that the monitor asked it about.
    """

    model: str
    version: str
    run: str
    trigger: str
    as_of: str
    judged: str
    verdict: str
    against: str
    approved_by: str
    promoted_at: str
    table_version: int
    rows: int
    data_from: str
    data_until: str
    batches: list[Batch]
    commit: str
    lock: str
    python: str
    model_file: str
    acts: list[Line]
    served: int
    scored: int

    @property
    def sources(self) -> list[str]:
        """Where its batches were read from, each once."""
        return list(dict.fromkeys(one.source for one in self.batches if one.source))

    @property
    def steps(self) -> list[tuple[str, str, str]]:
        """From the source to the answers: a title, a fact and a detail each, for a picture."""
        sources, several = self.sources, len(self.sources) > 1
        released = sum(bool(one.released_by) for one in self.batches)
        leave = f", approved by {self.approved_by}" if self.approved_by else ""
        since = f"since {self.promoted_at[:10]}{leave}" if self.promoted_at else "never was"
        met = f"version {self.judged}" + (f" against version {self.against}" if self.against else ", the first")
        code = f"commit {self.commit[:10] or 'unknown'}, lock {self.lock[:8] or 'none'}"
        where = f"{len(sources)} files" if several else (sources or ["not recorded"])[0]
        return [
            ("source", where, sources[0] if several else ""),
            ("batches", str(len(self.batches)), f"{released} out of quarantine" if released else ""),
            ("table", f"version {self.table_version}", f"{self.rows:,} rows until {self.data_until[:10]}"),
            ("training", self.as_of[:10], f"{self.trigger}; {code}"),
            ("verdict", self.verdict, met),
            ("champion", f"version {self.version}", since),
            ("answers", f"{self.served:,} to callers", f"{self.scored:,} to the monitor"),
        ]


@dataclass(frozen=True)
class Answered:
    """One prediction that was answered, and what answered it.

    Attributes
    ----------
    id, asked_at, role : str
    answer : list of float
        The number, or the probabilities of the version's classes in their order.
    label : str
        As JSON; empty while it is not known.
    origin : Origin
    """

    id: str
    asked_at: str
    role: str
    answer: list[float]
    label: str
    origin: Origin


@dataclass(frozen=True)
class Touched:
    """A version that was trained on rows of a batch.

    Attributes
    ----------
    version : str
    rows : int
        Of the batch, among its training rows.
    promoted_at : str
        Empty if it never was champion.
    served, scored : int
        How many answers it gave to callers, and to rows that the monitor asked it about.
    """

    version: str
    rows: int
    promoted_at: str
    served: int
    scored: int


@dataclass(frozen=True)
class Followed:
    """What became of a batch.

    Attributes
    ----------
    model, batch : str
    acts : list of Line
    rows : int
        How many rows of the table are as it brought them.
    versions : list of Touched
        The oldest first.
    """

    model: str
    batch: str
    acts: list[Line]
    rows: int
    versions: list[Touched]


def origin(stores: Stores, name: str, number: str) -> Origin:
    """What a version was made of.

    Raises
    ------
    RegistryError
        There is no such version.
    TraceError
        It was not trained by Evergreen.
    """
    registry, lake, definition = stores.registry, stores.lake, loader.load(name)
    version = registry.version(name, number)
    if version.table_version is None:
        raise TraceError(f"{version} was not trained by Evergreen: nothing says what it was made of.")
    judged, lines = registry.origin(version), audit_log.read(lake, name)
    decided = next(iter(kept(registry, version)), None)
    return Origin(
        model=name,
        version=version.number,
        run=version.run_id,
        trigger=version.reason,
        as_of=_text(version.as_of),
        judged=judged.number,
        verdict=decided.verdict.decision if decided else "not judged",
        against=(decided.against or "") if decided else "",
        approved_by=version.approval_by if version.approved else "",
        promoted_at=_text(version.promoted_at),
        table_version=version.table_version,
        rows=version.rows,
        data_from=_text(version.data_from),
        data_until=_text(version.data_until),
        batches=_batches(_shares(lake, definition, version), lines),
        commit=version.commit,
        lock=version.lock_hash,
        python=version.python_version,
        model_file=version.model_file_hash,
        acts=[one for one in lines if one.act not in _OF_BATCHES and one.subject in (version.number, judged.number)],
        served=_counts(lake, name, SERVED).get(version.number, 0),
        scored=_counts(lake, name, PREDICTIONS).get(version.number, 0),
    )


def answered(stores: Stores, name: str, prediction: str) -> Answered:
    """Which version answered a prediction, and what that was made of.

    Parameters
    ----------
    stores : Stores
    name, prediction : str
        The caller's own key, or the id that the answer gave.

    Raises
    ------
    TraceError
        No such answer is in the log.
    """
    lake, bounds = stores.lake, {"id": prediction, "plain": unescaped(prediction)}
    either = '"_id" IN ($id, $plain) ORDER BY "_id" = $id DESC'  # a row that was answered before ids were escaped
    sql = f'SELECT "_time", "_role", "_answers", "_version" FROM {SERVED} WHERE {either}, "_time" DESC LIMIT 1'
    found = lake.query(Bare(name), sql, bounds, tables=[SERVED]) if lake.exists(name, SERVED) else pd.DataFrame()
    if found.empty:
        told = f"{name} has no answer {prediction!r} in its log: it was never given, is older than what is kept, "
        raise TraceError(f"{told}or has not left the service yet.")
    one, label = found.iloc[0], ""
    if lake.exists(name, LABELS):
        sql = f'SELECT "_value" FROM {LABELS} WHERE {either}, "_arrived" DESC LIMIT 1'
        known = lake.query(Bare(name), sql, bounds, tables=[LABELS])
        label = "" if known.empty else str(known["_value"][0])
    made = origin(stores, name, str(one["_version"]))
    return Answered(prediction, one["_time"].isoformat(), one["_role"], list(one["_answers"]), label, made)


def followed(stores: Stores, name: str, batch: str) -> Followed:
    """What became of a batch: every version that was trained on rows of it, and how often each answered.

    Raises
    ------
    TraceError
        No such batch ever came.
    """
    registry, lake, definition = stores.registry, stores.lake, loader.load(name)
    acts = [one for one in audit_log.read(lake, name) if one.act in _OF_BATCHES and one.subject == batch]
    rows = 0
    if lake.exists(name):
        sql = 'SELECT count(*) AS n FROM rows WHERE "_batch" = $batch'
        rows = int(lake.query(definition, sql, {"batch": batch})["n"][0])
    versions = [version for version in reversed(registry.versions(name)) if version.recorded]
    shares = {one.number: _shares(lake, definition, one).get(batch, 0) for one in versions}
    if not (acts or rows or any(shares.values())):
        raise TraceError(f"{name} has no batch {batch!r}. `evergreen audit {name}` lists those that came.")
    served, scored = _counts(lake, name, SERVED), _counts(lake, name, PREDICTIONS)
    touched = [
        Touched(
            version=one.number,
            rows=shares[one.number],
            promoted_at=_text(one.promoted_at),
            served=served.get(one.number, 0),
            scored=scored.get(one.number, 0),
        )
        for one in versions
        if shares[one.number]
    ]
    return Followed(name, batch, acts, rows, touched)


def _text(time: pd.Timestamp | None) -> str:
    return "" if time is None else time.isoformat()


def _shares(lake: Lake, definition: Model, version: Version) -> dict[str, int]:
    """How many of a version's training rows came with each batch, in the order of their coming."""
    try:
        found = Snapshot.of(lake, definition, version).batches(plan.split_of(version))
    except LakeError:  # `evergreen forget` has taken files of that version
        return {}
    return {str(one["batch"]): int(one["rows"]) for one in found.to_dict("records")}


def _batches(shares: dict[str, int], lines: Sequence[Line]) -> list[Batch]:
    came = {one.subject: one for one in lines if one.act == "ingest"}
    released = {one.subject: one.by for one in lines if one.act == "quarantine"}
    return [Batch(batch, rows, *_came(came.get(batch)), released.get(batch, "")) for batch, rows in shares.items()]


def _came(line: Line | None) -> tuple[str, str]:
    return ("", "") if line is None else (line.at, str(json.loads(line.detail).get("source", "")))


def _counts(lake: Lake, name: str, table: str) -> dict[str, int]:
    if not lake.exists(name, table):
        return {}
    sql = f'SELECT "_version" AS version, count(*) AS n FROM {table} GROUP BY "_version"'
    found = lake.query(Bare(name), sql, tables=[table])
    return {str(version): int(count) for version, count in zip(found["version"], found["n"], strict=True)}
