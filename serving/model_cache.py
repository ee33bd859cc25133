"""Local copies of model versions. Workers read only these, so they need neither MLflow nor a network."""

import hashlib
import hmac
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from dataclasses import replace as replaced
from pathlib import Path
from typing import Any
from zlib import crc32

import orjson

from evergreen.files import replace
from serving.secret import secret_of

_STATE_FILE, _REFUSALS, _SEAL = "standing.json", "refused", "seal"


class AlteredCopyError(Exception):
    """A copy is not as it was made."""


@dataclass(frozen=True)
class Spec:
    """The metadata of a version: everything but its estimator.

    Attributes
    ----------
    model, number : str
    task : {"regression", "classification"}
    features : dict of column to kind
        The estimator's input columns, in its order.
    beside : dict of column to kind
        Other columns that a request may send, logged with the prediction: key, time, extra columns.
    key : list of str
    target : str
        The kind of the label.
    timezone : str
        The time zone of times without one.
    classes : list or None
        The classes of a classifier, in the order of its probabilities.
    predicts_likeliest : bool
        Whether the predicted class is always the one with the highest probability.
    example : list of list
        Rows of features in the form of a request.
    answers : list of list of float
        The estimator's own outputs for the example.
    trusted : list of str
        Types that skops may load.
    private : dict of column to {"hash", "omit"}
        Columns that are hashed or left out in the log.
    compiled : float or None
        The largest measured difference between the compiled pipeline's outputs and the estimator's;
        None if the version is not compiled.
    parsing : dict of column to dict
        How columns are read from what is sent: `evergreen.definition.parsing.stored`.
    time : str
        The column with the time of the event.
    """

    model: str
    number: str
    task: str
    features: dict[str, str]
    beside: dict[str, str]
    key: list[str]
    target: str
    timezone: str
    classes: list[Any] | None
    predicts_likeliest: bool
    example: list[list[Any]]
    answers: list[list[float]]
    trusted: list[str]
    private: dict[str, str] = field(default_factory=dict)
    compiled: float | None = None
    parsing: dict[str, dict[str, Any]] = field(default_factory=dict)
    time: str = ""

    def incompatibility(self, champion: "Spec") -> str:
        """Why this version cannot predict in place of the champion; empty if it can."""
        if list(self.features.items()) != list(champion.features.items()):  # rows are lists: the order counts
            return (
                f"its features differ from those of the champion, version {champion.number}, in columns, kinds or order"
            )
        if (self.task, self.classes) != (champion.task, champion.classes):
            output = f"{self.task} with classes {self.classes!r:.80}" if self.classes else self.task
            return f"its output ({output}) differs in kind from that of the champion, version {champion.number}"
        kinds = {name: kind for name, kind in self.beside.items() if name in champion.beside}
        other = next((name for name, kind in kinds.items() if kind != champion.beside[name]), None)
        if other is not None:
            theirs = f"{champion.beside[other]} in the champion, version {champion.number}"
            return f"its column {other!r} is {kinds[other]}, and {theirs}"
        if (self.timezone, self.parsing) != (champion.timezone, champion.parsing):
            return (
                f"it reads requests otherwise, by `timezone` or `parsing`, than the champion, version {champion.number}"
            )
        return ""


@dataclass(frozen=True)
class ServingState:
    """Which versions of a model predict.

    Attributes
    ----------
    champion : str
    canary : str or None
        Predicts a share of the requests, always the same keys.
    share : float
        The canary's share of the requests, between 0 and 1.
    shadow : str or None
        Predicts the champion's requests, for the log only.
    before : str or None
        The previous champion, which stays in use if the champion cannot be loaded.
    """

    champion: str
    canary: str | None = None
    share: float = 0.0
    shadow: str | None = None
    before: str | None = None


# The name depends on the fields, so copies of a release with other fields count as absent and are made again.
_SPEC_FILE = f"spec-{crc32(repr([spec_field.name for spec_field in fields(Spec)]).encode()):08x}.json"


@dataclass(frozen=True)
class ModelCache:
    """The copies under one folder: ``<model>/<number>/`` and ``<model>/standing.json``."""

    root: Path

    def models(self) -> list[str]:
        """The models that have a champion."""
        return list(self.changes())

    def changes(self) -> dict[str, int]:
        """Of each model that has a champion when its state was last set, in nanoseconds since 1970.

        It is asked several times a second, between requests: a file of each model is looked at, and none is read.
        """
        found = {}
        for folder in self._folders():
            with suppress(FileNotFoundError, NotADirectoryError):
                found[folder.name] = os.stat(f"{folder.path}/{_STATE_FILE}").st_mtime_ns  # noqa: PTH116
        return dict(sorted(found.items()))

    def _folders(self) -> "list[os.DirEntry[str]]":
        try:
            with os.scandir(self.root) as folders:
                return list(folders)
        except FileNotFoundError:
            return []

    def folder(self, model: str, number: str) -> Path:
        """The folder of a version, whether or not it exists."""
        return self.root / model / number

    def has(self, model: str, number: str) -> bool:
        """Whether a complete copy of a version exists."""
        return all((self.folder(model, number) / name).is_file() for name in (_SPEC_FILE, _SEAL))

    def spec(self, model: str, number: str) -> Spec:
        """The metadata of a version."""
        return Spec(**orjson.loads((self.folder(model, number) / _SPEC_FILE).read_bytes()))

    def add(self, model: str, number: str, fill: Callable[[Path], Spec]) -> None:
        """Add a version. It is written to a temporary folder, then renamed, so a copy is complete or absent."""
        (self.root / model).mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=self.root / model, prefix=".adding-"))
        try:
            replace(temporary / _SPEC_FILE, orjson.dumps(asdict(fill(temporary))))
            replace(temporary / _SEAL, self._seal(temporary))
            shutil.rmtree(self.folder(model, number), ignore_errors=True)
            temporary.rename(self.folder(model, number))
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def verify(self, model: str, number: str) -> None:
        """Check that a copy is as it was made, down to the files of a compiled pipeline.

        Raises
        ------
        AlteredCopyError
            It is not. Its seal is made with the secret of this installation.
        """
        folder = self.folder(model, number)
        if not hmac.compare_digest((folder / _SEAL).read_text(), self._seal(folder)):
            raise AlteredCopyError(f"the local copy of {model}@{number} was altered after it was made")

    def is_altered(self, model: str, number: str) -> bool:
        """Whether there is a copy of a version that is not as it was made."""
        try:
            if self.has(model, number):
                self.verify(model, number)
        except AlteredCopyError:
            return True
        return False

    def _seal(self, folder: Path) -> str:
        files = sorted(path for path in folder.iterdir() if path.name != _SEAL)
        digests = [f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" for path in files]
        place = f"{folder.parent.name}\n"  # a copy of another model is no copy of this one
        return hmac.new(secret_of(self.root.parent), (place + "".join(digests)).encode(), "sha256").hexdigest()

    def numbers(self, model: str) -> list[str]:
        """The versions that have a complete copy."""
        return sorted(path.parent.name for path in (self.root / model).glob(f"[0-9]*/{_SPEC_FILE}"))

    def change(self, model: str, number: str, **changes: Any) -> None:
        """Change metadata of a version; its other files stay what they are.

        Raises
        ------
        AlteredCopyError
            The copy is not as it was made, and must not be sealed again.
        """
        self.verify(model, number)
        spec, folder = self.spec(model, number), self.folder(model, number)

        def fill(changed: Path) -> Spec:
            shutil.copytree(folder, changed, dirs_exist_ok=True, ignore=shutil.ignore_patterns(_SPEC_FILE, _SEAL))
            return replaced(spec, **changes)

        self.add(model, number, fill)

    def remove(self, model: str, number: str) -> None:
        """Delete the copy of a version."""
        shutil.rmtree(self.folder(model, number), ignore_errors=True)

    def state(self, model: str) -> ServingState | None:
        """Which versions predict; None before the first champion, and where the file is empty or of another release."""
        try:
            return ServingState(**orjson.loads((self.root / model / _STATE_FILE).read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):  # which the registry sync writes anew
            return None

    def set_state(self, model: str, state: ServingState) -> None:
        """Set which versions predict from now on."""
        replace(self.root / model / _STATE_FILE, orjson.dumps(asdict(state)))

    def forget(self, model: str) -> None:
        """No version of a model predicts from now on; copies stay, so that it can come back without a model file."""
        (self.root / model / _STATE_FILE).unlink(missing_ok=True)

    def refuse(self, model: str, number: str, reason: str) -> None:
        """Report to the supervisor that a version cannot predict here."""
        (self.root / model / _REFUSALS).mkdir(exist_ok=True)
        replace(self.root / model / _REFUSALS / number, orjson.dumps(reason))

    def refusals(self) -> Iterator[tuple[str, str, str]]:
        """Read and delete the refusals: model, number, reason. One that cannot be read is deleted, too."""
        for folder in sorted(self._folders(), key=lambda entry: entry.name):
            if os.path.isdir(f"{folder.path}/{_REFUSALS}"):  # noqa: PTH112
                for path in sorted(Path(folder.path, _REFUSALS).glob("*[0-9]")):
                    with suppress(ValueError):  # as a power loss can leave it
                        yield folder.name, path.name, orjson.loads(path.read_bytes())
                    path.unlink()

    def prune(self, model: str, keep: set[str]) -> None:
        """Delete all versions but those in `keep`, and what killed processes left incomplete."""
        for path in (self.root / model).iterdir():
            if path.is_dir() and path.name != _REFUSALS and path.name not in keep:
                shutil.rmtree(path, ignore_errors=True)
