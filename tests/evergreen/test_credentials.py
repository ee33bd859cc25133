"""Credentials: which addresses hold a secret themselves."""

import re
from contextlib import nullcontext

import pytest

from evergreen.addresses import has_secret
from evergreen.credentials import SECRET, refuse_secrets
from evergreen.errors import SourceError


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ann:tiger@db/sales",
        "postgresql+psycopg://ann:ti/g@er@db:5432/sales",
        "postgresql://:tiger@db/sales",
        "mysql://db/sales?user=ann&password=tiger",
        "mssql+pyodbc://?odbc_connect=DRIVER%3Dx%3BUID%3Dann%3BPWD%3Dtiger",
        "mssql+pyodbc://?odbc_connect=DRIVER=x;Pwd=tiger",
        "snowflake://db/sales?token=abc",
        "https://x.blob.core.windows.net/rows.csv?sv=1&sig=abc",
        "https://bucket.s3.amazonaws.com/rows.csv?X-Amz-Signature=abc",
        "https://bucket.s3.amazonaws.com/rows.csv?X-Amz-Credential=abc",
        "gs://bucket/rows.csv?access_token=abc",
        "https://example.org/rows.csv?api_key=abc",
    ],
)
def test_a_secret_is_seen(address):
    assert has_secret(address)
    assert re.search(SECRET, address)


@pytest.mark.parametrize(
    "address",
    [
        "$SALES_DB",
        "postgresql://ann@db/sales",
        "postgresql://ann:$PASSWORD@db:5432/sales",
        "mysql://db/sales?user=ann&password=$PASSWORD",
        "sqlite:////srv/sales.db",
        "/srv/rows/*.parquet",
        "C:/rows/a@b.csv",
        "s3://bucket/passes/tokens=1/rows.parquet",
        "https://example.org:8080/a@b.csv?page=2",
        "https://example.org/rows.csv?partition_key=3",
        "SELECT * FROM passengers WHERE token = 'a'",
    ],
)
def test_what_holds_none_is_let_pass(address):
    assert not has_secret(address)
    assert not re.search(SECRET, address)


@pytest.mark.parametrize(
    ("query", "refused"),
    [
        ("SELECT name::text||'@'||host FROM users WHERE token = 'a'", False),
        ("ATTACH 'postgresql://ann:tiger@db/sales'", True),
        ("", False),
    ],
)
def test_a_query_is_refused_for_an_address_in_it_and_not_for_an_operator(query, refused):
    with pytest.raises(SourceError, match="The query holds a password") if refused else nullcontext():
        refuse_secrets({"query": query, "log": True})
