"""Files written atomically."""

import os
from pathlib import Path


def replace(path: Path, what: str | bytes) -> None:
    """Write a page or a picture whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")  # two processes may write the same page
    part.write_bytes(what.encode() if isinstance(what, str) else what)
    part.replace(path)
