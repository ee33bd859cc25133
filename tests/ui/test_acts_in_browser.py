"""Acts in a real browser: accessible when open, by the keyboard alone, and without scripts."""

import pandas as pd
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from evergreen.lifecycle import decision_log
from evergreen.lifecycle.decision import Decision, State
from evergreen.stores import Stores
from flows.refresh import refresh
from tests.running_system import until
from tests.ui.browser import browser, needs_browser, overflows, running, said, violations
from tests.ui.test_acts import FAULTY, JANUARY
from ui.access import rules
from ui.access.keys import new_key
from ui.site import Site

pytestmark = [needs_browser, pytest.mark.slow]
ASKS = "\nmodel = model.model_copy(update={'policy': Policy(every='7d', approval='9999d')})\n"
_WIDEST = """
const wide = document.documentElement.clientWidth;
return [...document.querySelectorAll("main *")].filter((part) => part.getBoundingClientRect().right > wide + 1)
  .slice(0, 5).map((part) => part.outerHTML.slice(0, 200));
"""


@pytest.fixture(scope="module")
def address(worlds, server):
    """The UI where a version is pending approval, a batch is in quarantine and an alert is raised."""
    with worlds("toy") as write:
        write(ASKS)
        refresh("toy", as_of=JANUARY - pd.Timedelta(days=7))
        write(ASKS + FAULTY)
        refresh("toy", as_of=JANUARY)
        state = State(as_of=pd.Timestamp(JANUARY), wish="", last_trained=None, new_rows=0)
        decision_log.record(Stores.open().lake, "toy", state, Decision("alert", "data quality: x: 31% missing"))
        site = Site()
        site.fleet.known(60)
        with running(site) as found:
            yield found


def opened(driver, address):
    """The first page, all of it read, with everything that opens open."""
    driver.get(f"{address}/")
    text = until(lambda: (text := said(driver)) and "is being read" not in text and text, "all")
    driver.execute_script("document.querySelectorAll('details').forEach(part => part.open = true)")
    return text


@pytest.mark.parametrize(("wide", "dark"), [(1280, False), (1280, True), (390, False), (390, True)])
def test_what_waits_is_accessible_with_all_its_forms(address, wide, dark):
    with browser(wide, dark=dark) as driver:
        text = opened(driver, address)
        assert "Versions that wait for approval" in text
        assert "Batches in quarantine" in text
        assert "Alerts" in text
        assert violations(driver) == []
        assert not overflows(driver), driver.execute_script(_WIDEST)


def test_signing_in_is_accessible_and_works_by_keyboard(address, monkeypatch, tmp_path):
    key, line = new_key("Ada", "approver")
    (tmp_path / "keys").write_text(line)
    monkeypatch.setenv(rules.KEYS_FILE, str(tmp_path / "keys"))
    with running(Site()) as asking, browser(390) as driver:
        driver.get(f"{asking}/models")
        assert violations(driver) == []
        field = driver.find_element(By.NAME, "key")
        field.send_keys("no", Keys.ENTER)
        assert "This is no key" in said(driver)
        driver.find_element(By.NAME, "key").send_keys(key, Keys.ENTER)
        until(lambda: driver.current_url == f"{asking}/models", "the page that was asked for")
        assert "Ada, approver" in driver.find_element(By.CSS_SELECTOR, "header.site").text
        assert violations(driver) == []


def test_an_alert_is_acknowledged_by_keyboard_and_a_batch_dropped_without_scripts(address):
    with browser() as driver:
        opened(driver, address)
        form = driver.find_element(By.CSS_SELECTOR, "form[action='/act/acknowledge']")
        form.find_element(By.NAME, "reason").send_keys("known: the sensor", Keys.TAB, Keys.ENTER)
        until(lambda: "acknowledged: data quality" in said(driver), "the end")
        assert violations(driver) == []
        driver.get(f"{address}/")
        until(lambda: "31% missing" not in said(driver), "nothing to acknowledge")
    with browser(scripts=False) as driver:
        driver.get(f"{address}/")
        form = driver.find_element(By.CSS_SELECTOR, "form[action='/act/drop']")
        form.find_element(By.XPATH, "./..").find_element(By.TAG_NAME, "summary").send_keys(Keys.ENTER)
        form.find_element(By.NAME, "reason").send_keys("a fault of the source")
        form.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
        until(lambda: "was dropped" in said(driver), "the end, by itself")
    assert [entry.state for entry in Stores.open().quarantine.entries("toy")] == ["dropped"]
