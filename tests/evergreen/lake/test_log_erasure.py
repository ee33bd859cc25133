"""Delta's log after an erasure: nothing of the values that are gone, everything else as it was written."""

import json

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from fsspec.implementations.local import LocalFileSystem

from evergreen.lake.log_erasure import remove_values


@pytest.fixture
def table(tmp_path):
    """Twelve commits, a merge, a deletion by age and one by value, with a checkpoint between; its log."""
    where = str(tmp_path / "table")
    for n in range(12):
        options = {"configuration": {"delta.checkpointInterval": "5"}} if n == 0 else {"mode": "append"}
        write_deltalake(where, pa.table({"id": [f"key{n:02}"], "x": [n]}), **options)
    opened = DeltaTable(where)
    merger = opened.merge(pa.table({"id": ["key03"], "x": [9]}), "b.id = t.id", source_alias="b", target_alias="t")
    merger.when_matched_update_all().execute()
    opened.delete("x < 1")
    opened.delete("(id = 'key07') OR (id = 'key99') OR (id = 'key98') OR (id = 'key97')")
    return tmp_path / "table" / "_delta_log"


def commits(log):
    return {path.name: path.read_text() for path in log.glob("*.json")}


def test_what_was_erased_is_gone_and_all_else_stays(table):
    opened, before = DeltaTable(str(table.parent)), commits(table)
    current = set(opened.file_uris())
    adds = [json.loads(line).get("add") for text in before.values() for line in text.splitlines()]
    gone = {add["path"] for add in adds if add and "key07" in (add["stats"] or "")}
    assert not any(uri.endswith(path) for uri in current for path in gone)

    assert remove_values(LocalFileSystem(), str(table), gone)
    opened.create_checkpoint()
    lines = commits(table)
    assert "key07" not in "".join(lines.values())
    assert {name for name in before if lines[name] != before[name]} == {
        name for name in before if "key07" in before[name]
    }
    assert sum('"mergePredicate":"t.id = b.id"' in text for text in lines.values()) == 1
    assert sum("x < 1" in text for text in lines.values()) == 1
    again = DeltaTable(str(table.parent))
    assert (again.version(), set(again.file_uris())) == (opened.version(), current)
    assert sorted(again.to_pyarrow_table()["id"].to_pylist()) == [f"key{n:02}" for n in range(1, 12) if n != 7]
    assert len(DeltaTable(str(table.parent), version=5).file_uris()) == 6
    assert not remove_values(LocalFileSystem(), str(table), gone)


def test_who_dies_on_the_way_finds_the_rest_again(table, monkeypatch):
    files, moved = LocalFileSystem(), []

    def dies(*given):
        if moved:
            raise OSError("the disk is full")
        moved.append(given)
        LocalFileSystem.mv(files, *given)

    monkeypatch.setattr(files, "mv", dies)
    gone = {
        json.loads(line)["add"]["path"]
        for text in commits(table).values()
        for line in text.splitlines()
        if '"add"' in line
    }
    with pytest.raises(OSError, match="full"):
        remove_values(files, str(table), gone)
    monkeypatch.undo()
    assert not list(table.glob("*.checkpoint*.parquet"))
    assert remove_values(files, str(table), gone)
    assert "minValues" not in "".join(commits(table).values())
