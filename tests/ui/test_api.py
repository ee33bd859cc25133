"""The API: the facts of the pages as JSON; whatever is asked is answered or refused with a sentence."""

from datetime import UTC, datetime

import pandas as pd
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from evergreen.errors import LakeError
from evergreen.lake import audit_log
from evergreen.stores import Stores
from tests.prepared_homes import refreshed
from tests.ui.browser import running
from tests.ui.running_ui import Pages
from ui.known import activity
from ui.known.activity import Activity
from ui.known.fleet import Fleet
from ui.site import Site

JANUARY = datetime(2013, 1, 29, tzinfo=UTC)
OF_MODEL = ("", "/observations", "/decisions", "/versions", "/quarantine", "/activity", "/champions", "/proof")


@pytest.fixture
def lived(home, begun, write_model):
    """A model that was trained and promoted, and one whose file does not load."""
    begun(refreshed, JANUARY)
    write_model("\nraise ValueError('no')\n", name="broken")


def test_what_the_api_answers_is_what_the_stores_hold(lived):
    pages, stores = Pages(), Stores.open()
    known = pages("/api/models").json()
    assert [model["name"] for model in known["models"]] == ["broken", "toy"]
    assert (known["found"], known["counts"]["bad"], known["problem"]) == (2, 1, None)
    toy = pages("/api/models/toy").json()
    assert (toy["champion"], toy["health"]["level"]) == (stores.registry.champion("toy").number, toy["health"]["level"])
    versions = pages("/api/models/toy/versions").json()["versions"]
    stored = stores.registry.versions("toy")
    assert [version["number"] for version in versions] == [version.number for version in stored]
    acts = pages("/api/models/toy/activity?size=500").json()
    lines = audit_log.read(stores.lake, "toy")
    assert sorted(act["hash"] for act in acts["acts"]) == sorted(line.hash for line in lines)
    assert (
        pages("/api/models/toy/proof").json() | {"whole": True, "head": lines[-1].seal}
        == pages("/api/models/toy/proof").json()
    )
    (span,) = pages("/api/models/toy/champions").json()["spans"]
    assert (span["version"], span["act"], span["until"]) == (toy["champion"], "promotion", None)
    at = {"at": span["since"]}
    assert pages("/api/models/toy/answered", params=at).json()["answered"] == span
    assert pages("/api/models/toy/answered?at=2000-01-01").json()["answered"] is None


@pytest.mark.parametrize("path", OF_MODEL)
def test_of_a_model_whose_file_does_not_load_all_is_answered(lived, path):
    assert Pages()(f"/api/models/broken{path}").status_code == 200


def test_pages_of_a_list_hold_each_item_once(lived):
    pages = Pages()
    acts, page = [], 1
    while True:
        found = pages(f"/api/activity?size=2&page={page}").json()
        acts += [(act["model"], act["number"]) for act in found["acts"]]
        if not found["more"]:
            break
        page += 1
    assert len(acts) == len(set(acts)) == found["found"]
    assert pages(f"/api/activity?size=2&page={page + 1}").json()["acts"] == []


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/api/models/nobody", 404, "There is no model 'nobody'"),
        ("/api/models/nobody/versions", 404, "There is no model 'nobody'"),
        ("/api/models/..%2F../proof", 404, "/api lists all"),
        ("/api/nothing", 404, "/api lists all"),
        ("/api/activity?act=dance", 422, "There is no act"),
        ("/api/activity?page=0", 422, "page: Input should be greater than or equal to 1, not '0'."),
        ("/api/models/toy/answered", 422, "at: Field required"),
        ("/api/models/toy/answered?at=yesterday", 422, "at: "),
    ],
)
def test_an_error_is_a_sentence(lived, path, status, says):
    answer = Pages()(path)
    assert answer.status_code == status
    assert set(answer.json()) == {"detail"}
    assert says.lower() in answer.json()["detail"].lower()


def test_while_the_stores_are_away_what_is_known_is_answered_and_the_rest_refused(lived):
    Pages()

    def away() -> Stores:
        raise LakeError("The bucket does not answer.")

    pages = Pages(Site(Fleet(open=away), Activity(open=away), away))
    assert pages("/api/models").json()["problem"] == "The bucket does not answer."
    assert pages("/api/activity").json()["problems"] == ["The bucket does not answer."]
    answer = pages("/api/models/toy/versions")
    assert (answer.status_code, answer.json()) == (503, {"detail": "The bucket does not answer."})


@pytest.mark.usefixtures("home")
def test_the_api_of_an_empty_home_answers_with_nothing():
    pages = Pages()
    assert pages("/api/activity").json()["acts"] == []


@pytest.mark.long
def test_whatever_the_document_allows_is_answered_or_refused_and_never_fails(lived, monkeypatch):
    monkeypatch.setattr(activity, "FRESH", 60.0)
    site = Site()
    Pages(site)
    with running(site) as address:
        schema = schemathesis.openapi.from_url(f"{address}/api/openapi.json")
        operations = [documented.ok() for documented in schema.get_all_operations()]
        assert len(operations) == 11
        for operation in operations:

            @given(case=operation.as_strategy())
            @settings(
                max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
            )
            def fuzzed(case):
                if "model" in (case.path_parameters or {}) and len(str(case.query)) % 2:  # half of them of one there is
                    case.path_parameters["model"] = "toy"
                # The document cannot say which models there are.
                case.call_and_validate(excluded_checks=[positive_data_acceptance])

            fuzzed()


def test_the_page_of_the_api_names_every_address_and_needs_nothing_else(lived):
    pages = Pages()
    text = pages("/api").text
    for path in pages("/api/openapi.json").json()["paths"]:
        assert f"/api{path}".replace("{", "{") in text
    assert "http://" not in text
    assert "https://" not in text


def test_times_of_the_api_have_a_zone(lived):
    pages = Pages()
    for path in ("/api/models/toy/versions", "/api/models/toy/decisions", "/api/activity"):
        found = next(value for value in pages(path).json().values() if isinstance(value, list) and value)
        assert pd.Timestamp(found[0].get("as_of") or found[0]["at"]).tzinfo is not None
