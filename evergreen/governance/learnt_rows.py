"""Which rows a version learnt from, as keyed hashes of their ids: stored with the version, of use after an erasure.

Without the secret of the installation nobody can find out whether a key is among them.
"""

import base64
import hashlib
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.row_id import row_id

if TYPE_CHECKING:
    from evergreen.definition.model import Model

ARTIFACT = "learnt_rows.txt"
_BYTES = 5  # of a hash: one key in a million million is taken for another


def ids(model: "Model", rows: pd.DataFrame) -> list[str]:
    """The ids of rows that have all columns of the key; none if one is missing."""
    if not set(model.key) <= set(rows.columns):
        return []
    known = rows[model.key].dropna().astype("str")
    return list(map(row_id, known.itertuples(index=False, name=None)))


def dump(row_ids: Sequence[str], secret: bytes) -> str:
    """Hashes of row ids as text: about four characters a row, and a mark of the secret.

    Examples
    --------
    >>> holds(dump(["a", "b"], b"secret"), ["b"], b"secret"), holds(dump(["a"], b"secret"), ["b"], b"secret")
    (True, False)
    """
    gaps = np.diff(np.unique(_hashes(row_ids, secret)), prepend=np.uint64(0))
    planes = gaps.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 8 - _BYTES :].T
    packed = zlib.compress(np.ascontiguousarray(planes).tobytes(), level=1)
    return f"{_mark(secret)} {base64.b64encode(packed).decode()}"


def holds(text: str, row_ids: Sequence[str], secret: bytes) -> bool | None:
    """Whether one of these rows is among those that `dump` hashed; None if it was done with another secret."""
    mark, _, packed = text.partition(" ")
    if mark != _mark(secret):
        return None
    planes = np.frombuffer(zlib.decompress(base64.b64decode(packed)), dtype=np.uint8).reshape(_BYTES, -1)
    gaps = np.zeros((planes.shape[1], 8), dtype=np.uint8)
    gaps[:, 8 - _BYTES :] = planes.T
    known = np.cumsum(gaps.reshape(-1).view(">u8").astype(np.uint64))
    return bool(np.isin(_hashes(row_ids, secret), known).any())


def _hashes(row_ids: Sequence[str], secret: bytes) -> NDArray[np.uint64]:
    """SipHash-2-4 (Aumasson and Bernstein 2012) of each id by a key made of the secret, shortened."""
    key = base64.b64encode(hashlib.blake2b(secret, digest_size=12, person=b"learnt rows").digest()).decode()
    texts = np.array(row_ids, dtype=object)
    hashed = pd.util.hash_array(texts, hash_key=key, categorize=False) if len(texts) else np.array([], dtype=np.uint64)
    return hashed.astype(np.uint64) >> np.uint64(64 - 8 * _BYTES)


def _mark(secret: bytes) -> str:
    return hashlib.blake2b(secret, digest_size=4, person=b"mark").hexdigest()
