"""What the commands of `cli/governance.py` print: lineage, reproduction, audit log, erasure, integrity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from cli.render.parts import table_of

if TYPE_CHECKING:
    from evergreen.definition.feasibility.finding import Finding
    from evergreen.gates.known_bad import Diagnosis
    from evergreen.gates.power import Power
    from evergreen.governance.audit import Verified
    from evergreen.governance.erasure import Erased
    from evergreen.governance.integrity import Examination
    from evergreen.governance.lineage import BatchLineage, Origin, PredictionLineage
    from evergreen.governance.reproduction import Reproduced
    from evergreen.lake.audit_log import Line

_SAID = ("moment", "until")  # in other columns
_FORMER = {"wish": "trigger"}  # names that are stored, and what they are called now


def acts(lines: list[Line]) -> Any:
    """Lines of the audit log, each with its details below it, so that they have the whole width."""
    several = len({line.model for line in lines}) > 1
    return Group(*(_act(line, several) for line in lines)) if lines else "There are no actions yet."


def _act(line: Line, named: bool) -> Any:
    details = {name: value for name, value in line.details.items() if value and name not in _SAID}
    by = f" by {line.by}" if line.by else ""
    model = f"{line.model}: " if named else ""
    when = line.at[:16].replace("T", " ")
    heading = Text(f"{model}{line.number}  {when}  {line.act} {line.subject}{by}", style="bold")
    told = "; ".join(f"{_FORMER.get(name, name)}: {_plain(value)}" for name, value in details.items())
    return Group(heading, Padding(Text(told), (0, 0, 0, 4), expand=False)) if told else heading


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def proofs(results: list[Verified]) -> Any:
    """The result of verifying logs."""
    table = table_of("", "model", "lines", "sealed elsewhere", "")
    for verified in results:
        word = Text("CHANGED", style="bold red") if verified.problems else Text("intact", style="green")
        table.add_row(verified.model, f"{verified.lines:,}", str(verified.seals), word)
    return Group(
        table,
        *(Text(f"{verified.model} ends with {verified.head}") for verified in results if verified.head),
        *(Text(f"{verified.model}: {problem}", style="red") for verified in results for problem in verified.problems),
        *(Text(_unsealed(verified), style="yellow") for verified in results if verified.unsealed),
    )


def _unsealed(verified: Verified) -> str:
    return (
        f"{verified.model}: the last {verified.unsealed} of its lines are not sealed yet. A process was stopped before "
        "it sealed them, or another home wrote them; the next act here seals them."
    )


def reproduced(result: Reproduced) -> Any:
    """The comparison of a version with the result of training it again."""
    notes = [Text(f"The environment differs. {difference}", style="yellow") for difference in result.environment]
    table = table_of(f"{result.model}@{result.version}", "version", "compared", "", "found")
    for finding in result.findings:
        word = Text("same", style="green") if finding.same else Text("DIFFERS", style="bold red")
        table.add_row(finding.version, finding.what, word, Text(finding.detail))
    end = (
        Text("REPRODUCED", style="bold green")
        if result.same
        else Text(f"NOT REPRODUCED. {result.first}", style="bold red")
    )
    return Group(*notes, table, end)


def origin_tree(origin: Origin, prediction: PredictionLineage | None) -> Any:
    """The lineage of a version, and the prediction that it starts from."""
    from rich.tree import Tree

    top = Tree(Text(f"{origin.model}@{origin.version}", style="bold"))
    if prediction:
        known = f"; its label is {prediction.label}" if prediction.label else ""
        values = ", ".join(f"{value:.6g}" for value in prediction.answer)
        text = (
            f"prediction {prediction.id}: {values}, asked {_minute(prediction.asked_at)}, as {prediction.role}{known}"
        )
        top, root = Tree(Text(text, style="bold")), top
        top.children.append(root)
    else:
        root = top
    since = f"champion since {_minute(origin.promoted_at)}" if origin.promoted_at else "was never champion"
    approval = f", approved by {origin.approved_by}" if origin.approved_by else ""
    refit = (
        f"a refit of version {origin.judged} on all rows, which was judged: "
        if origin.judged != origin.version
        else "judged: "
    )
    met = f" against version {origin.against}" if origin.against else " without a champion"
    root.add(Text(f"{since}{approval}"))
    root.add(Text(f"{refit}{origin.verdict}{met}"))
    within = f" in {origin.environment}" if origin.environment else ""
    root.add(
        Text(f"trained as of {_minute(origin.as_of)} because of {origin.trigger}{within}; MLflow run {origin.run}")
    )
    if origin.window:
        root.add(Text(f"window chosen by the record: {origin.window}"))
    made = f"Evergreen {origin.evergreen or 'of an unknown version'}, Python {origin.python}"
    code = f"commit {origin.commit[:10] or 'unknown'}, lock {origin.lock or 'none'}, {made}"
    modules = f" with {', '.join(origin.modules)}" if origin.modules else ""
    root.add(Text(f"{code}, model file {origin.model_file}{modules}"))
    root.add(Text(f"stored model {origin.stored_model[:12] or 'without a recorded digest'}"))
    period = f"from {origin.data_from[:10]} to {origin.data_until[:10]}"
    rows = root.add(Text(f"{origin.rows:,} rows {period}, of version {origin.table_version} of the table"))
    if origin.served or origin.scored:
        root.add(Text(f"{origin.served:,} predictions for callers, {origin.scored:,} for the monitor"))
    for batch in origin.batches:
        where = f" from {batch.source}" if batch.source else ""
        out = f", released from quarantine by {batch.released_by}" if batch.released_by else ""
        rows.add(Text(f"{batch.rows:,} of batch {batch.batch}{where}{out}"))
    return top


def followed_tree(lineage: BatchLineage) -> Any:
    """The versions that were trained on a batch."""
    from rich.tree import Tree

    root = Tree(Text(f"{lineage.model}: batch {lineage.batch}, {lineage.rows:,} rows of the table", style="bold"))
    for act in lineage.acts:
        detail = act.details
        by = f" by {act.by}" if act.by else ""
        source = f", from {detail['source']}" if detail.get("source") else ""
        root.add(Text(f"{_minute(act.at)} {detail['fate']}{by}{source}{_noted(detail)}"))
    for version in lineage.versions:
        since = f"champion since {_minute(version.promoted_at)}" if version.promoted_at else "was never champion"
        leaf = root.add(Text(f"version {version.version} was trained on {version.rows:,} rows of it; {since}"))
        if version.served or version.scored:
            leaf.add(Text(f"{version.served:,} predictions for callers, {version.scored:,} for the monitor"))
    if not lineage.versions:
        root.add("No version was trained on it.")
    return root


def _noted(detail: dict[str, Any]) -> str:
    notes = detail.get("notes") or ([detail["note"]] if detail.get("note") else [])
    return f": {'; '.join(notes)}" if notes else ""


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")


def erased(result: Erased) -> str:
    """What was erased, and the versions that were trained on it."""
    count = ", ".join(f"{rows:,} from {table}" for table, rows in result.rows.items())
    lines = [f"{result.model}: rows erased: {count or 'none, there is no table yet'}."]
    if result.versions:
        lines.append(f"Trained on these rows: {_versions(result.versions)}.")
        lines[-1] += f" `evergreen train {result.model}` trains a version without them."
    if result.unknown:
        lines.append(
            f"The training rows of {_versions(result.unknown)} can no longer be read; these rows may be among them."
        )
    lines += [f"Out of reach: {sentence}" for sentence in result.left]
    return "\n".join(lines)


def _versions(numbers: list[str]) -> str:
    return f"version{'s' * (len(numbers) > 1)} {', '.join(numbers)}"


def checked(model: str, examinations: list[Examination], findings: list[Finding]) -> Any:
    """The integrity checks of a model's stores, what of its settings can judge, and the problems of both."""
    table = table_of(f"{model}: check-up", "what must hold", "")
    for examination in examinations:
        word = Text("holds", style="green") if not examination.problems else Text("DOES NOT HOLD", style="bold red")
        table.add_row(examination.what, word)
    problems = [Text(problem, style="red") for examination in examinations for problem in examination.problems]
    return Group(table, *problems, *([Text(), judged(model, findings)] if findings else []))


def judged(model: str, findings: list[Finding]) -> Any:
    """What can come to a judgement, with the arithmetic, and the lines that would help."""
    table = table_of(f"{model}: what can come to a judgement", "gate or trigger", "", "why")
    for finding in findings:
        style = {"judges": "green", "never": "bold red"}.get(finding.state, "yellow")
        from_then = f", from {finding.since} on" if finding.since else ""
        table.add_row(finding.what, Text(f"{finding.state}{from_then}", style=style), Text(finding.why))
    helping = [
        f"For {finding.what}: {finding.change}" for finding in findings if finding.change and not finding.problems
    ]
    never = [problem for finding in findings for problem in finding.problems]
    return Group(table, *map(Text, helping), *(Text(problem, style="red") for problem in never))


def diagnoses(model: str, diagnosed: list[Diagnosis], powers: list[Power]) -> Any:
    """The verdicts on known-bad challengers, and how likely one that is somewhat worse is refused."""
    table = table_of(f"{model}: known-bad challengers", "challenger", "must fail", "verdict", "found", "")
    for diagnosis in diagnosed:
        word = Text("refused", style="green") if diagnosis.refused else Text("NOT REFUSED", style="bold red")
        table.add_row(diagnosis.challenger, diagnosis.expected, diagnosis.decision, Text(diagnosis.found), word)
    refused = sum(diagnosis.refused for diagnosis in diagnosed)
    told = f"{refused} of {len(diagnosed)} were refused, each for the right reason."
    return Group(table, Text(told), *(Text(each.sentence) for each in powers))
