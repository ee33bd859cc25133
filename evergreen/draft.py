"""The text of a model file, from a draft."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evergreen.errors import ScaffoldError
from evergreen.source import Files, Sql, quoted

if TYPE_CHECKING:
    from evergreen.scaffold import Draft

_WIDTH = 116
_WIDE = 60  # columns, beyond which the contract has no range for each
_GROUPS = {
    "number": "NUMBERS",
    "integer": "INTEGERS",
    "category": "CATEGORIES",
    "text": "TEXTS",
    "boolean": "BOOLEANS",
    "datetime": "TIMES",
}
_CALL = '''
def rows(since, until):
    """The rows of [since, until): reads the whole file, since its times are not written as 2013-01-31."""
    table = pd.{read}
    for column, format in FORMATS.items():
        table[column] = pd.to_datetime(table[column].astype("str"), format=format, utc=True)
    return table[(table[{time}] >= since) & (table[{time}] < until)]

'''


def render(draft: "Draft", root: Path) -> str:
    """Write a model file.

    Parameters
    ----------
    draft : Draft
    root : Path
        The folder that holds ``models/``, where relative paths start.

    Raises
    ------
    ScaffoldError
        The times are in a form that would need more than a few lines of code to read.
    """
    parts = [_head(draft), _columns(draft, root), _contract(draft)]
    if draft.formats:
        parts.append(_call(draft, root))
    return "".join([*parts, _estimator(draft), _model(draft, root)])


def _head(draft: "Draft") -> str:
    names = ["Call" if draft.formats else type(draft.source).__name__, "Gates", "Model", "Policy", "Training", "expect"]
    plain = "from pathlib import Path\n\nimport pandas as pd\n" if draft.formats else ""
    return (
        f'"""The model {draft.name}, drafted by `evergreen new`: review what says so, then take the words out."""\n\n'
        f"{plain}from skrub import tabular_pipeline\n\nfrom evergreen import {', '.join(names)}\n\n"
    )


def _columns(draft: "Draft", root: Path) -> str:
    lines = ["# fmt: off\n"]
    for kind, group in _GROUPS.items():
        names = [name for name, one in draft.features.items() if one == kind]
        lines += [_packed(f"{group} = [", [_text(name) for name in names], "]")] if names else []
    lines += [f"# Left out: {_text(name)} ({reason}).\n" for name, reason in list(draft.left_out.items())[:12]]
    lines += [f"# Review: {line}\n" for line in draft.review]
    return "".join(lines)


def _contract(draft: "Draft") -> str:
    lines = ["\n# What the data must look like, from what it looked like: to be reviewed by a person.\n"]
    if _ranges(draft):
        bounds = [f"{_text(name)}: ({low:.12g}, {high:.12g})" for name, (low, high) in _ranges(draft).items()]
        lines.append(_packed("RANGES = {", bounds, "}"))
    if draft.values:
        values = [
            _packed(f"{_text(name)}: [", [_text(one) for one in some], "]", 4) for name, some in draft.values.items()
        ]
        lines.append(f"VALUES = {{\n{''.join(line.rstrip() + chr(44) + chr(10) for line in values)}}}\n")
    if draft.gaps:
        lines.append(_packed("GAPS = {", [f"{_text(name)}: {share:g}" for name, share in draft.gaps.items()], "}"))
    return "".join([*lines, "# fmt: on\n\n"])


def _ranges(draft: "Draft") -> dict[str, tuple[float, float]]:
    return dict(list(draft.ranges.items())[-_WIDE:])


def _call(draft: "Draft", root: Path) -> str:
    if isinstance(draft.source, Sql) or "://" in draft.source.path or not Path(draft.source.path).is_file():
        name, format = next(iter(draft.formats.items()))
        raise ScaffoldError(
            f"{name!r} holds times written as {format}, which can be read from a single file only. "
            "Turn them into a timestamp or 2013-01-31 (in a database with --query)."
        )
    kept = [f"dict.fromkeys({group}, str)" for kind, group in _GROUPS.items() if kind in ("category", "text")
            and kind in draft.features.values()]  # fmt: skip
    place = _relative(draft.source.path, root)
    csv = ".csv" in Path(place).name.lower()
    read = f"read_csv(DATA, dtype={' | '.join(kept)})" if csv and kept else f"read_{'csv' if csv else 'parquet'}(DATA)"
    formats = ", ".join(f"{_text(name)}: {_text(format)}" for name, format in draft.formats.items())
    return (
        f"DATA = Path(__file__).parent.parent / {_text(place)}\n"
        f"FORMATS = {{{formats}}}  # guessed\n\n" + _CALL.format(read=read, time=_text(draft.time))
    )


def _estimator(draft: "Draft") -> str:
    return (
        "\ndef estimator():\n"
        "    # Boosted trees behind encoders chosen by type; any scikit-learn estimator can stand here.\n"
        f'    return tabular_pipeline("{draft.task}")\n\n\n'
    )


def _model(draft: "Draft", root: Path) -> str:
    rhythm, why = draft.rhythm, draft.why
    key = _text(draft.key[0]) if len(draft.key) == 1 else f"[{', '.join(map(_text, draft.key))}]"
    fewest = f"min_blocks={max(2, rhythm.blocks)}, " if rhythm.blocks < 5 else ""
    kind = f'    target_kind="{draft.target_kind}",\n' if draft.target_kind not in ("number", "integer") else ""
    features = " | ".join(
        f'dict.fromkeys({group}, "{one}")' for one, group in _GROUPS.items() if one in draft.features.values()
    )
    return f'''model = Model(
    name="{draft.name}",
    purpose="",  # what is it for?
    owner="",  # who answers for it?
    task="{draft.task}",  # {why["task"]}
    source={_source(draft, root)},
    key={key},  # {why["key"]}
    time={_text(draft.time)},  # {why["time"]}; times without a zone are taken as UTC
    target={_text(draft.target)},  # {why["target"]}
{kind}    label_delay="{draft.label_delay}",  # {why["label_delay"]}
    features={features},
    contract=[
{_expectations(draft)}    ],
    estimator=estimator,
    metric="{"root_mean_squared_error" if draft.task == "regression" else "log_loss"}",
    slices=[],  # columns whose every value must not get worse
    training=Training(holdout="{rhythm.holdout}"),  # the newest {_blocks(rhythm.blocks)}, kept for judging
    gates=Gates({fewest}block="{rhythm.block}", latency_ms=500),
    policy=Policy(every="{rhythm.every}"),
)
'''


def _blocks(count: int) -> str:
    return f"{count} block{'' if count == 1 else 's'}"


def _expectations(draft: "Draft") -> str:
    lines = []
    if _ranges(draft):
        lines.append(
            'expect("column_values_to_be_between", c, min_value=low, max_value=high) '
            "for c, (low, high) in RANGES.items()"
        )
    if draft.values:
        lines.append(
            'expect("column_values_to_be_in_set", c, value_set=v, mostly=0.9, warn=len(v) > 10) '
            "for c, v in VALUES.items()"
        )
    full = [group for kind, group in _GROUPS.items() if kind in set(draft.features.values())]
    shares = "mostly=GAPS.get(c, 0.9), warn=c in GAPS" if draft.gaps else "mostly=0.9"
    every = f"[{', '.join(f'*{group}' for group in full)}]" if len(full) > 1 else full[0]
    lines.append(f'expect("column_values_to_not_be_null", c, {shares}) for c in {every}')
    return "".join(f"        *({line}),\n" if len(line) < _WIDTH - 8 else _folded(line) for line in lines)


def _folded(line: str) -> str:
    what, each = line.split(") for ", 1)
    return f"        *(\n            {what})\n            for {each}\n        ),\n"


def _source(draft: "Draft", root: Path) -> str:
    batch = f', batch="{draft.rhythm.batch}"' if draft.rhythm.batch else ""
    if draft.formats:
        return "Call(function=rows)"
    if isinstance(draft.source, Files):
        return f"Files(path={_text(_relative(draft.source.path, root))}{batch})"
    query = _text(_bound(draft.source.query, draft.time))
    return f"Sql(\n        url={_text(draft.source.url)},\n        query={query}{batch},\n    )"


def _bound(query: str, time: str) -> str:
    """The query for rows of a period only."""
    if ":since" in query:
        return query
    inner = query.rstrip().rstrip(";")
    whole = re.fullmatch(r"SELECT \* FROM \S+", inner)
    column = quoted(time)
    start = inner if whole else f"SELECT * FROM ({inner}) AS rows_"  # noqa: S608
    return f"{start} WHERE {column} >= :since AND {column} < :until"


def _relative(path: str, root: Path) -> str:
    """A path from the folder that holds ``models/``, if it lies in there."""
    if "://" in path or not Path(path).is_relative_to(root):
        return path
    return Path(path).relative_to(root).as_posix()


def _packed(start: str, items: list[str], end: str, indent: int = 0) -> str:
    """Items on as few lines as they need."""
    margin = " " * indent
    whole = f"{margin}{start}{', '.join(items)}{end}\n"
    if len(whole) <= _WIDTH:
        return whole
    lines, line = [], ""
    for item in items:
        if line and len(margin) + 6 + len(line) + len(item) > _WIDTH:
            lines.append(line)
            line = ""
        line += f"{item}, "
    body = "".join(f"{margin}    {one.rstrip()}\n" for one in [*lines, line])
    return f"{margin}{start}\n{body}{margin}{end}\n"


def _text(value: Any) -> str:
    """A string or a whole number as Python writes it, in double quotes."""
    return json.dumps(value, ensure_ascii=False)
