"""The text of a model file, from a draft."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from evergreen.definition.gates import Gates
from evergreen.definition.kinds.register import KINDS
from evergreen.definition.model_files import DRAFTED
from evergreen.definition.options import Policy
from evergreen.definition.setting_lines import line
from evergreen.durations import as_text, parse
from evergreen.ingestion.sources.csv_format import Csv
from evergreen.ingestion.sources.database import Sql, engine_of, identifier, nested_names, unended
from evergreen.ingestion.sources.files import Files

if TYPE_CHECKING:
    from evergreen.scaffold.draft import Draft

_WIDTH = 116
_BACKFILL = timedelta(days=365)
_GROUPS = {name: kind.heading for name, kind in KINDS.items() if kind.heading}
_FILE = '''"""The model {name}, {drafted}: review the guesses, then remove their comments."""

from evergreen import {names}

# fmt: off
{features}
# The contract, drafted from the data: to be reviewed by a person.
{contract}# fmt: on


def estimator():
    from skrub import tabular_pipeline  # here, so that a command that trains nothing starts without it

    # Boosted trees behind encoders chosen by type; any scikit-learn estimator can be used.
    return tabular_pipeline("{task}")


model = Model(
    name="{name}",
    purpose="",  # what is it for?
    owner="",  # who is responsible for it?
    task="{task}",  # {why[task]}
    source={source},
    key={key},  # {why[key]}
    time={time},  # {why[time]}; times without a zone are taken as UTC
    target={target},  # {why[target]}
    target_kind="{target_kind}",
    label_delay="{label_delay}",  # {why[label_delay]}
{label_time}    features={kinds},
{parsing}    contract=[
{expectations}    ],
    estimator=estimator,
    metric="{metric}",
    slices=[],  # columns of which no value may get worse
    training=Training(holdout="{rhythm.holdout}", window="auto"),  # the newest rows, held out; how far back is learned
    gates=Gates(block="{rhythm.block}", min_blocks={pace.min_blocks}, {min_rows}latency_ms=500),
    policy=Policy(every="{pace.every}"{probation}),
{monitoring})
'''


def render(draft: "Draft") -> str:
    """Write a model file."""
    parts = [type(draft.source), *map(type, draft.parsing.values()), *([Csv] if _csv(draft) else [])]
    names = {"Gates", "Model", "Monitoring", "Policy", "Training", "expect", *(part.__name__ for part in parts)}
    groups = {kind: group for kind, group in _GROUPS.items() if kind in draft.features.values()}
    return _FILE.format(
        **{part: getattr(draft, part) for part in ("name", "task", "target_kind", "label_delay", "rhythm", "pace")},
        why={part: _comment(reason) for part, reason in draft.why.items()},
        drafted=DRAFTED,
        names=", ".join(sorted(names, key=lambda name: (name.islower(), name))),
        features=_features(draft),
        contract=_contract(draft),
        parsing=_parsing(draft),
        monitoring=_monitoring(draft),
        probation=f', probation="{as_text(longer)}"' if (longer := draft.pace.probation) > Policy().probation else "",
        source=_source(draft),
        key="None" if not draft.key else _text(draft.key[0] if len(draft.key) == 1 else draft.key),
        time=_text(draft.time),
        label_time=f"    label_time={_text(draft.label_time)},  # {_comment(draft.why['label_time'])}\n"
        if draft.label_time
        else "",
        target=_text(draft.target),
        kinds=" | ".join(f'dict.fromkeys({group}, "{kind}")' for kind, group in groups.items()),
        expectations=_expectations(draft, " + ".join(groups.values())),
        metric="root_mean_squared_error" if draft.task == "regression" else "log_loss",
        min_rows=f"min_rows={fewest}, " if (fewest := draft.rhythm.min_rows) < Gates().min_rows else "",
    )


def _monitoring(draft: "Draft") -> str:
    """The monitor's settings that are not the usual ones."""
    written = line("monitoring", draft.pace.monitoring, backfill=_BACKFILL)
    return f"    {written}  # the first monitor run backtests the last year\n"


def _features(draft: "Draft") -> str:
    lines = []
    for kind, group in _GROUPS.items():
        names = [_text(name) for name, own in draft.features.items() if own == kind]
        lines += [_packed(f"{group} = [", names, "]")] if names else []
    lines += [f"# Left out: {_text(name)} ({_comment(reason)}).\n" for name, reason in draft.left_out.items()]
    return "".join([*lines, *(["# To use one of these, add it to a list above.\n"] if draft.left_out else [])])


def _contract(draft: "Draft") -> str:
    ranges = [f"{_text(name)}: ({low!r}, {high!r})" for name, (low, high) in draft.ranges.items()]
    values = [f"{_text(name)}: {_text(some)}" for name, some in draft.values.items()]
    parts = {
        "RANGES = {": (ranges, "}"),
        "VALUES = {": (values, "}"),
        "GAPS = [": ([_text(name) for name in draft.gaps], "]"),
    }
    return "".join(_packed(start, items, end) for start, (items, end) in parts.items() if items)


def _parsing(draft: "Draft") -> str:
    """How columns are read, a line for each, with what a person should know."""
    if not draft.parsing:
        return ""
    lines = [
        f"        {_text(name)}: {_call(parser)},{f'  # {_comment(note)}' if (note := draft.notes.get(name)) else ''}\n"
        for name, parser in draft.parsing.items()
    ]
    return f"    parsing={{\n{''.join(lines)}    }},\n"


def _call(part: BaseModel) -> str:
    """A part of a definition as it is written, without what is the default."""
    given = part.model_dump(exclude_defaults=True)
    return f"{type(part).__name__}({', '.join(f'{name}={_text(value)}' for name, value in given.items())})"


def _csv(draft: "Draft") -> Csv | None:
    return draft.source.csv if isinstance(draft.source, Files) else None


def _expectations(draft: "Draft", every: str) -> str:
    ranges = (
        'expect("column_values_to_be_between", c, min_value=low, max_value=high) for c, (low, high) in RANGES.items()'
    )
    values = 'expect("column_values_to_be_in_set", c, value_set=v, mostly=0.9) for c, v in VALUES.items()'
    present = f'expect("column_values_to_not_be_null", c, mostly=0.9) for c in {every}'
    lines = [ranges] * bool(draft.ranges) + [values] * bool(draft.values)
    lines.append(f"{present} if c not in GAPS" if draft.gaps else present)
    return "".join(f"        *({line}),\n" for line in lines)


def _source(draft: "Draft") -> str:
    batch = f'batch="{draft.rhythm.batch}",\n        ' if draft.rhythm.batch else ""
    batch += f'lookback="{_lookback(draft)}",  # how far back to read again for late rows, labels and corrections'
    path = f"path={_text(_relative(draft))}," if isinstance(draft.source, Files) else ""
    form = _csv(draft)
    lines = [path + _renamed(draft)] if form is None else [path, f"csv={_call(form)},{_renamed(draft)}"]
    lines.append(batch)
    if not isinstance(draft.source, Files):
        lines = [f"url={_text(draft.source.url)},", f"query={_text(_bound(draft))},", batch]
    inside = "".join(f"        {line}\n" for line in lines if line)
    return f"{type(draft.source).__name__}(\n{inside}    )"


def _renamed(draft: "Draft") -> str:
    told = _comment("; ".join(f"{name}: {why}" for name, why in draft.renamed.items()))
    return f"  # {told}" if told else ""


def _lookback(draft: "Draft") -> str:
    """The label delay plus a week, or plus a month if rows arrive by the week."""
    return as_text(parse(draft.label_delay) + max(parse("7d"), parse(draft.rhythm.every)))


def _bound(draft: "Draft") -> str:
    """The query, limited to the rows of a period."""
    assert isinstance(draft.source, Sql)
    inner = unended(draft.source.query)
    if ":since" in inner or draft.time in draft.parsing:  # such times are compared once they are read
        return inner
    engine = engine_of(draft.source.url)
    whole = re.fullmatch(r"SELECT \* FROM \S+", inner)
    nested = {} if whole else nested_names(engine, inner)
    named = [f"{identifier(engine, other)} AS {identifier(engine, name)}" for name, other in nested.items()]
    start = inner if whole else f"SELECT {', '.join(named) or '*'} FROM ({inner}) AS rows_"
    column = identifier(engine, nested.get(draft.time, draft.time))
    return f"{start} WHERE {column} >= :since AND {column} < :until"


def _relative(draft: "Draft") -> str:
    """The path relative to the folder that contains ``models/``, if it is inside."""
    assert isinstance(draft.source, Files)
    path, root = draft.source.path, draft.path.parent.parent
    return path if "://" in path or not Path(path).is_relative_to(root) else Path(path).relative_to(root).as_posix()


def _packed(start: str, items: list[str], end: str) -> str:
    """Items on as few lines as they need."""
    whole = f"{start}{', '.join(items)}{end}\n"
    if len(whole) <= _WIDTH:
        return whole
    lines = [""]
    for item in items:
        if lines[-1] and len(lines[-1]) + len(item) > _WIDTH - 6:
            lines.append("")
        lines[-1] += f"{item}, "
    return "".join([f"{start}\n", *(f"    {line.rstrip()}\n" for line in lines), f"{end}\n"])


def _comment(text: str) -> str:
    """A text as part of a comment, which a name with a line break would end."""
    return " ".join(text.split())


def _text(value: Any) -> str:
    """A string, a whole number, a truth value or a list of them as Python writes it, with double quotes."""
    return str(value) if isinstance(value, bool) else json.dumps(value, ensure_ascii=False)
