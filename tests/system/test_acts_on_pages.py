"""From a page to the champion: a person approves a version, a real worker promotes it, and the page shows the end."""

import os
from pathlib import Path
from typing import Any

import pytest

from evergreen.lake import audit_log
from evergreen.stores import Stores
from tests.flows.test_approve import ASKS
from tests.running_system import NOW, living, until
from tests.ui.running_ui import Pages, forms, words

pytestmark = pytest.mark.slow


def champion() -> str:
    version = Stores.open().registry.champion("toy")
    return version.number if version else ""


def test_a_person_trains_approves_and_rolls_back_on_pages(worlds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with worlds("toy") as write:
        write(NOW + ASKS)
        with living(Path(os.environ["EVERGREEN_HOME"]), "--no-mlflow", "--no-serve", "--no-ui") as up:
            monkeypatch.setenv("PREFECT_API_URL", up.api)
            monkeypatch.setenv("PREFECT_API_AUTH_STRING", (up.home / "up.secret").read_text())
            pages, me = Pages(), audit_log.person()

            def asked(act: str, path: str, **more: str) -> str:
                form = until(lambda: _form(pages, path, act), f"the button to {act}") | more
                pages.send(act, form)
                ended = ("data-soon" not in text for text in iter(lambda: pages(f"/acts/{form['token']}").text, ""))
                until(lambda: next(ended), f"the end of {act}")
                return words(pages(f"/acts/{form['token']}").text)

            text = asked("refresh", "/models/toy", reason="the first one")
            assert "Waiting for approval" in text or "is pending approval" in text, text
            text = asked("approve", "/", reason="looked at the groups")
            assert f"toy@2 was approved by {me}: looked at the groups" in text, text
            assert champion() == "2"
            until(lambda: "Nothing waits for a person" in pages("/").text, "an empty page")
            text = asked("rollback", "/models/toy", reason="no")
            assert "toy@2 is the first champion of toy" in text, text
        lines = audit_log.read(Stores.open().lake, "toy")
        told = [(line.act, line.by) for line in lines if line.by]
        assert told == [("decision", me), ("verdict", me), ("approval", me)], told
        assert all(line.run for line in lines if line.by)


def _form(pages: Pages, path: str, act: str) -> dict[str, str]:
    return forms(pages(path).text).get(f"/act/{act}", {})
