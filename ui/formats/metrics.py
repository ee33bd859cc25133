"""Metrics of every model for Prometheus, from what is known of the fleet."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily

from evergreen.iso_time import seconds
from ui.known.fleet import Known
from ui.known.summary import Summary

VERDICTS = ("promote", "reject", "not enough evidence")

# Metric, the unit it is measured in, and what it says; all have the label `model`.
_OF_MODEL = {
    "health": "0 well, 1 not known yet, 2 needs attention, 3 bad.",
    "newest_row_timestamp_seconds": "The time of the newest row.",
    "checked_timestamp_seconds": "As of when the monitor looked last.",
    "champion_version": "The version that answers.",
    "champion_since_timestamp_seconds": "Since when it answers.",
    "drifted_columns": "Columns whose drift the last check found.",
    "drift_ratio": "The farthest column's distance as a multiple of its threshold.",
    "quarantined_batches": "Batches in quarantine that wait for a person.",
    "approvals_pending": "Versions that are pending approval.",
    "alerts_open": "Alerts of the monitor that no later check has cleared.",
}


@dataclass(frozen=True)
class _Families:
    known: Known

    def collect(self) -> Iterator[GaugeMetricFamily]:
        known = self.known
        yield GaugeMetricFamily("evergreen_models", "Models that are known.", value=len(known.summaries))
        readable = float(not known.problem)
        yield GaugeMetricFamily("evergreen_stores_readable", "1 if the stores could be read.", value=readable)
        at = known.at.timestamp() if known.at else math.nan
        yield GaugeMetricFamily("evergreen_known_timestamp_seconds", "When the stores were last read whole.", value=at)
        values = {summary.name: _values(summary) for summary in known.summaries}
        for name, told in _OF_MODEL.items():
            family = GaugeMetricFamily(f"evergreen_{name}", told, labels=["model"])
            for model, of_model in values.items():
                if math.isfinite(of_model[name]):
                    family.add_metric([model], of_model[name])
            yield family
        yield from _performance(known)
        yield _verdicts(known)


def exposition(known: Known) -> bytes:
    """The metrics in Prometheus' text format; a series whose value is not known is left out."""
    return generate_latest(_Families(known))


def _values(summary: Summary) -> dict[str, float]:
    return {
        "health": float(summary.health.level),
        "newest_row_timestamp_seconds": _seconds(summary.newest),
        "checked_timestamp_seconds": _seconds(summary.checked),
        "champion_version": float(summary.champion) if summary.champion.isdigit() else math.nan,
        "champion_since_timestamp_seconds": _seconds(summary.champion_since),
        "drifted_columns": float(summary.drifted) if summary.checked else math.nan,
        "drift_ratio": summary.farthest,
        "quarantined_batches": float(len(summary.quarantined)),
        "approvals_pending": float(bool(summary.pending)),
        "alerts_open": float(bool(summary.alert)),
    }


def _performance(known: Known) -> Iterator[GaugeMetricFamily]:
    told = "The metric of the champion: realised where labels are known, estimated before, baseline at its evaluation."
    family = GaugeMetricFamily("evergreen_performance", told, labels=["model", "metric", "kind"])
    for summary in known.summaries:
        trend = summary.trend
        of_kind = {
            "realised": trend.realised[-1][1] if trend.realised else math.nan,
            "estimated": trend.estimated[-1][1] if trend.estimated else math.nan,
            "baseline": trend.baseline,
        }
        for kind, value in of_kind.items():
            if math.isfinite(value):
                family.add_metric([summary.name, summary.metric, kind], value)
    yield family


def _verdicts(known: Known) -> GaugeMetricFamily:
    """One series for each verdict, so that a change does not leave the old one behind."""
    told = "1 for the verdict of the last training, 0 for the others."
    family = GaugeMetricFamily("evergreen_last_verdict", told, labels=["model", "verdict"])
    for summary in known.summaries:
        for verdict in VERDICTS if summary.verdict else ():
            family.add_metric([summary.name, verdict], float(summary.verdict == verdict))
    return family


def _seconds(moment: str) -> float:
    return seconds(moment) if moment else math.nan
