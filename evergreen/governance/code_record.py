"""The source of a version's code as it is kept with its run: the model file, and the modules that it imports."""

import json

from evergreen.definition.code.source_files import Code
from evergreen.definition.loader import MODEL_FILE, fingerprint_of
from evergreen.errors import ReproductionError
from evergreen.registry.registry import Registry
from evergreen.registry.version import Version

HASHES = "code.json"  # of each file, by its path; there only if there are more, or one of another name
_FOLDER = "code"


def pages(code: Code, name: str) -> dict[str, str]:
    """What is kept with a run of a model beside the model file: each module, and the hashes of all files."""
    if [path for path, _ in code.files] == [f"{name}.py"]:
        return {}
    kept = {f"{_FOLDER}/{path}": text for path, text in code.files}
    return kept | {HASHES: json.dumps(code.hashes, indent=2)}


def modules(registry: Registry, version: Version) -> list[str]:
    """The modules beside the model file that are kept with a version's run, by their path."""
    hashes = registry.text(version, HASHES)
    return [path for path in json.loads(hashes or "{}") if path != f"{version.model}.py"]


def read(registry: Registry, version: Version) -> dict[str, str]:
    """The files that a version was trained with, by their path in the models folder.

    Raises
    ------
    ReproductionError
        They were not kept, or were altered since.
    """
    text = registry.text(version, MODEL_FILE)
    if text is None or not version.recorded:
        raise ReproductionError(f"{version} was not trained by Evergreen, so its origin is not recorded.")
    altered = version.model_file_hash and fingerprint_of(text.encode()) != version.model_file_hash
    if altered:
        raise _altered(version, MODEL_FILE)
    hashes = registry.text(version, HASHES)
    if hashes is None:
        return {f"{version.model}.py": text}
    found = {path: registry.text(version, f"{_FOLDER}/{path}") or "" for path in json.loads(hashes)}
    if Code.of_texts(found).digest != version.code_hash:
        raise _altered(version, _FOLDER)
    return found


def _altered(version: Version, name: str) -> ReproductionError:
    return ReproductionError(
        f"{version}: the model file that is kept with its run was altered, and was not run. Restore {name} of the run "
        f"{version.run_id} from a backup."
    )
