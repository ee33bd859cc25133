"""What a forest costs a row in the service: of scikit-learn, LightGBM and XGBoost, compiled and as they come.

The features of `late`, 20,000 flights. `python -m benchmarks.serving.row_latency [--rounds N]`. CPU time of the process
with one thread, every contender in turn, the best of the rounds, which other work on the machine disturbs least. A
pipeline that does not predict as its original does is not measured.
"""

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

import pandas as pd
from rich.table import Table

from benchmarks.harness.measuring import CONSOLE, Goal, judged

Predict = Callable[[list[list[Any]]], Any]
_ROWS, _CALLS = 20_000, 300


def _boosted(last: Any) -> Any:
    """Trees behind the encoder of `late`."""
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    encode = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer((encode, ["carrier", "origin", "dest"]), remainder="passthrough")
    return make_pipeline(columns, last)


def _estimators() -> dict[str, Any]:
    from lightgbm import LGBMClassifier
    from xgboost import XGBClassifier

    from evergreen.definition import loader

    return {
        "histogram gradient boosting (`late`)": loader.load("late").estimator(),
        "LightGBM": _boosted(LGBMClassifier(n_estimators=100, n_jobs=1, verbose=-1)),
        "XGBoost, depth 6": _boosted(XGBClassifier(n_estimators=100, max_depth=6, n_jobs=1)),
    }


def _ways(
    estimator: Any, kinds: dict[str, Any], sent: list[list[Any]]
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """How rows are predicted compiled, in the way that the service has chosen, and by the pipeline on a frame."""
    from serving.inference.compiler import candidates
    from serving.inference.equivalence import agrees, difference
    from serving.inference.loaded_model import predictor_of

    plain = predictor_of(estimator, "late", "classification", kinds, "UTC")
    for compiled in candidates(estimator, kinds):
        if agrees(compiled, difference(compiled, plain, kinds, sent)):
            return compiled.predict, plain
    raise SystemExit("No compiled pipeline agrees with the estimator.")


def _cost(predict: Predict, rows: list[list[Any]], size: int) -> float:
    """Microseconds of CPU a row."""
    calls = max(_CALLS // size, 10)
    batches = [rows[place * size : (place + 1) * size] for place in range(calls)]
    predict(batches[0])
    start = time.process_time()
    for batch in batches:
        predict(batch)
    return (time.process_time() - start) / (calls * size) * 1e6


def main() -> None:
    """Fit, check, measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20, help="of every contender (default %(default)s)")
    rounds = parser.parse_args().rounds
    from evergreen.definition import loader
    from evergreen.training import fitting

    model = loader.load("late")
    since, until = pd.Timestamp("2013-01-01", tz="UTC"), pd.Timestamp("2013-04-01", tz="UTC")
    table = model.source.read(model, since, until, None).dropna(subset=["late"]).head(_ROWS)
    sent = table[list(model.features)].astype("object").where(table[list(model.features)].notna(), None).values.tolist()
    frame = fitting.frame(sent, model.features)
    contenders: dict[str, tuple[Predict, int]] = {}
    for name, estimator in _estimators().items():
        compiled, plain = _ways(estimator.fit(frame, table["late"].astype(int)), dict(model.features), sent[:50])
        contenders |= {f"{name}|compiled, 1": (compiled, 1), f"{name}|compiled, 100": (compiled, 100)}
        contenders |= {f"{name}|plain, 1": (plain, 1)}
    costs: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, (predict, size) in contenders.items():
            costs[name].append(_cost(predict, sent, size))
    _print({name: min(some) for name, some in costs.items()}, rounds)


def _print(costs: dict[str, float], rounds: int) -> None:
    load = f"best of {rounds}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    table = Table(title=f"CPU µs a row ({load})", title_justify="left")
    for column in ("", "compiled", "compiled, 100 rows", "the pipeline on a frame"):
        table.add_column(column, justify="right" if column else "left")
    names = list(dict.fromkeys(name.partition("|")[0] for name in costs))
    for name in names:
        figures = [costs[f"{name}|{way}"] for way in ("compiled, 1", "compiled, 100", "plain, 1")]
        table.add_row(name, *(f"{figure:,.1f}" for figure in figures))
    CONSOLE.print(table)
    ours, *others = (costs[f"{name}|compiled, 1"] for name in names)
    judged(*(Goal(f"{name}, times ours", other / ours, 1.5) for name, other in zip(names[1:], others, strict=True)))


if __name__ == "__main__":
    main()
