"""Which code from the registry may run: that of trainings which the lake's audit log records.

Who can write to the MLflow store cannot write to the lake, and so cannot make a command or the service run code.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from evergreen.definition.code.source_files import PREFIX, Code
from evergreen.lake import audit_log
from evergreen.lake.lake import Lake

if TYPE_CHECKING:
    import pandas as pd


def record(lake: Lake | None, model: str, codes: Iterable[Code], at: "pd.Timestamp | None") -> None:
    """Record that a training used this code, before its version is registered; the same code again adds no line.

    Raises
    ------
    LakeError
        It cannot be written; then the version must not be registered.
    """
    if lake is None:
        return
    for code in codes:
        assert at is not None, "every training has the time whose data it used"
        audit_log.write(lake, model, "code", code.digest, at, detail={"files": ", ".join(code.hashes)})


def recorded(lake: Lake, model: str) -> set[str]:
    """The packages of the code that trainings of a model used."""
    return {f"{PREFIX}{line.subject}" for line in audit_log.read(lake, model) if line.act == "code"}
