"""Erasure in the log of a Delta table: removes the column values that it holds of erased files.

For every file the log keeps the smallest and the largest value of each column, and for every deletion its
condition (the Delta transaction log protocol, https://github.com/delta-io/delta/blob/master/PROTOCOL.md).
"""

import json
from collections.abc import Set
from typing import TYPE_CHECKING, Any

from evergreen.definition.disclosure import without_old_examples as without_examples
from evergreen.files import replacing_stored

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_WARNED = "evergreen.warned"  # the notes of a batch


def remove_values(files: "AbstractFileSystem", log: str, erased: Set[str]) -> bool:
    """Rewrite the commits that hold statistics of erased files or the condition of an erasure.

    Only these values are removed: no commit is deleted, so that every version that can still be
    read is read as before. Checkpoints repeat the commits and are deleted.

    Parameters
    ----------
    files : AbstractFileSystem
    log : str
        The folder of the log.
    erased : set of str
        The files' paths, as the log has them.

    Returns
    -------
    bool
        Whether anything was rewritten; then the caller creates a new checkpoint.
    """
    rewritten = {}
    for path in files.glob(f"{log}/*.part"):  # what a killed erasure was writing
        files.rm_file(path)
    for path in files.glob(f"{log}/*.json"):
        actions = [json.loads(line) for line in files.cat_file(path).splitlines() if line.strip()]
        changed = [_remove_from_action(action, erased) for action in actions]
        if any(changed):
            rewritten[path] = "".join(json.dumps(action, separators=(",", ":")) + "\n" for action in actions)
    if rewritten:  # checkpoints first: an interrupted erasure then finds the commits again
        for path in [*files.glob(f"{log}/_last_checkpoint"), *files.glob(f"{log}/*.checkpoint*.parquet")]:
            files.rm_file(path)
    for path, text in rewritten.items():
        with replacing_stored(files, path) as file:
            file.write(text)
    return bool(rewritten)


def _remove_from_action(action: dict[str, Any], erased: Set[str]) -> bool:
    """Remove the values from one action; False if it has none."""
    for kind in ("add", "remove"):
        entry = action.get(kind, {})
        if entry.get("path") in erased and entry.get("stats"):
            entry["stats"] = None
            return True
    commit = action.get("commitInfo", {})
    parameters = commit.get("operationParameters", {})
    predicate = str(parameters.get("predicate"))
    # A deletion by age has neither " = " nor " IN ".
    if commit.get("operation") == "DELETE" and (" = " in predicate or " IN " in predicate.upper()):
        parameters["predicate"] = "of an erasure"
        return True
    warned = commit.get(_WARNED)
    if warned and without_examples(warned) != warned:
        commit[_WARNED] = without_examples(warned)
        return True
    return False
