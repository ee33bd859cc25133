"""A look at the data itself: skrub's table report (the only module that imports skrub)."""

import pandas as pd

_SAMPLE = 20_000


def look(rows: pd.DataFrame, title: str, *, plots: bool = True) -> str:
    """Make a self-contained page of a table's columns, distributions and associations.

    Parameters
    ----------
    rows : DataFrame
        Of more than 20,000, an even sample is shown, and the title says so.
    title : str
    plots : bool
        Whether to draw distributions and measure how columns go together, which takes ten
        times as long as the rest.
    """
    from skrub import TableReport

    shown = rows.iloc[:: max(1, len(rows) // _SAMPLE)]
    if len(shown) < len(rows):
        title = f"{title} (every {len(rows) // _SAMPLE}th of {len(rows):,} rows)"
    drawn = "auto" if plots else False
    report = TableReport(shown, title=title, plot_distributions=drawn, compute_associations=drawn, verbose=0)
    return str(report.html())
