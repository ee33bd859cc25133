"""Integrity checks: conditions that a model's stores must meet after any crash, read from the stores alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import pandas as pd

from evergreen import locks
from evergreen.definition import loader
from evergreen.definition.loader import MODEL_FILE
from evergreen.definition.model import Model
from evergreen.errors import AlteredModelError, EvergreenError, RegistryError
from evergreen.gates.judgement import newest_judgement, stored_judgements
from evergreen.governance import audit
from evergreen.ingestion.quarantine import Quarantine
from evergreen.lake import audit_log
from evergreen.lake.audit_log import Line
from evergreen.lake.lake import Lake
from evergreen.lifecycle import champion_moves, decision_log
from evergreen.lifecycle.decision import MONITOR_FAILED
from evergreen.registry.registry import Registry
from evergreen.registry.version import Version
from evergreen.sql import columns
from evergreen.stores import Stores


@dataclass(frozen=True)
class Examination:
    """The result of one check.

    Attributes
    ----------
    what : str
    problems : list of str
        A sentence each; empty if the check passed.
    """

    what: str
    problems: list[str]


@dataclass(frozen=True)
class _Subject:
    """The stores of one model; each part is read once."""

    model: Model
    lake: Lake
    registry: Registry
    quarantine: Quarantine

    @cached_property
    def versions(self) -> list[Version]:
        return self.registry.versions(self.model.name)

    @cached_property
    def champion(self) -> Version | None:
        return next((version for version in self.versions if "champion" in version.aliases), None)

    @property
    def file(self) -> str:
        """The fingerprint of the current model file: an earlier one may have required no approval."""
        return loader.file_hash(self.model.name)

    @cached_property
    def lines(self) -> list[Line]:
        return audit_log.read(self.lake, self.model.name)


def examine(stores: Stores, model: Model) -> list[Examination]:
    """Run all checks and report problems; nothing is changed."""
    subject = _Subject(model, stores.lake, stores.registry, stores.quarantine)
    return [Examination(what, list(_problems_of(partial(look, subject)))) for what, look in _EXAMINATIONS.items()]


def _problems_of(examination: Callable[[], Iterator[str]]) -> Iterator[str]:
    """The problems that a check finds; an error of a store is a problem too."""
    try:
        yield from examination()
    except EvergreenError as error:
        yield str(error)


def _passed(subject: _Subject) -> Iterator[str]:
    champion = subject.champion
    if champion is None:
        return
    if champion.rolled_back:
        yield (
            f"{champion} was rolled back but is still champion; "
            f"the next `evergreen monitor {champion.model}` completes the rollback."
        )
    judged = subject.registry.version(champion.model, champion.promoted_by or champion.number)
    try:
        verdict = newest_judgement(subject.registry, judged)
    except RegistryError as error:
        yield str(error)
        return
    if not any(judgement.supports(champion) for judgement in stored_judgements(subject.registry, judged)):
        yield f"{champion} is champion, but the verdict on version {judged.number} is {verdict.verdict.decision!r}."
    needs_approval = subject.model.policy.approval is not None and champion.model_file_hash == subject.file
    if needs_approval and not champion.approved:
        yield f"{champion} is champion without the approval that the model file requires."


def _lineage(subject: _Subject) -> Iterator[str]:
    for version in subject.versions:
        if version.missing:
            yield f"{version} lacks the tags {', '.join(version.missing)}."
        elif subject.registry.text(version, MODEL_FILE) is None:
            yield f"The run of {version} does not contain the model file that it was trained with."
        yield from _alteration(subject, version)


def _alteration(subject: _Subject, version: Version) -> list[str]:
    """Whether the stored model of a version is still the one that was registered."""
    try:
        if version.stored_hash:
            subject.registry.verify(version)
    except AlteredModelError as error:
        return [str(error)]
    return []


def _batches(subject: _Subject) -> Iterator[str]:
    """Every row belongs to a logged batch, and no key occurs twice."""
    name = subject.model.name
    if not subject.lake.exists(name):
        return
    sql = f"SELECT count(*) - count(DISTINCT ({columns(subject.model.key)})) AS n FROM rows"
    if count := int(subject.lake.query(subject.model, sql)["n"][0]):
        yield f"{count} rows of the table have the same key as another row."
    batches = subject.lake.query(
        subject.model, 'SELECT "_batch" AS batch, min("_arrived") AS arrived FROM rows GROUP BY "_batch"'
    )
    logged = {line.subject for line in subject.lines if line.act == "ingest"}
    began = min((pd.Timestamp(line.at) for line in subject.lines), default=None)
    for batch, arrived in zip(batches["batch"], batches["arrived"], strict=True):
        if batch not in logged and began is not None and arrived >= began:
            yield f"Rows of batch {batch} are in the table, but the audit log has no line about it."


def _quarantined(subject: _Subject) -> Iterator[str]:
    for entry in subject.quarantine.entries(subject.model.name):
        if not entry.failures:
            yield f"Batch {entry.batch} is in quarantine, but no failure is recorded."
        if len(subject.quarantine.rows(entry)) > entry.rows:
            yield f"Batch {entry.batch} in quarantine has more rows than the source gave."


def _log(subject: _Subject) -> Iterator[str]:
    yield from audit.verify(subject.lake, subject.registry, subject.model.name).problems
    champion, moves = subject.champion, [line for line in subject.lines if line.moves_champion]
    if champion and not champion.promotion_seal:
        return  # promoted before promotions were logged
    if champion and subject.lines and champion.number not in {line.subject for line in moves}:
        yield f"{champion} is champion, but the audit log has no line about its promotion."
    elif moves and not champion_moves.stands(subject.registry, moves[-1]):
        yield (
            f"{champion or 'No version'} is champion, but the newest line of the audit log that moves it, line "
            f"{moves[-1].number}, is the {moves[-1].act} of version {moves[-1].subject}: it was interrupted, or an "
            "alias was moved by hand. The next monitor of a model without champion, promotion, rollback or retirement "
            "does what the line says."
        )


def _runs(subject: _Subject) -> Iterator[str]:
    if locks.is_locked(subject.model.name, "train"):
        return
    for run in subject.registry.open_runs(subject.model):
        yield f"The run {run} is open, but no training is running; the next training ends it."


def _monitored(subject: _Subject) -> Iterator[str]:
    name = subject.model.name
    for entry in decision_log.read(subject.lake, subject.model, most=1, triggered=False):
        if entry.reason.startswith(MONITOR_FAILED):
            yield f"{entry.as_of[:16]}: {entry.reason} Once that is mended: `evergreen monitor {name}`."


_EXAMINATIONS: dict[str, Callable[[_Subject], Iterator[str]]] = {
    "the champion has passed its gates": _passed,
    "the lineage of every version is complete": _lineage,
    "every row is unique, and its batch is logged": _batches,
    "quarantine is consistent": _quarantined,
    "the audit log is unchanged": _log,
    "no run was left open": _runs,
    "the last monitor run succeeded": _monitored,
}
