"""The registry: MLflow as the one record of models (with `reload`, all that imports it)."""

import json
import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import pandas as pd

from evergreen import lineage
from evergreen.errors import RegistryError, RegistrySetupError, TrainingError
from evergreen.fitting import blaming
from evergreen.settings import Settings
from evergreen.standin import meanwhile

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

    from evergreen.figures import Picture
    from evergreen.model import Model
    from evergreen.replayed import Replayed

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
CANARY, SHADOW = "canary", "shadow"  # what answers beside the champion
ESTIMATOR = "model.skops"  # as MLflow names it within a stored model
_PREFIX = "evergreen."
_SHARE = f"{_PREFIX}share"
_MOST = 1000  # metrics that MLflow takes at once
_TRUSTED = ("sklearn.", "skrub.", "numpy.", "scipy.", "pandas.")  # beside what skops trusts itself
# Plain values and a function's arguments: building one runs no code. skrub keeps them of encoded times.
_PLAIN = frozenset({"functools.partial", "datetime.timedelta", "datetime.timezone"})
_RUNTIME = frozenset({"joblib", "mlflow", "numpy", "pandas", "scikit-learn", "scipy", "skops", "threadpoolctl"})


@dataclass(frozen=True)
class Version:
    """A registered version of a model, by value: small enough to pass between stages.

    Attributes
    ----------
    model, number, run_id : str
    source : str
        The URI of the stored model.
    tags : dict
        Evergreen's own, without their prefix: period, snapshot, lineage, decision.
    aliases : list of str
    """

    model: str
    number: str
    run_id: str
    source: str
    tags: dict[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.model}@{self.number}"

    def moment(self, tag: str) -> pd.Timestamp | None:
        """A tag that is a time; None if it is not set."""
        return pd.Timestamp(self.tags[tag]) if self.tags.get(tag) else None

    @property
    def fallen(self) -> bool:
        """Whether it was rolled back, and no person has put it back since."""
        return bool(self.tags.get("rolled_back_at"))

    @property
    def restored(self) -> bool:
        """Whether a rollback made it champion, and no promotion since."""
        back, promoted = self.moment("restored_at"), self.moment("promoted_at")
        return back is not None and (promoted is None or back >= promoted)


@dataclass(frozen=True)
class Training:
    """What is recorded of one training beside the model itself."""

    title: str
    params: dict[str, Any]
    metrics: dict[str, float]
    tags: dict[str, str]
    dataset: dict[str, str]
    pages: Callable[[], dict[str, str]] = dict


@dataclass(frozen=True)
class Registry:
    """The MLflow store at one tracking URI."""

    uri: str
    artifacts: str | None = None
    stores: ClassVar[bool] = True  # whether a version can be loaded from where it is stored, by a fresh process

    @classmethod
    def open(cls) -> "Registry":
        """The registry of this installation's settings, or the one that stands in its place."""
        return _INSTEAD.get() or cls.configured()

    @classmethod
    def configured(cls) -> "Registry":
        """The registry of this installation's settings; local artifacts lie in the home."""
        settings = Settings.read()
        local = settings.tracking_uri.startswith("sqlite:")
        return cls(settings.tracking_uri, (settings.home / "artifacts").as_uri() if local else None)

    def instead(self) -> AbstractContextManager[None]:
        """Let `open` give this registry for the length of a block."""
        return meanwhile(_INSTEAD, self)

    @property
    def client(self) -> "MlflowClient":
        """MLflow's own client, opened on first use; MLflow's own calls go to this store from then on."""
        import mlflow

        mlflow.set_tracking_uri(self.uri)
        return _client(self.uri)

    def versions(self, name: str, **tags: str) -> list[Version]:
        """All versions of a model that carry these tags, newest first."""
        wanted = [f"name = '{name}'", *(f"tags.`{_PREFIX}{tag}` = '{value}'" for tag, value in tags.items())]
        with _explained("list versions"):
            found = self.client.search_model_versions(" AND ".join(wanted), max_results=10_000)
            aliases = self._aliases(name) if found else {}
        return sorted((_version(one, aliases.get(str(one.version), [])) for one in found), key=_newest_first)

    def version(self, name: str, number: str) -> Version:
        """One version, by its number or by an alias.

        Raises
        ------
        RegistryError
            There is none.
        """
        found = self._found(name, number)
        if found is None:
            raise RegistryError(f"{name} has no version {number!r}. See `evergreen models {name}`.")
        return found

    def champion(self, name: str) -> Version | None:
        """The version that answers now; None before the first promotion."""
        return self._found(name, CHAMPION)

    def previous(self, name: str) -> Version | None:
        """The version that answered before the champion; None before the second promotion."""
        return self._found(name, PREVIOUS)

    def beside(self, name: str, role: str) -> Version | None:
        """The version that answers beside the champion as canary or as shadow; None if there is none."""
        return self._found(name, role)

    def answering(self) -> dict[str, dict[str, str]]:
        """Every model that has a champion: the number by alias, and the canary's ``share``, in one query."""
        with _explained("look for champions"):
            found = self.client.search_registered_models(max_results=1000)
        return {
            one.name: {alias: str(number) for alias, number in one.aliases.items()}
            | {"share": one.tags.get(_SHARE, "0")}
            for one in found
            if CHAMPION in one.aliases
        }

    def challenge(self, version: Version, share: float | None) -> None:
        """Let a version answer beside the champion: a share of the requests, or all of them for the log only.

        Parameters
        ----------
        version : Version
        share : float or None
            Above 0 and below 1; None for the log only.
        """
        if share is not None:
            with _explained(f"set the share of {version}"):
                self.client.set_registered_model_tag(version.model, _SHARE, str(share))
        self.alias(version, SHADOW if share is None else CANARY)

    def withdraw(self, name: str, *aliases: str) -> list[str]:
        """Take aliases away; the numbers of those that had one."""
        with _explained(f"take {', '.join(aliases)} of {name} away"):
            there = self.client.get_registered_model(name).aliases
            for alias in aliases:
                if alias in there:
                    self.client.delete_registered_model_alias(name, alias)
        return [str(there[alias]) for alias in aliases if alias in there]

    def origin(self, version: Version) -> Version:
        """The version that was judged: the one that this is a refit of, or else itself."""
        judged = version.tags.get("refit_of")
        return self.version(version.model, judged) if judged else version

    def load(self, version: Version) -> Any:
        """Load a version's estimator; nothing is unpickled."""
        with _explained(f"load {version}"):
            return _loaded(self.uri, version.source)

    def path(self, version: Version) -> str:
        """A local copy of the stored model."""
        with _explained(f"fetch {version}"):
            return _fetched(self.uri, version.source)

    def train_record(self, model: "Model", estimator: Any, example: pd.DataFrame, made: Training) -> Version:
        """Record a training as a run with its model, and register the model as a new version.

        Raises
        ------
        TrainingError
            The estimator cannot be stored without pickle.
        RegistryError
            The store is away, read-only or full.
        """
        import mlflow

        made = replace(made, tags=made.tags | _not_in_lock(estimator))
        with (
            _explained(f"record a training of {model.name}"),
            self._started(model, made) as run,
        ):
            mlflow.log_params(_scalars(estimator) | made.params)
            mlflow.log_metrics(made.metrics)
            self._log_dataset(run.info.run_id, made.dataset)
            for name, page in made.pages().items():
                mlflow.log_text(page, name)
            stored = self._store(model, estimator, example)
            number = self._register(model, stored, run.info.run_id, made.tags)
        made_version = self.version(model.name, number)
        _remembered(self.uri, made_version.source, estimator)
        return made_version

    def _started(self, model: "Model", made: Training) -> Any:
        """A run that from its first moment says what it is, so that `end_dead_runs` knows it."""
        import mlflow

        tags = _prefixed(made.tags | {"run": "training"})
        return mlflow.start_run(experiment_id=self._experiment(model), run_name=made.title, tags=tags)

    def end_dead_runs(self, model: "Model") -> None:
        """End the runs that a training of this model left open when its process died.

        Only whoever holds the model's lock for training may do so: no other training is at work
        then. Runs that somebody else began in the experiment are none of its business. A run whose
        model was registered has all that it needs; any other is marked as killed.
        """
        with _explained(f"end dead runs of {model.name}"):
            left = self.open_runs(model)
            done = {one.run_id for one in self.versions(model.name)} if left else set()
            for run in left:
                self.client.set_terminated(run, "FINISHED" if run in done else "KILLED")

    def open_runs(self, model: "Model") -> list[str]:
        """The ids of the runs of trainings of this model that have not ended."""
        ours = f"attributes.status = 'RUNNING' AND tags.`{_PREFIX}run` = 'training'"
        with _explained(f"look for open runs of {model.name}"):
            return [run.info.run_id for run in self.client.search_runs([self._experiment(model)], ours)]

    def tag(self, version: Version, tags: dict[str, str]) -> None:
        """Set tags on a version."""
        with _explained(f"tag {version}"):
            for name, value in _prefixed(tags).items():
                self.client.set_model_version_tag(version.model, version.number, name, value[:5000])

    def attach(self, version: Version, name: str, page: str) -> None:
        """Keep a text with the version's run."""
        with _explained(f"keep {name} with {version}"):
            self.client.log_text(version.run_id, page, name)

    def draw(self, version: Version, name: str, figure: Callable[[], "Picture"]) -> None:
        """Draw a picture, and keep it with the version's run."""
        with _explained(f"keep {name} with {version}"):
            self.client.log_figure(version.run_id, figure(), name, save_kwargs={"dpi": 80})

    def measure(self, version: Version, metrics: dict[str, float]) -> None:
        """Add metrics to the version's run."""
        with _explained(f"log metrics of {version}"):
            for name, value in metrics.items():
                self.client.log_metric(version.run_id, name, value)

    def chart(self, model: "Model", series: list[tuple[str, dict[str, float]]]) -> None:
        """Add to the model's metric series, one run for all time, which MLflow charts over months.

        The same values at the same time again are one point.

        Parameters
        ----------
        model : Model
        series : list of (time, dict of name to float)
            ISO 8601, whose day is the step; what is not finite is left out.
        """
        from mlflow.entities import Metric

        points = [
            Metric(name, value, *_placed(at))
            for at, values in series
            for name, value in values.items()
            if math.isfinite(value)
        ]
        with _explained(f"chart {model.name}"):
            self.client.log_batch(self._series(model), metrics=points)

    def record_replay(self, model: "Model", found: "Replayed", key: str) -> None:
        """Record each policy of a replay as a run, with its metric by step; once, however often it is asked for."""
        from mlflow.entities import Metric, Param

        experiment = self._experiment(model)
        with _explained(f"record a replay of {model.name}"):
            known = self.client.search_runs([experiment], f"tags.`{_PREFIX}replay` = '{key}'", max_results=1000)
            there = {run.data.tags["mlflow.runName"]: run.info for run in known}
            for one in found.policies:
                title = f"{model.name} · replay · {one.name}"
                made = there.get(title)
                if one.problem or (made and made.status == "FINISHED"):
                    continue
                marks = _prefixed({"run": "replay", "replay": key}) | {"mlflow.note.content": found.reason}
                run = made or self.client.create_run(experiment, run_name=title, tags=marks).info
                values = {name: float(value) for name, value in vars(one).items() if isinstance(value, int | float)}
                points = [(name, value, found.until) for name, value in values.items() if math.isfinite(value)]
                points += [(one.metric, value, at) for at, value in one.series]
                told = {"policy": one.name, "since": found.since, "until": found.until, "step_days": found.step_days}
                self.client.log_batch(run.run_id, params=[Param(name, str(value)) for name, value in told.items()])
                for low in range(0, len(points), _MOST):
                    some = [Metric(name, value, *_placed(at)) for name, value, at in points[low : low + _MOST]]
                    self.client.log_batch(run.run_id, metrics=some)
                self.client.set_terminated(run.run_id, "FINISHED")

    def _series(self, model: "Model") -> str:
        """The run of the metric series; it is never at work, so it stands as finished."""
        experiment, wanted = self._experiment(model), f"tags.`{_PREFIX}series` = '{model.name}'"
        found = self.client.search_runs([experiment], wanted, max_results=1, order_by=["start_time ASC"])
        if found:
            return str(found[0].info.run_id)
        made = self.client.create_run(
            experiment, tags={f"{_PREFIX}series": model.name}, run_name=f"{model.name} · watched"
        )
        self.client.set_terminated(made.info.run_id, "FINISHED")
        return str(made.info.run_id)

    def describe(self, version: Version, text: str) -> None:
        """Set the text that MLflow's own page shows for the version."""
        with _explained(f"describe {version}"):
            self.client.update_model_version(version.model, version.number, text)

    def alias(self, version: Version, alias: str) -> None:
        """Point an alias at a version."""
        with _explained(f"move {alias} of {version.model}"):
            self.client.set_registered_model_alias(version.model, alias, version.number)

    def text(self, version: Version, name: str) -> str | None:
        """A text that was kept with the version's run; None if it was not."""
        found = self.kept(version, name)
        return None if found is None else found.decode()

    def kept(self, version: Version, name: str) -> bytes | None:
        """A file that was kept with the version's run; None if it was not."""
        import mlflow

        with _explained(f"read {name} of {version}"):
            if name not in {one.path for one in self.client.list_artifacts(version.run_id)}:
                return None
            with tempfile.TemporaryDirectory() as folder:
                where = mlflow.artifacts.download_artifacts(f"runs:/{version.run_id}/{name}", dst_path=folder)
                return Path(where).read_bytes()

    def _found(self, name: str, number: str) -> Version | None:
        """The version of that number or alias, if there is one."""
        from mlflow.exceptions import MlflowException

        with _explained(f"look up version {number!r} of {name}"):
            look = self.client.get_model_version if number.isdigit() else self.client.get_model_version_by_alias
            try:
                found = look(name, number)
            except MlflowException as error:
                if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    return None
                raise
        return _version(found, found.aliases)

    def _aliases(self, name: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for alias, number in self.client.get_registered_model(name).aliases.items():
            found.setdefault(str(number), []).append(alias)
        return found

    def _experiment(self, model: "Model") -> str:
        from mlflow.exceptions import MlflowException

        known = self.client.get_experiment_by_name(model.name)
        if known:
            return str(known.experiment_id)
        where = f"{self.artifacts}/{model.name}" if self.artifacts else None
        try:
            return str(self.client.create_experiment(model.name, artifact_location=where))
        except MlflowException:  # another process was quicker
            known = self.client.get_experiment_by_name(model.name)
            if known is None:
                raise
            return str(known.experiment_id)

    def _log_dataset(self, run_id: str, dataset: dict[str, str]) -> None:
        from mlflow.entities import Dataset, DatasetInput

        source = json.dumps({"uri": dataset["uri"], "version": dataset["version"]})
        entity = Dataset(dataset["name"], dataset["digest"], "delta", source, None, json.dumps(dataset))
        self.client.log_inputs(run_id, [DatasetInput(entity)])

    def _store(self, model: "Model", estimator: Any, example: pd.DataFrame) -> Any:
        import mlflow.sklearn

        with _unpickled(model):
            return mlflow.sklearn.log_model(estimator, name="model", **_storing(model, estimator, example))

    def _register(self, model: "Model", stored: Any, run_id: str, tags: dict[str, str]) -> str:
        from mlflow.exceptions import MlflowException

        try:
            self.client.create_registered_model(model.name, description=model.purpose or None)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        made = self.client.create_model_version(
            model.name, stored.model_uri, run_id, tags=_prefixed(tags), model_id=stored.model_id
        )
        return str(made.version)


_INSTEAD: ContextVar[Registry | None] = ContextVar("_INSTEAD", default=None)


def save(model: "Model", estimator: Any, example: pd.DataFrame, path: str) -> None:
    """Store an estimator in a folder as it would be registered, without recording it.

    Raises
    ------
    TrainingError
        It cannot be stored without pickle.
    """
    import mlflow.sklearn

    with _unpickled(model):
        mlflow.sklearn.save_model(estimator, path, **_storing(model, estimator, example))


def _storing(model: "Model", estimator: Any, example: pd.DataFrame) -> dict[str, Any]:
    from mlflow.models import infer_signature

    with blaming(model):
        answer = estimator.predict(example)
    return {
        "signature": infer_signature(example, answer),
        "input_example": example,
        "pip_requirements": lineage.requirements(_RUNTIME | _packages(estimator)),
        "serialization_format": "skops",
        "skops_trusted_types": trusted_types(model, estimator),
    }


@contextmanager
def _unpickled(model: "Model") -> Iterator[None]:
    """Say what to do about an estimator that skops refuses."""
    try:
        yield
    except Exception as error:
        if "skops" not in repr(error):
            raise
        raise TrainingError(
            f"{model.name}: the estimator cannot be stored without pickle: {error} "
            "Name its types in `trusted` of the model file if you trust them."
        ) from error


def trusted_types(model: "Model", estimator: Any) -> list[str]:
    """The types that skops may load for an estimator: scikit-learn's kin, and what the file names."""
    import skops.io

    unknown = skops.io.get_untrusted_types(data=skops.io.dumps(estimator))
    kin = [one for one in unknown if one.startswith(_TRUSTED) or one in _PLAIN]
    return sorted({*kin, *model.trusted})


def stored_signature(path: str) -> "ModelSignature":
    """The inputs and outputs of the stored model at a local path."""
    from mlflow.models import Model

    signature: ModelSignature | None = Model.load(path).signature
    assert signature is not None
    return signature


def stored_types(path: str) -> list[str]:
    """The types that the stored model at a local path asks skops to load, beside what skops trusts itself."""
    from mlflow.models import Model

    return list(Model.load(path).flavors["sklearn"]["skops_trusted_types"])


def revived(folder: Path, trusted: list[str]) -> Any:
    """The estimator that lies in a folder as it was stored, with neither MLflow nor pickle."""
    import skops.io

    return skops.io.load(folder / ESTIMATOR, trusted=trusted)


def input_example(path: str) -> pd.DataFrame:
    """The input example of the stored model at a local path, as its JSON reads."""
    from mlflow.models import Model

    # MLflow's own annotation, `str | None`, is wrong for an example that was given as a frame.
    return cast(pd.DataFrame, Model.load(path).load_input_example(path))


def directory_size(path: str) -> float:
    """The size of a stored model in MB."""
    return sum(file.stat().st_size for file in Path(path).rglob("*") if file.is_file()) / 1e6


@lru_cache(maxsize=4)
def _client(uri: str) -> "MlflowClient":
    from mlflow import MlflowClient

    if uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    try:
        return MlflowClient(uri, uri)
    except ValueError as error:
        reason = "it cannot be read" if "@" in uri else str(error)  # which may be a piece of a password
        raise RegistrySetupError(
            f"MLFLOW_TRACKING_URI is no address of a store: {reason}. Percent-encode what is special in "
            "its user and password, such as @ as %40."
        ) from error


_LOADED: dict[tuple[str, str], Any] = {}  # the estimators used last, by store and source


def _loaded(uri: str, source: str) -> Any:
    import mlflow.sklearn

    known = _LOADED.pop((uri, source), None)
    return _remembered(uri, source, mlflow.sklearn.load_model(_fetched(uri, source)) if known is None else known)


def _remembered(uri: str, source: str, estimator: Any) -> Any:
    _LOADED[uri, source] = estimator
    while len(_LOADED) > 16:
        del _LOADED[next(iter(_LOADED))]
    return estimator


@lru_cache(maxsize=64)
def _fetched(uri: str, source: str) -> str:
    import mlflow
    from mlflow.artifacts import download_artifacts

    mlflow.set_tracking_uri(uri)
    return str(download_artifacts(source))


def _scalars(estimator: Any) -> dict[str, Any]:
    """The arguments that an estimator was made with, as far as they are plain values."""
    given = estimator.get_params().items()
    return {name: value for name, value in given if isinstance(value, str | int | float | bool)}


def _packages(estimator: Any) -> set[str]:
    """The packages that the estimator's parts come from, by their distribution's name."""
    parts = [estimator, *(value for value in estimator.get_params().values() if hasattr(value, "fit"))]
    modules = {type(part).__module__.split(".")[0].replace("_", "-") for part in parts}
    return {"scikit-learn" if one == "sklearn" else one for one in modules}


def _not_in_lock(estimator: Any) -> dict[str, str]:
    """A tag that names what the stored requirements must leave open."""
    missing = lineage.unlocked(_packages(estimator))
    return {"not_in_lock": ", ".join(missing)} if missing else {}


def _version(found: Any, aliases: list[str]) -> Version:
    tags = {name.removeprefix(_PREFIX): value for name, value in found.tags.items() if name.startswith(_PREFIX)}
    return Version(found.name, str(found.version), found.run_id, found.source, tags, tuple(aliases))


def _newest_first(version: Version) -> int:
    return -int(version.number)


def _placed(at: str) -> tuple[int, int]:
    """Where a metric's point lies: milliseconds, of which MLflow takes none before 1970, and the day as its step."""
    moment = pd.Timestamp(at).value // 1_000_000
    return max(moment, 0), moment // 86_400_000


def _prefixed(tags: dict[str, str]) -> dict[str, str]:
    return {f"{_PREFIX}{name}": str(value) for name, value in tags.items()}


@contextmanager
def _explained(doing: str) -> Iterator[None]:
    """Turn what the store raises into a RegistryError that says what could not be done."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        message = f"Cannot {doing}: {reason}. Check that the MLflow store is up, writable and not full."
        raise RegistryError(message) from error
    except ImportError as error:
        raise RegistrySetupError(
            f"Cannot {doing}: {error}. Install the package that has it where Evergreen runs: the store that "
            "MLFLOW_TRACKING_URI names, or the stored model, needs it."
        ) from error
