"""Many models of one template: `Model.each`, and the rows of parameters that it goes over."""

import csv
import io
import re
import string
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

NAME = re.compile(r"[a-z][a-z0-9_]*")
_GIVEN = "name"  # the template's parameter that no row may have

Values = dict[str, Any]


@dataclass(frozen=True)
class Each:
    """A template, and what it is filled in with: what `Model.each` returns.

    Attributes
    ----------
    template : callable
        From the values of a row, by name, and ``name`` to a model.
    over : str or tuple of dict
        The path of a CSV, relative to the folder of the model files, or the rows.
    name : str
        The name of a row's model, with the row's values in braces.
    """

    template: Callable[..., Any]
    over: str | tuple[Values, ...]
    name: str

    @classmethod
    def of(cls, template: Callable[..., Any], over: str | Path | Iterable[Mapping[str, Any]], name: str) -> "Each":
        """What the arguments of `Model.each` mean.

        Raises
        ------
        TypeError
            The rows are none, or the name formats the values of a CSV, which are text.
        """
        if not callable(template) or isinstance(template, type):
            raise TypeError(f"Model.each takes a function that returns a Model, not {template!r}")
        if isinstance(over, str | Path):
            _require_text(name)
            return cls(template, str(over), name)
        rows = tuple(dict(row) if isinstance(row, Mapping) else row for row in over)
        odd = next((row for row in rows if not isinstance(row, dict)), None)
        if odd is not None:
            raise TypeError(f"Model.each goes over rows that are dicts of the template's parameters, not {odd!r}")
        return cls(template, rows, name)

    @property
    def table(self) -> str:
        """The path of the CSV, with ``/``; empty where the file holds the rows."""
        return str(PurePosixPath(self.over)) if isinstance(self.over, str) else ""


def _require_text(name: str) -> None:
    """Require that a name takes values as they are: a text is padded on the other side than a number."""
    try:
        formats = [f"{{{place}:{spec}}}" for _, place, spec, _ in string.Formatter().parse(name) if spec]
    except ValueError:  # it is no format, as each row says
        return
    if formats:
        raise TypeError(
            f"values of a CSV are text, which {formats[0]} of the name cannot format as a number. Write them into the "
            "CSV as the name is to have them"
        )


@dataclass(frozen=True)
class Row:
    """A row of parameters.

    Attributes
    ----------
    number : int
        The first is 1.
    values : dict
    wrong : str
        Why it is none; empty if it is one.
    """

    number: int
    values: Values
    wrong: str = ""

    def as_csv(self) -> str:
        """The text of a CSV that has this row alone; the order of the columns says nothing."""
        text = io.StringIO()
        names = sorted(self.values)
        csv.writer(text, lineterminator="\n").writerows([names, [self.values[name] for name in names]])
        return text.getvalue()


@dataclass(frozen=True)
class Named:
    """The rows by the names of their models.

    Attributes
    ----------
    rows : dict of str to list of Row
        A name that several rows have is the name of no model.
    unusable : list of str
        A sentence on each row that can be none.
    """

    rows: dict[str, list[Row]] = field(default_factory=dict)
    unusable: list[str] = field(default_factory=list)


def rows_of(text: str) -> list[Row]:
    r"""The rows of a CSV; every value is text.

    Raises
    ------
    ValueError
        It is no CSV with a header.

    Examples
    --------
    >>> rows_of("number,city\n1,Hamburg\n")
    [Row(number=1, values={'number': '1', 'city': 'Hamburg'}, wrong='')]
    """
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except csv.Error as error:
        raise ValueError(str(error)) from None
    header = lines[0] if lines else []
    if not all(header) or len(set(header)) < len(header) or not header:
        raise ValueError("its first line is no header with a name of its own for each column")
    return [_row(number, header, line) for number, line in enumerate(lines[1:], 1)]


def _row(number: int, header: list[str], line: list[str]) -> Row:
    if len(line) != len(header):
        return Row(number, {}, f"it has {len(line)} values, and the header has {len(header)} names")
    return Row(number, dict(zip(header, line, strict=True)))


def named(each: Each, rows: Iterable[Row], stem: str) -> Named:
    """Give each row the name of its model.

    Parameters
    ----------
    each : Each
    rows : iterable of Row
    stem : str
        The name of the model file without its ending, with which the names begin.

    Examples
    --------
    >>> each = Each(dict, (), "stores_{city}")
    >>> named(each, [Row(1, {"city": "rome"}), Row(2, {"city": "Rome"})], "stores").unusable[0]
    "row 2: 'stores_Rome' is no name of a model; use small letters, digits and _"
    """
    found = Named()
    for row in rows:
        name, wrong = ("", row.wrong) if row.wrong else _name(each, row, stem)
        if wrong:
            found.unusable.append(f"row {row.number}: {wrong}")
        else:
            found.rows.setdefault(name, []).append(row)
    return found


def _name(each: Each, row: Row, stem: str) -> tuple[str, str]:
    """The name of a row's model, and what is wrong with it."""
    try:
        name = each.name.format_map(row.values)
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
        return "", f"the name {each.name!r} cannot be made of it: {type(error).__name__}: {error}"
    if _GIVEN in row.values:
        return name, "it has a value `name`, which is the model's; call it otherwise"
    if not NAME.fullmatch(name):
        return name, f"{name!r} is no name of a model; use small letters, digits and _"
    if not name.startswith(f"{stem}_"):
        return name, f"{name!r} does not begin with '{stem}_', by which its file is found"
    return name, ""
