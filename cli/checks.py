"""What can be wrong with a command line is told before anything large is imported: in a second, not in ten."""

from pathlib import Path

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
    from evergreen.ingestion.sources.file_access import matching
    from evergreen.ingestion.sources.files import Files
    from evergreen.scaffold.reading import sample

    files = sample.source_of(source, query or None)
    version(model, number)
    if isinstance(files, Files) and sum(path.stat().st_size for path in matching(files.path)) < _LARGEST:
        definition = loader.load(model)
        for piece in files.pieces(definition, 1):
            batch_scoring.prepared(definition, piece)
            break
