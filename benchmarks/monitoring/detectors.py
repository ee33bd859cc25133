"""Drift detectors side by side at the same rate of false alarms: how much of what was planted each finds, and when.

Years of the streams of `benchmarks.monitoring.streams`, each after a reference of its own. Every detector gives each
column a figure a day; its limit is set such that 63 % of the years without drift have an alarm in any of their 20
columns, which is once a year. With that limit the planted changes are looked for. Beside it stands what each does with
the limit that it has by default.

- Evergreen: the larger one of distance and cumulative sum, each as a multiple of its limit; and each by itself.
- Evidently: the Wasserstein distance of the newest week in standard deviations, or for a category the Jensen-Shannon
  distance; 0.1 by default.
- NannyML: the Jensen-Shannon distance of every week, in standard deviations from the mean of the reference's own weeks;
  3 by default.
- ADWIN, of river: on the column's mean by day, as a share of the range that the reference spans, with a delta of 0.002
  by default; for an equal rate the largest of a grid of deltas whose years have no more alarms.

    python -m benchmarks.monitoring.detectors [--years 100]
"""

import argparse
import sys

import numpy as np
from joblib import Parallel, delayed
from rich.table import Table

from benchmarks.harness.measuring import CONSOLE
from benchmarks.harness.peers import library
from benchmarks.monitoring.false_alarms import DAYS, REFERENCES, WINDOW, Checked
from benchmarks.monitoring.streams import Change, Floats, Stream
from evergreen import Monitoring
from evergreen.drift import distances
from evergreen.drift import thresholds as drift_thresholds

PLANTED = {
    "slide by 2 % of a sd a month, quiet column": Change("x11", 0, a_day=0.02 / 30),
    "slide by 2 % of a sd a month, busy column": Change("x6", 0, a_day=0.02 / 30),
    "jump by 0.25 sd, quiet column": Change("x11", 0, moved=0.25),
    "jump by 0.25 sd, busy column": Change("x6", 0, moved=0.25),
    "share from 10 to 15 %, busy category": Change("c1", 0, share=0.15),
}
ALLOWED = 1 - np.exp(-1)  # of the years have an alarm where there is one a year
DELTAS = [0.999, 0.9, 0.7, 0.5, 0.3, *(10.0 ** -np.arange(1, 13)).tolist()]
DEFAULTS = {"Evergreen": 1.0, "its distance alone": 1.0, "its sums alone": 1.0, "Evidently": 0.1, "NannyML": 3.0}
ADWIN = "ADWIN"
_NEVER = -1e9  # the figure of a detector that called nothing
Figures = dict[str, dict[str, Floats]]  # of a detector, by column: (days,)


def main() -> None:
    """Simulate, set the limits, and look for what was planted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--years", type=int, default=100, help="of each length of reference (default %(default)s)")
    years = parser.parse_known_args()[0].years
    river = library("river")
    for reference in REFERENCES:
        _report(reference, years, river)


def _report(reference: int, years: int, river: str | None) -> None:
    run = Parallel(n_jobs=2)
    quiet = run(delayed(_year)(seed, reference, None, river) for seed in range(years))
    limits = {name: _limit(quiet, name) for name in quiet[0]}
    shown = Table("", *limits, title=f"{reference} days of reference, {years} years a row")
    shown.add_row("default limit: years without drift that alarm", *(_alarming(quiet, name) for name in limits))
    for what, planted in PLANTED.items():
        found = run(delayed(_year)(5000 + seed, reference, planted, river) for seed in range(years))
        for title, chosen in (("equal rate", limits), ("default", {name: _default(name) for name in limits})):
            cells = [_found([year[name][planted.column] for year in found], limit) for name, limit in chosen.items()]
            shown.add_row(f"{what}: {title}", *cells)
    CONSOLE.print(shown)


def _default(name: str) -> float:
    return -np.log10(0.002) if name == ADWIN else DEFAULTS[name]


def _limit(quiet: list[Figures], name: str) -> float:
    highest = [max(float(np.nanmax(days)) for days in year[name].values()) for year in quiet]
    return float(np.quantile(np.maximum(highest, _NEVER), 1 - ALLOWED))


def _alarming(quiet: list[Figures], name: str) -> str:
    over = [any(bool(np.nanmax(days) > _default(name)) for days in year[name].values()) for year in quiet]
    return f"{np.mean(over):.0%}"


def _found(years: list[Floats], limit: float) -> str:
    """The share of years that find the change, and the median day."""
    days = [int(over[0]) + 1 for year in years if len(over := np.flatnonzero(year > limit))]
    return f"{len(days) / len(years):.0%}" + (f" ({np.median(days):.0f})" if days else "")


def _year(seed: int, reference: int, planted: Change | None, river: str | None) -> Figures:
    """The figures of every detector on every column, or on the one that changes, by day after the reference."""
    stream = Stream(seed, reference, DAYS)
    change = Change(**{**vars(planted), "day": reference}) if planted else None
    checked = Checked(stream, stream.counts(change), change)
    names = [change.column] if change else list(checked.columns)
    summed = {name: _sums(checked, name) for name in names}
    beside, alone = checked.distances(), checked.distances(Monitoring().false_alarms)
    figures: Figures = {
        "Evergreen": {name: np.fmax(summed[name], _daily(beside[name])) for name in names},
        "its distance alone": {name: _daily(alone[name]) for name in names},
        "its sums alone": summed,
        "Evidently": {name: _daily(checked.far(name)) for name in names},
        "NannyML": {name: _nannyml(checked, name) for name in names},
    }
    if river:
        if river not in sys.path:
            sys.path.append(river)
        figures[ADWIN] = {name: _adwin(_level(checked, name), reference) for name in names}
    return figures


def _daily(by_check: Floats) -> Floats:
    """By day after the reference; before the first whole week there is no figure."""
    return np.concatenate([np.full(WINDOW - 1, -np.inf), np.nan_to_num(by_check, nan=-np.inf)])


def _sums(checked: Checked, name: str) -> Floats:
    """The larger sum as a multiple of its limit."""
    if name not in checked.sums:
        return np.full(DAYS, -np.inf)
    summed = checked.sums[name]
    return np.fmax(summed.up, summed.down) / summed.limit


def _nannyml(checked: Checked, name: str) -> Floats:
    """Weeks that do not overlap: how far each is from the mean of the reference's, in their standard deviations."""
    counts, reference = drift_thresholds.comparable(checked.columns[name]), checked.stream.reference
    known = counts[:reference].sum(axis=0)
    weeks = [counts[day : day + WINDOW].sum(axis=0) for day in range(0, len(counts) - WINDOW + 1, WINDOW)]
    far = np.array([float(distances.jensen_shannon(known, week)) for week in weeks])
    own = far[: reference // WINDOW]
    score = (far[reference // WINDOW :] - own.mean()) / own.std()
    by_day = np.full(DAYS, -np.inf)
    ends = np.arange(len(score)) * WINDOW + WINDOW - 1
    by_day[ends] = score
    return by_day


def _level(checked: Checked, name: str) -> Floats:
    """The mean of a number by day, or the share of the reference's commonest category."""
    column = checked.columns[name]
    if column.bins.kind == "category":
        known = column.counts[:, :-1]
        return known[:, known[: checked.stream.reference].sum(axis=0).argmax()] / known.sum(axis=1)
    return column.moments[:, 0] / column.counts[:, :-1].sum(axis=1)


def _adwin(level: Floats, reference: int) -> Floats:
    """The negative logarithm of the smallest delta of the grid that has called by each day after the reference."""
    from river import drift

    known = level[:reference]
    scaled = (level - known.min()) / max(float(np.ptp(known)), 1e-12)
    called = np.full(DAYS, -np.inf)
    for delta in [*DELTAS, 0.002]:
        detector = drift.ADWIN(delta=float(delta), clock=1, grace_period=5)
        for day, value in enumerate(scaled):
            detector.update(float(value))
            if day >= reference and detector.drift_detected:
                called[day - reference :] = np.maximum(called[day - reference :], -np.log10(delta) + 1e-9)
                break
    return called


if __name__ == "__main__":
    main()
