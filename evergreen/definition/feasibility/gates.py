"""Trainings and gates: whether holdouts hold the rows and blocks that a verdict needs."""

from collections.abc import Iterator
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING

from evergreen.definition.feasibility.finding import Finding, State, blocks, counted, once, time_needed
from evergreen.definition.figures import Figures
from evergreen.definition.setting_lines import line
from evergreen.durations import as_text

if TYPE_CHECKING:
    from evergreen.definition.model import Model


def training(model: "Model", figures: Figures | None) -> Iterator[Finding]:
    """Rows to train on: those of the window that lie before the holdout."""
    if figures is None:
        return
    training, what = model.training, "training"
    behind = training.holdout + model.label_delay
    length = max(figures.span - behind, timedelta(0)) if training.fixed_window is None else training.fixed_window
    rows = figures.rows_in(length)
    why = f"a window of {as_text(length)} holds about {rows:,} rows; min_rows is {training.min_rows:,}"
    needed = figures.length_of(rows=training.min_rows, unit=model.gates.block)
    if training.fixed_window is not None and rows < training.min_rows:
        yield Finding(what, "never", why, line("training", training, window=needed))
    else:
        yield once(figures, needed + behind, Finding(what, "judges", why))


def holdout(model: "Model", figures: Figures | None) -> Iterator[Finding]:
    """Rows and blocks in the holdout, below which every verdict is "not enough evidence"."""
    training, gates, what = model.training, model.gates, "gate: holdout"
    usual, most = blocks(model, figures, training.holdout)
    asked = f"min_blocks asks for {gates.min_blocks}"
    why = f"a holdout of {as_text(training.holdout)} holds {counted(most)} of {as_text(gates.block)} at most; {asked}"
    longer = line("training", training, holdout=time_needed(model, figures))
    if most < gates.min_blocks:
        yield Finding(what, "never", why, longer)
    elif figures and figures.total and figures.rows_in(training.holdout) < gates.min_rows:
        rows = f"a holdout of {as_text(training.holdout)} holds about {figures.rows_in(training.holdout):,} rows"
        never = figures.most_rows_in(training.holdout) < gates.min_rows
        why = f"{rows}; min_rows asks for {gates.min_rows:,}"
        yield Finding(what, "never" if never else "partly", why, longer)
    elif figures and usual < gates.min_blocks:
        yield Finding(what, "partly", f"{why}, and usually it holds {usual}", longer)
    elif figures:
        why = f"about {figures.rows_in(training.holdout):,} rows in {counted(usual)}; {gates.min_rows:,} in "
        why += f"{gates.min_blocks} are needed"
        yield once(figures, training.holdout + model.label_delay, Finding(what, "judges", why))


def new_rows(model: "Model", figures: Figures | None) -> Iterator[Finding]:
    """How long the newly labelled rows take without which nothing is trained."""
    policy = model.policy
    if figures is None or not figures.total:
        return
    wait, due = figures.length_of(rows=policy.min_new_rows, unit=model.monitoring.unit), policy.every or policy.cooldown
    if wait > max(due, model.monitoring.unit):
        why = f"min_new_rows of {policy.min_new_rows:,} come in {as_text(wait)}, and trainings may be due every "
        yield Finding("triggers: new rows", "partly", f"{why}{as_text(due)}")


def slices(model: "Model", figures: Figures | None) -> Iterator[Finding]:
    """The rows that values of the slices' columns have in a holdout."""
    for column in model.slices if figures else []:
        yield _groups(model, figures, f"gate: slices of {column}", column, model.gates.slice_rows, "slice_rows", 1)


def fairness(model: "Model", figures: Figures | None) -> Iterator[Finding]:
    """The rows that groups have in a holdout; two groups are compared."""
    for asked in model.gates.fairness if figures else []:
        what = f"gate: fairness by {asked.column}"
        yield _groups(model, figures, what, asked.column, asked.group_rows, "group_rows", 2)


def _groups(
    model: "Model", figures: Figures | None, what: str, column: str, rows: int, setting: str, fewest: int
) -> Finding:
    """Whether enough values of a column have so many rows in a holdout."""
    counts = sorted((figures.groups.get(what, {}) if figures else {}).values(), reverse=True)
    enough = sum(count >= rows for count in counts)
    why = f"{enough} of {len(counts)} values have {rows:,} rows in the newest holdout ({setting})"
    if len(counts) < fewest:
        return Finding(what, "not yet", f"the newest holdout has {counted(len(counts), 'value')} of {column}")
    if enough >= fewest:
        return Finding(what, "judges" if enough == len(counts) else "partly", why)
    length = ceil(model.training.holdout * (rows / max(counts[fewest - 1], 1)) / model.gates.block) * model.gates.block
    state: State = "never" if fewest > 1 else "skipped"  # without slices a gate is skipped; unknown fairness is not
    return Finding(what, state, why, line("training", model.training, holdout=length))


def schedule(model: "Model", figures: Figures | None) -> Iterator[Finding]:
    """A scheduled training is judged on its holdout, however few of its rows came since the training before."""
    policy = model.policy
    if policy.every is None:
        return
    fresh = f"every {as_text(policy.every)} brings {counted(blocks(model, figures, policy.every)[0])}"
    if figures:
        fresh += f" and about {figures.rows_in(policy.every):,} rows"
    if time_needed(model, figures) <= model.training.holdout:  # if not, it is told of the gate
        why = f"{fresh}; what is trained is judged on a holdout of {as_text(model.training.holdout)}"
        yield Finding("trigger: schedule", "judges", why)
    if policy.cooldown >= policy.every:
        why = f"the cooldown of {as_text(policy.cooldown)} is no shorter than every {as_text(policy.every)}"
        yield Finding("triggers: data, drift, performance", "skipped", f"{why}, so the schedule is always first")
