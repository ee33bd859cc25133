"""Simulated streams of 20 columns that stand still in the long run, and move: with the weekday, and with their days."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from evergreen.drift.bins import Bins
from evergreen.drift.profile import Column

ROWS = 10_000  # a day
MIDDLE = 5.0  # of a number, in standard deviations within a day
SLOTS = 10
# How far days move a column, in its standard deviations within a day.
QUIET, BUSY, WEATHER = (0.0, 0.05), (0.05, 0.2), (0.3, 1.0)
NUMBERS = [*[WEATHER] * 4, *[BUSY] * 6, *[QUIET] * 4]
CATEGORIES = [(BUSY, 3), (BUSY, 10), (BUSY, 50), (BUSY, 200), (QUIET, 8), (QUIET, 20)]
Floats = NDArray[np.float64]


@dataclass
class Change:
    """What befalls one column from a day on: a number is scaled, moved, and moved further every day; or a share jumps.

    The share is that of a category's second value.
    """

    column: str
    day: int
    scale: float = 1.0
    moved: float = 0.0
    a_day: float = 0.0
    share: float | None = None
    gone: bool = False


@dataclass
class Source:
    """One column: where its distribution stands on each day, and what it is made of."""

    level: Floats
    spread: float = 1.0  # of all days together
    edges: Floats = field(default_factory=lambda: np.zeros(0))
    base: Floats = field(default_factory=lambda: np.zeros(0))
    toward: Floats = field(default_factory=lambda: np.zeros(0))

    @property
    def bins(self) -> Bins:
        """As a champion's reference would fix them."""
        if len(self.base):
            return Bins("category", categories=tuple(f"v{place}" for place in range(len(self.base))))
        return Bins("number", edges=tuple(self.edges.tolist()))

    def below(self, at: Floats, days: slice, change: Change | None = None) -> Floats:
        """The share of a number's values up to each point, by day."""
        scale = change.scale if change else 1.0
        return np.asarray(ndtr((at - self.moved(days, change)[:, None]) / scale - MIDDLE - self.level[days, None]))

    def moved(self, days: slice, change: Change | None) -> Floats:
        """How far a number is moved, by day."""
        count = len(self.level[days])
        return (change.moved + change.a_day * np.arange(count)) * self.spread if change else np.zeros(count)

    def mean(self, change: Change | None = None) -> Floats:
        """Of a number, by day."""
        mean = MIDDLE + self.level
        if change:
            late = slice(change.day, None)
            mean[late] = mean[late] * change.scale + self.moved(late, change)
        return mean

    def shares(self, days: slice, change: Change | None = None) -> Floats:
        """Of each slot, by day; the last two of a category, and the last of a number, are other and missing."""
        if len(self.base):
            shares = self.base * np.exp(self.toward * self.level[days, None])
            shares = np.column_stack([shares / shares.sum(axis=1, keepdims=True), np.zeros((len(shares), 2))])
            if change and change.share is not None:
                rest = np.delete(shares, 1, axis=1)
                shares = np.insert(rest / rest.sum(axis=1, keepdims=True) * (1 - change.share), 1, change.share, axis=1)
        else:
            below = self.below(self.edges, days, change)
            inner = np.diff(np.column_stack([np.zeros(len(below)), below, np.ones(len(below))]), axis=1)
            shares = np.column_stack([inner, np.zeros(len(below))])
        if change and change.gone:
            shares = np.zeros_like(shares)
            shares[:, -1] = 1
        return shares


class Stream:
    """A stationary stream, its bins fixed by its first days.

    A column follows an autoregression of its own size and memory from day to day, and the weekday;
    the number of rows has its weekdays and its good and bad days.
    """

    def __init__(self, seed: int, reference: int, days: int, memory: float = 0.85) -> None:
        self.random, self.reference, self.days = np.random.default_rng([seed, reference]), reference, reference + days
        weekday = np.arange(self.days) % 7
        a_day = ROWS * np.where(weekday > 4, 0.7, 1.1) * np.exp(self.random.normal(0, 0.1, self.days))
        self.rows = self.random.poisson(a_day)
        self.columns = {f"x{place}": self._number(size, memory) for place, size in enumerate(NUMBERS)}
        self.columns |= {f"c{place}": self._category(*shape, memory) for place, shape in enumerate(CATEGORIES)}

    def _level(self, size: tuple[float, float], most: float) -> Floats:
        reach, memory = self.random.uniform(*size), self.random.uniform(0, most)
        shocks = self.random.normal(0, 1, self.days + 100)
        for day in range(1, len(shocks)):
            shocks[day] = memory * shocks[day - 1] + np.sqrt(1 - memory**2) * shocks[day]
        return np.asarray(reach * shocks[100:] + self.random.normal(0, reach + 0.05, 7)[np.arange(self.days) % 7])

    def _number(self, size: tuple[float, float], memory: float) -> Source:
        level = self._level(size, memory)
        drawn = MIDDLE + np.repeat(level[: self.reference], 400)
        drawn = drawn + self.random.normal(0, 1, len(drawn))
        inner = np.quantile(drawn, np.linspace(0, 1, SLOTS + 1))
        return Source(level, float(drawn.std()), edges=inner)

    def _category(self, size: tuple[float, float], count: int, memory: float) -> Source:
        base = self.random.dirichlet(np.ones(count))
        base[1] = 0.1
        base /= base.sum()
        return Source(self._level(size, memory), base=base, toward=self.random.normal(0, 1, count))

    def counts(self, change: Change | None = None) -> dict[str, Column]:
        """By day, as a profile has them."""
        columns = {}
        for name, source in self.columns.items():
            shares = source.shares(slice(None))
            if change and change.column == name:
                shares[change.day :] = source.shares(slice(change.day, None), change)
            counts = self.random.multinomial(self.rows, shares)
            moments = np.full((self.days, 4), np.nan)
            if not len(source.base):
                own = change if change and change.column == name else None
                moments[:, 0] = source.mean(own) * self.rows + self.random.normal(size=self.days) * np.sqrt(self.rows)
            columns[name] = Column(source.bins, counts.astype(np.int64), moments)
        return columns
