"""Erasure of what else lies in the home: pages that can be made again, caches, and texts of earlier releases."""

import json
import shutil
import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from evergreen.definition.disclosure import without_old_examples

# Where releases before this one wrote examples of rows, in Prefect's database.
_TEXTS = (
    ("flow_run_state", "message"),
    ("task_run_state", "message"),
    ("log", "message"),
    ("events", "payload"),
    ("artifact", "description"),
    ("artifact", "data"),
    ("artifact_collection", "description"),
    ("artifact_collection", "data"),
)
_WAIT = 60.0  # seconds for another process that writes to the database


def erase(home: Path, model: str, examples: Collection[str]) -> None:
    """Remove pages of rows, replays, copies of models with erased examples, and old texts.

    Parameters
    ----------
    home : Path
    model : str
    examples : collection of str
        The erased rows as `evergreen.governance.artifact_erasure.row_texts` writes them.
    """
    reports = home / "reports"
    for pattern in ("look-*.html", f"{model}.html", f"{model}.png", f"{model}.*.card.html"):
        for path in reports.glob(pattern):
            path.unlink()
    shutil.rmtree(home / "replays" / model, ignore_errors=True)
    for path in (home / "serving" / "models" / model).glob("*/spec-*.json"):
        shown = {json.dumps(row, default=str) for row in json.loads(path.read_text()).get("example", [])}
        if shown & set(examples):  # the service makes the copy again
            shutil.rmtree(path.parent, ignore_errors=True)
    if (home / "prefect" / "prefect.db").is_file():
        clean_database(home / "prefect" / "prefect.db")


def clean_database(path: Path) -> None:
    """Remove examples of rows from the texts in Prefect's database, where earlier releases wrote them."""
    with closing(sqlite3.connect(path, timeout=_WAIT)) as database:
        database.execute("PRAGMA secure_delete = ON")
        database.create_function("cleaned", 1, lambda text: text and without_old_examples(str(text)))
        for table, column in _TEXTS:
            known = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            if column in known:
                unclean = (
                    f"({column} LIKE '%rows%' OR {column} LIKE '%distinct values: %' OR {column} LIKE '%far outs%')"
                )
                changes = f"UPDATE {table} SET {column} = cleaned({column})"
                database.execute(f"{changes} WHERE {unclean} AND cleaned({column}) != {column}")
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
