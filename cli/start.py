"""From a table to a model: look at data, draft a model file."""

import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from cli.output import browse, say
from cli.parameters import Json, Open, exits
from evergreen.exit_codes import Exit


@exits(Exit.DONE, Exit.FAILED)
def look(
    what: Annotated[str, typer.Argument(metavar="MODEL|FILE", help="A model, a file, or a URL.")],
    open: Open = None,
    json: Json = False,
) -> None:
    """Write a page about a table: columns, distributions, associations."""
    from datetime import UTC, datetime

    import pandas as pd

    from cli.render.parts import whole
    from evergreen.definition import loader
    from evergreen.reports.data_page import write_page
    from evergreen.stores import Stores

    lake = Stores.open().lake
    page = write_page(lake, what, pd.Timestamp(datetime.now(UTC)).as_unit("us"))
    if loader.path_of(what).is_file():
        then = f"evergreen {'report' if lake.exists(what) else 'ingest'} {what}"
    else:
        table = "TABLE" if "://" in what else shlex.quote(what)  # an address may hold a password
        then = f"evergreen new {_name_for(what)} --from {table}"
    say(json, page, whole(page.path, f"{page.title} ({page.rows:,} rows)"), then=then)
    browse(page.path, open, json)


def _name_for(table: str) -> str:
    """A name for a model of this table, as a model file can have it; NAME where its own gives none.

    Examples
    --------
    >>> _name_for("data/Sales 2026.csv"), _name_for("sales/*.parquet"), _name_for("sqlite:///2026.db")
    ('sales_2026', 'NAME', 'NAME')
    """
    name = "" if "://" in table else re.sub(r"[^a-z0-9]+", "_", Path(table).name.partition(".")[0].lower()).strip("_")
    return name if re.match(r"[a-z]", name) else "NAME"


@exits(Exit.DONE, Exit.FAILED, released=False)
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the model and of its file in models/.")],
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="TABLE",
            help="A file of Parquet, CSV, JSON lines, Arrow or Excel, a folder or glob of them, or a database's URL; "
            "'$NAME' is read from the "
            "environment, so that the model file contains no password.",
        ),
    ],
    target: Annotated[str | None, typer.Option(help="The column to predict; guessed by default.")] = None,
    time: Annotated[str | None, typer.Option(help="The column with each row's time; guessed by default.")] = None,
    time_format: Annotated[
        str | None, typer.Option(help="How the times are written, such as '%d/%m/%Y %H:%M'; guessed by default.")
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option(help="A column that identifies a row; more than once for several together.")
    ] = None,
    table: Annotated[str | None, typer.Option(help="Of a database; its only one by default.")] = None,
    query: Annotated[str | None, typer.Option(help="Of a database, instead of a table.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a model file of that name.")] = False,
    json: Json = False,
) -> None:
    """Draft a model file from a table.

    Review the file, then ingest and train.
    """
    from datetime import UTC, datetime

    import pandas as pd

    from cli.render.start import drafted
    from evergreen.scaffold.draft import Choices
    from evergreen.scaffold.reading.sample import source_of
    from evergreen.scaffold.scaffold import scaffold
    from flows.runtime.progress import doing

    now = pd.Timestamp(datetime.now(UTC)).as_unit("us")
    wishes = Choices(time=time, key=key or None, target=target, time_format=time_format, until=now)
    doing("reading the table and drafting the model file")
    written = scaffold(name, source_of(source, query=query, table=table), wishes, overwrite=force)
    say(json, written, drafted(written), then=f"evergreen ingest {name} && evergreen train {name}")
