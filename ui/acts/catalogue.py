"""What a person can do from a page: by the same code as the commands, once, and in the audit log by their name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evergreen.definition import model_files
from evergreen.errors import PromotionError, QuarantineError
from ui.access.visitor import Role
from ui.refusal import RefusedError

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.stores import Stores
    from flows.runtime.runs import Run


@dataclass(frozen=True)
class Wanted:
    """What a form asks for.

    Attributes
    ----------
    model, subject : str
        The model, and the version or batch; empty where the act needs none.
    reason : str
    by : str
        The person.
    token : str
        Of the form.
    """

    model: str
    subject: str
    reason: str
    by: str
    token: str


Work = Callable[["Stores", Wanted], "str | Run"]


@dataclass(frozen=True)
class Act:
    """Something to do.

    Attributes
    ----------
    name : str
        In its address.
    label : str
        On its button.
    role : Role
        Who may do it.
    work : callable
        Does it, and says what it came to, or gives the run that does it.
    command : str
        What does the same in a shell.
    reasoned : bool
        Whether it needs a reason.
    flow : str
        The deployment that does it, or whose server does; empty for none.
    """

    name: str
    label: str
    role: Role
    work: Work
    command: str
    reasoned: bool = True
    flow: str = ""
    of_model: bool = True

    def command_for(self, model: str, subject: str = "") -> str:
        """The command, for a model and its version or batch."""
        return self.command.format(model=model, subject=subject, version=f"@{subject}" if subject else "")


def _flow(flow: str, parameters: Callable[[Wanted], dict[str, Any]], check: Work | None = None) -> Work:
    """A run of a deployment; the form's token is its key, so that it is started once."""

    def work(stores: "Stores", wanted: Wanted) -> "str | Run":
        from flows.runtime import runs

        if check is not None:
            check(stores, wanted)
        return runs.start(flow, {"model": wanted.model, "by": wanted.by, **parameters(wanted)}, wanted.token)

    return work


def _answerable(stores: "Stores", wanted: Wanted) -> str:
    """Make sure that an approval request is open: the second person to answer is told at once.

    Raises
    ------
    PromotionError
        It is not.
    """
    from evergreen.lifecycle.approval import open_request

    request = open_request(stores.registry, wanted.model, wanted.subject, _now())
    champion = stores.registry.champion(wanted.model)
    if request.state == "approved" and champion and champion.number == request.version.number:
        raise PromotionError(f"{request.sentence}.")
    return ""


def _approvable(stores: "Stores", wanted: Wanted) -> str:
    """The same, and where the settings ask for four eyes, that another person requested the version.

    Raises
    ------
    PromotionError
        It is not so.
    """
    from evergreen.lifecycle.approval import check_second, open_request

    _answerable(stores, wanted)
    check_second(stores, open_request(stores.registry, wanted.model, wanted.subject, _now()), wanted.by)
    return ""


def _approve_release(_stores: "Stores", wanted: Wanted) -> str:
    """Record the approval of a release, which its next deploy puts in force.

    Raises
    ------
    PromotionError
        It does not wait for one, or its own deployer may not give it.
    """
    from evergreen.lake import release_log
    from evergreen.lake.release_log import Approval
    from evergreen.settings import Settings

    lake, commit = Settings.read().lake, wanted.subject
    asked = release_log.waiting(lake)
    if asked is None or asked.commit != commit:
        raise PromotionError(f"Release {commit[:10]} waits for no approval: it has one, or another release came after.")
    release_log.approve(lake, Approval(_now().isoformat(timespec="microseconds"), commit, wanted.by, wanted.reason))
    return f"Release {commit[:10]} was approved. `evergreen deploy --release {commit[:10]}` puts it in force."


def _demand(wanted: Wanted) -> dict[str, Any]:
    return {"reason": f"demand {wanted.reason}".strip()}


def _held(stores: "Stores", wanted: Wanted) -> None:
    """Make sure that a batch still waits.

    Raises
    ------
    QuarantineError
        There is none, or somebody has seen to it before.
    """
    entry = stores.quarantine.entry(wanted.model, wanted.subject)
    if entry.state != "held":
        raise QuarantineError(f"{wanted.model} {entry.batch} was {entry.state} before: {entry.note or 'no note'}.")


def _release(stores: "Stores", wanted: Wanted) -> str:
    from evergreen.definition.loader import load
    from evergreen.ingestion.release import release

    _held(stores, wanted)
    model, batch = load(wanted.model), wanted.subject
    done = release(stores.lake, stores.quarantine, model, batch, wanted.reason, _now(), wanted.by)
    return f"{wanted.model}: {batch} was released: {done.new:,} rows new, {done.corrected:,} corrected."


def _retry(stores: "Stores", wanted: Wanted) -> str:
    from evergreen.definition.loader import load
    from evergreen.ingestion.release import retry

    model, batch = load(wanted.model), wanted.subject
    done = retry(stores.lake, stores.quarantine, model, batch, wanted.reason, _now(), wanted.by)
    return f"{wanted.model}: {batch} was read again: {done.new:,} rows new, {done.corrected:,} corrected."


def _drop(stores: "Stores", wanted: Wanted) -> str:
    from evergreen.ingestion.release import drop

    _held(stores, wanted)
    drop(stores.lake, stores.quarantine, wanted.model, wanted.subject, wanted.reason, _now(), wanted.by)
    return f"{wanted.model}: {wanted.subject} was dropped."


def _acknowledge(stores: "Stores", wanted: Wanted) -> str:
    from evergreen.lake.lake import Bare
    from evergreen.lifecycle.acknowledgement import acknowledge

    alert = acknowledge(stores, Bare(wanted.model), wanted.reason, wanted.by, _now())
    return f"{wanted.model}: acknowledged: {alert.entry.reason}"


def _switch(name: str) -> Work:
    def work(stores: "Stores", wanted: Wanted) -> str:
        from flows.runtime import schedules

        act = schedules.pause if name == "pause" else schedules.resume
        done = act(stores, wanted.model, wanted.reason, wanted.by, _now())
        word = schedules.PAUSED if name == "pause" else schedules.RESUMED
        return f"{wanted.model}: {word}: {', '.join(done.schedules)}."

    return work


def _now() -> "pd.Timestamp":
    from datetime import UTC, datetime

    import pandas as pd

    return pd.Timestamp(datetime.now(UTC)).as_unit("us")


def _answer(approved: bool) -> Work:
    def parameters(wanted: Wanted) -> dict[str, Any]:
        return {"reason": wanted.reason, "approved": approved, "version": wanted.subject}

    return _flow("approve", parameters, _approvable if approved else _answerable)


_BATCH = "evergreen quarantine {name} {{model}} {{subject}} --note ..."
ACTS = {
    act.name: act
    for act in (
        Act(
            "approve",
            "Approve",
            Role.APPROVER,
            _answer(True),
            "evergreen approve {model}{version} --reason ...",
            flow="approve",
        ),
        Act(
            "refuse",
            "Refuse",
            Role.APPROVER,
            _answer(False),
            "evergreen refuse {model}{version} --reason ...",
            flow="approve",
        ),
        Act(
            "rollback",
            "Roll back",
            Role.APPROVER,
            _flow("rollback", lambda wanted: {"reason": wanted.reason, "to": wanted.subject}),
            "evergreen rollback {model} --reason ...",
            flow="rollback",
        ),
        Act(
            "train",
            "Train now",
            Role.OPERATOR,
            _flow("train", _demand),
            "evergreen train {model}",
            reasoned=False,
            flow="train",
        ),
        Act(
            "refresh",
            "Refresh now",
            Role.OPERATOR,
            _flow("refresh", _demand),
            "evergreen refresh {model} --reason demand",
            reasoned=False,
            flow="refresh",
        ),
        Act(
            "monitor",
            "Check now",
            Role.OPERATOR,
            _flow("monitor", lambda wanted: {}),
            "evergreen monitor {model}",
            reasoned=False,
            flow="monitor",
        ),
        Act(
            "acknowledge",
            "Acknowledge",
            Role.OPERATOR,
            _acknowledge,
            "evergreen acknowledge {model} --reason ...",
        ),
        Act(
            "pause",
            "Pause the schedules",
            Role.OPERATOR,
            _switch("pause"),
            "evergreen pause {model} --reason ...",
            flow="refresh",
        ),
        Act(
            "resume",
            "Resume the schedules",
            Role.OPERATOR,
            _switch("resume"),
            "evergreen resume {model} --reason ...",
            flow="refresh",
        ),
        Act(
            "approve-release",
            "Approve the release",
            Role.APPROVER,
            _approve_release,
            "evergreen deploy --release {subject} --approve --reason ...",
            of_model=False,
        ),
        Act("release", "Release", Role.OPERATOR, _release, _BATCH.format(name="release")),
        Act("drop", "Drop", Role.OPERATOR, _drop, _BATCH.format(name="drop")),
        Act("retry", "Read again", Role.OPERATOR, _retry, _BATCH.format(name="retry")),
    )
}
"""Everything that a person can do, by its name."""


def find(name: str) -> Act:
    """An act by its name.

    Raises
    ------
    RefusedError
        There is none.
    """
    if name not in ACTS:
        raise RefusedError(404, f"There is nothing to do that is called {name[:60]!r}.")
    return ACTS[name]


def check_model(name: str, known: set[str]) -> None:
    """Make sure that there is such a model, before its name becomes part of a path.

    Raises
    ------
    RefusedError
        There is none.
    """
    if name not in known and name not in model_files.names():
        raise RefusedError(404, f"There is no model {name[:60]!r}.")
