"""The demo, and the commands that people wait for: what they cost, and the demo's months beside a plain monthly window.

The monthly window is the estimator of `airtime` alone, fitted at the beginning of each month on the month before it.

    python -m benchmarks.training.demo
"""

import json
import os
import tempfile
from pathlib import Path

import pandas as pd
from rich.table import Table

from benchmarks.harness.measuring import BIN, CONSOLE, Case, Goal, judged, measured, run

EVERGREEN = str(BIN / "evergreen")
COMMANDS = {"--help": 0.3, "status": 2.0}  # seconds


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="evergreen-demo-") as folder:
        home = {"EVERGREEN_HOME": folder}
        whole = Case("evergreen demo", [EVERGREEN, "demo"], lambda: home)
        cost = run(whole)
        CONSOLE.print(f"evergreen demo: {cost.wall_s:.0f} s, {cost.cpu_s:.0f} CPU s, peak {cost.peak_mb:,.0f} MB")
        demo = json.loads((Path(folder) / "demo" / "demo.json").read_text())
        CONSOLE.print(f"frozen {demo['frozen']:.2f}, fresh {demo['fresh']:.2f}, gain {demo['gain']}")
        lived = {"EVERGREEN_HOME": str(Path(folder) / "demo")}
        cases = [Case(f"evergreen {name}", [EVERGREEN, name], lambda: lived) for name in COMMANDS]
        costs = measured("commands that people wait for", cases)
        months = _months(demo["months"], folder)
    above = [month["month"] for month in months if month["fresh"] > month["monthly window"]]
    CONSOLE.print(f"fresh above the monthly window in {', '.join(above) or 'no month'}")
    judged(
        Goal("wall seconds of the demo", cost.wall_s, 180),
        Goal("its peak MB", cost.peak_mb, 2048),
        *(Goal(f"wall seconds of {name}", costs[f"evergreen {name}"].wall_s, most) for name, most in COMMANDS.items()),
        Goal("months above the monthly window", len(above), 0),
    )


def _months(months: list[dict[str, float | str]], folder: str) -> list[dict[str, float]]:
    """Print the demo's months with the monthly window beside them."""
    os.environ["EVERGREEN_HOME"] = folder  # its cache of the flights
    from evergreen.definition import loader
    from evergreen.nycflights import flights

    model = loader.load("airtime")
    table = Table(
        "month", "frozen", "fresh", "monthly window", title="mean absolute error, minutes", title_justify="left"
    )
    compared = []
    for figures in months:
        month = pd.Timestamp(f"{figures['month']}-01", tz="UTC")
        rows = flights(month - pd.DateOffset(months=1), month + pd.DateOffset(months=1)).dropna(subset=[model.target])
        before, now = rows[rows[model.time] < month], rows[rows[model.time] >= month]
        names = list(model.features)
        fitted = model.estimator().fit(before[names], before[model.target])
        error = float((fitted.predict(now[names]) - now[model.target]).abs().mean())
        compared.append({**figures, "monthly window": error})
        table.add_row(
            str(figures["month"]), *(f"{compared[-1][name]:.2f}" for name in ("frozen", "fresh", "monthly window"))
        )
    CONSOLE.print(table)
    return compared


if __name__ == "__main__":
    main()
