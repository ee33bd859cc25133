"""What the running service counted of one model: requests, errors, rows, and how long requests took."""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Usage:
    """Since the service began, over all of its workers.

    Attributes
    ----------
    requests : dict of int to int
        By HTTP status.
    rows : dict of version to int
        Predicted.
    buckets : list of (float, int)
        A bound in seconds, ascending, and how many requests took at most that; the last bound is infinite.
    """

    requests: dict[int, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    buckets: list[tuple[float, int]] = field(default_factory=list)

    @property
    def total(self) -> int:
        """All requests."""
        return sum(self.requests.values())

    @property
    def refused(self) -> int:
        """Requests that were answered with a 4xx status: the caller's fault."""
        return sum(count for status, count in self.requests.items() if 400 <= status < 500)

    @property
    def failed(self) -> int:
        """Requests that were answered with a 5xx status."""
        return sum(count for status, count in self.requests.items() if status >= 500)

    def within(self, share: float) -> float:
        """The least bound in seconds within which a share of the requests was answered; NaN without requests.

        Examples
        --------
        >>> usage = Usage(buckets=[(0.01, 90), (0.1, 99), (math.inf, 100)])
        >>> usage.within(0.5), usage.within(0.95)
        (0.01, 0.1)
        """
        total = self.buckets[-1][1] if self.buckets else 0
        return next((bound for bound, count in self.buckets if total and count >= share * total), math.nan)


def read(folder: Path, model: str) -> Usage:
    """What a service that runs on this machine counted of a model.

    Parameters
    ----------
    folder : Path
        From `serving.process.metrics_folder.current`.
    model : str
    """
    from prometheus_client import CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector

    samples: defaultdict[str, list[tuple[Mapping[str, str], float]]] = defaultdict(list)
    for family in MultiProcessCollector(CollectorRegistry(), str(folder)).collect():  # type: ignore[no-untyped-call]
        for sample in family.samples:
            if sample.labels.get("model") == model:
                samples[sample.name].append((sample.labels, sample.value))
    return Usage(
        requests={int(labels["status"]): int(value) for labels, value in samples["evergreen_requests_total"]},
        rows={labels["version"]: int(value) for labels, value in samples["evergreen_rows_total"]},
        buckets=sorted(
            (float(labels["le"]), int(value)) for labels, value in samples["evergreen_request_seconds_bucket"]
        ),
    )
