"""The settings of the gates, and the result of one check."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from evergreen.definition.metrics import Floats
from evergreen.durations import Length

Rates = dict[str, tuple[Floats, Floats]]


class Fairness(BaseModel):
    """The largest difference allowed between the groups of a column, for each rate.

    The first three are for two classes; a row counts as selected if the probability of the last class
    is at least `selected_from`: differences in the rate of being selected (demographic parity), and in the
    true and the false positive rate (together equalized odds; Hardt, Price and Srebro, NeurIPS 2016).

    Attributes
    ----------
    column : str
        A declared column, a feature or not.
    selection_rate, true_positive_rate, false_positive_rate : float or None
        None is not checked.
    error : float or None
        The share of wrong predictions, or for numbers the mean absolute error in the target's unit.
    group_rows : int
        Groups of fewer rows, or of fewer positives or negatives where these count, are left out.
    selected_from : float
        The least probability of the last class at which a row counts as selected.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str
    selection_rate: float | None = Field(None, ge=0, le=1)
    true_positive_rate: float | None = Field(None, ge=0, le=1)
    false_positive_rate: float | None = Field(None, ge=0, le=1)
    error: float | None = Field(None, ge=0)
    group_rows: int = Field(100, ge=1)
    selected_from: float = Field(0.5, gt=0, lt=1)

    @model_validator(mode="after")
    def _check(self) -> "Fairness":
        if not self.allowed:
            raise ValueError("names no rate to compare: selection_rate, true_positive_rate, false_positive_rate, error")
        return self

    @property
    def allowed(self) -> dict[str, float]:
        """The largest difference of each rate that is checked."""
        limits = {name: getattr(self, name) for name in (*_OF_CLASSES, "error")}
        return {name: value for name, value in limits.items() if value is not None}


_OF_CLASSES = ("selection_rate", "true_positive_rate", "false_positive_rate")
Outcome = Literal["passed", "failed", "unknown", "skipped"]


class Gates(BaseModel):
    """The gates that a challenger must pass. All are on by default except `floor`, `fairness` and `own`.

    Attributes
    ----------
    floor : float or None
        The worst value of the metric that is good enough at all; until it is set, the dummy is the floor.
    margin : float
        A challenger that is worse than the champion by more than this share of the champion's metric is
        refused; `undecided` says how much proof that takes.
    alpha : float
        The probability that what is called proven is not: of one evaluation where proof refuses a
        challenger, of all evaluations on the same rows together where it lets one in.
    slice_rows, slice_margin : int, float
        A slice of at least so many rows may not be worse than the champion's by more than this
        share of the metric, and beyond chance.
    calibration : float
        The largest calibration error (see `evergreen.evaluation.calibration.calibration_error`), unless the
        champion's own is larger, or chance may explain the excess.
    latency_ms, size_mb : float
        Of predicting a single row, and of the stored model.
    separation : float
        A single feature that explains the target to this degree (R squared, or area under the
        ROC curve scaled to 0..1) is suspected of leakage.
    same_signature : bool
        Whether callers of the champion must be able to call the challenger unchanged.
    min_rows, min_blocks : int
        Fewer rows or blocks than this in the holdout are not enough evidence.
    block : timedelta
        The blocks of the bootstrap: rows within one are not independent.
    resamples : int
        Of the bootstrap.
    undecided : {"challenger", "better", "champion"}
        Which model wins if the rows do not show whether the challenger is worse than `margin` allows:
        the challenger, which has seen newer rows; the one that did better at the first evaluation on
        them; or the champion.
    fairness : list of Fairness
        How much the groups of a column may differ.
    own : list of callable
        Custom gates: from the fitted challenger, the champion (None for a first model) and the
        rows of the evaluation (every declared column, including the label) to a `Check` or a list of
        them. A gate that raises has failed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    floor: float | None = None
    margin: float = Field(0.01, ge=0)
    alpha: float = Field(0.05, gt=0, lt=1)
    slice_rows: int = Field(200, ge=1)
    slice_margin: float = Field(0.1, ge=0)
    calibration: float = Field(0.1, ge=0)
    latency_ms: float = Field(100.0, gt=0)
    size_mb: float = Field(500.0, gt=0)
    separation: float = Field(0.999, gt=0, le=1)
    same_signature: bool = True
    min_rows: int = Field(100, ge=1)
    min_blocks: int = Field(5, ge=2)
    block: Length = timedelta(days=1)
    resamples: int = Field(1000, ge=100)
    fairness: list[Fairness] = []
    own: list[Callable[..., Any]] = []
    undecided: Literal["challenger", "better", "champion"] = "challenger"

    def level(self, looks: int, comparisons: int = 1) -> float:
        """Two-sided confidence of the next evaluation on a holdout that was already used `looks` times.

        The k-th evaluation spends ``alpha / (k (k + 1))``, which sums to `alpha` over any number of
        evaluations (alpha spending; Lan and DeMets, Biometrika 70, 1983), shared over comparisons.

        Examples
        --------
        >>> [round(Gates().level(looks), 4) for looks in (0, 1, 2)]
        [0.95, 0.9833, 0.9917]
        """
        spent = self.alpha / ((looks + 1) * (looks + 2)) / comparisons
        return 1 - 2 * spent

    def champion_level(self, looks: int) -> float:
        """Two-sided confidence of the comparison with the champion.

        Where it can only refuse a challenger, each evaluation needs as much as the first: with more, training again
        would get a refused challenger in.
        """
        return self.level(0 if self.undecided == "challenger" else looks)


@dataclass(frozen=True)
class Check:
    """The result of one gate: the measured value, the threshold and the outcome.

    Attributes
    ----------
    name : str
        The name of the gate.
    outcome : {"passed", "failed", "unknown", "skipped"}
        Any failure rejects a challenger; unknown is not enough evidence; skipped does not count.
    value, threshold : float or None
        The measured number, and the number that it was compared with.
    detail : str
        Both in words, for people.
    """

    name: str
    outcome: Outcome
    value: float | None
    threshold: float | None
    detail: str
