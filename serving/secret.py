"""The secret of an installation: it keys the hashes of private columns and the seals of local copies."""

import secrets
from pathlib import Path

from evergreen.files import secret


def secret_of(root: Path) -> bytes:
    """The secret of this installation, created on first use."""
    return secret(root / "secret", lambda: secrets.token_bytes(32))
