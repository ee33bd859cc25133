"""`evergreen look`: a page of the data itself."""

from typing import Annotated

import typer

from cli.printing import Json, Open, browse, say


def look(
    what: Annotated[str, typer.Argument(metavar="MODEL|FILE", help="A model, a .parquet or .csv file, or a URL.")],
    open: Open = None,
    json: Json = False,
) -> None:
    """Write a page of a table's columns, distributions and associations, and print where it is."""
    from datetime import UTC, datetime

    import pandas as pd

    from cli.showing import whole
    from evergreen.reports.data_page import look_at

    page = look_at(what, pd.Timestamp(datetime.now(UTC)).as_unit("us"))
    say(json, page, whole(page.path))
    browse(page.path, open, json)
