"""The mask: what is hashed or left out before an answer is logged, as the model file says."""

import hashlib
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from serving.model_cache import Spec

Rows = list[list[Any]]


class Masking:
    """The mask of one version's columns.

    Parameters
    ----------
    spec : Spec
    secret : bytes
        With which values are hashed, so that nobody without it can try them all.

    Attributes
    ----------
    features, beside : dict of column to kind
        What is logged; what is hashed is text.
    """

    def __init__(self, spec: Spec, secret: bytes) -> None:
        self._private = spec.private
        self.features, self.beside = self._left(spec.features), self._left(spec.beside)
        self._hash = partial(_hashed, secret=secret)
        whole = [(place, spec.private.get(name)) for place, name in enumerate(spec.features)]
        self._kept = [(place, how == "hash") for place, how in whole if how != "omit"]

    def rows(self, rows: Rows) -> Rows:
        """The rows as they are logged."""
        if not self._private:
            return rows
        return [[self._hash(row[place]) if hashed else row[place] for place, hashed in self._kept] for row in rows]

    def columns(self, beside: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """The same of what was sent beside the features."""
        return {
            name: [self._hash(one) for one in values] if name in self._private else values
            for name, values in beside.items()
            if name in self.beside
        }

    def _left(self, kinds: dict[str, str]) -> dict[str, str]:
        private: Callable[[str], str | None] = self._private.get
        return {
            name: "text" if private(name) == "hash" else kind for name, kind in kinds.items() if private(name) != "omit"
        }


def _hashed(value: Any, *, secret: bytes) -> str | None:
    return None if value is None else hashlib.blake2b(repr(value).encode(), key=secret, digest_size=16).hexdigest()


def secret_of(root: Path) -> bytes:
    """The secret of this installation, made when it is first asked for."""
    path = root / "secret"
    if not path.exists():
        root.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".secret-{os.getpid()}")
        beside.touch(mode=0o600)
        beside.write_bytes(secrets.token_bytes(32))
        with suppress(FileExistsError):  # another worker was first
            os.link(beside, path)
        beside.unlink()
    return path.read_bytes()
