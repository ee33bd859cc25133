"""Passwords and signatures in addresses: found in any form, hidden in every text, read from the environment."""

import time

import pytest

from evergreen.addresses import expanded, has_secret, without_secrets
from evergreen.errors import LakeError, SourceError, shown_cause, translated

WITH_SECRET = [
    "postgresql://me:secret@there/shop",
    "postgresql://me:a@secret@there/shop",
    "postgresql:/me:secret@there/shop",
    "postgresql//me:secret@there/shop",
    "me:secret@there/shop",
    "s3://key:secret@bucket/sales.parquet",
    "https://there/sales.csv?sv=2024&sig=secret%2F",
    "https://there/sales.csv?X-Amz-Date=1&X-Amz-Signature=secret&x=1",
    "https://there/sales.csv?X-Amz-Security-Token=secret",
    "https://there/sales.csv?X-Goog-Signature=secret",
    "https://there/sales.csv?token=secret",
    "https://there/sales.csv?api_key=secret",
    "sqlite:///shop.db?password=secret",
    "mssql+pyodbc://there/shop?odbc_connect=DRIVER%3Da%3BPWD%3Dsecret",
    "mssql+pyodbc:///?odbc_connect=DRIVER=a;UID=me;PWD={se;secret}",
    "snowflake://there/shop?passcode=1&private_key_passphrase=secret",
    "postgresql://there/shop?user=me&PASSWORD=secret",
]


@pytest.mark.parametrize("address", WITH_SECRET)
def test_a_password_or_a_signature_is_found_and_hidden_in_every_text(address):
    assert has_secret(address)
    for text in (address, f"cannot read {address}: no route", f"url='{address}'", f'["{address}"]'):
        assert "secret" not in without_secrets(text)
        assert without_secrets(text)[:3] == text[:3]
    assert "secret" not in str(SourceError(f"cannot read {address}"))


@pytest.mark.parametrize(
    "text",
    [
        "$SALES",
        "postgresql://me:$PASSWORD@there/shop?sslmode=require",
        "https://there/sales.csv?sig=${SIG}&token=$TOKEN",
        "postgresql://me@there:5432/shop",
        "s3://bucket/year=2024/*.parquet",
        "2013-01-01T10:00:00Z came, and me@there.example wrote 10:30",
        "['id'] of row 3: 'a', key=['id'], passed=True, design=2",
    ],
)
def test_what_holds_no_secret_stays_as_it_is(text):
    assert (without_secrets(text), has_secret(text)) == (text, False)


def test_variables_of_addresses_are_read_and_those_of_paths_only_at_the_start(monkeypatch):
    monkeypatch.setenv("HERE", "s3://bucket")
    assert expanded("$HERE") == "s3://bucket"
    assert expanded("https://there/x?sig=${HERE}&y=$NOWHERE_SET") == "https://there/x?sig=s3://bucket&y=$NOWHERE_SET"
    assert expanded("data/$HERE/x.csv") == "data/$HERE/x.csv"


def test_an_error_that_quotes_a_password_is_no_cause_that_logs_show():
    inner = ValueError("https://there/x?sig=secret")
    try:
        raise OSError("cannot read") from inner
    except OSError as error:
        outer = error
    assert (shown_cause(inner), shown_cause(outer)) == (None, None)
    assert shown_cause(KeyError("x")).args == ("x",)
    with pytest.raises(LakeError) as raised, translated(LakeError, "no: {reason}"):
        raise outer
    assert (raised.value.__cause__, raised.value.__suppress_context__) == (None, True)


def test_a_long_word_is_searched_at_once():
    start = time.process_time()
    for word in ("z" * 200_000, "token" * 20_000, "a-b." * 40_000):
        assert without_secrets(f"{word} password=secret") == f"{word} password=***"
    assert time.process_time() - start < 1
