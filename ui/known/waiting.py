"""The details of what waits for a person: the evidence for a version, a batch with its faults, runs that failed."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evergreen.stores import Stores
from ui.known.fleet import Known
from ui.known.reading import Lookup, Reading

if TYPE_CHECKING:
    from evergreen.gates.judgement import Judgement
    from evergreen.ingestion.quarantine import Entry
    from evergreen.lake.release_log import Request
    from evergreen.registry.version import Version
    from flows.runtime.runs import Run

_SERVER, _FRESH, _RUNS = 3.0, 5.0, 15.0  # seconds
_FOR_GOOD = float("inf")


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


def proposal(stores: Stores, model: str, number: str) -> Proposal:
    """What is known of a version that is pending approval."""
    from evergreen.gates.judgement import deciding_judgement
    from evergreen.lifecycle.approval import approval_of
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


def picture(stores: Stores, model: str, number: str, name: str) -> bytes | None:
    """The picture of the evaluation of a version, as it was kept; None without one."""
    registry = stores.registry
    version = registry.version(model, number)
    return registry.artifact(version if name == "trial.png" else registry.origin(version), name)


def starters(stores: Stores, version: "Version", judged: str) -> list[str]:
    """The persons who requested the training of a version, or its online evaluation, as the audit log has them."""
    from evergreen.lake import audit_log

    subjects = {version.number, version.refit_of, judged} - {""}
    lines = audit_log.read(stores.lake, version.model)
    return sorted(
        {line.by for line in lines if line.by and line.act in ("verdict", "challenge") and line.subject in subjects}
    )


def _has_server() -> bool:
    from flows.runtime import runs

    return runs.has_server()


def _release() -> "Request | None":
    from evergreen.lake import release_log
    from evergreen.settings import Settings

    return release_log.waiting(Settings.read().lake)


def _troubled() -> "list[Run]":
    from flows.runtime import runs

    return runs.troubled() if runs.has_server() else []


def _paused() -> dict[str, bool]:
    from flows.runtime import runs, schedules

    return schedules.paused() if runs.has_server() else {}


@dataclass
class Waiting:
    """Readings of what waits, kept between requests.

    Attributes
    ----------
    proposals : Lookup
        The evidence for a version that is pending approval, by its model and number.
    batches : Lookup
        A batch in quarantine, by its model and id.
    runs : Reading
        The failed and overdue runs.
    release : Reading
        The release that waits for approval, if one does.
    """

    proposals: Lookup[tuple[str, str], Proposal] = field(
        default_factory=lambda: Lookup(lambda key: proposal(Stores.open(), *key), _FOR_GOOD)
    )
    batches: "Lookup[tuple[str, str], Entry]" = field(
        default_factory=lambda: Lookup(lambda key: Stores.open().quarantine.entry(*key), _FOR_GOOD)
    )
    _server: Reading[bool] = field(default_factory=lambda: Reading(_has_server, _SERVER))
    _schedules: Reading[dict[str, bool]] = field(default_factory=lambda: Reading(_paused, _FRESH))
    runs: "Reading[list[Run]]" = field(default_factory=lambda: Reading(_troubled, _RUNS))

    def paused(self) -> dict[str, bool]:
        """Whether the schedules of each model that has any are paused, as far as that is known."""
        return self._schedules.known(0.2) or {}

    release: "Reading[Request | None]" = field(default_factory=lambda: Reading(_release, _RUNS))

    def server(self) -> bool:
        """Whether there is a Prefect server now."""
        return bool(self._server.known(1.0))

    def failed(self, known: Known, patience: float = 0.0) -> "list[Run]":
        """The failed and overdue runs of models that there are, as far as they are known."""
        names = {summary.name for summary in known.summaries}
        return [run for run in self.runs.known(patience) or [] if run.model in names]
