"""Every page in a real browser: WCAG 2.2 AA by axe, no page wider than its window, and nothing from another host."""

import pytest

from evergreen.lake import audit_log
from evergreen.stores import Stores
from tests.running_service import JANUARY, promoted
from tests.ui.browser import browser, needs_browser, overflows, running, violations
from ui.site import Site

pytestmark = [needs_browser, pytest.mark.slow]

PAGES = (
    "/",
    "/models",
    "/models?q=toy&level=good",
    "/models?q=nothing",
    "/models/toy",
    "/models/toy/versions/1",
    "/models/broken",
    "/activity",
    "/activity?by=ada",
    "/activity/toy",
    "/activity/toy?at=2013-01-16T00:00",
    "/activity/toy/3",
    "/activity/toy/proof",
    "/api",
    "/nothing",
)


@pytest.fixture(scope="module")
def address(worlds):
    """The UI of two models: one answers, the other's file does not load."""
    with worlds("toy") as write:
        write()
        write("\nraise ValueError('no')\n", name="broken")
        version = promoted(JANUARY)
        lake, at = Stores.open().lake, JANUARY[-1]
        audit_log.write(lake, "toy", "promotion", version.number, at, detail={"judged": version.number})
        audit_log.write(lake, "toy", "verdict", version.number, at, detail={"decision": "promote", "reason": "x" * 500})
        audit_log.write(lake, "toy", "rollback", version.number, at, by="ada", detail={"reason": "complaints"})
        site = Site()
        site.fleet.known(60)
        site.activity.wait(60)
        with running(site) as found:
            yield found


@pytest.mark.parametrize(("wide", "dark"), [(1280, False), (1280, True), (390, False), (390, True), (2560, False)])
def test_every_page_is_accessible_and_as_wide_as_its_window(address, wide, dark):
    found = {}
    with browser(wide, dark=dark) as driver:
        for page in PAGES:
            driver.get(address + page)
            wrong = violations(driver) + (["wider than its window"] if overflows(driver) else [])
            entries = driver.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
            wrong += [f"from elsewhere: {name}" for name in entries if not name.startswith(address)]
            if wrong:
                found[page] = wrong
    assert found == {}


def test_pages_can_be_read_without_scripts(address):
    with browser(scripts=False) as driver:
        for page in PAGES:
            driver.get(address + page)
            assert driver.find_element("css selector", "main h1").text
