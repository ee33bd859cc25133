"""A small fast model for the tests: 50 seeded rows a day whose slope turns in February."""

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

from evergreen import Call, Gates, Model, Policy, Training, expect

DAY = pd.Timedelta(days=1)
TURN = pd.Timestamp("2013-02-01", tz="UTC")  # the world changes: what was learnt before is wrong


def day_of(day: pd.Timestamp) -> pd.DataFrame:
    """The rows of one day, the same at every call."""
    chance = np.random.default_rng(day.toordinal())
    x, z = chance.normal(size=50), chance.normal(size=50)
    slope = 3.0 if day < TURN else -3.0
    return pd.DataFrame(
        {
            "id": [f"{day:%Y%m%d}-{number}" for number in range(50)],
            "at": day + pd.to_timedelta(np.arange(50) * 20, unit="min"),
            "x": x,
            "z": z,
            "side": np.where(z > 0, "up", "down"),
            "y": 10 + slope * x + z + chance.normal(scale=0.5, size=50),
        }
    )


def rows(since: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
    days = pd.date_range(since.floor("D"), until, freq="D", inclusive="left")
    frame = pd.concat([day_of(day) for day in days], ignore_index=True)
    return frame[(frame["at"] >= since) & (frame["at"] < until)].reset_index(drop=True)


model = Model(
    name="toy",
    purpose="Tests.",
    task="regression",
    source=Call(function=rows, start="2013-01-01", batch="7d"),
    key="id",
    time="at",
    target="y",
    features={"x": "number", "z": "number"},
    extra={"side": "category"},
    contract=[expect("column_values_to_be_between", "y", min_value=-50, max_value=100)],
    estimator=LinearRegression,
    slices=["side"],
    training=Training(window="21d", holdout="7d"),
    gates=Gates(resamples=200),
    policy=Policy(every="7d"),
)
