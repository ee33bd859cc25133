"""The parts of a model definition: training, policy, monitoring, serving."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from evergreen.definition.kinds.register import KINDS
from evergreen.durations import Duration, Length, parse

AUTO = "auto"  # a window that the record of trainings chooses


def _known(name: str) -> str:
    if name not in KINDS:
        raise ValueError(f"unknown kind {name!r}; kinds are {', '.join(KINDS)}")
    return name


def _window(value: Any) -> Any:
    if value == AUTO:
        return value
    try:
        length = parse(value)
    except ValueError as error:
        raise ValueError(f"'{AUTO}', or {error}") from None
    if isinstance(length, timedelta) and length <= timedelta(0):
        raise ValueError(f"'{AUTO}', or a duration that is longer than 0, not {value!r}")
    return length


Window = Annotated[timedelta | Literal["auto"], BeforeValidator(_window)]
Kind = Annotated[str, AfterValidator(_known)]  # the name of a kind of column


class Part(BaseModel):
    """A frozen part of a definition; an unknown setting is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Search(Part):
    """A search for hyperparameters with Optuna, in time-ordered folds of the training window.

    Attributes
    ----------
    space : callable
        From an ``optuna.Trial`` to the keyword arguments of the model file's estimator.
    trials, seconds : int, float
        The search ends when either is reached.
    folds : int
        Time-ordered folds, each validated on rows later than those it was fitted on.
    """

    space: Callable[[Any], dict[str, Any]]
    trials: int = Field(20, ge=1)
    seconds: float = Field(60.0, gt=0)
    folds: int = Field(3, ge=1)


class Training(Part):
    """Which rows a training uses.

    Attributes
    ----------
    window : timedelta or None or "auto"
        How far back the training rows reach; None for all history. With ``"auto"`` each training compares
        windows on earlier rows, and a shorter one is used where it has done better (see `evergreen.training.window`).
    holdout : timedelta
        The newest labelled rows, held out for the evaluation; never at random.
    half_life : timedelta or None
        Older rows weigh less: half as much for each half-life of age.
    min_rows : int
        Fewer training rows than this is an error, not a model.
    refit : bool
        After a passing verdict, fit the same recipe on all rows, the holdout included.
    refit_tolerance : float
        The refitted model is promoted if its predictions on the holdout differ from the judged
        model's by at most this share of the target's spread (mean absolute difference over
        standard deviation; for probabilities, the mean absolute difference itself), or if they
        are better beyond chance, since the refit was trained on these rows.
    search : Search or None
        Optional search for hyperparameters.
    """

    window: Window | None = None
    holdout: Length = timedelta(days=7)
    half_life: Length | None = None
    min_rows: int = Field(100, ge=2)
    refit: bool = True
    refit_tolerance: float = Field(0.1, ge=0)
    search: Search | None = None

    @property
    def fixed_window(self) -> timedelta | None:
        """The declared window; None for all history, and where the record chooses it."""
        return self.window if isinstance(self.window, timedelta) else None


class Policy(Part):
    """When to train automatically, and what happens after a promotion.

    Attributes
    ----------
    every : timedelta or None
        How long after the last training a scheduled one is due; drift can trigger one earlier.
    min_new_rows : int
        Never train on fewer newly labelled rows than this.
    cooldown : timedelta
        How long after a training new data, drift or performance may not trigger another one; the time
        doubles with each training in a row that promoted no version.
    suspicion : float or None
        Realised performance that is worse than the baseline by more than this share of the metric
        triggers a training even if chance may explain it, since the gates decide on the result. With
        None, only a significant decline triggers one.
    estimated : bool
        Whether estimated performance, before labels arrive, can trigger a training as realised
        performance does.
    contenders : int
        How many earlier champions are evaluated beside the challenger, and may be reinstated.
    probation : timedelta
        How long after its promotion a champion is compared with the one it replaced, and rolled
        back if it does worse; 0 for no probation.
    approval : timedelta or None
        Require a person's approval before a version that has passed its gates becomes champion; the
        request lapses after this long. None requires no approval.
    """

    every: Duration | None = None
    min_new_rows: int = Field(1, ge=0)
    cooldown: Duration = timedelta(days=1)
    suspicion: float | None = Field(0.25, gt=0)
    estimated: bool = False
    contenders: int = Field(8, ge=0)
    probation: Duration = timedelta(days=14)
    approval: Length | None = None


class Monitoring(Part):
    """What is monitored between trainings, and how often an alarm may be false.

    Attributes
    ----------
    window : timedelta
        The newest rows, which are compared with the champion's reference.
    unit : timedelta
        Profiles are stored for units of this length; `window` is a whole number of units.
    performance : timedelta or None
        How much time realised performance is judged over. With None, and at least, it is the window, or as much as the
        gates' `min_blocks` blocks need. A check with too few labelled rows for `min_rows` looks further back.
    false_alarms : float
        How often a year drift may be called where there is none, over all columns together, if the model is checked
        once a day; an alarm that lasts counts once. A fifth by the distance of a window, the rest by
        slow drift.
    important : float
        The share of the champion's feature importance that a column must have for its drift to trigger
        a training; drift of any other column is only reported.
    backfill : timedelta or None
        How much of the history before the first monitor run is backtested by it, once, so that the first page shows it:
        what this file's policy would have done, each step by what was known then. None backtests nothing.
    """

    window: Length = timedelta(days=7)
    unit: Length = timedelta(days=1)
    performance: Length | None = None
    false_alarms: float = Field(1.0, gt=0, le=36.5)
    important: float = Field(0.01, ge=0, le=1)
    backfill: Length | None = None

    @model_validator(mode="after")
    def _check(self) -> "Monitoring":
        if self.window % self.unit:
            raise ValueError(f"window {self.window} must be a whole number of units of {self.unit}")
        return self


class Serving(Part):
    """What the prediction service logs of its requests.

    Attributes
    ----------
    private : dict of column to {"hash", "omit"}
        Columns whose values are hashed before they are logged, or left out. No page, report, log, event, tag or error
        shows a value of theirs; in artifacts there are only values that ten rows share, and rounded quantiles.
    retention : timedelta or None
        How long predictions and labels are kept; None keeps them forever.
    """

    private: dict[str, Literal["hash", "omit"]] = {}
    retention: Length | None = None


MIN_GROUP_SIZE = (
    10  # rows that must share a value of a private column before it may be shown: it is then no single person's
)
REFERENCE_WINDOWS = 3  # windows that a reference must hold before a threshold of drift is calibrated from it
