"""A running service for tests: `evergreen serve` as a real process in the home of one world, and callers."""

import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
from deltalake import DeltaTable

from evergreen.definition import loader
from evergreen.definition.model import Model
from evergreen.lake.lake import SERVED
from evergreen.registry.registry import TrainingRecord
from evergreen.registry.version import CHAMPION, TagValues, Version
from evergreen.settings import Settings
from evergreen.stores import Stores
from evergreen.training import fitting
from tests.running_system import environment, started, until

JANUARY = pd.date_range("2013-01-01", "2013-01-14", tz="UTC")
FEBRUARY = pd.date_range("2013-02-01", "2013-02-14", tz="UTC")


def promoted(days: pd.DatetimeIndex, name: str = "toy") -> Version:
    """A version of the toy that learnt these days, with no gate asked, and its promotion."""
    model = loader.load(name)
    return promoted_on(model, model.source.function(days[0], days[-1] + pd.Timedelta(days=1)))


def promoted_on(model: Model, rows: pd.DataFrame) -> Version:
    """The same of any model, of these rows."""
    registry = Stores.open().registry
    example = fitting.features(model, rows).tail(5).reset_index(drop=True)
    dataset = {"name": "rows", "digest": "d1", "uri": "/lake", "version": "1"}
    tags: TagValues = {"as_of": rows[model.time].max() if model.time in rows else JANUARY[-1]}
    training = TrainingRecord("a run", {}, {}, tags, dataset)
    version = registry.record_training(model, fitting.fit(model, rows), example, training)
    registry.alias(version, CHAMPION)
    return version


def ask(url: str, body: Any = None, key: str = "") -> tuple[int, Any]:
    """The status and the JSON that a service answers; with a body, to a POST."""
    data = None if body is None else json.dumps(body).encode()
    bearer = {"authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(url, data, {"content-type": "application/json"} | bearer)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text.strip() else None
    except urllib.error.HTTPError as error:
        text = error.read()
        return error.code, json.loads(text) if text[:1] == b"{" else None


class Service:
    """One `evergreen serve`."""

    def __init__(self, *words: str, home: Path | None = None, **more: str) -> None:
        self.home = home or Settings.read().home
        self.said = self.home.parent / "serve.log"
        self.process = started(environment(self.home, **more), self.said, "serve", "--port", "0", *words)

    @property
    def text(self) -> str:
        return self.said.read_text()

    @property
    def url(self) -> str:
        """Its address, once it has one."""

        def told() -> Any:
            assert self.process.poll() is None, self.text
            return re.search(r"serves on (http://\S+);", self.text)

        return str(until(told, "the address")[1])

    def workers(self) -> list[int]:
        """The processes that answer."""
        command = ["pgrep", "-P", str(self.process.pid), "-f", "serving.process.worker"]
        completed = subprocess.run(command, capture_output=True)
        return [int(worker) for worker in completed.stdout.split()]

    def wait(self, version: Version | None = None) -> "Service":
        """Until every model, or this version, answers."""
        if version is None:
            until(lambda: self.ask("/ping")[0] == 200, "an answer")
        else:
            until(lambda: self.standing().get(version.model) == version.number, f"version {version.number}")
        return self

    def standing(self) -> dict[str, str]:
        """The version of each model."""
        return {name: model["version"] for name, model in self.ask("/models")[1].items()}

    def ask(self, path: str, body: Any = None) -> tuple[int, Any]:
        """Ask; with a body, by POST."""
        return ask(self.url + path, body)

    def stop(self, number: int = signal.SIGINT) -> int:
        """End it, and all its processes."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(60)
        finally:
            for worker in self.workers():
                os.kill(worker, signal.SIGKILL)


@contextmanager
def serving(*words: str, home: Path | None = None, **more: str) -> Iterator[Service]:
    """A service that is stopped however the block ends."""
    service = Service(*words, home=home, **more)
    try:
        yield service
    finally:
        service.stop(signal.SIGTERM)


@dataclass(frozen=True)
class Address:
    """Where a service listens, whether it runs or not."""

    url: str

    def ask(self, path: str, body: Any = None) -> tuple[int, Any]:
        """Ask; with a body, by POST."""
        return ask(self.url + path, body)


class Callers:
    """Threads that ask one row after the other, each by a key of its own, and remember what they were told."""

    def __init__(self, service: Service | Address, model: str = "toy", count: int = 4, pause: float = 0.0) -> None:
        self.service, self.model = service, model
        self._pause = pause  # seconds after an answer
        self.answered: dict[str, str] = {}  # id to version
        self.failed: list[str] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(count)]

    def __enter__(self) -> "Callers":
        self._url = self.service.url
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, caller: int) -> None:
        number, name = 0, uuid4().hex
        while not self._over.is_set():
            number += 1
            key = f"{name}-{number}"
            body = {"dataframe_records": [{"id": key, "x": number % 7, "z": caller}]}
            try:
                status, answer = self.service.ask(f"/models/{self.model}/invocations", body)
            except (OSError, HTTPException) as error:  # cut off in the middle of an answer
                status, answer = 0, str(error)
                time.sleep(0.02)  # nobody listens
            if status == 200:
                self.answered[answer["ids"][0]] = answer["version"]
                self._over.wait(self._pause)
            else:
                self.failed.append(f"{key}: {status} {answer}")


def landed(callers: Callers) -> dict[str, str]:
    """The versions by id of what callers of the toy were answered, once it is in the lake, where each is once."""
    lake = Stores.open().lake

    def there() -> Any:
        if not lake.exists("toy", SERVED):
            return None
        served = DeltaTable(lake.uri("toy", SERVED)).to_pandas(columns=["_id", "_version"])
        served = served[served["_id"].isin(list(callers.answered))]
        return [served] if len(served) >= len(callers.answered) else None

    (logged,) = until(there, "the log", 30)
    assert not logged["_id"].duplicated().any()
    return dict(logged.set_index("_id")["_version"])
