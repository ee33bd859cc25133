"""Rules for the training window and for when to train, as arithmetic on the losses of every window at every step.

A replay of one policy takes minutes and begins at one step, and where a cadence begins moves its result more than the
rules differ. Here every window is fitted at every step of a stream and scored on all steps that follow, once; what a
rule comes to is then a sum over these, averaged over all beginnings of its cadence. Gates, probation and rollbacks are
left out: every training takes over. The streams and their model files are those of `benchmarks.replay.histories`.

    python -m benchmarks.replay.rules [--streams elec2,bike_hourly] [--keep FOLDER]
"""

import argparse
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from rich.table import Table

from benchmarks.harness.measuring import CONSOLE
from benchmarks.replay.histories import REAL
from evergreen import Model
from evergreen.definition import loader
from evergreen.durations import parse
from evergreen.evaluation import performance
from evergreen.training import fitting, window
from evergreen.training.window import WindowComparison

STREAMS = ("bike_hourly", "elec2", "beijing_pm25", "chicago_l", "noaa_rain")
CADENCES = (1, 2, 3, 4, 6)
_BEGIN = 2  # the step of the first training: one is needed for its holdout, and one for the comparison before it


@dataclass(frozen=True)
class Losses:
    """What every window at every step comes to.

    Attributes
    ----------
    names : list of str
        Windows, longest first.
    loss : array of float (windows, steps, steps)
        The metric of a fit at one step in another one, from that step on.
    rows : array of float (steps,)
    fitted : array of float (windows, steps)
        How many rows each is fitted on.
    holdout, unit : float
        How many steps a holdout is long, and what the age of a comparison is counted in.
    """

    names: list[str]
    loss: NDArray[np.float64]
    rows: NDArray[np.float64]
    fitted: NDArray[np.float64]
    holdout: int = 1
    unit: float = 1.0

    def __len__(self) -> int:
        """How many steps there are."""
        return len(self.rows)

    def mean(self, of: int, fitted: int, first: int, last: int) -> float:
        """The mean loss of a window fitted at a step, in the steps from `first` up to before `last`."""
        weights = self.rows[first:last]
        return float(np.average(self.loss[of, fitted, first:last], weights=weights)) if weights.sum() else np.nan


def main() -> None:
    """Print what each rule comes to."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--streams", default=",".join(STREAMS), help="names, separated by commas")
    asked.add_argument("--keep", type=Path, help="a folder for the losses; those that are there are not made again")
    given = asked.parse_args()
    named = {history.name: history for history in REAL}
    with nullcontext(given.keep) if given.keep else tempfile.TemporaryDirectory(prefix="evergreen-rules-") as folder:
        there = [named[name] for name in given.streams.split(",") if named[name].there]
        streams = {history.name: losses(history, Path(folder)) for history in there}
    for every in CADENCES:
        CONSOLE.print(_windows(streams, every))
    for every in CADENCES[1:]:
        CONSOLE.print(_when(streams, every))


class Steps(Protocol):
    """A history that is cut into steps."""

    @property
    def name(self) -> str:
        """Of its model."""

    @property
    def step(self) -> int:
        """In days; asked for once it is written."""

    def write(self, home: Path) -> None:
        """Write its model file and its rows into a home."""


def losses(history: Steps, folder: Path) -> Losses:
    """Fit every window at every step, in two processes, or read what was kept."""
    path, home = folder / f"{history.name}.npz", folder / history.name
    _point_to(home)
    if not path.is_file():
        home.mkdir(parents=True, exist_ok=True)
        history.write(home)
    model, rows = loader.load(history.name), _rows(home, history.name)
    steps = _step_starts(model, rows, history.step)
    if not path.is_file():
        made = Parallel(n_jobs=2)(delayed(_at_step)(home, history.name, at, steps) for at in steps)
        names = sorted({name for scored, _ in made for name in scored}, key=_length, reverse=True)
        loss = np.full((len(names), len(steps), len(steps)), np.nan)
        for place, (scored, _) in enumerate(made):
            for index, name in enumerate(names):  # a window that cannot be fitted is the next longer one
                loss[index, place, place:] = scored.get(name, loss[max(index - 1, 0), place, place:])
        np.savez(path, names=names, loss=loss, rows=made[0][1])
    kept = np.load(path)
    names = kept["names"].tolist()
    fitted = np.array([[_count(model, rows, at, name) for at in steps] for name in names])
    return Losses(names, np.nan_to_num(kept["loss"]), kept["rows"], fitted)  # NaN where no rows are


def _count(model: Model, rows: pd.DataFrame, at: pd.Timestamp, name: str) -> float:
    times = rows[model.time]
    known = times + model.label_delay <= at
    return float((known if name == window.ALL else known & (times >= at - parse(name))).sum())


def _length(name: str) -> float:
    return np.inf if name == window.ALL else parse(name).total_seconds()


def _point_to(home: Path) -> None:
    os.environ |= {"EVERGREEN_HOME": str(home), "EVERGREEN_MODELS": str(home / "models")}


def _rows(home: Path, name: str) -> pd.DataFrame:
    rows = pd.read_parquet(home / f"{name}.parquet")
    return rows.dropna(subset=[loader.load(name).target])


def _step_starts(model: Model, rows: pd.DataFrame, days: int) -> list[pd.Timestamp]:
    begin = rows[model.time].min() + (model.training.fixed_window or pd.Timedelta(0)) + model.label_delay
    return list(pd.date_range(begin.ceil("D"), rows[model.time].max(), freq=pd.Timedelta(days=days)))


def _at_step(
    home: Path, name: str, at: pd.Timestamp, steps: Sequence[pd.Timestamp]
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float64]]:
    """The losses of every window fitted at a moment in each step from there on, and the rows of these."""
    _point_to(home)
    model, rows = loader.load(name), _rows(home, name)
    times, length = rows[model.time], steps[1] - steps[0]
    known = rows[times + model.label_delay <= at]
    later = [rows[(times >= step) & (times < step + length)] for step in steps if step >= at]
    found = {}
    for span in _spans(model, known):
        used = known if span is None else known[known[model.time] >= at - span]
        if len(used) < model.training.min_rows:
            continue
        with warnings.catch_warnings(action="ignore"):
            estimator = fitting.fit(model, used, {})
            scored = [performance.realised(model, estimator, part).value for part in later]
        found[window.name_of(span)] = np.array(scored)
    return found, np.array([len(part) for part in later], dtype=float)


def _spans(model: Model, known: pd.DataFrame) -> Iterator[window.Window]:
    """As `window.lengths` has them."""
    yield None
    age, length = known[model.time].max() - known[model.time].min(), window.SHORTEST * window.unit(model)
    while length < age:
        yield length
        length *= 2


def total(found: Losses, trainings: Sequence[int], windows: Sequence[int]) -> float:
    """The mean loss of trainings at these steps with these windows, from the first of them to the end."""
    parts = [
        found.loss[of, step, step:end] * found.rows[step:end]
        for of, step, end in zip(windows, trainings, _ends(found, trainings), strict=True)
    ]
    return float(np.concatenate(parts).sum() / found.rows[trainings[0] :].sum())


def _ends(found: Losses, trainings: Sequence[int]) -> list[int]:
    return [*trainings[1:], len(found)]


# The training window: a rule says which one each training uses.

Record = list[WindowComparison]
Chooser = Callable[[Losses, Sequence[int]], list[int]]


def fixed(of: int) -> Chooser:
    """One window throughout."""
    return lambda _, trainings: [of] * len(trainings)


def on_the_holdout(found: Losses, trainings: Sequence[int]) -> list[int]:
    """Two windows on the holdout of each training, for later ones; the best so far is used."""
    record: Record = []
    chosen = []
    for step in trainings:
        used = _best(found, record, step - 1)
        record.append(_pair(found, used, _turns(found, used, record)[0], step - 1, step))
        chosen.append(used)
    return chosen


def since_the_training_before(found: Losses, trainings: Sequence[int]) -> list[int]:
    """Two windows on the rows since the holdout of the training before; the best so far is used."""
    return _from_records(found, trainings, _best, most=1)


def as_the_product(found: Losses, trainings: Sequence[int]) -> list[int]:
    """As many windows as are affordable; a shorter one is used only if it is ahead by a standard error."""
    return _from_records(found, trainings, _surely_best, most=len(found.names))


def _from_records(
    found: Losses, trainings: Sequence[int], choose: Callable[[Losses, Record, int], int], most: int
) -> list[int]:
    held_out = found.holdout
    first, begin = trainings[0] - 2 * held_out, trainings[0] - held_out
    record: Record = [_pair(found, 0, other, first, begin) for other in range(1, len(found.names))]
    chosen: list[int] = []
    for place, step in enumerate(trainings):
        if place:
            used, before = chosen[-1], trainings[place - 1] - held_out
            others = _affordable(found, used, _turns(found, used, record)[:most], before)
            record += [_pair(found, used, other, before, step - held_out) for other in others]
        chosen.append(choose(found, record, step - held_out))
    return chosen


def _affordable(found: Losses, used: int, others: Sequence[int], step: int) -> list[int]:
    """The first one, and of the others those that fit into the rows of the window that was used."""
    left, chosen = found.fitted[used, step], list[int]()
    for other in others:
        if not chosen or found.fitted[other, step] <= left:
            chosen.append(other)
            left -= found.fitted[other, step]
    return chosen


def in_hindsight(found: Losses, trainings: Sequence[int]) -> list[int]:
    """The best window of each training."""
    bounds = zip(trainings, _ends(found, trainings), strict=True)
    places = range(len(found.names))
    return [int(np.argmin([found.mean(of, step, step, end) for of in places])) for step, end in bounds]


def _pair(found: Losses, used: int, other: int, fitted: int, until: int) -> WindowComparison:
    own, its = (found.mean(of, fitted, fitted, until) for of in (used, other))
    gain = (its - own) / abs(its)
    share = min(1.0, (until - fitted) / found.unit)
    return WindowComparison(found.names[used], found.names[other], gain, gain, gain, 1, str(until), share)


def _effects(found: Losses, record: Record, now: int) -> window.Effects:
    counted = [pair for pair in record if int(pair.until) <= now]
    ages = [(now - int(pair.until)) / found.unit for pair in counted]
    weights = [pair.share * window.DISCOUNT**age for pair, age in zip(counted, ages, strict=True)]
    return window.effects(found.names, counted, weights)


def _best(found: Losses, record: Record, now: int) -> int:
    effect = _effects(found, record, now)
    return max(range(len(found.names)), key=lambda of: effect.values[found.names[of]])


def _surely_best(found: Losses, record: Record, now: int) -> int:
    return found.names.index(_effects(found, record, now).chosen(found.names))


def _turns(found: Losses, used: int, record: Record) -> list[int]:
    others = [name for name in found.names if name != found.names[used]]
    return [found.names.index(name) for name in window.waiting(others, record)]


def cadence(found: Losses, every: int, phase: int) -> list[int]:
    """The steps of a schedule whose second training is `phase` steps early."""
    return sorted({_BEGIN, *range(_BEGIN + (every - phase) % every, len(found), every)})


def over_phases(found: Losses, every: int, chooser: Chooser) -> float:
    """The mean loss of a cadence over all its beginnings."""
    runs = [cadence(found, every, phase) for phase in range(every)]
    return float(np.mean([total(found, run, chooser(found, run)) for run in runs]))


def share(found: Losses, value: float) -> float:
    """The share of the gain of the best fixed window, trained at every step, over the first training alone."""
    never = total(found, [_BEGIN], [0])
    best = min(over_phases(found, 1, fixed(of)) for of in range(len(found.names)))
    return (never - value) / (never - best)


def _row(shown: Table, name: str, shares: Sequence[float]) -> None:
    shown.add_row(name, *(f"{reached:.0%}" for reached in shares), f"{np.mean(np.minimum(shares, 1)):.1%}")


def _windows(streams: dict[str, Losses], every: int) -> Table:
    shown = Table("window", *streams, "mean, each at most 100 %", title=f"Trained at one step in {every}")
    for rule in (on_the_holdout, since_the_training_before, as_the_product, in_hindsight):
        _row(shown, rule.__name__.replace("_", " "), _reached(streams, every, rule))
    shown.add_row("fixed", *(_of_fixed(found, every) for found in streams.values()), "")
    return shown


def _reached(streams: dict[str, Losses], every: int, chooser: Chooser) -> list[float]:
    return [share(found, over_phases(found, every, chooser)) for found in streams.values()]


def _of_fixed(found: Losses, every: int) -> str:
    shares = [share(found, over_phases(found, every, fixed(of))) for of in range(len(found.names))]
    return ", ".join(f"{name} {reached:.0%}" for name, reached in zip(found.names, shares, strict=True))


# When to train: a rule says at which steps, under a budget of one training in so many steps.

Wish = Callable[[Losses, list[int], list[int], int], float]
_FULL = 2.0  # trainings that the budget saves up at most; then one is made whatever the rule wishes


def suspicion(found: Losses, trainings: list[int], windows: list[int], now: int) -> float:
    """By how much the loss of the newest step is above that of the holdout of the last training."""
    before = found.mean(windows[-1], trainings[-1] - 1, trainings[-1] - 1, trainings[-1])
    return found.mean(windows[-1], trainings[-1], now - 1, now) / before - 1 if now > trainings[-1] else 0.0


def moved(found: Losses, trainings: list[int], windows: list[int], now: int) -> float:
    """By how much a fit at the last step would have been better than what answered in it."""
    fresh = found.mean(windows[-1], now - 1, now - 1, now)
    return found.mean(windows[-1], trainings[-1], now - 1, now) / fresh - 1 if now > trainings[-1] else 0.0


def under_budget(found: Losses, every: int, phase: int, wish: Wish, threshold: float) -> list[int]:
    """Train where the wish is above a threshold and the budget holds a training, and whenever the budget is full."""
    trainings, windows, tokens = [_BEGIN], as_the_product(found, [_BEGIN]), phase / every
    for now in range(_BEGIN + 1, len(found)):
        tokens = min(tokens + 1 / every, _FULL)
        if tokens >= _FULL or (tokens >= 1 and wish(found, trainings, windows, now) > threshold):
            trainings.append(now)
            windows, tokens = as_the_product(found, trainings), tokens - 1
    return trainings


def best_steps(found: Losses, count: int) -> float:
    """The loss of the best choice of so many steps in hindsight, each with its best window, by dynamic programming."""
    steps = len(found)
    cost = np.full((steps, steps + 1), np.inf)
    for step in range(_BEGIN, steps):
        cost[step, step + 1 :] = np.cumsum(found.loss[:, step, step:] * found.rows[step:], axis=1).min(axis=0)
    best = np.full(steps + 1, np.inf)
    best[_BEGIN] = 0.0
    for _ in range(count):
        best = np.array(
            [min(best[step] + cost[step, end] for step in range(end)) if end else np.inf for end in range(steps + 1)]
        )
    return float(best[steps] / found.rows[_BEGIN:].sum())


def _when(streams: dict[str, Losses], every: int) -> Table:
    shown = Table("when", *streams, "mean, each at most 100 %", title=f"A budget of one training in {every} steps")
    _row(shown, "fixed cadence", _reached(streams, every, as_the_product))
    wishes: dict[str, tuple[Wish, float]] = {
        "loss above the holdout's by a quarter": (suspicion, 0.25),
        "loss above the holdout's by a twentieth": (suspicion, 0.05),
        "a fresh fit better by a tenth": (moved, 0.10),
        "a coin": (lambda *known: float(np.random.default_rng(known[-1]).random()), 1 - 1 / every),
    }
    for name, (wish, threshold) in wishes.items():
        _row(shown, name, [_wished(found, every, wish, threshold) for found in streams.values()])
    hindsight = [share(found, best_steps(found, len(cadence(found, every, 0)))) for found in streams.values()]
    _row(shown, "best steps in hindsight", hindsight)
    return shown


def _wished(found: Losses, every: int, wish: Wish, threshold: float) -> float:
    """The share that a rule reaches, over all beginnings of its budget."""
    runs = [under_budget(found, every, phase, wish, threshold) for phase in range(every)]
    return share(found, float(np.mean([total(found, run, as_the_product(found, run)) for run in runs])))


if __name__ == "__main__":
    main()
