"""Masking: columns that the model file declares private are hashed or left out before logging."""

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any

from serving.model_cache import Spec

Rows = list[list[Any]]


class Masking:
    """Masks the private columns of one version.

    Parameters
    ----------
    spec : Spec
    secret : bytes
        The key of the hash. Without it nobody can recover values by hashing candidates.

    Attributes
    ----------
    features, beside : dict of column to kind
        The logged columns; a hashed column is text.
    """

    def __init__(self, spec: Spec, secret: bytes) -> None:
        self._private = spec.private
        self.features, self.beside = self._logged(spec.features), self._logged(spec.beside)
        self._hash = partial(_hashed, secret=secret)
        methods = [(place, spec.private.get(name)) for place, name in enumerate(spec.features)]
        self._logged_places = [(place, how == "hash") for place, how in methods if how != "omit"]

    def rows(self, rows: Rows) -> Rows:
        """The masked rows, as they are logged."""
        if not self._private:
            return rows
        return [
            [self._hash(row[place]) if hashed else row[place] for place, hashed in self._logged_places] for row in rows
        ]

    def columns(self, beside: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """The masked other columns, as they are logged."""
        return {
            name: [self._hash(value) for value in values] if name in self._private else values
            for name, values in beside.items()
            if name in self.beside
        }

    def _logged(self, kinds: dict[str, str]) -> dict[str, str]:
        private: Callable[[str], str | None] = self._private.get
        return {
            name: "text" if private(name) == "hash" else kind for name, kind in kinds.items() if private(name) != "omit"
        }


def _hashed(value: Any, *, secret: bytes) -> str | None:
    return None if value is None else hashlib.blake2b(repr(value).encode(), key=secret, digest_size=16).hexdigest()
