"""The registry, on a real MLflow store: what is recorded comes back, and no pickle is written or read."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from evergreen import provenance
from evergreen.errors import RegistryError, RegistrySetupError, TrainingError
from evergreen.registry import client, sqlite_reader
from evergreen.registry.mlflow_registry import MlflowRegistry
from evergreen.registry.model_store import directory_size, input_example, save, stored_signature, trusted_types
from evergreen.registry.version import CHAMPION, Version
from evergreen.replay.recording import record
from evergreen.replay.result import Replayed, Result
from evergreen.training import fitting


class Homemade(BaseEstimator):
    """An estimator of the user's own."""

    def fit(self, rows, target):
        self.mean_ = float(np.mean(target))
        return self

    def predict(self, rows):
        return np.full(len(rows), self.mean_)


class Raising(Homemade):
    def predict(self, rows):
        raise ValueError("no answer")


HOMEMADE = f"{Homemade.__module__}.Homemade"


@pytest.fixture(scope="module")
def kept(toy, record):
    """A model with one version, which no test changes."""
    return record(toy(name="kept"), reason="demand", as_of="2013-01-11T00:00:00+00:00", rows="240")


def test_a_version_comes_back_by_its_number_with_what_was_recorded(registry, kept):
    version = registry.version("kept", "1")
    assert version == kept
    assert (str(version), version.number, version.aliases) == ("kept@1", "1", ())
    given = {"reason": "demand", "as_of": "2013-01-11T00:00:00+00:00", "rows": "240"}
    assert version.tags == given | {"stored_hash": version.stored_hash}
    assert version.as_of == pd.Timestamp("2013-01-11", tz="UTC")
    assert version.judged_from is None


def test_what_mlflow_gives_page_by_page_is_read_to_its_end(registry, toy, record, monkeypatch):
    monkeypatch.setattr(client, "PAGE", 1)
    for read in ("versions", "aliases"):  # as for a store that is no SQLite file
        monkeypatch.setattr(sqlite_reader, read, lambda *_: None)
    for name in ("paged", "paged_too"):
        versions = [record(toy(name=name), rows=str(rows)) for rows in (1, 2, 3)]
        registry.alias(versions[1], CHAMPION)
    assert [version.number for version in registry.versions("paged")] == ["3", "2", "1"]
    by_mlflow = registry.serving_aliases()
    assert {"paged", "paged_too"} <= set(by_mlflow)
    monkeypatch.undo()
    assert registry.serving_aliases() == by_mlflow


def test_the_run_holds_parameters_metrics_the_dataset_and_pages(registry, kept):
    run = registry.client.get_run(kept.run_id)
    (used,) = run.inputs.dataset_inputs
    assert (run.info.run_name, run.info.status) == ("a run", "FINISHED")
    assert {"seed": "0", "fit_intercept": "True"}.items() <= run.data.params.items()
    assert run.data.metrics == {"training_rows": 240.0}
    assert (used.dataset.digest, json.loads(used.dataset.source)) == ("d1", {"uri": "/lake", "version": "3"})
    assert (registry.text(kept, "page.txt"), registry.text(kept, "other.txt")) == ("kept", None)


def test_the_stored_model_is_skops_with_signature_example_and_locked_requirements(registry, kept):
    path = Path(registry.path(kept))
    assert {".pkl", ".pickle", ".joblib"} & {file.suffix for file in path.rglob("*")} == set()
    assert stored_signature(str(path)).inputs.input_names() == ["x"]
    assert input_example(str(path)).shape == (5, 1)
    wanted = (path / "requirements.txt").read_text().split()
    assert set(provenance.requirements(frozenset({"scikit-learn", "skops", "numpy"}))) <= set(wanted)
    assert 0 < directory_size(str(path)) < 1


def test_another_process_would_load_what_was_stored(registry, kept, rows, toy):
    asked = fitting.features(toy(), rows(1))
    stored = MlflowRegistry(f"{registry.uri}?", registry.artifacts).load(kept)  # not what this one remembers
    assert stored is not registry.load(kept)
    assert stored.predict(asked) == pytest.approx(registry.load(kept).predict(asked))


def test_versions_are_listed_newest_first_each_with_its_aliases(registry, own, record):
    first, second, third = (record(own()) for _ in range(3))
    registry.alias(first, "previous")
    registry.alias(second, "champion")
    versions = registry.versions(first.model)
    assert [version.number for version in versions] == ["3", "2", "1"]
    assert [version.aliases for version in versions] == [(), ("champion",), ("previous",)]
    assert registry.champion(first.model).number == "2"
    assert registry.version(first.model, "previous").number == "1"
    registry.alias(third, "champion")
    assert registry.champion(first.model).number == "3"


def test_before_the_first_version_there_is_nothing_to_withdraw(registry):
    assert registry.withdraw("toy", "canary", "shadow") == []


def test_before_the_first_version_there_is_nothing(registry):
    assert (registry.versions("nobody"), registry.champion("nobody")) == ([], None)


@pytest.mark.parametrize("number", ["7", "challenger"])
def test_a_version_that_there_is_not_is_named(registry, kept, number):
    with pytest.raises(RegistryError, match=f"kept has no version '{number}'. See `evergreen models kept`"):
        registry.version("kept", number)


def test_tags_texts_and_metrics_are_added_and_replaced(registry, own, record):
    version = record(own())
    for text in ("first", "second"):
        registry.tag(version, verdict_reason=text, gain="x" * 9000)
        registry.attach(version, "card.md", text)
        registry.measure(version, {"loss/challenger": 1.5})
        registry.describe(version, text)
    assert registry.version(version.model, "1").tags == version.tags | {"verdict": "second", "gain": "x" * 5000}
    assert registry.text(version, "card.md") == "second"
    assert registry.client.get_run(version.run_id).data.metrics["loss/challenger"] == 1.5


def test_runs_that_a_dead_process_left_open_are_ended(registry, own, record):
    model = own()
    version = record(model)
    experiment = registry.client.get_run(version.run_id).info.experiment_id
    dead = registry.client.create_run(experiment, tags=registry.client.get_run(version.run_id).data.tags).info.run_id
    somebody_elses = registry.client.create_run(experiment).info.run_id
    registry.client.update_run(version.run_id, status="RUNNING")
    registry.end_dead_runs(model)
    statuses = [registry.client.get_run(run).info.status for run in (version.run_id, dead, somebody_elses)]
    assert statuses == ["FINISHED", "KILLED", "RUNNING"]


def test_what_skops_does_not_know_is_refused_with_its_name_and_nothing_is_registered(registry, own, record):
    with pytest.raises(TrainingError, match=r"(?s)cannot be stored without pickle: .*Homemade.*`trusted` of the model"):
        record(own(estimator=Homemade))
    assert registry.versions(own().name) == []


def test_what_the_model_file_trusts_is_stored_and_loaded(own, rows, tmp_path):
    model = own(estimator=Homemade, trusted=[HOMEMADE])
    save(model, fitting.fit(model, rows(10)), rows(1)[["x"]], str(tmp_path / "model"))
    assert (tmp_path / "model" / "MLmodel").is_file()


def test_what_the_lock_does_not_name_is_named_with_the_version(own, record):
    version = record(own(estimator=Homemade, trusted=[HOMEMADE]))
    assert version.not_in_lock == Homemade.__module__.split(".")[0]
    assert not record(own()).not_in_lock


def test_a_function_inside_an_estimator_is_refused_too(own, rows, tmp_path):
    model = own(estimator=lambda: make_pipeline(FunctionTransformer(lambda x: x), LinearRegression()))
    with pytest.raises(TrainingError, match="cannot be stored without pickle"):
        save(model, fitting.fit(model, rows(10)), rows(1)[["x"]], str(tmp_path / "model"))


@pytest.mark.parametrize(
    ("estimator", "more"), [(LinearRegression, []), (Homemade, []), (LinearRegression, ["shop.Own"])]
)
def test_only_scikit_learns_kin_and_what_the_file_names_is_trusted(own, rows, estimator, more):
    model = own(estimator=estimator, trusted=more)
    types = trusted_types(model, fitting.fit(model, rows(10)))
    assert [name for name in types if not name.startswith(("sklearn.", "numpy."))] == more


def test_an_estimator_that_raises_on_the_example_is_named_and_nothing_is_registered(registry, own, record):
    with pytest.raises(TrainingError, match="the estimator raised ValueError: no answer"):
        record(own(estimator=Raising))
    assert registry.versions(own().name) == []


GONE = Version("kept", "1", "0" * 32, "models:/m-gone")


@pytest.mark.parametrize(
    ("doing", "work"),
    [
        ("list versions", lambda registry: registry.versions("kept")),
        ("look up version 'champion' of kept", lambda registry: registry.champion("kept")),
        ("look up version '1' of kept", lambda registry: registry.version("kept", "1")),
        ("load kept@1", lambda registry: registry.load(GONE)),
        ("tag kept@1", lambda registry: registry.tag(GONE, reason="b")),
        ("move champion of kept", lambda registry: registry.alias(GONE, "champion")),
        ("keep card.md with kept@1", lambda registry: registry.attach(GONE, "card.md", "")),
        ("read card.md of kept@1", lambda registry: registry.text(GONE, "card.md")),
        ("log metrics of kept@1", lambda registry: registry.measure(GONE, {"a": 1.0})),
    ],
)
def test_a_store_that_is_away_is_a_registry_error_in_a_sentence(tmp_path, doing, work):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RegistryError, match=f"Cannot {doing}: .* Check that the MLflow store is up, writable"):
        work(MlflowRegistry(f"sqlite:///{tmp_path}/file/mlflow.db"))


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("postgresql://u:secret@h/db", "Cannot list versions: No module named 'psycopg2'. Install the missing package"),
        ("mysql://u:secret@h/db", "Cannot list versions: No module named 'MySQLdb'. Install the missing package"),
        ("postgresql://u:sec@ret:secret@h/db", "MLFLOW_TRACKING_URI is not the address of a store: it cannot be read"),
    ],
)
def test_a_store_that_nothing_here_can_speak_to_is_an_error_that_will_not_pass(uri, told):
    with pytest.raises(RegistrySetupError, match=told) as raised:
        MlflowRegistry(uri).versions("kept")
    assert "secret" not in str(raised.value)
    assert not raised.value.may_pass


def test_artifacts_that_cannot_be_written_are_a_registry_error(registry, own, rows, record, tmp_path):
    (tmp_path / "file").write_text("in the way")
    model = own()
    registry.client.create_experiment(model.name, artifact_location=(tmp_path / "file" / "below").as_uri())
    with pytest.raises(RegistryError, match=f"Cannot record a training of {model.name}: .*Check that the MLflow store"):
        record(model)
    assert registry.versions(model.name) == []


def test_a_series_of_before_1970_is_kept_by_its_days(registry, own):
    model = own()
    figures = {"realised": 1.5, "judged": float("nan")}
    registry.chart(model, [("1949-01-02T00:00:00+00:00", figures), ("2013-01-01T12:00:00+00:00", figures)])
    experiment = registry.client.get_experiment_by_name(model.name).experiment_id
    run = registry.client.search_runs([experiment])[0]
    points = registry.client.get_metric_history(run.info.run_id, "realised")
    assert [(point.step, point.value) for point in points] == [(-7669, 1.5), (15706, 1.5)]
    assert "judged" not in run.data.metrics


def test_a_replay_is_recorded_once_whatever_its_length_and_finished_where_it_died(registry, own):
    model, days = own(), pd.date_range("2013-01-01", periods=1_200, freq="D", tz="UTC")
    series = [(day.isoformat(), float(number)) for number, day in enumerate(days)]
    results = [
        Result("own", "mean_absolute_error", mean=1.0, series=series),
        Result("mine", "log_loss", problem="it raised"),
    ]
    bounds = days[0].isoformat(), days[-1].isoformat()
    replayed = Replayed(model.name, "mean_absolute_error", *bounds, 1.0, results, "own", "it was best")
    record(registry, model, replayed, "a key")
    experiment = registry.client.get_experiment_by_name(model.name).experiment_id
    (run,) = registry.client.search_runs([experiment])
    registry.client.update_run(run.info.run_id, status="RUNNING")  # as if it had died before its end
    record(registry, model, replayed, "a key")
    record(registry, model, replayed, "a key")
    (again,) = registry.client.search_runs([experiment])
    assert (again.info.run_id, again.info.status) == (run.info.run_id, "FINISHED")
    assert again.data.params["policy"] == "own"
    points = registry.client.get_metric_history(run.info.run_id, "mean_absolute_error")
    assert [point.value for point in points] == [value for _, value in series]
