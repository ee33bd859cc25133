"""What `evergreen score` is to read and write is looked at before it begins."""

import pytest

from cli import checks, loop
from evergreen.errors import SourceShapeError
from flows.runtime import temporary_server
from tests.serving.conftest import lived

__all__ = ["lived"]

TABLE = "id,at,x,z,y\n" + "".join(f"{row},2013-01-0{row}T00:00:00Z,{row}.5,{row}.25,{row}\n" for row in range(1, 9))


def test_a_column_that_is_missing_is_told_and_what_fits_passes(lived, tmp_path, monkeypatch):
    table, output = tmp_path / "table.csv", str(tmp_path / "scored.csv")
    table.write_text(TABLE)
    checks.score("toy", str(table), output, "", "champion")
    table.write_text(TABLE.replace(",z,", ",other,"))
    with pytest.raises(SourceShapeError, match="'z' should be a column of kind number: no such column"):
        checks.score("toy", str(table), output, "", "champion")
    monkeypatch.setattr(checks, "_LARGEST", 10)
    checks.score("toy", str(table), output, "", "champion")
    table.write_text(TABLE.splitlines()[0] + "\n")
    checks.score("toy", str(table), output, "", "champion")


def test_a_column_that_is_missing_is_told_before_a_server_starts(lived, tmp_path, monkeypatch):
    monkeypatch.setattr(temporary_server, "start", lambda model: pytest.fail(f"a server was started for {model}"))
    (tmp_path / "table.csv").write_text(TABLE.replace(",z,", ",other,"))
    with pytest.raises(SourceShapeError, match="no such column"):
        loop.score("toy", str(tmp_path / "table.csv"), str(tmp_path / "scored.csv"))
