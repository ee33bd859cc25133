"""Run an experiment: fit and score every variant in every period, in parallel, and compare them."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, as_completed
from contextlib import AbstractContextManager, nullcontext

from evergreen.errors import ExperimentError
from evergreen.experiments import rolling, source_change
from evergreen.experiments.comparison import Compared, compare
from evergreen.experiments.rolling import Experiment
from evergreen.process_pool import process_pool, without_ctrl_c

Parts = Sequence["Future[rolling.Scored]"]
Shown = Callable[[Parts], AbstractContextManager[Iterable[object]]]  # progress, as it passes over the parts


def _unseen(parts: Parts) -> AbstractContextManager[Iterable[object]]:
    return nullcontext(parts)


def run(experiment: Experiment, shown: Shown = _unseen, *, here: bool = False) -> Compared:
    """Compare the variants of an experiment; what an earlier one has scored is not fitted again.

    Parameters
    ----------
    experiment : Experiment
    shown : callable
        From the parts that are waited for to a context with something of the same length to iterate over, for progress.
    here : bool
        Fit in this process, one after the other: what a notebook defines is known to no other.

    Raises
    ------
    ExperimentError
        A process was killed.
    """
    open_parts = [part for part in experiment.parts if experiment.scored(*part) is None]
    if open_parts and not here:
        with process_pool("the experiment", ExperimentError) as pool:
            with without_ctrl_c():  # the processes start with the first tasks
                futures = [pool.submit(rolling.score, experiment, *part) for part in open_parts]
            with shown(futures) as steps:
                for _, future in zip(steps, as_completed(futures), strict=True):
                    future.result()
    places = range(len(experiment.edges) - 1)
    scores = [[rolling.score(experiment, variant, place) for place in places] for variant in experiment.compared]
    return compare(experiment, scores, [source_change.diff(variant) for variant in experiment.variants])
