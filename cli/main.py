"""The command line: `evergreen --help` names every command."""

import os
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli import quarantine
from cli.approve import approve, refuse
from cli.audit import audit
from cli.card import card
from cli.demo import demo
from cli.deploy import deploy
from cli.doctor import doctor
from cli.forget import forget
from cli.look import look
from cli.new import new
from cli.printing import Json, say
from cli.replay import replay
from cli.report import report
from cli.reproduce import reproduce
from cli.serve import key, serve
from cli.trace import trace
from cli.up import up
from evergreen.settings import embed

app = typer.Typer(
    help="Keep machine-learning models fresh: ingest, train, judge, promote, with the evidence kept.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(quarantine.app, name="quarantine")
app.command()(demo)
app.command()(new)
app.command()(look)
app.command()(report)
app.command()(replay)
app.command()(doctor)
app.command()(approve)
app.command()(refuse)
app.command()(audit)
app.command()(reproduce)
app.command()(trace)
app.command()(card)
app.command()(forget)
app.command()(up)
app.command()(serve)
app.command()(key)
app.command()(deploy)

Name = Annotated[str, typer.Argument(metavar="MODEL", help="The name of a file in models/.")]
AsOf = Annotated[
    datetime | None,
    typer.Option(
        help="The moment whose knowledge counts, in UTC; now by default.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]
    ),
]


def _triggered(reason: str) -> str:
    """A reason is a trigger, and what else is worth keeping after it: the policy weighs its first word."""
    from evergreen.lifecycle.retraining import TRIGGERS, trigger

    if trigger(reason.strip()) not in TRIGGERS:
        raise typer.BadParameter(f"{reason!r} does not begin with one of {', '.join(TRIGGERS)}.")
    return reason.strip()


Reason = Annotated[
    str,
    typer.Option(
        callback=_triggered, help="Why: demand, schedule, data, drift or performance, and further words if you like."
    ),
]


@app.callback()
def options(debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and logs.")] = False) -> None:
    """Keep machine-learning models fresh: ingest, train, judge, promote, with the evidence kept."""
    from evergreen.exit_codes import quiet

    os.environ["EVERGREEN_DEBUG"] = "1" if debug else ""
    quiet()
    embed()


@app.command()
def ingest(model: Name, as_of: AsOf = None, json: Json = False) -> None:
    """Take in what is new: check the contract, land what is good, quarantine what is not."""
    from cli.showing import ingested
    from evergreen.lifecycle.outcome import code_after
    from flows.ingest import ingest as run
    from flows.runtime.terminal import attended

    attended(model)
    batches = run(model, as_of=_utc(as_of))
    say(json, batches, ingested(model, batches))
    raise typer.Exit(code_after(batches))


@app.command()
def train(model: Name, reason: Reason = "demand", as_of: AsOf = None, json: Json = False) -> None:
    """Train a challenger, judge it, and promote it if every gate passes.

    Exit code: 0 promoted or nothing to do, 3 rejected, 5 not enough evidence, 6 busy, 8 waits for leave.
    """
    from cli.showing import outcome
    from flows.runtime.terminal import attended
    from flows.train import train as run

    attended(model)
    came = run(model, reason=reason, as_of=_utc(as_of))
    say(json, came, outcome(came))
    raise typer.Exit(came.code)


@app.command()
def refresh(model: Name, reason: Reason = "schedule", as_of: AsOf = None, json: Json = False) -> None:
    """Run the whole loop once: ingest, and train if the policy finds it due, or what has landed asks for it.

    Exit codes as for `train`, and 4 if a batch went into quarantine.
    """
    from cli.showing import outcome
    from flows.refresh import refresh as run
    from flows.runtime.terminal import attended

    attended(model)
    came = run(model, reason=reason, as_of=_utc(as_of))
    say(json, came, outcome(came))
    raise typer.Exit(came.code)


@app.command()
def monitor(model: Name, as_of: AsOf = None, json: Json = False) -> None:
    """Watch the champion: answer what is new, look at drift, data quality and performance, decide.

    Exit code: 0, whatever is decided.
    """
    from cli.showing import decided
    from flows.monitor import monitor as run
    from flows.runtime.terminal import attended

    attended(model)
    decision = run(model, as_of=_utc(as_of))
    say(json, decision, decided(model, decision))


@app.command()
def rollback(
    model: Name,
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    to: Annotated[str, typer.Option(help="A version's number; by default the one that the champion replaced.")] = "",
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Put an earlier champion back; what it replaces comes back by no verdict of old.

    Exit code: 0 done, or it was the champion already; 1 there is nothing to go back to, 6 busy.
    """
    from cli.showing import outcome
    from evergreen.lake.audit_log import person
    from flows.rollback import rollback as run
    from flows.runtime.terminal import attended

    attended(model)
    came = run(model, reason=reason, to=to, by=person(), as_of=_utc(as_of))
    say(json, came, outcome(came))


@app.command()
def score(
    model: Name,
    source: Annotated[
        str, typer.Option("--input", help="A .parquet or .csv file, a folder, a glob, or a database's URL.")
    ],
    output: Annotated[str, typer.Option(help="The file to write, .parquet or .csv; replaced whole at the end.")],
    query: Annotated[str, typer.Option(help="What to read of a database; by default its only table.")] = "",
    version: Annotated[str, typer.Option(help="By number or alias.")] = "champion",
    no_log: Annotated[bool, typer.Option("--no-log", help="Log nothing of what is answered.")] = False,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Answer many rows at once with the champion, streamed from files or a query into a file.

    Exit code: 0; 1 the input does not fit, or there is no such version.
    """
    from flows.runtime.terminal import attended
    from flows.score import score as run

    attended(model)
    came = run(model, source, output, query, version, log=not no_log, as_of=_utc(as_of))
    ignored = f" Not of the model, and left out: {', '.join(came.ignored)}." if came.ignored else ""
    say(json, came, f"{model}: {came.rows:,} rows answered by version {came.version} into {came.output}.{ignored}")


@app.command()
def challenge(
    model: Name,
    version: Annotated[str, typer.Option(help="A version's number; by default the last challenger's.")] = "challenger",
    share: Annotated[
        float | None, typer.Option(help="The share of the requests that it answers, above 0 and below 1.")
    ] = None,
    stop: Annotated[bool, typer.Option("--stop", help="Take it back.")] = False,
    judge: Annotated[bool, typer.Option("--judge", help="Judge the one that is on trial by what it answered.")] = False,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Let a version answer beside the champion: in the shadow (for the log only), or a share of the requests.

    The same keys are always answered by the same version. A canary that errs or slows is taken back
    by itself. Exit code: 0; 1 there is no such version.

    With --judge: as of `train`, and 1 if nobody is on trial, was asked, or has a label of what it answered.
    """
    if judge and (stop or share is not None or version != "challenger"):
        raise typer.BadParameter("--judge is of whoever is on trial now; leave --version, --share and --stop out.")
    if as_of is not None and not judge:
        raise typer.BadParameter("--as-of belongs to --judge; a trial begins and ends now.")
    if judge:
        _judge(model, as_of, json)
    from evergreen.definition.loader import load
    from evergreen.lake import audit_log
    from evergreen.registry.registry import Registry
    from evergreen.registry.version import CANARY, SHADOW

    load(model)
    registry, person = Registry.open(), audit_log.person()
    if stop:
        audit_log.challenge(model, "all", "no more", by=person)
        ended = registry.withdraw(model, CANARY, SHADOW)
        told = f"version {' and '.join(ended)} answers no more" if ended else "nothing answers beside the champion"
        say(json, {"model": model, "withdrawn": ended}, f"{model}: {told}.")
        return
    if share is not None and not 0 < share < 1:
        raise typer.BadParameter("--share is above 0 and below 1; leave it out for the shadow.")
    found = registry.version(model, version)
    how = "in the shadow" if share is None else f"{share:.0%} of the requests"
    audit_log.challenge(model, found.number, how, by=person)
    registry.challenge(found, share)
    told_json = {"model": model, "version": found.number, "share": share}
    say(json, told_json, f"{model}: version {found.number} answers {how}, beside the champion.")


def _judge(model: str, as_of: datetime | None, json: bool) -> None:
    from cli.showing import outcome
    from flows.judge import judge as run
    from flows.runtime.terminal import attended

    attended(model)
    came = run(model, as_of=_utc(as_of))
    say(json, came, outcome(came))
    raise typer.Exit(came.code)


@app.command()
def why(
    model: Name,
    most: Annotated[int, typer.Option(help="How many decisions, newest first.", min=1)] = 10,
    json: Json = False,
) -> None:
    """Show the decisions on a model, those not to do anything too, and what was known for each."""
    from cli.showing import decisions
    from evergreen.definition.loader import load
    from evergreen.lake.lake import Lake
    from evergreen.lifecycle.decision_log import read

    found = read(Lake.open(), load(model), most=most)
    say(json, found, decisions(model, found))


@app.command()
def status(json: Json = False) -> None:
    """Show every model: its champion, its data, its last verdict, what waits in quarantine."""
    from cli.showing import statuses
    from evergreen.lifecycle.status import status as look_up

    found = look_up()
    say(json, found, statuses(found))


@app.command()
def models(
    model: Annotated[str | None, typer.Argument(help="One model's versions.")] = None, json: Json = False
) -> None:
    """List the model files, or the versions of one model."""
    from cli.showing import listed, versions
    from evergreen.definition.loader import load, names
    from evergreen.registry.registry import Registry

    if model is None:
        say(json, names(), listed(names()))
    else:
        load(model)
        found = Registry.open().versions(model)
        say(json, found, versions(model, found))


@app.command()
def verdict(
    model: Name,
    version: Annotated[str, typer.Option(help="A version's number or alias.")] = "challenger",
    json: Json = False,
) -> None:
    """Show the verdict on a version: every gate, what was found, what follows."""
    from cli.showing import judged
    from evergreen.gates.judgement import recorded
    from evergreen.registry.registry import Registry

    registry = Registry.open()
    found = recorded(registry, registry.version(model, version))
    say(json, found, judged(found))


@app.command()
def gate(
    model: Name,
    version: Annotated[str, typer.Option(help="A version's number or alias.")] = "challenger",
    json: Json = False,
) -> None:
    """Judge a version again as of its own training, by the gates of the model file as it is now; nothing moves.

    It meets the champion of then, on the rows of then; a refit is judged as the version it is a refit of.
    Exit code: 0 it would be promoted, 3 rejected, 5 not enough evidence.
    """
    from cli.showing import judged
    from evergreen.gates.reevaluation import rehearse
    from evergreen.lifecycle.outcome import code_of

    found = rehearse(model, version)
    say(json, found, judged(found))
    raise typer.Exit(code_of(found.verdict.decision))


def main() -> None:
    """Run the command line, and turn what goes wrong into a sentence and an exit code."""
    from evergreen.exit_codes import told

    told(app)


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None


if __name__ == "__main__":
    main()
