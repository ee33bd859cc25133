"""Experiments in a notebook: a model, its rows as of a moment, and any scikit-learn estimator beside its own.

Nothing is registered, and the rows of the next holdout are not part of a comparison.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd

from evergreen.definition import loader
from evergreen.durations import parse
from evergreen.experiments import rolling
from evergreen.experiments.comparison import Compared
from evergreen.experiments.run import run
from evergreen.experiments.variant import Variant
from evergreen.lake.lake import Lake
from evergreen.reports import experiment_plots
from evergreen.settings import Settings, embed
from evergreen.stores import Stores
from evergreen.training.snapshot import Snapshot

if TYPE_CHECKING:
    from evergreen.definition.model import Model


@dataclass(frozen=True)
class Tried:
    """The result of a comparison: a table where a notebook shows it, and every figure in `compared`."""

    compared: Compared

    @property
    def frame(self) -> pd.DataFrame:
        """A row for each estimator: the metric, the gain over the model file with its interval, and what was found."""
        return pd.DataFrame(
            {
                "variant": result.name,
                self.compared.metric: result.value.value,
                "gain": result.gain.value,
                "low": result.gain.low,
                "high": result.gain.high,
                "found": "" if result is self.compared.own else result.found,
                "seconds": result.seconds,
            }
            for result in self.compared.results
        ).set_index("variant")

    def plot(self) -> "_Svg":
        """The gain of each estimator by period and over all, as a picture in the notebook."""
        return _Svg(experiment_plots.gains(self.compared))

    def __repr__(self) -> str:
        """The result in a sentence."""
        return self.compared.sentence

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.compared.sentence)}</p>{self.frame.to_html()}"


@dataclass(frozen=True)
class _Svg:
    text: str

    def _repr_svg_(self) -> str:
        return self.text


@dataclass(frozen=True)
class Opened:
    """A model with the rows that production has of it.

    Attributes
    ----------
    model : Model
        Its definition.
    """

    model: "Model"
    _lake: Lake

    def rows(self, as_of: str | datetime | None = None, since: str | datetime | None = None) -> pd.DataFrame:
        """The labelled rows as they were known at a time, ordered by time and key.

        Parameters
        ----------
        as_of : str or datetime, optional
            UTC unless it says otherwise; now by default. Labels that became known later are not among them.
        since : str or datetime, optional
            Rows from then on; all by default.

        Raises
        ------
        LakeError
            There are none, or they cannot be read.
        """
        at = _timestamp(as_of)
        snapshot = Snapshot.pin(self._lake, self.model, at)
        return snapshot.labelled(None if since is None else _timestamp(since), at + pd.Timedelta(1, "us"))

    def judge(
        self,
        periods: int = 8,
        step: str | timedelta | None = None,
        as_of: str | datetime | None = None,
        **estimators: Any,
    ) -> Tried:
        """Compare unfitted scikit-learn estimators with the model file's, as `evergreen try` does.

        Parameters
        ----------
        periods : int
            How many of the last periods to go over.
        step : str or timedelta, optional
            The length of a period, such as ``"7d"``; by default the time between trainings.
        as_of : str or datetime, optional
            What became known later is not read.
        **estimators
            By the names that the table shows.

        Raises
        ------
        ExperimentError
            There are fewer than three periods.
        """
        path, of = loader.existing(self.model.name), self.model.name
        variants = [Variant(name, path, estimator=estimator, model=of) for name, estimator in estimators.items()]
        folder = Settings.read().home / "experiments" / self.model.name
        own = Variant.own(self.model.name)
        planned = rolling.planned(self._lake, variants, own, folder, _timestamp(as_of), periods, parse(step))
        return Tried(run(planned, here=True))


def open_model(name: str) -> Opened:
    """Open a model by the name of its file.

    Parameters
    ----------
    name : str

    Raises
    ------
    ModelFileError
        There is no such file, or it does not run.
    """
    embed()
    return Opened(loader.load(name), Stores.open().lake)


def _timestamp(moment: str | datetime | None) -> pd.Timestamp:
    found = pd.Timestamp.now(tz="UTC") if moment is None else pd.Timestamp(moment)
    return found.tz_localize("UTC") if found.tzinfo is None else found.tz_convert("UTC")
