"""Triggers and what is watched after a promotion: whether windows hold the rows and blocks that they are judged on."""

from collections.abc import Iterator
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING

from evergreen.definition.feasibility.finding import Finding, counted, once, time_needed
from evergreen.definition.figures import Figures
from evergreen.definition.options import REFERENCE_WINDOWS
from evergreen.definition.setting_lines import line
from evergreen.durations import as_text

if TYPE_CHECKING:
    from evergreen.definition.model import Model


def performance(model: "Model", figures: Figures | None) -> Iterator[Finding]:
    """The labelled rows that realised performance is judged on; the window is widened until it holds enough."""
    if figures is None:
        return
    gates, monitoring, what = model.gates, model.monitoring, "trigger: performance"
    stated, needed = model.performance_window, time_needed(model, figures, monitoring.unit)
    window = max(stated, needed) if figures.total else stated
    why = f"judged over {as_text(window)}"
    if window > max(monitoring.window, monitoring.performance or monitoring.window):
        what_needs = f"{gates.min_blocks} blocks of {as_text(gates.block)}"
        if window > stated:
            what_needs += f" and {gates.min_rows:,} rows"
        why += f" instead of {as_text(monitoring.performance or monitoring.window)}, since {what_needs} need as much"
    rows, (usual, _) = figures.rows_in(window), figures.blocks_in(window)
    why += f": about {rows:,} rows in {counted(usual)}; {gates.min_rows:,} in {gates.min_blocks} are needed"
    every = model.policy.every
    if figures.total and every is not None and every < needed:
        why += f". A training every {as_text(every)} may replace a champion before it has met as much"
        yield Finding(what, "partly", why, line("policy", model.policy, every=needed))
    else:
        wider = line("monitoring", monitoring, performance=needed) if window > stated else ""
        yield Finding(what, "partly" if wider else "judges", why, wider)


def drift(model: "Model", figures: Figures | None) -> Iterator[Finding]:
    """The windows that the reference holds: its thresholds are calibrated from how much these differ."""
    if figures is None or not figures.total:
        return
    training, monitoring, what = model.training, model.monitoring, "trigger: drift"
    window, needed = monitoring.window, REFERENCE_WINDOWS * monitoring.window / figures.filled
    whole = f"{REFERENCE_WINDOWS} windows of {as_text(window)} are needed to calibrate a threshold"
    longest = _reference(model)
    known = figures.span if longest is None else min(longest, figures.span)
    why = f"the reference spans {as_text(known)}, {figures.filled:.0%} of its units hold rows; {whole}"
    if longest is not None and longest < needed:
        longer = line("training", training, window=ceil(needed / monitoring.unit) * monitoring.unit)
        yield Finding(what, "never" if longest + monitoring.unit < needed else "partly", why, longer)
    else:
        yield once(figures, needed, Finding(what, "judges", why))
    if training.holdout < REFERENCE_WINDOWS * window:
        why = f"predictions are known for the holdout of {as_text(training.holdout)} only; {whole}"
        yield Finding(f"{what} of the predictions", "skipped", why)


def _reference(model: "Model") -> timedelta | None:
    """How much time a reference spans; None for all history."""
    training = model.training
    if training.fixed_window is None:
        return None
    return max(training.fixed_window + model.label_delay + training.holdout, model.reference_span)


def probation(model: "Model", figures: Figures | None) -> Iterator[Finding]:
    """The rows of a probation, on which the champion is compared with the version that it replaced."""
    gates, what, probation = model.gates, "probation", model.probation_window
    if not probation or figures is None:
        return
    rows = figures.rows_in(probation)
    why = f"over {as_text(probation)}"
    if probation > model.policy.probation:
        why += f" instead of {as_text(model.policy.probation)}, since {gates.min_blocks} blocks of "
        why += f"{as_text(gates.block)} need as much"
    why += f": about {rows:,} rows; min_rows is {gates.min_rows:,}"
    if figures.total and rows < gates.min_rows:
        longer = figures.length_of(rows=gates.min_rows, unit=model.monitoring.unit)
        yield Finding(what, "never", why, line("policy", model.policy, probation=longer))
    else:
        yield Finding(what, "judges", why)


def labels(model: "Model", figures: Figures | None) -> Iterator[Finding]:
    """Labels that become known later than rows are read again."""
    if figures is None or not figures.total:
        return
    source, delay = model.source, max(model.label_delay, figures.delay or model.label_delay)
    if delay and not source.predictions and source.lookback < delay:
        why = f"rows are read again for {as_text(source.lookback)} (lookback), and labels are known after "
        why += f"{as_text(delay)}; a label that is not there when its row is first read counts only if it is sent to "
        why += "the service"
        yield Finding("labels", "partly", why, f'lookback="{as_text(delay + model.monitoring.window)}",')
    elif figures.delay is not None:
        why = f"known after {as_text(figures.delay)}, as learned from the rows if they show it; declared after "
        yield Finding("labels", "judges", f"{why}{as_text(model.label_delay)}")


def logs(model: "Model", figures: Figures | None) -> Iterator[Finding]:
    """Predictions of the service that are deleted before their labels are known."""
    retention, delay = model.serving.retention, model.label_delay
    if retention is None:
        return
    needed = delay + model.gates.min_blocks * model.gates.block
    longer = line("serving", model.serving, retention=needed + model.monitoring.window)
    if model.source.predictions and retention < delay:
        why = f"predictions are kept for {as_text(retention)}, and their labels are known after {as_text(delay)}"
        yield Finding("training", "never", why, longer)
    elif retention < needed and figures:
        why = f"predictions are kept for {as_text(retention)}; the label delay and min_blocks need {as_text(needed)}"
        yield Finding("shadow and canary", "skipped", why, longer)


def approval(model: "Model", figures: Figures | None) -> Iterator[Finding]:
    """A request for approval that is superseded before it lapses."""
    approval, every = model.policy.approval, model.policy.every
    if figures and approval is not None and every is not None and every < approval:
        why = f"a request waits for {as_text(approval)}, and trainings every {as_text(every)} may supersede it"
        yield Finding("approval", "partly", why)
