"""The site as files: every local link leads to a file, none to a server, and a second export replaces the first."""

import json
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest

from evergreen.errors import LakeError, RunningError
from evergreen.ingestion.contract import Result
from evergreen.ingestion.quarantine import Entry
from evergreen.lake import audit_log
from evergreen.stores import Stores
from tests.command_line import called
from tests.running_service import JANUARY, promoted
from tests.ui.browser import browser, needs_browser, violations
from ui.export import export
from ui.known import activity
from ui.known.activity import Activity
from ui.known.fleet import Fleet
from ui.rendering import file_of
from ui.site import Site

AT = pd.Timestamp("2013-01-15", tz="UTC")
MARKUP = "<img src=x onerror=alert(1)>"
pytestmark = pytest.mark.long


class Links(HTMLParser):
    """The addresses that a page names, its ids, and the tags that it has."""

    def __init__(self, text):
        super().__init__()
        self.found, self.ids, self.tags = [], set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.add(tag)
        self.ids.add(given.get("id"))
        self.found += [
            value for name, value in attrs if name in ("href", "src", "action", "hx-get", "data-src") and value
        ]


def broken(folder):
    """The links of all pages that lead to no file of the folder, or to no part of a page."""
    pages = {path: Links(path.read_text()) for path in folder.rglob("*.html")}
    for page, links in pages.items():
        for link in links.found:
            target, _, fragment = link.partition("#")
            target = target.partition("?")[0]
            path = (page.parent / unquote(target)).resolve() if target else page
            if (
                "://" in link
                or not path.is_relative_to(folder.resolve())
                or not path.is_file()
                or (fragment and path in pages and fragment not in pages[path].ids)
            ):
                yield page.relative_to(folder), link


@pytest.fixture
def lived(home, write_model):
    """A model with a champion and a long story, one whose file does not load, one that was deleted."""
    write_model()
    version = promoted(JANUARY)
    write_model("\nraise ValueError('no')\n", name="broken")
    stores = Stores.open()
    lake, result = stores.lake, Result("t", "y", False, False, "to be there", MARKUP)
    times = ("2013-01-01T00:00:00+00:00", "2013-01-08T00:00:00+00:00", "2013-01-08T01:00:00+00:00")
    entry = Entry("toy", "2013-01-08T00:00", *times, 2, "held", [result])
    stores.quarantine.hold(entry, pd.DataFrame({"y": [1.0, 2.0]}), "a page")
    for number in range(60):
        audit_log.write(lake, "toy", "decision", "train", AT, detail={"reason": MARKUP, "moment": number})
    audit_log.write(lake, "toy", "promotion", version.number, AT, detail={"judged": version.number})
    audit_log.write(lake, "gone", "rollback", "1", AT, by=MARKUP, detail={"replaces": "2", "reason": MARKUP})


def test_every_link_of_the_exported_folder_leads_to_a_file_of_it(lived, tmp_path):
    done = export(Site(), tmp_path / "site", lambda step: None)
    folder = tmp_path / "site"
    assert list(broken(folder)) == []
    assert done.pages == len(list(folder.rglob("*.html")))
    assert (folder / "index.html").is_file()
    assert (folder / "activity" / "page-2" / "index.html").is_file()
    assert (folder / "badge" / "toy.svg").is_file()
    assert "to be there" in (folder / "index.html").read_text()
    assert "The log is whole" in (folder / "activity" / "toy" / "proof" / "index.html").read_text()


def test_a_page_that_was_exported_has_no_form_and_asks_no_server(lived, tmp_path):
    export(Site(), tmp_path / "site", lambda step: None)
    for path in (tmp_path / "site").rglob("*.html"):
        links, text = Links(path.read_text()), path.read_text()
        assert not links.tags & {"form", "button", "input"}, path
        assert "htmx.min.js" not in text
        assert "data-soon" not in text, f"{path} was written before all of it was read"
        assert MARKUP not in text


def test_an_export_counts_its_pages_and_a_second_one_removes_what_is_gone(lived, write_model, tmp_path):
    steps = []
    first = export(Site(), tmp_path / "site", steps.append)
    assert steps[-1].startswith(f"{len(steps):,} of {len(steps):,} pages")
    (tmp_path / "site" / "mine.txt").write_text("a file of mine")
    Path(write_model("", name="broken")).unlink()
    second = export(Site(), tmp_path / "site", lambda step: None)
    assert (second.pages < first.pages, second.removed > 0) == (True, True)
    assert not (tmp_path / "site" / "badge" / "broken.svg").exists()
    assert (tmp_path / "site" / "mine.txt").is_file()
    assert list(broken(tmp_path / "site")) == []


def test_an_export_that_was_stopped_is_finished_by_the_next(lived, tmp_path):
    def stop(step):
        if step.startswith("4 "):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(Site(), tmp_path / "site", stop)
    export(Site(), tmp_path / "site", lambda step: None)
    assert list(broken(tmp_path / "site")) == []


@pytest.mark.usefixtures("home")
def test_an_empty_home_is_exported_too_also_where_persons_need_a_key(write_model, tmp_path, monkeypatch):
    (tmp_path / "keys").touch(mode=0o600)
    monkeypatch.setenv("EVERGREEN_UI_KEYS_FILE", str(tmp_path / "keys"))
    Path(write_model()).unlink()
    assert export(Site(), tmp_path / "site", lambda step: None).problems == []
    assert list(broken(tmp_path / "site")) == []


def test_a_folder_with_something_else_is_left_alone(lived, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "text").write_text("x")
    with pytest.raises(RunningError, match="no export of the UI"):
        export(Site(), tmp_path / "mine", lambda step: None)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["text"]


def test_while_the_stores_are_away_nothing_is_exported(lived, tmp_path):
    def away() -> Stores:
        raise LakeError("The bucket does not answer.")

    with pytest.raises(LakeError, match="Nothing was exported"):
        export(Site(Fleet(open=away), Activity(open=away), away), tmp_path / "site", lambda step: None)


def test_the_command_writes_the_folder_and_says_where(lived, tmp_path, monkeypatch):
    monkeypatch.setattr(activity, "FRESH", 0.0)
    done = called("ui", "--export", str(tmp_path / "site"))
    assert (done.returncode, str(tmp_path / "site" / "index.html") in done.stdout.replace("\n", "")) == (0, True)
    refused = called("ui", "--export", str(tmp_path / "site" / "index.html"))
    assert (refused.returncode, "no export of the UI" in refused.stderr.replace("\n", " ")) == (1, True)


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("models/a%2Fb", 1),
        ("models/..", 1),
        ("models/%2e%2e/%2e%2e", 2),
        ("models/" + "x" * 300, 1),
        ("models/CON.", 1),
        ("models/a:b?page=../../x", 2),
    ],
)
def test_no_name_leads_out_of_the_folder(path, file):
    made = Path(file_of(path))
    assert ".." not in made.parts
    assert len(made.parts) == file + 2
    assert all(len(part) <= 100 and ":" not in part for part in made.parts)


def test_what_is_not_known_about_a_manifest_is_kept(tmp_path):
    (tmp_path / ".evergreen-export.json").write_text(json.dumps({"other": 1}))
    with pytest.raises(RunningError):
        export(Site(), tmp_path, lambda step: None)


@needs_browser
@pytest.mark.slow
def test_the_folder_opens_from_a_disk_in_a_browser_as_on_a_server(lived, tmp_path):
    export(Site(), tmp_path / "site", lambda step: None)
    with browser() as driver:
        driver.get((tmp_path / "site" / "index.html").as_uri())
        for place in ("Models", "Activity", "older", "toy", "Prove that the log is whole"):
            driver.get(driver.find_element("link text", place).get_attribute("href"))
            assert driver.find_element("css selector", "main h1").text
            wide = driver.execute_script("return getComputedStyle(document.body).maxWidth")
            assert wide == "1344px", "the style sheet was found"
            assert driver.get_log("browser") == []
            assert violations(driver) == []
            driver.get_log("browser")  # axe asks for the style sheets, which a file may not
