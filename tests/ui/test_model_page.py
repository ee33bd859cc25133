"""The page of a model, and those below it: what is known stands there, and why where nothing is."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from evergreen.errors import LakeError
from evergreen.lake.lake import Bare
from evergreen.lifecycle import decision_log
from evergreen.monitoring import observation
from evergreen.registry.version import CANARY
from evergreen.replay.result import Replayed, Result
from evergreen.reports import replay_page
from evergreen.settings import Settings
from evergreen.stores import Stores
from tests.serving.counting_worker import counting
from tests.ui.living_models import MARKUP, PATIENT, decide, hold, observe_for, predict, register, watched
from tests.ui.running_ui import Pages, words
from ui.addresses import segment
from ui.facts import service
from ui.site import Site

LONG = 60.0  # seconds: a page waits until all is read
MOST = 500_000  # bytes of any page


def opened() -> Pages:
    return Pages(Site(patience=LONG))


def is_closed(text: str) -> bool:
    """Whether a page keeps to its content security policy: no style and no script within it."""
    scripts = re.findall(r"<script(?![^>]*\bsrc=)([^>]*)>", text)
    return " style=" not in text and all('type="application/json"' in script for script in scripts)


@pytest.fixture(scope="module")
def pages(worlds, begun):
    """The pages of a model that has lived, which many tests only look at."""
    with worlds("toy") as write:
        write(PATIENT)
        begun(watched)
        yield opened()


@pytest.fixture
def lived(home, begun, write_model):
    """A model that has lived, in a home that a test may change."""
    write_model(PATIENT)
    begun(watched)


def data_of(text: str):
    return json.loads(re.search(r'<script type="application/json" id="performance-data">(.*?)</script>', text)[1])


@pytest.mark.long
def test_the_head_says_what_it_is_for_how_it_is_and_since_when(pages):
    text = pages("/models/toy").text
    assert "Tests." in text
    assert 'href="/models/toy/versions/2">version 2</a>' in text
    assert "No owner is named" in text
    assert "needs attention" in text or "bad" in text
    assert is_closed(text)


def test_performance_is_drawn_by_the_server_and_given_to_the_script_and_to_a_table(pages):
    text = pages("/models/toy").text
    drawn = data_of(text)
    assert len(drawn["times"]) == len(drawn["realised"]) == len(drawn["baseline"])
    assert any(value is not None for value in drawn["realised"])
    assert '<path class="line realised"' in text
    assert {mark["kind"] for mark in drawn["marks"]} >= {"alarm"}
    assert pages("/models/toy/performance").text.count("<tr>") == len(drawn["times"]) + 1
    csv = pages("/models/toy/performance.csv")
    assert csv.headers["content-type"].startswith("text/csv")
    assert len(csv.text.splitlines()) == len(drawn["times"]) + 1


def test_a_column_stands_beside_its_reference_with_the_label_and_the_prediction_first(pages):
    text = pages("/models/toy").text
    names = re.findall(r'/models/toy/drift/([^"]+)" hx-get', text)
    assert set(names[:2]) == {"y", "prediction"}
    for name in names:
        page = pages(f"/models/toy/drift/{name}")
        assert page.status_code == 200
        assert page.text.count('class="bar current"') > 1, name
        assert "The shares as a table" in page.text
        assert is_closed(page.text)


def test_every_decision_has_a_page_with_what_was_known(pages):
    entries = decision_log.read(Stores.open().lake, Bare("toy"))
    text = pages("/models/toy").text
    assert f'id="decision-{entries[0].id}"' in text
    page = pages(f"/models/toy/decisions/{entries[0].id}").text
    assert entries[0].reason in page
    assert "<dt>newly labelled rows</dt>" in page
    assert pages("/models/toy/decisions/none").status_code == 404


def test_a_version_shows_its_gates_and_what_was_kept_with_it(pages):
    text = pages("/models/toy/versions/1").text
    assert "promote" in text
    assert re.search(r"<td>leakage</td>\s*<td[^>]*>passed", text)
    assert 'Version <a href="/models/toy/versions/2">2</a> repeats it' in text
    (source,) = re.findall(r'<img src="([^"]+)"', text)
    picture = pages(source)
    assert (picture.headers["content-type"], picture.content[:4]) == ("image/png", b"\x89PNG")
    for kept in ("card", "data"):
        page = pages(f"/models/toy/versions/1/{kept}")
        assert page.status_code == 200
        assert page.headers["content-security-policy"].startswith("sandbox")
    assert is_closed(text)


def test_a_refit_leads_to_the_version_that_was_judged(pages):
    text = pages("/models/toy/versions/2").text
    assert 'It repeats version <a href="/models/toy/versions/1">1</a>' in text
    assert "Promoted" in text
    assert pages("/models/toy/versions/champion").headers["location"] == "/models/toy/versions/2"


@pytest.mark.usefixtures("lived")
def test_a_list_of_versions_tells_a_request_that_is_pending_from_one_that_has_lapsed():
    registry, now = Stores.open().registry, pd.Timestamp.now("UTC")
    for number, until in (("1", now - pd.Timedelta(days=1)), ("2", now + pd.Timedelta(days=1))):
        registry.tag(registry.version("toy", number), approval="waiting", approval_until=until)
    pages = opened()
    for path in ("/models/toy", "/models/toy/versions"):
        text = pages(path).text
        assert text.count("pending approval</small>") == text.count("request for approval has lapsed</small>") == 1
    versions = pages("/api/models/toy/versions").json()["versions"]
    assert {version["number"]: version["approval"] for version in versions} == {"1": "lapsed", "2": "waiting"}


@pytest.mark.parametrize(
    "path", ["versions/99", "versions/nobody", "quarantine/none", "replay", "drift/none", "versions/9/data"]
)
def test_what_is_not_there_is_not_found_and_said(pages, path):
    page = pages(f"/models/toy/{path}")
    assert page.status_code == 404
    assert "toy" in page.text


def test_lineage_goes_from_the_source_to_the_predictions_and_from_a_batch_forward(pages):
    text = pages("/models/toy/versions/2/lineage").text
    assert '<ol class="chain">' in text
    batches = re.findall(r'href="(/models/toy/batches/[^"]+)"', text)
    assert batches
    forward = pages(batches[-1]).text
    assert "/models/toy/versions/2" in forward
    assert 'href="/models/toy/versions/1"' in forward


def test_a_prediction_leads_to_the_version_that_made_it_and_counts_in_the_log(lived):
    predict(MARKUP, "2", datetime.now(UTC))
    pages = opened()
    page = pages("/models/toy/prediction", params={"id": MARKUP})
    assert page.status_code == 200
    assert '<a href="/models/toy/versions/2">version 2</a>' in page.text
    assert '<ol class="chain">' in page.text
    assert "<script>alert" not in page.text
    assert pages("/models/toy/prediction?id=none").status_code == 404
    assert "Predictions in the log of the last 7 days" in pages("/models/toy").text


def test_where_no_service_runs_that_is_said(pages):
    assert "No service with this state runs on this machine" in pages("/models/toy").text


@pytest.mark.usefixtures("home")
def test_a_service_on_this_machine_tells_its_requests_errors_and_latency(write_model):
    write_model()
    with counting(service.folder()):
        text = opened()("/models/toy").text
    said = words(text)
    assert "requests since the service began 5 " in said
    assert "failed (5xx) 1 20 %" in said
    assert "≤ 5 ms / over 10 s / over 10 s" in said
    assert "12 by version 7" in said


@pytest.mark.usefixtures("lived")
def test_a_canary_is_shown_with_its_share_and_what_it_answered():
    registry, now = Stores.open().registry, datetime.now(UTC)
    champion, version = registry.champion("toy"), registry.version("toy", "1")
    assert version.number != champion.number
    registry.challenge(version, 0.25)
    text = words(opened()("/models/toy").text)
    assert "Canary: version 1 is to answer 25 % of the requests. The log has none of its answers" in text
    predict("a", champion.number, now - timedelta(hours=3))
    predict("b", "1", now - timedelta(hours=2), "canary")
    for place in range(3):
        predict(f"c{place}", champion.number, now - timedelta(minutes=3 - place))
    predict("d", "1", now, "shadow")
    text = words(opened()("/models/toy").text)
    assert "it answered 25 % of the rows since it began or in the last 7 days: 1 of 4." in text
    registry.withdraw("toy", CANARY)
    registry.challenge(version, None)
    text = words(opened()("/models/toy").text)
    assert "Canary:" not in text
    assert "Shadow: version 1 predicts for the log only" in text


@pytest.mark.usefixtures("home")
def test_a_model_that_is_not_known_has_no_page():
    for path in ("nobody", "nobody/versions", "nobody/performance.csv", "nobody/replay", "%2e%2e", "a%3Cb%3E"):
        page = opened()(f"/models/{path}")
        assert page.status_code == 404
        assert "<b>" not in page.text.partition("<main")[2]


@pytest.mark.usefixtures("home")
def test_a_model_without_versions_says_what_will_be_where(write_model):
    write_model()
    text = opened()("/models/toy").text
    for sentence in (
        "No version is champion, so nothing is monitored.",
        "Nothing has been decided yet.",
        "No version has been trained yet.",
        "No batch waits for a person.",
        "No replay was written here.",
    ):
        assert sentence in text
    assert 'class="line realised" d="M0' in text or "performance-data" not in text


def test_a_model_whose_file_does_not_load_or_is_gone_still_shows_its_history(lived, write_model):
    write_model("\nraise ValueError('<b>no</b>')\n")
    text = opened()("/models/toy").text
    assert "&lt;b&gt;no&lt;/b&gt;" in text
    assert any(value is not None for value in data_of(text)["realised"])
    assert "/models/toy/versions/2" in text
    assert "which does not run" in opened()("/models/toy/drift/x").text
    (Settings.read().models / "toy.py").unlink()
    text = opened()("/models/toy").text
    assert "/models/toy/versions/2" in text


def test_of_many_columns_the_page_shows_the_important_and_those_that_drifted_and_leads_to_all(lived):
    lake = Stores.open().lake
    last = observation.read(lake, Bare("toy"))[-1]
    names = [f"column {place}" for place in range(600)]
    drift = [replace(last.drift[0], column=name, importance=0.001, drifted=name == "column 577") for name in names]
    observation.store(lake, replace(last, drift=drift, as_of=MARCH, until=MARCH))
    pages = opened()
    page = pages("/models/toy")
    assert len(page.content) < MOST
    shown = re.findall(r'drift/column~20(\d+)" hx-get', page.text)
    assert (len(shown), shown[-1]) == (41, "577")
    text = pages("/models/toy/drift?page=6").text
    assert len(re.findall(r'drift/column~20(\d+)" hx-get', text)) == 100
    assert "page 6 of 6" in text


MARCH = "2013-03-01T00:00:00+00:00"
NAMES = [MARKUP, "a/b", "..", "é😀", "?q=#x&y", "x" * 300, "~2F", "a b\\c"]


def test_columns_may_have_any_name(lived):
    lake = Stores.open().lake
    last = observation.read(lake, Bare("toy"))[-1]
    drift = [replace(last.drift[0], column=name) for name in NAMES]
    observation.store(lake, replace(last, drift=drift, as_of=MARCH, until=MARCH))
    pages = opened()
    text = pages("/models/toy").text
    assert "<script>alert" not in text
    for name in NAMES:
        assert f'href="/models/toy/drift/{segment(name)}"' in text
        page = pages(f"/models/toy/drift/{segment(name)}")
        assert page.status_code == 200, name
        assert "<script>alert" not in page.text


def test_reasons_of_any_length_and_markup_stay_text_and_stay_small(lived):
    reason = MARKUP * 400
    for day in range(40):
        decide(
            datetime(2013, 3, 1 + day % 28, day // 28, tzinfo=UTC),
            "alert",
            reason,
            wish=f"schedule {day}",
            quality=(reason,),
        )
    registry = Stores.open().registry
    registry.tag(registry.version("toy", "1"), verdict_reason=reason[:4000], rolled_back_reason=reason[:4000])
    hold("b<1>", reason)
    pages = opened()
    newest = decision_log.read(Stores.open().lake, Bare("toy"), most=1)[0]
    for path in (
        "/models/toy",
        "/models/toy/decisions",
        f"/models/toy/decisions/{newest.id}",
        "/models/toy/versions",
        "/models/toy/versions/1",
        "/models/toy/quarantine",
        f"/models/toy/quarantine/{segment('b<1>')}",
    ):
        page = pages(path)
        assert page.status_code == 200, path
        assert "<script>alert" not in page.text
        assert len(page.content) < MOST, path
        assert is_closed(page.text), path


def test_a_batch_in_quarantine_shows_what_failed_with_examples(lived):
    hold("20130129", "is <i>odd</i>")
    pages = opened()
    assert "/models/toy/quarantine/20130129" in pages("/models/toy").text
    text = pages("/models/toy/quarantine/20130129").text
    assert "3 of 9 rows: is &lt;i&gt;odd&lt;/i&gt;" in text
    assert "broken" in text


@pytest.mark.long
def test_three_years_of_daily_checks_and_two_thousand_versions_stay_small_and_are_all_there(lived):
    observe_for(1_095, [f"column {place}" for place in range(20)])
    register(2_000)
    pages = opened()
    page = pages("/models/toy")
    assert len(page.content) < MOST
    assert len(data_of(page.text)["times"]) >= 1_095
    for path in ("performance", "versions", "versions?page=41", "decisions", "drift/column~201"):
        assert len(pages(f"/models/toy/{path}").content) < MOST, path
    last = pages("/models/toy/versions?page=99").text
    assert "page 41 of 41" in last
    assert len(pages("/models/toy/performance.csv").text.splitlines()) > 1_095


def test_while_the_stores_are_away_what_was_known_is_shown_and_why_nothing_is_newer(lived):
    away: list[str] = []

    def open_stores() -> Stores:
        if away:
            raise LakeError(away[0])
        return Stores.open()

    pages = Pages(Site(open=open_stores, patience=LONG))
    known = data_of(pages("/models/toy").text)
    away.append("The bucket is <i>away</i>.")
    page = pages("/models/toy")
    assert page.status_code == 200
    assert page.text.count("The bucket is &lt;i&gt;away&lt;/i&gt;.") > 1
    assert data_of(page.text) == known
    assert "/models/toy/versions/2" in page.text
    assert pages("/models/toy/performance.csv").status_code == 503
    away.clear()
    assert "cannot be read now" not in pages("/models/toy").text


def test_a_replay_is_told_with_its_recommendation(lived):
    series = [(f"2013-01-{day:02}T00:00:00+00:00", 1.0) for day in (1, 8, 15)]
    policies = [
        Result(name, "mean_absolute_error", 1.0, 0.9, 1.1, lines='every="7d"', series=series)
        for name in ("every 7 days", "oracle")
    ]
    replay_page.write(
        Replayed(
            "toy",
            "mean_absolute_error",
            "2013-01-01",
            "2013-03-01",
            7.0,
            policies,
            "every 7 days",
            "It is <b>best</b>.",
        )
    )
    pages = opened()
    text = pages("/models/toy").text
    assert "<b>every 7 days</b>: It is &lt;b&gt;best&lt;/b&gt;." in text
    assert "every=&#34;7d&#34;" in text
    page = pages("/models/toy/replay")
    assert page.headers["content-security-policy"].startswith("sandbox")
    assert "every 7 days" in page.text
