"""What other programs read: metrics, badges and the feed; and the dashboard that names the metrics."""

import json
import re
import xml.etree.ElementTree as ET
from itertools import combinations

import pandas as pd
import pytest
from prometheus_client.parser import text_string_to_metric_families

from evergreen.lake import audit_log
from evergreen.stores import Stores
from serving.metrics import Metrics
from tests.running_system import CHECKOUT
from tests.ui.running_ui import Pages
from ui.formats import badge, feed, metrics
from ui.known.fleet import Known
from ui.known.health import Finding, Level
from ui.known.summary import Summary, Trend

DASHBOARD = json.loads((CHECKOUT / "deployments" / "grafana" / "evergreen.json").read_text())
MARKUP = "<script>alert(1)</script>"
ATOM = "{http://www.w3.org/2005/Atom}"
SEEN = Summary(
    'od"d\n{name}',
    metric="rmse",
    champion="7",
    champion_since="2026-03-01T00:00:00+00:00",
    newest="2026-03-02T00:00:00+00:00",
    checked="2026-03-02T06:00:00+00:00",
    drifted=2,
    farthest=1.5,
    verdict="reject",
    trend=Trend([("2026-03-01", 0.5), ("2026-03-02", 0.6)], [("2026-03-02", 0.7)], 0.4),
    quarantined=["b1"],
    pending="8",
    alert="drift",
    findings=[Finding("performance", Level.BAD, "it is worse")],
)


def samples(text):
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def test_the_metrics_of_a_model_are_what_is_known_of_it():
    found = samples(metrics.exposition(Known([SEEN])).decode())
    of_model = {sample.name: sample.value for sample in found if set(sample.labels) == {"model"}}
    assert {sample.labels["model"] for sample in found if "model" in sample.labels} == {SEEN.name}
    assert of_model == {
        "evergreen_health": 3,
        "evergreen_newest_row_timestamp_seconds": pd.Timestamp(SEEN.newest).timestamp(),
        "evergreen_checked_timestamp_seconds": pd.Timestamp(SEEN.checked).timestamp(),
        "evergreen_champion_version": 7,
        "evergreen_champion_since_timestamp_seconds": pd.Timestamp(SEEN.champion_since).timestamp(),
        "evergreen_drifted_columns": 2,
        "evergreen_drift_ratio": 1.5,
        "evergreen_quarantined_batches": 1,
        "evergreen_approvals_pending": 1,
        "evergreen_alerts_open": 1,
    }
    performance = {sample.labels["kind"]: sample.value for sample in found if sample.name == "evergreen_performance"}
    assert performance == {"realised": 0.6, "estimated": 0.7, "baseline": 0.4}
    verdicts = {sample.labels["verdict"]: sample.value for sample in found if sample.name == "evergreen_last_verdict"}
    assert verdicts == {"promote": 0, "reject": 1, "not enough evidence": 0}


def test_what_is_not_known_has_no_series():
    found = samples(metrics.exposition(Known([Summary("new")], problem="away")).decode())
    named = {sample.name for sample in found if sample.labels.get("model") == "new"}
    assert named == {
        f"evergreen_{name}" for name in ("health", "quarantined_batches", "approvals_pending", "alerts_open")
    }
    assert next(sample.value for sample in found if sample.name == "evergreen_stores_readable") == 0


@pytest.mark.usefixtures("home")
def test_every_metric_of_the_dashboard_is_in_a_scrape(write_model, tmp_path):
    write_model()
    service = Metrics(tmp_path)
    service.record_request("toy", 200, 0.01)
    service.record_rows("toy", "1", 1)
    service.record_version("toy", "1", None)
    answer = Pages()("/metrics")
    assert "evergreen_health" in answer.text
    whole = metrics.exposition(Known([SEEN])).decode()
    families = re.findall(r"^# TYPE (\S+)", answer.text, re.M)
    assert families == re.findall(r"^# TYPE (\S+)", whole, re.M)  # whatever is known, the metrics are the same
    scraped = {sample.name for sample in samples(whole) + samples(service.exposition().decode())}
    named = set(re.findall(r"\bevergreen_\w+", json.dumps([DASHBOARD["panels"], DASHBOARD["templating"]])))
    assert named - scraped == set()
    ours = {sample.name for sample in samples(whole)} - {"evergreen_known_timestamp_seconds"}
    assert ours - named == set(), "a metric that the dashboard does not show"


def test_no_two_panels_of_the_dashboard_overlap_and_each_asks_something():
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["type"] == "row" or (panel["targets"] and panel["description"] and panel["title"])
    for one, other in combinations([panel["gridPos"] for panel in panels], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)


@pytest.mark.parametrize(
    ("summary", "says"),
    [
        (SEEN, "bad · rmse 0.6"),
        (Summary("new"), "not known yet"),
        (Summary(MARKUP, findings=[Finding("", Level.GOOD, "")]), "well"),
        (Summary("x" * 500), "x" * 39 + "…"),
    ],
)
def test_a_badge_is_a_picture_that_says_name_and_health(summary, says):
    drawn = ET.fromstring(badge.badge(summary))
    assert says in drawn.get("aria-label")
    assert drawn.find(".//{http://www.w3.org/2000/svg}script") is None
    assert float(drawn.get("width")) < 800


@pytest.mark.usefixtures("home")
def test_a_badge_of_no_model_says_so(write_model):
    write_model()
    pages = Pages()
    found, missing = pages("/badge/toy.svg"), pages("/badge/nobody.svg")
    assert (found.status_code, found.headers["content-type"]) == (200, "image/svg+xml")
    assert (missing.status_code, "no such model" in missing.text) == (404, True)


@pytest.mark.usefixtures("home")
def test_the_feed_has_an_entry_for_each_act_with_the_address_of_its_page():
    at = pd.Timestamp("2026-03-01T06:00", tz="UTC")
    lake = Stores.open().lake
    for number in range(3):
        detail = {"reason": f"{MARKUP}\x00\x0b{number}", "moment": str(number)}
        audit_log.write(lake, "toy", "rollback", "1", at, by=MARKUP, detail=detail)
    pages = Pages()
    answer = pages("/activity.atom?by=%3Cscript%3Ealert(1)%3C/script%3E")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    root = ET.fromstring(answer.content)
    entries = root.findall(f"{ATOM}entry")
    assert [entry.find(f"{ATOM}link").get("href") for entry in entries] == [
        f"http://localhost/activity/toy/{number}" for number in (3, 2, 1)
    ]
    assert len({entry.find(f"{ATOM}id").text for entry in entries}) == 3
    assert entries[0].find(f"{ATOM}author/{ATOM}name").text == MARKUP
    assert pages("/activity/toy/3").status_code == 200


def test_a_feed_without_an_act_is_one_too():
    root = ET.fromstring(feed.feed([], str, "p", "f"))
    assert (root.tag, root.find(f"{ATOM}updated").text) == (f"{ATOM}feed", "1970-01-01T00:00:00+00:00")


@pytest.mark.usefixtures("home")
def test_the_feed_links_by_the_stated_address(monkeypatch):
    monkeypatch.setenv("EVERGREEN_UI_URL", "https://evergreen.example.org/ours/")
    audit_log.write(Stores.open().lake, "toy", "rollback", "1", pd.Timestamp("2026-03-01", tz="UTC"))
    root = ET.fromstring(Pages()("/activity.atom").content)
    links = [link.get("href") for link in root.iter(f"{ATOM}link")]
    assert links == [
        f"https://evergreen.example.org/ours/{path}" for path in ("activity", "activity.atom", "activity/toy/1")
    ]
