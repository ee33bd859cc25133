"""Tables made as people publish them, and what must be drafted of each, or what must be said."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.first_try import nasty_business as business
from benchmarks.first_try import nasty_measurements as measurements
from benchmarks.first_try.nasty_rows import Chance
from evergreen.definition.model import Model


@dataclass(frozen=True)
class Nasty:
    """A table that is made, and what is right.

    Attributes
    ----------
    file : str
        Its name ends as the format asks for.
    make : callable
        Its content.
    target : str
        The column to predict.
    time : str
        The column or the new name that the times of its rows get.
    key : set of str
        The columns that identify a row; none if none do.
    task : {"regression", "classification"}
    numbers, not_features : set of str
        Features that must be numbers, and columns that must be none.
    refused : str
        A part of what must be said of a table that no model can learn from; empty if one can.
    told : str
        A part of what must be said of a table whose rows are too few to train on yet.
    """

    file: str
    make: Callable[[Chance], bytes]
    target: str = "y"
    time: str = "ts"
    key: frozenset[str] = frozenset({"ts"})
    task: str = "regression"
    numbers: frozenset[str] = frozenset({"x"})
    not_features: frozenset[str] = frozenset()
    refused: str = ""
    told: str = ""

    @property
    def name(self) -> str:
        """Of the model."""
        return self.file.partition(".")[0]

    def written(self, folder: Path) -> str:
        """Write the table into a folder; the place that `evergreen new --from` gets."""
        path = folder / self.file
        path.write_bytes(self.make(np.random.default_rng(0)))
        return f"sqlite:///{path}" if path.suffix == ".db" else str(path)

    def wrong(self, model: Model) -> list[str]:
        """What a drafted model has guessed otherwise."""
        key = set() if model.identified_by_content else {*model.key}
        guesses = {"time": (model.time, self.time), "key": (key, {*self.key}), "task": (model.task, self.task)}
        kinds = {name: (model.features.get(name), "number") for name in self.numbers}
        absent = {name: (model.features.get(name), None) for name in self.not_features}
        different = [(name, *pair) for name, pair in (guesses | kinds | absent).items() if pair[0] != pair[1]]
        return [f"{name} is {drafted}, not {right}" for name, drafted, right in different]


def _nasty(
    file: str, make: Callable[[Chance], bytes], *, key: str = "ts", numbers: str = "x", out: str = "", **right: str
) -> Nasty:
    columns = {"key": key, "numbers": numbers, "not_features": out}
    sets = {name: frozenset(filter(None, text.split(","))) for name, text in columns.items()}
    return replace(Nasty(file, make, **right), **sets)


def _refused(file: str, make: Callable[[Chance], bytes], target: str, said: str) -> Nasty:
    return Nasty(file, make, target, refused=said)


CLASSES = {"task": "classification"}
CASES = [
    _nasty("household.txt", measurements.household, time="timestamp", key="timestamp"),
    _nasty("air.csv", measurements.air, time="timestamp", key="timestamp"),
    _nasty("beijing.csv", measurements.beijing, time="time", key="No", out="No"),
    _refused("bank.csv", business.bank, "y", "No column holds times"),
    _refused("seconds_only.csv", measurements.seconds_only, "Class", "No column holds times"),
    _refused("wide.csv", business.wide, "2020 [YR2020]", "a row for each time"),
    _refused("headless.csv", business.headless, "y", "header"),
    _nasty("rossmann.csv", business.rossmann, target="Sales", time="Date", key="Date,Store", numbers="Open,Promo"),
    _nasty("walmart.csv", business.walmart, target="Weekly_Sales", time="Date", key="Date,Store,Dept", numbers="Store"),
    _nasty("adult.csv", business.adult, **CLASSES),
    _nasty(
        "churn.csv",
        business.churn,
        target="Churn",
        time="SignUp",
        key="customerID",
        numbers="x,TotalCharges",
        out="customerID",
        **CLASSES,
    ),
    _nasty("rain.csv", business.rain, key="ts,Location", out="RISK_MM", **CLASSES),
    _refused("one_class.csv", partial(business.flags, target=("0", "NA")), "y", "The target 'y' is always"),
    _nasty("yes_no.csv", partial(business.flags, target=("No", "Yes")), **CLASSES),
    _nasty("true_false.csv", partial(business.flags, target=("FALSE", "TRUE")), **CLASSES),
    _nasty("floats.csv", partial(business.flags, target=("0.0", "1.0")), **CLASSES),
    _nasty("letters.csv", partial(business.flags, target=("N", "Y")), **CLASSES),
    _nasty("rare.csv", partial(business.flags, target=(0, 1), share=0.01), **CLASSES),
    _nasty("prices.csv", business.prices, time="Date", key="Date", numbers="Profit,Discount"),
    _nasty("weeks.csv", business.weeks, time="week", key="week,product"),
    _nasty("quarters.csv", business.quarters, time="quarter", key="quarter,region"),
    _nasty("milliseconds.csv", measurements.milliseconds, time="timestamp", key="timestamp"),
    _nasty("serial_days.csv", measurements.serial_days, time="Sample Date", key="Sample Date"),
    _nasty("hour_ending.csv", measurements.hour_ending, time="time", key="time"),
    _nasty("trade_days.csv", measurements.trade_days, time="Trade Date", key="Trade Date"),
    _nasty("zones.csv", measurements.zones),
    _nasty("tweets.csv", business.tweets),
    _nasty(
        "arrivals.csv",
        business.arrivals,
        target="is_canceled",
        time="time",
        key="",
        numbers="lead_time",
        out="reservation_status",
        **CLASSES,
    ),
    _nasty("names.csv", measurements.names, time="Date (UTC)", key="Date (UTC)", numbers="select,x"),
    _nasty("dull.csv", measurements.dull, key="uuid", out="constant,nothing,uuid"),
    _nasty("infinite.csv", measurements.infinite, numbers="x,z"),
    _nasty("trailing.csv", measurements.trailing),
    _refused("footer.csv", measurements.footer, "y", "'Total' in row 2,001"),
    _nasty("commented.tsv", measurements.commented),
    _nasty("packed.csv.zst", measurements.packed),
    _nasty("stocks.csv", measurements.stocks, target="Close", time="Date", key="Date", numbers="Volume"),
    _nasty("wandering.csv", measurements.wandering),
    _nasty("rare_sales.csv", business.rare_sales, key="ts,item"),
    _nasty("gaps.csv", measurements.gaps),
    _nasty("every_second.csv", measurements.every_second),
    _nasty("yearly.csv", measurements.yearly, time="Year", key="Year", told="training: not yet"),
    _refused("two_rows.csv", measurements.two_rows, "y", "rows"),
    _nasty("series.csv", measurements.series, target="VALUE", time="DATE", key="DATE", numbers=""),
    _nasty("invoices.csv", business.invoices, key=""),
    _nasty(
        "loans.csv",
        business.loans,
        target="loan_status",
        time="issue_d",
        key="",
        numbers="rate",
        out="recoveries",
        **CLASSES,
    ),
    _nasty("plain_sheet.xlsx", measurements.plain_sheet),
    _refused("sheet.xlsx", measurements.sheet, "y", "first row"),
    _nasty("database.db", measurements.database, time="when", key="when", numbers="order"),
]


def written(folder: Path) -> Iterator[tuple[Nasty, str]]:
    """Write every table into a folder; each with the place that `evergreen new --from` gets."""
    for case in CASES:
        yield case, case.written(folder)
