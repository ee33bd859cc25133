"""The lines of API keys: what is read of them, and who is told when they cannot be."""

import pytest

from evergreen.errors import RunningError
from serving.http.keys import KEYS, KEYS_FILE, Keys, KeyWatch, new_key, read_keys


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    monkeypatch.delenv(KEYS, raising=False)
    monkeypatch.delenv(KEYS_FILE, raising=False)


def test_no_key_is_needed_where_none_is_configured():
    assert (Keys.read(), read_keys()) == (Keys({}, False), {})


def test_keys_may_stand_in_the_environment(monkeypatch):
    monkeypatch.setenv(KEYS, f"{'a' * 64} toy late; {'B' * 64} *")
    assert read_keys() == {"a" * 64: frozenset({"toy", "late"}), "b" * 64: frozenset({"*"})}


@pytest.mark.parametrize("line", ["toy", "a" * 64, f"{'g' * 64} toy", f"{'a' * 63} toy"])
def test_a_line_of_another_form_is_told_and_not_shown_whole(line, monkeypatch):
    monkeypatch.setenv(KEYS, line)
    with pytest.raises(RunningError, match="SHA-256") as raised:
        read_keys()
    assert len(line) <= 24 or line not in str(raised.value)


@pytest.mark.parametrize("text", ["", "# none\n"])
def test_a_file_without_a_key_opens_nothing(monkeypatch, tmp_path, text):
    monkeypatch.setenv(KEYS_FILE, str(tmp_path / "keys"))
    (tmp_path / "keys").write_text(text)
    with pytest.raises(RunningError, match="no key"):
        read_keys()


def test_an_environment_without_a_key_opens_nothing(monkeypatch):
    monkeypatch.setenv(KEYS, "# none")
    with pytest.raises(RunningError, match="EVERGREEN_KEYS has no key"):
        read_keys()


def test_a_file_that_is_not_there_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv(KEYS_FILE, str(tmp_path / "none"))
    with pytest.raises(RunningError, match="cannot be read"):
        read_keys()


def test_each_problem_is_told_once(monkeypatch, tmp_path):
    path, told = tmp_path / "keys", []
    monkeypatch.setenv(KEYS_FILE, str(path))
    _, line = new_key([])
    watch = KeyWatch(lambda *alert: told.append(alert[1]))
    for text in (line, "", "", None, line, "", f"spoilt\n{line}"):
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_text(text)
        watch.run_once()
    assert len(told) == 4
    for text, expected in zip(told, ("has no key", "cannot be read", "has no key", "SHA-256"), strict=True):
        assert expected in text
