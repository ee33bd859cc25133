"""The daily check of a model with a year of history, beside that of one with a week.

One model lives through a year: every day its rows land, its champion answers them, and a check counts, measures,
judges, decides and keeps, as the monitor's tasks do, without Prefect. The page is measured apart.

    python -m benchmarks.monitoring.daily_check [--days 365]
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

from benchmarks.harness.measuring import CONSOLE, Goal, judged

ROWS, FEATURES = 2_000, 12  # a day; numbers
BEGIN, TRAINED = pd.Timestamp("2023-01-01", tz="UTC"), 49
DAY = pd.Timedelta(days=1)
AROUND = 7  # checks that a median is of


def rows(since: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
    """The rows of a period, the same at every call."""
    return pd.concat([_day(day) for day in pd.date_range(since, until, freq="D", inclusive="left")], ignore_index=True)


def _day(day: pd.Timestamp) -> pd.DataFrame:
    random = np.random.default_rng(day.toordinal())
    inputs = random.normal(size=(ROWS, FEATURES))
    features = pd.DataFrame(inputs, columns=[f"x{place}" for place in range(FEATURES)])
    target = inputs[:, 0] + random.normal(size=ROWS)
    moments = day + pd.to_timedelta(np.arange(ROWS) * 43, unit="s")
    return features.assign(id=[f"{day:%Y%m%d}-{place}" for place in range(ROWS)], at=moments, y=target)


_MODEL = """
from sklearn.linear_model import LinearRegression

from benchmarks.monitoring.daily_check import BEGIN, FEATURES, rows
from evergreen import Call, Model, Training

model = Model(
    name="daily", task="regression", source=Call(function=rows, start=BEGIN), key="id", time="at", target="y",
    features={f"x{place}": "number" for place in range(FEATURES)}, estimator=LinearRegression,
    training=Training(window="42d"),
)
"""


def main() -> None:
    """Live through the year, and print what a check costs at its beginning and at its end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=int, default=365, help="of history (default %(default)s)")
    days = parser.parse_known_args()[0].days
    folder = Path(tempfile.mkdtemp(prefix="evergreen-bench-"))
    (folder / "models").mkdir()
    (folder / "models" / "daily.py").write_text(_MODEL)
    os.environ |= {"EVERGREEN_HOME": str(folder / "home"), "EVERGREEN_MODELS": str(folder / "models")}
    try:
        checks, pages = _live(days)
    finally:
        shutil.rmtree(folder)
    early, late = median(checks[:AROUND]), median(checks[-AROUND:])
    for name, costs in (("check", (early, late)), ("page", pages)):
        CONSOLE.print(f"{name}: {costs[0]:.2f} CPU s with a week of history, {costs[1]:.2f} with {days} days")
    judged(Goal("CPU of a check, times that with a week of history", late / early, 1.2))


def _live(days: int) -> tuple[list[float], tuple[float, float]]:
    """What every check cost, and the page after the first week and at the end."""
    from evergreen.definition import loader
    from evergreen.lake.lake import INGEST
    from evergreen.settings import embed
    from evergreen.stores import Stores

    embed()
    from flows.runtime.terminal import serve
    from flows.train import train

    serve()
    definition, lake, at = loader.load("daily"), Stores.open().lake, BEGIN + TRAINED * DAY
    lake.land(definition, rows(BEGIN, at), "first", at, app=INGEST, mark=at)
    train("daily", as_of=at.to_pydatetime())
    checks, page = [], 0.0
    for _ in range(days):
        lake.land(definition, _day(at), f"{at:%Y%m%d}", at + DAY, app=INGEST, mark=at + DAY)
        at += DAY
        checks.append(_cost(lambda at=at: _check(at)))
        if len(checks) == AROUND:
            page = _cost(_page)
    return checks, (page, _cost(_page))


def _check(at: pd.Timestamp) -> None:
    from evergreen.stores import Stores
    from tasks.compact import compact
    from tasks.decide import decide
    from tasks.observe import observe
    from tasks.predict import predict

    stores = Stores.open()
    champion = stores.registry.champion("daily")
    assert champion is not None
    predict.fn(stores, "daily", at)
    decide.fn(stores, "daily", "", at, observe.fn(stores, champion, at).monitored)
    compact.fn(stores, "daily", at)


def _page() -> None:
    from evergreen.stores import Stores
    from tasks.report import report

    report.fn(Stores.open(), "daily")


def _cost(work: Callable[[], None]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
