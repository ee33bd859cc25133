"""A model definition: everything about one model, as a typed object in one Python file."""

import string
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from evergreen.definition.each import Each
from evergreen.definition.expectations import Expectation
from evergreen.definition.gates import Gates
from evergreen.definition.metrics import METRICS, Metric, named
from evergreen.definition.options import REFERENCE_WINDOWS, Kind, Monitoring, Part, Policy, Serving, Training
from evergreen.definition.parsing.number_format import SIGNS, NumberFormat
from evergreen.definition.parsing.parser import Parser
from evergreen.definition.parsing.time_part import TimePart
from evergreen.definition.sources import Source
from evergreen.durations import Duration
from evergreen.sql import RESERVED

ROW_KEY = f"{RESERVED}key"  # the key that rows get where the model names none


class Model(Part):
    """The definition of one model: data, contract, features, estimator, metric, gates, policy.

    Attributes
    ----------
    name : str
        The name of the model, which is the name of its file; of one of many (`Model.each`) it begins with that.
    purpose, owner : str
        For people: what the model is for, and who is responsible for it.
    task : {"regression", "classification"}
        What is predicted: a number, or one of a few classes.
    source : Files, Sql, Call or Served
        Where new rows come from.
    key : str, list of str or None
        The columns that identify a row; the same key again is a correction. With None, a row is identified by its
        time, features and extra columns, and by its number among rows that are alike in these: then a row whose
        features are corrected is another row, and a label that becomes known later is none.
    time : str
        The column with the time of the event; splits, windows and blocks use it.
    timezone : str
        What a time without a zone means; all times are stored in UTC.
    target : str
        The column to predict; null while it is not known.
    target_kind : str
        How the target is stored; by default a number for regression, an integer for classes.
    features, extra : dict of column to kind
        What the estimator sees, and what is kept beside it (for slices, for people).
    parsing : dict of column to TimeFormat, NumberFormat, TextFormat or TimePart
        How columns are read whose values are not plain numbers or times in ISO 8601, or that are parts of a time.
    label_delay, label_time : timedelta, str or None
        How long after its row's time a label becomes known, or the column with the time at which it did.
        A label that arrives early is used only once its row is as old as the delay, and as old as
        labels of every outcome take by their `label_time`: while labels are still missing, the rows
        that have one are a biased sample.
    contract : list of Expectation
        Expectations of Great Expectations, in addition to the checks that are always made.
    estimator : callable
        Returns an unfitted scikit-learn estimator; takes the search's parameters, if any.
    metric : str or Metric
        What the gates compare.
    slices : list of str
        Columns of which each value is evaluated separately.
    training, gates, policy, monitoring : Training, Gates, Policy, Monitoring
        How it is trained, which gates it must pass, when it is retrained, and what is monitored.
    serving : Serving
        What the prediction service logs.
    trusted : list of str
        Types beyond the default ones that skops may load for this estimator.
    seed : int
        Seeds the estimator, the search, the bootstrap.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    purpose: str = ""
    owner: str = ""
    task: Literal["regression", "classification"]
    source: Source
    key: list[str] = Field(default_factory=list)
    time: str
    timezone: str = "UTC"
    target: str
    target_kind: Kind | None = None
    features: dict[str, Kind] = Field(min_length=1)
    extra: dict[str, Kind] = Field(default_factory=dict)
    parsing: dict[str, Parser] = Field(default_factory=dict)
    label_delay: Duration = timedelta(0)
    label_time: str | None = None
    contract: list[Expectation] = Field(default_factory=list)
    estimator: Callable[..., Any]
    metric: Metric
    slices: list[str] = Field(default_factory=list)
    training: Training = Training()
    gates: Gates = Gates()
    policy: Policy = Policy()
    monitoring: Monitoring = Monitoring()
    serving: Serving = Serving()
    trusted: list[str] = Field(default_factory=list)
    seed: int = 0

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, data: dict[str, Any]) -> dict[str, Any]:
        data = dict(data)
        key = data.get("key") or ROW_KEY
        data["key"] = [key] if isinstance(key, str) else key
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
            wrong = sorted(private - set(self.columns) or private & {*self.key, self.target})
            raise ValueError(f"serving.private names {wrong}; it may name declared columns, but neither key nor target")
        if private and self.source.predictions:
            raise ValueError(
                "private columns are masked in the log, so a model cannot be trained on them with the source Served; "
                "remove serving.private or change the source"
            )
        named = {expectation.kwargs["column"] for expectation in self.contract if "column" in expectation.kwargs}
        if named - set(self.columns):
            raise ValueError(f"the contract names {sorted(named - set(self.columns))}, which are not declared")
        if METRICS.get(self.metric.name) is self.metric and self.task not in self.metric.tasks:
            raise ValueError(f"{self.metric.name} is not a metric for {self.task}")
        return self

    @model_validator(mode="after")
    def _check_names(self) -> "Model":
        alike = Counter(column.casefold() for column in self.columns)
        twice = [column for column in self.columns if alike[column.casefold()] > 1]
        if twice:
            raise ValueError(f"the columns {twice} differ only in case, which DuckDB ignores; rename one")
        taken = [column for column in self.columns if column.casefold().startswith(RESERVED) and column != ROW_KEY]
        if taken:
            raise ValueError(f"no column may begin with {RESERVED!r}, as Evergreen's own do; rename {taken}")
        return self

    @model_validator(mode="after")
    def _check_parsing(self) -> "Model":
        unknown = sorted(set(self.parsing) - set(self.columns))
        if unknown:
            raise ValueError(f"parsing names {unknown}, which are not declared")
        for name, parser in self.parsing.items():  # not in the parser itself: versions have kept such ones
            lost = sorted({*SIGNS, *string.digits} & {*parser.remove}) if isinstance(parser, NumberFormat) else []
            if lost:
                raise ValueError(
                    f"parsing of {name!r} removes {', '.join(lost)}, which belong to numbers: -5 or 15 would become "
                    "others; take them out of `remove`. A minus may stand behind a number"
                )
        parts = {name: parser for name, parser in self.parsing.items() if isinstance(parser, TimePart)}
        unfounded = {name: part.column for name, part in parts.items() if self.columns.get(part.column) != "datetime"}
        if unfounded:
            name, column = next(iter(unfounded.items()))
            raise ValueError(f"parsing of {name!r}: {column!r} is no declared column of kind datetime")
        return self

    @model_validator(mode="after")
    def _check_fairness(self) -> "Model":
        unknown = [
            requirement.column
            for requirement in self.gates.fairness
            if requirement.column not in {*self.features, *self.extra}
        ]
        if unknown:
            raise ValueError(f"gates.fairness names {unknown}, which are in neither features nor extra")
        of_classes = [requirement.column for requirement in self.gates.fairness if set(requirement.allowed) - {"error"}]
        if of_classes and self.task == "regression":
            raise ValueError(f"gates.fairness of {of_classes}: of a regression only `error` can be compared")
        return self

    @staticmethod
    def each(template: "Callable[..., Model]", over: str | Path | Iterable[Mapping[str, Any]], name: str) -> "Each":
        """Define many models by one template, as ``models = Model.each(store, "stores.csv", "stores_{number}")``.

        Nothing is filled in before a model is asked for, and then only its own row.

        Parameters
        ----------
        template : callable
            Takes ``name`` and the values of a row by their names, and returns the model of that name.
        over : str, Path or iterable of dict
            The rows: a CSV in the folder of the model files, given by its path in there, whose values are text; or
            dicts. Each model is made of its own row of the CSV, so that a change of a row changes one model; dicts are
            part of the file, so that a change of one changes them all.
        name : str
            The name of a row's model, with values of the row in braces. It begins with the name of the file and ``_``.

        Raises
        ------
        TypeError
            The template is no function, or a row is no dict.
        """
        return Each.of(template, over, name)

    @property
    def identified_by_content(self) -> bool:
        """Whether no column identifies a row."""
        return self.key == [ROW_KEY]

    @property
    def performance_window(self) -> timedelta:
        """How much time realised performance is judged over.

        The monitoring window, `monitoring.performance`, or as many whole units as `gates.min_blocks` blocks need,
        whichever is longest: over fewer blocks it is never judged.
        """
        asked = -(-(self.monitoring.performance or timedelta(0)) // self.monitoring.unit) * self.monitoring.unit
        return max(self.monitoring.window, asked, self._whole_blocks)

    @property
    def reference_span(self) -> timedelta:
        """How far back from the end of a holdout the reference reaches at least.

        Thresholds of drift are calibrated from three windows: a reference of fewer gives none. One more makes up for
        units without rows.
        """
        return (REFERENCE_WINDOWS + 1) * self.monitoring.window

    @property
    def probation_window(self) -> timedelta:
        """How long a new champion is compared with the one that it replaced; 0 for no probation.

        `policy.probation`, or as many whole units as `gates.min_blocks` blocks need: over fewer it is never judged.
        """
        probation = self.policy.probation
        return max(probation, self._whole_blocks) if probation else probation

    @property
    def _whole_blocks(self) -> timedelta:
        """The whole units that `gates.min_blocks` blocks need."""
        needed, unit = self.gates.min_blocks * self.gates.block, self.monitoring.unit
        return -(-needed // unit) * unit

    @property
    def columns(self) -> dict[str, Kind]:
        """Every declared column and its kind, in the order of the lake's table."""
        columns: dict[str, Kind] = dict.fromkeys(self.key, "category")
        columns |= {self.time: "datetime", **self.features, **self.extra}
        if self.label_time:
            columns[self.label_time] = "datetime"
        assert self.target_kind is not None
        return columns | {self.target: self.target_kind}

    @property
    def read_columns(self) -> set[str]:
        """The columns of a source that are read: the declared ones, and those that others are made from."""
        return {*self.columns, *(name for column, parser in self.parsing.items() for name in parser.inputs(column))}
