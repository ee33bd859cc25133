"""Micro-batching: requests that wait together are predicted together, and logged by one write.

A call of scikit-learn costs nearly the same for one row as for a hundred. So a request waits until
the event loop has read what else has come, and while fewer are there than came together the last
time, half of what a call takes: callers who were answered together ask again together. A pool
of threads would halve the throughput.
"""

import asyncio
import itertools
import os
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from evergreen.lake.request_fields import FIELDS
from serving.errors import RequestError, overloaded, unfit
from serving.inference.loaded_model import Served
from serving.log.segments import Log
from serving.metrics import Meters
from serving.model_cache import Spec
from serving.requests import Asked

_TOGETHER = 2048  # rows in one call
_READING = 0.002  # seconds, while each look finds more


@dataclass(slots=True)
class _Waiting:
    served: Served
    asked: Asked
    ids: list[str]
    came: float
    clock: int
    future: "asyncio.Future[dict[str, Any]]"


@dataclass
class Batches:
    """What waits for an answer in one worker.

    Attributes
    ----------
    log : Log
    meters : Meters
    full : {"refuse", "drop"}
        What becomes of an answer that cannot be logged: no answer, or an answer without a log.
    """

    log: Log
    meters: Meters
    full: Literal["refuse", "drop"] = "refuse"
    _paces: dict[tuple[str, str], "deque[float]"] = field(default_factory=dict)
    _queue: list[_Waiting] = field(default_factory=list)
    _before: int = 0
    _took: float = 0.0
    _first: float = 0.0
    _seen: int = 0
    _made: "itertools.count[int]" = field(default_factory=itertools.count)
    _prefix: str = field(default_factory=lambda: os.urandom(8).hex())

    async def answer(self, served: Served, asked: Asked, came: float) -> dict[str, Any]:
        """Answer the rows of a request, once they are in the log.

        Raises
        ------
        RequestError
            422 where the model cannot answer these rows, 503 where the log cannot be written.
        """
        ids = asked.ids or self.ids(len(asked.rows))
        loop = asyncio.get_running_loop()
        one = _Waiting(served, asked, ids, came, time.time_ns() // 1000, loop.create_future())
        if not self._queue:
            self._first, self._seen = time.perf_counter(), 0
            loop.call_soon(self._flush)
        self._queue.append(one)
        return await one.future

    def ids(self, count: int) -> list[str]:
        """New ids, which nobody has."""
        return [f"{self._prefix}-{next(self._made):x}" for _ in range(count)]

    def pace(self, served: Served) -> "deque[float]":
        """Seconds that the last calls of a version took."""
        return self._paces.setdefault((served.spec.model, served.spec.number), deque(maxlen=200))

    def label(self, spec: Spec, labels: dict[str, Any]) -> dict[str, Any]:
        """Take labels, once they are in the log, whatever the setting: nobody else has them.

        Raises
        ------
        RequestError
            503 where the log cannot be written.
        """
        name = f"labels of {spec.model}"
        line = {"of": name, "arrived": time.time_ns() // 1000, **labels}
        try:
            self.log.write(line, (name, {"model": spec.model, "table": "labels"}))
        except OSError as error:
            raise overloaded(
                f"The log cannot be written ({error.strerror}), so no label is taken. Try later."
            ) from None
        return {"labels": len(labels["ids"]), "model": spec.model}

    def _flush(self) -> None:
        began = time.perf_counter()
        if self._more_come(began - self._first):
            asyncio.get_running_loop().call_soon(self._flush)
            return
        queue, self._queue = self._queue, []
        for _, alike in itertools.groupby(sorted(queue, key=_version), key=_version):
            for group in _parts([one for one in alike if not one.future.cancelled()]):
                self._together(group)
        self._before, self._took = len(queue), time.perf_counter() - began

    def _more_come(self, waited: float) -> bool:
        """Whether it is worth to look once more at what has come."""
        count, seen = len(self._queue), self._seen
        self._seen = count
        return (count > seen and waited < self._took + _READING) or (count < self._before and waited < self._took / 2)

    def _together(self, group: list[_Waiting]) -> None:
        rows = [row for one in group for row in one.asked.rows]
        served = group[0].served
        try:
            began = time.perf_counter()
            outputs = served.outputs(rows)
            self.pace(served).append(time.perf_counter() - began)
            if not np.isfinite(outputs).all():
                raise ValueError("its answer is not a finite number")
            predictions = served.predictions(outputs, rows)
        except Exception as error:  # of the estimator: which of the requests it was is found by asking each alone
            if len(group) > 1:
                for one in group:
                    self._together([one])
            else:
                reason = f"{error} ".splitlines()[0].strip(" .")
                group[0].future.set_exception(unfit(f"{served.spec.model} cannot answer these rows: {reason}."))
            return
        try:
            dropped = self._keep(group, served, rows, outputs)
        except RequestError as error:
            for one in group:
                one.future.set_exception(error)
            return
        self._give(group, served, outputs, predictions)
        self.meters.answered(served.spec.model, served.spec.number, len(rows), dropped)

    def _keep(self, group: list[_Waiting], served: Served, rows: list[list[Any]], outputs: NDArray[np.float64]) -> int:
        """Log what was answered; how many rows could not be."""
        spec, mask, now = served.spec, served.mask, time.perf_counter()
        names = sorted({name for one in group for name in one.asked.beside})
        beside = {
            name: [v for one in group for v in one.asked.beside.get(name, [None] * len(one.ids))] for name in names
        }
        line = {
            "of": f"{spec.model}@{spec.number} {served.role}",
            "ids": [name for one in group for name in one.ids],
            **{field.name: [v for one in group for v in [field.value(one, now)] * len(one.ids)] for field in FIELDS},
            "rows": served.mask.rows(rows),
            "answers": outputs.tolist(),
            "beside": mask.columns(beside),
        }
        kinds = {"features": mask.features, "beside": mask.beside, "timezone": spec.timezone}
        head = {"model": spec.model, "version": spec.number, "role": served.role, **kinds}
        try:
            self.log.write(line, (line["of"], head))
        except OSError as error:
            if self.full == "refuse":
                message = f"The prediction log cannot be written ({error.strerror}), so nothing is answered. Try later."
                raise overloaded(message) from None
            return len(rows)
        return 0

    def _give(
        self, group: list[_Waiting], served: Served, outputs: NDArray[np.float64], predictions: list[Any]
    ) -> None:
        begin, spec = 0, served.spec
        for one in group:
            end = begin + len(one.ids)
            told = {"predictions": predictions[begin:end], "ids": one.ids, "model": spec.model, "version": spec.number}
            if spec.classes is not None:
                told |= {"classes": spec.classes, "probabilities": outputs[begin:end].tolist()}
            one.future.set_result(told)
            begin = end


def _version(one: _Waiting) -> tuple[str, str, str]:
    return one.served.spec.model, one.served.spec.number, one.served.role


def _parts(waiting: list[_Waiting]) -> list[list[_Waiting]]:
    """Groups of so many rows as are predicted in one call; a larger request is one of its own."""
    parts: list[list[_Waiting]] = []
    rows = _TOGETHER
    for one in waiting:
        rows += len(one.ids)
        if rows > _TOGETHER:
            parts.append([])
            rows = len(one.ids)
        parts[-1].append(one)
    return parts
