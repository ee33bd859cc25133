"""The guard: who has a key, for which model, and how much at one time."""

import asyncio

import httpx
import pytest

from evergreen.errors import RunningError
from serving.http import auth
from serving.http.auth import ApiKeyAuth, new_key


@pytest.fixture
def keys(tmp_path, monkeypatch):
    """Two keys, one for all models and one for toy alone."""
    everything, line = new_key([])
    toy, other = new_key(["toy"])
    (tmp_path / "keys").write_text(f"# keys\n{line}\n\n{other}  # the shop\n")
    monkeypatch.setenv(auth.KEYS_FILE, str(tmp_path / "keys"))
    return everything, toy


async def echo(scope, _receive, send):
    """Tell who was let in, once others have had time to come."""
    await asyncio.sleep(0.05)
    allowed = scope.get("allowed", "anybody")
    body = ",".join(sorted(allowed or ["*"])) if allowed != "anybody" else "anybody"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body.encode()})


def ask(app, *requests):
    """The answers to requests, (path, key), that come at one time."""

    async def together():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            headers = [{} if key is None else {"authorization": f"Bearer {key}"} for _, key in requests]
            asked = [client.get(path, headers=of) for (path, _), of in zip(requests, headers, strict=True)]
            return await asyncio.gather(*asked)

    return asyncio.run(together())


def test_without_keys_everybody_is_let_in(monkeypatch):
    monkeypatch.delenv(auth.KEYS, raising=False)
    monkeypatch.delenv(auth.KEYS_FILE, raising=False)
    (answer,) = ask(ApiKeyAuth(echo, 1), ("/models/toy/invocations", None))
    assert (answer.status_code, answer.text) == (200, "anybody")


def test_a_key_opens_what_its_line_names(keys):
    everything, toy = keys
    answers = ask(
        ApiKeyAuth(echo, 9),
        ("/models", everything),
        ("/models", toy),
        ("/models", None),
        ("/models", "wrong"),
        ("/metrics", None),
        ("/ping", None),
        ("/models/toy/health", None),
    )
    assert [answer.status_code for answer in answers] == [200, 200, 401, 401, 401, 200, 200]
    assert [answer.text for answer in answers[:2]] == ["*", "toy"]
    assert answers[2].headers["www-authenticate"] == "Bearer"
    assert toy not in (answers[3].text + answers[2].text)


def test_one_key_cannot_take_all_the_room(keys):
    everything, toy = keys
    app = ApiKeyAuth(echo, 2)
    answers = ask(app, *[("/models", toy)] * 4, ("/models", everything))
    assert sorted(answer.status_code for answer in answers[:4]) == [200, 200, 429, 429]
    assert answers[4].status_code == 200
    (again,) = ask(app, ("/models", toy))
    assert again.status_code == 200


def test_keys_that_change_are_read_again_and_a_spoilt_file_changes_nothing(keys, tmp_path, monkeypatch):
    _, toy = keys
    app = ApiKeyAuth(echo, 9)
    another, line = new_key(["toy"])
    for text, message in (("spoilt\n", "evergreen key"), ("", "no key"), ("# none\n\n", "no key")):
        (tmp_path / "keys").write_text(text)
        app._changed = 0.0  # however fast the clock of the disk is
        with pytest.raises(RunningError, match=message):
            app.reload()
        assert [answer.status_code for answer in ask(app, ("/models", toy), ("/models", None))] == [200, 401]
    monkeypatch.setenv(auth.KEYS_FILE, str(tmp_path / "new"))
    (tmp_path / "new").write_text(line)
    app.reload()
    assert [answer.status_code for answer in ask(app, ("/models", toy), ("/models", another))] == [401, 200]


def test_keys_may_stand_in_the_environment(monkeypatch):
    monkeypatch.setenv(auth.KEYS, f"{'a' * 64} toy late; {'B' * 64} *")
    assert auth.read_keys() == {"a" * 64: frozenset({"toy", "late"}), "b" * 64: frozenset({"*"})}


@pytest.mark.parametrize("line", ["toy", "a" * 64, f"{'g' * 64} toy", f"{'a' * 63} toy"])
def test_a_line_of_another_form_is_told_and_not_shown_whole(line, monkeypatch):
    monkeypatch.setenv(auth.KEYS, line)
    with pytest.raises(RunningError, match="SHA-256") as raised:
        auth.read_keys()
    assert len(line) <= 24 or line not in str(raised.value)


@pytest.mark.parametrize("text", ["", "# none\n"])
def test_a_file_without_a_key_opens_nothing(monkeypatch, tmp_path, text):
    monkeypatch.delenv(auth.KEYS, raising=False)
    monkeypatch.setenv(auth.KEYS_FILE, str(tmp_path / "keys"))
    (tmp_path / "keys").write_text(text)
    with pytest.raises(RunningError, match="no key"):
        ApiKeyAuth(echo, 9)


def test_a_file_that_is_not_there_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv(auth.KEYS_FILE, str(tmp_path / "none"))
    with pytest.raises(RunningError, match="cannot be read"):
        auth.read_keys()
