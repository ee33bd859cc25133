"""The page of all models: the worst first, found by text and health, in pages."""

import pytest

from tests.ui.running_ui import Pages
from ui.known.health import Finding, Level
from ui.known.summary import Summary
from ui.pages.models import listed


def summary(name: str, level: Level = Level.GOOD, **values: str) -> Summary:
    return Summary(name, findings=[Finding("performance", level, values.pop("reason", "it holds"))], **values)


FLEET = [
    summary("a", purpose="Arrival delay"),
    summary("b", Level.BAD, reason="log loss 0.9 over 0.5"),
    summary("c", Level.ATTENTION, owner="Ops"),
    summary("d", Level.UNKNOWN),
]


@pytest.mark.parametrize(
    ("text", "level", "names"),
    [
        ("", "", "bcda"),
        ("", "good", "a"),
        ("ARRIVAL", "", "a"),
        ("ops", "", "c"),
        ("over 0.5", "", "b"),
        ("ops", "good", ""),
        ("", "nonsense", ""),
    ],
)
def test_the_worst_come_first_and_a_filter_looks_at_all_that_a_row_says(text, level, names):
    assert "".join(found.name for found in listed(FLEET, text, level).shown) == names


@pytest.mark.parametrize(("page", "shown"), [(1, 2), (2, 2), (3, 1), (9, 1), (-4, 2)])
def test_a_page_beyond_the_ends_is_the_one_at_the_end(page, shown):
    found = listed([summary(str(place)) for place in range(5)], page=page, size=2)
    assert (len(found.shown), found.pages, found.found) == (shown, 3, 5)


def test_counts_are_of_what_the_text_finds_whatever_level_is_chosen():
    assert listed(FLEET, level="bad").counts == {"good": 1, "bad": 1, "attention": 1, "unknown": 1}


@pytest.mark.usefixtures("home")
def test_a_new_model_is_shown_with_what_is_not_known_of_it_yet(write_model):
    write_model("\nmodel = model.model_copy(update={'purpose': '<script>alert(1)</script>'})\n", name="toy")
    page = Pages()("/models")
    assert page.status_code == 200
    assert "no version has been trained yet" in page.text
    assert "<script>alert" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


@pytest.mark.usefixtures("home")
def test_a_model_file_that_does_not_load_is_bad_and_hides_no_other(write_model):
    write_model()
    write_model("\nraise ValueError('no')\n", name="broken")
    text = Pages()("/models").text
    assert text.index(">broken<") < text.index(">toy<")


@pytest.mark.usefixtures("home")
def test_an_unknown_page_says_so():
    page = Pages()("/<b>nothing</b>")
    assert (page.status_code, "<b>nothing" in page.text) == (404, False)
