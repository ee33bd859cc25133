"""Which pages and host names are let in."""

import pytest

from serving.errors import RequestError
from serving.http.origins import HOSTS, Origins

OURS = "127.0.0.1:8100"


@pytest.mark.parametrize(
    ("host", "origin", "keys", "allowed"),
    [
        (OURS, None, False, True),
        ("LOCALHOST", None, False, True),
        ("[::1]:8100", None, False, True),
        (None, None, False, True),  # a load balancer that speaks HTTP/1.0; browsers always send it
        ("a.example", None, False, False),
        ("127.0.0.1.a.example:8100", None, False, False),
        ("a.example", None, True, True),
        ("ml.example", None, False, True),
        (OURS, f"http://{OURS}", False, True),
        (OURS, "http://a.example", False, False),
        (OURS, "http://a.example", True, False),
        (OURS, "http://127.0.0.1:4200", False, False),
        (OURS, "http://localhost:8100", False, False),
        (OURS, "null", False, False),
        (OURS, "", False, False),
        (OURS, "file://", False, False),
        ("a.example", "http://a.example", False, False),
        ("a.example", "https://a.example", True, True),
        (OURS, "https://ML.example", False, True),
        (OURS, "https://ml.example.a.example", False, False),
        (None, "http://a.example", True, False),
    ],
)
def test_a_page_of_another_host_and_a_foreign_name_are_refused(monkeypatch, host, origin, keys, allowed):
    monkeypatch.setenv(HOSTS, "other.example, ml.example,")
    headers = [(b"host", host.encode())] if host is not None else []
    headers += [(b"origin", origin.encode())] if origin is not None else []
    if allowed:
        Origins().check(headers, keys)
        return
    with pytest.raises(RequestError, match=HOSTS) as raised:
        Origins().check(headers, keys)
    assert raised.value.status == 403


def test_any_of_several_hosts_counts():
    with pytest.raises(RequestError, match=r"a\.example"):
        Origins(frozenset()).check([(b"host", b"localhost"), (b"host", b"a.example")], keys=False)
