"""The loop by hand: ingest, train, refresh, monitor, score."""

from datetime import datetime
from typing import Annotated

import typer

from cli import checks
from cli.output import say
from cli.parameters import AsOf, Json, ModelName, Reason, as_typed, exits, utc
from evergreen.exit_codes import Exit


@exits(Exit.DONE, Exit.FAILED, Exit.QUARANTINED, Exit.BUSY)
def ingest(
    model: ModelName,
    as_of: AsOf = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            help="Compare all rows from this time on with the lake too, in UTC: so corrections of before the lookback "
            "are taken in.",
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"],
            metavar="TIME",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Read new rows, check them against the contract, and add them to the lake.

    A batch that breaks its contract goes into quarantine as a whole. Rows of before the lookback that come late are
    found by their count; those that were corrected are read again with --since.
    """
    from flows.runtime import temporary_server

    temporary_server.start(model)
    checks.source(model)
    from cli.render.loop import ingested
    from evergreen.lifecycle.outcome import code_after
    from flows.ingest import ingest as run
    from flows.runtime.terminal import attended

    attended(model)
    batches = run(model, as_of=utc(as_of), since=utc(since))
    held = [batch.batch for batch in batches if batch.fate == "quarantined"]
    train = f"evergreen train {model}{as_typed(as_of)}"
    then = f"evergreen quarantine show {model} {held[0]}" if held else train
    say(json, batches, ingested(model, batches), then=then)
    raise typer.Exit(code_after(batches))


@exits(Exit.DONE, Exit.FAILED, Exit.REJECTED, Exit.UNDECIDED, Exit.BUSY, Exit.WAITING)
def train(model: ModelName, reason: Reason = "demand", as_of: AsOf = None, json: Json = False) -> None:
    """Train a challenger, compare it with the champion, and promote it if every gate passes."""
    from flows.runtime import temporary_server

    temporary_server.start(model)
    checks.rows(model)
    checks.definition(model)
    from cli.next_commands import after_outcome
    from cli.render.loop import outcome
    from evergreen.lake.audit_log import person
    from flows.runtime.terminal import attended
    from flows.train import train as run

    attended(model)
    result = run(model, reason=reason, as_of=utc(as_of), by=person())
    say(json, result, outcome(result), then=after_outcome(result, as_typed(as_of)))
    raise typer.Exit(result.code)


@exits(Exit.DONE, Exit.FAILED, Exit.REJECTED, Exit.QUARANTINED, Exit.UNDECIDED, Exit.BUSY, Exit.WAITING)
def refresh(model: ModelName, reason: Reason = "schedule", as_of: AsOf = None, json: Json = False) -> None:
    """Run the whole loop once: ingest, decide whether to train, and train if so."""
    from flows.runtime import temporary_server

    temporary_server.start(model)
    checks.source(model)
    from cli.next_commands import after_outcome
    from cli.render.loop import outcome
    from evergreen.lake.audit_log import person
    from flows.refresh import refresh as run
    from flows.runtime.terminal import attended

    attended(model)
    result = run(model, reason=reason, as_of=utc(as_of), by=person())
    say(json, result, outcome(result), then=after_outcome(result, as_typed(as_of)))
    raise typer.Exit(result.code)


@exits(Exit.DONE, Exit.FAILED, Exit.BUSY)
def monitor(model: ModelName, as_of: AsOf = None, json: Json = False) -> None:
    """Check the champion: drift, data quality, performance; then decide what to do.

    New rows are predicted first. The exit code does not depend on the decision.
    """
    from flows.runtime import temporary_server

    temporary_server.start(model)
    checks.rows(model)
    checks.definition(model)
    from cli.next_commands import after_decision
    from cli.render.loop import decided
    from evergreen.lake.audit_log import person
    from flows.monitor import monitor as run
    from flows.runtime.terminal import attended

    attended(model)
    decision = run(model, as_of=utc(as_of), by=person())
    say(json, decision, decided(model, decision), then=after_decision(model, decision, as_typed(as_of)))


@exits(Exit.DONE, Exit.FAILED)
def score(
    model: ModelName,
    source: Annotated[
        str, typer.Option("--input", help="A .parquet or .csv file, a folder, a glob, or a database's URL.")
    ],
    output: Annotated[str, typer.Option(help="The file to write, .parquet or .csv; it is replaced at the end.")],
    query: Annotated[str, typer.Option(help="What to read from a database; its only table by default.")] = "",
    version: Annotated[str, typer.Option(help="By number or alias.")] = "champion",
    no_log: Annotated[bool, typer.Option("--no-log", help="Do not log the predictions.")] = False,
    formulas: Annotated[
        bool,
        typer.Option(
            "--formulas",
            help="Write text that begins with =, +, - or @ to CSV as it is. A spreadsheet would run it as a formula, "
            "so it gets an apostrophe by default.",
        ),
    ] = False,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Predict many rows at once, from files or a query into a file."""
    from evergreen.credentials import refuse_secrets
    from flows.runtime import temporary_server

    refuse_secrets({"input": source, "output": output, "query": query})

    checks.score(model, source, output, query, version)
    temporary_server.start(model)
    from flows.runtime.terminal import attended
    from flows.score import score as run

    attended(model)
    scored = run(model, source, output, query, version, log=not no_log, as_of=utc(as_of), defuse=not formulas)
    ignored = (
        f" Ignored columns that the model does not declare: {', '.join(scored.ignored)}." if scored.ignored else ""
    )
    say(
        json,
        scored,
        f"{model}: {scored.rows:,} rows predicted by version {scored.version} into {scored.output}.{ignored}",
        then=f"evergreen monitor {model}{as_typed(as_of)}",
    )
