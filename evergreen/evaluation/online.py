"""Online evaluation: shadow or canary predictions against the champion's, on mature labels."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.definition.metrics import Floats
from evergreen.durations import in_words
from evergreen.errors import NotEnoughDataError, PromotionError, RegistryError
from evergreen.evaluation import comparison
from evergreen.evaluation.bootstrap import Blocks
from evergreen.evaluation.comparison import Comparison
from evergreen.evaluation.rivals import Candidate, Rivals
from evergreen.frames import with_columns
from evergreen.ingestion import label_arrival
from evergreen.lake.lake import ROWS, SERVED, Lake
from evergreen.registry.registry import Registry
from evergreen.registry.version import CANARY, SHADOW, Version
from evergreen.row_id import matches
from evergreen.sql import RESERVED, column, columns, quoted, stored
from evergreen.training import fitting
from evergreen.training.recipe import trained_until
from evergreen.training.snapshot import Snapshot

if TYPE_CHECKING:
    from evergreen.definition.model import Model

GROWTH = 2  # re-evaluate a version once its sample has grown by this factor (alpha spending)
_ANSWERS, _CHAMPIONS, _LATENCY = (f"{RESERVED}{name}" for name in ("answers", "champions", "latency"))
_SENT = f"{RESERVED}sent "


@dataclass(frozen=True)
class OnlineSample:
    """The rows on which an online evaluation can judge by now.

    Attributes
    ----------
    version, champion : Version
    role : {"canary", "shadow"}
        The present role of the version.
    answered : DataFrame
        Rows whose label is known: the key and the time, and with the prefix ``evergreen:`` the version's predictions
        (``answers``), the champion's (``champions``; None where it made none), the ``latency`` (ms, of a canary),
        and the features as ``sent``.
    since, until : Timestamp
        Later than the training rows of both, and early enough for mature labels.
    wait : str
        Why it is too early to judge; empty if it is not.
    """

    version: Version
    champion: Version
    role: str
    answered: pd.DataFrame
    since: pd.Timestamp
    until: pd.Timestamp
    wait: str = ""

    def began(self, model: "Model") -> pd.Timestamp:
        """The time of the first of these rows."""
        return pd.Timestamp(self.answered[model.time].min())

    def evaluate(self, snapshot: Snapshot, challenger: Candidate, against: Rivals, looked: int) -> Comparison:
        """Score all versions on these rows: the version and the champion by their logged predictions.

        If the caller got the canary's prediction, the champion predicts now, from the features as sent.
        """
        model, champion = snapshot.model, against.champion
        assert champion is not None, "an online evaluation needs a champion"
        estimators = [rival.estimator for rival in [champion, *against.earlier.values()]]
        whole = snapshot.labelled(self.since, self.until, also=comparison.extra_columns(model, estimators))
        logged = [*model.key, *(name for name in self.answered if str(name).startswith(RESERVED))]
        rows = whole.merge(self.answered[logged], on=model.key)

        def given(classes: NDArray[Any] | None) -> dict[str, Floats]:
            ours = _aligned(rows[_ANSWERS], challenger.estimator, classes)
            theirs, present = np.full_like(ours, np.nan), rows[_CHAMPIONS].notna().to_numpy(dtype=bool)
            theirs[present] = _aligned(rows[_CHAMPIONS][present], champion.estimator, classes)
            if not present.all():
                theirs[~present] = fitting.predict(model, champion.estimator, _as_sent(rows[~present]), classes)
            return {"challenger": ours, "champion": theirs}

        latencies = rows[_LATENCY].dropna()
        latency = float(latencies.median()) if len(latencies) else None
        return comparison.compare_on_rows(
            snapshot,
            challenger,
            against,
            rows[whole.columns],
            looks=looked,
            logged_predictions=given,
            latency_ms=latency,
        )


def running_challenger(registry: Registry, name: str) -> tuple[Version, str] | None:
    """The version in online evaluation and its role; a canary before a shadow."""
    for role in (CANARY, SHADOW):
        version = registry.beside(name, role)
        if version is not None:
            return version, role
    return None


def require_challenger(registry: Registry, name: str) -> tuple[Version, str, Version]:
    """The version in online evaluation, its role, and the champion.

    Raises
    ------
    RegistryError
        No version is in online evaluation, or Evergreen did not train it.
    PromotionError
        The version was rolled back.
    """
    found, champion = running_challenger(registry, name), registry.champion(name)
    if found is None or champion is None or found[0].number == champion.number:
        raise RegistryError(
            f"No version of {name} runs as shadow or canary. `evergreen challenge {name} --version N` starts one."
        )
    for version in (found[0], champion):
        version.required(Version.table_version)
    if found[0].rolled_back:
        todo = f"To restore it anyway, run `evergreen rollback {name} --to {found[0].number} --reason ...`."
        raise PromotionError(
            f"{found[0]} was rolled back: {found[0].rolled_back_reason}. It is not promoted again. {todo}"
        )
    return *found, champion


def gather_sample(snapshot: Snapshot, version: Version, role: str, champion: Version) -> OnlineSample:
    """Find the rows on which an online evaluation can judge.

    Parameters
    ----------
    snapshot : Snapshot
        Of the present.
    version, role, champion
        From `require_challenger`.

    Raises
    ------
    NotEnoughDataError
        The version has no logged prediction, none for a row of the lake, or none for a row with a label.
    """
    model, lake, at = snapshot.model, snapshot.lake, snapshot.as_of
    since = max(trained_until(version), trained_until(champion))
    answered = _answered(lake, model, version, champion, since)
    if answered.empty:
        raise NotEnoughDataError(_why_no_sample(lake, model, version, champion, since))
    learned = snapshot.maturity
    arrival, _ = label_arrival.arrival(lake, model, at, delay=learned.delay if learned else None)
    after = learned.judged_after if learned else arrival.matures_after()
    until = at if after is None else at - after
    mature = answered[answered[model.time] < until].reset_index(drop=True)
    keys = snapshot.labelled(since, until)[model.key]
    labelled = pd.MultiIndex.from_frame(mature[model.key]).isin(pd.MultiIndex.from_frame(keys))
    sample = OnlineSample(version, champion, role, mature[labelled].reset_index(drop=True), since, until)
    if len(mature) and not labelled.any():
        raise NotEnoughDataError(
            f"{model.name}: none of the {len(mature):,} rows that {version} predicted has a label yet. "
            f"Ingest them, or send them to /models/{model.name}/labels."
        )
    if after is None:
        wait = "the label delay is not known yet"
    elif mature.empty:
        takes = in_words(pd.Timedelta(after).ceil("h").to_pytimedelta())
        wait = f"the labels of the {len(answered):,} rows that it predicted are not mature; that takes {takes}"
    elif not label_arrival.mature(
        arrival, label_arrival.naive(mature[model.time]), labelled, label_arrival.naive_timestamp(at), after=after
    ):
        wait = f"labels are overdue: {labelled.mean():.0%} of the {len(mature):,} rows that it predicted have one"
    else:
        wait = _too_few(model, sample)
    return replace(sample, wait=wait)


def _too_few(model: "Model", sample: OnlineSample) -> str:
    gates, rows, version = model.gates, len(sample.answered), sample.version
    blocks = Blocks.of(model, sample.answered[model.time]).count
    if rows < gates.min_rows or blocks < gates.min_blocks:
        required = f"at least {gates.min_rows:,} and {gates.min_blocks} are required"
        return f"{rows:,} rows in {blocks} blocks that it predicted have a label; {required}"
    before = version.trial_rows if version.trial_against == sample.champion.number else 0
    if rows < GROWTH * before:
        judged = f"it was evaluated on {before:,} rows against this champion: {version.trial_decision}"
        return f"{judged}; it is evaluated again on {GROWTH * before:,}, and there are {rows:,}"
    return ""


def _answered(lake: Lake, model: "Model", version: Version, champion: Version, since: pd.Timestamp) -> pd.DataFrame:
    """The newest prediction of a version for each row of the lake, with the champion's for the same request.

    A shadow's prediction counts only if this champion answered the same request.
    """
    schema = lake.schema(model.name, SERVED)
    if schema is None or not lake.exists(model.name):
        return pd.DataFrame()
    key = columns(model.key, ROWS)
    sent = [name for name in model.features if stored(name) in schema.names and name not in model.serving.private]
    taken = "".join(f", {column(name, 'ours')} AS {quoted(f'{_SENT}{name}')}" for name in sent)
    last = f'QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY ours."_time" DESC) = 1' if model.key[1:] else ""
    sql = f"""
        WITH theirs AS (
            SELECT "_id", "_time", any_value("_answers") AS "_champions" FROM {SERVED}
            WHERE "_version" = $champion AND "_role" = 'champion' GROUP BY "_id", "_time"
        ), ours AS (
            SELECT one.*, theirs."_champions" FROM {SERVED} AS one LEFT JOIN theirs
            ON theirs."_id" = one."_id" AND theirs."_time" = one."_time" AND one."_role" = '{SHADOW}'
            WHERE "_version" = $version AND ("_role" = '{CANARY}' OR "_champions" IS NOT NULL)
            QUALIFY row_number() OVER (PARTITION BY one."_id" ORDER BY one."_time" DESC) = 1
        )
        SELECT {columns([*model.key, model.time], ROWS)}, ours."_answers" AS "{_ANSWERS}",
            ours."_champions" AS "{_CHAMPIONS}", ours."_latency" AS "{_LATENCY}"{taken}
        FROM {ROWS} JOIN ours ON {matches('ours."_id"', model.key, ROWS)}
        WHERE {column(model.time, ROWS)} >= $since {last} ORDER BY {columns([model.time, *model.key], ROWS)}
    """
    bounds = {"version": version.number, "champion": champion.number, "since": since.to_pydatetime()}
    return lake.query(model, sql, bounds, tables=[ROWS, SERVED])


def _why_no_sample(lake: Lake, model: "Model", version: Version, champion: Version, since: pd.Timestamp) -> str:
    """Why no prediction of a version can be judged."""
    where = f"\"_version\" = $version AND \"_role\" IN ('{CANARY}', '{SHADOW}')"
    sql = f"SELECT count(*) AS n FROM {SERVED} WHERE {where}"
    logged = lake.exists(model.name, SERVED)
    count = int(lake.query(model, sql, {"version": version.number}, tables=[SERVED])["n"][0]) if logged else 0
    if not count:
        return (
            f"{version} has no logged prediction as shadow or canary yet. "
            "Send requests to the service (`evergreen serve`)."
        )
    return (
        f"None of the {count:,} predictions of {version} can be evaluated. A prediction counts if its id is the key "
        f"of a row of the lake (send the key with the request, and ingest the row) from {since:%Y-%m-%d %H:%M} on, "
        f"after the training rows of both versions. For a shadow, version {champion.number} must have answered the "
        "same request."
    )


def _aligned(answers: "pd.Series[Any]", estimator: Any, classes: NDArray[Any] | None) -> Floats:
    """Logged predictions in the layout of the metrics; a class unknown to the version has the probability 0."""
    width = 1 if classes is None else len(estimator.classes_)
    predictions = np.array(answers.to_list(), dtype=np.float64).reshape(len(answers), width)
    return predictions[:, 0] if classes is None else fitting.aligned(predictions, estimator.classes_, classes)


def _as_sent(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with the features as sent instead of those in the lake."""
    sent = [name for name in rows.columns if name.startswith(_SENT)]
    return with_columns(rows, {name.removeprefix(_SENT): rows[name] for name in sent})
