"""The lineage of a model: from a prediction back to the source files, and from a batch forward to predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from evergreen.definition import loader
from evergreen.definition.model import Model
from evergreen.errors import LakeError, TraceError
from evergreen.gates.judgement import stored_judgements
from evergreen.governance import code_record
from evergreen.lake import audit_log
from evergreen.lake.audit_log import Line
from evergreen.lake.lake import LABELS, PREDICTIONS, SERVED, Bare, Lake
from evergreen.registry.version import Version
from evergreen.row_id import unescaped
from evergreen.stores import Stores
from evergreen.training import recipe
from evergreen.training.snapshot import Snapshot
from evergreen.training.window import told

_OF_BATCHES = ("ingest", "quarantine")  # acts whose subject is a batch


@dataclass(frozen=True)
class Batch:
    """A batch that a version was trained on.

    Attributes
    ----------
    batch : str
    rows : int
        How many of the training rows it contains.
    arrived, source : str
        When it arrived (ISO 8601), and from which files, query or function; empty if not logged.
    released_by : str
        Who released it from quarantine; empty if it was not quarantined.
    """

    batch: str
    rows: int
    arrived: str = ""
    source: str = ""
    released_by: str = ""


@dataclass(frozen=True)
class Origin:
    """What a version was trained from, and who approved it.

    Attributes
    ----------
    model, version, run : str
        The run is MLflow's.
    trigger, as_of : str
        Why it was trained, and the point in time whose data it used.
    judged, verdict, against : str
        The version that was judged (itself, unless it is a refit), the verdict, and the champion then.
    approved_by : str
        Empty if no approval was required.
    promoted_at : str
        Empty if it never was champion.
    table_version, rows : int
    data_from, data_until : str
    window : str
        The training window that the record chose, and how it compared with another; empty for a fixed one.
    batches : list of Batch
        The oldest first.
    commit, environment, lock, evergreen, python, model_file : str
        The environment is that of the project, such as staging; it and the version of Evergreen are empty where none
        was recorded.
    modules : list of str
        The modules that the model file imports from its folder.
    stored_model : str
        The SHA-256 of the stored model; empty if none was recorded.
    acts : list of Line
        Lines of the audit log on this version and the judged one.
    served, scored : int
        How many predictions it made for callers, and for the monitor.
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
    window: str
    batches: list[Batch]
    commit: str
    environment: str
    lock: str
    evergreen: str
    python: str
    model_file: str
    modules: list[str]
    stored_model: str
    acts: list[Line]
    served: int
    scored: int

    @property
    def sources(self) -> list[str]:
        """Where its batches were read from, each once."""
        return list(dict.fromkeys(batch.source for batch in self.batches if batch.source))

    @property
    def steps(self) -> list[tuple[str, str, str]]:
        """From the source to the predictions: a title, a fact and a detail each, for a picture."""
        sources, several = self.sources, len(self.sources) > 1
        released = sum(bool(batch.released_by) for batch in self.batches)
        approval = f", approved by {self.approved_by}" if self.approved_by else ""
        since = f"since {self.promoted_at[:10]}{approval}" if self.promoted_at else "never was"
        met = f"version {self.judged}" + (f" against version {self.against}" if self.against else ", the first")
        code = f"commit {self.commit[:10] or 'unknown'}, lock {self.lock[:8] or 'none'}"
        where = f"{len(sources)} files" if several else (sources or ["not recorded"])[0]
        return [
            ("source", where, sources[0] if several else ""),
            ("batches", str(len(self.batches)), f"{released} released from quarantine" if released else ""),
            ("table", f"version {self.table_version}", f"{self.rows:,} rows until {self.data_until[:10]}"),
            ("training", self.as_of[:10], f"{self.trigger}; {code}"),
            ("verdict", self.verdict, met),
            ("champion", f"version {self.version}", since),
            ("predictions", f"{self.served:,} for callers", f"{self.scored:,} for the monitor"),
        ]


@dataclass(frozen=True)
class PredictionLineage:
    """One prediction, and the lineage of the version that made it.

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
class AffectedVersion:
    """A version that was trained on rows of a batch.

    Attributes
    ----------
    version : str
    rows : int
        Of the batch, among its training rows.
    promoted_at : str
        Empty if it never was champion.
    served, scored : int
        How many predictions it made for callers, and for the monitor.
    """

    version: str
    rows: int
    promoted_at: str
    served: int
    scored: int


@dataclass(frozen=True)
class BatchLineage:
    """The versions that were trained on a batch.

    Attributes
    ----------
    model, batch : str
    acts : list of Line
    rows : int
        How many rows of the table still have the batch's values.
    versions : list of Touched
        The oldest first.
    """

    model: str
    batch: str
    acts: list[Line]
    rows: int
    versions: list[AffectedVersion]


def origin(stores: Stores, name: str, number: str) -> Origin:
    """The lineage of a version.

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
        raise TraceError(f"{version} was not trained by Evergreen, so its origin is not recorded.")
    judged, lines = registry.origin(version), audit_log.read(lake, name)
    decided = next(iter(stored_judgements(registry, version)), None)
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
        window=told(judged),
        batches=_batches(_shares(lake, definition, version), lines),
        commit=version.commit,
        environment=version.environment,
        lock=version.lock_hash,
        evergreen=version.evergreen_version,
        python=version.python_version,
        model_file=version.model_file_hash,
        modules=code_record.modules(registry, version),
        stored_model=version.stored_hash,
        acts=[
            line for line in lines if line.act not in _OF_BATCHES and line.subject in (version.number, judged.number)
        ],
        served=_counts(lake, name, SERVED).get(version.number, 0),
        scored=_counts(lake, name, PREDICTIONS).get(version.number, 0),
    )


def of_prediction(stores: Stores, name: str, prediction: str) -> PredictionLineage:
    """The version that made a prediction, and its lineage.

    Parameters
    ----------
    stores : Stores
    name, prediction : str
        The row's key, or the id that was returned with the prediction.

    Raises
    ------
    TraceError
        No such prediction is in the log.
    """
    lake, bounds = stores.lake, {"id": prediction, "plain": unescaped(prediction)}
    either = '"_id" IN ($id, $plain) ORDER BY "_id" = $id DESC'  # a row that was predicted before ids were escaped
    sql = f'SELECT "_time", "_role", "_answers", "_version" FROM {SERVED} WHERE {either}, "_time" DESC LIMIT 1'
    predictions = lake.query(Bare(name), sql, bounds, tables=[SERVED]) if lake.exists(name, SERVED) else pd.DataFrame()
    if predictions.empty:
        reason = (
            f"{name} has no prediction {prediction!r} in its log: there is none with this id, it was deleted by age, "
        )
        raise TraceError(f"{reason}or the service has not shipped it yet.")
    prediction_row, label = predictions.iloc[0], ""
    if lake.exists(name, LABELS):
        sql = f'SELECT "_value" FROM {LABELS} WHERE {either}, "_arrived" DESC LIMIT 1'
        labels = lake.query(Bare(name), sql, bounds, tables=[LABELS])
        label = "" if labels.empty else str(labels["_value"][0])
    version_origin = origin(stores, name, str(prediction_row["_version"]))
    return PredictionLineage(
        prediction,
        prediction_row["_time"].isoformat(),
        prediction_row["_role"],
        list(prediction_row["_answers"]),
        label,
        version_origin,
    )


def trained_on(stores: Stores, name: str) -> dict[str, dict[str, int]]:
    """How many training rows of each version belong to each batch, by the version's number."""
    definition = loader.load(name)
    versions = [version for version in reversed(stores.registry.versions(name)) if version.recorded]
    return {version.number: _shares(stores.lake, definition, version) for version in versions}


def of_batch(
    stores: Stores, name: str, batch: str, trained: Mapping[str, Mapping[str, int]] | None = None
) -> BatchLineage:
    """The versions that were trained on rows of a batch, and how often each predicted.

    Parameters
    ----------
    stores : Stores
    name, batch : str
    trained : dict, optional
        What `trained_on` found, where many batches of a model are asked for; read if it is not given.

    Raises
    ------
    TraceError
        There is no such batch.
    """
    registry, lake, definition = stores.registry, stores.lake, loader.load(name)
    acts = [line for line in audit_log.read(lake, name) if line.act in _OF_BATCHES and line.subject == batch]
    rows = 0
    if lake.exists(name):
        sql = 'SELECT count(*) AS n FROM rows WHERE "_batch" = $batch'
        rows = int(lake.query(definition, sql, {"batch": batch})["n"][0])
    trained = trained_on(stores, name) if trained is None else trained
    shares = {number: batches.get(batch, 0) for number, batches in trained.items()}
    versions = [version for version in reversed(registry.versions(name)) if shares.get(version.number)]
    if not (acts or rows or any(shares.values())):
        raise TraceError(f"{name} has no batch {batch!r}. `evergreen audit {name}` lists its batches.")
    served, scored = _counts(lake, name, SERVED), _counts(lake, name, PREDICTIONS)
    touched = [
        AffectedVersion(
            version=version.number,
            rows=shares[version.number],
            promoted_at=_text(version.promoted_at),
            served=served.get(version.number, 0),
            scored=scored.get(version.number, 0),
        )
        for version in versions
    ]
    return BatchLineage(name, batch, acts, rows, touched)


def _text(time: pd.Timestamp | None) -> str:
    return "" if time is None else time.isoformat()


def _shares(lake: Lake, definition: Model, version: Version) -> dict[str, int]:
    """How many of a version's training rows belong to each batch, in order of arrival."""
    try:
        batches = Snapshot.of(lake, definition, version).batches(recipe.split_of(version))
    except LakeError:  # `evergreen erase` has deleted files of that version
        return {}
    return {str(row["batch"]): int(row["rows"]) for row in batches.to_dict("records")}


def _batches(shares: dict[str, int], lines: Sequence[Line]) -> list[Batch]:
    ingests = {line.subject: line for line in lines if line.act == "ingest"}
    released = {line.subject: line.by for line in lines if line.act == "quarantine"}
    return [
        Batch(batch, rows, *_arrival(ingests.get(batch)), released.get(batch, "")) for batch, rows in shares.items()
    ]


def _arrival(line: Line | None) -> tuple[str, str]:
    return ("", "") if line is None else (line.at, str(line.details.get("source", "")))


def _counts(lake: Lake, name: str, table: str) -> dict[str, int]:
    if not lake.exists(name, table):
        return {}
    sql = f'SELECT "_version" AS version, count(*) AS n FROM {table} GROUP BY "_version"'
    counts = lake.query(Bare(name), sql, tables=[table])
    return {str(version): int(count) for version, count in zip(counts["version"], counts["n"], strict=True)}
