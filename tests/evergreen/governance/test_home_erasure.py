"""What else lies in a home: pages, replays, copies of models, and texts that earlier releases wrote."""

import json
import sqlite3
from contextlib import closing

import pytest

from evergreen.governance.home_erasure import clean_database, erase

OLD = "name: column values to be in set (value_set ['Bo']); found 2 of 350 rows: Zebulon, Xantippe"
NEW = "name: column values to be in set (value_set ['Bo']); found 2 of 350 rows"


@pytest.fixture
def remains(tmp_path):
    for name in ("look-toy.html", "look-people.csv.html", "toy.html", "toy.png", "toy.3.card.html", "other.html"):
        (tmp_path / "reports" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "reports" / name).write_text("a page")
    for number, row in (("1", [1.5, "Zebulon"]), ("2", [2.5, "Bo"])):
        folder = tmp_path / "serving" / "models" / "toy" / number
        folder.mkdir(parents=True)
        (folder / "spec-1.json").write_text(json.dumps({"example": [row]}))
    (tmp_path / "replays" / "toy" / "abc").mkdir(parents=True)
    return tmp_path


def test_pages_of_rows_replays_and_old_copies_go(remains):
    erase(remains, "toy", {json.dumps([1.5, "Zebulon"])})
    assert [path.name for path in (remains / "reports").iterdir()] == ["other.html"]
    assert [path.name for path in (remains / "serving" / "models" / "toy").iterdir()] == ["2"]
    assert not (remains / "replays" / "toy").exists()
    erase(remains, "toy", set())


def test_texts_in_the_database_of_runs_lose_their_examples_and_no_byte_of_them_stays(tmp_path):
    path = tmp_path / "prefect.db"
    payload = json.dumps({"reasons": [OLD, "y: 1e+06, far outside of 0 to 3"], "rows": 350})
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE flow_run_state (name TEXT, message TEXT)")
        database.execute("CREATE TABLE events (payload TEXT)")
        messages = [f"20130205 quarantined: {OLD}; y: found 3.5\n20130206 landed", "All is well", None]
        database.executemany("INSERT INTO flow_run_state VALUES ('Completed', ?)", [(text,) for text in messages])
        database.execute("INSERT INTO events VALUES (?)", [payload])
        database.commit()
    clean_database(path)
    with closing(sqlite3.connect(path)) as database:
        texts = [row[0] for row in database.execute("SELECT message FROM flow_run_state")]
        (event,) = [json.loads(row[0]) for row in database.execute("SELECT payload FROM events")]
    assert texts == [f"20130205 quarantined: {NEW}; y: found 3.5\n20130206 landed", "All is well", None]
    assert event == {"reasons": [NEW, "y: values far outside the reference's range"], "rows": 350}
    assert not any(b"Zebulon" in file.read_bytes() for file in tmp_path.iterdir())
