"""The page of an experiment: each variant against the model's own recipe, and what to change to take one."""

import json
from dataclasses import dataclass

from evergreen.evaluation.bootstrap import Interval
from evergreen.experiments.comparison import Compared, Result
from evergreen.files import replace
from evergreen.reports import experiment_plots
from evergreen.reports.html import figure, plain, render
from evergreen.settings import Settings


@dataclass(frozen=True)
class ExperimentPage:
    """The result of an experiment, and the paths of its page and of its figures."""

    compared: Compared
    page: str
    figures: str


def write(compared: Compared) -> ExperimentPage:
    """Write the page of an experiment and its figures as JSON into the home's reports, atomically."""
    folder = Settings.read().home / "reports"
    page, figures = folder / f"{compared.model}.try.html", folder / f"{compared.model}.try.json"
    replace(page, html(compared))
    replace(figures, json.dumps(plain(compared), indent=1))
    return ExperimentPage(compared, str(page), str(figures))


def html(compared: Compared) -> str:
    """The page as text."""
    return render(
        "experiment_page",
        found=compared,
        unit=compared.metric.replace("_", " "),
        figure=figure,
        span=span,
        share=share,
        gains=experiment_plots.gains(compared),
    )


def rows(compared: Compared) -> list[dict[str, str]]:
    """The variants as rows of a table on a terminal, which holds no more than a narrow one has room for."""
    sliced = any(result.worst for result in compared.variants)
    return [
        {
            "found": "–" if result is compared.own else result.found,
            "in %": share(compared, result),
            "gain": span(result.gain),
            compared.metric.replace("_", " "): figure(result.value.value),
            **({"worst slice": _slice(result)} if sliced else {}),
            "variant": result.name,
        }
        for result in compared.results
    ]


def share(compared: Compared, result: Result) -> str:
    """The gain in percent of the metric of the model's own recipe."""
    base = abs(compared.own.value.value)
    return "–" if result is compared.own or not base else figure(100 * result.gain.value / base, "%+.1f")


def span(interval: Interval, form: str = "%+.3g") -> str:
    """A value with its interval; a dash where there is none."""
    if interval.value != interval.value:
        return "–"
    return f"{figure(interval.value, form)} [{figure(interval.low, form)}, {figure(interval.high, form)}]"


def _slice(result: Result) -> str:
    return f"{result.worst.column}={result.worst.value}" if result.worst else "–"
