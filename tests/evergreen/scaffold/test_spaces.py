"""What `evergreen new` accepts, ingest reads: values with spaces around them, and what is written in two ways."""

import pytest

from evergreen.errors import ScaffoldError
from tests.evergreen.scaffold.drafted_tables import hours, written

SPACED = {  # a column that replaces one of the table, and its values in the lake
    "truth": ("flag", ["true ", "false"], {True, False}),
    "classes": ("y", ["yes", "no", "yes ", " no"], {"yes", "no"}),
    "categories": ("shop", ["north", "south ", "south"], {"north", "south"}),
    "times": ("at", None, None),
}


@pytest.mark.parametrize("case", SPACED)
def test_spaces_around_values_are_none_of_them(landed, home, case):
    name, words, right = SPACED[case]
    rows = hours(300)
    values = [words[number * 7 % 11 % len(words)] for number in range(300)] if words else rows["at"].astype("str") + " "
    _, model, read = landed(written(home, rows.assign(**{name: values}).to_csv(index=False)), target="y")
    assert (model.source.csv.trim, len(read)) == (True, 300)
    assert right is None or set(read[name]) == right


def test_times_half_of_which_have_a_zone_are_refused_by_the_draft(landed, home):
    rows = hours(300)
    at = [moment.isoformat() + "Z" * (number % 2) for number, moment in enumerate(rows["at"])]
    with pytest.raises(ScaffoldError, match=r"'at': .* have no time zone while others do.*Write them alike"):
        landed(written(home, rows.assign(at=at).to_csv(index=False)), target="y")
