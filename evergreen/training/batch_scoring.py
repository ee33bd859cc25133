"""Batch scoring: predict many rows in pieces, so that memory is bounded by the size of a piece."""

import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evergreen.csv_text import defused
from evergreen.definition import row_ids
from evergreen.definition.metrics import Floats
from evergreen.errors import SourceShapeError
from evergreen.frames import with_columns
from evergreen.ingestion import schema
from evergreen.sql import RESERVED, stored
from evergreen.training import fitting

if TYPE_CHECKING:
    import pyarrow as pa

    from evergreen.definition.model import Model

Write = Callable[[pd.DataFrame], None]


@dataclass(frozen=True)
class Scored:
    """The result of a scoring run.

    Attributes
    ----------
    model, version : str
    output : str
    rows : int
    ignored : list of str
        Columns of the input that the model neither declares nor reads others from.
    """

    model: str
    version: str
    output: str
    rows: int
    ignored: list[str]


def prepared(model: "Model", rows: pd.DataFrame) -> pd.DataFrame:
    """Cast the rows of an input to the declared kinds: the features, and key, time and extra columns if present.

    Raises
    ------
    SourceShapeError
        A feature is missing, or a column holds values of another kind.
    """
    label = {model.target, model.label_time}
    given = {*rows.columns, *(name for name, parser in model.parsing.items() if {*parser.inputs(name)} <= {*rows})}
    cast, problems = schema.cast(rows, model, {*model.features, *(given - label)})
    if problems:
        misfits = "; ".join(f"{result.column!r} should be {result.expected}: {result.found}" for result in problems)
        raise SourceShapeError(f"{model.name}: the input does not fit: {misfits}.")
    return cast


def predictions(model: "Model", estimator: Any, rows: pd.DataFrame) -> Floats:
    """Predict numbers (n, 1), or probabilities (n, classes). Of no rows no estimator is asked: many refuse them."""
    if not len(rows):
        return np.empty((0, 1 if model.task == "regression" else len(estimator.classes_)))
    return fitting.predict(model, estimator, rows).reshape(len(rows), -1)


def table(model: "Model", estimator: Any, version: str, rows: pd.DataFrame, predictions: Floats) -> pd.DataFrame:
    """The output table: key and time if present, ``prediction``, ``probability_<class>`` of each class, ``version``.

    Where the key or the time already has such a name, Evergreen's column is called ``evergreen:prediction`` and so on.
    """
    identifying = rows[list(dict.fromkeys(name for name in (*model.key, model.time) if name in rows))]
    predicted: dict[str, Any] = {}
    if model.task == "regression":
        predicted["prediction"] = predictions[:, 0]
    else:
        classes = np.asarray(estimator.classes_)
        predicted["prediction"] = (
            np.asarray(estimator.predict(fitting.features(model, rows, estimator))) if len(rows) else classes[:0]
        )
        for place, name in enumerate(classes.tolist()):
            predicted[f"probability_{name}"] = predictions[:, place]
    predicted["version"] = version
    return identifying.assign(
        **{f"{RESERVED}{name}" if name in identifying else name: values for name, values in predicted.items()}
    )


def logged(
    model: "Model", version: str, rows: pd.DataFrame, predictions: Floats, as_of: pd.Timestamp, run: str
) -> "pa.Table":
    """The predictions as rows of the prediction log, with the role ``batch``; private columns are left out.

    A row without the model's key gets an id made of the run and its position.
    """
    import pyarrow as pa

    keyed = set(model.key) <= set(rows.columns)
    ids = row_ids.ids(model, rows) if keyed else [f"{run}-{place}" for place in rows.index]
    moments = pa.timestamp("us", tz="UTC")
    sent = rows[[name for name in rows if name not in model.serving.private]]
    columns: dict[str, Any] = {
        "_id": pa.array(ids, pa.string()),
        "_time": pa.array([as_of.to_pydatetime()] * len(rows), moments),
        "_version": pa.array([version] * len(rows), pa.string()),
        "_role": pa.array(["batch"] * len(rows), pa.string()),
        "_answers": pa.array(predictions.tolist(), pa.list_(pa.float64())),
        "_landed": pa.array([as_of.to_pydatetime()] * len(rows), moments),
    }
    plain = pa.Table.from_pandas(sent, preserve_index=False).replace_schema_metadata(None)
    return pa.table(columns | {stored(name): _plain(plain.column(name)) for name in plain.column_names})


def _plain(column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """Cast Arrow's large strings to plain strings, as the lake stores text."""
    import pyarrow as pa

    return column.cast(pa.string()) if pa.types.is_large_string(column.type) else column


class Spool:
    """Pieces of a table on the disk beside an output, so that they can be used at once after all are there."""

    def __init__(self, output: Path) -> None:
        self._beside = output

    def __enter__(self) -> "Spool":
        self._beside.parent.mkdir(parents=True, exist_ok=True)
        self._folder = tempfile.TemporaryDirectory(dir=self._beside.parent, prefix=f".{self._beside.name[:100]}.")
        self._paths: list[str] = []
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def add(self, piece: "pa.Table") -> None:
        """Write a piece."""
        import pyarrow as pa

        self._paths.append(str(Path(self._folder.name) / f"{len(self._paths)}.arrow"))
        with pa.OSFile(self._paths[-1], "wb") as file, pa.ipc.new_file(file, piece.schema) as writer:
            writer.write_table(piece)

    def rows(self) -> "pa.Table":
        """All pieces as one table, which is read from the disk where it is used."""
        import pyarrow as pa

        pieces = [pa.ipc.open_file(pa.memory_map(path)).read_all() for path in self._paths]
        return pa.concat_tables(pieces, promote_options="permissive")


def require_ending(output: Path) -> None:
    """Make sure that a file to write has an ending that is known.

    Raises
    ------
    SourceShapeError
        It has another one.
    """
    if output.suffix not in (".parquet", ".csv"):
        raise SourceShapeError(f"--output {output} should end in .parquet or .csv.")


@contextmanager
def writing(output: Path, *, defuse: bool = True) -> Iterator[Write]:
    """Write pieces to a Parquet or CSV file. The file is replaced only after all pieces are written.

    Parameters
    ----------
    output : Path
    defuse : bool
        Whether text that begins like a formula gets an apostrophe in CSV, as `evergreen.csv_text.defused` has it.

    Raises
    ------
    SourceShapeError
        The file name has another ending.
    """
    require_ending(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    beside = output.with_name(f".{output.name}.{uuid.uuid4().hex}")
    try:
        with _parquet(beside) if output.suffix == ".parquet" else _csv(beside, defuse=defuse) as write:
            yield write
        if beside.exists():
            beside.replace(output)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writers: list[pq.ParquetWriter] = []

    def write(piece: pd.DataFrame) -> None:
        arrow_table = pa.Table.from_pandas(piece, preserve_index=False)
        if not writers:
            writers.append(pq.ParquetWriter(path, arrow_table.schema))
        writers[0].write_table(arrow_table.cast(writers[0].schema))

    try:
        yield write
    finally:
        for writer in writers:
            writer.close()


@contextmanager
def _csv(path: Path, *, defuse: bool) -> Iterator[Write]:
    with path.open("w", newline="") as file:

        def write(piece: pd.DataFrame) -> None:
            safe = _defused(piece) if defuse else piece
            safe.to_csv(file, index=False, header=file.tell() == 0)

        yield write


def _defused(piece: pd.DataFrame) -> pd.DataFrame:
    texts = [name for name in piece if not pd.api.types.is_numeric_dtype(piece[name].dtype)]
    return with_columns(piece, {str(name): piece[name].map(defused) for name in texts}).rename(columns=defused)
