"""Prometheus metrics of all workers together."""

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from serving.log.segments import backlog

_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # seconds


@dataclass
class Metrics:
    """The metrics of one worker.

    Attributes
    ----------
    log : Path
        The folder of all workers' log slots.
    first : bool
        Whether this worker counts what all of them do once.
    """

    log: Path
    first: bool = True
    _by_model_and_status: dict[tuple[str, int], tuple[Counter, Histogram]] = field(default_factory=dict)
    _registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        options: dict[str, Any] = {"registry": self._registry, "namespace": "evergreen"}
        self._requests = Counter("requests", "Requests.", ["model", "status"], **options)
        self._seconds = Histogram(
            "request_seconds",
            "Seconds from the head of the request to the response.",
            ["model"],
            buckets=_BOUNDS,
            **options,
        )
        self._rows = Counter("rows", "Rows that were predicted.", ["model", "version"], **options)
        self._dropped = Counter("log_dropped_rows", "Rows that were predicted but could not be logged.", **options)
        self._version = Gauge(
            "model_version", "The version that predicts.", ["model"], multiprocess_mode="mostrecent", **options
        )
        self._swaps = Counter("swaps", "Times that another version took over.", ["model"], **options)

    def record_request(self, model: str, status: int, seconds: float) -> None:
        """Count a finished request and its duration."""
        requests, durations = self._by_model_and_status.get((model, status)) or self._metrics_of(model, status)
        requests.inc()
        durations.observe(seconds)

    def _metrics_of(self, model: str, status: int) -> tuple[Counter, Histogram]:
        """The metrics of a model and a status, looked up once."""
        metrics = self._requests.labels(model, status), self._seconds.labels(model)
        self._by_model_and_status[model, status] = metrics
        return metrics

    def record_rows(self, model: str, version: str, rows: int, dropped: int = 0) -> None:
        """Count rows that were predicted in one call."""
        self._rows.labels(model, version).inc(rows)
        if dropped:
            self._dropped.inc(dropped)

    def record_version(self, model: str, version: str, before: str | None) -> None:
        """Record which version predicts, and whether it took over from another one."""
        self._version.labels(model).set(int(version))
        if self.first:
            self._swaps.labels(model).inc(before not in (None, version))

    def exposition(self, models: Collection[str] | None = None) -> bytes:
        """The metrics of all workers in Prometheus' text format; with `models`, only the series of these."""
        registry: Any = self._registry
        if values.ValueClass.__name__ == "MmapedValue":  # several workers, by PROMETHEUS_MULTIPROC_DIR
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        if models is not None:
            return generate_latest(_OfModels(registry, models))
        return generate_latest(registry) + generate_latest(self._backlog())

    def _backlog(self) -> Any:
        size, since = backlog(self.log)
        lag = time.time() - since if since else 0.0
        return _FixedMetrics(
            GaugeMetricFamily(
                "evergreen_log_waiting_bytes", "Bytes that are logged and not in the lake yet.", value=size
            ),
            GaugeMetricFamily("evergreen_log_lag_seconds", "Age of the oldest closed segment.", value=lag),
        )


class _FixedMetrics:
    def __init__(self, *families: GaugeMetricFamily) -> None:
        self._families = families

    def collect(self) -> tuple[GaugeMetricFamily, ...]:
        return self._families


@dataclass(frozen=True)
class _OfModels:
    """The series of a registry that belong to some models."""

    registry: CollectorRegistry
    models: Collection[str]

    def collect(self) -> Iterator[Metric]:
        for family in self.registry.collect():
            family.samples = [sample for sample in family.samples if sample.labels.get("model") in self.models]
            if family.samples:
                yield family
