"""Grafana's dashboard held against a real scrape: each metric and label that its queries name is there."""

import json
import re
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from evergreen.registry.version import CHAMPION
from evergreen.stores import Stores
from tests.running_service import serving
from tests.running_system import CHECKOUT, until
from tests.ui.living_models import PATIENT, watched
from tests.ui.running_ui import running

DASHBOARD = json.loads((CHECKOUT / "deployments" / "grafana" / "evergreen.json").read_text())
_METRIC = re.compile(r"\b(evergreen_\w+)")
_LABELS = (re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\""), re.compile(r"\bby \(([^)]*)\)"))


def labels_in(query, legend=""):
    """The labels that a query and its legend name."""
    named = [found for pattern in _LABELS for found in pattern.findall(query)]
    return {label.strip() for text in named for label in text.split(",")} | set(re.findall(r"{{(\w+)}}", legend))


def queries():
    """Each metric that the dashboard asks for, with the labels that it names of it."""
    for variable in DASHBOARD["templating"]["list"]:
        if asked := re.fullmatch(r"label_values\((\w+), (\w+)\)", variable.get("definition", "")):
            yield asked[1], {asked[2]}
    for panel in DASHBOARD["panels"]:
        shown = {
            name
            for change in panel.get("transformations", ())
            for name in change["options"]["renameByName"]
            if name != "Value"
        }
        for target in panel.get("targets", ()):
            for metric in _METRIC.findall(target["expr"]):
                yield metric, labels_in(target["expr"], target.get("legendFormat", "")) | shown


def scrape(url):
    with urllib.request.urlopen(f"{url}/metrics", timeout=60) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return [sample for family in families for sample in family.samples]


@pytest.mark.long
def test_every_metric_and_label_of_the_dashboard_is_in_a_scrape_of_what_runs(home, begun, write_model):
    write_model(PATIENT)
    begun(watched)
    registry = Stores.open().registry
    champion = registry.champion("toy")
    other = next(version for version in registry.versions("toy") if version.number != champion.number)
    with running(home) as url, serving() as service:
        service.wait()
        for version in (other, champion):  # a swap, and back to the one whose promotion is recorded
            registry.alias(version, CHAMPION)
            service.wait(version)
        assert service.ask("/models/toy/invocations", {"dataframe_records": [{"x": 1, "z": 2}]})[0] == 200
        until(lambda: "evergreen_health" in {sample.name for sample in scrape(url)}, "what is known of the model")
        samples = scrape(url) + scrape(service.url)
    of_metric = {}
    for sample in samples:
        of_metric.setdefault(sample.name, []).append(set(sample.labels))
    asked = list(queries())
    assert len({metric for metric, _ in asked}) > 15
    missing = [
        (metric, labels - found)
        for metric, labels in asked
        for found in of_metric.get(metric, [set()])
        if metric not in of_metric or labels - found
    ]
    assert missing == []
