"""All training windows at one step of a replay, in a process of its own."""

import time

from evergreen import files
from evergreen.replay import hindsight
from evergreen.replay.hindsight import WindowScores
from flows.runtime.replay_inputs import ReplayInputs, in_process


def score_windows(ground: ReplayInputs, step: int) -> WindowScores:
    """Train and score every window at a step; what is finished is stored."""
    local = in_process(ground)
    local.unchanged()
    path = local.folder / f"windows-{step}.json"
    if path.is_file():
        return WindowScores.parse(path.read_text())
    at, truth = local.plan.step_starts[step], local.truth[step]
    known = local.past.without_written().at(at)
    started = time.process_time()
    scored = hindsight.scores(local.model, known, at, truth)
    found = WindowScores(scored, time.process_time() - started)
    files.replace(path, found.dump())
    return found
