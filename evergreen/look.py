"""A look at the data itself: skrub's table report (the only module that imports skrub)."""

import pandas as pd

_SAMPLE = 20_000


def look(rows: pd.DataFrame, title: str, *, associations: bool = True) -> str:
    """Make a self-contained page of a table's columns, distributions and associations.

    Parameters
    ----------
    rows : DataFrame
        Of more than 20,000, an even sample is shown, and the title says so.
    title : str
    associations : bool
        Whether to measure how columns go together, which takes the longest.
    """
    from skrub import TableReport

    shown = rows.iloc[:: max(1, len(rows) // _SAMPLE)]
    if len(shown) < len(rows):
        title = f"{title} (every {len(rows) // _SAMPLE}th of {len(rows):,} rows)"
    report = TableReport(shown, title=title, compute_associations="auto" if associations else False, verbose=0)
    return str(report.html())
