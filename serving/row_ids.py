"""The ids of rows that callers send."""

import re
from collections.abc import Mapping
from typing import Any

from evergreen.definition.kinds.register import kind_of
from evergreen.definition.kinds.timestamp import Datetime
from evergreen.definition.parsing import columns as parsing
from evergreen.row_id import row_id
from serving.errors import invalid, shown
from serving.local_times import UnclearTimeError, existing
from serving.model_cache import Spec

_MAX_ID = 512  # characters of a row's id
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def checked_ids(ids: list[str], field: str) -> list[str]:
    """Ids of rows as they are logged, shown and asked for again.

    Raises
    ------
    RequestError
        422 if one is longer than 512 characters, or holds a control character or a line break.
    """
    if max(map(len, ids), default=0) > _MAX_ID or _CONTROL.search("".join(ids)):
        bad = next(id_ for id_ in ids if len(id_) > _MAX_ID or _CONTROL.search(id_))
        fault = "holds a control character" if len(bad) <= _MAX_ID else f"has more than {_MAX_ID} characters"
        raise invalid(f"The id {shown(bad)} {fault}. Send an id that one line of text can hold.", field)
    return ids


class KeyReader:
    """Reads the id of one row from the columns of its key, sent as in a request for a prediction.

    Parameters
    ----------
    spec : Spec
    """

    def __init__(self, spec: Spec) -> None:
        self._key, self._timezone = spec.key, spec.timezone
        self._kinds = spec.features | spec.beside
        parsers = parsing.loaded(spec.parsing)
        self._parsers = {name: parsers[name] for name in spec.key if name in parsers}

    def fields(self, sent: Mapping[str, Any]) -> list[str]:
        """The fields that the key is read from: a key column itself, or those that its parser reads if they came."""
        return [field for name in self._key for field in self._inputs(name, sent)]

    def read(self, sent: Mapping[str, Any]) -> str:
        """The id, as DuckDB writes it for the row in the lake.

        Raises
        ------
        ValueError
            A column is not of its kind; the error's arguments are its name and what is wrong.
        """
        return row_id([self._part(name, sent) for name in self._key])

    def canonical(self, sent: str) -> str:
        """An id as the lake writes it: of a key of one column it is its value, of which 7 and 7.0 are the same number.

        Any other id stays as it is: of a key of several columns, and of a row that was predicted without its key.
        """
        if len(self._key) > 1:
            return sent
        try:
            return row_id([self._part(self._key[0], {self._key[0]: sent})])
        except ValueError:
            return sent

    def _inputs(self, name: str, sent: Mapping[str, Any]) -> list[str]:
        inputs = self._parsers[name].inputs(name) if name in self._parsers else [name]
        return inputs if set(inputs) <= set(sent) else [name]

    def _part(self, name: str, sent: Mapping[str, Any]) -> object:
        inputs = self._inputs(name, sent)
        value = sent[inputs[0]]
        try:
            if name in self._parsers and inputs == self._parsers[name].inputs(name):
                value = self._parsers[name].value([sent[field] for field in inputs], self._timezone)
            return self._text(name, value)
        except UnclearTimeError as error:
            raise ValueError(inputs[0], str(error)) from None
        except (ValueError, TypeError, OverflowError):
            raise ValueError(inputs[0], "is no value of this column of the key") from None

    def _text(self, name: str, value: Any) -> object:
        """A value as the text of the stored one; one that was sent as text counts as what it says."""
        kind = kind_of(self._kinds.get(name, "text"))
        kept = kind.keep(kind.from_csv(value) if type(value) is str else value)
        if kept is None or kept == "":
            raise ValueError
        return kind.key_text(existing(kept, self._timezone) if isinstance(kind, Datetime) else kept, self._timezone)
