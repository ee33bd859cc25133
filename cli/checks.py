"""What can be wrong with a command line is told before anything large is imported: in a second, not in ten."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_LARGEST = 20_000_000  # bytes of files that are looked into: others are as soon read by the command itself


def known(model: str) -> None:
    """Check that there is a model, or was one: the records of a model whose file was deleted are still read.

    Raises
    ------
    ModelFileError
        There is and was none.
    """
    from evergreen.definition.model_files import existing, path_of

    if path_of(model).is_file():
        return
    from evergreen.lake.delta_lake import DeltaLake
    from evergreen.lake.lake import AUDIT
    from evergreen.settings import Settings

    if not DeltaLake(Settings.read().lake).exists(model, AUDIT):
        existing(model)


def rows(model: str) -> None:
    """Check that rows of a model have landed.

    Raises
    ------
    NoRowsError
        None have.
    """
    from evergreen.lake.delta_lake import DeltaLake
    from evergreen.settings import Settings

    DeltaLake(Settings.read().lake).opened(model)


def definition(model: str) -> "Model":
    """Check that a model file runs, which a flow does later in the same process, at no further price.

    Raises
    ------
    ModelFileError
        It does not.
    """
    from evergreen.definition import loader

    return loader.load(model)


def source(model: str) -> None:
    """Check that a model file runs, and that the files of its source are there, if they are on this machine.

    Raises
    ------
    ModelFileError
        The file does not run.
    SourceError
        There are no such files.
    """
    from evergreen.addresses import expanded
    from evergreen.ingestion.sources.files import Files
    from evergreen.ingestion.sources.places import local

    found = definition(model).source
    if isinstance(found, Files) and "://" not in expanded(found.path):
        local(found.path)


def step(length: str) -> None:
    """Check the time between the decisions of a replay.

    Raises
    ------
    PolicyError
        It is none.
    """
    if length:
        from evergreen.replay.policies import step_length

        step_length(length)


def policies(model: str, names: str) -> None:
    """Check the names of a replay's policies; a file of one's own is run later.

    Raises
    ------
    PolicyError
        There is none of that name.
    """
    from evergreen.replay.policies import listed, named

    for name in listed(names):
        if ":" not in name:
            named(name, definition(model))


def environment(name: str) -> None:
    """Check that there is another environment of the project.

    Raises
    ------
    ProjectError
        There is none, or its file cannot be used.
    """
    from evergreen.settings import Settings

    Settings.of_environment(name)


def request(model: str, number: str, by: str = "") -> None:
    """Check that a version is pending approval, and who may give it.

    Parameters
    ----------
    model, number : str
    by : str
        Who approves it, whom the user of the shell names; empty for a refusal.

    Raises
    ------
    PromotionError
        None is, or not this one; or the user or whom they name requested it, where the settings ask for four eyes.
    RegistryError
        There is no such version.
    """
    from datetime import UTC, datetime

    import pandas as pd

    from evergreen.lake.audit_log import person
    from evergreen.lifecycle.approval import check_second, open_request
    from evergreen.locks import require_idle
    from evergreen.stores import Stores

    require_idle(model, "train")
    stores = Stores.open()
    found = open_request(stores.registry, model, number, pd.Timestamp(datetime.now(UTC)))
    if by:
        check_second(stores, found, by, person())


def online(model: str) -> None:
    """Check that a version runs as shadow or canary.

    Raises
    ------
    RegistryError
        None does.
    PromotionError
        It was rolled back.
    """
    from evergreen.evaluation.online import require_challenger
    from evergreen.locks import require_idle
    from evergreen.stores import Stores

    require_idle(model, "train")
    require_challenger(Stores.open().registry, model)


def destination(model: str, to: str) -> None:
    """Check that there is a champion, and an earlier one to put in its place.

    Raises
    ------
    PromotionError
        There is none.
    RegistryError
        There is no such version.
    """
    from evergreen.lifecycle.rollback import destination as found
    from evergreen.locks import require_idle
    from evergreen.stores import Stores

    require_idle(model, "train")
    found(Stores.open().registry, model, to)


def version(model: str, number: str) -> None:
    """Check that a model has a version.

    Raises
    ------
    RegistryError
        It has none of that number or alias.
    """
    from evergreen.stores import Stores

    Stores.open().registry.version(model, number)


def score(model: str, source: str, output: str, query: str, number: str) -> None:
    """Check what `evergreen score` is to read and write, with the columns of the first row of files that are not large.

    Raises
    ------
    ModelFileError
        There is no such model.
    SourceError
        There is no such file, it lacks a column, or `output` has an unknown ending.
    RegistryError
        There is no such version.
    """
    from evergreen.definition.model_files import existing

    existing(model)
    from evergreen.training import batch_scoring

    batch_scoring.require_ending(Path(output))
    if "://" in source or source.startswith("$"):  # a database is asked once, and later
        version(model, number)
        return
    from evergreen.definition import loader
    from evergreen.ingestion.sources.files import Files
    from evergreen.ingestion.sources.places import at
    from evergreen.scaffold.reading import sample

    files = sample.source_of(source, query or None)
    version(model, number)
    place = at(Path(files.path)) if isinstance(files, Files) else None
    if place and isinstance(files, Files) and sum(Path(file).stat().st_size for file in place.files) < _LARGEST:
        definition = loader.load(model)
        for piece in files.pieces(definition, 1):
            batch_scoring.prepared(definition, piece)
            break
