"""The pages for a browser, and the document that describes the routes."""

import asyncio
import html
import re
import shlex

import pytest

from serving.http import keys
from tests.serving.http.running_app import Running, ask, asked, post


def test_the_document_has_a_real_example_of_each_models_input(running):
    document = ask(running, ("GET", "/openapi.json", {}))[0].json()
    example = document["paths"]["/models/toy/invocations"]["post"]["requestBody"]["content"]["application/json"]
    (answer,) = ask(running, post(json=example["example"]))
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_for_a_browser_needs_no_network_and_runs_no_script(running, path):
    (page,) = ask(running, ("GET", path, {}))
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["content-security-policy"].startswith("default-src 'none';")
    assert 'name="viewport" content="width=device-width' in page.text
    assert re.findall(r"<(?:script|link|img|iframe|form)\b|\bsrc=|@import|href=.(?:[a-z]+:|//)", page.text) == []
    links = re.findall(r'href="([^"]+)"', page.text)
    assert {answer.status_code for answer in ask(running, *[("GET", f"/{link.strip('.')}", {}) for link in links])} == {
        200
    }


def test_the_page_of_what_is_served_names_versions_and_says_what_is_missing(running, copies):
    (page,) = ask(running, ("GET", "/", {}))
    assert re.search(r"<b>toy</b>.*<td>1\s", page.text)
    assert "There is no champion" not in page.text
    running.models.names = ["toy", "next"]
    (page,) = asyncio.run(asked(running, "/"))
    assert "There is no champion of a model that is to be served yet" in page.text


def test_the_page_of_routes_has_a_request_to_copy_that_is_answered(running):
    (page,) = ask(running, ("GET", "/docs", {}))
    examples = [html.unescape(text) for text in re.findall(r"<pre><code>(.*?)</code>", page.text)]
    bodies = {words[1]: words[-1] for words in map(shlex.split, examples)}
    assert set(bodies) == {f"http://localhost/models/toy/{verb}" for verb in ("invocations", "labels")}
    predicted = bodies["http://localhost/models/toy/invocations"]
    (answer,) = ask(running, post(content=predicted.encode()))
    assert answer.status_code == 200
    assert re.findall(r"<td><code>(\w+)</code></td><td>(\w+)", page.text)[:3] == [
        ("x", "number"),
        ("z", "number"),
        ("id", "text"),
    ]


def test_names_on_a_page_are_text(copies, add):
    strange = "<script>alert(1)</script>"
    add(beside={strange: "text"})
    (page,) = ask(Running(copies), ("GET", "/docs", {}))
    assert strange not in page.text
    assert "&lt;script&gt;" in page.text


def test_a_page_shows_the_models_of_the_callers_key_only(copies, add, monkeypatch):
    add()
    add(model="unseen")
    toy, line = keys.new_key(["toy"])
    monkeypatch.setenv(keys.KEYS, line)
    bearer = {"headers": {"authorization": f"Bearer {toy}"}}
    paths = ("/", "/docs")
    asked = ask(Running(copies), *[("GET", path, more) for path in paths for more in (bearer, {})])
    assert [answer.status_code for answer in asked] == [200, 401, 200, 401]
    assert all("toy" in page.text and "unseen" not in page.text for page in asked[::2])
