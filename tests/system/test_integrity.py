"""The check-up: all holds after the loop has run, and each planted fault is found by the one that looks for it."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import pytest
from deltalake import write_deltalake

from evergreen.definition import loader
from evergreen.governance.integrity import examine
from evergreen.lake import audit_log
from evergreen.lake.lake import AUDIT, INGEST
from evergreen.lifecycle.rollback import record_rollback
from evergreen.registry.version import CHAMPION
from evergreen.stores import Stores
from tests.command_line import called
from tests.flows.test_approve import ASKS
from tests.prepared_homes import ingested, refreshed
from tests.system.test_erasure import WORLD
from tests.toy import day_of

FIRST = datetime(2013, 1, 29, tzinfo=UTC)
SECOND = datetime(2013, 2, 26, tzinfo=UTC)
AT = pd.Timestamp("2013-03-05", tz="UTC")
pytestmark = pytest.mark.long


def broken():
    examined = examine(Stores.open(), loader.load("toy"))
    return {check.what: check.problems for check in examined if check.problems}


@pytest.fixture(scope="module")
def story(worlds, begun):
    """A model with two champions and a batch in quarantine."""
    with worlds("toy") as write:
        write(WORLD)
        begun(refreshed, FIRST, SECOND)
        yield


@pytest.fixture
def put_back(story):
    """What a test breaks in the registry is put back."""
    registry = Stores.open().registry
    champion = registry.champion("toy")
    yield registry, champion
    registry.alias(champion, CHAMPION)
    registry.tag(champion, rolled_back_at=None, table_version=champion.table_version)


def test_all_holds_after_the_loop_has_run_and_before_anything_has(story):
    assert broken() == {}
    done = called("doctor", "toy")
    assert (done.returncode, "DOES NOT HOLD" in done.stdout) == (0, False)


def test_what_can_judge_is_shown_with_the_rows_of_the_lake(story):
    shown = called("doctor", "toy").stdout
    assert "toy: what can come to a judgement" in shown
    checks = {check["what"]: check for check in json.loads(called("doctor", "toy", "--judging", "--json").stdout)}
    assert checks["gate: holdout"]["state"] == "judges"
    assert "rows in 7 blocks" in checks["gate: holdout"]["why"]
    assert [what for what in checks if what.startswith("trigger: drift from version")]
    assert not any(check["problems"] for check in checks.values())


def test_what_can_never_judge_is_named_by_the_doctor_with_the_line_to_change(home, write_model):
    write_model("\nmodel = model.model_copy(update={'training': Training(holdout='2d')})\n")
    done = called("doctor", "toy", "--judging")
    assert (done.returncode, called("doctor", "toy").returncode) == (1, 0)
    told = " ".join(done.stdout.split())
    assert 'min_blocks asks for 5. Change it to: training=Training(holdout="5d"),' in told


def test_a_champion_that_no_verdict_put_forward_is_found(put_back):
    registry, champion = put_back
    other = registry.version("toy", "1")
    registry.alias(replace(other, number="1"), CHAMPION)
    registry.tag(other, promoted_by=champion.promoted_by)
    assert "toy@1 is champion, but the verdict on version" in broken()["the champion has passed its gates"][0]
    assert called("doctor", "toy").returncode == 1
    registry.tag(other, promoted_by="")


def test_a_rollback_that_died_is_found(put_back):
    registry, champion = put_back
    record_rollback(registry, champion, registry.version("toy", "1"), "a test", AT)
    assert "was rolled back but is still champion" in broken()["the champion has passed its gates"][0]


def test_a_version_without_lineage_is_found(put_back):
    registry, champion = put_back
    registry.client.delete_model_version_tag("toy", champion.number, "evergreen.table_version")
    assert f"{champion} lacks the tags table_version." in broken()["the lineage of every version is complete"]


def test_a_run_that_was_left_open_is_found(story):
    registry = Stores.open().registry
    experiment = registry.client.get_experiment_by_name("toy").experiment_id
    left = registry.client.create_run(experiment, tags={"evergreen.run": "training"})
    assert list(broken()) == ["no run was left open"]
    registry.client.set_terminated(left.info.run_id)
    assert broken() == {}


def test_an_entry_that_says_no_reason_is_found(story):
    quarantine = Stores.open().quarantine
    (entry,) = quarantine.entries("toy")
    quarantine._write_entry(replace(entry, results=[]))
    assert broken()["quarantine is consistent"] == [
        f"Batch {entry.batch} is in quarantine, but no failure is recorded."
    ]
    quarantine._write_entry(entry)


def test_rows_that_nobody_told_of_and_a_key_that_is_there_twice_are_found(home, begun):
    begun(ingested, FIRST)
    toy, lake = loader.load("toy"), Stores.open().lake
    rows = day_of(pd.Timestamp("2013-03-05", tz="UTC"))
    lake.land(toy, rows, "stray", AT, app=INGEST, mark=AT)
    assert broken()["every row is unique, and its batch is logged"] == [
        "Rows of batch stray are in the table, but the audit log has no line about it."
    ]
    whole = lake.query(toy, "SELECT * FROM rows WHERE _batch = 'stray'")
    write_deltalake(lake.uri("toy"), whole, mode="append")
    assert (
        broken()["every row is unique, and its batch is logged"][0]
        == "50 rows of the table have the same key as another row."
    )


def test_a_champion_without_the_leave_that_its_file_asks_for_is_found(home, write_model, begun):
    write_model(ASKS)
    assert begun(refreshed, FIRST).decision == "waiting"
    registry = Stores.open().registry
    version = registry.version("toy", "2")
    registry.alias(version, CHAMPION)
    registry.tag(version, promoted_by="1")
    assert broken() == {
        "the champion has passed its gates": ["toy@2 is champion without the approval that the model file requires."]
    }
    registry.tag(version, approval="approved")
    assert broken() == {}


def test_a_line_that_was_changed_is_found(home, begun):
    begun(ingested, FIRST)
    lake = Stores.open().lake
    lines = audit_log.read(lake, "toy")
    forged = audit_log._table([replace(lines[0], by="nobody")])
    lake.replace("toy", AUDIT, forged, "number = 1")
    assert "Line 1 (ingest of" in broken()["the audit log is unchanged"][0]
    done = called("audit", "toy", "--verify")
    assert (done.returncode, "CHANGED" in done.stdout) == (7, True)


def test_the_end_of_a_log_is_proved_by_the_home_and_by_the_registry_each_alone(story):
    stores = Stores.open()
    lines, versions = audit_log.read(stores.lake, "toy"), stores.registry.versions("toy")
    assert audit_log.seals(stores.lake, "toy") == [line.seal for line in lines]
    with_versions = {tag for version in versions for tag in (version.verdict_seal, version.promotion_seal) if tag}
    sealed = {line.seal for line in lines if line.act in ("verdict", "promotion")}
    assert with_versions == sealed != set()


def test_the_command_verifies_against_a_line_that_was_kept(story):
    kept = json.loads(called("audit", "toy", "--verify", "--json").stdout)[0]["head"]
    broken_into_lines = f"{kept[:30]}\n   {kept[30:]}"
    assert called("audit", "toy", "--head", broken_into_lines).returncode == 0
    forged = kept[:-1] + ("0" if kept[-1] != "0" else "1")
    done = called("audit", "toy", "--head", forged)
    assert (done.returncode, "not as sealed outside the table" in " ".join(done.stdout.split())) == (7, True)
    for words in (("audit", "--head", kept), ("audit", "toy", "--head", "12 feed")):
        assert called(*words).returncode == 2
