"""A page that is renewed stays as its reader has left it."""

import time
from pathlib import Path

import pandas as pd
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from evergreen.lake import audit_log
from evergreen.stores import Stores
from tests.ui.browser import browser, needs_browser, running
from ui.rendering import environment
from ui.site import Site

TEMPLATES = Path(__file__).parents[2] / "ui" / "templates"
RENEW = 'document.body.dispatchEvent(new CustomEvent("renew"))'


@needs_browser
@pytest.mark.slow
def test_what_a_reader_has_opened_stays_open_and_has_the_focus(home):
    write("first")
    write("second")
    site = Site(patience=60)
    site.fleet.known(60)
    site.activity.wait(60)
    with running(site) as address, browser() as driver:
        driver.get(f"{address}/activity/toy")
        opened = driver.find_elements(By.CSS_SELECTOR, "ol.story details summary")[1]  # of the first act, below
        opened.send_keys(Keys.ENTER)
        main = driver.find_element(By.ID, "main")
        write("third")
        site.activity._reading._done = None
        driver.execute_script(RENEW)
        until(lambda: is_gone(main))
        until(lambda: states(driver) == [False, False, True])
        focused = driver.execute_script("return document.activeElement.textContent")
        assert focused.startswith("first")


def test_everything_that_can_be_unfolded_is_known_by_a_name():
    for name in environment().list_templates():
        for part in (TEMPLATES / name).read_text().split("<details")[1:]:
            tag = part.partition("><summary>")[0]
            assert "data-key=" in tag or "id=" in tag, f"{name}: {tag[:60]}"


def write(reason):
    at = pd.Timestamp.now("UTC")
    audit_log.write(Stores.open().lake, "toy", "decision", "nothing", at, detail={"reason": f"{reason} " * 200})


def states(driver):
    return driver.execute_script("return [...document.querySelectorAll('ol.story details')].map((one) => one.open)")


def is_gone(element):
    from selenium.common.exceptions import StaleElementReferenceException

    try:
        element.is_enabled()
    except StaleElementReferenceException:
        return True
    return False


def until(holds):
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)
