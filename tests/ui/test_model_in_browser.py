"""The page of a model in a real browser: the chart by keyboard, and what is kept while the page is renewed."""

import time
from collections.abc import Callable

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.ui.browser import browser, needs_browser, overflows, running, violations
from tests.ui.living_models import PATIENT, hold, watched
from ui.site import Site

pytestmark = [needs_browser, pytest.mark.slow]

BELOW = (
    "",
    "/performance",
    "/decisions",
    "/versions",
    "/versions/1",
    "/versions/1/lineage",
    "/drift",
    "/drift/x",
    "/quarantine",
    "/quarantine/20130129",
)


@pytest.fixture(scope="module")
def address(worlds, begun):
    """The UI of a model that has lived."""
    with worlds("toy") as write:
        write(PATIENT)
        begun(watched)
        hold("20130129", "odd")
        site = Site(patience=60)
        site.fleet.known(60)
        with running(site) as found:
            yield f"{found}/models/toy"


@pytest.fixture
def driver(address):
    with browser() as found:
        found.get(address)
        until(lambda: found.find_elements(By.CSS_SELECTOR, ".u-wrap canvas"))
        yield found


def until(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def told(driver) -> str:
    return driver.find_element(By.CSS_SELECTOR, ".plot output").text


def shown(driver) -> float:
    """How many seconds the chart shows."""
    return float(driver.find_element(By.CSS_SELECTOR, "[data-chart]").get_attribute("data-shown"))


def renew(driver) -> None:
    """What a page does by itself while somebody looks at it."""
    driver.execute_script("before = document.getElementById('main'); document.body.dispatchEvent(new Event('renew'))")
    until(lambda: driver.execute_script("return document.getElementById('main') !== before"))


def test_arrow_keys_move_along_the_chart_and_tell_the_values(driver):
    chart = driver.find_element(By.CSS_SELECTOR, ".plot [role=application]")
    chart.send_keys(Keys.HOME)
    first = told(driver)
    assert "realised" in first
    chart.send_keys(Keys.ARROW_RIGHT)
    assert told(driver) != first
    chart.send_keys(Keys.ARROW_LEFT)
    assert told(driver) == first


def test_plus_and_escape_zoom_and_the_zoom_outlives_the_renewal_of_the_page(driver):
    chart = driver.find_element(By.CSS_SELECTOR, ".plot [role=application]")
    whole = shown(driver)
    chart.send_keys(Keys.END, "+")
    near = shown(driver)
    assert near < whole
    driver.find_element(By.CSS_SELECTOR, "#performance-table summary").send_keys(Keys.ENTER)
    renew(driver)
    until(lambda: driver.find_elements(By.CSS_SELECTOR, "#performance-table[open]"))
    assert shown(driver) == near
    driver.find_element(By.CSS_SELECTOR, ".plot [role=application]").send_keys(Keys.ESCAPE)
    assert shown(driver) == whole


def test_a_column_opens_within_the_page_and_stays_open(driver):
    driver.find_element(By.CSS_SELECTOR, ".drift a").send_keys(Keys.ENTER)
    until(lambda: driver.find_elements(By.CSS_SELECTOR, "#column svg.bars"))
    renew(driver)
    assert driver.find_elements(By.CSS_SELECTOR, "#column svg.bars")


def test_lineage_is_loaded_into_the_page_of_a_version(driver, address):
    driver.get(f"{address}/versions/2")
    until(lambda: driver.find_elements(By.CSS_SELECTOR, "#origin .chain"))


@pytest.mark.parametrize(("wide", "dark"), [(1280, False), (390, True)])
def test_the_pages_below_it_are_accessible_and_as_wide_as_their_window(address, wide, dark):
    found = {}
    with browser(wide, dark=dark) as driver:
        for page in BELOW:
            driver.get(address + page)
            wrong = violations(driver) + (["wider than its window"] if overflows(driver) else [])
            if wrong:
                found[page] = wrong
    assert found == {}
