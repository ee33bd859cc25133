"""What the UI knows of all models: read when somebody asks, again only where something changed, kept for bad times."""

import time

import pytest

from evergreen.errors import LakeError
from evergreen.stores import Stores
from tests.running_service import JANUARY, promoted
from tests.ui.running_ui import Pages
from ui.known import fleet as fleets
from ui.known import summary
from ui.known.fleet import Fleet
from ui.site import Site

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch):
    monkeypatch.setattr(fleets, "FRESH", 0.0)


@pytest.fixture
def read(monkeypatch):
    """The names of the models that are read, as they are."""
    found, usual = [], summary.of
    monkeypatch.setattr(summary, "of", lambda stores, name: (found.append(name), usual(stores, name))[1])
    return found


def test_only_what_changed_is_read_again(write_model, read):
    write_model()
    fleet = Fleet()
    fleet.known(60)
    fleet.known(60)
    assert read == ["toy"]
    write_model("\n# changed\n", name="toy")
    fleet.known(60)
    assert read == ["toy", "toy"]


def test_after_a_start_only_what_changed_meanwhile_is_read(write_model, read):
    write_model()
    write_model(name="twin")
    Fleet().known(60)
    version = promoted(JANUARY)
    read.clear()
    assert Fleet().known(60).find("toy").champion == version.number
    assert read == ["toy"]


def test_a_promotion_is_seen_by_the_next_request(write_model):
    write_model()
    fleet = Fleet()
    assert fleet.known(60).find("toy").champion == ""
    version = promoted(JANUARY)
    assert fleet.known(60).find("toy").champion == version.number


def test_a_model_without_a_file_that_still_answers_is_shown(write_model):
    path = write_model()
    promoted(JANUARY)
    path.unlink()
    (found,) = Fleet().known(60).summaries
    assert (found.health.level.name, found.champion) == ("BAD", "1")
    assert "retire" in found.health.reason or "does not exist" in found.health.reason


def test_without_a_request_nothing_is_read(write_model, read):
    write_model()
    Fleet()
    time.sleep(0.3)
    assert read == []


def test_while_the_stores_are_away_the_page_shows_what_it_last_knew_and_since_when(write_model):
    write_model()
    promoted(JANUARY)
    Fleet().known(60)

    def away() -> Stores:
        raise LakeError("The bucket does not answer.")

    site = Site(Fleet(open=away), open=away)
    text = Pages(site)("/models").text
    assert "The stores cannot be read now." in text
    assert "The bucket does not answer." in text
    assert "version 1 is champion" in text or "it has not been monitored yet" in text


def test_what_is_kept_in_another_form_is_read_anew(write_model):
    write_model()
    Fleet().known(60)
    fleets._file().write_text('{"at": "2026-01-01T00:00:00+00:00", "models": {"toy": ["", "{}"]}}')
    assert [found.name for found in Fleet().known(60).summaries] == ["toy"]
