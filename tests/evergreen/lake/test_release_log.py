"""The log of releases: who may approve one where the settings ask for four eyes."""

import pytest

from evergreen.errors import PromotionError
from evergreen.lake import release_log
from evergreen.lake.release_log import Approval, Request
from evergreen.settings import FOUR_EYES

COMMIT, AT = "c" * 40, "2026-01-01T00:00:00.000000+00:00"


def approve(lake, by):
    release_log.approve(lake, Approval(AT, COMMIT, by, "looked at it"))
    return release_log.is_approved(lake, COMMIT)


@pytest.mark.parametrize("asked", ["ann", ""], ids=["who asked", "who deploys and approves with one command"])
def test_with_four_eyes_who_deploys_a_release_does_not_approve_it(tmp_path, monkeypatch, asked):
    monkeypatch.setenv(FOUR_EYES, "1")
    lake = str(tmp_path)
    if asked:
        release_log.ask(lake, Request(AT, COMMIT, asked))
    with pytest.raises(PromotionError, match="ann deploys release cccccccccc, and EVERGREEN_UI_FOUR_EYES asks for two"):
        approve(lake, "ann")
    release_log.ask(lake, Request(AT, COMMIT, "ann"))
    assert approve(lake, "bob")
    assert approve(lake, "ann")  # it is approved already


def test_without_four_eyes_anybody_approves_it(tmp_path):
    assert approve(str(tmp_path), "ann")
