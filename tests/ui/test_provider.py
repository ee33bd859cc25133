"""Signing in by OpenID Connect, at a provider that is a process of its own: who they are, and what is not believed."""

import re
import subprocess
import sys
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest
from selenium.webdriver.support.ui import WebDriverWait

from evergreen.errors import RunningError
from tests.running_system import CHECKOUT, environment
from tests.ui import identity_provider
from tests.ui.browser import browser, needs_browser, violations
from tests.ui.browser import running as running_ui
from tests.ui.identity_provider import CLIENT, SECRET, WHO
from tests.ui.running_ui import Pages, forms, words
from ui.access import openid, rules, sessions
from ui.access.rules import Rules
from ui.access.visitor import Role
from ui.server import run
from ui.site import Site

pytest.importorskip("authlib", reason="the extra oidc is not installed")
pytest.importorskip("joserfc", reason="the extra oidc is not installed")

AGENT = {"accept": "text/html"}
HERE = {"client": "10.1.1.1", "base": "http://localhost"}


@pytest.fixture(scope="module")
def running():
    with identity_provider.provider() as found:
        yield found


@pytest.fixture
def provider(running, home, monkeypatch):
    """The provider, as the settings state it; the groups `ml` and `leads` have roles."""
    secret = home / "client.secret"
    secret.write_text(f"{SECRET}\n")
    for name, value in {
        openid.ISSUER: running.issuer,
        openid.CLIENT: CLIENT,
        openid.SECRET_FILE: str(secret),
        "EVERGREEN_UI_URL": "http://localhost",
        rules.ROLES[Role.OPERATOR]: "ml",
        rules.ROLES[Role.APPROVER]: "leads",
    }.items():
        monkeypatch.setenv(name, value)
    running.says()
    return running


def begun(pages, to="/models"):
    """The provider's answer to who signs in: the address to which it sends the browser back."""
    sent = pages("/sign-in/provider", params={"to": to}, headers=AGENT)
    assert sent.status_code == 303, words(sent.text)
    return httpx.get(sent.headers["location"], timeout=60).headers["location"].removeprefix("http://localhost")


def sign_in(pages, to="/models"):
    return pages(begun(pages, to), headers=AGENT)


def test_who_signs_in_at_the_provider_has_the_role_of_their_groups(provider, write_model):
    write_model()
    pages = Pages(**HERE)
    away = pages("/models?q=a", headers=AGENT)
    assert (away.status_code, away.headers["location"]) == (303, "/sign-in?to=/models%3Fq%3Da")
    page = pages("/sign-in?to=/models%3Fq%3Da").text
    assert 'href="/sign-in/provider?to=%2Fmodels%3Fq%3Da"' in page
    assert 'name="key"' not in page
    done = sign_in(pages, "/models?q=a")
    assert done.status_code == 200
    assert '<meta http-equiv="refresh" content="0; url=/models?q=a">' in done.text
    session, forgotten = done.headers.get_list("set-cookie")
    assert {"httponly", "samesite=strict", "path=/"} <= set(session.lower().split("; "))
    assert "max-age=0" in forgotten.lower()
    text = pages("/").text
    assert "<bdi>ann@example.org</bdi>, operator" in text
    assert pages("/models").status_code == 200
    out = forms(text)["/sign-out"]
    assert pages("/sign-out", "POST", data=out).headers["location"] == "/sign-in"
    assert pages("/models").status_code == 401


def test_what_the_browser_is_sent_with(provider):
    asked = urlsplit(Pages(**HERE)("/sign-in/provider").headers["location"])
    query = {name: values[0] for name, values in parse_qs(asked.query).items()}
    assert f"{asked.scheme}://{asked.netloc}{asked.path}" == f"{provider.issuer}/authorize"
    assert (query["scope"], query["code_challenge_method"]) == ("openid email profile", "S256")
    assert query["redirect_uri"] == "http://localhost/sign-in/callback"
    assert min(len(query[name]) for name in ("state", "nonce", "code_challenge")) >= 20
    assert SECRET not in str(query)


@pytest.mark.parametrize("https", [True, False])
def test_cookies_are_sent_by_https_only_where_the_ui_has_it(provider, monkeypatch, https):
    pages = Pages(client="10.1.1.1", base="https://localhost" if https else "http://localhost")
    sent = pages("/sign-in/provider", headers=AGENT)
    cookie = set(sent.headers["set-cookie"].lower().split("; "))
    assert {"httponly", "samesite=lax"} <= cookie
    assert ("secure" in cookie) == https


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["others"], "viewer"),
        ([], "viewer"),
        (["ml"], "operator"),
        (["ml", "leads"], "approver"),
        ("x, leads", "approver"),
    ],
)
def test_the_highest_role_counts(provider, groups, role):
    provider.says(claims=WHO | {"groups": groups})
    pages = Pages(**HERE)
    sign_in(pages)
    assert f"<bdi>ann@example.org</bdi>, {role}" in pages("/").text


def test_who_is_in_no_group_that_may_look_is_told(provider, monkeypatch):
    monkeypatch.setenv(rules.ROLES[Role.VIEWER], "staff")
    provider.says(claims=WHO | {"groups": ["visitors"]})
    pages = Pages(**HERE)
    refused = sign_in(pages)
    assert refused.status_code == 403
    assert "ann@example.org is in none of the groups that may see these pages." in words(refused.text)
    assert pages("/").status_code == 401


def test_a_session_has_the_role_of_the_settings_as_they_are(provider, monkeypatch):
    pages = Pages(**HERE)
    sign_in(pages)
    monkeypatch.setenv(rules.ROLES[Role.APPROVER], "ml")
    later = Pages(**HERE)
    later.cookies = pages.cookies
    assert "approver" in later("/").text
    monkeypatch.setenv(openid.CLIENT, CLIENT)
    monkeypatch.setenv(openid.ISSUER, "https://another.example")
    another = Pages(**HERE)
    another.cookies = pages.cookies
    assert another("/").status_code == 401


def test_persons_have_roles_where_no_claim_names_groups(provider, monkeypatch):
    monkeypatch.setenv(openid.GROUPS_CLAIM, "")
    monkeypatch.setenv(rules.ROLES[Role.APPROVER], "ann@example.org")
    provider.says(claims={"sub": "7", "email": "ann@example.org"}, metadata={"userinfo_endpoint": None})
    pages = Pages(**HERE)
    sign_in(pages)
    assert "approver" in pages("/").text


def test_other_claims_can_be_named(provider, monkeypatch):
    monkeypatch.setenv(openid.NAME_CLAIM, "preferred_username")
    monkeypatch.setenv(openid.GROUPS_CLAIM, "realm_access.roles")
    provider.says(
        claims={"sub": "7", "preferred_username": "Zoë <b>\u202eright", "realm_access": {"roles": ["leads"]}},
        metadata={"token_endpoint_auth_methods_supported": ["client_secret_post"]},
    )
    pages = Pages(**HERE)
    assert "at most 200 printed letters" in words(sign_in(pages).text)  # which turns the order of letters around
    provider.says(claims={"sub": "7", "preferred_username": "Zoë <b>", "realm_access": {"roles": ["leads"]}})
    sign_in(pages)
    assert "<bdi>Zoë &lt;b&gt;</bdi>, approver" in pages("/").text


def test_claims_that_are_not_in_the_token_are_asked_for(provider):
    provider.says(claims={"sub": "7"})
    pages = Pages(**HERE)
    sign_in(pages)
    assert "<bdi>ann@example.org</bdi>, operator" in pages("/").text
    provider.says(claims={"sub": "8"})
    assert "of another person than the token" in words(sign_in(Pages(**HERE)).text)


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"sub": "7", "groups": []}, "sent no claim 'email', which names a person here"),
        ({"sub": "7", "email": " ", "groups": []}, "sent no claim 'email'"),
        ({"sub": "7", "email": "a@b.c"}, "sent no claim 'groups' about a@b.c, by which roles are given"),
        ({"sub": "7", "email": "a@b.c", "groups": [], "email_verified": False}, "has not verified that a@b.c is yours"),
        ({"sub": "7", "email": "a@b.c", "groups": [], "email_verified": "false"}, "not verified that a@b.c is yours"),
        ({"sub": "7", "email": "x" * 201, "groups": []}, "at most 200 printed letters"),
    ],
)
def test_what_is_missing_is_told(provider, claims, says):
    provider.says(claims=claims, metadata={"userinfo_endpoint": None})
    pages = Pages(**HERE)
    refused = sign_in(pages)
    assert (refused.status_code, pages("/").status_code) == (403, 401)
    assert says in words(refused.text)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("refused", "did not sign you in: access_denied"),
        ("issuer", "cannot be believed"),
        ("audience", "cannot be believed"),
        ("nonce", "cannot be believed"),
        ("expired", "cannot be believed"),
        ("none", "cannot be believed"),
        ("shared secret", "cannot be believed"),
        ("other key", "cannot be believed"),
        ("no token", "cannot be believed"),
        ("nonsense", "cannot be believed"),
    ],
)
def test_what_cannot_be_believed_opens_nothing(provider, fault, says):
    provider.says(fault=fault)
    pages = Pages(**HERE)
    refused = sign_in(pages)
    assert (refused.status_code, pages("/").status_code) == (403, 401)
    assert says in words(refused.text)
    assert "<b>not today" not in refused.text
    assert "Sign in again" in words(refused.text)


def test_a_new_key_of_the_provider_is_taken(provider):
    sign_in(Pages(**HERE))
    pages = Pages(**HERE)
    provider.says(fault="rotated")
    sign_in(pages)
    assert pages("/").status_code == 200


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({"issuer": "https://evil.example"}, "calls itself 'https://evil.example'"),
        ({"token_endpoint": "http://evil.example/token"}, "no token_endpoint by https"),
        ({"jwks_uri": None}, "no jwks_uri by https"),
        ({"id_token_signing_alg_values_supported": ["none", "HS256"]}, "signs by none, HS256 only"),
    ],
)
def test_a_provider_that_describes_itself_otherwise_is_not_asked(provider, metadata, says):
    provider.says(metadata=metadata)
    refused = Pages(**HERE)("/sign-in/provider", headers=AGENT)
    assert refused.status_code == 403
    assert says in words(refused.text)


def test_an_answer_counts_once_and_in_the_browser_that_asked(provider):
    ann, eve = Pages(**HERE), Pages(**HERE)
    path = begun(ann)
    other = eve(path, headers=AGENT)
    assert other.status_code == 403
    assert "no sign-in that this browser began" in words(other.text)
    assert ann(path, headers=AGENT).status_code == 200
    assert ann(path, headers=AGENT).status_code == 403
    kept = Pages(**HERE)
    path = begun(kept)
    cookies = dict(kept.cookies)
    assert kept(path, headers=AGENT).status_code == 200
    kept.cookies.update(cookies)
    again = kept(path, headers=AGENT)  # the provider takes its code back
    assert "did not sign you in: invalid_grant" in words(again.text)


def test_an_answer_comes_within_ten_minutes(provider, monkeypatch):
    pages = Pages(**HERE)
    path = begun(pages)
    later = sessions.time.time() + sessions.BEGUN_LASTS + 1
    monkeypatch.setattr(sessions.time, "time", lambda: later)
    assert pages(path, headers=AGENT).status_code == 403


def test_answers_that_were_altered_may_be_tried_ten_times_and_keep_nobody_else_out(provider):
    pages = Pages(**HERE)
    tried = [pages(f"/sign-in/callback?state=x&code={number}", headers=AGENT).status_code for number in range(11)]
    assert tried == [403] * 10 + [429]
    assert "Try again in 5 minutes" in words(pages("/sign-in/callback?state=x&code=x", headers=AGENT).text)
    assert sign_in(Pages(**HERE)).status_code == 200


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", '/"><script>'])
def test_signing_in_leads_to_no_other_site(provider, to):
    text = sign_in(Pages(**HERE), to).text
    assert "evil" not in text
    assert "<script>" not in text


@pytest.mark.parametrize("path", ["//evil.example/x", "/\\evil.example/x"])
def test_a_link_of_another_site_leads_to_no_third_one(provider, path):
    pages = Pages(**HERE)
    linked = pages(f"http://localhost{path}", headers=AGENT | {"sec-fetch-site": "cross-site"})
    assert linked.status_code == 200
    assert re.search(r'content="0; url=/([^"/\\][^"]*)?"', linked.text)


def test_a_link_of_another_site_is_followed_with_the_session(provider):
    pages = Pages(**HERE)
    linked = pages("/models/toy?a=1&b=2", headers=AGENT | {"sec-fetch-site": "cross-site"})
    assert (linked.status_code, linked.headers["cache-control"]) == (200, "no-store")
    assert 'content="0; url=/models/toy?a=1&amp;b=2"' in linked.text
    named = pages("/models/toy/drift/größe x", headers=AGENT | {"sec-fetch-site": "cross-site"})
    assert 'content="0; url=/models/toy/drift/gr%C3%B6%C3%9Fe%20x"' in named.text
    here = pages("/models/toy?a=1", headers=AGENT | {"sec-fetch-site": "same-origin"})
    assert here.headers["location"] == "/sign-in?to=/models/toy%3Fa%3D1"


def test_keys_can_be_used_beside_it(provider, home, monkeypatch):
    from ui.access.keys import new_key

    key, line = new_key("robot", "viewer")
    (home / "keys").write_text(line)
    monkeypatch.setenv(rules.KEYS_FILE, str(home / "keys"))
    pages = Pages(**HERE)
    assert {"/sign-in"} <= set(forms(pages("/sign-in").text))
    assert pages("/api/models", headers={"authorization": f"Bearer {key}"}).status_code == 200
    sign_in(pages)
    assert "ann@example.org" in pages("/").text


@needs_browser
@pytest.mark.slow
@pytest.mark.parametrize("scripts", [True, False])
def test_in_a_browser_it_takes_one_press_and_a_link_of_another_site_opens_its_page(provider, monkeypatch, scripts):
    with running_ui(Site()) as address, browser(scripts=scripts) as driver:
        address = address.replace("127.0.0.1", "localhost")  # another site than the provider's
        monkeypatch.setenv("EVERGREEN_UI_URL", address)
        provider.says(callback=f"{address}/sign-in/callback")
        driver.get(f"{address}/models?q=toy")
        if scripts:
            assert violations(driver) == []
        driver.find_element("link text", "Sign in with 127.0.0.1").click()
        wait = WebDriverWait(driver, 60)
        wait.until(lambda driver: driver.current_url == f"{address}/models?q=toy")
        assert "ann@example.org" in driver.find_element("css selector", "header.site .who").text
        link = f'<a id="link" href="{address}/activity">an alert</a>'
        driver.get(f"data:text/html,{quote(link)}")
        driver.find_element("id", "link").click()
        wait.until(lambda driver: driver.find_elements("css selector", "header.site .who"))
        assert driver.current_url == f"{address}/activity"
        driver.find_element("css selector", "header.site .who button").click()
        wait.until(lambda driver: driver.current_url == f"{address}/sign-in")


@pytest.mark.long
def test_a_provider_that_is_away_is_told(home, monkeypatch, provider):
    with identity_provider.provider() as other:
        monkeypatch.setenv(openid.ISSUER, other.issuer)
        pages = Pages(**HERE)
        path = begun(pages)
        other.says(fault="slow")
        slow = pages(path, headers=AGENT)
        assert slow.status_code == 503
        other.away()
        for page in (pages("/sign-in/provider", headers=AGENT), Pages(**HERE)("/sign-in/provider", headers=AGENT)):
            assert page.status_code in (303, 503)  # who was asked within the hour is known
    away = Pages(**HERE)("/sign-in/provider?to=/models", headers=AGENT)
    assert away.status_code == 503
    assert "which says who people are, cannot be asked now" in words(away.text)
    assert 'href="/sign-in/provider?to=%2Fmodels"' in away.text


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({openid.CLIENT: ""}, "go together"),
        ({openid.ISSUER: ""}, "go together"),
        ({"EVERGREEN_UI_URL": ""}, "go together"),
        ({openid.ISSUER: "http://login.example.org"}, "begins with https"),
        ({openid.SECRET_FILE: "/nowhere/at/all"}, "cannot be read"),
    ],
)
def test_settings_that_are_incomplete_are_told_at_the_start(provider, monkeypatch, settings, says):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RunningError, match=says):
        run("127.0.0.1", 0, print)


def test_an_empty_secret_is_told_at_the_start(provider, home, monkeypatch):
    (home / "client.secret").write_text("\n")
    with pytest.raises(RunningError, match="is empty"):
        run("127.0.0.1", 0, print)


@pytest.mark.usefixtures("home")
def test_nothing_of_it_is_imported_where_no_provider_is_set(home):
    code = "import sys\nfrom ui.application import application\nfrom ui.site import Site\napplication(Site())\n"
    code += "sys.exit([name for name in sys.modules if name.partition('.')[0] in ('authlib', 'joserfc')] or 0)"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, env=environment(home), check=False).returncode == 0
    )


def test_a_missing_package_is_told(provider, monkeypatch):
    monkeypatch.setattr(openid.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RunningError, match=r"Install evergreen\[oidc\]"):
        Rules.read()
