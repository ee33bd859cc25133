"""A hearing: what a version on trial really answered beside the champion, as far as labels have ripened."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.definition.metrics import Floats
from evergreen.errors import NotEnoughDataError, PromotionError, RegistryError
from evergreen.evaluation import comparison
from evergreen.evaluation.bootstrap import Blocks
from evergreen.evaluation.comparison import Candidate, Rivals, Trial
from evergreen.ingestion import label_delay
from evergreen.lake.lake import ROWS, SERVED, Lake
from evergreen.registry.registry import Registry
from evergreen.registry.version import CANARY, SHADOW, Version
from evergreen.row_id import matches
from evergreen.sql import RESERVED, column, columns, quoted, stored
from evergreen.training import fitting
from evergreen.training.plan import trained_until
from evergreen.training.snapshot import Snapshot

if TYPE_CHECKING:
    from evergreen.definition.model import Model

GROWTH = 2  # times as many rows, before the same version is judged again: a look costs confidence, and a trial has few
_ANSWERS, _CHAMPIONS, _LATENCY = (f"{RESERVED}{name}" for name in ("answers", "champions", "latency"))
_SENT = f"{RESERVED}sent "


@dataclass(frozen=True)
class Hearing:
    """What can be judged of a trial by now.

    Attributes
    ----------
    version, champion : Version
    role : {"canary", "shadow"}
        As what it answers now.
    answered : DataFrame
        The key and the time, and behind the prefix ``evergreen:`` the ``answers`` of the version, the ``champions``
        of the champion (None where it was not asked), the ``latency`` (ms, of a canary), and what was ``sent``; of
        rows whose label is known.
    since, until : Timestamp
        Later than what either was trained on, and early enough for labels to have ripened.
    wait : str
        Why it is too soon; empty if it is not.
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

    def hold(self, snapshot: Snapshot, challenger: Candidate, against: Rivals, looked: int) -> Trial:
        """Score everybody on these rows: the version and, where it answered, the champion by what the log has.

        Where the caller had a canary's answer, the champion is asked now, with what was sent.
        """
        model, champion = snapshot.model, against.champion
        assert champion is not None, "nobody is on trial beside nobody"
        estimators = [one.estimator for one in [champion, *against.earlier.values()]]
        whole = snapshot.labelled(self.since, self.until, also=comparison.asked_for(model, estimators))
        heard = [*model.key, *(one for one in self.answered if str(one).startswith(RESERVED))]
        rows = whole.merge(self.answered[heard], on=model.key)

        def given(classes: NDArray[Any] | None) -> dict[str, Floats]:
            ours = _aligned(rows[_ANSWERS], challenger.estimator, classes)
            theirs, there = np.full_like(ours, np.nan), rows[_CHAMPIONS].notna().to_numpy(dtype=bool)
            theirs[there] = _aligned(rows[_CHAMPIONS][there], champion.estimator, classes)
            if not there.all():
                theirs[~there] = fitting.predict(model, champion.estimator, _as_sent(rows[~there]), classes)
            return {"challenger": ours, "champion": theirs}

        took = rows[_LATENCY].dropna()
        latency = float(took.median()) if len(took) else None
        return comparison.held(
            snapshot, challenger, against, rows[whole.columns], looks=looked, given=given, latency_ms=latency
        )


def on_trial(registry: Registry, name: str) -> tuple[Version, str] | None:
    """The version that answers beside the champion, and as what; a canary before a shadow."""
    for role in (CANARY, SHADOW):
        found = registry.beside(name, role)
        if found is not None:
            return found, role
    return None


def called(registry: Registry, name: str) -> tuple[Version, str, Version]:
    """The same with the champion.

    Raises
    ------
    RegistryError
        Nobody is on trial, or Evergreen has not trained who is.
    PromotionError
        It was rolled back.
    """
    found, champion = on_trial(registry, name), registry.champion(name)
    if found is None or champion is None or found[0].number == champion.number:
        raise RegistryError(f"No version of {name} is on trial. `evergreen challenge {name} --version N` begins one.")
    for version in (found[0], champion):
        version.required(Version.table_version)
    if found[0].rolled_back:
        back = f"`evergreen rollback {name} --to {found[0].number}` puts it back all the same"
        raise PromotionError(f"{found[0]} was rolled back: {found[0].rolled_back_reason}. It stays down; {back}.")
    return *found, champion


def gather(snapshot: Snapshot, version: Version, role: str, champion: Version) -> Hearing:
    """Find the rows that a version on trial can be judged on.

    Parameters
    ----------
    snapshot : Snapshot
        Of now.
    version, role, champion
        From `called`.

    Raises
    ------
    NotEnoughDataError
        It has answered nothing, nothing of what is in the lake, or nothing that has a label.
    """
    model, lake, at = snapshot.model, snapshot.lake, snapshot.as_of
    since = max(trained_until(version), trained_until(champion))
    answered = _answered(lake, model, version, champion, since)
    if answered.empty:
        raise NotEnoughDataError(_unheard(lake, model, version, champion, since))
    arrival, _ = label_delay.arrival(lake, model, at)
    after = arrival.ripe_after()
    until = at if after is None else at - after
    ripe = answered[answered[model.time] < until].reset_index(drop=True)
    keys = snapshot.labelled(since, until)[model.key]
    known = pd.MultiIndex.from_frame(ripe[model.key]).isin(pd.MultiIndex.from_frame(keys))
    found = Hearing(version, champion, role, ripe[known].reset_index(drop=True), since, until)
    if len(ripe) and not known.any():
        raise NotEnoughDataError(
            f"{model.name}: none of the {len(ripe):,} rows that {version} answered has a label yet. "
            f"Ingest them, or send them to /models/{model.name}/labels."
        )
    if after is None:
        wait = "when labels come is not known yet"
    elif ripe.empty:
        wait = f"the labels of the {len(answered):,} rows that it answered have not ripened; that takes {after}"
    elif not label_delay.ripe(arrival, label_delay.naive(ripe[model.time]), known, label_delay.naive_moment(at)):
        wait = f"labels are overdue: {known.mean():.0%} of the {len(ripe):,} rows that it answered have one"
    else:
        wait = _too_few(model, found)
    return replace(found, wait=wait)


def _too_few(model: "Model", found: Hearing) -> str:
    gates, rows, version = model.gates, len(found.answered), found.version
    blocks = Blocks.of(model, found.answered[model.time]).count
    if rows < gates.min_rows or blocks < gates.min_blocks:
        asked = f"at least {gates.min_rows:,} and {gates.min_blocks} are asked for"
        return f"{rows:,} rows in {blocks} blocks that it answered have a label; {asked}"
    before = version.trial_rows if version.trial_against == found.champion.number else 0
    if rows < GROWTH * before:
        told = f"it was judged on {before:,} rows against this champion: {version.trial_decision}"
        return f"{told}; it is judged again on {GROWTH * before:,}, and there are {rows:,}"
    return ""


def _answered(lake: Lake, model: "Model", version: Version, champion: Version, since: pd.Timestamp) -> pd.DataFrame:
    """The newest answer of a version by row of the lake, with that of the champion to the same request.

    What a shadow answered counts where this very champion answered the caller.
    """
    schema = lake.schema(model.name, SERVED)
    if schema is None or not lake.exists(model.name):
        return pd.DataFrame()
    key = columns(model.key, ROWS)
    sent = [one for one in model.features if stored(one) in schema.names and one not in model.serving.private]
    taken = "".join(f", {column(one, 'ours')} AS {quoted(f'{_SENT}{one}')}" for one in sent)
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


def _unheard(lake: Lake, model: "Model", version: Version, champion: Version, since: pd.Timestamp) -> str:
    """Why nothing that a version answered can be judged."""
    where = f"\"_version\" = $version AND \"_role\" IN ('{CANARY}', '{SHADOW}')"
    sql = f"SELECT count(*) AS n FROM {SERVED} WHERE {where}"
    there = lake.exists(model.name, SERVED)
    count = int(lake.query(model, sql, {"version": version.number}, tables=[SERVED])["n"][0]) if there else 0
    if not count:
        return (
            f"{version} has answered nothing beside the champion yet. Let callers ask the service (`evergreen serve`)."
        )
    return (
        f"None of the {count:,} answers of {version} can be judged. One counts if its id is the key of a row of the "
        f"lake (send the key with the request, and ingest) from {since:%Y-%m-%d %H:%M} on, when both were trained, and "
        f"of a shadow if the champion that answered the request was version {champion.number}."
    )


def _aligned(answers: "pd.Series[Any]", estimator: Any, classes: NDArray[Any] | None) -> Floats:
    """Logged answers as metrics want them; a class that the version never saw has the probability nought."""
    width = 1 if classes is None else len(estimator.classes_)
    told = np.array(answers.to_list(), dtype=np.float64).reshape(len(answers), width)
    return told[:, 0] if classes is None else fitting.aligned(told, estimator.classes_, classes)


def _as_sent(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with the features that were sent in the place of those that the lake has by now."""
    sent = [one for one in rows.columns if one.startswith(_SENT)]
    return rows.assign(**{one.removeprefix(_SENT): rows[one] for one in sent})
