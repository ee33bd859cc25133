"""How likely the gates refuse a challenger that is somewhat worse everywhere: the power of a comparison."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evergreen.definition.metrics import Floats
from evergreen.evaluation import bootstrap, comparison
from evergreen.evaluation.bootstrap import Blocks
from evergreen.gates.honest_model import HonestModel
from evergreen.training import fitting
from evergreen.training.snapshot import Snapshot

if TYPE_CHECKING:
    from evergreen.definition.gates import Gates
    from evergreen.definition.model import Model

ADDED = (0.1, 0.2, 0.5)  # shares of the metric
_HALVINGS = 20  # of the share of rows that are answered worse


@dataclass(frozen=True)
class Power:
    """The power against challengers that are worse by one amount.

    Attributes
    ----------
    added : float
        How much worse they are, as a share of the champion's metric.
    refused : float
        The probability that "not worse than the champion" does not let such a challenger in, with a holdout like the
        newest one.
    """

    added: float
    refused: float

    @property
    def sentence(self) -> str:
        """The power in words.

        Examples
        --------
        >>> Power(0.1, 0.34).sentence
        'A challenger that is 10% worse everywhere is refused in 34% of holdouts like the newest one.'
        """
        worse = f"A challenger that is {self.added:.0%} worse everywhere"
        return f"{worse} is refused in {self.refused:.0%} of holdouts like the newest one."


def power(snapshot: Snapshot, honest: HonestModel) -> list[Power]:
    """The power of the gates on the newest holdout, against an honest champion.

    A challenger is made worse by answering a random share of the rows as the dummy does. Its gain is then taken on
    resampled blocks, each time a holdout that could have been. An amount by which not even the dummy is worse is left
    out.

    Parameters
    ----------
    snapshot : Snapshot
    honest : HonestModel
        Of this snapshot.
    """
    model, bounds = snapshot.model, honest.bounds
    holdout = snapshot.labelled(bounds.holdout_from, bounds.holdout_until)
    fitted = {"champion": honest.estimator, "dummy": fitting.dummy(model, honest.rows)}
    target, predicted = comparison.predicted(model, fitted, holdout)
    blocks = Blocks.of(model, holdout[model.time])
    found = (_power(model, blocks, target, predicted, added) for added in ADDED)
    return [each for each in found if each is not None]


def _power(
    model: "Model", blocks: Blocks, target: NDArray[Any], predicted: dict[str, Floats], added: float
) -> Power | None:
    metric = model.metric
    champion = blocks.sums(metric, target, predicted["champion"])
    value = abs(float(metric.finish(champion.sum(axis=0))))
    order = np.random.default_rng(model.seed).random(len(target))

    def worse(share: float) -> Floats:
        """The sums of the champion's predictions, a share of them replaced by the dummy's."""
        replaced = (order < share).reshape(-1, *[1] * (predicted["dummy"].ndim - 1))
        return blocks.sums(metric, target, np.where(replaced, predicted["dummy"], predicted["champion"]))

    def loss(sums: Floats) -> float:
        return -float(metric.gain(metric.finish(sums.sum(axis=0)), metric.finish(champion.sum(axis=0)))) / value

    if not value or not loss(worse(1.0)) > added:
        return None
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if loss(worse(middle)) > added else (middle, high)
    challenger = worse(high)
    level = model.gates.champion_level(0)
    gain = bootstrap.paired_gain(metric, challenger, champion, blocks.drawn, level)
    resampled = metric.gain(metric.finish(blocks.drawn @ challenger), metric.finish(blocks.drawn @ champion))
    return Power(added, _refused(model.gates, resampled, gain.high - gain.value, -model.gates.margin * value))


def _refused(gates: "Gates", gains: Floats, reach: float, threshold: float) -> float:
    """The share of gains, each with an interval that reaches so far to both sides, that do not pass the gate."""
    passed = gains - reach > threshold
    if gates.undecided == "challenger":
        passed = gains + reach > threshold
    elif gates.undecided == "better":
        passed |= (gains > 0) & (gains + reach > threshold)
    return 1 - float(np.mean(passed))
