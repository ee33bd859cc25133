"""A model definition: the whole of one model, as a plain typed object in one Python file."""

import hashlib
import runpy
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from evergreen.contract import Expectation
from evergreen.duration import Duration, Length
from evergreen.errors import ModelFileError
from evergreen.gate import Gates
from evergreen.metric import METRICS, Metric, named
from evergreen.settings import Settings
from evergreen.source import Call, Files, Served, Sql

Kind = Literal["number", "integer", "category", "text", "boolean", "datetime"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Search(_Part):
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


class Training(_Part):
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


class Policy(_Part):
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


class Monitoring(_Part):
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


class Serving(_Part):
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


class Model(_Part):
    """The definition of one model: data, contract, features, estimator, metric, gates, policy.

    Attributes
    ----------
    name : str
        The name of the model, which is the name of its file.
    purpose, owner : str
        For people: what the model is for, and who answers for it.
    task : {"regression", "classification"}
    source : Files, Sql, Call or Served
        Where new rows come from.
    key : str or list of str
        The columns that identify a row; the same key again is a correction.
    time : str
        The column with the time of the event, which splits, windows and blocks go by.
    timezone : str
        What a time without a zone means; all times are stored in UTC.
    target : str
        The column to predict; null while it is not known.
    target_kind : str
        How the target is stored; by default a number for regression, an integer for classes.
    features, extra : dict of column to kind
        What the estimator sees, and what is kept beside it (for slices, for people).
    label_delay, label_time : timedelta, str or None
        A label is known so long after its row's time, or at the time that this column gives. With
        both, labels that come early wait until their row is as old as the delay: of rows whose
        labels are not all there, those that have one are a biased sample.
    contract : list of Expectation
        Great Expectations' own expectations, beside what is always required.
    estimator : callable
        Returns an unfitted scikit-learn estimator; takes the search's parameters, if any.
    metric : str or Metric
        What the gates compare.
    slices : list of str
        Columns whose every value is judged on its own.
    training, gates, policy, monitoring : Training, Gates, Policy, Monitoring
        How it learns, when it may take over, when it is trained, what is watched in between.
    serving : Serving
        What the prediction service keeps.
    trusted : list of str
        Types beyond the default ones that skops may load for this estimator.
    seed : int
        Seeds the estimator, the search, the bootstrap.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    purpose: str = ""
    owner: str = ""
    task: Literal["regression", "classification"]
    source: Files | Sql | Call | Served
    key: list[str]
    time: str
    timezone: str = "UTC"
    target: str
    target_kind: Kind | None = None
    features: dict[str, Kind] = Field(min_length=1)
    extra: dict[str, Kind] = {}
    label_delay: Duration = timedelta(0)
    label_time: str | None = None
    contract: list[Expectation] = []
    estimator: Callable[..., Any]
    metric: Metric
    slices: list[str] = []
    training: Training = Training()
    gates: Gates = Gates()
    policy: Policy = Policy()
    monitoring: Monitoring = Monitoring()
    serving: Serving = Serving()
    trusted: list[str] = []
    seed: int = 0

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, data: dict[str, Any]) -> dict[str, Any]:
        data = dict(data)
        if isinstance(data.get("key"), str):
            data["key"] = [data["key"]]
        regression = data.get("task") == "regression"
        data.setdefault("metric", "mean_absolute_error" if regression else "log_loss")
        if isinstance(data["metric"], str):
            data["metric"] = named(data["metric"])
        if data.get("target_kind") is None:
            data["target_kind"] = "number" if regression else "integer"
        return data

    @model_validator(mode="after")
    def _check(self) -> "Model":
        forbidden = set(self.features) & {self.target, self.label_time}
        if forbidden:
            raise ValueError(f"the label is never a feature; take {sorted(forbidden)} out of features")
        known = {*self.features, *self.extra}
        missing = [column for column in self.slices if column not in known]
        if missing:
            raise ValueError(f"slices {missing} are in neither features nor extra")
        private = set(self.serving.private)
        if private - set(self.columns) or private & {*self.key, self.target}:
            told = sorted(private - set(self.columns) or private & {*self.key, self.target})
            raise ValueError(f"serving.private names {told}; it may name declared columns, but neither key nor target")
        if private and isinstance(self.source, Served):
            raise ValueError(
                "what is private in the log cannot be learnt from: leave serving.private out, or the source Served"
            )
        named = {one.kwargs["column"] for one in self.contract if "column" in one.kwargs}
        if named - set(self.columns):
            raise ValueError(f"the contract names {sorted(named - set(self.columns))}, which no part declares")
        if METRICS.get(self.metric.name) is self.metric and self.task not in self.metric.tasks:
            raise ValueError(f"{self.metric.name} is no metric for {self.task}")
        return self

    @model_validator(mode="after")
    def _check_fairness(self) -> "Model":
        unknown = [one.column for one in self.gates.fairness if one.column not in {*self.features, *self.extra}]
        if unknown:
            raise ValueError(f"gates.fairness names {unknown}, which are in neither features nor extra")
        of_classes = [one.column for one in self.gates.fairness if set(one.allowed) - {"error"}]
        if of_classes and self.task == "regression":
            raise ValueError(f"gates.fairness of {of_classes}: of a regression only `error` can be compared")
        return self

    @property
    def columns(self) -> dict[str, Kind]:
        """Every declared column and its kind, in the order of the lake's table."""
        columns: dict[str, Kind] = dict.fromkeys(self.key, "category")
        columns |= {self.time: "datetime", **self.features, **self.extra}
        if self.label_time:
            columns[self.label_time] = "datetime"
        assert self.target_kind is not None
        return columns | {self.target: self.target_kind}


def path_of(name: str) -> Path:
    """The file of a model, whether it exists or not."""
    return Settings.read().models / f"{name}.py"


def names() -> list[str]:
    """The names of all model files, without running them."""
    return sorted(path.stem for path in Settings.read().models.glob("*.py") if path.stem[0] != "_")


def load(name: str) -> Model:
    """Run a model file and return the model that it defines.

    Raises
    ------
    ModelFileError
        There is no such file, it does not run, or it defines no usable ``model``.
    """
    path = existing(name)
    model = _run(path, fingerprint(name)).get("model")
    if not isinstance(model, Model):
        raise ModelFileError(f"{path} defines no `model`. End it with `model = Model(name={name!r}, ...)`.")
    if model.name != name:
        raise ModelFileError(f"{path} defines the model {model.name!r}. Name file and model alike.")
    return model


def existing(name: str) -> Path:
    """The file of a model, without running it.

    Raises
    ------
    ModelFileError
        There is none.
    """
    path = path_of(name)
    if not path.is_file():
        known = ", ".join(names()) or "none yet"
        raise ModelFileError(f"There is no model {name!r}: {path} does not exist. Models: {known}.")
    return path


@lru_cache(maxsize=64)
def _run(path: Path, _text: str) -> dict[str, Any]:
    """What a file defines; run again when its text has changed."""
    try:
        return runpy.run_path(str(path), run_name=f"models.{path.stem}")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "model"
        raise ModelFileError(f"{path}: {where}: {first['msg']} (got {_short(first['input'])}).") from error
    except SyntaxError as error:
        raise ModelFileError(f"{path}, line {error.lineno}: {error.msg}. Mend the file.") from error
    except (Exception, SystemExit) as error:
        raise ModelFileError(f"{path} does not run: {type(error).__name__}: {error}. Mend the file.") from error


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def fingerprint(name: str) -> str:
    """A hash of the model file's text: the recipe changed if it did."""
    return hashlib.sha256(path_of(name).read_bytes()).hexdigest()[:16]
