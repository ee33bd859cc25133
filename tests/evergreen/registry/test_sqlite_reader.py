"""MLflow's SQLite store, read past MLflow: the same answers, and MLflow is asked where they could differ."""

import sqlite3
from contextlib import closing

import pytest

from evergreen.registry import sqlite_reader
from evergreen.registry.mlflow_registry import MlflowRegistry


@pytest.fixture
def through_mlflow(registry):
    """The same store, reached by MLflow alone."""
    return MlflowRegistry(f"{registry.uri}?", registry.artifacts)


@pytest.fixture
def three(registry, own, record):
    """Versions of a model, the second of which was deleted."""
    versions = [record(own(), reason=reason, settled=True) for reason in ("demand", "drift", "drift")]
    registry.client.delete_model_version(versions[1].model, versions[1].number)
    for alias in ("champion", "challenger"):
        registry.alias(versions[2], alias)
    return versions


@pytest.mark.long
@pytest.mark.parametrize("tags", [{}, {"reason": "drift"}, {"reason": "drift", "settled": True}, {"reason": "data"}])
def test_versions_are_those_that_mlflow_gives(registry, through_mlflow, three, tags):
    name = three[0].model
    assert registry.versions(name, **tags) == through_mlflow.versions(name, **tags)
    assert sqlite_reader.versions(registry.uri, name, {}) is not None


@pytest.mark.parametrize(
    "number", ["1", "2", "3", "03", "9", "champion", "challenger", "previous", "latest", "no alias!"]
)
def test_a_version_is_the_one_that_mlflow_gives(registry, through_mlflow, three, number):
    name = three[0].model
    assert registry.find(name, number) == through_mlflow.find(name, number)


@pytest.mark.long
@pytest.mark.parametrize("change", ["tag", "alias", "deletion", "metric"])
def test_a_fingerprint_changes_with_the_versions_and_with_nothing_else(registry, three, change):
    before = registry.fingerprints()  # of those that other tests have registered, too
    if change == "tag":
        registry.tag(three[0], settled=False)
    elif change == "alias":
        registry.alias(three[0], "champion")
    elif change == "deletion":
        registry.client.delete_model_version(three[0].model, three[0].number)
    else:
        registry.measure(three[0], {"another": 1.0})
    after = registry.fingerprints()
    changed = [name for name in after if after[name] != before[name]]
    assert changed == ([] if change == "metric" else [three[0].model])


def test_a_page_is_the_one_that_mlflow_gives(registry, through_mlflow, three):
    assert registry.text(three[0], "page.txt") == through_mlflow.text(three[0], "page.txt") == "kept"
    assert registry.text(three[0], "other.txt") == through_mlflow.text(three[0], "other.txt") is None


def test_a_store_that_is_not_there_yet_holds_nothing_and_is_not_made(tmp_path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert (sqlite_reader.versions(uri, "toy", {}), sqlite_reader.version(uri, "toy", "1")) == ([], [])
    assert list(tmp_path.iterdir()) == []


def test_the_queries_are_written_for_the_schema_of_the_mlflow_that_is_installed(empty_registry):
    with closing(sqlite3.connect(empty_registry)) as store:
        (installed,) = store.execute("SELECT version_num FROM alembic_version").fetchone()
    assert installed == sqlite_reader.SCHEMA, "see whether the tables that sqlite_reader reads have changed"


def test_of_another_schema_mlflow_is_asked(tmp_path, empty_registry):
    other = tmp_path / "mlflow.db"
    other.write_bytes(empty_registry.read_bytes())
    with closing(sqlite3.connect(other)) as store, store:
        store.execute("UPDATE alembic_version SET version_num = 'f00'")
    assert sqlite_reader.versions(f"sqlite:///{other}", "toy", {}) is None
    assert sqlite_reader.artifacts(f"sqlite:///{other}", "r") is None


@pytest.mark.parametrize("uri", ["postgresql://u@h/db", "http://127.0.0.1:9", "sqlite://", "sqlite:///x.db?timeout=9"])
def test_of_another_store_mlflow_is_asked(uri):
    assert sqlite_reader.versions(uri, "toy", {}) is None


def test_with_workspaces_mlflow_is_asked(registry, three, monkeypatch):
    monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", "true")
    assert sqlite_reader.versions(registry.uri, three[0].model, {}) is None


def test_artifacts_elsewhere_are_fetched_by_mlflow(tmp_path, empty_registry):
    store = tmp_path / "mlflow.db"
    store.write_bytes(empty_registry.read_bytes())
    uri = f"sqlite:///{store}"
    client = MlflowRegistry(uri).client
    run = client.create_run(client.create_experiment("elsewhere", "s3://bucket/artifacts"))
    assert sqlite_reader.artifacts(uri, run.info.run_id) is None
    assert sqlite_reader.artifacts(uri, "nobody's") is None


def test_a_text_in_a_folder_is_the_one_that_mlflow_gives(registry, through_mlflow, three):
    registry.attach(three[0], "code/lib/maths.py", "the text")
    for name in ("code/lib/maths.py", "code/lib/gone.py", "gone/maths.py"):
        assert registry.text(three[0], name) == through_mlflow.text(three[0], name)
    assert through_mlflow.text(three[0], "code/lib/maths.py") == "the text"
