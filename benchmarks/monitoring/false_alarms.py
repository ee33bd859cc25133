"""Drift that is called where there is none, and drift that is not called where there is.

Years of daily checks of streams that stand still in the long run (`benchmarks.monitoring.streams`), each
against a reference of its own, by the functions that a monitor calls; then planted changes. Beside
them the rule that Evidently has by default for more than 1,000 rows, on the very same
distributions: a number has drifted from a Wasserstein distance of 0.1 standard deviations on, a
category from a Jensen-Shannon distance (in nats) of 0.1 on, a table if half of its columns have.

    python -m benchmarks.monitoring.false_alarms [--years 70]
"""

import argparse
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from scipy.stats import t as student

from benchmarks.harness.measuring import CONSOLE, Goal, judged
from benchmarks.monitoring.streams import MIDDLE, ROWS, Change, Floats, Stream
from evergreen import Monitoring
from evergreen.drift import cusum, data_quality, distances
from evergreen.drift import thresholds as drift_thresholds
from evergreen.drift.profile import Column, Profile

WINDOW, REFERENCES, DAYS = 7, (28, 49, 91), 365
START = np.datetime64("2022-01-03", "us")
STEADY = 14  # days before a planted change
FOLLOWED = 30  # days after it
EVIDENTLY = 0.1
LEFT = (1 - cusum.SHARE) * Monitoring().false_alarms  # of the false alarms, for the distances
Flags = NDArray[np.bool_]
PLANTED = {
    "mean by 0.25 sd, quiet column": Change("x11", 0, moved=0.25),
    "mean by 0.25 sd, busy column": Change("x6", 0, moved=0.25),
    "mean by 0.25 sd, weather": Change("x1", 0, moved=0.25),
    "share from 10 to 15 %": Change("c4", 0, share=0.15),
    "unit (x 1.6)": Change("x6", 0, scale=1.6),
    "gone to null": Change("x6", 0, gone=True),
}


@dataclass
class Checked:
    """A stream, checked every day after its reference by the newest week."""

    stream: Stream
    columns: dict[str, Column]
    change: Change | None = None

    @property
    def _reference(self) -> dict[str, Column]:
        return {name: _cut(column, 0, self.stream.reference) for name, column in self.columns.items()}

    @cached_property
    def ours(self) -> dict[str, Flags]:
        """Which columns drifted at each check, in the window or slowly."""
        return {name: flags | self.slowly.get(name, False) for name, flags in self.in_window().items()}

    @cached_property
    def slowly(self) -> dict[str, Flags]:
        """Which columns drifted slowly at each check."""
        return {name: self._by_check(each) for name, each in self.sums.items()}

    @cached_property
    def sums(self) -> dict[str, cusum.Sums]:
        """The cumulative sums of the columns that have a limit."""
        days = START + np.arange(self.stream.days) * np.timedelta64(1, "D")
        known, later = (
            Profile(days[part], {name: _cut(column, part.start, part.stop) for name, column in self.columns.items()})
            for part in (slice(0, self.stream.reference), slice(self.stream.reference, self.stream.days))
        )
        return cusum.sums(known, later, Monitoring())

    def _by_check(self, summed: cusum.Sums) -> Flags:
        """Whether the newest sum exceeded its limit at each check; days without a value leave the sums as they were."""
        over = np.concatenate([[False], np.maximum(summed.up, summed.down) > summed.limit])
        checks = START + np.arange(self.stream.reference + WINDOW, self.stream.days + 1) * np.timedelta64(1, "D")
        return np.asarray(over[np.searchsorted(summed.units, checks, side="left")])

    def in_window(self, false_alarms: float = LEFT) -> dict[str, Flags]:
        """Which columns drifted at each check by the distance of the window."""
        return {name: times > 1 for name, times in self.distances(false_alarms).items()}

    def distances(self, false_alarms: float = LEFT) -> dict[str, Floats]:
        """The distance of the window at each check, as a multiple of its limit."""
        reference = self.stream.reference
        thresholds = drift_thresholds.calibrate(self._reference, Monitoring(false_alarms=false_alarms))
        found = {}
        for name, column in self.columns.items():
            counts = drift_thresholds.comparable(column)
            known, windows = counts[:reference].sum(axis=0), weekly(counts[reference:])
            far = distances.jensen_shannon(known, windows)  # NaN, which exceeds nothing, where all is missing
            limits = [thresholds[name].at(int(rows), int(known.sum())) for rows in windows.sum(axis=1)]
            found[name] = far / np.array(limits)
        return found

    @cached_property
    def quality(self) -> Flags:
        """Whether data quality was called at each check."""
        known = {name: column.total() for name, column in self._reference.items()}
        level = drift_thresholds.level(Monitoring(), len(known))
        days = range(self.stream.reference + WINDOW, self.stream.days + 1)
        windows = (
            {name: _cut(column, day - WINDOW, day).total() for name, column in self.columns.items()} for day in days
        )
        return np.array([bool(data_quality.quality(known, window, level)) for window in windows])

    @cached_property
    def evidently(self) -> dict[str, Flags]:
        """Which columns drifted at each check by Evidently's default."""
        return {name: self.far(name) >= EVIDENTLY for name in self.columns}

    def far(self, name: str) -> Floats:
        """The distance of the window at each check, by which Evidently decides."""
        reference, source = self.stream.reference, self.stream.columns[name]
        if len(source.base):
            counts = self.columns[name].counts
            far = distances.jensen_shannon(counts[:reference].sum(axis=0), weekly(counts[reference:]))
            return far * math.sqrt(math.log(2))  # from bits to nats
        grid = np.linspace(-6.0, 6.0, 241) * 2 + MIDDLE * 1.3
        below, weights = source.below(grid, slice(None)), self.stream.rows[:, None]
        if self.change and self.change.column == name:
            below[self.change.day :] = source.below(grid, slice(self.change.day, None), self.change)
        known = (below * weights)[:reference].sum(axis=0) / weights[:reference].sum()
        now = weekly((below * weights)[reference:]) / weekly(weights[reference:])
        far = np.abs(now - known).sum(axis=1) * (grid[1] - grid[0]) / source.spread
        gone = self.change is not None and self.change.gone and self.change.column == name
        return np.where(self._after, 0.0, far) if gone else far  # it leaves out what is missing

    @property
    def _after(self) -> Flags:
        assert self.change is not None
        last = np.arange(self.stream.reference + WINDOW, self.stream.days + 1)
        return np.asarray(last - WINDOW >= self.change.day)


def _cut(column: Column, low: int, high: int) -> Column:
    return Column(column.bins, column.counts[low:high], column.moments[low:high])


def weekly(days: NDArray[np.generic]) -> Floats:
    """The sums of every run of seven days."""
    until = np.cumsum(np.concatenate([np.zeros_like(days[:1]), days]), axis=0)
    return np.asarray(until[WINDOW:] - until[:-WINDOW])


SLOW = {
    "slides by 2 % of a sd a month, quiet column": Change("x11", 0, a_day=0.02 / 30),
    "slides by 2 % of a sd a month, busy column": Change("x6", 0, a_day=0.02 / 30),
    "jumps by 0.25 sd, busy column": Change("x6", 0, moved=0.25),
}


def main() -> None:
    """Simulate years that stand still, then planted changes, then slow ones."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--years", type=int, default=70, help="of each length of reference (default %(default)s)")
    years = parser.parse_known_args()[0].years
    _false_alarms(years)
    _power(max(years // 2, 10))
    _slow(years)


def _false_alarms(years: int) -> None:
    title = f"Checks a year that call drift where there is none, 1 is stated; {years} years a row"
    table = Table(title=title, title_justify="left")
    columns = ["reference", "ours", "95 %", "in runs", "years with any", "Evidently, any column", "Evidently, half"]
    for name in columns:
        table.add_column(name, justify="right")
    rates, every_run = [], list[float]()
    for reference in REFERENCES:
        alarms = [_quiet(seed, reference) for seed in range(years)]
        ours, runs, anything, half = np.array(alarms).T
        rates.append(ours)
        every_run += runs.tolist()
        low, high = _interval(ours)
        figures = [f"{ours.mean():.2f}", f"{low:.2f} to {high:.2f}", f"{runs.mean():.2f}", f"{(ours > 0).mean():.0%}"]
        table.add_row(f"{reference} days", *figures, f"{anything.mean():.0f}", f"{half.mean():.2f}")
    CONSOLE.print(table)
    every = np.concatenate(rates)
    low, high = _interval(every)
    CONSOLE.print(f"all {len(every)} years: {every.mean():.2f} checks a year, 95 % {low:.2f} to {high:.2f}")
    judged(
        Goal("false alarms a year, a run of checks counted once", float(np.mean(every_run)), Monitoring().false_alarms)
    )


def _quiet(seed: int, reference: int) -> tuple[float, float, float, float]:
    """Of one year: alarms, runs of alarms, and by Evidently's rule days with any column and with half of them."""
    stream = Stream(seed, reference, DAYS)
    checked = Checked(stream, stream.counts())
    ours = np.any(list(checked.ours.values()), axis=0)
    theirs = np.array(list(checked.evidently.values()))
    a_year = 365 / len(ours)
    runs = int(ours[0]) + int((ours[1:] & ~ours[:-1]).sum())
    any_, half = theirs.any(axis=0).sum(), (theirs.mean(axis=0) >= 0.5).sum()
    return ours.sum() * a_year, runs * a_year, any_ * a_year, half * a_year


def _interval(rates: Floats) -> tuple[float, float]:
    """By year, since the checks of one year share a reference."""
    reach = student.ppf(0.975, len(rates) - 1) * rates.std(ddof=1) / np.sqrt(len(rates))
    return max(float(rates.mean() - reach), 0.0), float(rates.mean() + reach)


def _power(streams: int, reference: int = 49) -> None:
    title = f"Planted changes at {ROWS:,} rows a day, {reference} days of reference, {streams} streams: found in {FOLLOWED} days"  # noqa: E501
    table = Table(title=title, title_justify="left")
    for name in ("", "drift", "days (9 in 10)", "drift or quality", "Evidently, column", "days", "Evidently, half"):
        table.add_column(name, justify="right")
    for name, planted in PLANTED.items():
        days = np.array(
            [_days_until_called(Stream(1000 + seed, reference, STEADY + FOLLOWED), planted) for seed in range(streams)]
        )
        ours, either, theirs, half = days.T
        table.add_row(
            name, *_share(ours), f"{np.isfinite(either).mean():.0%}", *_share(theirs), f"{np.isfinite(half).mean():.0%}"
        )
    CONSOLE.print(table)
    print(flush=True)


def _slow(streams: int) -> None:
    """Changes that are followed for a year: by distance and sum together, and by a distance that has all alarms."""
    table = Table(title=f"Found within a year, {streams} streams a row", title_justify="left")
    for name in ("", "reference", "both", "median day", "the distance alone", "median day"):
        table.add_column(name, justify="right")
    for name, planted in SLOW.items():
        for reference in REFERENCES:
            days = np.array(
                [_days_until_found(Stream(2000 + seed, reference, DAYS), planted) for seed in range(streams)]
            )
            table.add_row(name, f"{reference} days", *_share(days[:, 0]), *_share(days[:, 1]))
    CONSOLE.print(table)


def _days_until_found(stream: Stream, planted: Change) -> tuple[float, float]:
    change = Change(**{**vars(planted), "day": stream.reference})
    checked = Checked(stream, stream.counts(change), change)
    both, alone = checked.ours[change.column], checked.in_window(Monitoring().false_alarms)[change.column]
    return tuple(float(found[0] + WINDOW) if len(found := np.flatnonzero(each)) else np.inf for each in (both, alone))


def _share(days: Floats) -> tuple[str, str]:
    finite = days[np.isfinite(days)]
    called = f"{np.median(finite):.0f} ({np.quantile(finite, 0.9):.0f})" if len(finite) else "-"
    return f"{len(finite) / len(days):.0%}", called


def _days_until_called(stream: Stream, planted: Change) -> tuple[float, float, float, float]:
    """Days from the change until it is called: as drift of the column, as that or quality, and by Evidently's rule."""
    change = Change(**{**vars(planted), "day": stream.reference + STEADY})
    checked = Checked(stream, stream.counts(change), change)
    ours, theirs = checked.ours[change.column], np.array(list(checked.evidently.values()))
    column = checked.evidently[change.column]
    return (
        _first(ours),
        _first(ours | checked.quality),
        _first(column),
        _first(theirs.mean(axis=0) >= 0.5),
    )


def _first(alarms: Flags) -> float:
    """Days after the change; the check of day `WINDOW` after the reference is the first."""
    after = np.flatnonzero(alarms[STEADY - WINDOW + 1 :])
    return float(after[0] + 1) if len(after) else np.inf


if __name__ == "__main__":
    main()
