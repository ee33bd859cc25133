"""MLflow's request formats, parsed into rows that match a version's signature exactly."""

import csv
import difflib
import io
import itertools
import math
from collections import Counter
from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from evergreen.definition.kinds.exactness import is_kept
from evergreen.definition.kinds.number import Number
from evergreen.definition.kinds.register import kind_of
from evergreen.definition.kinds.timestamp import Datetime
from evergreen.definition.parsing import columns as parsing
from evergreen.definition.parsing.parser import Parser
from evergreen.row_id import row_id
from serving.content_type import CSV, JSON, check_type
from serving.errors import RequestError, invalid, malformed, shown
from serving.local_times import UnclearTimeError, checked_by, mixed
from serving.model_cache import Spec
from serving.request_forms import parsed_json, table
from serving.row_ids import checked_ids

_LONG = 2**63
_CACHE_SIZE = 1024  # cached orders of columns and of types: callers use few
_EXTRA_COLUMNS = 100  # columns beyond those of the model that are still checked individually
_HINT_COLUMNS = 20  # unknown columns that are compared for a hint


@dataclass(frozen=True, slots=True)
class PredictionRequest:
    """The rows of one request.

    Attributes
    ----------
    rows : list of list
        Features in the version's order; each value meets its column's kind.
    beside : dict of column to list
        Other columns that were sent and are logged.
    ids : list of str or None
        The rows' keys; None if they were not sent.
    """

    rows: list[list[Any]]
    beside: dict[str, list[Any]]
    ids: list[str] | None


class Reader:
    """Reads requests for one version.

    Parameters
    ----------
    spec : Spec
    most : int
        The largest number of rows in a request.
    """

    def __init__(self, spec: Spec, most: int = 10_000) -> None:
        self._spec, self._max_rows = spec, most
        self._kinds = [
            (name, kind_of(kind).json_types, checked_by(kind_of(kind), kind_of(kind).check, spec.timezone))
            for name, kind in spec.features.items()
        ]
        self._times = [name for name, kind in (spec.features | spec.beside).items() if kind == Datetime.name]
        self._floats = {name for name, kind in (spec.features | spec.beside).items() if kind == Number.name}
        self._parsers = parsing.ordered(parsing.loaded(spec.parsing))
        self._as_text = {column for name, parser in self._parsers for column in parser.inputs(name)}
        self._plans: dict[tuple[str, ...], _Plan] = {}
        self._accepted_types: set[tuple[type, ...]] = set()
        order = list(spec.features)
        self._keys = [(name, order.index(name)) for name in spec.key if name in spec.features]

    def read(self, body: bytes, content: str = JSON) -> PredictionRequest:
        """The rows of a body.

        Raises
        ------
        RequestError
            400 if the body has no known format, 413 if it has too many rows, 415 if its content type is
            not supported, 422 if a row does not match the signature; it names the column.
        """
        if check_type(content, (JSON, CSV)) == CSV:
            columns, rows = self._csv(body)
        else:
            columns, rows = table(parsed_json(body), self._check_size)
        if not rows:
            raise invalid("The request holds no row. Send at least one.")
        if self._parsers:
            columns, rows = self._parsed(columns, rows)
        return self._checked(columns, rows)

    def _parsed(
        self, columns: tuple[str, ...], rows: Sequence[Sequence[Any]]
    ) -> tuple[tuple[str, ...], Sequence[Sequence[Any]]]:
        """Read the columns that have a parser from those that were sent; one that was sent itself stays as it is."""
        shaped = all(type(row) is list and len(row) == len(columns) for row in rows)
        if not shaped or not all(type(name) is str for name in columns) or len(set(columns)) < len(columns):
            return columns, rows  # which is refused
        table: dict[str, Sequence[Any]] = dict(zip(columns, zip(*rows, strict=True), strict=True))
        raw = set()
        for name, parser in self._parsers:
            inputs = parser.inputs(name)
            if set(inputs) <= set(table) and (name not in table or name in inputs):
                values = zip(*(table[column] for column in inputs), strict=True)
                table[name] = [self._read(name, parser, value, number) for number, value in enumerate(values)]
                raw |= set(inputs)
        known = self._spec.features.keys() | self._spec.beside.keys()
        kept = [name for name in table if name in known or name not in raw]
        return tuple(kept), [list(row) for row in zip(*(table[name] for name in kept), strict=True)]

    def _read(self, name: str, parser: Parser, values: Sequence[Any], number: int) -> Any:
        try:
            return self._held(name, parser.value(values, self._spec.timezone))
        except (ValueError, TypeError, OverflowError):
            sent = ", ".join(map(shown, values))
            raise invalid(f"{name!r} of row {number} cannot be read from {sent}.", parser.inputs(name)[0]) from None

    def _held(self, name: str, value: Any) -> Any:
        """A number as the float that the lake holds; what a batch with it would be refused for is refused."""
        if name not in self._floats or type(value) not in (int, float, Decimal):
            return value
        number = float(value)
        if not math.isfinite(number) or (name in self._spec.key and not is_kept(value, number)):
            raise ValueError
        return number

    def _check_size(self, columns: Sized, rows: int) -> None:
        """Refuse far too many columns, or too many rows, before each of them is processed."""
        most = len(self._spec.features) + len(self._spec.beside)
        if len(columns) > most + _EXTRA_COLUMNS:
            raise invalid(f"The request has {len(columns):,} columns; {self._spec.model} has {most:,}. Send no other.")
        if rows > self._max_rows:
            message = f"More than {self._max_rows:,} rows in one request are too many. Send them in parts."
            raise RequestError(413, "REQUEST_LIMIT_EXCEEDED", message)

    def _csv(self, body: bytes) -> tuple[tuple[str, ...], Sequence[Sequence[Any]]]:
        """A CSV with a header; an empty field is missing, and numbers are read by the column's kind."""
        most = 2 * self._max_rows  # as many blank lines as rows are skipped
        try:
            lines = csv.reader(io.StringIO(body.decode("utf-8-sig")))
            header, lines_read = tuple(next(lines, ())), list(itertools.islice(lines, most + 1))
        except (UnicodeDecodeError, csv.Error) as error:
            raise malformed(f"The body is not CSV in UTF-8: {error}.") from None
        filled = [line for line in lines_read if line]
        self._check_size(header, len(lines_read) if len(lines_read) > most else len(filled))
        known = self._spec.features | self._spec.beside
        reads = [kind_of("text" if name in self._as_text else known.get(name, "text")).from_csv for name in header]
        return header, [
            [read(text) if text else None for read, text in zip(reads, line, strict=False)] + line[len(header) :]
            for line in filled
        ]

    def _checked(self, columns: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> PredictionRequest:
        try:
            plan = self._plans.get(columns) or self._new_plan(columns)
        except TypeError:
            raise malformed("Every name of a column should be text.") from None
        width = len(columns)
        for number, row in enumerate(rows):
            if type(row) is not list or len(row) != width:
                received = f"{len(row)} values" if isinstance(row, list) else shown(row)
                raise invalid(f"Row {number} is {received}; it should be a list of the {width} columns.")
        features = [[row[place] for place in plan.features or range(width)] for row in rows]
        for number, row in enumerate(features):
            if tuple(map(type, row)) not in self._accepted_types:
                self._check_row(row, number)
        beside = {
            name: [self._value(name, check, row[place], number) for number, row in enumerate(rows)]
            for name, place, check in plan.beside
        }
        if self._times and len(rows) > 1:
            self._check_zones(columns, rows)
        keyed = {name: [row[place] for row in features] for name, place in self._keys} | beside
        return PredictionRequest(features, beside, self._ids(keyed))

    def _check_zones(self, columns: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
        """Refuse times with a zone beside times without."""
        for name in self._times:
            if name in columns and mixed(row[columns.index(name)] for row in rows):
                raise invalid(f"{name!r} has a time zone in some rows and none in others. Send all alike.", name)

    def _check_row(self, row: list[Any], number: int) -> None:
        """Check each value of a row whose types are not known to be valid."""
        row_types = tuple(map(type, row))
        for place, (name, types, check) in enumerate(self._kinds):
            if row_types[place] not in types:
                row[place] = self._value(name, check, row[place], number)
        if len(self._accepted_types) < _CACHE_SIZE and all(
            type_ in types for type_, (_, types, _) in zip(row_types, self._kinds, strict=True)
        ):
            self._accepted_types.add(row_types)

    def _new_plan(self, columns: tuple[str, ...]) -> "_Plan":
        self._check_columns(columns)
        places = {name: place for place, name in enumerate(columns)}
        also: list[tuple[str, int, Callable[[Any], Any]]] = [
            (name, places[name], checked_by(kind_of(kind), kind_of(kind).keep, self._spec.timezone))
            for name, kind in self._spec.beside.items()
            if name in places
        ]
        order = [places[name] for name in self._spec.features]
        plan = _Plan([] if order == list(range(len(columns))) else order, also)
        if len(self._plans) < _CACHE_SIZE:
            self._plans[columns] = plan
        return plan

    def _check_columns(self, columns: tuple[str, ...]) -> None:
        """Refuse columns that are not the version's."""
        features, beside = self._spec.features, self._spec.beside
        if not all(type(name) is str for name in columns):
            raise malformed("Every name of a column should be text.")
        sent = Counter(columns)
        twice = sorted(name for name, count in sent.items() if count > 1)
        if twice:
            raise invalid(f"The columns {twice} come more than once.", twice[0])
        unknown = [name for name in columns if name not in features and name not in beside]
        missing = [name for name in features if name not in sent]
        if missing:
            parser = dict(self._parsers).get(missing[0])
            if parser:
                needed = ", ".join(map(repr, parser.inputs(missing[0])))
                raise invalid(f"{missing[0]!r} is read from {needed}, which is missing.", parser.inputs(missing[0])[0])
            near = difflib.get_close_matches(missing[0], unknown[:_HINT_COLUMNS], n=1, cutoff=0.6)
            hint = f"; did you mean {near[0]!r}, which was sent?" if near else ""
            raise invalid(f"The column {missing[0]!r} ({features[missing[0]]}) is missing{hint}.", missing[0])
        if unknown:
            allowed = f"it has {', '.join(features)}" + (f", and may have {', '.join(beside)}" if beside else "")
            raise invalid(f"{self._spec.model} has no column {unknown[0]!r}; {allowed}.", unknown[0])

    def _value(self, name: str, check: Callable[[Any], Any], value: Any, number: int) -> Any:
        try:
            return check(value)
        except UnclearTimeError as error:
            message = f"{name!r} of row {number} is {shown(value)}, which {error}. Send it with an offset, such as Z."
            raise invalid(message, name) from None
        except (ValueError, OverflowError):
            kind = self._spec.features.get(name) or self._spec.beside[name]
            message = f"{name!r} of row {number} is {shown(value)}; the model takes {kind_of(kind).words}."
            raise invalid(message, name) from None

    def _ids(self, keyed: dict[str, list[Any]]) -> list[str] | None:
        """The rows' ids from the columns that hold their key; None if the key was not sent."""
        key, kinds = self._spec.key, self._spec.features | self._spec.beside
        if not all(name in keyed for name in key):
            return None
        for name in key:
            if any(key_value is None or key_value == "" for key_value in keyed[name]):
                raise invalid(
                    f"{name!r} is part of the key and may not be null or empty; leave the key out, or send all.", name
                )
        if len(key) == 1 and all(type(key_value) is str for key_value in keyed[key[0]]) and key[0] != self._spec.time:
            return checked_ids(keyed[key[0]], key[0])
        texts = [[kind_of(kinds[name]).key_text(value, self._spec.timezone) for value in keyed[name]] for name in key]
        return checked_ids([row_id(parts) for parts in zip(*texts, strict=True)], key[0])


@dataclass(frozen=True, slots=True)
class _Plan:
    features: list[int]  # empty if the columns are the features in their order
    beside: list[tuple[str, int, Callable[[Any], Any]]]
