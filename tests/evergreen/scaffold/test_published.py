"""What people write that was once misread: each kind of trouble by itself."""

import numpy as np
import pandas as pd
import pytest

from evergreen import Csv, NumberFormat, TextFormat, TimeFormat
from evergreen.errors import SourceError
from evergreen.scaffold.reading import calendar_parts, columns, csv_form, event_time, missing_codes, numbers, times
from evergreen.scaffold.reading.columns import Reading

HOURS = pd.date_range("2014-01-30", periods=900, freq="h")

WRITTEN = {
    "2011Q3": "%YQ%q",
    "Q4 2011": "Q%q %Y",
    "Mon Apr 06 22:19:45 +0000 2009": "%a %b %d %H:%M:%S %z %Y",
    "10/Oct/2000:13:55:36 -0700": "%d/%b/%Y:%H:%M:%S %z",
    "Mon, 04 Jan 2016 10:00:00 GMT": "%a, %d %b %Y %H:%M:%S GMT",
    "Monday, January 04, 2016": "%A, %B %d, %Y",
    "2020-01-01 00:00:00 UTC": "%Y-%m-%d %H:%M:%S UTC",
    "Jan-60": "%b-%y",
    "2020W05": "%GW%V",
    "2020W053": "%GW%V%u",
    "201801050300": "%Y%m%d%H%M",
    "2018M05": "%YM%m",
    "2018M5": "%YM%m",
    "1Q2018": "%qQ%Y",
    "4Q 2018": "%qQ %Y",
    "2018-01-05 03:00:00,123": "%Y-%m-%d %H:%M:%S,%f",
    "2018-005": "%Y-%j",
    "2018-005T03:00:00": "%Y-%jT%H:%M:%S",
    "2018-05": "%Y-%m",
    "20180105 0300": "%Y%m%d %H%M",
    "20180105 030000": "%Y%m%d %H%M%S",
}


@pytest.mark.parametrize(("text", "format"), WRITTEN.items())
def test_a_time_is_found_as_it_is_written(text, format):
    found = times.find(pd.Series([text, text]))
    assert found is not None
    assert (found.format, found.doubt) == (format, "")


COUNTED = [
    ([43466.0, 43466.041667], "excel"),
    ([1546300800.25, 1546304400.0], "seconds"),
    ([20190131, 20190201], "%Y%m%d"),
    ([2019031, 2019032], "%Y%j"),
    ([20190131080000, 20190131093015], "%Y%m%d%H%M%S"),
    ([201901310800.0, 201901310930.0], "%Y%m%d%H%M"),
    ([2019013108, 2019013109], "%Y%m%d%H"),
    ([2019013108, 2019013177], "seconds"),
    ([0.0, 172_792.0], None),
]


@pytest.mark.parametrize(("values", "format"), COUNTED)
@pytest.mark.parametrize("name", ["Sample Date", "tradeDate", "timestamp", "Time (UTC)"])
def test_numbers_count_time_under_a_name_that_says_so(name, values, format):
    rows = pd.DataFrame({name: values, "depth": values, "y": [1, 2]})
    readings = columns.read(rows)
    if format is None:
        with pytest.raises(event_time.ScaffoldError, match="nor a count from a start that nobody tells"):
            event_time.find(rows, readings, None, None, "y")
    else:
        found = event_time.find(rows, readings, None, None, "y")
        assert (found.column, found.parser) == (name, TimeFormat(format=format))


MONEY = [
    (["$(4,533.75)", "$7.10", "$-"], [-4533.75, 7.1, None]),
    (["-$5.00", "$7.10", "n/a"], [-5.0, 7.1, None]),
    (["(12)", "13", "14"], [-12.0, 13.0, 14.0]),
    (["\u22125", "7.5", "8"], [-5.0, 7.5, 8.0]),
    (["1.5", "inf", "#DIV/0!"], [1.5, None, None]),
    (["0", "$4.99", "$1.99"], [0.0, 4.99, 1.99]),
]


@pytest.mark.parametrize(("text", "right"), MONEY)
def test_numbers_of_accounts_are_read(text, right):
    format, _ = numbers.find(pd.Series(text))
    assert [format.value([written], "UTC") for written in text] == right
    values, problem = format.series([pd.Series(text)], "UTC")
    assert (values.astype("object").where(values.notna(), None).tolist(), problem) == (right, "")


def test_a_word_for_an_unknown_class_is_no_class():
    told = columns.without_absent_class(columns.reading(pd.Series(["TRUE", "FALSE", "NA"] * 9)))
    assert (told.kind, told.parser, told.values.isna().sum()) == ("boolean", TextFormat(missing=["NA"]), 9)
    for words in (["none", "some"], ["NA", "Yes"]):  # which may be all that there is
        kept = columns.reading(pd.Series(words * 9))
        assert columns.without_absent_class(kept) is kept


def test_infinite_numbers_among_others_are_missing():
    read = columns.reading(pd.Series(["1.5", "2", "inf", "-inf", *map(str, range(90))]))
    assert (read.kind, read.parser) == ("number", NumberFormat(missing=["-inf", "inf"]))


def parts(**columns) -> dict[str, Reading]:
    return {name: Reading("integer", pd.Series(values)) for name, values in columns.items()}


@pytest.mark.parametrize("year", ["year", "Year", "arrival_year", "ArrivalYear"])
def test_a_year_beside_month_day_and_hour_is_no_time_by_itself(year):
    stem, spelt = year[:-4], str.title if year[-4] == "Y" else str.lower
    rows = pd.DataFrame(
        {
            year: HOURS.year,
            stem + spelt("month"): HOURS.strftime("%B"),
            stem + spelt("day"): HOURS.day,
            stem + spelt("hour"): HOURS.hour,
            "y": range(900),
        }
    )
    found = event_time.find(rows, columns.read(rows), None, None, "y")
    assert found.parser == TimeFormat(format="%Y %B %d %H", columns=list(rows)[:4])
    assert (found.values == HOURS.tz_localize("UTC")).all()


WEEKS = pd.date_range("2016-01-04", periods=300, freq="7D")
CALENDARS = {
    "abbreviations": (HOURS, "%Y %m %d %H", ["Yr", "Mo", "Dy", "Hr"]),
    "capitals": (HOURS, "%Y %m %d %H", ["YEAR", "MO", "DY", "HR"]),
    "day of the year": (HOURS.normalize().unique(), "%Y %j", ["YEAR", "DOY"]),
    "hours of the day of the year": (HOURS, "%Y %j %H", ["year", "day_of_year", "hour"]),
    "weeks": (WEEKS, "%G %V", ["year", "week"]),
    "weeks of ISO": (WEEKS, "%G %V", ["iso_year", "iso_week"]),
}


@pytest.mark.parametrize("name", CALENDARS)
def test_a_time_in_columns_of_its_calendar_is_read_from_them(name):
    moments, format, names = CALENDARS[name]
    texts = moments.strftime(format).str.split(" ", expand=True).to_frame(index=False)
    rows = texts.astype("int64").set_axis(names, axis=1).assign(y=1.5)
    found = event_time.find(rows, columns.read(rows), None, None, "y")
    assert found.parser == TimeFormat(format=format, columns=names)
    assert (found.values == moments.tz_localize("UTC")).all()


def test_a_month_beside_the_day_of_the_year_does_not_hide_the_day():
    days = pd.date_range("2016-01-01", periods=500)
    rows = pd.DataFrame({"year": days.year, "month": days.month, "doy": days.dayofyear, "y": 1.5})
    found = event_time.find(rows, columns.read(rows), None, None, "y")
    assert found.parser == TimeFormat(format="%Y %j", columns=["year", "doy"])
    assert (found.values == days.tz_localize("UTC")).all()
    strange = rows.assign(doy=400)
    assert event_time.find(strange, columns.read(strange), None, None, "y").parser.columns == ["year", "month"]


def test_parts_of_two_times_are_not_mixed():
    readings = parts(sold_year=[2014], sold_month=[1], built_year=[1990], built_month=[7])
    assert [parser.columns for parser, _ in calendar_parts.find(readings, None)] == [
        ["sold_year", "sold_month"],
        ["built_year", "built_month"],
    ]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (pd.DataFrame({"ts": [*map(str, HOURS.date), "Total"], "y": 1}), "'Total' in row 901"),
        (pd.DataFrame({"ts": [*HOURS.strftime("%d.%m.%y"), "end", "end"], "y": 1}), "in 2 of 902 rows: 'end', 'end'"),
        (pd.DataFrame({f"{year} [YR{year}]": [1.5] for year in range(1960, 2000)}), "names of 40 columns do"),
        (pd.DataFrame({"month": ["may", "jun"], "y": 1}), "A month or a clock alone is none"),
        (pd.DataFrame({f"c{n}": [1.5] for n in range(2000)}), "'c11' and 1988 more. Add the time"),
    ],
)
def test_what_keeps_a_column_from_being_the_time_is_told(rows, says):
    with pytest.raises(event_time.ScaffoldError) as error:
        event_time.find(rows, columns.read(rows), None, None, None)
    assert says in str(error.value)


@pytest.mark.parametrize("header", ["1995-01-01 00:00,12.5,D,abc", "{F887F88E},234000,2009-05-01 00:00,abc", "1,2,3,4"])
def test_a_file_without_a_header_is_refused(tmp_path, header):
    line = header.replace("5", "7")
    (tmp_path / "table.csv").write_text(f"{header}\n" + f"{line}\n" * 30)
    with pytest.raises(SourceError, match="The first line looks like a row, not like the names of columns"):
        csv_form.csv_of([tmp_path / "table.csv"])


@pytest.mark.parametrize("header", ["country,1960,1961,1962", "a,b,c,d", "id,2,3,4x"])
def test_names_that_are_years_or_words_are_a_header(tmp_path, header):
    (tmp_path / "table.csv").write_text(f"{header}\n" + "x,1.5,2.5,3\n" * 30)
    assert csv_form.csv_of([tmp_path / "table.csv"]).names == []


def test_columns_without_a_name_are_numbered_by_their_place(tmp_path):
    (tmp_path / "table.csv").write_text("a,b,,\n" + "1,2,,\n" * 30)
    form = csv_form.csv_of([tmp_path / "table.csv"])
    assert (form, form.columns(["a", "b", "", ""])) == (Csv(), ["a", "b", "column2", "column3"])


CHANCE = np.random.default_rng(0)
TEMPERATURES = pd.Series(CHANCE.normal(12, 9, 500).round(1))


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        (TEMPERATURES.where(TEMPERATURES.index % 50 > 0, -999), ["-999"]),
        (TEMPERATURES.where(TEMPERATURES.index % 50 > 0, 9999), ["9999"]),
        (TEMPERATURES.abs().where(TEMPERATURES.index % 50 > 0, -200), ["-200"]),
        (TEMPERATURES.where(TEMPERATURES.index != 7, -999), None),  # a single value may be a measurement
        (TEMPERATURES.abs().where(TEMPERATURES.index % 50 > 0, 0) + 300, None),
        ((1000 + TEMPERATURES).where(TEMPERATURES.index % 3 > 0, 0), None),  # switched off
        (TEMPERATURES, None),
    ],
)
def test_a_number_far_from_all_others_is_a_missing_one(values, codes):
    read = missing_codes.marked({"t": Reading("number", values)})["t"]
    assert (read.parser.missing if read.parser else None) == codes
    assert read.values.isna().sum() == (10 if codes else 0)


def test_a_code_of_one_column_is_one_in_others_that_it_lies_outside_of():
    gaps = TEMPERATURES.index % 50 > 0
    readings = {
        "co": Reading("number", TEMPERATURES.abs().where(gaps, -200)),
        "ozone": Reading("integer", pd.Series(CHANCE.integers(600, 2000, 500)).where(gaps, -200)),
        "depth": Reading("integer", pd.Series(CHANCE.integers(-300, 0, 500))),
    }
    read = missing_codes.marked(readings)
    assert [read[name].parser is not None for name in readings] == [True, True, False]
    assert read["ozone"].note == "read as missing: -200 in 10 of 500 rows, far from all other values"


def test_an_identifier_has_no_code_for_missing():
    ids = pd.Series(np.arange(500) % 40).where(TEMPERATURES.index % 50 > 0, 999)
    read = missing_codes.marked({"store_id": Reading("integer", ids), "age": Reading("integer", ids)})
    assert [read[name].parser is None for name in read] == [True, False]


def test_an_identifier_that_grows_with_the_time_is_told():
    times = pd.Series(HOURS)
    invoice = pd.Series(np.arange(900) // 3, name="InvoiceNo")
    assert columns.counted(invoice, "integer", times) == "an identifier that grows with the time"
    assert columns.counted(invoice.rename("odometer"), "integer", times) == ""
    assert columns.counted(invoice.sample(frac=1, random_state=0, ignore_index=True), "integer", times) == ""


@pytest.mark.parametrize(
    "name", ["id", "customer_id", "customerid", "InvoiceNo", "PassengerId", "row number", "userID"]
)
def test_identifiers_are_known_by_their_names(name):
    assert columns.ID_WORDS.search(name)


@pytest.mark.parametrize("name", ["paid", "humid", "valid", "bid", "covid", "piano", "volcano", "barcodes"])
def test_words_that_end_like_an_identifier_are_none(name):
    assert not columns.ID_WORDS.search(name)


def test_a_column_that_separates_one_of_three_classes_is_left_out():
    label = pd.Series(CHANCE.choice(["paid", "late", "lost"], 3000, p=[0.7, 0.2, 0.1]))
    rows = pd.DataFrame({"x": CHANCE.normal(size=3000), "recovered": (label == "lost") * CHANCE.gamma(2, 9, 3000)})
    told = columns.leaking(rows.assign(label=label), dict.fromkeys(rows, "number"), "label", "classification")
    assert list(told) == ["recovered"]


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        (CHANCE.poisson(2, 3000), True),
        (CHANCE.poisson(0.4, 30_000), True),
        (CHANCE.binomial(10, 0.6, 3000), True),
        (CHANCE.integers(0, 10, 3000), False),
        (CHANCE.integers(0, 2, 3000), False),
        (CHANCE.choice([1, 2, 3, 4, 5, 6, 7], 9000, p=[0.36, 0.49, 0.06, 0.01, 0.01, 0.03, 0.04]), False),
    ],
)
def test_counts_are_told_from_classes_by_their_single_peak(values, counts):
    assert columns.are_counts(pd.Series(values)) == counts
