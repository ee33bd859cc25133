"""The details of what waits for a person: the evidence for a version, a batch with its faults, runs that failed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from evergreen.lake.lake import AUDIT
from ui.known.fleet import Known, state_of
from ui.known.parts import Part, Question, Reader, lasting

if TYPE_CHECKING:
    from evergreen.gates.judgement import Judgement
    from evergreen.lake.release_log import Request
    from evergreen.registry.version import Version
    from evergreen.stores import Stores
    from flows.runtime.runs import Troubled

_SERVER, _FRESH, _RUNS = 3.0, 5.0, 15.0  # seconds
Subject = tuple[str, str]
"""A model, and the number of its version or the id of its batch."""


@dataclass(frozen=True)
class Proposal:
    """A version that is pending approval, and what is known of it.

    Attributes
    ----------
    version : Version
    until : str
        When the request lapses; ISO 8601.
    judgement : Judgement
    changes : list of str
        How it differs from the champion that it was compared with, a sentence each.
    picture : str
        The name of the kept picture of its evaluation; empty if there is none.
    starters : list of str
        The persons who requested its training or its online evaluation.
    """

    version: "Version"
    until: str
    judgement: "Judgement"
    changes: list[str]
    picture: str
    starters: list[str]


def proposal(stores: "Stores", model: str, number: str) -> Proposal:
    """What is known of a version that is pending approval."""
    from evergreen.gates.judgement import deciding_judgement
    from evergreen.lifecycle.approval import approval_of, starters
    from evergreen.reports import model_card

    registry = stores.registry
    version = registry.version(model, number)
    request = approval_of(version)
    judged = deciding_judgement(registry, registry.version(model, request.judged or number))
    before = registry.version(model, judged.against) if judged.against else None
    kept = "trial.png" if judged.trial else "judged.png"
    return Proposal(
        version=version,
        until=request.until,
        judgement=judged,
        changes=model_card.changes(version, before) if before else [],
        picture=kept if picture(stores, model, number, kept) else "",
        starters=starters(stores, version, request.judged),
    )


def picture(stores: "Stores", model: str, number: str, name: str) -> bytes | None:
    """The picture of the evaluation of a version, as it was kept; None without one."""
    registry = stores.registry
    version = registry.version(model, number)
    return registry.artifact(version if name == "trial.png" else registry.origin(version), name)


def _has_server() -> bool:
    from flows.runtime import runs

    return runs.has_server()


def _releases() -> "list[Request]":
    from evergreen.lake import release_log
    from evergreen.settings import Settings

    return list(filter(None, [release_log.waiting(Settings.read().lake)]))


def _troubled() -> "Troubled":
    from flows.runtime import runs

    return runs.troubled() if runs.has_server() else runs.Troubled([])


def _paused() -> dict[str, bool]:
    from flows.runtime import runs, schedules

    return schedules.paused() if runs.has_server() else {}


@dataclass(frozen=True)
class Waiting:
    """What waits for a person, as far as it is known.

    Attributes
    ----------
    reader : Reader
        Reads it.
    open : callable
        Opens the stores.
    """

    reader: Reader
    open: "Callable[[], Stores]"

    def proposals(self, wanted: Iterable[Subject], patience: float) -> dict[Subject, Part]:
        """The evidence for versions that are pending approval, by their model and number: of each a `Proposal`."""
        return self._of_models("proposal", wanted, lambda subject: proposal(self.open(), *subject), patience)

    def batches(self, wanted: Iterable[Subject], patience: float) -> dict[Subject, Part]:
        """Batches in quarantine, by their model and id: of each an `Entry`."""
        return self._of_models("batch", wanted, lambda subject: self.open().quarantine.entry(*subject), patience)

    def _of_models(
        self, what: str, wanted: Iterable[Subject], read: Callable[[Subject], Any], patience: float
    ) -> dict[Subject, Part]:
        def question(subject: Subject) -> Question:
            return Question(
                (what, *subject), 0, lambda: read(subject), lambda: state_of(self.open, subject[0], (AUDIT,))
            )

        return self.reader.parts({subject: question(subject) for subject in wanted}, patience)

    def paused(self) -> dict[str, bool]:
        """Whether the schedules of each model that has any are paused."""
        return self._lasting(_paused, _FRESH, 0.2).value or {}

    def releases(self, patience: float = 0.0) -> Part:
        """The release that waits for approval, if one does: a list of `Request`."""
        return self._lasting(_releases, _RUNS, patience)

    def server(self) -> bool:
        """Whether there is a Prefect server now."""
        return bool(self._lasting(_has_server, _SERVER, 1.0).value)

    def failed(self, known: Known, patience: float = 0.0) -> Part:
        """The failed and overdue runs of models that there are: a `Troubled`."""
        names = {summary.name for summary in known.summaries}
        part = self._lasting(_troubled, _RUNS, patience)
        if part.value is None:
            return part
        return replace(part, value=replace(part.value, runs=[run for run in part.value.runs if run.model in names]))

    def _lasting(self, read: Callable[[], Any], seconds: float, patience: float) -> Part:
        return self.reader.part(Question(read.__name__, lasting(seconds), read), patience)
