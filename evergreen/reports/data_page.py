"""Pages about a table's columns: skrub's table report (the only module that imports skrub)."""

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from evergreen.definition import disclosure, loader
from evergreen.definition import model as models
from evergreen.definition.model import Model
from evergreen.definition.sources import periods
from evergreen.errors import SourceError
from evergreen.governance import code_record, learnt_rows
from evergreen.governance.artifact_erasure import DATA_PAGE
from evergreen.lake.lake import Lake
from evergreen.scaffold.reading.columns import read
from evergreen.scaffold.reading.sample import open_table, source_of
from evergreen.settings import Settings, secret
from evergreen.sql import columns

_SAMPLE = 20_000


@dataclass(frozen=True)
class Page:
    """A page that was written.

    Attributes
    ----------
    path : str
    title : str
    rows : int
        How many rows the table has; the page shows an even sample of them.
    """

    path: str
    title: str
    rows: int


def table_page(rows: pd.DataFrame, title: str, *, plots: bool = True, most: int = _SAMPLE) -> str:
    """Make a self-contained page of a table's columns, distributions and associations.

    Parameters
    ----------
    rows : DataFrame
        If there are more than `most`, an even sample is shown, and the title says so.
    title : str
    plots : bool
        Whether to draw distributions and measure associations of columns, which takes ten times as
        long as the rest.
    most : int
    """
    from skrub import TableReport

    step = -(-len(rows) // most) or 1
    shown = rows.iloc[::step]
    if step > 1:
        title = f"{title} (one in {step} of {len(rows):,} rows)"
    drawn = "auto" if plots else False
    report = TableReport(shown, title=title, plot_distributions=drawn, compute_associations=drawn, verbose=0)
    return str(report.html())


def write_page(lake: Lake, what: str, now: pd.Timestamp) -> Page:
    """Write the page of a model's rows, or of a file's or database's, into the home's reports.

    Parameters
    ----------
    lake : Lake
    what : str
        A model's name, else what `evergreen.scaffold.reading.sample.source_of` takes.
    now : Timestamp
        The end of the period to read, if the source is a function.

    Raises
    ------
    SourceError
        It is neither, or has no rows.
    """
    if loader.path_of(what).is_file():
        rows, total, title = _of_model(lake, loader.load(what), now)
    else:
        rows, total, title = _of_table(what)
    page = table_page(rows, title if len(rows) == total else f"{title} ({len(rows):,} of {total:,} rows)")
    path = Settings.read().home / "reports" / f"look-{_slug(what)}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return Page(str(path), title, total)


def training_pages(model: "Model", rows: pd.DataFrame, *, judged: bool = True) -> dict[str, str]:
    """The texts to store with a training: its code, hashes of the rows' ids, for a judged version a data page."""
    pages = {
        loader.MODEL_FILE: loader.path_of(model.name).read_bytes().decode(),
        **code_record.pages(loader.code_of(model.name), model.name),
        learnt_rows.ARTIFACT: learnt_rows.dump(learnt_rows.ids(model, rows), secret()),
    }
    if judged:
        shown = rows[disclosure.in_artifacts(model, list(map(str, rows)))]
        pages[DATA_PAGE] = table_page(shown, f"{model.name}: training rows", plots=False, most=2_000)
    return pages


def _of_table(what: str) -> tuple[pd.DataFrame, int, str]:
    if "://" not in what and not what.startswith("$") and not Path(what).suffix:
        known = ", ".join(loader.names()) or "none yet"
        raise SourceError(f"There is neither a model nor a file {what!r}. Models: {known}.")
    table = open_table(source_of(what))
    readings = read(table.sample(_SAMPLE))  # of CSV all is text
    return pd.DataFrame({name: reading.values for name, reading in readings.items()}), table.total, Path(what).name


def _of_model(lake: Lake, model: models.Model, now: pd.Timestamp) -> tuple[pd.DataFrame, int, str]:
    if not lake.exists(model.name):
        rows = _first(lake, model, now)
        shown = rows[disclosure.on_pages(model, list(map(str, rows)))]
        return shown, len(rows), f"{model.name}: rows of the source, nothing is ingested yet"
    names = disclosure.on_pages(model, list(model.columns))
    sample = f"SELECT {columns(names)} FROM rows USING SAMPLE reservoir({_SAMPLE} ROWS) REPEATABLE (0)"
    total = int(lake.query(model, "SELECT count(*) AS n FROM rows")["n"][0])
    return lake.query(model, sample), total, f"{model.name}: rows ingested"


def _first(lake: Lake, model: models.Model, now: pd.Timestamp) -> pd.DataFrame:
    """The first batch, since not every source can give a sample."""
    begin = model.source.begins(model, now, lake)
    cut = periods(model.source, begin, now) if begin is not None else []
    rows = model.source.read(model, *cut[0], lake) if cut else pd.DataFrame()
    if rows.empty:
        raise SourceError(f"{model.name}: the source gives no row from {begin} on. Check it in the model file.")
    return rows


def _slug(what: str) -> str:
    """A name for the page's file."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", Path(what).name.split("@")[-1]).strip("-") or "table"
