"""Recording: the variants of an experiment as runs of an MLflow experiment of their own, MODEL.experiment."""

import math
from typing import TYPE_CHECKING

from evergreen import provenance
from evergreen.experiments.comparison import Compared, Result
from evergreen.experiments.rolling import Experiment
from evergreen.registry.registry import Registry
from evergreen.registry.runs import BacktestRun

if TYPE_CHECKING:
    from evergreen.experiments.variant import Variant


def record(registry: Registry, experiment: Experiment, compared: Compared) -> None:
    """Record each variant as a run; repeating this changes nothing."""
    variants = [variant.fingerprint for variant in experiment.compared]
    key = provenance.fingerprint([experiment.version, experiment.known, *experiment.edges, *variants])
    pairs = zip(experiment.compared, compared.results, strict=True)
    runs = [_run(compared, variant, result) for variant, result in pairs]
    registry.record_backtest(experiment.model, key, compared.sentence, runs, "experiment")


def _run(compared: Compared, variant: "Variant", result: Result) -> BacktestRun:
    totals = {compared.metric: result.value.value, "seconds": result.seconds}
    totals |= {"gain": result.gain.value, "gain_low": result.gain.low, "gain_high": result.gain.high}
    points = [(name, value, compared.until) for name, value in totals.items() if math.isfinite(value)]
    points += [
        (f"{compared.metric}_by_period", period.value, period.since)
        for period in result.periods
        if math.isfinite(period.value)
    ]
    params = {
        "variant": result.name,
        "settings": variant.settings or "–",
        "code": variant.code.digest,
        "table_version": str(compared.version),
        "since": compared.since,
        "until": compared.until,
        "step": compared.step,
        "found": result.found,
    }
    texts = {"change.diff": result.diff} if result.diff else {}
    return BacktestRun(f"{compared.model} · try · {result.name}", params, points, texts)
