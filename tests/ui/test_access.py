"""Who may look and act: everybody on this machine, beyond it only who is known, by role, and from these pages only."""

import time
from itertools import product

import pytest

from evergreen.errors import RunningError
from tests.ui.running_ui import Pages, forms, words
from ui.access import rules, sessions
from ui.access import visitor as access
from ui.access.keys import holders, new_key
from ui.access.rules import Rules
from ui.access.visitor import Role, owner
from ui.acts.catalogue import ACTS
from ui.server import run

AGENT = {"accept": "text/html"}
PROXY = "10.0.0.7"


@pytest.fixture
def by_proxy(home, monkeypatch):
    """A reverse proxy says who comes."""
    for name, value in {
        rules.IDENTITY: "X-Forwarded-User",
        rules.GROUPS: "X-Forwarded-Groups",
        rules.PROXIES: f"{PROXY}, 192.168.0.0/16",
        rules.ROLES[Role.OPERATOR]: "ml",
        rules.ROLES[Role.APPROVER]: "leads, owners",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def keys(home, monkeypatch):
    """A file of keys, and the key of each role."""
    made = {role.word: new_key(f"{role.word} <b>", role.word) for role in Role}
    path = home / "ui.access.keys"
    path.write_text("# of the team\n" + "\n".join(line for _, line in made.values()))
    monkeypatch.setenv(rules.KEYS_FILE, str(path))
    return {role: key for role, (key, _) in made.items()}


def sign_in(pages, key, **more):
    return pages("/sign-in", "POST", data={"key": key, "to": "/models"}, headers=AGENT, **more)


def named(who, groups=""):
    return AGENT | {"x-forwarded-user": who, "x-forwarded-groups": groups}


@pytest.mark.long
@pytest.mark.usefixtures("home")
def test_on_this_machine_nobody_signs_in():
    pages = Pages()
    assert pages("/").status_code == 200
    assert "sign-out" not in pages("/").text


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "127.0.0.1:8200"}, 200),
        ({"host": "[::1]:8200"}, 200),
        ({"host": "evil.example"}, 403),
        ({"origin": "http://localhost"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
def test_a_page_of_another_site_reads_nothing_and_does_nothing(headers, status):
    pages = Pages()
    assert pages("/", headers=headers).status_code == status
    form = {"form": owner().form_token, "token": "a-token-of-a-form", "model": "toy", "subject": "b", "reason": "no"}
    sent = pages("/act/drop", "POST", data=form, headers=headers)
    assert sent.status_code == (303 if status == 200 else 403)


@pytest.mark.parametrize(("role", "act"), product((None, *Role), ACTS))
def test_an_act_takes_its_role_and_is_shown_to_nobody_else(by_proxy, write_model, role, act):
    groups = {None: None, Role.VIEWER: "others", Role.OPERATOR: "others,ml", Role.APPROVER: "owners"}[role]
    pages = Pages(client=PROXY)
    headers = named("ann", groups) if groups else AGENT
    visitor = access.Visitor("ann", role or Role.VIEWER)
    form = {"form": visitor.form_token, "token": f"a-token-of-{act}-{role}", "model": "toy", "reason": "no"}
    status = pages(f"/act/{act}", "POST", data=form | {"subject": "1"}, headers=headers).status_code
    assert status == (303 if role and role >= ACTS[act].role else 403)


@pytest.mark.parametrize(
    ("client", "headers", "status"),
    [
        (PROXY, named("ann"), 200),
        ("192.168.3.4", named("ann"), 200),
        ("::ffff:10.0.0.7", named("ann"), 200),
        (PROXY, AGENT, 403),
        (PROXY, named(" "), 403),
        ("10.0.0.8", named("ann", "owners"), 403),
        ("127.0.0.1", named("ann", "owners"), 403),
        (PROXY, [*named("ann").items(), ("x-forwarded-user", "bob")], 403),
        (PROXY, named("ann") | {"x-forwarded-for": "127.0.0.1"}, 200),
        (PROXY, named("x" * 201), 403),
        (PROXY, named("a\tb"), 403),
        ("10.0.0.8", named("ann") | {"x-forwarded-for": PROXY}, 403),
    ],
)
def test_a_proxy_s_header_is_believed_from_the_proxy_only(by_proxy, client, headers, status):
    pages = Pages(client=client, base="http://evergreen.example")
    answer = pages("/", headers=headers)
    assert answer.status_code == status
    assert "Action required" in answer.text or status == 403
    assert "Models" not in answer.text or status == 200


def test_a_proxy_on_this_machine_is_not_played_by_a_page(by_proxy, monkeypatch):
    monkeypatch.setenv(rules.PROXIES, "127.0.0.1")
    monkeypatch.setenv("EVERGREEN_HOSTS", "evergreen.example")
    assert Pages(base="http://evergreen.example")("/", headers=named("ann")).status_code == 200
    assert Pages(base="http://rebound.example")("/", headers=named("ann")).status_code == 403


def test_a_name_is_shown_and_recorded_as_it_is(by_proxy, write_model):
    name = "Zoë \u05e9\u05dc\u05d5\u05dd <script>"
    pages = Pages(client=PROXY)
    headers = named(name.encode(), "owners")
    text = pages("/models/toy", headers=headers).text
    assert "<bdi>Zoë \u05e9\u05dc\u05d5\u05dd &lt;script&gt;</bdi>" in text
    assert "<script>" not in text.replace("<script src", "")


def test_viewers_may_be_named_too(by_proxy, monkeypatch):
    monkeypatch.setenv(rules.ROLES[Role.VIEWER], "staff")
    pages = Pages(client=PROXY)
    found = [pages("/", headers=named("ann", group)).status_code for group in ("staff", "leads", "others", "")]
    assert found == [200, 200, 403, 403]


def test_without_groups_persons_have_roles(by_proxy, monkeypatch):
    monkeypatch.delenv(rules.GROUPS)
    monkeypatch.setenv(rules.ROLES[Role.APPROVER], "ann@example.org")
    assert Rules.read().role("ann@example.org", None) is Role.APPROVER
    assert Rules.read().role("bob", None) is Role.VIEWER


def test_a_key_opens_a_session_that_ends_with_it(keys, home):
    pages = Pages(client="10.1.1.1", base="http://evergreen.example")
    away = pages("/models?q=a", headers=AGENT)
    assert (away.status_code, away.headers["location"]) == (303, "/sign-in?to=/models%3Fq%3Da")
    assert pages("/models").status_code == 401
    assert pages("/metrics").status_code == 401
    page = pages("/sign-in").text
    assert "toy" not in page
    done = sign_in(pages, keys["approver"])
    assert (done.status_code, done.headers["location"]) == (303, "/models")
    cookie = done.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert keys["approver"] not in cookie
    text = pages("/").text
    assert "approver &lt;b&gt;" in text
    out = forms(text)["/sign-out"]
    assert pages("/sign-out", "POST", data={"form": "no"}).status_code == 403
    (home / "ui.access.keys").write_text(new_key("another", "viewer")[1])
    assert pages("/").status_code == 401
    assert pages("/sign-out", "POST", data=out).status_code == 401


def test_who_signs_out_is_out(keys):
    pages = Pages(client="10.1.1.1")
    sign_in(pages, keys["viewer"])
    out = forms(pages("/").text)["/sign-out"]
    assert pages("/sign-out", "POST", data=out).status_code == 303
    assert pages("/").status_code == 401


def test_a_session_that_was_altered_or_is_over_is_none(keys, monkeypatch):
    pages = Pages(client="10.1.1.1")
    sign_in(pages, keys["viewer"])
    ((name, value),) = pages.cookies.items()
    assert pages("/").status_code == 200
    for wrong in ("", "...", "9.a.b.c", value.partition(".")[2], f"9{value}"):
        other = Pages(client="10.1.1.1")
        assert other("/", headers={"cookie": f"{name}={wrong}"}).status_code == 401
    later = time.time() + sessions.LASTS + 1
    monkeypatch.setattr(sessions.time, "time", lambda: later)
    assert Pages(client="10.1.1.1")("/", headers={"cookie": f"{name}={value}"}).status_code == 401


def test_a_form_of_one_session_is_none_of_another(keys, write_model):
    ann, bob = Pages(client="10.1.1.1"), Pages(client="10.1.1.1")
    sign_in(ann, keys["operator"])
    sign_in(bob, keys["operator"])
    token = forms(ann("/").text)["/sign-out"]["form"]
    form = {"form": token, "token": "a-token-of-a-form", "model": "toy", "subject": "b", "reason": "no"}
    assert bob("/act/drop", "POST", data=form).status_code == 403
    assert ann("/act/drop", "POST", data=form).status_code == 303


def test_a_program_sends_its_key(keys):
    pages = Pages(client="10.1.1.1")
    assert pages("/api/models", headers={"authorization": f"Bearer {keys['viewer']}"}).status_code == 200
    wrong = pages("/api/models", headers={"authorization": "Bearer no"})
    assert (wrong.status_code, wrong.json()["detail"]) == (401, "This is no key of the UI.")


def test_wrong_keys_may_be_tried_ten_times(keys):
    pages = Pages(client="10.1.1.1")
    assert [sign_in(pages, f"no-{number}").status_code for number in range(11)] == [401] * 10 + [429]
    assert "Try again in 5 minutes" in words(sign_in(pages, "no-11").text)
    assert pages("/api/models", headers={"authorization": "Bearer no-12"}).status_code == 429
    other = Pages(pages.site, client="10.1.1.2")
    assert sign_in(other, "no").status_code == 401


def test_a_right_key_never_waits_for_the_wrong_ones_of_others_behind_the_same_proxy(keys):
    pages = Pages(client="10.1.1.1")
    for number in range(11):
        sign_in(pages, f"no-{number}")
    right = {"authorization": f"Bearer {keys['viewer']}"}
    assert pages("/api/models", headers=right).status_code == 200
    assert sign_in(pages, keys["viewer"]).status_code == 303


@pytest.mark.parametrize(
    "to", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nset-cookie: b=c", ""]
)
def test_signing_in_leads_to_no_other_site(keys, to):
    done = Pages(client="10.1.1.1")("/sign-in", "POST", data={"key": keys["viewer"], "to": to})
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert "evil" not in Pages(client="10.1.1.1")("/sign-in", params={"to": to}).text


def test_files_and_health_need_nobody(keys):
    pages = Pages(client="10.1.1.1")
    assert [pages(path).status_code for path in ("/health", "/static/ui.css", "/static/design.css")] == [200] * 3


@pytest.mark.parametrize("path", ["/healthx", "/health/toy", "/static/nothing.css", "/static"])
def test_nobody_sees_the_frame_of_the_pages_where_no_page_is(keys, write_model, path):
    write_model()
    text = Pages(client="10.1.1.1")(path, headers=AGENT).text
    assert "Action required" not in text
    assert "as of" not in text


def test_a_broken_line_locks_out_nobody_else_and_is_named_in_the_log_alone(keys, home, caplog):
    raw = new_key("bob", "viewer")[0]
    path = home / "ui.access.keys"
    path.write_text(f"{path.read_text()}\n{raw} viewer Bob\n")
    pages = Pages(client="10.1.1.1")
    refused = sign_in(pages, "no")
    assert refused.status_code == 401
    assert raw[:8] not in refused.text + pages("/sign-in").text + caplog.text
    assert "line 5." in caplog.text
    assert sign_in(pages, keys["viewer"]).status_code == 303


def test_who_runs_the_ui_reads_why_there_are_no_keys_and_visitors_do_not(keys, home, caplog):
    pages = Pages(client="10.1.1.1")
    (home / "ui.access.keys").unlink()
    text = words(sign_in(pages, keys["viewer"]).text)
    assert "The keys cannot be read now" in text
    assert str(home) not in text
    assert str(home) in caplog.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/models?page=x", 422),
        ("/act/approve", 405),
        ("/models/toy/versions/7/card", 404),
        ("/pictures/toy/7/judged.png", 404),
        ("/pictures/toy/99999999999999999999999/judged.png", 404),
    ],
)
def test_a_browser_is_answered_with_a_page(write_model, path, status):
    write_model()
    answer = Pages()(path, headers=AGENT)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert "Action required" in answer.text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no key"),
        ("# nobody", "has no key"),
        ("abc viewer ann", "Invalid line"),
        (f"{'0' * 64} king ann", "Invalid line"),
        (f"{'0' * 64} viewer", "Invalid line"),
    ],
)
def test_a_file_of_keys_that_is_wrong_is_told_at_the_start(home, monkeypatch, text, says):
    path = home / "ui.access.keys"
    path.write_text(text)
    with pytest.raises(RunningError, match=says):
        holders(path)
    monkeypatch.setenv(rules.KEYS_FILE, str(path))
    with pytest.raises(RunningError, match=says):
        run("127.0.0.1", 0, print)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "set EVERGREEN_UI_KEYS_FILE"),
        ({rules.IDENTITY: "x-user"}, "go together"),
        ({rules.PROXIES: "10.0.0.1"}, "go together"),
        ({rules.IDENTITY: "x-user", rules.PROXIES: "proxy"}, "is no address"),
        ({rules.KEYS_FILE: "/nowhere/at/all"}, "cannot be read"),
    ],
)
def test_the_ui_does_not_listen_for_others_until_it_knows_who_they_are(monkeypatch, settings, says):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RunningError, match=says):
        run("0.0.0.0", 0, print)


@pytest.mark.parametrize("url", ["https://evergreen.example.org", "http://evergreen.example.org"])
def test_the_stated_address_is_a_host_of_the_ui_and_says_whether_cookies_need_https(keys, monkeypatch, url):
    monkeypatch.setenv("EVERGREEN_UI_URL", url)
    assert "evergreen.example.org" in Rules.read().hosts
    cookie = sign_in(Pages(client="10.1.1.1"), keys["viewer"]).headers["set-cookie"].lower()
    assert ("; secure" in cookie) == url.startswith("https")


@pytest.mark.usefixtures("home")
def test_an_address_that_is_none_is_told_at_the_start(monkeypatch):
    monkeypatch.setenv("EVERGREEN_UI_URL", "evergreen.example.org")
    with pytest.raises(RunningError, match="EVERGREEN_UI_URL is 'evergreen"):
        run("127.0.0.1", 0, print)
