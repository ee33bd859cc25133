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
from evergreen.gates.judgement import Judgement, newest_judgement, table
from evergreen.governance import lineage
from evergreen.registry.version import Version
from evergreen.reports.html import chain, day, figure, render
from evergreen.settings import Settings
from evergreen.stores import Stores
from evergreen.training.snapshot import maturity_of


def markdown(judgement: Judgement, version: Version, purpose: str, owner: str) -> str:
    """The card in Markdown, which MLflow shows."""
    evidence, verdict = judgement.evidence, judgement.verdict
    gates = "\n".join(f"| {row['gate']} | {row['outcome']} | {row['found']} |" for row in table(verdict.checks))
    slices = "\n".join(
        f"| {slice_.column} {slice_.value} | {slice_.rows:,} | {slice_.challenger:.4g} "
        f"| {'' if slice_.champion is None else f'{slice_.champion:.4g}'} |"
        for slice_ in evidence.slices
    )
    parts = [
        f"# {judgement.model} version {judgement.version}: {verdict.decision}",
        verdict.reason,
        f"**For** {purpose or 'no purpose is stated'} **Owner** {owner or 'not named'}",
        f"**Trained on** {version.rows} rows "
        f"from {day(version.data_from)} to {day(version.train_until)}, "
        f"table version {version.table_version}, because: {version.reason}. "
        f"Code {version.commit[:10] or 'without a commit'}"
        f"{' with uncommitted changes' if version.uncommitted else ''}, "
        f"lock {version.lock_hash or 'none'}"
        f"{', which does not name ' + version.not_in_lock if version.not_in_lock else ''}.",
        f"**Judged on** {_online_role(judgement)}"
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


def _online_role(judgement: Judgement) -> str:
    return f"its predictions as a {judgement.trial}, " if judgement.trial else ""


def write(stores: Stores, name: str, number: str, folder: Path | None = None) -> Path:
    """Write the card of a version as a page, by default into the home's reports.

    Raises
    ------
    RegistryError
        There is no such version, or it has not been judged yet.
    """
    version = stores.registry.version(name, number)
    path = (folder or Settings.read().home / "reports") / f"{name}.{version.number}.card.html"
    replace(path, page(stores, name, number))
    return path


def page(stores: Stores, name: str, number: str) -> str:
    """The card of a version as a page of its own.

    Raises
    ------
    RegistryError
        There is no such version, or it has not been judged yet.
    """
    registry, model = stores.registry, loader.load(name)
    version = registry.version(name, number)
    judged, origin = newest_judgement(registry, version), registry.origin(version)
    before = registry.version(name, judged.against) if judged.against else None
    picture = registry.artifact(version, "trial.png") if judged.trial else registry.artifact(origin, "judged.png")
    return render(
        "model_card",
        model=model,
        version=version,
        judged=judged,
        evidence=judged.evidence,
        state=_state(version, judged),
        quality=_quality(version, judged),
        changed=changes(version, before) if before else [],
        limits=_limits(model, version, judged.evidence),
        contract=[expectation.sentence for expectation in model.contract],
        stale=_stale(version),
        gates=table(judged.verdict.checks),
        picture=base64.b64encode(picture).decode() if picture else "",
        chain=chain(lineage.origin(stores, name, version.number).steps),
    )


def _stale(version: Version) -> bool:
    """Whether the model file, or a module that it imports, is no longer as the version was trained with."""
    if version.code_hash:
        return loader.code_of(version.model).digest != version.code_hash
    return loader.file_hash(version.model) != version.model_file_hash


def _state(version: Version, judged: Judgement) -> str:
    number = f"Version {version.number}"
    if "champion" in version.aliases:
        approval = f", approved by {version.approval_by}" if version.approved else ""
        return f"{number} has been champion since {day(version.champion_since)}{approval}."
    if version.rolled_back:
        return f"{number} was rolled back on {day(version.rolled_back_at)}: {version.rolled_back_reason}."
    if version.promoted_at:
        return f"{number} was champion from {day(version.promoted_at)} on; another version has replaced it."
    return f"{number} was never champion. The verdict: {judged.verdict.decision}."


def _quality(version: Version, judged: Judgement) -> str:
    """How good it is, in plain words; for a refit, how good the judged version is whose recipe it repeats."""
    evidence, metric = judged.evidence, judged.evidence.metric.replace("_", " ")
    if not evidence.rows:
        return "It has not been evaluated on any row yet."
    own = judged.version == version.number
    who = "it" if own else f"version {judged.version}, whose training this one repeats on all rows,"
    period = f"from {(evidence.since or '')[:10]} to {(evidence.until or '')[:10]}"
    text = f"On {evidence.rows:,} rows {period}, which {who} had not seen, the {metric} was "
    text += f"{_span(evidence.challenger, evidence)}."
    if judged.trial:
        text += f" These are its real predictions as a {judged.trial} beside the champion."
    if evidence.champion is not None and evidence.over_champion is not None:
        gain = evidence.over_champion
        word = "better" if gain.low > 0 else "worse" if gain.high < 0 else "neither better nor worse beyond chance"
        theirs = figure(evidence.champion.value)
        text += f" Compared with the previous champion, version {judged.against}, with {theirs} on the same rows,"
        text += f" that is {word}, by {_span(gain, evidence)}."
    return f"{text} A constant prediction would have had {figure(evidence.dummy.value)}."


def _span(interval: Interval, evidence: Evidence) -> str:
    low, high = figure(interval.low), figure(interval.high)
    return f"{figure(interval.value)} ({100 * evidence.level:.4g} % interval {low} to {high})"


def changes(version: Version, before: Version) -> list[str]:
    """The differences from the champion that it was judged against."""
    found = [
        f"It was trained on {version.rows:,} rows from {day(version.data_from)} to {day(version.data_until)}, "
        f"version {before.number} from {before.rows:,} from {day(before.data_from)} to {day(before.data_until)}."
    ]
    compared = {
        "The model file": (before.model_file_hash, version.model_file_hash),
        "The packages": (before.lock_hash, version.lock_hash),
        "The code": (before.commit, version.commit),
        "Python": (before.python_version, version.python_version),
    }
    found += [f"{what} changed." for what, (then, now) in compared.items() if then != now]
    if before.params != version.params:
        then, now = json.dumps(before.params), json.dumps(version.params)
        found.append(f"The parameters that a search chose changed: {then} before, {now} now.")
    return found


def _limits(model: Model, version: Version, evidence: Evidence) -> list[str]:
    """What the version was not made for, and what is not known about it."""
    labels = maturity_of(version)
    delay = labels.delay if labels else model.label_delay
    limits = [
        f"It was trained on nothing before {day(version.data_from)} or after {day(version.data_until)}.",
        "It saw only rows whose label became known"
        + (f" {in_words(delay)} after their time." if delay else ", and no other rows."),
        *(labels.notes(model) if labels else []),
    ]
    small = [f"{slice_.column} {slice_.value}" for slice_ in evidence.slices if slice_.rows < model.gates.slice_rows]
    if small:
        limits.append(
            f"Groups with too few rows to evaluate: {', '.join(small[:12])}{' and more' if len(small) > 12 else ''}."
        )
    worse = [
        f"{slice_.column} {slice_.value}"
        for slice_ in evidence.slices
        if slice_.gain is not None and slice_.gain.high < 0
    ]
    if worse:
        limits.append(f"Groups where it is worse than the previous champion, beyond chance: {', '.join(worse)}.")
    if model.serving.private:
        limits.append(f"Private columns, never shown or logged as they are: {', '.join(model.serving.private)}.")
    return limits
