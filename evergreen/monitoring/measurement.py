"""Measure a champion's newest window: drift, data quality, realised and estimated performance."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from evergreen import time_units
from evergreen.definition.parsing.time_part import TimePart
from evergreen.drift import columns, cusum, data_quality, profile
from evergreen.drift import thresholds as drift_thresholds
from evergreen.drift.columns import Drift
from evergreen.drift.profile import Profile
from evergreen.evaluation.performance import Observed
from evergreen.ingestion import label_arrival
from evergreen.ingestion.label_arrival import arrival, horizon
from evergreen.ingestion.label_maturity import LabelMaturity
from evergreen.lake.lake import Lake
from evergreen.monitoring import degradation, estimation, observation, profile_store, realised
from evergreen.monitoring.newest_rows import newest_row
from evergreen.monitoring.observation import OVERDUE, STOPPED, Observation
from evergreen.monitoring.reference import PREDICTION, Reference
from evergreen.monitoring.unseen import Unseen

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_PAST = 90  # latest observations from which the error of estimates is computed
_EXPECTED = 30  # labels to expect by the reference; below this number, their absence may be chance


def observe(
    lake: Lake,
    model: "Model",
    version: str,
    base: Reference,
    as_of: pd.Timestamp,
    now: pd.Timestamp,
    maturity: LabelMaturity | None = None,
    unseen: Unseen | None = None,
) -> Observation:
    """Measure the newest whole units with rows: drift, data quality, realised and estimated performance.

    Parameters
    ----------
    lake : Lake
    model : Model
    version : str
    base : Reference
    as_of : Timestamp
        Labels that became known later are not used.
    now : Timestamp
        From `evergreen.monitoring.newest_rows.own_time`.
    maturity : LabelMaturity, optional
        From which age on labels are used, if that was learned.
    unseen : Unseen, optional
        What the version can be judged on where it has not predicted enough rows yet.
    """
    until = time_units.unit_start(now, model.monitoring.unit)
    since = until - model.monitoring.window
    reference_end = pd.Timestamp(base.profile.units[-1], tz="UTC") + pd.Timedelta(model.monitoring.unit)
    counted = profile_store.between(lake, model, version, base, min(since, reference_end), until)
    window_profile = counted.between(since, until)
    curve, watched = arrival(lake, model, as_of, now, maturity.delay if maturity else None)
    after = maturity.judged_after if maturity else curve.matures_after()
    found = realised.measure(lake, model, version, base, (as_of, now), (curve, after), unseen)
    current = _features(model, window_profile)
    labels = _labels(lake, model, version, base, found.get("ripened", ""), now)
    rows_seen = max((column.rows for column in current.values()), default=0)
    rows = realised.predicted_rows(lake, model, version, since, until)
    error = estimation.past_error(_pairs(observation.read(lake, model, version, until=as_of, most=_PAST)))
    estimated = base.estimate(rows, realised.answers(model, rows))
    return Observation(
        model=model.name,
        version=version,
        as_of=as_of.isoformat(),
        since=since.isoformat(),
        until=until.isoformat(),
        rows=rows_seen,
        drift=_drift(model, base, current | labels, _slow(model, counted.between(reference_end, until))),
        quality=_stopped(lake, model, as_of, now, rows_seen)
        + (_quality(model, base, current, labels) if rows_seen else [])
        + (_overdue(found["realised"]) if "realised" in found else _unlabelled(model, base, watched, as_of)),
        estimated=estimated,
        past_error=str(error),
        estimated_degradation=degradation.estimated_degradation(
            model.metric, estimated, base.judged.whole, error, model.gates
        ),
        judged=base.judged.whole.value,
        notes=maturity.notes(model) if maturity else [],
        **found,
    )


def _quality(
    model: "Model", base: Reference, current: dict[str, profile.Column], labels: dict[str, profile.Column]
) -> list[str]:
    """The data quality problems of rows and of mature labels."""
    judged = {name: column for name, column in current.items() if name != PREDICTION} | labels
    return data_quality.quality(base.profile.total(), judged, drift_thresholds.level(model.monitoring, len(judged)))


def _stopped(lake: Lake, model: "Model", as_of: pd.Timestamp, now: pd.Timestamp, rows: int) -> list[str]:
    """That no row came for a whole window, and since when: the same words until rows come again."""
    if now == as_of:
        return [] if rows else ["no rows in the window"]
    newest = newest_row(lake, model, now)
    return [f"{STOPPED} {newest:%Y-%m-%d %H:%M}"]


def _overdue(observed: Observed) -> list[str]:
    """Labels that are overdue, so that performance cannot be measured."""
    if observed.mature or not observed.rows:
        return []
    return [_late(observed.labelled, observed.rows, f"{observed.since}")]


def _unlabelled(model: "Model", base: Reference, watched: pd.DataFrame, as_of: pd.Timestamp) -> list[str]:
    """As `_overdue`, when the label delay cannot be estimated: a whole window of rows lacks the expected labels."""
    there = watched[watched[label_arrival.ARRIVED] <= as_of]  # what was taken in later was not yet to be labelled
    unlabelled = label_arrival.overdue_rows(model, there, as_of)
    share = 1 - base.profile.total()[model.target].missing
    if not len(unlabelled) * share >= _EXPECTED:
        return []
    first, last = unlabelled[model.time].min(), unlabelled[model.time].max()
    spans_window = last - first >= model.monitoring.window - model.monitoring.unit
    return [_late(0.0, len(unlabelled), first.isoformat())] if spans_window else []


def _late(share: float, rows: int, since: str) -> str:
    return f"{OVERDUE}: {share:.0%} of the {rows:,} rows from {since[:10]} on have one"


def _slow(model: "Model", later: Profile) -> Profile:
    """The columns that are judged for slow drift: features and predictions.

    Labels come later, and the early ones are a biased sample; parts of the time go up and down by themselves.
    """
    others = {model.target, *(name for name, parser in model.parsing.items() if isinstance(parser, TimePart))}
    return replace(later, columns={name: column for name, column in later.columns.items() if name not in others})


def _drift(model: "Model", base: Reference, current: dict[str, profile.Column], later: Profile) -> list[Drift]:
    """The drift of features, predictions and, in their own window, labels: in the window, and slowly up to it."""
    thresholds = drift_thresholds.calibrate(
        base.profile.columns, cusum.left_for_windows(base.profile, model.monitoring)
    )
    measured = columns.measure(base.profile.total(), current)
    slides = cusum.slides(base.profile, later, model.monitoring)
    drifts = columns.judge(measured, thresholds, base.importance, model.monitoring.important, slides)
    shown = PREDICTION if "prediction" in model.columns else "prediction"
    return [replace(drift, column=shown) if drift.column == PREDICTION else drift for drift in drifts]


def _features(model: "Model", counted: Profile) -> dict[str, profile.Column]:
    """Features and predictions of a window, without the labels, which may be missing yet."""
    return {name: column for name, column in counted.total().items() if name != model.target}


def _labels(
    lake: Lake, model: "Model", version: str, base: Reference, until: str, now: pd.Timestamp
) -> dict[str, profile.Column]:
    """The labels of the newest window in which they are mature: early ones are a biased sample.

    Labels that arrived after the last count of their rows are counted here.
    """
    if not until:
        return {}
    end = pd.Timestamp(until)
    since = end - model.monitoring.window
    if since >= horizon(model, now):
        counted = profile_store.between(lake, model, version, base, since, end)
    else:
        counted = profile_store.count(lake, model, version, base, since, end, [model.target])
    return {model.target: counted.total()[model.target]}


def _pairs(seen: Sequence[Observation]) -> list[tuple[float, float]]:
    """The estimated and the realised metric of each window with mature labels."""
    estimated = {then.until: then.estimated for then in seen}
    mature = [(then.ripened, then.realised) for then in seen]
    realised = {end: score.whole.value for end, score in mature if score and score.mature}
    return [(estimated[end], realised[end]) for end in estimated if end in realised]
