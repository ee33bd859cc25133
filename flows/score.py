"""Score: predict many rows at once, by schedule or by hand."""

from pathlib import Path

from prefect import flow

from evergreen.registry.version import CHAMPION
from evergreen.scaffold.reading import sample
from evergreen.stores import Stores
from evergreen.training.batch_scoring import Scored
from flows.runtime.parameters import Address, AsOf, ModelName, run_name, timestamp_of
from flows.runtime.terminal import from_shell
from tasks.score import score as stage


@flow(name="score", flow_run_name=run_name)
def score(
    model: ModelName,
    source: Address,
    output: str,
    query: str = "",
    version: str = CHAMPION,
    log: bool = True,
    as_of: AsOf = None,
    defuse: bool = True,
) -> Scored:
    """Predict the rows of files or of a query with a version, and write the predictions to a file.

    Args:
        model: A file in models/, by its name.
        source: A .parquet or .csv file, a folder, a glob, or a database's URL, whose password is a variable's $NAME.
        output: The file to write, .parquet or .csv; it is replaced once all rows are predicted.
        query: What to read of a database.
        version: By number or alias.
        log: Whether the predictions are added to the prediction log.
        as_of: The time of the predictions in the log; None for now.
        defuse: Whether text in CSV that begins with =, +, - or @ gets an apostrophe, so that no spreadsheet runs it.
    """
    stores = Stores.open()
    chosen_version = stores.registry.version(model, version)
    rows = sample.source_of(source, query or None)
    path = str(Path(output).absolute())
    return stage(stores, chosen_version, rows, path, timestamp_of(as_of), log=log, defuse=defuse)


if __name__ == "__main__":
    from_shell(score)
