"""Random tables for `make fuzz`: what is drawn of a table, and its rows; `table_files.py` writes them.

A dimension is an entry in one of the dictionaries below: a name that is drawn, and the function that makes it.
A table is known by what was drawn, which is plain JSON: the same draw gives the same rows.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

Random = np.random.Generator
BEGIN = pd.Timestamp("2025-03-01")

NAMES = [
    *(
        "x",
        "Amount",
        "amount",
        "AMOUNT",
        "a b",
        " led by a space",
        "trailing ",
        "naïve café",
        "größe",
        "価格",
        "🚀 speed",
    ),
    *(
        'he"ight',
        "it's",
        "a.b",
        "a,b",
        "a;b",
        "a\\b",
        "a/b",
        "100%",
        "$x",
        ":since",
        "{c}",
        "[d]",
        "<b>bold</b>",
        "=1+1",
    ),
    *("select", "from", "order", "group", "table", "None", "nan", "null", "true", "class", "def", "lambda", "index"),
    *(
        "_batch",
        "_arrived",
        "_id",
        "_time",
        "_version",
        "_row",
        "_user:x",
        "evergreen",
        "batch",
        "rows",
        "model",
        "self",
    ),
    *(
        "version",
        "prediction",
        "known_at",
        "label",
        "id",
        "time",
        "at",
        "y",
        "score",
        "probability_1",
        "role",
        "answers",
    ),
    *("n" * 200, "line\nbreak", "tab\there", "1", "0.5", "2025-01-01", "x" * 70 + "1", "x" * 70 + "2"),
]
BAD_NAMES = ["", "   ", "evergreen:x"]

VALUES: dict[str, Callable[[Random, int], list[Any]]] = {
    "number": lambda random, n: random.normal(size=n).round(4).tolist(),
    "integer": lambda random, n: random.integers(-50, 50, n).tolist(),
    "beyond 2^53": lambda random, n: (2**53 + random.integers(1, 10**6, n)).tolist(),
    "beyond 2^63": lambda random, n: [int(value) * 10**19 for value in random.integers(1, 99, n)],
    "1e200": lambda random, n: (random.normal(size=n) * 1e200).tolist(),
    "largest": lambda random, n: (random.choice([-1, 1], n) * 1.7e308).tolist(),
    "tiny": lambda random, n: (random.normal(size=n) * 5e-320).tolist(),
    "some infinite": lambda random, n: np.where(random.random(n) < 0.05, np.inf, random.normal(size=n)).tolist(),
    "negative zero": lambda random, n: random.choice([-0.0, 0.0, 1.5], n).tolist(),
    "decimal": lambda random, n: [Decimal(int(value)).scaleb(-2) for value in random.integers(-9999, 9999, n)],
    "boolean": lambda random, n: random.choice([True, False], n).tolist(),
    "category": lambda random, n: random.choice(["red", "green", "blue"], n).tolist(),
    "odd categories": lambda random, n: random.choice(
        ["", "NA", "=1+1", "a,b", 'q"q', "ü\n", "None", " x"], n
    ).tolist(),
    "text": lambda random, n: [f"word {value} of {place}" for place, value in enumerate(random.integers(0, 99, n))],
    "long text": lambda random, n: [f"{value} " * 300 for value in random.integers(0, 9, n)],
    "time": lambda random, n: [BEGIN + pd.Timedelta(int(value), "h") for value in random.integers(0, 9999, n)],
    "constant": lambda _, n: [7.5] * n,
    "mixed": lambda random, n: [("n/a" if value > 8 else str(value)) for value in random.integers(0, 10, n)],
    "all null": lambda _, n: [None] * n,
}

GAPS: dict[str, Callable[[Random, int], Any]] = {
    "none": lambda _, n: np.zeros(n, dtype=bool),
    "some": lambda random, n: random.random(n) < 0.1,
    "first": lambda _, n: np.arange(n) < 0.75 * n,
    "later": lambda _, n: np.arange(n) >= 0.75 * n,
}

RHYTHMS: dict[str, Callable[[Random, int], Any]] = {  # positions within [0, 1)
    "even": lambda _, n: np.arange(n) / n,
    "random": lambda random, n: np.sort(random.random(n)),
    "bursts": lambda random, n: np.sort((random.integers(0, 8, n) + random.random(n) * 0.05) / 8),
    "gap": lambda _, n: np.where(np.arange(n) < n / 2, np.arange(n) / n * 0.6, 0.7 + np.arange(n) / n * 0.3),
    "one block": lambda random, n: 0.5 + np.sort(random.random(n)) * 1e-6,
    "daily": lambda _, n: np.arange(n) // 8 * 8 / n,
}

TIMES: dict[str, Callable[["pd.Series[Any]"], "pd.Series[Any]"]] = {
    "iso": lambda at: at.dt.strftime("%Y-%m-%d %H:%M:%S"),
    "iso with T": lambda at: at.dt.strftime("%Y-%m-%dT%H:%M:%S"),
    "with Z": lambda at: at.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "with offset": lambda at: at.dt.strftime("%Y-%m-%dT%H:%M:%S+05:30"),
    "day": lambda at: at.dt.strftime("%Y-%m-%d"),
    "minutes": lambda at: at.dt.strftime("%Y-%m-%d %H:%M"),
    "day first": lambda at: at.dt.strftime("%d.%m.%Y %H:%M"),
    "month first": lambda at: at.dt.strftime("%m/%d/%Y %H:%M"),
    "twelve hours": lambda at: at.dt.strftime("%d/%m/%Y %I:%M %p"),
    "compact": lambda at: at.dt.strftime("%Y%m%d%H%M%S"),
    "seconds": lambda at: (at - pd.Timestamp(0)) // pd.Timedelta("1s"),
    "milliseconds": lambda at: (at - pd.Timestamp(0)) // pd.Timedelta("1ms"),
    "typed": lambda at: at,
    "typed with zone": lambda at: at.dt.tz_localize("UTC").dt.tz_convert("America/New_York"),
    "typed date": lambda at: at.dt.date,
}

TASKS: dict[str, Callable[[Random, Any], list[Any]]] = {  # from a signal
    "regression": lambda _, signal: (10 + 3 * signal).round(3).tolist(),
    "large regression": lambda _, signal: (1e200 * (10 + signal)).tolist(),
    "whole numbers": lambda _, signal: (100 * signal).astype(int).tolist(),
    "binary": lambda _, signal: (signal > 0).astype(int).tolist(),
    "boolean": lambda _, signal: (signal > 0).tolist(),
    "words": lambda _, signal: np.where(signal > 0, "yes", "no").tolist(),
    "three classes": lambda _, signal: np.select([signal < -0.7, signal > 0.7], ["low", "high"], "mid").tolist(),
    "rare class": lambda _, signal: (signal > np.quantile(signal, 0.97)).astype(int).tolist(),
    "one class": lambda _, signal: ["same"] * len(signal),
}

FORMATS = ["csv", "semicolon csv", "tsv", "csv.gz", "parquet", "jsonl", "feather", "xlsx", "sqlite", "folder"]
KEYS = ["none", "one", "text", "beyond 2^53", "compound", "with time", "doubled rows", "same key other values"]
DELAYS = ["none", "no label yet", "label time"]
LATER = ["nothing", "new column", "column gone", "other kind"]


@dataclass(frozen=True)
class Column:
    """A feature as it was drawn."""

    name: str
    values: str
    gaps: str = "none"


@dataclass(frozen=True)
class RandomTable:
    """A table as it was drawn.

    Attributes
    ----------
    seed : int
        Of its values.
    count : int
        Of rows.
    days : int
        From its first to its last row.
    columns : list of Column
    rhythm, time, task, form, key, delay, later : str
        Entries of the dictionaries and lists of this module; `later` is what the second delivery has of its own.
    drifting : bool
        Whether the world turns after two thirds of the time.
    named : bool
        Whether the user names target, time and key.
    target, time_name, key_name : str
    """

    seed: int
    count: int
    days: int
    columns: list[Column]
    rhythm: str = "even"
    time: str = "iso"
    task: str = "regression"
    form: str = "csv"
    key: str = "one"
    delay: str = "none"
    later: str = "nothing"
    drifting: bool = False
    named: bool = True
    target: str = "target"
    time_name: str = "when"
    key_name: str = "key"

    @classmethod
    def parse(cls, text: str) -> "RandomTable":
        """A table from the JSON that was kept of it."""
        drawn = json.loads(text)
        return cls(**drawn | {"columns": [Column(**column) for column in drawn["columns"]]})

    def json(self) -> str:
        """What was drawn, as JSON."""
        return json.dumps(asdict(self), indent=1)


@st.composite
def random_tables(draw: st.DrawFn) -> RandomTable:
    """Any table of a few hundred rows; most have a plain column that tells the target."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=5, max_size=8, unique=True))
    names += draw(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=12), max_size=1
        ).filter(lambda more: {*more}.isdisjoint(NAMES))
    )
    if draw(st.integers(0, 19)) == 19:
        names.append(draw(st.sampled_from(BAD_NAMES)))
    form, plain = draw(st.sampled_from(FORMATS)), draw(st.booleans())
    own = ["target", "when", "key"] if plain else names[:3]
    kinds = st.sampled_from([*VALUES, "number", "number", "category"])
    columns = [
        Column(name, draw(kinds), draw(st.sampled_from([*GAPS, "none", "none"])))
        for name in (names if plain else names[3:])
    ]
    return RandomTable(
        seed=draw(st.integers(0, 2**31)),
        count=draw(st.sampled_from([12, 80, 300, 300, 600, 600, 600, 1000])),
        days=draw(st.sampled_from([2, 20, 60, 200, 200, 200, 400, 400])),
        columns=columns,
        rhythm=draw(st.sampled_from([*RHYTHMS, *["even", "random", "daily"] * 3])),
        time=draw(st.sampled_from([*TIMES])),
        task=draw(st.sampled_from([*TASKS, *["regression", "binary", "three classes"] * 2])),
        form=form,
        key=draw(st.sampled_from(KEYS)),
        delay=draw(st.sampled_from(DELAYS)),
        later=draw(st.sampled_from([*LATER, "nothing", "nothing"])),
        drifting=draw(st.booleans()),
        named=draw(st.booleans()),
        **dict(zip(("target", "time_name", "key_name"), own, strict=True)),
    )


def rows_of(table: RandomTable) -> pd.DataFrame:
    """The rows, by time, with each row's moment in the index; values as Python's own."""
    random = np.random.default_rng(table.seed)
    at = pd.Series(
        BEGIN + pd.to_timedelta((RHYTHMS[table.rhythm](random, table.count) * table.days * 86400).round(), "s")
    )
    signal = random.normal(size=table.count)
    turned = table.drifting & (np.arange(table.count) > 2 * table.count / 3)
    columns: dict[str, list[Any]] = {"signal": (signal * np.where(turned, -1, 1) + 2.0 * turned).round(3).tolist()}
    target = TASKS[table.task](random, signal + 0.1 * random.normal(size=table.count))
    for column in table.columns:
        values, gaps = VALUES[column.values](random, table.count), GAPS[column.gaps](random, table.count)
        columns[column.name] = [None if gap else value for gap, value in zip(gaps, values, strict=True)]
    waiting = range(int(0.9 * table.count), table.count) if table.delay == "no label yet" else range(0)
    columns[table.target] = [None if place in waiting else value for place, value in enumerate(target)]
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
    frame = _keyed(frame, table)
    frame[table.time_name] = TIMES[table.time](at).astype(object)
    if table.delay == "label time":
        frame["told at"] = TIMES[table.time](at + pd.Timedelta("36h")).astype(object)
    frame.index = pd.DatetimeIndex(at)
    twice = [frame, frame.iloc[3:9]] if table.key == "doubled rows" else [frame]
    return pd.concat(twice).sort_index(kind="stable")


def _keyed(frame: pd.DataFrame, table: RandomTable) -> pd.DataFrame:
    number = np.arange(table.count)
    keys: dict[str, Any] = {
        "one": number.tolist(),
        "doubled rows": number.tolist(),
        "same key other values": (number // 2).tolist(),
        "text": [f"Key|{place} ü" for place in number],
        "beyond 2^53": [2**53 + 1 + int(place) for place in number],
        "compound": (number // 2).tolist(),
        "with time": (number % 3).tolist(),
    }
    if table.key == "none":
        return frame
    frame[table.key_name] = pd.Series(keys[table.key], dtype=object)
    return frame.assign(part=pd.Series((number % 2).tolist(), dtype=object)) if table.key == "compound" else frame


def key_columns(table: RandomTable) -> list[str]:
    """The columns that identify a row; none if none do."""
    own = {"none": [], "same key other values": [], "compound": [table.key_name, "part"]}
    return own.get(table.key, [table.key_name, table.time_name] if table.key == "with time" else [table.key_name])
