"""Label arrival, learned: which share of the labels that ever arrive is known at which age."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from evergreen import time_units
from evergreen.definition import label_delay
from evergreen.definition.metrics import Floats
from evergreen.ingestion import label_feedback
from evergreen.json_record import JsonRecord
from evergreen.lake.lake import ROWS, Lake
from evergreen.sql import RESERVED, columns, within

if TYPE_CHECKING:
    from evergreen.definition.model import Model

Times = NDArray[np.datetime64]
ARRIVED = f"{RESERVED}arrived"  # when the lake took a row in
LONGEST_HISTORY = timedelta(days=365)  # how far back to learn the label delay if the last windows are not enough
MATURE_SHARE = 0.95  # the share of all labels that ever arrive at which a window is mature
_ROWS = 30  # with fewer rows the share is too uncertain
_STEPS = 1000  # the most steps of a stored curve
SLACK = 0.8  # after a storm that cancels a sixth of a week's flights, 0.86 of the expected labels arrive
_SECOND = np.timedelta64(1, "s")


@dataclass(frozen=True)
class ArrivalCurve(JsonRecord):
    """An arrival curve: the share of all rows whose label is known by an age.

    Attributes
    ----------
    ages : tuple of float
        Seconds after the row's time, rising, at which the curve steps.
    shares : tuple of float
        Of all rows, from each of those ages on; before the first it is 0.
    watched : float
        The age in seconds up to which enough rows were observed.
    """

    ages: tuple[float, ...]
    shares: tuple[float, ...]
    watched: float

    @classmethod
    def declared(cls, delay: timedelta) -> "ArrivalCurve":
        """The curve of the declared label delay: every label is known after it."""
        return cls((delay.total_seconds(),), (1.0,), float("inf"))

    @property
    def ever(self) -> float:
        """The share of rows whose label ever arrives, as far as rows were observed."""
        return self.shares[-1] if self.shares else 0.0

    def known(self, age: ArrayLike) -> Floats:
        """The share of all rows whose label is known at an age in seconds.

        Examples
        --------
        >>> ArrivalCurve((60.0, 120.0), (0.5, 0.8), watched=3600.0).known([0, 60, 90, 999])
        array([0. , 0.5, 0.5, 0.8])
        """
        steps = np.array([0.0, *self.shares])
        return np.asarray(steps[np.searchsorted(self.ages, age, side="right")])

    def matures_after(self, share: float = MATURE_SHARE) -> timedelta | None:
        """The age at which this share of the labels that ever arrive is known.

        An age counts only if rows were observed for at least twice as long: a curve that
        still rises at its end does not show how many labels ever arrive (sufficient
        follow-up: Maller and Zhou, "Estimating the Proportion of Immunes in a Censored Sample",
        Biometrika 79, 1992).

        Parameters
        ----------
        share : float
            Above 0, at most 1.

        Returns
        -------
        timedelta or None
            None if the rows were not observed for long enough.

        Raises
        ------
        ValueError
            The share is out of range.

        Examples
        --------
        >>> ArrivalCurve((60.0, 120.0), (0.5, 0.8), watched=3600.0).matures_after(0.6)
        datetime.timedelta(seconds=60)
        >>> ArrivalCurve((60.0, 120.0), (0.5, 0.8), watched=180.0).matures_after()
        """
        if not 0 < share <= 1:
            raise ValueError(f"share must be above 0 and at most 1, not {share}")
        if not self.ever:
            return None
        age = self.ages[int(np.searchsorted(self.shares, share * self.ever))]
        return timedelta(seconds=age) if 2 * age <= self.watched else None


def observed_at(known: Times, labelled: NDArray[np.bool_], arrived: Times | None = None) -> Times:
    """When each row's label was seen.

    Parameters
    ----------
    known : array of datetime64 (n,)
        When it became known by the model file (`evergreen.definition.label_delay`).
    labelled : array of bool (n,)
        Whether there is a label at all.
    arrived : array of datetime64 (n,), optional
        When the row arrived in the lake. Give it if labels arrive by correction of their rows, and
        only for rows that are newer than the lake: for older ones the arrival of the label was
        not observed.

    Returns
    -------
    array of datetime64 (n,)
        NaT for no label.

    Examples
    --------
    >>> noon, evening = np.array(["2013-01-01T12", "2013-01-01T18"], dtype="datetime64[us]")
    >>> observed_at(np.array([noon]), np.array([True]), arrived=np.array([evening]))
    array(['2013-01-01T18:00:00.000000'], dtype='datetime64[us]')
    """
    seen = known if arrived is None else np.maximum(known, arrived)
    return np.where(labelled, seen, np.datetime64("NaT", "us"))


def learn(times: Times, known: Times, as_of: np.datetime64) -> ArrivalCurve:
    """Learn the arrival curve from past rows.

    The share that is known by an age is one minus the product-limit estimate of the share that
    has no label yet (Kaplan and Meier, "Nonparametric Estimation from Incomplete
    Observations", Journal of the American Statistical Association 53, 1958): a row without a
    label is censored at its age; it does not count as a row that never gets one. If the curve
    ends below 1, the remaining labels never arrive.

    Parameters
    ----------
    times : array (n,)
        Of the rows; what is later than `as_of` is left out.
    known : array (n,)
        When each label became known, from `observed_at`; NaT, or later than `as_of`, if it is not.
    as_of : datetime64

    Returns
    -------
    ArrivalCurve
        At most 1,000 steps are kept; between them the curve is too low, so that the estimated delay
        is never too short.

    Examples
    --------
    >>> day = np.timedelta64(1, "D")
    >>> times = np.datetime64("2013-01-01", "us") + np.arange(4) * day
    >>> known = np.array([times[0] + day, times[1] + 2 * day, "NaT", "NaT"], dtype="datetime64[us]")
    >>> learn(times, known, np.datetime64("2013-01-05", "us")).shares  # the last two are 2 and 1 days old
    (0.25, 0.625)
    """
    past = times <= as_of
    times, known = times[past], known[past]
    followed = (as_of - times) / _SECOND
    arrived = known <= as_of  # False for NaT
    age = np.where(arrived, np.maximum((known - times) / _SECOND, 0.0), followed)
    steps, shares = _product_limit(age, arrived)
    selected = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), _STEPS)).round().astype(int))
    watched = float(np.sort(followed)[-_ROWS]) if len(followed) >= _ROWS else 0.0
    return ArrivalCurve(tuple(steps[selected].tolist()), tuple(shares[selected].tolist()), watched)


def _product_limit(age: Floats, arrived: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """The ages at which labels arrived, and the share known by each; rows without a label are censored."""
    from scipy.stats import CensoredData, ecdf

    if not arrived.any():
        return np.empty(0), np.empty(0)
    curve = ecdf(CensoredData(uncensored=age[arrived], right=age[~arrived])).cdf
    steps = np.unique(age[arrived])
    return steps, np.asarray(curve.evaluate(steps), dtype=np.float64)


def mature(
    arrival: ArrivalCurve,
    times: Times,
    labelled: NDArray[np.bool_],
    now: np.datetime64,
    share: float = MATURE_SHARE,
    after: timedelta | None = None,
) -> bool:
    """Whether the labels of a window are mature, so that it may be scored.

    Labels that come early are a biased sample (a default is known sooner than a repaid loan), so
    even the youngest row must be old enough, and enough labels must be there: fewer than 0.8 of
    those that the curve expects mean that they are held up.

    Parameters
    ----------
    arrival : ArrivalCurve
    times : array (n,)
        Of the window's rows.
    labelled : array of bool (n,)
        Whether each row's label is known by `now`.
    now : datetime64
    share : float
        Of the labels that ever arrive.
    after : timedelta, optional
        The age of the youngest row at which they should have; by default as the curve says.

    Examples
    --------
    >>> curve = ArrivalCurve.declared(timedelta(days=1))
    >>> times = np.array(["2013-01-01", "2013-01-02"], dtype="datetime64[us]")
    >>> [mature(curve, times, np.array([True, True]), np.datetime64(day, "us")) for day in ("2013-01-02", "2013-01-03")]
    [False, True]
    """
    after = arrival.matures_after(share) if after is None else after
    if after is None or not len(times):
        return False
    ages = (now - times) / _SECOND
    expected = float(arrival.known(ages).mean())
    return bool(ages.min() >= after.total_seconds() and labelled.mean() >= SLACK * expected)


def of(
    model: "Model", rows: pd.DataFrame, as_of: pd.Timestamp, first_arrival: pd.Timestamp | None = None
) -> ArrivalCurve:
    """The arrival curve of a model's labels, from its past rows in the lake.

    Parameters
    ----------
    model : Model
    rows : DataFrame
        The time, the target, `label_time` if the model has one, and `ARRIVED` if `first_arrival` is given.
    as_of : Timestamp
    first_arrival : Timestamp, optional
        When the first batch arrived in the lake. Give it if labels arrive by correction of their
        rows: then only later rows are used.

    Returns
    -------
    ArrivalCurve
        The declared label delay, as long as too few rows were observed; but not if labels have a time of their own,
        or arrive by correction and a row is newer than the first batch, since then no delay is declared.
    """
    past = rows if first_arrival is None else rows[rows[model.time] >= first_arrival]
    arrived = None if first_arrival is None or model.label_time else naive(past[ARRIVED])
    labelled = past[model.target].notna().to_numpy(dtype=bool)
    observed = observed_at(naive(label_delay.known_at(model, past)), labelled, arrived)
    learned = learn(naive(past[model.time]), observed, naive_timestamp(as_of))
    promised = not model.label_time and (first_arrival is None or past.empty)
    return ArrivalCurve.declared(model.label_delay) if promised and learned.matures_after() is None else learned


def overdue_rows(model: "Model", rows: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """The rows since the newest label that are old enough to have a label but have none.

    Old enough is twice the age at which the fastest label arrived, and at least the declared label
    delay.

    Parameters
    ----------
    model : Model
        Its labels have a time of their own, or arrive by correction.
    rows : DataFrame
        The time, the target, and `label_time` or else `ARRIVED`.
    as_of : Timestamp

    Returns
    -------
    DataFrame
        Of the same columns; all labels in it are missing, or not known yet.
    """
    times, label_time = rows[model.time], rows[model.label_time or ARRIVED]
    known = rows[model.target].notna() & (label_time <= as_of)
    if not known.any():
        old = times <= as_of - model.label_delay
    else:
        wait = max(pd.Timedelta(model.label_delay), 2 * (label_time - times)[known].min())
        old = (times > times[known].max()) & (times <= as_of - wait)
    return rows.loc[old].reset_index(drop=True)


def naive(moments: "pd.Series[pd.Timestamp]") -> Times:
    """Times in UTC as numpy values."""
    return moments.dt.tz_localize(None).to_numpy(dtype="datetime64[us]")


def naive_timestamp(moment: pd.Timestamp) -> np.datetime64:
    """A timestamp in UTC as a numpy value."""
    return np.datetime64(moment.tz_convert("UTC").tz_localize(None), "us")


def arrival(
    lake: Lake,
    model: "Model",
    as_of: pd.Timestamp,
    now: pd.Timestamp | None = None,
    delay: timedelta | None = None,
) -> tuple[ArrivalCurve, pd.DataFrame]:
    """The arrival curve of recent labels, and the rows it was learned from.

    Labels can arrive by correction of their rows: by the source's lookback, or as label feedback. If the last
    windows are too short to learn the curve, the last year is used.

    Parameters
    ----------
    lake : Lake
    model : Model
    as_of : Timestamp
        Labels that arrived later are not known.
    now : Timestamp, optional
        Where the last windows end, if their source ended before `as_of`.
    delay : timedelta, optional
        That was learned (`evergreen.ingestion.label_maturity`); the last windows reach further back by twice as much.
    """
    now = as_of if now is None else now
    by_correction = not model.label_time and (bool(model.source.lookback) or label_feedback.exists(lake, model))
    first_arrival = (
        lake.query(model, f'SELECT min("_arrived") AS began FROM {ROWS}')["began"][0] if by_correction else None
    )
    rows = _watched(lake, model, horizon(model, now, delay), as_of)
    curve = of(model, rows, as_of, first_arrival)
    if curve.matures_after() is None:
        rows = _watched(lake, model, min(horizon(model, now, delay), now - LONGEST_HISTORY), as_of)
        curve = of(model, rows, as_of, first_arrival)
    return curve, rows


def _watched(lake: Lake, model: "Model", since: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
    """The times of the rows of a period, and when their labels arrived."""
    wanted = columns(name for name in (model.time, model.target, model.label_time) if name)
    sql = f'SELECT {wanted}, "_arrived" AS "{ARRIVED}" FROM {ROWS} WHERE {within(model.time)}'
    return lake.query(model, sql, {"since": since.to_pydatetime(), "until": until.to_pydatetime()})


_WINDOWS = 4  # how many windows back changed rows are counted again; later changes are not


def monitored_span(model: "Model") -> timedelta:
    """How long the last windows of a monitor are together."""
    return max(_WINDOWS * model.monitoring.window, model.performance_window + model.monitoring.window)


def horizon(model: "Model", as_of: pd.Timestamp, delay: timedelta | None = None) -> pd.Timestamp:
    """The time from which rows are predicted and profiled: the last windows, plus twice the label delay.

    The delay is that of the model file unless a longer one was learned.
    """
    reach = monitored_span(model) + 2 * max(model.label_delay, delay or model.label_delay)
    return time_units.unit_start(as_of - reach, model.monitoring.unit)
