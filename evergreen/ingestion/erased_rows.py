"""Which rows were erased, as keyed hashes of their ids: late rows are looked up there, so that none comes back."""

import hashlib
from collections.abc import Iterable

from evergreen.settings import secret


def hashed(row_ids: Iterable[str]) -> list[str]:
    """A keyed hash of each id; without the secret of the installation nobody can find out whose it is.

    Parameters
    ----------
    row_ids : iterable of str
        From `evergreen.definition.row_ids.ids`.
    """
    key = secret()
    return [_hashed(row, key) for row in row_ids]


def _hashed(row: str, key: bytes) -> str:
    return hashlib.blake2b(row.encode(), digest_size=16, key=key, person=b"erased rows").hexdigest()
