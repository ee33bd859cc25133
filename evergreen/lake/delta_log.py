"""The log of a Delta table: what it tells of the values in files that have been erased, taken out of it.

For every file the log keeps the smallest and the largest value of each column, and for every deletion its
condition (the Delta transaction log protocol, https://github.com/delta-io/delta/blob/master/PROTOCOL.md).
"""

import json
from collections.abc import Set
from typing import TYPE_CHECKING, Any

from evergreen.files import replacing_stored

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


def hush(files: "AbstractFileSystem", log: str, gone: Set[str]) -> bool:
    """Rewrite the commits that tell of values in files that are gone, or of values that were deleted by.

    The log stays whole but for these values: no commit goes, so that every version which can still be
    read is read as before. Checkpoints, which repeat what the commits say, go.

    Parameters
    ----------
    files : AbstractFileSystem
    log : str
        The folder of the log.
    gone : set of str
        The files' paths, as the log has them.

    Returns
    -------
    bool
        Whether there was anything; then a checkpoint is missing.
    """
    telling = {}
    for path in files.glob(f"{log}/*.json"):
        actions = [json.loads(line) for line in files.cat_file(path).splitlines() if line.strip()]
        told = [_hushed(action, gone) for action in actions]
        if any(told):
            telling[path] = "".join(json.dumps(action, separators=(",", ":")) + "\n" for action in actions)
    if telling:  # first what only repeats: whoever dies after that finds the rest again
        for path in [*files.glob(f"{log}/_last_checkpoint"), *files.glob(f"{log}/*.checkpoint*.parquet")]:
            files.rm_file(path)
    for path, text in telling.items():
        with replacing_stored(files, path) as file:
            file.write(text)
    return bool(telling)


def _hushed(action: dict[str, Any], gone: Set[str]) -> bool:
    """Take the values out of one action; False if it has none."""
    for kind in ("add", "remove"):
        told = action.get(kind, {})
        if told.get("path") in gone and told.get("stats"):
            told["stats"] = None
            return True
    commit = action.get("commitInfo", {})
    asked = commit.get("operationParameters", {})
    if commit.get("operation") == "DELETE" and " = " in str(asked.get("predicate")):  # what is deleted by age has none
        asked["predicate"] = "of an erasure"
        return True
    return False
