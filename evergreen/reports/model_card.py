"""The model card of a version (Mitchell et al., Model Cards, FAT* 2019): in Markdown for MLflow, and as a page."""

import base64
import json
from pathlib import Path

from evergreen.definition import loader
from evergreen.definition.model import Model
from evergreen.durations import in_words
from evergreen.evaluation.bootstrap import Interval
from evergreen.evaluation.evidence import Evidence
from evergreen.files import replace
from evergreen.gates.judgement import Judgement, recorded, table
from evergreen.governance import lineage
from evergreen.registry.version import Version
from evergreen.reports.html import chain, day, figure, render
from evergreen.settings import Settings
from evergreen.stores import Stores


def markdown(judgement: Judgement, version: Version, purpose: str, owner: str) -> str:
    """The card in Markdown, which MLflow shows."""
    evidence, verdict = judgement.evidence, judgement.verdict
    gates = "\n".join(f"| {row['gate']} | {row['outcome']} | {row['found']} |" for row in table(verdict.checks))
    slices = "\n".join(
        f"| {one.column} {one.value} | {one.rows:,} | {one.challenger:.4g} "
        f"| {'' if one.champion is None else f'{one.champion:.4g}'} |"
        for one in evidence.slices
    )
    parts = [
        f"# {judgement.model} version {judgement.version}: {verdict.decision}",
        verdict.reason,
        f"**For** {purpose or 'no purpose is stated'} **Owner** {owner or 'nobody is named'}",
        f"**Trained on** {version.rows} rows "
        f"from {day(version.data_from)} to {day(version.train_until)}, "
        f"table version {version.table_version}, because: {version.reason}. "
        f"Code {version.commit[:10] or 'without a commit'}"
        f"{' with uncommitted changes' if version.uncommitted else ''}, "
        f"lock {version.lock_hash or 'none'}"
        f"{', which does not name ' + version.not_in_lock if version.not_in_lock else ''}.",
        f"**Judged on** {_heard(judgement)}"
        f"{evidence.rows:,} rows from {(evidence.since or '')[:10]} to {(evidence.until or '')[:10]}: "
        f"{evidence.metric} {evidence.challenger.value:.4g} "
        f"[{evidence.challenger.low:.4g}, {evidence.challenger.high:.4g}]"
        + (f"; champion (version {judgement.against}) {evidence.champion.value:.4g}" if evidence.champion else "")
        + f"; dummy {evidence.dummy.value:.4g}.",
        f"| gate | outcome | found |\n| --- | --- | --- |\n{gates}",
    ]
    if slices:
        parts.append(f"| slice | rows | challenger | champion |\n| --- | --- | --- | --- |\n{slices}")
    return "\n\n".join(parts) + "\n"


def _heard(judgement: Judgement) -> str:
    return f"its predictions as a {judgement.trial}, " if judgement.trial else ""


def write(stores: Stores, name: str, number: str, folder: Path | None = None) -> Path:
    """Write the card of a version as a page, by default into the home's reports.

    Raises
    ------
    RegistryError
        There is no such version, or it has not been judged yet.
    """
    registry, model = stores.registry, loader.load(name)
    version = registry.version(name, number)
    judged, origin = recorded(registry, version), registry.origin(version)
    before = registry.version(name, judged.against) if judged.against else None
    picture = registry.kept(version, "trial.png") if judged.trial else registry.kept(origin, "judged.png")
    path = (folder or Settings.read().home / "reports") / f"{name}.{version.number}.card.html"
    page = render(
        "model_card",
        model=model,
        version=version,
        judged=judged,
        evidence=judged.evidence,
        state=_state(version, judged),
        quality=_quality(version, judged),
        changed=_changed(version, before) if before else [],
        limits=_limits(model, version, judged.evidence),
        contract=[one.sentence for one in model.contract],
        stale=loader.fingerprint(name) != version.model_file_hash,
        gates=table(judged.verdict.checks),
        picture=base64.b64encode(picture).decode() if picture else "",
        chain=chain(lineage.origin(stores, name, version.number).steps),
    )
    replace(path, page)
    return path


def _state(version: Version, judged: Judgement) -> str:
    number = f"Version {version.number}"
    if "champion" in version.aliases:
        leave = f", approved by {version.approval_by}" if version.approved else ""
        return f"{number} has been champion since {day(version.champion_since)}{leave}."
    if version.rolled_back:
        return f"{number} was rolled back on {day(version.rolled_back_at)}: {version.rolled_back_reason}."
    if version.promoted_at:
        return f"{number} was champion from {day(version.promoted_at)} on; another version has replaced it."
    return f"{number} was never champion. The verdict: {judged.verdict.decision}."


def _quality(version: Version, judged: Judgement) -> str:
    """How good it is, in plain words; of a refit, how good the judged one is whose recipe it repeats."""
    found, metric = judged.evidence, judged.evidence.metric.replace("_", " ")
    if not found.rows:
        return "It has not been evaluated on any row yet."
    own = judged.version == version.number
    who = "it" if own else f"version {judged.version}, whose training this one repeats on all rows,"
    period = f"from {(found.since or '')[:10]} to {(found.until or '')[:10]}"
    told = (
        f"On {found.rows:,} rows {period}, which {who} had not seen, the {metric} was {_span(found.challenger, found)}."
    )
    if judged.trial:
        told += f" These are its real predictions as a {judged.trial} beside the champion."
    if found.champion is not None and found.over_champion is not None:
        gain = found.over_champion
        word = "better" if gain.low > 0 else "worse" if gain.high < 0 else "neither better nor worse beyond chance"
        theirs = figure(found.champion.value)
        told += f" Compared with the previous champion, version {judged.against}, with {theirs} on the same rows,"
        told += f" that is {word}, by {_span(gain, found)}."
    return f"{told} A constant prediction would have had {figure(found.dummy.value)}."


def _span(interval: Interval, found: Evidence) -> str:
    low, high = figure(interval.low), figure(interval.high)
    return f"{figure(interval.value)} ({100 * found.level:.4g} % interval {low} to {high})"


def _changed(version: Version, before: Version) -> list[str]:
    """What is not as it was with the champion that it was judged against."""
    changes = [
        f"It was trained on {version.rows:,} rows from {day(version.data_from)} to {day(version.data_until)}, "
        f"version {before.number} from {before.rows:,} from {day(before.data_from)} to {day(before.data_until)}."
    ]
    compared = {
        "The model file": (before.model_file_hash, version.model_file_hash),
        "The packages": (before.lock_hash, version.lock_hash),
        "The code": (before.commit, version.commit),
        "Python": (before.python_version, version.python_version),
    }
    changes += [f"{what} changed." for what, (then, now) in compared.items() if then != now]
    if before.params != version.params:
        then, now = json.dumps(before.params), json.dumps(version.params)
        changes.append(f"The parameters that a search chose changed: {then} before, {now} now.")
    return changes


def _limits(model: Model, version: Version, found: Evidence) -> list[str]:
    """What it was not made for, or nobody knows of it."""
    told = [
        f"It was trained on nothing before {day(version.data_from)} or after {day(version.data_until)}.",
        "It saw only rows whose label became known"
        + (f" {in_words(model.label_delay)} after their time." if model.label_delay else ", and learnt from no other."),
    ]
    small = [f"{one.column} {one.value}" for one in found.slices if one.rows < model.gates.slice_rows]
    if small:
        told.append(
            f"Groups with too few rows to evaluate: {', '.join(small[:12])}{' and more' if len(small) > 12 else ''}."
        )
    worse = [f"{one.column} {one.value}" for one in found.slices if one.gain is not None and one.gain.high < 0]
    if worse:
        told.append(f"Groups where it is worse than the previous champion, beyond chance: {', '.join(worse)}.")
    if model.serving.private:
        told.append(f"Private columns, never shown or logged as they are: {', '.join(model.serving.private)}.")
    return told
