"""Whether every gate and trigger of a model can come to a judgement, with the figures of its lake and its champion."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from evergreen.definition.feasibility.assess import findings
from evergreen.definition.feasibility.finding import Finding, State
from evergreen.definition.figures import Figures
from evergreen.definition.gates import Fairness
from evergreen.definition.setting_lines import line
from evergreen.drift.distances import FARTHEST
from evergreen.durations import as_text
from evergreen.evaluation.slices import cells
from evergreen.ingestion.label_arrival import arrival
from evergreen.monitoring import reference
from evergreen.registry.version import Version
from evergreen.training.recipe import plan, split_of
from evergreen.training.snapshot import Snapshot

if TYPE_CHECKING:
    from evergreen.definition.model import Model
    from evergreen.monitoring.reference import Reference
    from evergreen.stores import Stores

_RATES = (2.0, 5.0, 10.0, 20.0, 36.5)  # false alarms a year that are tried


def examine(stores: "Stores", model: "Model", as_of: pd.Timestamp) -> list[Finding]:
    """Work out what can judge, what cannot yet or never, and which line to change; nothing is changed.

    Without rows in the lake, from the model file alone.
    """
    if not stores.lake.exists(model.name):
        return findings(model)
    snapshot = Snapshot.pin(stores.lake, model, as_of)
    figures = measured(snapshot)
    champion = stores.registry.champion(model.name)
    base = reference.load(stores.registry, model, champion) if champion else None
    found = findings(model, figures)
    found += [Finding("labels", "partly", note.rstrip(".")) for note in snapshot.label_notes]
    if figures.total and figures.delay is None:
        why = "the label delay is not learned yet: rows have to be followed for twice as long as their labels take"
        found.append(Finding("labels", "not yet", why))
    if champion is None or base is None:
        return found
    return [*found, *_of_champion(model, champion, figures, as_of), *_of_reference(model, champion, base, figures)]


def measured(snapshot: Snapshot) -> Figures:
    """The figures of the labelled rows of a snapshot."""
    model, figures = snapshot.model, snapshot.figures()
    if not figures.total:
        return figures
    learned = snapshot.maturity
    curve, _ = arrival(snapshot.lake, model, snapshot.as_of, delay=learned.delay if learned else None)
    delay = learned.judged_after if learned else curve.matures_after()
    split = plan(model, snapshot, "").split
    holdout = snapshot.labelled(split.holdout_from, split.holdout_until)
    groups = {f"gate: slices of {column}": _counts(model, holdout, column) for column in model.slices}
    groups |= {
        f"gate: fairness by {asked.column}": _counts_of_rates(model, holdout, asked) for asked in model.gates.fairness
    }
    return replace(figures, delay=delay, groups=groups)


def _counts(model: "Model", holdout: pd.DataFrame, column: str) -> Mapping[str, int]:
    return {name: len(rows) for name, rows in cells(model, holdout, column)}


def _counts_of_rates(model: "Model", holdout: pd.DataFrame, asked: Fairness) -> Mapping[str, int]:
    """How many rows each group has that the rarest of the rates is a share of."""
    positive = holdout[model.target] == holdout[model.target].max()
    parts = [holdout]
    parts += [holdout[positive]] if asked.true_positive_rate is not None else []
    parts += [holdout[~positive]] if asked.false_positive_rate is not None else []
    counts = [_counts(model, part.reset_index(drop=True), asked.column) for part in parts]
    return {name: min(count.get(name, 0) for count in counts) for name in counts[0]}


def _of_champion(model: "Model", champion: Version, figures: Figures, as_of: pd.Timestamp) -> Iterator[Finding]:
    """From when on the performance of the present champion can be known: of rows that it was not trained on."""
    delay = max(model.label_delay, figures.delay or model.label_delay)
    needed = figures.length_of(blocks=model.gates.min_blocks, rows=model.gates.min_rows, unit=model.monitoring.unit)
    since = split_of(champion).train_until + needed + delay + model.monitoring.unit
    if since > as_of:
        parts = f"it was trained until {split_of(champion).train_until:%Y-%m-%d}; {as_text(needed)} of rows, the label "
        why = f"{parts}delay of {as_text(delay)} and a unit of {as_text(model.monitoring.unit)} have to pass"
        yield Finding(f"trigger: performance of version {champion.number}", "not yet", why, "", f"{since:%Y-%m-%d}")


def _of_reference(model: "Model", champion: Version, base: "Reference", figures: Figures) -> Iterator[Finding]:
    """Whether a distance can exceed the thresholds of the present champion: these depend on the false alarms."""
    limits, what = thresholds(model, base, figures), f"trigger: drift from version {champion.number}"
    if not limits:
        return
    within = sum(limit < FARTHEST for limit in limits.values())
    state: State = "judges" if within == len(limits) else "partly" if within else "never"
    why = f"{within} of {len(limits)} columns have a threshold that a distance, at most 1, can exceed "
    why += f"(false_alarms={model.monitoring.false_alarms:g})"
    yield Finding(what, state, why, "" if state == "judges" else _more_alarms(model, base, figures))


def thresholds(model: "Model", base: "Reference", figures: Figures) -> dict[str, float]:
    """The threshold of each feature and of the label, for as many rows as a window has at today's rate."""
    from evergreen.drift.cusum import left_for_windows
    from evergreen.drift.thresholds import calibrate

    total, rows = base.profile.total(), max(figures.rows_in(model.monitoring.window), 1)
    calibrated = calibrate(base.profile.columns, left_for_windows(base.profile, model.monitoring))
    return {
        name: threshold.at(rows, total[name].rows)
        for name, threshold in calibrated.items()
        if name != reference.PREDICTION
    }


def _more_alarms(model: "Model", base: "Reference", figures: Figures) -> str:
    """The line with the fewest false alarms a year of which every threshold can be exceeded; empty if none is."""
    for rate in (rate for rate in _RATES if rate > model.monitoring.false_alarms):
        monitoring = model.monitoring.model_copy(update={"false_alarms": rate})
        limits = thresholds(model.model_copy(update={"monitoring": monitoring}), base, figures)
        if all(limit < FARTHEST for limit in limits.values()):
            return line("monitoring", model.monitoring, false_alarms=rate)
    return ""
