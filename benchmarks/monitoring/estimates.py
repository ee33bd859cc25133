"""What performance is estimated and found to be between trainings, on a year of flights and on steady streams.

Models that know the first three months answer the rest of 2013. `late`: estimated against
realised performance, month by month, beside the naive "as at the judging". `airtime`, the hard
case: its error doubles while every column stays quiet. Last, how often a steady stream is
called degraded.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from rich.table import Table

from benchmarks.harness.measuring import CONSOLE, Goal, judged
from benchmarks.monitoring.separability import domain_auc
from evergreen import Gates, Monitoring, Policy
from evergreen.definition import loader
from evergreen.definition import model as models
from evergreen.definition.metrics import METRICS, named
from evergreen.evaluation import performance
from evergreen.evaluation.performance import Observed, Score
from evergreen.monitoring.degradation import declines, degraded
from evergreen.monitoring.estimation import Estimator, past_error
from evergreen.nycflights import flights
from evergreen.training import fitting
from evergreen.training.split import split

KNOWN = pd.Timestamp("2013-04-01", tz="UTC")
END = pd.Timestamp("2014-01-01", tz="UTC")
DAY = pd.Timedelta(days=1)
OF_CLASSES = ("log_loss", "brier_score", "accuracy", "roc_auc")
YEARS = 200


@dataclass(frozen=True)
class Year:
    """A model that knows the first three months, and what it says of every flight of the year."""

    model: models.Model
    estimator: object
    rows: pd.DataFrame
    prediction: np.ndarray
    trained: np.ndarray
    holdout: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """Which rows have a label."""
        return self.rows[self.model.target].notna().to_numpy()

    @property
    def classes(self):
        """Of a classifier."""
        return getattr(self.estimator, "classes_", None)

    def months(self) -> dict[str, np.ndarray]:
        """The months that it was put to work in, and which rows they hold."""
        month = self.rows[self.model.time].dt.strftime("%Y-%m").to_numpy()
        return {str(name): month == name for name in np.unique(month[self.rows[self.model.time] >= KNOWN])}

    def between(self, since: pd.Timestamp, until: pd.Timestamp) -> np.ndarray:
        """Which rows lie in a period."""
        times = self.rows[self.model.time]
        return ((times >= since) & (times < until)).to_numpy()

    def observed(self, which: np.ndarray) -> Observed:
        """How it did on some rows."""
        return performance.observed(self.model, self.rows[which], self.prediction[which], classes=self.classes)


def year(name: str) -> Year:
    """Train as the model file says on what is known by April, its newest days held out."""
    model = loader.load(name)
    rows = flights(pd.Timestamp("2013-01-01", tz="UTC"), END)
    times, labelled = rows[model.time], rows[model.target].notna()
    past = labelled & (times + model.label_delay <= KNOWN)
    training = model.training
    bounds = split(times[past].max(), window=training.window, holdout=training.holdout, gap=model.label_delay)
    trained = (past & bounds.training(times)).to_numpy()
    estimator = fitting.fit(model, rows[trained])
    prediction = fitting.predict(model, estimator, rows)
    return Year(model, estimator, rows, prediction, trained, (past & bounds.holdout(times)).to_numpy())


def estimated(of: Year, metric_name: str) -> list[tuple[str, float, float, float]]:
    """By month: estimated, realised, and what it was at the judging."""
    model = of.model.model_copy(update={"metric": METRICS[metric_name]})

    def score(which: np.ndarray) -> float:
        which = which & of.known
        return model.metric.score(fitting.target(model, of.rows[which]), of.prediction[which])

    holdout = of.holdout
    target = fitting.target(model, of.rows[holdout])
    estimator = Estimator.fit(model, of.rows[holdout], of.prediction[holdout], target)
    estimator = Estimator.parse(model, estimator.dump())
    baseline = score(holdout)
    return [
        (month, estimator.estimate(of.rows[which], of.prediction[which]), score(which), baseline)
        for month, which in of.months().items()
    ]


def show(title: str, months: list[tuple[str, float, float, float]], beside: dict[str, list[float]] | None = None):
    """Print a table by month; return the mean absolute error of the estimate and of the naive one."""
    table = Table(title=title, title_justify="left")
    beside = beside or {}
    for name in ("", "estimated", "realised", "at the judging", *beside):
        table.add_column(name, justify="right")
    for number, (month, *values) in enumerate(months):
        values += [column[number] for column in beside.values()]
        table.add_row(month, *(f"{value:.3f}" for value in values))
    CONSOLE.print(table)
    ours = past_error((estimate, realised) for _, estimate, realised, _ in months)
    naive = past_error((baseline, realised) for _, _, realised, baseline in months)
    CONSOLE.print(f"estimate {ours}; as at the judging {naive}", soft_wrap=True)
    return ours.error, naive.error


def noticed(of: Year) -> float:
    """Print when a daily check first suspects and when it proves a loss; return how its metric has changed by then."""
    baseline, window = of.observed(of.holdout), of.model.monitoring.window
    day, suspected = KNOWN + window, False
    while day <= END:
        now = of.observed(of.between(day - window, day))
        parts, policy = declines(of.model.metric, now, baseline), of.model.policy
        check = degraded(now, parts, of.model.gates, of.model.monitoring, suspicion=policy.suspicion)
        if check.suspected and not suspected:
            suspected = True
            CONSOLE.print(f"{of.model.name}: suspected on {day:%Y-%m-%d}: {check.suspected}", soft_wrap=True)
        if check.state == "degraded":
            weeks = (day - KNOWN) / (7 * DAY)
            CONSOLE.print(f"{of.model.name}: degraded on {day:%Y-%m-%d}, after {weeks:.1f} weeks: {check.reason}")
            return now.whole.value / baseline.whole.value
        day += DAY
    return math.inf


def separated(of: Year) -> tuple[list[float], list[float]]:
    """The area under the curve of telling each month from the training rows, and each of their weeks from the rest."""
    reference = of.rows[of.trained]
    of_months = [domain_auc(of.model, reference, of.rows[which], seed=0) for which in of.months().values()]
    times = reference[of.model.time]
    weeks = pd.date_range(times.min(), times.max() - 7 * DAY, freq="7D")
    masks = [((times >= week) & (times < week + 7 * DAY)).to_numpy() for week in weeks]
    return of_months, [domain_auc(of.model, reference[~mask], reference[mask], seed=0) for mask in masks]


def false_alarms(neighbours: float, holdout: int, window: int = 7) -> tuple[float, float, float]:
    """Checks a year that call a steady stream degraded, the standard error of that, and checks that only suspect it.

    A day's score varies by a fifth, is alike that of the day before, and weekends are better.
    """
    random = np.random.default_rng(0)
    metric, gates, monitoring, suspicion = named("mean_absolute_error"), Gates(), Monitoring(), Policy().suspicion
    counts, suspected = [], 0
    for _ in range(YEARS):
        scores = _days(random, holdout + 1 + window + 364, neighbours)
        baseline = _observed(scores[:holdout])
        windows = np.lib.stride_tricks.sliding_window_view(scores[holdout + 1 :], window)
        checks = [
            degraded(now, declines(metric, now, baseline), gates, monitoring, suspicion=suspicion)
            for now in (_observed(daily) for daily in windows)
        ]
        counts.append(sum(check.state == "degraded" for check in checks))
        suspected += sum(bool(check.suspected) for check in checks)
    return float(np.mean(counts)), float(np.std(counts, ddof=1) / math.sqrt(YEARS)), suspected / YEARS


def _days(random: np.random.Generator, count: int, neighbours: float) -> np.ndarray:
    noise = random.normal(size=count)
    for day in range(1, count):
        noise[day] = neighbours * noise[day - 1] + math.sqrt(1 - neighbours**2) * noise[day]
    return 1 + 0.2 * noise - 0.05 * (np.arange(count) % 7 >= 5)


def _observed(scores: np.ndarray) -> Observed:
    count = len(scores)
    whole = Score(100 * count, count, float(scores.mean()), float(scores.std(ddof=1) / math.sqrt(count)))
    return Observed(None, None, whole.rows, labelled=1.0, mature=True, finite=1.0, whole=whole)


def main() -> None:
    """Measure and print."""
    goals = []
    late = year("late")
    for name in OF_CLASSES:
        ours, naive = show(f"late, {name}", estimated(late, name))
        goals.append(Goal(f"late, {name}: the estimate's error beside the naive one's", ours / naive, 1.0))
    airtime = year("airtime")
    of_months, of_weeks = separated(airtime)
    months = estimated(airtime, "mean_absolute_error")
    show("airtime, mean_absolute_error", months, {"told from the reference": of_months})
    low, high = min(of_weeks), max(of_weeks)
    CONSOLE.print(f"weeks of the reference are told from its rest to {low:.2f} to {high:.2f}", soft_wrap=True)
    goals.append(Goal("airtime: its error when found degraded, times that at the judging", noticed(airtime), 2.0))
    noticed(late)
    goals.append(Goal("airtime: told from the reference, in the clearest month", max(of_months), high, at_least=True))
    for neighbours, holdout in ((0.0, 7), (0.0, 21), (0.4, 7), (0.4, 21)):
        rate, error, suspected = false_alarms(neighbours, holdout)
        what = f"false alarms a year over {YEARS} years, neighbouring days {neighbours}, holdout {holdout} days"
        CONSOLE.print(f"{what}: {rate:.2f} ± {2 * error:.2f}; checks that suspect: {suspected:.1f}", soft_wrap=True)
        goals.append(Goal(f"{what}, less two standard errors", rate - 2 * error, Monitoring().false_alarms))
    judged(*goals)


if __name__ == "__main__":
    main()
