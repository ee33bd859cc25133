"""The model registry in MLflow (only this package imports MLflow)."""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import pandas as pd

from evergreen.errors import RegistryError, translated
from evergreen.registry import code_permission, runs, sqlite_reader
from evergreen.registry.client import cached, client_of, every, explained, is_stored, loaded, local_copy
from evergreen.registry.model_store import (
    codes_of,
    digest,
    load_version,
    not_in_lock,
    storage_arguments,
    stored_bytes,
    trusted_of,
    verified,
)
from evergreen.registry.registry import Registry, TrainingRecord
from evergreen.registry.runs import BacktestKind, BacktestRun
from evergreen.registry.tags import PREFIX, prefixed
from evergreen.registry.version import CANARY, CHAMPION, SHADOW, TagValues, Version, stored

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from evergreen.definition.model import Model
    from evergreen.lake.lake import Lake

_SHARE = f"{PREFIX}share"


@dataclass(frozen=True)
class MlflowRegistry(Registry):
    """The MLflow store at one tracking URI; the lake's audit log says which code of it may run."""

    uri: str
    artifacts: str | None = None
    lake: "Lake | None" = None

    @property
    def reloads(self) -> bool:
        """Yes: every version is stored."""
        return True

    @property
    def client(self) -> "MlflowClient":
        """MLflow's own client, opened on first use; MLflow's own calls go to this store from then on."""
        import mlflow

        mlflow.set_tracking_uri(self.uri)
        return client_of(self.uri)

    def versions(self, name: str, **values: Unpack[TagValues]) -> list[Version]:
        """All versions of a model whose properties have these values, newest first."""
        tags = prefixed(stored(values))
        stored_versions = sqlite_reader.versions(self.uri, name, tags)
        if stored_versions is not None:
            return sorted((_version(version, version.aliases) for version in stored_versions), key=_newest_first)
        wanted = [f"name = '{name}'", *(f"tags.`{tag}` = '{text}'" for tag, text in tags.items())]
        with explained("list versions"):
            client, among = self.client, " AND ".join(wanted)
            rows = every(lambda most, token: client.search_model_versions(among, most, page_token=token))
            aliases = self._aliases(name) if rows else {}
        return sorted((_version(row, aliases.get(str(row.version), [])) for row in rows), key=_newest_first)

    def find(self, name: str, number: str) -> Version | None:
        """The version of that number or alias, if there is one."""
        stored_versions = sqlite_reader.version(self.uri, name, number)
        if stored_versions is not None:
            return _version(stored_versions[0], stored_versions[0].aliases) if stored_versions else None
        from mlflow.exceptions import MlflowException

        with explained(f"look up version {number!r} of {name}"):
            look = self.client.get_model_version if number.isdigit() else self.client.get_model_version_by_alias
            try:
                row = look(name, number)
            except MlflowException as error:
                if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    return None
                raise
        return _version(row, row.aliases)

    def serving_aliases(self) -> dict[str, dict[str, str]]:
        """Every model that has a champion: the number by alias, and the canary's ``share``, in one query."""
        read = sqlite_reader.aliases(self.uri, _SHARE)
        if read is not None:
            by_model, shares = read
            return {
                name: aliases | {"share": shares.get(name, "0")}
                for name, aliases in by_model.items()
                if CHAMPION in aliases
            }
        with explained("look for champions"):
            client = self.client
            models = every(lambda most, token: client.search_registered_models(None, most, page_token=token))
        return {
            model.name: {alias: str(number) for alias, number in model.aliases.items()}
            | {"share": model.tags.get(_SHARE, "0")}
            for model in models
            if CHAMPION in model.aliases
        }

    def fingerprints(self) -> dict[str, str] | None:
        """Of each model what changes whenever its versions do, in one reading of a SQLite store; None of others."""
        return sqlite_reader.fingerprints(self.uri)

    def challenge(self, version: Version, share: float | None) -> None:
        """Make a version canary or shadow; a canary's share of the requests is a tag of the registered model."""
        if share is not None:
            with explained(f"set the share of {version}"):
                self.client.set_registered_model_tag(version.model, _SHARE, str(share))
        self.alias(version, SHADOW if share is None else CANARY)

    def withdraw(self, name: str, *aliases: str) -> list[str]:
        """Remove aliases; return the numbers of the versions that had one."""
        with explained(f"take {', '.join(aliases)} of {name} away"):
            present = {alias: version.number for version in self.versions(name) for alias in version.aliases}
            there = [alias for alias in aliases if alias in present]
            for alias in there:
                self.client.delete_registered_model_alias(name, alias)
        return [present[alias] for alias in there]

    def load(self, version: Version) -> Any:
        """Load a version's estimator; nothing is unpickled."""
        with explained(f"load {version}"):
            return loaded(self.uri, version.source, lambda: load_version(version, self._copy(version), self.lake))

    def trusted(self, version: Version) -> list[str]:
        """What loading it may build beside the default types, and the packages of code that may run."""
        with explained(f"load {version}"):
            return trusted_of(version, stored_bytes(self._copy(version)), self.lake)

    def path(self, version: Version) -> str:
        """A local copy of the stored model, verified."""
        with explained(f"fetch {version}"):
            path = self._copy(version)
            verified(version, path)
        return path

    def digest(self, version: Version) -> str:
        """The SHA-256 of the stored model as it is now; empty where nothing is stored any more."""
        with explained(f"read the files of {version}"):
            return digest(self._copy(version)) if is_stored(self.uri, version.source) else ""

    def _copy(self, version: Version) -> str:
        return local_copy(self.uri, version.source)

    def record_training(
        self, model: "Model", estimator: Any, example: pd.DataFrame, training: TrainingRecord
    ) -> Version:
        """Record a training as a run with its model, and register the model as a new version."""
        import mlflow

        if missing := not_in_lock(estimator):
            training = replace(training, tags=training.tags | {"not_in_lock": ", ".join(missing)})
        with (
            explained(f"record a training of {model.name}"),
            self._started(model, training) as run,
        ):
            mlflow.log_params(_scalars(estimator) | training.params)
            mlflow.log_metrics(training.metrics)
            self._log_dataset(run.info.run_id, training.dataset)
            for name, page in training.pages().items():
                mlflow.log_text(page, name)
            stored_model = self._store(model, estimator, example)
            local = local_copy(self.uri, stored_model.model_uri)
            code_permission.record(self.lake, model.name, codes_of(stored_bytes(local)), training.tags.get("as_of"))
            recorded: TagValues = {"stored_hash": digest(local)}
            number = self._register(model, stored_model, run.info.run_id, training.tags | recorded)
        version = self.version(model.name, number)
        cached(self.uri, version.source, estimator)
        return version

    def _started(self, model: "Model", training: TrainingRecord) -> Any:
        """A run that is tagged as a training from its start, so that `end_dead_runs` recognises it."""
        import mlflow

        tags = prefixed(stored(training.tags) | {"run": "training"})
        return mlflow.start_run(experiment_id=self._experiment(model), run_name=training.title, tags=tags)

    def end_dead_runs(self, model: "Model") -> None:
        """End the runs that a training of this model left open when its process died.

        Call this only while holding the model's training lock: then no other training is running. Runs in
        the experiment that Evergreen did not start are left alone. A run whose model was registered is
        marked as finished; any other as killed.
        """
        with explained(f"end dead runs of {model.name}"):
            open_runs = self.open_runs(model)
            registered = {version.run_id for version in self.versions(model.name)} if open_runs else set()
            for run in open_runs:
                self.client.set_terminated(run, "FINISHED" if run in registered else "KILLED")

    def open_runs(self, model: "Model") -> list[str]:
        """The ids of the runs of trainings of this model that have not ended."""
        with explained(f"look for open runs of {model.name}"):
            return runs.open_trainings(self.client, self._experiment(model))

    def tag(self, version: Version, **values: Unpack[TagValues]) -> None:
        """Store values of a version's properties, in this order."""
        with explained(f"tag {version}"):
            for name, value in prefixed(stored(values)).items():
                self.client.set_model_version_tag(version.model, version.number, name, value[:5000])

    def attach(self, version: Version, name: str, page: str) -> None:
        """Keep a text with the version's run."""
        with explained(f"keep {name} with {version}"):
            self.client.log_text(version.run_id, page, name)

    def draw(self, version: Version, name: str, figure: Callable[[], Any]) -> None:
        """Draw a picture, and keep it with the version's run."""
        with explained(f"keep {name} with {version}"):
            self.client.log_figure(version.run_id, figure(), name, save_kwargs={"dpi": 80})

    def measure(self, version: Version, metrics: dict[str, float]) -> None:
        """Add metrics to the version's run."""
        with explained(f"log metrics of {version}"):
            for name, value in metrics.items():
                self.client.log_metric(version.run_id, name, value)

    def chart(self, model: "Model", series: list[tuple[str, dict[str, float]]]) -> None:
        """Add to the metric series of a model, which MLflow charts over months."""
        with explained(f"chart {model.name}"):
            runs.chart(self.client, self._experiment(model), model.name, series)

    def record_backtest(
        self, model: "Model", key: str, note: str, backtests: list[BacktestRun], kind: BacktestKind = "replay"
    ) -> None:
        """Record each backtest run as a run; a finished one is not recorded again."""
        with explained(f"record {kind} of {model.name}"):
            name = model.name if kind == "replay" else f"{model.name}.{kind}"
            experiment = runs.experiment_of(self.client, name, self.artifacts)
            runs.record_backtests(self.client, experiment, kind, key, note, backtests)

    def describe(self, version: Version, text: str) -> None:
        """Set the text that MLflow's own page shows for the version."""
        with explained(f"describe {version}"):
            self.client.update_model_version(version.model, version.number, text)

    def alias(self, version: Version, alias: str) -> None:
        """Point an alias at a version."""
        with explained(f"move {alias} of {version.model}"):
            self.client.set_registered_model_alias(version.model, alias, version.number)

    def text(self, version: Version, name: str) -> str | None:
        """A text that was kept with the version's run; None if it was not."""
        data = self.artifact(version, name)
        return None if data is None else data.decode()

    def artifact(self, version: Version, name: str) -> bytes | None:
        """A file that was kept with the version's run; None if it was not."""
        folder = sqlite_reader.artifacts(self.uri, version.run_id)
        if folder is not None:
            with translated(RegistryError, f"Cannot read {name} of {version}: {{reason}}.", OSError):
                return (folder / name).read_bytes() if (folder / name).is_file() else None
        import mlflow

        with explained(f"read {name} of {version}"):
            within = name.rpartition("/")[0] or None
            if name not in {artifact.path for artifact in self.client.list_artifacts(version.run_id, within)}:
                return None
            with tempfile.TemporaryDirectory() as copy:
                where = mlflow.artifacts.download_artifacts(f"runs:/{version.run_id}/{name}", dst_path=copy)
                return Path(where).read_bytes()

    def _aliases(self, name: str) -> dict[str, list[str]]:
        aliases: dict[str, list[str]] = {}
        for alias, number in self.client.get_registered_model(name).aliases.items():
            aliases.setdefault(str(number), []).append(alias)
        return aliases

    def _experiment(self, model: "Model") -> str:
        return runs.experiment_of(self.client, model.name, self.artifacts)

    def _log_dataset(self, run_id: str, dataset: dict[str, str]) -> None:
        from mlflow.entities import Dataset, DatasetInput

        source = json.dumps({"uri": dataset["uri"], "version": dataset["version"]})
        entity = Dataset(dataset["name"], dataset["digest"], "delta", source, None, json.dumps(dataset))
        self.client.log_inputs(run_id, [DatasetInput(entity)])

    def _store(self, model: "Model", estimator: Any, example: pd.DataFrame) -> Any:
        import mlflow.sklearn

        with storage_arguments(model, estimator, example) as arguments:
            return mlflow.sklearn.log_model(estimator, name="model", **arguments)

    def _register(self, model: "Model", stored_model: Any, run_id: str, values: TagValues) -> str:
        from mlflow.exceptions import MlflowException

        try:
            self.client.create_registered_model(model.name, description=model.purpose or None)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        version = self.client.create_model_version(
            model.name,
            stored_model.model_uri,
            run_id,
            tags=prefixed(stored(values)),
            model_id=stored_model.model_id,
        )
        return str(version.version)


def _scalars(estimator: Any) -> dict[str, Any]:
    """The arguments that an estimator was made with, as far as they are plain values."""
    params = estimator.get_params().items()
    return {name: value for name, value in params if isinstance(value, str | int | float | bool)}


def _version(row: Any, aliases: list[str]) -> Version:
    tags = {name.removeprefix(PREFIX): value for name, value in row.tags.items() if name.startswith(PREFIX)}
    return Version(row.name, str(row.version), row.run_id, row.source, tags, tuple(aliases))


def _newest_first(version: Version) -> int:
    return -int(version.number)
