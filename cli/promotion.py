"""Promotion: shadow and canary, re-evaluation, approval, rollback."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from cli import checks
from cli.output import say
from cli.parameters import AsOf, Json, ModelName, ModelVersion, as_typed, exits, utc
from evergreen.exit_codes import Exit

PendingVersion = Annotated[
    str, typer.Argument(metavar="MODEL[@VERSION]", help="Such as airtime@7; the one that is pending otherwise.")
]
ApprovalReason = Annotated[str, typer.Option(help="Why, for the record.")]
By = Annotated[str, typer.Option(help="Who decides, for the record; the user of this shell otherwise.")]


@exits(Exit.DONE, Exit.FAILED, Exit.REJECTED, Exit.UNDECIDED, Exit.BUSY, Exit.WAITING)
def challenge(
    model: ModelName,
    version: Annotated[str, typer.Option(help="A version's number; the last challenger by default.")] = "challenger",
    share: Annotated[
        float | None,
        typer.Option(help="Run as canary for this share of the requests, above 0 and below 1; as shadow without it."),
    ] = None,
    stop: Annotated[bool, typer.Option("--stop", help="Stop the running shadow or canary.")] = False,
    judge: Annotated[
        bool, typer.Option("--judge", help="Evaluate the running shadow or canary on its own predictions.")
    ] = False,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Run a version beside the champion, as shadow or canary, or evaluate the one that runs.

    A shadow predicts for the log only; a canary answers a share of the requests, always those with the same
    keys. A canary that fails or is slow is stopped automatically. With --judge, the running version is
    evaluated on the labels of what it predicted, and promoted or rejected as after a training.
    """
    if judge and (stop or share is not None or version != "challenger"):
        raise typer.BadParameter(
            "--judge evaluates the running shadow or canary; leave --version, --share and --stop out."
        )
    if as_of is not None and not judge:
        raise typer.BadParameter("--as-of goes with --judge only; a shadow or canary starts and stops now.")
    if judge:
        _judge(model, as_of, json)
    from evergreen.definition.model_files import existing
    from evergreen.errors import PromotionError
    from evergreen.lake import audit_log
    from evergreen.registry.version import CANARY, CHAMPION, SHADOW
    from evergreen.stores import Stores

    existing(model)
    stores, person = Stores.open(), audit_log.person()
    if stop:
        audit_log.challenge(stores.lake, model, "all", "no more", by=person)
        ended = stores.registry.withdraw(model, CANARY, SHADOW)
        sentence = f"version {' and '.join(ended)} was stopped" if ended else "no version runs as shadow or canary"
        say(json, {"model": model, "withdrawn": ended}, f"{model}: {sentence}.", then=f"evergreen models {model}")
        return
    if share is not None and not 0 < share < 1:
        raise typer.BadParameter("--share is above 0 and below 1; leave it out for the shadow.")
    challenger = stores.registry.version(model, version)
    if CHAMPION in challenger.aliases:
        raise PromotionError(
            f"{challenger} is the champion, and cannot run beside itself. `evergreen models {model}` lists the others."
        )
    how = "in the shadow" if share is None else f"{share:.0%} of the requests"
    audit_log.challenge(stores.lake, model, challenger.number, how, by=person)
    stores.registry.challenge(challenger, share)
    role = "as shadow" if share is None else f"as canary for {how}"
    record = {"model": model, "version": challenger.number, "share": share}
    say(
        json,
        record,
        f"{model}: version {challenger.number} runs beside the champion {role}.",
        then=f"evergreen challenge {model} --judge",
    )


def _judge(model: str, as_of: datetime | None, json: bool) -> None:
    from flows.runtime import temporary_server

    temporary_server.start(model)
    checks.online(model)
    from cli.next_commands import after_outcome
    from cli.render.loop import outcome
    from evergreen.lake.audit_log import person
    from flows.judge import judge as run
    from flows.runtime.terminal import attended

    attended(model)
    result = run(model, as_of=utc(as_of), by=person())
    say(json, result, outcome(result), then=after_outcome(result, as_typed(as_of)))
    raise typer.Exit(result.code)


@exits(Exit.DONE, Exit.FAILED, Exit.REJECTED, Exit.UNDECIDED)
def gate(
    model: ModelName,
    version: Annotated[str, typer.Option(help="A version's number or alias.")] = "challenger",
    json: Json = False,
) -> None:
    """Evaluate a version again with the gates as they are now; nothing is changed.

    The version is compared with the champion of its own training time, on the rows known then. A refit is
    evaluated as the version that it refits.
    """
    from cli.render.inspect import judged
    from evergreen.gates.reevaluation import reevaluate
    from evergreen.lifecycle.outcome import code_of
    from evergreen.stores import Stores
    from flows.runtime.progress import doing

    doing(f"judging version {version} on its holdout")
    judgement = reevaluate(Stores.open(), model, version)
    say(json, judgement, judged(judgement), then=f"evergreen why {model}")
    raise typer.Exit(code_of(judgement.verdict.decision))


@exits(Exit.DONE, Exit.FAILED, Exit.BUSY)
def approve(version: PendingVersion, reason: ApprovalReason, by: By = "", json: Json = False) -> None:
    """Approve a pending version; it becomes champion at once.

    Where EVERGREEN_UI_FOUR_EYES asks for two persons, neither the user of this shell nor --by may have requested it.
    """
    _answer(version, reason, by, True, json)


@exits(Exit.DONE, Exit.FAILED, Exit.BUSY)
def refuse(version: PendingVersion, reason: ApprovalReason, by: By = "", json: Json = False) -> None:
    """Refuse a pending version; the champion stays.

    The version is not promoted by this verdict again.
    """
    _answer(version, reason, by, False, json)


def _answer(version: str, reason: str, by: str, approved: bool, json: bool) -> None:
    from flows.runtime import temporary_server

    name, _, number = version.partition("@")
    temporary_server.start(name)
    from evergreen.lake.audit_log import person

    by = by or person()
    checks.request(name, number, by if approved else "")
    from cli.next_commands import after_outcome
    from cli.render.loop import outcome
    from flows.approve import approve as run
    from flows.runtime.terminal import attended

    attended(name)
    result = run(name, reason, by, approved, number)
    say(json, result, outcome(result), then=after_outcome(result))


@exits(Exit.DONE, Exit.FAILED, Exit.REJECTED, Exit.UNDECIDED, Exit.BUSY, Exit.WAITING)
def carry(
    model_version: ModelVersion,
    source: Annotated[str, typer.Option("--from", metavar="ENVIRONMENT", help="Where it is, such as staging.")],
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Bring a version of another environment with its model and lineage; these gates judge it before it may answer.

    It is compared with the champion on rows of this environment that it was not trained on, and promoted as after a
    training. It is not fitted again.
    """
    from flows.runtime import temporary_server

    model, _, number = model_version.partition("@")
    checks.environment(source)
    temporary_server.start(model)
    checks.rows(model)
    from cli.next_commands import after_outcome
    from cli.render.loop import outcome
    from evergreen.lake.audit_log import person
    from flows.carry import carry as run
    from flows.runtime.terminal import attended

    attended(model)
    result = run(model, source, number or "champion", as_of=utc(as_of), by=person())
    say(json, result, outcome(result), then=after_outcome(result, as_typed(as_of)))
    raise typer.Exit(result.code)


@exits(Exit.DONE, Exit.FAILED, Exit.BUSY)
def rollback(
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    model: Annotated[str, typer.Argument(metavar="[MODEL]", help="The name of a file in models/.")] = "",
    to: Annotated[str, typer.Option(help="A version's number; the previous champion by default.")] = "",
    made_by: Annotated[
        str,
        typer.Option(metavar="COMMIT", help="Of every model whose champion this release has made, instead of MODEL."),
    ] = "",
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Make an earlier champion the champion again; with --made-by, of every model that a release has changed.

    The version that is replaced is not promoted again by its earlier verdict. With --made-by the newest champion
    before of another commit is put back; it fails if a model has none, or no file any more. Versions of the release
    that run as shadow or canary are stopped, and those that wait for approval are refused.
    """
    if bool(model) == bool(made_by):
        raise typer.BadParameter("Give either a MODEL or --made-by.")
    if made_by:
        _roll_back_release(made_by, to, reason, as_of, json)
        return
    from flows.runtime import temporary_server

    temporary_server.start(model)
    checks.destination(model, to)
    from cli.next_commands import after_outcome
    from cli.render.loop import outcome
    from evergreen.lake.audit_log import person
    from flows.rollback import rollback as run
    from flows.runtime.terminal import attended

    attended(model)
    result = run(model, reason=reason, to=to, by=person(), as_of=utc(as_of))
    say(json, result, outcome(result), then=after_outcome(result, as_typed(as_of)))


@exits(Exit.DONE, Exit.FAILED, Exit.BUSY)
def retire(
    model: ModelName,
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    undo: Annotated[bool, typer.Option("--undo", help="Let it answer again, with the version that did.")] = False,
    json: Json = False,
) -> None:
    """Let a model that has no model file any more stop answering; its versions and records stay.

    Deleting a model's file ends its trainings, not its answers: callers may still need them. The service stops within
    a second of this command.
    """
    import pandas as pd

    from evergreen.lake.audit_log import person
    from evergreen.lifecycle import retirement
    from evergreen.locks import model_lock
    from evergreen.stores import Stores

    act = retirement.undo if undo else retirement.retire
    with model_lock(model, "train"):
        version = act(Stores.open(), model, reason, person(), pd.Timestamp(datetime.now(UTC)))
    sentence = f"version {version.number} is champion again" if undo else f"version {version.number} answers no more"
    record = {"model": model, "version": version.number, "retired": not undo, "reason": reason}
    say(json, record, f"{model}: {sentence}.", then=f"evergreen audit {model}")


def _roll_back_release(commit: str, to: str, reason: str, as_of: datetime | None, json: bool) -> None:
    """Put back the champion before of each model whose champion a release has made, and stop its other versions."""
    from evergreen.definition.model_files import names
    from evergreen.lifecycle.rollback import made_by
    from evergreen.releases import SHORTEST
    from evergreen.stores import Stores

    if to or len(commit) < SHORTEST:
        raise typer.BadParameter(f"--made-by takes at least {SHORTEST} letters of a commit, and no --to.")
    known = names()
    made = made_by(Stores.open().registry, known, commit)
    if not (made.champions or made.promotable):
        say(
            json,
            [],
            f"No champion was made by release {commit}, and no version of it may become one.",
            then="evergreen status",
        )
        return
    from rich.console import Group

    from flows.runtime import temporary_server

    temporary_server.start()
    from cli.release_rollback import take_back
    from cli.render.loop import outcome
    from evergreen.lake.audit_log import person
    from flows.runtime.parameters import timestamp_of
    from flows.runtime.terminal import attended

    attended()
    done = take_back(made, known, reason, person(), timestamp_of(utc(as_of)))
    say(json, done.outcomes, Group(*map(outcome, done.outcomes)), then="evergreen status")
    for line in [*done.notes, *done.left]:
        typer.echo(line, err=True)
    raise typer.Exit(Exit.FAILED if done.left else Exit.DONE)
