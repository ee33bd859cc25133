"""The user's code in a local copy of a version: one file, sealed with the rest of the copy."""

from pathlib import Path

import orjson

_CODE = "code.json"


def add(estimator: bytes, folder: Path) -> None:
    """Write the code that an estimator needs, which is installed in this process, into the folder of a copy."""
    from evergreen.registry.model_store import codes_of

    if codes := codes_of(estimator):
        (folder / _CODE).write_bytes(orjson.dumps([dict(code.files) for code in codes]))


def install(folder: Path) -> None:
    """Let the code of a copy be imported, under the names that its estimator has it by.

    The copy is verified before: its seal covers this file.
    """
    if not (folder / _CODE).is_file():
        return
    from evergreen.definition.code import modules
    from evergreen.definition.code.source_files import Code

    for texts in orjson.loads((folder / _CODE).read_bytes()):
        code = Code.of_texts(texts)
        modules.install(code)
        modules.send_by_value(code.package)
