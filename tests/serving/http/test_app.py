"""The application of one worker, asked over ASGI: every answer and every refusal."""

import asyncio
import errno

import orjson
import pytest

from serving.http import keys
from serving.model_cache import ModelCache
from tests.serving.http.running_app import BODY, JSON, Running, ask, asked, post


def test_a_champion_answers_with_its_version_and_an_id_for_each_row(running):
    (answer,) = ask(running, post())
    body = answer.json()
    assert answer.status_code == 200
    assert body["predictions"] == pytest.approx([4.0, 0.0])
    assert (body["model"], body["version"], len(set(body["ids"]))) == ("toy", "1", 2)
    ((line, _),) = running.logged()
    assert line["ids"] == body["ids"]


def test_what_is_private_is_not_in_the_log(copies, add):
    add(private={"x": "hash", "side": "omit"})
    running = Running(copies)
    (answer,) = ask(running, post(json={"dataframe_records": [{"x": 1.0, "z": 2.0, "side": "up"}]}))
    assert answer.json()["predictions"] == pytest.approx([4.0])
    ((line, head),) = running.logged()
    assert (len(line["rows"][0][0]), line["rows"][0][1], line["beside"]) == (32, 2.0, {})
    assert head["features"] == {"x": "text", "z": "number"}


def test_a_classifier_answers_with_classes_and_probabilities(copies, add):
    add(task="classification", target="integer")
    (answer,) = ask(Running(copies), post())
    body = answer.json()
    assert body["classes"] == [0, 1]
    assert [max((p, c) for c, p in enumerate(row))[1] for row in body["probabilities"]] == body["predictions"]


def test_the_only_model_may_be_asked_without_its_name_as_mlflow_does(running):
    (answer,) = ask(running, post("/invocations"))
    assert answer.json()["model"] == "toy"


def test_what_mlflow_and_load_balancers_ask_is_answered(running):
    answers = ask(
        running,
        *[("GET", path, {}) for path in ("/ping", "/health", "/models/toy/ping", "/models/none/ping", "/version")],
        ("GET", "/models", {}),
    )
    assert [answer.status_code for answer in answers] == [200, 200, 200, 503, 200, 200]
    assert answers[-1].json()["toy"]["version"] == "1"


def test_before_any_champion_it_says_so_and_when_to_ask_again(copies):
    answers = ask(Running(copies), ("GET", "/ping", {}), ("GET", "/models/toy/ping", {}), post())
    assert [(answer.status_code, answer.headers["retry-after"]) for answer in answers] == [(503, "1")] * 3
    assert all("There is no champion of any model yet" in answer.text for answer in answers)


def test_a_model_that_is_to_be_served_is_no_unknown_one_before_its_first_champion(running):
    running.models.names = ["toy", "next"]
    (health, one, following, other) = asyncio.run(asked(running, "/ping", "toy", "next", "other"))
    assert (health.status_code, health.text) == (
        503,
        "There is no champion of a model that is to be served yet: `evergreen train` promotes one, which is then "
        "served.\n",
    )
    assert [answer.status_code for answer in (one, following, other)] == [200, 503, 404]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (post("/models/other/invocations"), 404),
        (post("/models/..%2Ftoy/invocations"), 404),
        (post("/a/b/c/invocations"), 404),
        (("GET", "/models/toy/invocations", {}), 405),
        (post(json={"dataframe_records": [{"x": 1}]}), 422),
        (post(content=b"{", headers={"content-type": "application/json"}), 400),
        (post(content=b"a=1", headers={"content-type": "application/x-www-form-urlencoded"}), 415),
        (post(json={"dataframe_records": [{"x": 1, "z": 2}] * 6}), 413),
        (post(content=b" " * 20_001), 413),
        (post("/models/toy/labels", json={"id": "a"}), 422),
        (post("/models/toy/labels", json={"labels": [{"id": "a", "value": 1}] * 6}), 413),
        (post("/models/toy/labels", json=[]), 400),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_sentence(running, request_, status):
    (answer,) = ask(running, request_)
    assert (answer.status_code, len(answer.json()["message"]) > 20) == (status, True)
    assert running.logged() == []


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"id": "a", "value": "high"}, "value"),
        ({"id": "a", "value": True}, "value"),
        ({"value": 1}, "id"),
        ({"id": "", "value": 1}, "id"),
        ({"id": ["a"], "value": 1}, "id"),
        ({"id": "a\nb", "value": 1}, "id"),
        ({"id": "a" * 513, "value": 1}, "id"),
        ({"id": "a", "value": 1, "time": "soon"}, "time"),
        ({"id": "a", "value": 1, "time": 5}, "time"),
        ({"id": "a", "value": 1, "time": "0001-01-01T00:00:00+14:00"}, "time"),
        ({"id": "a", "value": 1, "when": "2013-01-01"}, "when"),
    ],
)
def test_a_label_that_does_not_fit_is_told_with_its_field(running, sent, field):
    (answer,) = ask(running, post("/models/toy/labels", json={"labels": [{"id": "b", "value": 1}, sent]}))
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert running.logged() == []


@pytest.mark.parametrize("field", ["id", "value", "time"])
def test_a_label_that_nests_deeper_than_python_shows_is_told_so(running, field):
    deep = b"[" * 1010 + b"]" * 1010
    sent = orjson.dumps({"id": "a", "value": 1} | {field: "deep"}).replace(b'"deep"', deep)
    (answer,) = ask(running, post("/models/toy/labels", content=sent))
    body = answer.json()
    assert (answer.status_code, body["field"], "is a list" in body["message"]) == (422, field, True)


def test_labels_are_in_the_log_once_they_are_taken(running):
    many = {"labels": [{"id": "a", "value": 1.5, "time": "2013-01-02T00:00:00"}, {"id": "b", "value": None}]}
    answers = ask(
        running, post("/models/toy/labels", json=many), post("/models/toy/labels", json={"id": 7, "value": 2})
    )
    assert [answer.json()["labels"] for answer in answers] == [2, 1]
    lines = [line for line, head in running.logged() if head["table"] == "labels"]
    assert [(line["ids"], line["values"], line["known"]) for line in lines] == [
        (["a", "b"], [1.5, None], [1357084800000000, None]),
        (["7"], [2], [None]),
    ]


def test_too_many_at_one_time_are_told_to_come_again(running, monkeypatch):
    async def all_at_once():
        async with running.client() as client:
            go = asyncio.Event()
            predict = running.app.app.router.batches.predict

            async def slowly(*arguments):
                await go.wait()
                return await predict(*arguments)

            monkeypatch.setattr(running.app.app.router.batches, "predict", slowly)
            slow = [asyncio.create_task(client.post("/models/toy/invocations", json=BODY)) for _ in range(2)]
            await running.until(lambda: running.app.app._concurrent == 2)
            refused = await client.post("/models/toy/invocations", json=BODY)
            go.set()
            return refused, await asyncio.gather(*slow)

    refused, answered = asyncio.run(all_at_once())
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert [answer.status_code for answer in answered] == [200, 200]


def test_of_too_many_bodies_that_are_not_whole_the_oldest_is_given_up_and_others_are_answered(running):
    async def all_at_once():
        async with running.client() as client:

            async def never():
                yield b"{"
                await asyncio.sleep(5)

            def half_sent():
                return asyncio.create_task(client.post("/models/toy/invocations", content=never(), headers=JSON))

            first = half_sent()
            await running.until(lambda: running.app.app._bodies._held == 1)
            second = half_sent()
            await running.until(lambda: running.app.app._bodies._held == 2)
            answered = [await client.post("/models/toy/invocations", json=BODY) for _ in range(3)]
            return answered, await first, await second

    answered, first, second = asyncio.run(all_at_once())
    assert [answer.status_code for answer in answered] == [200] * 3
    assert (first.status_code, "in full" in first.json()["message"]) == (503, True)
    assert (second.status_code, "0.3 seconds" in second.json()["message"]) == (408, True)
    assert (running.app.app._bodies._held, running.app.app._bodies._sizes) == (0, {})


def test_a_body_that_does_not_come_is_not_waited_for(running):
    async def asked():
        async def never():
            yield b"{"
            await asyncio.sleep(5)

        async with running.client() as client:
            return await client.post("/models/toy/invocations", content=never(), headers=JSON)

    assert asyncio.run(asked()).status_code == 408


def test_a_caller_who_hangs_up_half_way_is_not_answered(running):
    sent, messages = [], iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

    async def asked():
        async def receive():
            return next(messages)

        async def send(message):
            sent.append(message)

        async with running.client():
            headers = [(b"content-type", b"application/json")]
            scope = {"type": "http", "method": "POST", "path": "/models/toy/invocations", "headers": headers}
            await running.app(scope, receive, send)

    asyncio.run(asked())
    assert (sent, running.logged()) == ([], [])


@pytest.fixture
def shared(copies, add, monkeypatch):
    """Two models, and a key for each, for both, and for one that is not there."""
    add()
    add(model="quake", beside={"secret": "text"})
    made = {names: keys.new_key(names.split()) for names in ("toy", "quake", "toy quake", "other")}
    monkeypatch.setenv(keys.KEYS, ";".join(line for _, line in made.values()))
    bearers = {names: {"headers": {"authorization": f"Bearer {key}"}} for names, (key, _) in made.items()}
    return Running(copies), bearers


@pytest.mark.parametrize("path", ["invocations", "labels", "ping", "health"])
def test_a_key_of_another_model_is_not_let_through_and_does_not_learn_what_is_there(shared, path):
    running, bearers = shared
    method = "GET" if path in ("ping", "health") else "POST"
    answers = ask(running, *[(method, f"/models/{name}/{path}", bearers["other"]) for name in ("toy", "quake", "none")])
    assert [answer.status_code for answer in answers] == [403] * 3
    for answer, name in zip(answers, ("toy", "quake", "none"), strict=True):
        assert "other" in answer.json()["message"]
        assert answer.json() == answers[0].json() | {"message": answers[0].json()["message"].replace("toy", name)}
    (missing,) = ask(running, (method, f"/models/other/{path}", bearers["other"]))
    assert missing.status_code == (503 if method == "GET" else 404)
    assert "toy" not in missing.text


@pytest.mark.parametrize("path", ["/models", "/openapi.json", "/metrics"])
def test_a_key_sees_its_own_models_only(shared, path):
    running, bearers = shared
    pages = ask(
        running,
        *[post(f"/models/{name}/invocations", json=BODY, **bearers["toy quake"]) for name in ("toy", "quake", "none")],
        *[("GET", path, bearers[names]) for names in ("toy", "quake", "toy quake", "other")],
    )[3:]
    toy, quake, both, other = (page.text for page in pages)
    assert [page.status_code for page in pages] == [200] * 4
    assert ["toy" in toy, "toy" in quake, "toy" in both, "toy" in other] == [True, False, True, False]
    assert ["quake" in toy, "quake" in quake, "quake" in both, "quake" in other] == [False, True, True, False]
    assert [("secret" in page, "waiting_bytes" in page) for page in (toy, other)] == [(False, False)] * 2


def test_a_model_of_its_own_is_asked_of_by_a_key(shared):
    running, bearers = shared
    answers = ask(running, ("GET", "/models/toy/ping", bearers["toy"]), ("GET", "/models/toy/ping", {}))
    assert [answer.status_code for answer in answers] == [200, 401]


def test_a_version_that_is_promoted_takes_over_between_two_requests(running, add):
    async def asked():
        async with running.client() as client:
            before = await client.post("/invocations", json=BODY)
            add("2", slope=-2.0)
            await running.until(lambda: running.models.served["toy"].spec.number == "2")
            return before.json(), (await client.post("/invocations", json=BODY)).json()

    before, after = asyncio.run(asked())
    assert (before["version"], after["version"]) == ("1", "2")
    assert after["predictions"] == pytest.approx([0.0, -2.0])
    assert [head["version"] for _, head in running.logged()] == ["1", "2"]


def test_a_disk_that_cannot_be_read_for_a_while_ends_no_following(running, add, monkeypatch):
    async def asked():
        async with running.client() as client:
            with monkeypatch.context() as patch:
                patch.setattr(ModelCache, "changes", broken)
                await running.until(lambda: tried)
            add("2", slope=-2.0)
            await running.until(lambda: running.models.served["toy"].spec.number == "2")
            return (await client.post("/invocations", json=BODY)).json()["version"]

    def broken(_):
        tried.append(1)
        raise OSError(errno.EMFILE, "Too many open files")

    tried = []
    assert asyncio.run(asked()) == "2"


@pytest.mark.parametrize("how", ["other answers", "does not load"])
def test_a_version_that_is_not_what_was_stored_leaves_the_old_one_answering(running, add, how):
    async def asked():
        async with running.client() as client:
            add("2", answers=[[7.0], [7.0]]) if how == "other answers" else add("2", trusted=["nobody.Knows"])
            if how == "does not load":
                (running.models.copies.folder("toy", "2") / "model.skops").write_bytes(b"torn")
            refusals = []
            await running.until(lambda: refusals.extend(running.models.copies.refusals()) or refusals)
            return refusals, (await client.post("/invocations", json=BODY)).json()

    refusals, answer = asyncio.run(asked())
    assert ([refusal[:2] for refusal in refusals], answer["version"]) == ([("toy", "2")], "1")


def test_the_meters_tell_what_happened(running):
    *_, page = ask(running, post(), post(json={}), post("/models/x/invocations"), ("GET", "/metrics", {}))
    lines = set(page.text.splitlines())
    assert {
        'evergreen_requests_total{model="toy",status="200"} 1.0',
        'evergreen_requests_total{model="toy",status="400"} 1.0',
        'evergreen_requests_total{model="",status="404"} 1.0',
        'evergreen_rows_total{model="toy",version="1"} 2.0',
        'evergreen_model_version{model="toy"} 1.0',
        'evergreen_swaps_total{model="toy"} 0.0',
    } <= lines


def test_what_needs_a_key_is_counted_where_it_is_refused(running, tmp_path, monkeypatch):
    key, line = keys.new_key([])
    (tmp_path / "keys").write_text(line)
    monkeypatch.setenv(keys.KEYS_FILE, str(tmp_path / "keys"))
    running = Running(running.models.copies)
    headers = {"authorization": f"Bearer {key}"}
    *_, page = ask(running, post(), ("GET", "/models", {}), ("GET", "/metrics", {"headers": headers}))
    assert 'evergreen_requests_total{model="",status="401"} 2.0' in page.text.splitlines()


@pytest.mark.parametrize("path", ["/health", "/models/toy/health"])
def test_health_says_that_predictions_cannot_be_logged_and_recovers_by_itself(running, monkeypatch, path):
    def none_left(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    async def asked():
        async with running.client() as client:
            statuses = [(await client.get(path)).status_code]
            with monkeypatch.context() as patch:
                patch.setattr("serving.log.segments.os.write", none_left)
                statuses += [(await client.post("/invocations", json=BODY)).status_code]
                for _ in range(2):
                    answer = await client.get(path)
                    statuses.append(answer.status_code)
                    assert "cannot be written (No space left on device)" in answer.text
            return [*statuses, (await client.get(path)).status_code]

    assert asyncio.run(asked()) == [200, 503, 503, 503, 200]
    assert running.logged() == []


def test_health_stays_where_predictions_are_returned_without_a_log(running, monkeypatch):
    def none_left(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    running.batches.full = "drop"
    monkeypatch.setattr("serving.log.segments.os.write", none_left)
    assert [answer.status_code for answer in ask(running, post(), ("GET", "/health", {}))] == [200, 200]
