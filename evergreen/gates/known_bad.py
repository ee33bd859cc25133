"""Known-bad challengers, each of which the gates of a model must reject; `evergreen doctor --gates`."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from evergreen.definition import disclosure
from evergreen.definition.kinds.register import kind_of
from evergreen.definition.metrics import Floats
from evergreen.evaluation import comparison
from evergreen.evaluation.rivals import Candidate, Rivals
from evergreen.frames import with_columns
from evergreen.gates import verdict as verdicts
from evergreen.gates.honest_model import HonestModel
from evergreen.registry.model_store import save, trusted_here
from evergreen.training import fitting
from evergreen.training.snapshot import Snapshot
from evergreen.training.split import Split, refit

if TYPE_CHECKING:
    from evergreen.definition.model import Model


@dataclass(frozen=True)
class Diagnosis:
    """How the gates judged one known-bad challenger.

    Attributes
    ----------
    challenger : str
        What is wrong with it.
    expected : str
        The gate that must refuse it.
    decision : str
        The verdict's.
    stopped_by : list of str
        The gates that it did not pass.
    found : str
        The detail of the expected gate.
    """

    challenger: str
    expected: str
    decision: str
    stopped_by: list[str]
    found: str

    @property
    def refused(self) -> bool:
        """Whether it was rejected, and for the right reason."""
        return self.decision == "reject" and self.expected in self.stopped_by


class Spoiled(BaseEstimator):  # type: ignore[misc]
    """An estimator whose predictions are spoiled: everywhere, or in one slice only.

    Parameters
    ----------
    inner
        Fitted.
    how : {"nan", "worse", "as it is"}
    column, value : str
        The slice to spoil; everywhere if the column is empty.
    features : list of str, optional
        What the inner estimator was fitted on, if it does not say so itself; by default all columns that come.
    """

    def __init__(
        self, inner: Any, how: str, column: str = "", value: str = "", features: list[str] | None = None
    ) -> None:
        self.inner, self.how, self.column, self.value, self.features = inner, how, column, value, features

    def __getattr__(self, name: str) -> Any:
        """Provide classes and probabilities only if the inner estimator does."""
        if name == "classes_" and "inner" in self.__dict__:
            return self.inner.classes_
        if name == "predict_proba" and hasattr(self.__dict__.get("inner"), "predict_proba"):
            return self._probabilities
        raise AttributeError(name)

    def fit(self, rows: pd.DataFrame, target: Any) -> Self:
        """Do nothing: the inner estimator is fitted."""
        return self

    def predict(self, rows: pd.DataFrame) -> Any:
        """Predict, and spoil the predictions of the chosen rows."""
        prediction = np.asarray(self.inner.predict(self._known(rows)))
        if prediction.dtype.kind != "f":
            return prediction
        return np.where(self._spoiled(rows), np.nan if self.how == "nan" else _worse(prediction), prediction)

    def _probabilities(self, rows: pd.DataFrame) -> Floats:
        probabilities = np.asarray(self.inner.predict_proba(self._known(rows)))
        worse = np.full_like(probabilities, np.nan) if self.how == "nan" else probabilities[:, ::-1]
        return np.where(self._spoiled(rows)[:, None], worse, probabilities)

    def _known(self, rows: pd.DataFrame) -> pd.DataFrame:
        return rows[list(getattr(self.inner, "feature_names_in_", self.features or rows.columns))]

    def _spoiled(self, rows: pd.DataFrame) -> Any:
        if self.how == "as it is":
            return np.zeros(len(rows), dtype=bool)
        return (rows[self.column] == self.value).to_numpy() if self.column else np.ones(len(rows), dtype=bool)


def examine(snapshot: Snapshot, honest: HonestModel) -> list[Diagnosis]:
    """Judge known-bad challengers by the gates, against an honest champion. Nothing is recorded and no alias moves.

    Parameters
    ----------
    snapshot : Snapshot
        Its newest labelled rows are the holdout.
    honest : HonestModel
        Of this snapshot.

    Returns
    -------
    list of Diagnosis
        One for each kind of fault that the model can have.
    """
    model = snapshot.model
    trusting = model.model_copy(update={"trusted": [*model.trusted, f"{__name__}.Spoiled"]})
    with tempfile.TemporaryDirectory() as folder:
        champion = _stored(trusting, honest.estimator, honest.rows, honest.bounds, Path(folder) / "champion")
        return [
            _diagnose(replace(snapshot, model=trusting), champion, *fault)
            for fault in _faults(snapshot, trusting, honest, Path(folder))
        ]


def _diagnose(snapshot: Snapshot, champion: Candidate, name: str, expected: str, challenger: Candidate) -> Diagnosis:
    trial = comparison.compare_on_holdout(snapshot, challenger, Rivals(champion, {}), looked=0)
    verdict = verdicts.judge(trial.evidence, snapshot.model.gates)
    stopped_by = [check.name for check in verdict.checks if check.outcome in ("failed", "unknown")]
    detail = next(check.detail for check in verdict.checks if check.name == expected)
    return Diagnosis(name, expected, verdict.decision, stopped_by, detail)


def _faults(
    snapshot: Snapshot, model: "Model", honest: HonestModel, folder: Path
) -> Iterator[tuple[str, str, Candidate]]:
    """Yield each known-bad challenger with its name and the gate that must refuse it."""
    rows, bounds = honest.rows, honest.bounds

    def stored(estimator: Any, name: str, **extra: float) -> Candidate:
        return _stored(model, estimator, rows.assign(**extra), bounds, folder / name, list(extra))

    shuffled = with_columns(rows, {model.target: rows[model.target].sample(frac=1, random_state=model.seed).array})
    yield "shuffled labels", "not worse than the champion", stored(fitting.fit(model, shuffled), "shuffled")
    yield "a constant", "better than the dummy", stored(_constant(model, rows), "constant")
    yield "NaN predictions", "finite predictions", stored(Spoiled(honest.estimator, "nan"), "nan")
    needy = Spoiled(honest.estimator, "as it is", features=list(model.features))
    yield "a feature that callers do not send", "signature", stored(needy, "needy", unsent=1.0)
    yield "trained on the holdout", "holdout unseen", _peeking(snapshot, model, bounds, folder / "peeking")
    worst = _slice(snapshot, bounds)
    if worst:
        group = "one group" if worst[0] in disclosure.without_examples(model) else worst[1]
        yield (
            f"worse in {worst[0]} {group} only",
            "no slice is worse",
            stored(Spoiled(honest.estimator, "worse", *worst), "slice"),
        )


def _stored(
    model: "Model", estimator: Any, rows: pd.DataFrame, bounds: Split, path: Path, extra: list[str] | None = None
) -> Candidate:
    example = rows[[*model.features, *(extra or [])]].tail(5).reset_index(drop=True)
    save(model, estimator, example, str(path))
    trained_until = rows[model.time].max() + pd.Timedelta(1, "us")
    return Candidate(estimator, str(path), bounds, trained_until, trusted_here(model, path))


def _peeking(snapshot: Snapshot, model: "Model", bounds: Split, path: Path) -> Candidate:
    rows = snapshot.training(refit(bounds))
    return _stored(model, fitting.fit(model, rows), rows, bounds, path)


def _constant(model: "Model", rows: pd.DataFrame) -> Any:
    from sklearn.dummy import DummyClassifier, DummyRegressor

    estimator = DummyRegressor(strategy="mean") if model.task == "regression" else DummyClassifier(strategy="uniform")
    return estimator.fit(np.zeros((len(rows), 1)), fitting.target(model, rows))


def _slice(snapshot: Snapshot, bounds: Split) -> tuple[str, str] | None:
    """The smallest slice of the holdout that is large enough to be judged."""
    holdout = snapshot.labelled(bounds.holdout_from, bounds.holdout_until)
    sizes = {
        (column, str(value)): rows
        for column in snapshot.model.slices
        if column in snapshot.model.features and kind_of(snapshot.model.columns[column]).compiles_as == "category"
        for value, rows in holdout[column].value_counts().items()
        if rows >= snapshot.model.gates.slice_rows
    }
    return min(sizes, key=lambda cell: sizes[cell]) if sizes else None


def _worse(prediction: Floats) -> Floats:
    """The predictions, shifted by half of their spread."""
    return prediction + 0.5 * float(np.std(prediction)) + 1e-9
