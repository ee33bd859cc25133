"""What commands show a person: rich tables of what was found."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from evergreen.gates.judgement import Judgement
    from evergreen.gates.known_bad import Diagnosis
    from evergreen.governance.audit import Verified
    from evergreen.governance.erasure import Erased
    from evergreen.governance.integrity import Examined
    from evergreen.governance.lineage import Answered, Followed, Origin
    from evergreen.governance.reproduction import Reproduced
    from evergreen.ingestion.batch import Ingested
    from evergreen.ingestion.quarantine import Entry
    from evergreen.lake.audit_log import Line
    from evergreen.lifecycle.decision_log import Entry as Decided
    from evergreen.lifecycle.outcome import Outcome
    from evergreen.lifecycle.retraining import Decision
    from evergreen.registry.version import Version
    from evergreen.reports.demo_page import Summary
    from evergreen.reports.replay_page import Written as Replay
    from evergreen.scaffold.draft import Draft
from evergreen.lifecycle.status import Status

_COLOURS = {"passed": "green", "failed": "red", "unknown": "yellow", "skipped": "dim"}


def ingested(model: str, batches: list[Ingested]) -> Any:
    """The batches of one ingest."""
    if not batches:
        return f"{model}: nothing is newer than what is there."
    table = _table(f"{model}: ingest", "batch", "until", "rows", "new", "corrected", "fate")
    for one in batches:
        table.add_row(one.batch, one.until[:16], f"{one.rows:,}", f"{one.new:,}", f"{one.corrected:,}", one.fate)
    notes = [Text(f"{one.batch}: {note}") for one in batches for note in one.notes]
    return Group(table, *notes)


def outcome(came: Outcome) -> Any:
    """What a run of the loop came to."""
    word = {
        "promote": "promoted",
        "reject": "rejected",
        "comeback": "an earlier champion came back",
        "rollback": "rolled back",
        "waiting": "waits for leave",
        "refused": "refused",
        "none": "no training",
    }
    lines = [f"[bold]{came.model}: {word.get(came.decision, came.decision)}[/bold]", came.reason]
    if came.champion and came.decision not in ("waiting", "refused"):
        lines.append(f"The champion is version {came.champion}{'' if came.moved else ', as before'}.")
    if came.challenger:
        lines.append(f"`evergreen verdict {came.model} --version {came.challenger}` shows every gate.")
    lines += [f"In quarantine: {batch}. `evergreen quarantine show {came.model} {batch}`" for batch in came.quarantined]
    return "\n".join(lines)


def decided(model: str, decision: Decision) -> Any:
    """What a monitor decided."""
    return f"[bold]{model}: {decision.action}[/bold]\n{decision.reason}\n`evergreen why {model}` shows what was known."


def decisions(model: str, found: list[Decided]) -> Any:
    """Decisions, in a line each."""
    if not found:
        return f"Nothing was decided on {model} yet. `evergreen monitor {model}` looks at it."
    table = _table(f"{model}: decisions", "as of", "asked by", "decision", "why", "champion", "new rows")
    for one in found:
        champion, rows = one.state["champion"], f"{one.state['new_rows']:,}"
        table.add_row(one.as_of[:16], one.asked, one.action, Text(one.reason), champion, rows)
    return table


def statuses(found: list[Status]) -> Any:
    """Every model in a line."""
    table = _table("", "model", "champion", "since", "data until", "last training", "quarantine", "last decision")
    for one in found:
        table.add_row(
            one.model,
            one.champion or "none yet",
            one.since[:10],
            one.newest[:16].replace("T", " "),
            one.decision or "none yet",
            str(one.quarantined or ""),
            Text(one.note or one.decided),
        )
    return table if found else "There is no model yet. `evergreen new NAME --from FILE` writes one."


def listed(names: list[str]) -> str:
    """The model files."""
    return "\n".join(names) or "There is no model yet. `evergreen new NAME --from FILE` writes one."


def versions(model: str, found: list[Version]) -> Any:
    """The versions of a model, newest first."""
    table = _table(model, "version", "aliases", "decision", "reason", "trained until", "rows")
    for one in found:
        tags = one.tags
        decision = tags.get("decision", "not judged")
        decision += f" (refit of {tags['refit_of']})" if tags.get("refit_of") else ""
        table.add_row(
            one.number,
            ", ".join(one.aliases),
            f"{decision}; on trial: {tags['trial']}" if tags.get("trial") else decision,
            tags.get("reason", ""),
            tags.get("train_until", "")[:10],
            tags.get("rows", ""),
        )
    return table if found else f"{model} has no version yet. `evergreen train {model}` makes one."


def judged(found: Judgement) -> Any:
    """Every gate of a verdict."""
    table = _table(f"{found.model} version {found.version}: {found.verdict.decision}", "gate", "outcome", "found")
    for check in found.verdict.checks:
        table.add_row(check.name, Text(check.outcome, style=_COLOURS[check.outcome]), Text(check.detail))
    back = f"Version {found.comeback} comes back instead." if found.comeback else ""
    return Group(table, Text(found.verdict.reason), Text(back)) if back else Group(table, Text(found.verdict.reason))


def drafted(made: Draft) -> Any:
    """A model file that was written, and what in it is a guess."""
    table = _table(f"{made.name}: {made.rows:,} rows", "part", "proposed", "why")
    why = made.why | {"key": f"unique in all {made.rows:,} rows", "features": ""}
    named = {"time": made.time, "key": ", ".join(made.key), "target": made.target, "task": made.task}
    for part, proposed in (named | {"features": ", ".join(made.features)}).items():
        table.add_row(part, Text(proposed), Text(why[part]))
    for column, reason in made.left_out.items():
        table.add_row("left out", Text(column), Text(reason))
    step = f"Review {made.path}, then: evergreen ingest {made.name} && evergreen train {made.name}"
    return Group(table, Text(step))


def entries(found: list[Entry]) -> Any:
    """Batches in quarantine, in a line each."""
    if not found:
        return "Nothing is in quarantine."
    table = _table("", "model", "batch", "rows", "state", "why")
    for one in found:
        why = "; ".join(f"{failure.column}: {failure.found}" for failure in one.failures)
        table.add_row(one.model, one.batch, f"{one.rows:,}", one.state, Text(why))
    return table


def entry(found: Entry, folder: str) -> Any:
    """One batch in quarantine, with every expectation."""
    table = _table(f"{found.model} {found.batch}: {found.state}", "column", "expectation", "expected", "found", "")
    for one in found.results:
        word = "held" if one.success else "warned" if one.warn else "broken"
        table.add_row(
            one.column, one.type.removeprefix("expect_").replace("_", " "), Text(one.expected), Text(one.found), word
        )
    return Group(table, Text(f"Rows and report: {folder}"))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title or None, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def months(summary: Summary) -> Any:
    """The error by month, frozen against fresh."""
    table = _table(f"{summary.metric} by month", "month", "frozen", "fresh", "gain")
    for month, frozen, fresh in summary.months:
        colour = "green" if fresh < frozen else "red"
        table.add_row(month, f"{frozen:.2f}", f"{fresh:.2f}", Text(f"{frozen - fresh:+.2f}", style=colour))
    return table


def whole(path: str, sentence: str = "") -> Any:
    """A path in one piece, however narrow the terminal, after a sentence."""
    told = [Text(sentence)] if sentence else []
    return Group(*told, Text(path, no_wrap=True, overflow="ignore"))


def replayed(found: Replay) -> Any:
    """What a replay came to: a line a policy, the recommended one marked, and what to do."""
    table = _table(f"{found.model}: replay", *(rows := found.table())[0])
    for row in rows:
        table.add_row(*row.values(), style="bold" if row["policy"] == found.recommended else None)
    todo = [Text(found.lines, style="green")] if found.lines else []
    page = whole(found.page)
    problems = [Text(one, style="red") for one in found.problems()]
    return Group(table, Text(found.sentence), *todo, *problems, page)


def acts(found: list[Line]) -> Any:
    """Lines of the audit log."""
    if not found:
        return "Nothing was done yet."
    several = len({one.model for one in found}) > 1
    table = _table("", *(["model"] if several else []), "line", "as of", "what", "by", "detail")
    for column in table.columns[:-1]:
        column.no_wrap = True
    for one in found:
        told = {name: value for name, value in json.loads(one.detail).items() if value and name not in _SAID}
        detail = "; ".join(f"{name}: {_plain(value)}" for name, value in told.items())
        cells: list[Any] = [
            str(one.number),
            one.at[:16].replace("T", " "),
            f"{one.act} {one.subject}",
            one.by,
            Text(detail),
        ]
        table.add_row(*([one.model] if several else []), *cells)
    return table


_SAID = ("moment", "until")  # in other columns


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def proofs(found: list[Verified]) -> Any:
    """Whether logs are as they were written."""
    table = _table("", "model", "lines", "known to the registry", "", "last line")
    for one in found:
        word = Text("NOT AS WRITTEN", style="bold red") if one.problems else Text("whole", style="green")
        table.add_row(one.model, f"{one.lines:,}", str(one.seals), word, one.head)
    return Group(table, *(Text(f"{one.model}: {told}", style="red") for one in found for told in one.problems))


def reproduced(found: Reproduced) -> Any:
    """What came of training a version again."""
    notes = [Text(f"Not as it was. {one}", style="yellow") for one in found.environment]
    table = _table(f"{found.model}@{found.version}", "version", "compared", "", "found")
    for one in found.findings:
        word = Text("same", style="green") if one.same else Text("DIFFERS", style="bold red")
        table.add_row(one.version, one.what, word, Text(one.detail))
    end = (
        Text("REPRODUCED", style="bold green")
        if found.same
        else Text(f"NOT REPRODUCED. {found.first}", style="bold red")
    )
    return Group(*notes, table, end)


def origin_tree(made: Origin, answer: Answered | None) -> Any:
    """What a version was made of, and the answer that the question began at."""
    from rich.tree import Tree

    top = Tree(Text(f"{made.model}@{made.version}", style="bold"))
    if answer:
        known = f"; the label that came is {answer.label}" if answer.label else ""
        given = ", ".join(f"{value:.6g}" for value in answer.answer)
        told = f"answer {answer.id}: {given}, asked {_minute(answer.asked_at)}, as {answer.role}{known}"
        top, root = Tree(Text(told, style="bold")), top
        top.children.append(root)
    else:
        root = top
    since = f"champion since {_minute(made.promoted_at)}" if made.promoted_at else "never was champion"
    leave = f", approved by {made.approved_by}" if made.approved_by else ""
    refit = (
        f"a refit of version {made.judged} on all rows, which was judged: "
        if made.judged != made.version
        else "judged: "
    )
    met = f" against version {made.against}" if made.against else ", with no champion to meet"
    root.add(Text(f"{since}{leave}"))
    root.add(Text(f"{refit}{made.verdict}{met}"))
    root.add(Text(f"trained as of {_minute(made.as_of)} because of {made.trigger}; MLflow run {made.run}"))
    code = f"commit {made.commit[:10] or 'unknown'}, lock {made.lock or 'none'}, Python {made.python}"
    root.add(Text(f"{code}, model file {made.model_file}"))
    period = f"from {made.data_from[:10]} to {made.data_until[:10]}"
    rows = root.add(Text(f"{made.rows:,} rows {period}, of version {made.table_version} of the table"))
    if made.served or made.scored:
        root.add(Text(f"{made.served:,} answers to callers, {made.scored:,} to the monitor"))
    for one in made.batches:
        where = f" from {one.source}" if one.source else ""
        out = f", let out of quarantine by {one.released_by}" if one.released_by else ""
        rows.add(Text(f"{one.rows:,} of batch {one.batch}{where}{out}"))
    return top


def followed_tree(became: Followed) -> Any:
    """What became of a batch."""
    from rich.tree import Tree

    root = Tree(Text(f"{became.model}: batch {became.batch}, {became.rows:,} rows of the table", style="bold"))
    for act in became.acts:
        told = json.loads(act.detail)
        by = f" by {act.by}" if act.by else ""
        source = f", from {told['source']}" if told.get("source") else ""
        root.add(Text(f"{_minute(act.at)} {told['fate']}{by}{source}{_noted(told)}"))
    for one in became.versions:
        since = f"champion since {_minute(one.promoted_at)}" if one.promoted_at else "never was champion"
        leaf = root.add(Text(f"version {one.version} learnt from {one.rows:,} rows of it; {since}"))
        if one.served or one.scored:
            leaf.add(Text(f"{one.served:,} answers to callers, {one.scored:,} to the monitor"))
    if not became.versions:
        root.add("No version was trained on it.")
    return root


def _noted(told: dict[str, Any]) -> str:
    notes = told.get("notes") or ([told["note"]] if told.get("note") else [])
    return f": {'; '.join(notes)}" if notes else ""


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")


def erased(found: Erased) -> str:
    """What was erased, and who had learnt from it."""
    count = ", ".join(f"{rows:,} of {table}" for table, rows in found.rows.items())
    lines = [f"{found.model}: erased {count or 'nothing, there is no table yet'}."]
    if found.versions:
        told = ", ".join(found.versions)
        lines.append(f"Trained on these rows: version {told}. `evergreen train {found.model}` learns without them.")
    if found.unknown:
        lines.append(f"Of version {', '.join(found.unknown)} the rows cannot be read any more, so nobody can tell.")
    return "\n".join(lines)


def checked(model: str, found: list[Examined]) -> Any:
    """What must hold of a model's stores, and where it does not."""
    table = _table(f"{model}: check-up", "what must hold", "")
    for one in found:
        word = Text("holds", style="green") if not one.problems else Text("DOES NOT HOLD", style="bold red")
        table.add_row(one.what, word)
    return Group(table, *(Text(told, style="red") for one in found for told in one.problems))


def diagnoses(model: str, found: list[Diagnosis]) -> Any:
    """How the gates met known-bad challengers."""
    table = _table(f"{model}: known-bad challengers", "challenger", "must fail", "verdict", "found", "")
    for one in found:
        word = Text("refused", style="green") if one.refused else Text("NOT REFUSED", style="bold red")
        table.add_row(one.challenger, one.expected, one.decision, Text(one.found), word)
    refused = sum(one.refused for one in found)
    return Group(table, Text(f"{refused} of {len(found)} were refused, each for the right reason."))
