"""Meters: what Prometheus reads, of all workers together."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

from serving.log.segments import waiting

_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # seconds


@dataclass
class Meters:
    """The meters of one worker.

    Attributes
    ----------
    log : Path
        The folder of all workers' slots.
    """

    log: Path
    _of: dict[tuple[str, int], tuple[Counter, Histogram]] = field(default_factory=dict)
    _registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        made: dict[str, Any] = {"registry": self._registry, "namespace": "evergreen"}
        self._requests = Counter("requests", "Requests.", ["model", "status"], **made)
        self._seconds = Histogram("request_seconds", "From the head to the answer.", ["model"], buckets=_BOUNDS, **made)
        self._rows = Counter("rows", "Rows that were answered.", ["model", "version"], **made)
        self._dropped = Counter("log_dropped_rows", "Rows answered that could not be logged.", **made)
        self._version = Gauge(
            "model_version", "The version that answers.", ["model"], multiprocess_mode="mostrecent", **made
        )
        self._swaps = Counter("swaps", "Versions that took over.", ["model"], **made)

    def asked(self, model: str, status: int, seconds: float) -> None:
        """A request is over."""
        requests, took = self._of.get((model, status)) or self._found(model, status)
        requests.inc()
        took.observe(seconds)

    def _found(self, model: str, status: int) -> tuple[Counter, Histogram]:
        """The meters of such requests, looked up once."""
        found = self._requests.labels(model, status), self._seconds.labels(model)
        self._of[model, status] = found
        return found

    def answered(self, model: str, version: str, rows: int, dropped: int = 0) -> None:
        """Rows were answered together."""
        self._rows.labels(model, version).inc(rows)
        if dropped:
            self._dropped.inc(dropped)

    def swapped(self, model: str, version: str) -> None:
        """A version has taken over."""
        self._version.labels(model).set(int(version))
        self._swaps.labels(model).inc()

    def page(self) -> bytes:
        """All workers' meters in Prometheus' text format."""
        registry = self._registry
        if values.ValueClass.__name__ == "MmapedValue":  # several workers, by PROMETHEUS_MULTIPROC_DIR
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry) + generate_latest(self._waiting())

    def _waiting(self) -> Any:
        size, since = waiting(self.log)
        lag = time.time() - since if since else 0.0
        return _Fixed(
            GaugeMetricFamily("evergreen_log_waiting_bytes", "Logged, and not in the lake yet.", value=size),
            GaugeMetricFamily("evergreen_log_lag_seconds", "Age of the oldest closed segment.", value=lag),
        )


class _Fixed:
    def __init__(self, *found: GaugeMetricFamily) -> None:
        self._found = found

    def collect(self) -> tuple[GaugeMetricFamily, ...]:
        return self._found
