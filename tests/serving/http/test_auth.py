"""The guard: who has a key, for which model, and how much at one time."""

import asyncio

import httpx
import pytest

from serving.http import keys as api_keys
from serving.http.auth import ApiKeyAuth
from serving.http.keys import new_key


@pytest.fixture
def keys(tmp_path, monkeypatch):
    """Two keys, one for all models and one for toy alone."""
    everything, line = new_key([])
    toy, other = new_key(["toy"])
    (tmp_path / "keys").write_text(f"# keys\n{line}\n\n{other}  # the shop\n")
    monkeypatch.setenv(api_keys.KEYS_FILE, str(tmp_path / "keys"))
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
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            headers = [{} if key is None else {"authorization": f"Bearer {key}"} for _, key in requests]
            asked = [client.get(path, headers=of) for (path, _), of in zip(requests, headers, strict=True)]
            return await asyncio.gather(*asked)

    return asyncio.run(together())


def test_without_keys_everybody_is_let_in(monkeypatch):
    monkeypatch.delenv(api_keys.KEYS, raising=False)
    monkeypatch.delenv(api_keys.KEYS_FILE, raising=False)
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
    assert [answer.status_code for answer in answers] == [200, 200, 401, 401, 401, 200, 401]
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


def test_a_key_that_is_removed_opens_nothing_from_then_on(keys, tmp_path, monkeypatch):
    everything, _ = keys
    path, app = tmp_path / "keys", ApiKeyAuth(echo, 9)
    another, line = new_key(["toy"])

    def statuses():
        app.reload()
        return [answer.status_code for answer in ask(app, *[("/models", key) for key in (everything, another, None)])]

    def read():
        path.unlink() if path.is_file() else path.rmdir()
        path.write_text(line)
        return statuses()

    assert statuses() == [200, 401, 401]
    assert read() == [401, 200, 401]
    for text in ("", "# none\n\n", "spoilt\n"):
        path.write_text(text)
        assert statuses() == [401, 401, 401], text
        assert read() == [401, 200, 401]
    path.write_text(f"spoilt\n{line}")
    assert statuses() == [401, 200, 401], "one broken line takes no other key away"
    path.unlink()
    assert statuses() == [401, 401, 401]
    path.mkdir()
    assert statuses() == [401, 401, 401]
    assert read() == [401, 200, 401]
    assert [answer.status_code for answer in ask(app, ("/ping", None))] == [200]


def test_a_worker_that_starts_without_its_file_of_keys_opens_nothing(monkeypatch, tmp_path):
    monkeypatch.delenv(api_keys.KEYS, raising=False)
    monkeypatch.setenv(api_keys.KEYS_FILE, str(tmp_path / "none"))
    assert [answer.status_code for answer in ask(ApiKeyAuth(echo, 9), ("/models", None), ("/ping", None))] == [401, 200]
