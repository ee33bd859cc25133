"""Connections to the lake in memory."""

import duckdb
import pytest

from evergreen.lake.connection import attached


@pytest.mark.parametrize(
    "sql",
    ["SELECT * FROM read_csv('{}')", "SELECT * FROM '{}'", "COPY (SELECT 1) TO '{}'", "ATTACH '{}'", "INSTALL httpfs"],
)
def test_sql_on_the_lake_reads_and_writes_no_file(tmp_path, sql):
    path = tmp_path / "rows.csv"
    path.write_text("a\n1\n")
    with attached() as connection, pytest.raises(duckdb.Error):
        connection.sql(sql.format(path)).fetchall()
    assert path.read_text() == "a\n1\n"
