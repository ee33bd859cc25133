"""A real browser in front of the UI: Chromium by its driver, and the UI on a port of its own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from selenium import webdriver

from ui.application import application
from ui.server import listen
from ui.site import Site

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
AXE = (Path(__file__).parent / "axe.min.js").read_text()
needs_browser = pytest.mark.skipif(not (CHROMIUM.exists() and DRIVER.exists()), reason="no Chromium on this machine")
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_RUN = """
const done = arguments[arguments.length - 1];
axe.run(document, {runOnly: arguments[0]}).then((found) => done(found.violations), (error) => done(String(error)));
"""


@contextmanager
def running(site: Site) -> Iterator[str]:
    """The UI on a port of this machine; its address."""
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(application(site), lifespan="off", log_level="warning"))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


@contextmanager
def browser(wide: int = 1280, *, dark: bool = False, scripts: bool = True) -> Iterator[webdriver.Chrome]:
    """A window of so many pixels."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(word)
    if not scripts:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))
    try:
        metrics = {"width": wide, "height": 900, "deviceScaleFactor": 1, "mobile": wide < 600}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
        yield driver
    finally:
        driver.quit()


def violations(driver: webdriver.Chrome) -> list[str]:
    """What axe finds wrong with the page that is open, a line each."""
    driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
    driver.execute_script(AXE)
    found = driver.execute_async_script(_RUN, WCAG)
    assert isinstance(found, list), found
    return [
        f"{rule['id']}: {rule['help']}: {node['html'][:200]} {node.get('failureSummary', '')[:200]}"
        for rule in found
        for node in rule["nodes"]
    ]


def overflows(driver: webdriver.Chrome) -> bool:
    """Whether the page is wider than its window."""
    wider: bool = driver.execute_script(
        "return document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )
    return wider


def said(driver: webdriver.Chrome) -> str:
    """The text of a page's content, in one look: a script may put another in its place between two."""
    text: str = driver.execute_script("return document.getElementById('main')?.innerText ?? ''")
    return text
