"""Links to pages of the web UI: by the stated address, else by that of the UI that runs here, else none."""

import socket

import pytest

from evergreen import ui_address
from evergreen.errors import RunningError
from evergreen.settings import Settings

pytestmark = pytest.mark.usefixtures("home")


@pytest.mark.parametrize("url", ["https://evergreen.example.org", " https://evergreen.example.org/ "])
def test_the_stated_address_comes_before_the_one_that_runs(monkeypatch, url):
    monkeypatch.setenv(ui_address.URL, url)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ui_address.note(f"http://127.0.0.1:{listener.getsockname()[1]}")
        assert ui_address.page("models/toy") == "https://evergreen.example.org/models/toy"
    assert (ui_address.host(), ui_address.is_safe()) == ("evergreen.example.org", True)


def test_the_ui_that_runs_here_is_linked_while_it_listens():
    assert ui_address.page("models/toy") == ""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        ui_address.note(address)
        assert ui_address.page("models/toy") == f"{address}/models/toy"
    assert ui_address.page("models/toy") == ""


@pytest.mark.parametrize("text", ["", "nonsense", "http://127.0.0.1:x", "http://[", "\0"])
def test_a_note_that_is_no_address_gives_no_link(text):
    ui_address.note(text)
    assert ui_address.page("models/toy") == ""


def test_a_home_that_cannot_be_written_only_loses_the_link():
    home = Settings.read().home
    home.rmdir()
    home.write_text("a file")
    ui_address.note("http://127.0.0.1:8200")
    assert ui_address.page("") == ""


@pytest.mark.parametrize("url", ["evergreen.example.org", "ftp://a.b", "https://", "https://a/?b", "http://["])
def test_what_is_no_address_is_told(monkeypatch, url):
    monkeypatch.setenv(ui_address.URL, url)
    with pytest.raises(RunningError, match="EVERGREEN_UI_URL is"):
        ui_address.check()
    assert isinstance(ui_address.host(), str)


@pytest.mark.parametrize("url", ["", "http://a", "https://a:8443/evergreen/", "http://[::1]:8200"])
def test_what_is_one_is_taken(monkeypatch, url):
    monkeypatch.setenv(ui_address.URL, url)
    ui_address.check()
