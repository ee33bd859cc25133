"""Random tables as they are delivered: as files of every form, and as requests."""

import json
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evergreen.frames import with_columns
from tests.system.random_tables import RandomTable


def source_of(table: RandomTable, folder: Path) -> str:
    """What `--from` gets for the table."""
    name = {"folder": "parts", "sqlite": "table.db", "semicolon csv": "table.csv"}.get(
        table.form, f"table.{table.form}"
    )
    return f"sqlite:///{folder / name}" if table.form == "sqlite" else str(folder / name)


def write(rows: pd.DataFrame, form: str, place: str) -> None:
    """Write rows in a form, as a program that exports a table does."""
    path, plain = Path(place.removeprefix("sqlite:///")), rows.reset_index(drop=True)
    if form == "folder":
        path.mkdir(exist_ok=True)
        half = len(plain) // 2
        plain[:half].to_csv(path / "a.csv", index=False)
        plain[half:].to_csv(path / "b.csv", index=False)
    elif form == "sqlite":
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as database:
            _typed(plain, texts=True).to_sql("table", database, index=False)
    elif form in ("parquet", "feather", "xlsx"):
        typed = _typed(plain, texts=form == "xlsx")
        {"parquet": typed.to_parquet, "feather": typed.to_feather, "xlsx": typed.to_excel}[form](
            path, **({} if form == "feather" else {"index": False})
        )
    elif form == "jsonl":
        path.write_text("".join(json.dumps(row, default=str, ensure_ascii=False) + "\n" for row in records(plain)))
    else:
        plain.to_csv(path, index=False, sep={"semicolon csv": ";", "tsv": "\t"}.get(form, ","))


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as JSON has them: a number that is not finite is missing."""
    return [{name: _json(value) for name, value in row.items()} for row in rows.to_dict("records")]


def requested(rows: pd.DataFrame, form: str) -> list[dict[str, Any]]:
    """The rows as a caller sends them who has them from a delivery in that form: some forms hold no time zones."""
    bare = {
        name: rows[name].map(lambda value: value.tz_localize(None) if isinstance(value, pd.Timestamp) else value)
        for name in (rows if form in ("sqlite", "xlsx") else [])
    }
    return records(with_columns(rows, bare))


def _json(value: Any) -> Any:
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, Decimal):
        return float(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _typed(rows: pd.DataFrame, *, texts: bool) -> pd.DataFrame:
    """The columns in the types that a program gives them; texts where a format has no such type."""
    return pd.DataFrame({name: _column(rows[name], texts=texts) for name in rows})


def _column(values: "pd.Series[Any]", *, texts: bool) -> "pd.Series[Any]":
    known = values.dropna()
    kinds = {type(value) for value in known}
    if kinds <= {int} and len(known) and known.abs().max() >= 2**63:
        return values.map(lambda value: None if value is None else str(value))
    if kinds <= {int} and len(known):
        return values.astype("Int64") if len(known) < len(values) else values.astype("int64")
    if kinds <= {int, float} and kinds:
        return values.astype("float64")
    if kinds <= {bool} and kinds:
        return values.astype("boolean")
    if kinds <= {pd.Timestamp} and kinds:
        times = pd.to_datetime(values)
        return times.dt.tz_localize(None) if texts and times.dt.tz is not None else times
    if texts or len(kinds) > 1:
        return values.map(lambda value: None if value is None else str(value))
    return values


def second_delivery(rows: pd.DataFrame, table: RandomTable, cut: pd.Timestamp) -> pd.DataFrame:
    """All rows as they are delivered once the time has gone on."""
    last = table.columns[-1].name
    if table.later == "new column":
        return rows.assign(**{"never seen": [f"new {place}" for place in range(len(rows))]})
    if table.later == "column gone":
        return rows.drop(columns=last)
    if table.later == "other kind":
        old = rows.index < cut
        return with_columns(rows, {last: rows[last].where(old, "another thing")})
    return rows
