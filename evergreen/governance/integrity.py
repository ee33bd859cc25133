"""The check-up: what must hold of a model's stores whatever died, read from the stores alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import pandas as pd

from evergreen import locks
from evergreen.definition import loader
from evergreen.definition.loader import MODEL_FILE
from evergreen.definition.model import Model
from evergreen.errors import EvergreenError, RegistryError
from evergreen.gates.judgement import Judgement, kept, recorded
from evergreen.governance import audit
from evergreen.ingestion.quarantine import Quarantine
from evergreen.lake import audit_log
from evergreen.lake.audit_log import Line
from evergreen.lake.lake import Lake
from evergreen.registry.registry import Registry
from evergreen.registry.version import Version
from evergreen.sql import columns
from evergreen.stores import Stores


@dataclass(frozen=True)
class Examined:
    """One thing that must hold.

    Attributes
    ----------
    what : str
    problems : list of str
        Where it does not, a sentence each; empty if it holds.
    """

    what: str
    problems: list[str]


@dataclass(frozen=True)
class _Subject:
    """What is looked at, each part once."""

    model: Model
    lake: Lake
    registry: Registry
    quarantine: Quarantine

    @cached_property
    def versions(self) -> list[Version]:
        return self.registry.versions(self.model.name)

    @cached_property
    def champion(self) -> Version | None:
        return next((one for one in self.versions if "champion" in one.aliases), None)

    @property
    def file(self) -> str:
        """The model file as it is: a version of another may have been promoted when nobody was to be asked."""
        return loader.fingerprint(self.model.name)

    @cached_property
    def lines(self) -> list[Line]:
        return audit_log.read(self.lake, self.model.name)


def examine(stores: Stores, model: Model) -> list[Examined]:
    """Look whether all holds that must, and say where it does not; nothing is changed."""
    subject = _Subject(model, stores.lake, stores.registry, stores.quarantine)
    return [Examined(what, list(_told(partial(look, subject)))) for what, look in _EXAMINATIONS.items()]


def _told(look: Callable[[], Iterator[str]]) -> Iterator[str]:
    """The problems; a store that does not answer is one."""
    try:
        yield from look()
    except EvergreenError as error:
        yield str(error)


def _passed(subject: _Subject) -> Iterator[str]:
    champion = subject.champion
    if champion is None:
        return
    if champion.rolled_back:
        yield f"{champion} was rolled back and still answers; the next `evergreen monitor {champion.model}` ends that."
    judged = subject.registry.version(champion.model, champion.promoted_by or champion.number)
    try:
        verdict = recorded(subject.registry, judged)
    except RegistryError as error:
        yield str(error)
        return
    if not any(_put_forward(one, champion) for one in kept(subject.registry, judged)):
        yield f"{champion} answers, and the verdict on version {judged.number} is {verdict.verdict.decision!r}."
    asked = subject.model.policy.approval is not None and champion.model_file_hash == subject.file
    if asked and not champion.approved:
        yield f"{champion} answers without a person's leave."


def _put_forward(verdict: Judgement, champion: Version) -> bool:
    own = verdict.verdict.passing and verdict.version in (champion.number, champion.refit_of)
    back = verdict.comeback == champion.number and verdict.comeback_verdict is not None
    return own or bool(back and verdict.comeback_verdict and verdict.comeback_verdict.passing)


def _lineage(subject: _Subject) -> Iterator[str]:
    for version in subject.versions:
        if version.missing:
            yield f"{version} does not say its {', '.join(version.missing)}."
        elif subject.registry.text(version, MODEL_FILE) is None:
            yield f"The run of {version} does not hold the model file that made it."


def _batches(subject: _Subject) -> Iterator[str]:
    """No row without a batch that a line tells of, and no key twice."""
    name = subject.model.name
    if not subject.lake.exists(name):
        return
    twice = f"SELECT count(*) - count(DISTINCT ({columns(subject.model.key)})) AS n FROM rows"
    if count := int(subject.lake.query(subject.model, twice)["n"][0]):
        yield f"{count} rows of the table have the key of another."
    came = subject.lake.query(
        subject.model, 'SELECT "_batch" AS batch, min("_arrived") AS arrived FROM rows GROUP BY "_batch"'
    )
    told = {one.subject for one in subject.lines if one.act == "ingest"}
    began = min((pd.Timestamp(one.at) for one in subject.lines), default=None)
    for batch, arrived in zip(came["batch"], came["arrived"], strict=True):
        if batch not in told and began is not None and arrived >= began:
            yield f"Rows of batch {batch} are in the table, and no line of the audit log tells of it."


def _quarantined(subject: _Subject) -> Iterator[str]:
    for entry in subject.quarantine.entries(subject.model.name):
        if not entry.failures:
            yield f"Batch {entry.batch} is in quarantine, and nothing says why."
        if len(subject.quarantine.rows(entry)) > entry.rows:
            yield f"Batch {entry.batch} in quarantine holds more rows than came."


def _log(subject: _Subject) -> Iterator[str]:
    yield from audit.problems(subject.lines, audit.seals(subject.versions))
    if subject.lines and subject.champion and subject.champion.promotion_seal:
        known = {one.subject for one in subject.lines if one.act in ("promotion", "rollback")}
        if subject.champion.number not in known:
            yield f"{subject.champion} answers, and no line of the audit log tells of its promotion."


def _runs(subject: _Subject) -> Iterator[str]:
    if locks.at_work(subject.model.name, "train"):
        return
    for run in subject.registry.open_runs(subject.model):
        yield f"The run {run} is open, and no training is at work; the next training ends it."


_EXAMINATIONS: dict[str, Callable[[_Subject], Iterator[str]]] = {
    "the champion has passed its gates": _passed,
    "every version says what it was made of": _lineage,
    "no row came twice, and none untold": _batches,
    "quarantine is whole": _quarantined,
    "the audit log is as it was written": _log,
    "no run was left open": _runs,
}
