"""Tables of sensors, prices and single series as people publish them: small, seeded, each with troubles of its own."""

import io
import sqlite3

import numpy as np
import pandas as pd

from benchmarks.first_try.nasty_rows import Chance, text, told, yes

_WORDS = [
    "the",
    "food",
    "was",
    "good",
    "and",
    "service",
    "slow",
    "but",
    "we",
    "will",
    "come",
    "again",
    "for",
    "a",
    "view",
]


def household(chance: Chance) -> bytes:
    """Power of a household by the minute: two columns of time, ``?`` for missing."""
    rows = told(chance, pd.date_range("2006-12-16 17:24", periods=6000, freq="min"))
    rows["x"] = rows["x"].astype("str").mask(chance.random(6000) < 0.02, "?")
    rows.insert(0, "Date", rows["ts"].dt.strftime("%d/%m/%Y"))
    rows.insert(1, "Time", rows.pop("ts").dt.strftime("%H:%M:%S"))
    return text(rows, sep=";")


def air(chance: Chance) -> bytes:
    """A sensor by the hour: decimal comma, 18.00.00, -200 for missing, ``;;`` at the end, empty lines below."""
    rows = told(chance, pd.date_range("2004-03-10 18:00", periods=3000, freq="h"))
    for name in ("x", "y"):
        rows[name] = rows[name].where(chance.random(3000) > 0.08, -200)
    rows.insert(0, "Date", rows["ts"].dt.strftime("%d/%m/%Y"))
    rows.insert(1, "Time", rows.pop("ts").dt.strftime("%H.%M.%S"))
    lines = text(rows, sep=";", decimal=",").decode().splitlines()
    return "\r\n".join([*(f"{line};;" for line in lines), *[";;;;;"] * 114, ""]).encode()


def beijing(chance: Chance) -> bytes:
    """An hour in four columns, NA in the target, a number of the row."""
    rows = told(
        chance, pd.date_range("2010-01-01", periods=5000, freq="h"), cbwd=chance.choice(["NW", "cv", "SE"], 5000)
    )
    times = rows.pop("ts").dt
    parts = {"No": range(1, 5001), "year": times.year, "month": times.month, "day": times.day, "hour": times.hour}
    rows["y"] = rows["y"].where(chance.random(5000) > 0.05)
    return text(pd.concat([pd.DataFrame(parts), rows], axis="columns"), na_rep="NA")


def seconds_only(chance: Chance) -> bytes:
    """Card payments: ``Time`` counts seconds since an unknown start."""
    x, time = chance.normal(size=3000), np.sort(chance.integers(0, 172_000, 3000)).astype("float64")
    return text(
        pd.DataFrame(
            {"Time": time, "V1": x, "Amount": chance.gamma(2, 40, 3000).round(2), "Class": yes(chance, x, 0.05) * 1}
        )
    )


def milliseconds(chance: Chance) -> bytes:
    """Milliseconds since 1970 in a column called ``timestamp``."""
    rows = told(chance, pd.date_range("2021-03-01", periods=4000, freq="17min"))
    rows.insert(0, "timestamp", rows.pop("ts").astype("int64") // 10**3)
    return text(rows)


def zones(chance: Chance) -> bytes:
    """Local times with the offset of summer or winter."""
    times = pd.date_range("2021-01-01", periods=5000, freq="2h", tz="Europe/Berlin")
    rows = told(chance, times)
    return text(rows.assign(ts=[time.isoformat() for time in times]))


def names(chance: Chance) -> bytes:
    """Names with units, line breaks, quotes, SQL's words; one twice, one missing."""
    rows = told(chance, pd.date_range("2017-01-01", periods=3000, freq="h"))
    more = {f"c{n}": chance.normal(size=3000).round(2) for n in range(7)}
    rows = pd.concat([pd.Series(range(3000)), rows, pd.DataFrame(more)], axis="columns")
    labels = ["", "Date (UTC)", "temp [°C]", "y", "select", "a\nb", 'say "hi"', "🌡️ {x}", "order:by", "x", "x"]
    return text(rows.set_axis(labels, axis="columns"))


def dull(chance: Chance) -> bytes:
    """Columns that teach nothing beside one that does."""
    rows = told(chance, pd.date_range("2018-01-01", periods=5000, freq="2h"))
    level = np.arange(5000) // 500
    return text(
        rows.assign(
            constant="EUR",
            nothing="",
            uuid=[f"{chance.integers(2**60):015x}" for _ in range(5000)],
            review=[" ".join(chance.choice(_WORDS, 18)) for _ in range(5000)],
            street=[f"street {n}" for n in chance.integers(0, 2400, 5000)],
            plan=[f"plan {chance.integers(0, 2 + upto)}" for upto in level],
        )
    )


def infinite(chance: Chance) -> bytes:
    """Words for what is no number among the numbers."""
    rows = told(chance, pd.date_range("2018-01-01", periods=3000, freq="2h"))
    rows["z"] = pd.Series(chance.normal(size=3000).round(2)).astype("str").mask(chance.random(3000) < 0.02, "inf")
    rows["x"] = rows["x"].astype("str").mask(chance.random(3000) < 0.05, "NaN")
    return text(rows)


def trailing(chance: Chance) -> bytes:
    """A comma at the end of each line."""
    return text(told(chance, pd.date_range("2018-01-01", periods=2000, freq="5h"))).replace(b"\n", b",\n")


def footer(chance: Chance) -> bytes:
    """The sum below."""
    return text(told(chance, pd.date_range("2018-01-01", periods=2000, freq="5h"))) + b"Total,,40000\n"


def commented(chance: Chance) -> bytes:
    """Notes above and below, tabs between, UTF-16."""
    rows = text(told(chance, pd.date_range("2018-01-01", periods=2000, freq="5h")), sep="\t").decode()
    return f"# station 17\n# in °C\n#\n{rows}# end of data\n".encode("utf-16")


def packed(chance: Chance) -> bytes:
    """Compressed by zstd."""
    import pyarrow as pa

    return bytes(
        pa.compress(text(told(chance, pd.date_range("2018-01-01", periods=3000, freq="h"))), "zstd", asbytes=True)
    )


def stocks(chance: Chance) -> bytes:
    """A price that wanders at random, beside the highest and the lowest of the day."""
    days = pd.bdate_range("2010-01-04", periods=2500)
    close = 50 * np.exp(np.cumsum(chance.normal(0.0006, 0.015, 2500)))
    begin = close * np.exp(chance.normal(0, 0.008, 2500))
    rows = {
        "Date": days,
        "Open": begin,
        "High": np.maximum(begin, close) * 1.004,
        "Low": np.minimum(begin, close) * 0.996,
    }
    return text(
        pd.DataFrame(rows | {"Close": close, "Volume": chance.integers(10**6, 10**7, 2500)}), float_format="%.4f"
    )


def wandering(chance: Chance) -> bytes:
    """A level that wanders, of which the other columns tell what is above it: the oil of a transformer."""
    rows = told(chance, pd.date_range("2016-07-01", periods=6000, freq="h"))
    season = 12 * np.cos(np.arange(6000) * 2 * np.pi / 8760) - np.arange(6000) / 900
    return text(rows.assign(load=(season + chance.normal(0, 2, 6000)).round(2), y=(rows["y"] + season).round(2)))


def gaps(chance: Chance) -> bytes:
    """A station that is silent for months."""
    times = pd.date_range("2012-01-01", periods=20_000, freq="h")
    return text(told(chance, times[(times.month % 5 != 0) & (np.arange(20_000) % 4 == 0)]))


def every_second(chance: Chance) -> bytes:
    """A day and some hours, each second."""
    return text(told(chance, pd.date_range("2022-05-01", periods=100_000, freq="s")))


def yearly(chance: Chance) -> bytes:
    """Sixty years."""
    rows = told(chance, pd.date_range("1960-01-01", periods=60, freq="YS"))
    return text(rows.assign(ts=range(1960, 2020)).rename(columns={"ts": "Year"}))


def two_rows(chance: Chance) -> bytes:
    """Two rows."""
    return text(told(chance, pd.date_range("2020-01-01", periods=2, freq="D")))


def series(chance: Chance) -> bytes:
    """A single series by month, a dot where there is none."""
    months = pd.date_range("1950-01-01", periods=800, freq="MS")
    value = 100 + 10 * np.sin(np.arange(800) * np.pi / 6) + chance.normal(0, 1, 800)
    return text(
        pd.DataFrame({"DATE": months, "VALUE": value.round(1).astype("str")}).replace({"VALUE": {"100.0": "."}})
    )


def sheet(chance: Chance) -> bytes:
    """A spreadsheet with a title above its header."""
    file = io.BytesIO()
    told(chance, pd.date_range("2020-01-01", periods=2000, freq="h")).to_excel(file, index=False, startrow=2)
    return file.getvalue()


def plain_sheet(chance: Chance) -> bytes:
    """A spreadsheet."""
    file = io.BytesIO()
    told(chance, pd.date_range("2020-01-01", periods=2000, freq="h")).to_excel(file, index=False)
    return file.getvalue()


def database(chance: Chance) -> bytes:
    """SQLite, with the words of SQL as names and times as text."""
    rows = told(chance, pd.date_range("2020-01-01", periods=3000, freq="h")).rename(
        columns={"x": "order", "ts": "when"}
    )
    with sqlite3.connect(":memory:") as connection:
        rows.assign(when=rows["when"].dt.strftime("%Y-%m-%d %H:%M:%S")).to_sql("group", connection, index=False)
        return connection.serialize()


def serial_days(chance: Chance) -> bytes:
    """Days and hours as a spreadsheet counts them."""
    rows = told(chance, pd.date_range("2019-01-01", periods=3000, freq="h"))
    days = (rows.pop("ts") - pd.Timestamp("1899-12-30")) / pd.Timedelta(days=1)
    return text(rows.assign(**{"Sample Date": days.round(6)}))


def hour_ending(chance: Chance) -> bytes:
    """A day and an hour from 1 to 24 in two columns."""
    rows = told(chance, pd.date_range("2019-01-01 01:00", periods=3000, freq="h"))
    begins = rows.pop("ts") - pd.Timedelta(hours=1)
    return text(rows.assign(OprDate=begins.dt.strftime("%m/%d/%Y"), HourEnding=begins.dt.hour + 1))


def trade_days(chance: Chance) -> bytes:
    """Days as 20190131 under a name of two words."""
    rows = told(chance, pd.bdate_range("2012-01-02", periods=2000))
    return text(rows.assign(**{"Trade Date": rows.pop("ts").dt.strftime("%Y%m%d")}))
