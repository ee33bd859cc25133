"""Advice after a training that promoted nothing: what moved, which other settings pass, how many rows are missing."""

from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil, isfinite
from typing import TYPE_CHECKING

import pandas as pd

from evergreen.definition.setting_lines import line
from evergreen.drift.movement import Movement, movements
from evergreen.durations import as_text
from evergreen.gates import alternatives
from evergreen.gates.alternatives import Tried
from evergreen.json_record import JsonRecord
from evergreen.registry.version import Version
from evergreen.training import linear, recipe

if TYPE_CHECKING:
    from evergreen.definition.model import Model
    from evergreen.evaluation.evidence import Evidence
    from evergreen.gates.judgement import Judgement
    from evergreen.registry.registry import Registry
    from evergreen.training.snapshot import Snapshot

ARTIFACT = "advice.json"


@dataclass(frozen=True)
class Advice(JsonRecord):
    """What can be said after a version was not promoted.

    Attributes
    ----------
    model, version : str
    missing : str
        How many rows or blocks the evaluation lacks, and when they will be there; empty if it lacks none.
    moved : list of Movement
        For a first model: the columns of the holdout that lie farthest from the training rows.
    tried : list of Tried
        For a first model: other settings, judged by the same gates. Nothing of them was recorded or promoted.
    lines : str
        What to write into the model file; empty if nothing helps that is known.
    command : str
        What to run next.
    """

    json_indent = 1

    model: str
    version: str
    missing: str = ""
    moved: list[Movement] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)
    lines: str = ""
    command: str = ""


def advise(snapshot: "Snapshot", judged: Version, judgement: "Judgement") -> Advice:
    """Diagnose why a version was not promoted.

    Parameters
    ----------
    snapshot : Snapshot
        That it was trained on.
    judged : Version
    judgement : Judgement
        That promotes neither it nor an earlier champion.
    """
    model, evidence = snapshot.model, judgement.evidence
    missing, lines = _missing(model, judged, evidence) if judgement.verdict.decision != "reject" else ("", "")
    first = judgement.against is None and evidence.rows > 0
    results = []
    if first and alternatives.affected(judgement.verdict):
        results = alternatives.tried(snapshot, judged, evidence.looks)
    chosen = alternatives.best(model, results)
    lines = _lines(model, chosen) if chosen else lines
    return Advice(
        judged.model,
        judged.number,
        missing,
        _moved(snapshot, judged) if first else [],
        results,
        lines,
        _command(judged.model, chosen, lines),
    )


def is_needed(judged: "Judgement") -> bool:
    """Whether a training promoted nothing, and more than the verdict can be said about it."""
    undecided = judged.verdict.decision == "not enough evidence"
    return not judged.followed.passing and (undecided or judged.against is None)


def stored(registry: "Registry", version: Version) -> Advice | None:
    """The advice that was stored with a version; None if there is none."""
    text = registry.text(registry.origin(version), ARTIFACT)
    return Advice.parse(text) if text else None


def standing(registry: "Registry", name: str) -> Advice | None:
    """The advice on the newest version of a model that has no champion yet; None if there is none."""
    versions = [] if registry.champion(name) else registry.versions(name)
    return stored(registry, versions[0]) if versions else None


def _moved(snapshot: "Snapshot", judged: Version) -> list[Movement]:
    split = recipe.split_of(judged)
    holdout = snapshot.labelled(split.holdout_from, split.holdout_until)
    return movements(snapshot.model, snapshot.training(split), holdout)


def _command(name: str, chosen: Tried | None, lines: str) -> str:
    if chosen is not None and chosen.as_of:
        return f"evergreen train {name} --as-of {chosen.as_of[:19]}"
    return f"evergreen train {name}" if lines else f"evergreen look {name}"


def _lines(model: "Model", chosen: Tried) -> str:
    """The settings as lines of a model file."""
    estimator = linear.source(model) if chosen.linear else ""
    window = line("training", model.training, window=chosen.window) if chosen.window else ""
    return "\n\n".join(part for part in (estimator, window) if part)


def _missing(model: "Model", judged: Version, evidence: "Evidence") -> tuple[str, str]:
    """How much longer the evaluation has to be, in words, and the line that makes it so if waiting does not."""
    gates, a_day, until = model.gates, _rows_a_day(judged, evidence), judged.required(Version.holdout_until)
    blocks = max(gates.min_blocks, _blocks_to_decide(evidence))
    parts = {"rows": gates.min_rows - evidence.rows, f"blocks of {as_text(gates.block)}": blocks - evidence.blocks}
    short = " and ".join(f"{count:,} {what}" for what, count in parts.items() if count > 0)
    if not short or not a_day:
        return "", ""
    needed = max(blocks * _block(model, evidence), timedelta(days=gates.min_rows / a_day))
    rate = f"{a_day:,.0f}" if a_day >= 10 else f"{a_day:.2g}"
    sentence = f"About {short} are missing in the evaluation. At {rate} labelled rows a day, as now,"
    if needed <= model.training.holdout:  # the rows that the champion was trained on are left out
        since = pd.Timestamp(evidence.since) if evidence.since else until
        by = since + needed
        if by > judged.required(Version.as_of):
            return f"{sentence} they are there by about {by:%Y-%m-%d}.", ""
        return f"{sentence} they would reach to {by:%Y-%m-%d}, and no labelled row is newer than {until:%Y-%m-%d}.", ""
    length = as_text(needed)
    lacking = needed + model.label_delay + timedelta(days=model.training.min_rows / a_day)
    lacking -= until - judged.required(Version.data_from)
    allowed = f"from {until + lacking:%Y-%m-%d} on" if lacking > timedelta(0) else "now"
    sentence += f" that takes a holdout of {length}, which the rows allow {allowed}."
    return sentence, line("training", model.training, holdout=length)


def _block(model: "Model", evidence: "Evidence") -> timedelta:
    """How much time gives one more block: more than its length where some blocks have no rows."""
    if not (evidence.since and evidence.until and evidence.blocks):
        return model.gates.block
    covered = pd.Timestamp(evidence.until) - pd.Timestamp(evidence.since)
    return max(model.gates.block, covered.to_pytimedelta() / evidence.blocks)


def _rows_a_day(judged: Version, evidence: "Evidence") -> float:
    """Of labelled rows: in the evaluation, or in the training if the evaluation has too few to tell."""
    since, until, rows = evidence.since, evidence.until, evidence.rows
    length = pd.Timestamp(until) - pd.Timestamp(since) if since and until else timedelta(0)
    if rows < 2 or not length:
        length, rows = judged.required(Version.data_until) - judged.required(Version.data_from), judged.rows
    return (rows - 1) / (length / timedelta(days=1)) if rows > 1 and length else 0.0


def _blocks_to_decide(evidence: "Evidence") -> int:
    """How many blocks decide between challenger and dummy, if the gain stays what it is; 0 if it is decided."""
    gain = evidence.over_dummy
    if not isfinite(gain.low) or gain.low > 0 or gain.value <= 0:
        return 0
    return ceil(evidence.blocks * ((gain.value - gain.low) / gain.value) ** 2)
