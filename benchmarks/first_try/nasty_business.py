"""Tables of shops, banks and their customers as people publish them: small, seeded, each with troubles of its own."""

import numpy as np
import pandas as pd

from benchmarks.first_try.nasty_rows import Chance, text, told, yes


def bank(chance: Chance) -> bytes:
    """Calls of a bank: a month's name and a weekday's are all that is told of the time."""
    x = chance.normal(size=3000)
    rows = {"age": chance.integers(18, 90, 3000), "month": chance.choice(["may", "jun", "nov"], 3000), "x": x.round(2)}
    rows |= {"day_of_week": chance.choice(["mon", "tue", "fri"], 3000), "y": np.where(yes(chance, x), "yes", "no")}
    return text(pd.DataFrame(rows), sep=";", quoting=2)


def wide(chance: Chance) -> bytes:
    """Indicators of countries with a column for each year."""
    years = {f"{year} [YR{year}]": chance.normal(5, 2, 300).round(3) for year in range(1960, 2021)}
    return text(pd.DataFrame({"Country Name": [f"country {n}" for n in range(300)], "Series Code": "NY.GDP", **years}))


def headless(chance: Chance) -> bytes:
    """Prices of houses without a header."""
    rows = told(chance, pd.date_range("1995-01-01", periods=2000, freq="7h"), type=chance.choice(["D", "S", "T"], 2000))
    return text(rows, header=False)


def rossmann(chance: Chance) -> bytes:
    """Stores by day, newest first; codes that are 0, a, b; closed on Sundays, when nothing is sold."""
    days = pd.date_range("2013-01-01", "2013-12-31")[::-1]
    index = pd.MultiIndex.from_product([days, range(1, 13)], names=["Date", "Store"])
    rows = index.to_frame(index=False)
    rows["DayOfWeek"], rows["Promo"] = rows["Date"].dt.dayofweek + 1, chance.integers(0, 2, len(rows))
    rows["Open"] = (rows["DayOfWeek"] < 7) * 1
    rows["StateHoliday"] = chance.choice(["0", "a", "b"], len(rows), p=[0.96, 0.03, 0.01])
    sales = rows["Open"] * (4000 + 300 * rows["Store"] + 1500 * rows["Promo"] + chance.normal(0, 300, len(rows)))
    return text(
        rows.assign(Sales=sales.round().astype("int64"))[
            ["Store", "DayOfWeek", "Date", "Sales", "Open", "Promo", "StateHoliday"]
        ]
    )


def walmart(chance: Chance) -> bytes:
    """Weeks of departments of stores."""
    weeks = pd.date_range("2010-02-05", periods=100, freq="7D")
    rows = pd.MultiIndex.from_product([range(1, 7), range(1, 9), weeks], names=["Store", "Dept", "Date"]).to_frame(
        index=False
    )
    season = 1 + 0.3 * np.sin(rows["Date"].dt.dayofyear * 2 * np.pi / 365)
    rows["Weekly_Sales"] = (
        season * (900 * rows["Store"] + 400 * rows["Dept"]) + chance.normal(0, 200, len(rows))
    ).round(2)
    return text(rows.assign(IsHoliday=(rows["Date"].dt.isocalendar().week == 47).to_numpy()))


def adult(chance: Chance) -> bytes:
    """Classes of text with a full stop, spaces after commas, a question mark for missing."""
    rows = told(
        chance,
        pd.date_range("1994-01-03", periods=4000, freq="3h"),
        work=chance.choice(["Private", "?", "State-gov"], 4000),
    )
    rows["y"] = np.where(yes(chance, rows["x"], 0.24), ">50K.", "<=50K.")
    return text(rows).replace(b",", b", ")


def churn(chance: Chance) -> bytes:
    """Customers: an identifier of letters, Yes and No, a blank among the numbers."""
    rows = told(chance, pd.date_range("2018-01-01", periods=3000, freq="5h"))
    rows["ts"] = rows["ts"].dt.strftime("%m/%d/%Y")
    rows.insert(0, "customerID", [f"{n:04d}-{''.join(chance.choice(list('ABCDEF'), 5))}" for n in range(3000)])
    rows["TotalCharges"] = (100 + rows["x"] * 9).round(2).astype("str").mask(chance.random(3000) < 0.004, " ")
    return text(
        rows.assign(y=np.where(yes(chance, rows["x"]), "Yes", "No")).rename(columns={"y": "Churn", "ts": "SignUp"})
    )


def flags(chance: Chance, target: tuple[object, object], share: float = 0.3) -> bytes:
    """Two classes, written in this way, the second in this share of the rows."""
    rows = told(chance, pd.date_range("2019-01-01", periods=4000, freq="2h"))
    return text(rows.assign(y=np.where(yes(chance, rows["x"], share), target[1], target[0])))


def prices(chance: Chance) -> bytes:
    """Money in the manner of accounts: ``$1,234.50``, ``$-`` for nothing, parentheses for less than nothing."""
    rows = told(chance, pd.date_range("2014-01-01", periods=2500, freq="8h"))
    money = 4000 * rows["x"].abs() - 1500
    accounts = [f" ${value:,.2f} " if value >= 0 else f" $({-value:,.2f})" for value in money]
    rows["Profit"] = pd.Series(accounts).mask(chance.random(2500) < 0.03, " $-   ")
    rows["Discount"] = (chance.random(2500) * 30).round(1).astype("str") + "%"
    rows["y"] = [f"${abs(value):,.2f}" for value in 1000 + 100 * rows["y"]]
    return text(rows.rename(columns={"ts": " Date ", "Profit": " Profit "}))


def weeks(chance: Chance) -> bytes:
    """ISO weeks of products."""
    rows = told(chance, pd.date_range("2016-01-04", periods=260, freq="7D").repeat(10))
    rows["week"] = [f"{time.isocalendar().year}-W{time.isocalendar().week:02d}" for time in rows.pop("ts")]
    return text(rows.assign(product=[f"p{n}" for n in range(10)] * 260))


def quarters(chance: Chance) -> bytes:
    """Quarters of regions."""
    rows = told(chance, pd.date_range("2000-01-01", periods=80, freq="QS").repeat(30))
    rows["quarter"] = rows.pop("ts").dt.to_period("Q").astype("str")
    return text(rows.assign(region=[f"r{n}" for n in range(30)] * 80))


def tweets(chance: Chance) -> bytes:
    """Times with a weekday's name before and a zone within."""
    rows = told(chance, pd.date_range("2009-04-06 22:19:45", periods=3000, freq="23min"))
    return text(rows.assign(ts=rows["ts"].dt.strftime("%a %b %d %H:%M:%S +0000 %Y")))


def arrivals(chance: Chance) -> bytes:
    """Hotel bookings: a day in three columns with a prefix, the month by its name; the status tells the target."""
    rows = told(chance, pd.date_range("2015-07-01", periods=5000, freq="3h"))
    times = rows.pop("ts").dt
    parts = {"arrival_date_year": times.year, "arrival_date_month": times.strftime("%B")}
    parts |= {"arrival_date_week_number": times.isocalendar().week, "arrival_date_day_of_month": times.day}
    left = yes(chance, rows["x"])
    rows = pd.DataFrame({"is_canceled": left * 1, **parts, "lead_time": rows["x"]})
    return text(rows.assign(reservation_status=np.where(left, "Canceled", "Check-Out")))


def rare_sales(chance: Chance) -> bytes:
    """Sales of parts that nobody buys on most days."""
    days = pd.date_range("2015-01-01", periods=500).repeat(12)
    rows = told(chance, days, item=[f"item_{n}" for n in range(12)] * 500)
    return text(rows.assign(y=chance.poisson(np.exp(rows["x"] - 1.6))))


def invoices(chance: Chance) -> bytes:
    """Lines of invoices: no column identifies one, some stand twice."""
    times = pd.Series(pd.date_range("2010-12-01 08:26", periods=900, freq="3h"))
    lines = chance.integers(1, 8, 900)
    rows = told(chance, pd.DatetimeIndex(times.repeat(lines)))
    rows.insert(0, "InvoiceNo", np.arange(536365, 537265).repeat(lines))
    rows["StockCode"], rows["ts"] = (
        chance.choice(["85123A", "71053", "POST"], len(rows)),
        rows["ts"].map(lambda t: f"{t.month}/{t.day}/{t.year} {t.hour}:{t.minute:02d}"),
    )
    rows["x"] = rows["x"].round(1)
    return text(pd.concat([rows, rows.head(30)]), encoding="cp1252")


def loans(chance: Chance) -> bytes:
    """Months as Dec-2015, 13.56%, 36 months, 10+ years; three classes; what was paid is known only after."""
    months = pd.date_range("2012-01-01", periods=72, freq="MS").repeat(60)
    rows = told(chance, months)
    bad = yes(chance, rows["x"], 0.2)
    rows["term"], rows["rate"] = " 36 months", (12 + rows.pop("x")).round(2).astype("str") + "%"
    rows["emp_length"] = chance.choice(["10+ years", "< 1 year", "3 years", "n/a"], len(rows))
    rows["recoveries"] = np.where(bad, chance.gamma(2, 300, len(rows)), 0).round(2)
    rows["y"] = np.where(bad, "Charged Off", np.where(chance.random(len(rows)) < 0.05, "Late", "Fully Paid"))
    return text(rows.assign(ts=rows["ts"].dt.strftime("%b-%Y")).rename(columns={"ts": "issue_d", "y": "loan_status"}))


def rain(chance: Chance) -> bytes:
    """Whether it rains tomorrow: Yes, No, or NA where nobody looked; how much it will is known only then."""
    days = pd.date_range("2008-12-01", periods=500)
    rows = told(chance, days.repeat(8), Location=[f"station {n}" for n in range(8)] * 500)
    wet = yes(chance, rows["x"], 0.2)
    rows["RISK_MM"] = np.where(wet, chance.gamma(2, 4, 4000) + 1, 0).round(1)
    return text(rows.assign(y=pd.Series(np.where(wet, "Yes", "No")).mask(chance.random(4000) < 0.02, "NA")))
