"""The parts of a model definition: training, policy, monitoring, serving."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from evergreen.definition.kinds.table import KINDS
from evergreen.durations import Duration, Length


def _known(name: str) -> str:
    if name not in KINDS:
        raise ValueError(f"unknown kind {name!r}; kinds are {', '.join(KINDS)}")
    return name


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
        The search ends at whichever comes first.
    folds : int
        Time-ordered folds, each validated on rows later than those it was fitted on.
    """

    space: Callable[[Any], dict[str, Any]]
    trials: int = Field(20, ge=1)
    seconds: float = Field(60.0, gt=0)
    folds: int = Field(3, ge=1)


class Training(Part):
    """Which rows a training takes.

    Attributes
    ----------
    window : timedelta or None
        How far back the training rows reach; None for all history.
    holdout : timedelta
        The newest labelled rows, kept for judging; never at random.
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
        are better than those beyond chance, having learnt these rows.
    search : Search or None
        Optional search for hyperparameters.
    """

    window: Length | None = None
    holdout: Length = timedelta(days=7)
    half_life: Length | None = None
    min_rows: int = Field(100, ge=2)
    refit: bool = True
    refit_tolerance: float = Field(0.1, ge=0)
    search: Search | None = None


class Policy(Part):
    """When to train without being asked.

    Attributes
    ----------
    every : timedelta or None
        A training by schedule is due this long after the last one; drift does not wait for it.
    min_new_rows : int
        Never train on fewer newly labelled rows than this.
    cooldown : timedelta
        New data, drift or performance start no training sooner than this after the last one, and
        twice as long after each training in a row that promoted nobody.
    suspicion : float or None
        Realised performance that is worse than at the judging by more than this share of the metric
        asks for a training even where chance may explain it: the gates will tell. None waits until
        chance is ruled out.
    estimated : bool
        Whether performance that is estimated to be worse, before labels come, asks for a training
        as realised performance does.
    contenders : int
        How many earlier champions are judged beside the challenger, and may come back.
    probation : timedelta
        How long after its promotion a champion is scored beside the one it replaced, and rolled
        back if it does worse; 0 for never.
    approval : timedelta or None
        Ask a person's leave before a version that has passed its gates becomes champion, and let
        the question lapse after this long; None asks nobody.
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
    """What is watched between trainings, and how loud it may be.

    Attributes
    ----------
    window : timedelta
        The newest rows that are held against the champion's reference.
    unit : timedelta
        Profiles are kept by this length of time; `window` is a whole number of them.
    false_alarms : float
        How many checks a year may call drift where there is none, over all columns together, if
        the model is checked once a day.
    important : float
        The share of the champion's importance that a column must have for its drift to ask for
        a training; drift of any other column is reported only.
    """

    window: Length = timedelta(days=7)
    unit: Length = timedelta(days=1)
    false_alarms: float = Field(1.0, gt=0, le=36.5)
    important: float = Field(0.01, ge=0, le=1)

    @model_validator(mode="after")
    def _check(self) -> "Monitoring":
        if self.window % self.unit:
            raise ValueError(f"window {self.window} must be a whole number of units of {self.unit}")
        return self


class Serving(Part):
    """What the prediction service keeps of what it is asked.

    Attributes
    ----------
    private : dict of column to {"hash", "omit"}
        Columns whose values are hashed before they are logged, or left out; no page and no input
        example shows one.
    retention : timedelta or None
        How long answers and labels are kept; for ever if None.
    """

    private: dict[str, Literal["hash", "omit"]] = {}
    retention: Length | None = None


EVERYBODYS = 10  # rows that share a value: it is nobody's own, and may be shown though the column is private
