"""Take the pictures of the web UI that stand in docs/how-to/web-ui.md: each page in a wide window and on a phone.

`python -m docs.screenshots` lets the worked examples live through some weeks that end today, in a home of their own,
opens every page in Chromium without a window, and writes docs/how-to/web-ui/. It takes some minutes, and needs Chromium
with its driver; `python -m docs.screenshots HOME` keeps that home, and takes the pictures again without living.
"""

import io
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

    from ui.site import Site

CHECKOUT = Path(__file__).resolve().parent.parent
PICTURES = CHECKOUT / "docs" / "how-to" / "web-ui"
WIDE, PHONE = (1280, 1300), (390, 1000)  # pixels; of a longer page the upper part
_LARGEST = 150_000  # bytes of a picture
# The examples' data end today: their times are moved, so that pages do not speak of 2013.
_MOVED = """

# Written by docs/screenshots.py.
import pandas as pd
from evergreen.nycflights import flights_with_a_fault

MOVED = pd.Timedelta(days={days})


def moved(since, until):
    rows = flights_with_a_fault(since - MOVED, until - MOVED)
    return rows.assign(departs=rows["departs"] + MOVED)


model = model.model_copy(update={{"source": Call(function=moved, start={start!r}, batch={batch!r}, lookback="2d")}})
"""
_APPROVED = """
model = model.model_copy(update={"policy": Policy(every="28d", approval="5d")})
"""
_BROKEN = '"""What a seat costs."""\n\nfrom fares.features import per_mile  # which is not installed\n'


def main(home: str = "") -> None:
    """Take all pictures; with a home that is there already, of what it holds."""
    with tempfile.TemporaryDirectory() as beside:
        folder = Path(home or beside).absolute()
        os.environ |= {"EVERGREEN_HOME": str(folder / "home"), "EVERGREEN_MODELS": str(folder / "models"), "TZ": "UTC"}
        from evergreen import settings

        settings.embed()
        from flows.runtime import temporary_server

        temporary_server.begin()
        if not (folder / "lived").exists():
            live(folder / "models")
            (folder / "lived").touch()
        take()


def live(models: Path) -> None:
    """Let the examples live through some weeks: the champion is replaced, a batch is faulty, a version waits."""
    import pandas as pd

    from evergreen.nycflights import FAULT

    today = pd.Timestamp.now("UTC").floor("D")
    moved = today - (FAULT[1] + pd.Timedelta(days=1)).floor("D")
    models.mkdir(parents=True, exist_ok=True)
    start = (pd.Timestamp("2013-02-01", tz="UTC") + moved).date().isoformat()
    for name, batch, more in (("airtime", "7d", ""), ("late", "28d", _APPROVED)):
        text = (CHECKOUT / "models" / f"{name}.py").read_text()
        (models / f"{name}.py").write_text(text + _MOVED.format(days=moved.days, start=start, batch=batch) + more)
    (models / "fares.py").write_text(_BROKEN)
    from flows.approve import approve
    from flows.ingest import ingest
    from flows.monitor import monitor
    from flows.refresh import refresh
    from flows.train import train

    month, week, days = today - pd.Timedelta(days=28), pd.Timedelta(days=7), pd.Timedelta(days=6)
    refresh("late", as_of=month)
    approve("late", "The groups by origin look right", "Ann Lee", as_of=month + pd.Timedelta(hours=9))
    for moment in [today - number * week for number in range(7, 0, -1)]:
        refresh("airtime", as_of=moment)
        ingest("airtime", as_of=moment + days)
        monitor("airtime", as_of=moment + days)
    for moment in (today - 2 * week, today - week):
        ingest("late", as_of=moment)
        monitor("late", as_of=moment)
    for moment in (FAULT[0] + moved, FAULT[1] + moved):
        ingest("airtime", as_of=moment)
    monitor("airtime", as_of=today)
    ingest("late", as_of=today)
    monitor("late", as_of=today)
    train("late", reason="demand before the holidays", as_of=today, by="Ben Okafor")


def take() -> None:
    """Take the pictures of the pages of this home."""
    from evergreen.stores import Stores
    from tests.ui.browser import browser, running
    from ui.site import Site

    pending = Stores.open().registry.versions("late", approval="waiting")[0].number
    batch = next(entry.batch for entry in Stores.open().quarantine.entries("airtime") if entry.state == "held")
    pages = {
        "actions": "/",
        "models": "/models",
        "model": "/models/airtime",
        "drift": "/models/airtime/drift/distance",
        "decisions": "/models/airtime/decisions",
        "version": f"/models/late/versions/{pending}",
        "batch": f"/models/airtime/quarantine/{batch}",
        "activity": "/activity",
        "answered": "/activity/airtime",
        "proof": "/activity/airtime/proof",
        "api": "/api",
    }
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir()
    site = Site(patience=60.0)
    site.fleet.known(600)
    site.activity.wait(600)
    sizes = (("wide", *WIDE), ("phone", *PHONE))
    with running(site) as address:
        for name, width, height in sizes:
            with browser(width) as driver:
                for page, path in pages.items():
                    _picture(driver, f"{address}{path}", height, PICTURES / f"{page}-{name}.webp")
    with running(_signing_in()) as address:
        for name, width, height in sizes:
            with browser(width) as driver:
                _picture(driver, f"{address}/sign-in", height, PICTURES / f"sign-in-{name}.webp")


def _signing_in() -> "Site":
    """A UI that asks who comes."""
    import importlib.util

    from evergreen.settings import Settings
    from ui.access import openid, rules
    from ui.access.keys import new_key
    from ui.site import Site

    keys = Settings.read().home / "ui.keys"
    keys.write_text(new_key("Ann Lee", "approver")[1])
    os.environ[rules.KEYS_FILE] = str(keys)
    if importlib.util.find_spec("authlib"):
        os.environ |= {openid.ISSUER: "https://login.example.org", openid.CLIENT: "evergreen"}
        os.environ["EVERGREEN_UI_URL"] = "https://evergreen.example.org"
    return Site()


def _picture(driver: "Chrome", address: str, height: int, path: Path) -> None:
    """The upper part of a page, once all of it is there."""
    import base64

    from PIL import Image

    driver.get(address)
    end = time.monotonic() + 60
    while driver.find_elements("css selector", "[data-soon], .htmx-request") and time.monotonic() < end:
        time.sleep(0.5)
    time.sleep(1)  # charts are drawn, and times written in the reader's zone
    width = driver.execute_script("return document.documentElement.clientWidth")
    whole = driver.execute_script("return document.body.offsetHeight")
    place = {"x": 0, "y": 0, "width": width, "height": min(height, whole), "scale": 1}
    asked = {"format": "png", "clip": place, "captureBeyondViewport": True}
    found = driver.execute_cdp_cmd("Page.captureScreenshot", asked)
    with Image.open(io.BytesIO(base64.b64decode(found["data"]))) as picture:
        for quality in (85, 70, 50):
            picture.convert("RGB").save(path, "WEBP", quality=quality, method=6)
            if path.stat().st_size < _LARGEST:
                break
    print(f"{path.relative_to(CHECKOUT)}: {path.stat().st_size / 1000:.0f} KB")


if __name__ == "__main__":
    main(*sys.argv[1:2])
