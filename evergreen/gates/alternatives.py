"""Other settings for a first model that was not promoted: a few refits, judged on the same rows, never recorded."""

import math
import warnings
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from evergreen.durations import as_text, parse
from evergreen.errors import EvergreenError
from evergreen.evaluation import comparison
from evergreen.evaluation.rivals import Candidate, Rivals
from evergreen.gates import verdict as verdicts
from evergreen.gates.verdict import Verdict
from evergreen.registry.version import Version
from evergreen.training import fitting, recipe
from evergreen.training.linear import linear
from evergreen.training.snapshot import Snapshot
from evergreen.training.split import Split, split

if TYPE_CHECKING:
    from evergreen.definition.model import Model

SECONDS = 30.0  # after which no further setting is tried
_PARTS = (2, 4, 8, 16)  # of the training rows' span: the windows that are tried
_EARLIER = 2  # holdouts before the newest
# Gates whose outcome no window and no other estimator changes, or not for a good reason.
_UNAFFECTED = frozenset({"holdout", "holdout unseen", "leakage", "signature", "repeats in a fresh process"})


@dataclass(frozen=True)
class Tried:
    """The result of one other setting.

    Attributes
    ----------
    window : str
        The training window; empty for the declared one.
    linear : bool
        Whether a linear estimator replaced the declared one.
    as_of : str
        For an earlier holdout, when its labels were known; ISO 8601. Empty for the same holdout.
    value, dummy : float
        The metric of the model and of the dummy.
    decision, reason : str
        Of the gates.
    """

    window: str
    linear: bool
    as_of: str
    value: float
    dummy: float
    decision: str
    reason: str

    @property
    def passes(self) -> bool:
        """Whether every gate passed."""
        return self.decision == "promote"

    @property
    def phrase(self) -> str:
        """The setting as text."""
        parts = ["a linear estimator"] if self.linear else []
        parts += [f"window {self.window}"] if self.window else []
        parts += [f"the holdout before {self.as_of[:10]}"] if self.as_of else []
        return ", ".join(parts) or "as declared"


def affected(verdict: Verdict) -> bool:
    """Whether another window or estimator could pass the gates that this verdict did not pass."""
    open_checks = {check.name for check in verdict.checks if check.outcome in ("failed", "unknown")}
    return bool(open_checks) and not open_checks & _UNAFFECTED


def tried(snapshot: Snapshot, judged: Version, looks: int, seconds: float = SECONDS) -> list[Tried]:
    """Try other settings until a kind of them has one that passes, or the time is over.

    First shorter training windows, then a linear estimator, on the holdout of the judged version; then the declared
    settings on earlier holdouts. The gates judge with the confidence that a training will need that follows: every
    setting that is tried on a holdout counts as an evaluation of it (`evergreen.evaluation.rivals.looks`).

    Parameters
    ----------
    snapshot : Snapshot
        Of the judged version.
    judged : Version
        A first model, not promoted.
    looks : int
        How many evaluations used its holdout before it.
    seconds : float
        No further setting is tried after this time.
    """
    windows, end, results = _windows(snapshot.model, judged), perf_counter() + seconds, list[Tried]()
    settings = [[(window, False) for window in windows], [(window, True) for window in ("", *windows)]]
    least = looks + 1 + sum(map(len, settings))
    kinds = [[partial(_on_same_holdout, snapshot, judged, *setting, least) for setting in kind] for kind in settings]
    kinds.append([partial(_on_earlier_holdout, snapshot, judged, back) for back in range(1, _EARLIER + 1)])
    for kind in kinds:
        for trial in kind:
            results += trial() if perf_counter() < end else []
        if any(result.passes for result in results):
            break
    return results


def on_same_holdout(results: list[Tried]) -> int:
    """How many of the settings were tried on the holdout of the judged version."""
    return sum(not result.as_of for result in results)


def best(model: "Model", results: list[Tried]) -> Tried | None:
    """The setting that passes with the best metric, or else the newest holdout that passes; None if none does."""
    sign = 1 if model.metric.greater_is_better else -1
    passing = [result for result in results if result.passes]
    now = [result for result in passing if not result.as_of]
    return max(now, key=lambda result: sign * result.value) if now else next(iter(passing), None)


def _windows(model: "Model", judged: Version) -> list[str]:
    """Shares of the time that the training rows span, longest first; none that is shorter than a block."""
    until, since = judged.required(Version.train_until), judged.required(Version.data_from)
    lengths = [as_text((until - since).to_pytimedelta() / part) for part in _PARTS]
    return [length for length in dict.fromkeys(lengths) if parse(length) >= model.gates.block]


def _on_same_holdout(snapshot: Snapshot, judged: Version, window: str, straight: bool, looks: int) -> list[Tried]:
    bounds = recipe.split_of(judged)
    if window:
        bounds = replace(bounds, train_from=bounds.train_until - parse(window))
    params = {} if straight else judged.params
    return _tried(snapshot, bounds, Tried(window, straight, "", math.nan, math.nan, "", ""), params, looks)


def _on_earlier_holdout(snapshot: Snapshot, judged: Version, back: int) -> list[Tried]:
    """The declared settings, on what was known when the holdout ended so many holdouts before the newest."""
    training = snapshot.model.training
    end = judged.required(Version.holdout_until) - back * training.holdout
    known = end + snapshot.label_delay
    bounds = split(end, window=training.fixed_window, holdout=training.holdout, gap=snapshot.label_delay)
    setting = Tried("", False, known.isoformat(), math.nan, math.nan, "", "")
    return _tried(replace(snapshot, as_of=known), bounds, setting, judged.params, 0)


def _tried(snapshot: Snapshot, bounds: Split, setting: Tried, params: dict[str, Any], looks: int) -> list[Tried]:
    """The setting with what the gates say of it; nothing if it cannot be fitted."""
    model = snapshot.model
    if setting.linear:
        model = model.model_copy(update={"estimator": partial(linear, model)})
    try:
        with warnings.catch_warnings(action="ignore"):  # of a model that nobody keeps
            rows = snapshot.training(bounds)
            candidate = Candidate(fitting.fit(model, rows, params), "", bounds, bounds.train_until)
            evidence = comparison.compare_on_holdout(snapshot, candidate, Rivals(None, {}), looks).evidence
    except EvergreenError:
        return []
    verdict = verdicts.judge(evidence, model.gates)
    value, dummy = evidence.challenger.value, evidence.dummy.value
    return [replace(setting, value=value, dummy=dummy, decision=verdict.decision, reason=verdict.reason)]
