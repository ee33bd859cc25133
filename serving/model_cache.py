"""Local copies of model versions: all that a worker reads, so that it needs neither MLflow nor a network."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any
from zlib import crc32

import orjson

from evergreen.files import replace

_CURRENT, _REFUSED = "standing.json", "refused"


@dataclass(frozen=True)
class Spec:
    """What is to be known of a version beside its estimator.

    Attributes
    ----------
    model, number : str
    task : {"regression", "classification"}
    features : dict of column to kind
        What the estimator sees, in its order.
    beside : dict of column to kind
        What else a request may send, to be kept with the answer: key, time, extra columns.
    key : list of str
    target : str
        The label's kind.
    timezone : str
        What a time without a zone means.
    classes : list or None
        Of a classifier, in the order of its probabilities.
    likeliest : bool
        Whether the class that it predicts is always the one of the highest probability.
    example : list of list
        Rows of features as a request gives them.
    answers : list of list of float
        What the estimator itself answers them.
    trusted : list of str
        Types that skops may load.
    private : dict of column to {"hash", "omit"}
        What is not logged as it is.
    compiled : float or None
        The greatest difference from the estimator's own answers that was found where it is compiled;
        None where the estimator itself answers.
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
    likeliest: bool
    example: list[list[Any]]
    answers: list[list[float]]
    trusted: list[str]
    private: dict[str, str] = field(default_factory=dict)
    compiled: float | None = None

    def unlike(self, champion: "Spec") -> str:
        """Why this version cannot answer in the champion's place; nothing if it can."""
        if list(self.features.items()) != list(champion.features.items()):  # rows are lists: the order counts
            return f"it takes other columns than the champion, version {champion.number}, or in another order"
        if (self.task, self.classes) != (champion.task, champion.classes):
            told = f"{self.task} with classes {self.classes!r:.80}" if self.classes else self.task
            return f"its answers are of another kind than those of the champion, version {champion.number}: {told}"
        return ""


@dataclass(frozen=True)
class Standing:
    """Which versions of a model answer.

    Attributes
    ----------
    champion : str
    canary : str or None
        Answers a share of the requests, always the same keys.
    share : float
        Between 0 and 1.
    shadow : str or None
        Answers what the champion answered, for the log only.
    before : str or None
        The champion before, to which a worker that cannot load this one goes back.
    """

    champion: str
    canary: str | None = None
    share: float = 0.0
    shadow: str | None = None
    before: str | None = None


# Another release's copies have other fields: they are not there, and are made anew.
_SPEC = f"spec-{crc32(repr([one.name for one in fields(Spec)]).encode()):08x}.json"


@dataclass(frozen=True)
class Copies:
    """The copies under one folder: ``<model>/<number>/`` and ``<model>/standing.json``."""

    root: Path

    def models(self) -> list[str]:
        """The models of which some version answers."""
        return sorted(path.parent.name for path in self.root.glob(f"*/{_CURRENT}"))

    def folder(self, model: str, number: str) -> Path:
        """Where a version lies, or would."""
        return self.root / model / number

    def has(self, model: str, number: str) -> bool:
        """Whether a version is there, whole."""
        return (self.folder(model, number) / _SPEC).is_file()

    def spec(self, model: str, number: str) -> Spec:
        """What is to be known of a version."""
        return Spec(**orjson.loads((self.folder(model, number) / _SPEC).read_bytes()))

    def add(self, model: str, number: str, fill: Callable[[Path], Spec]) -> None:
        """Add a version: filled beside, then renamed, so that a copy is whole or not there."""
        (self.root / model).mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(dir=self.root / model, prefix=".adding-"))
        try:
            replace(beside / _SPEC, orjson.dumps(asdict(fill(beside))))
            shutil.rmtree(self.folder(model, number), ignore_errors=True)
            beside.rename(self.folder(model, number))
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def standing(self, model: str) -> Standing | None:
        """Which versions answer; None before the first."""
        try:
            return Standing(**orjson.loads((self.root / model / _CURRENT).read_bytes()))
        except FileNotFoundError:
            return None

    def crown(self, model: str, standing: Standing) -> None:
        """Say which versions answer from now on."""
        replace(self.root / model / _CURRENT, orjson.dumps(asdict(standing)))

    def changed(self, model: str) -> int:
        """When it was said last which versions answer, in ns; 0 before the first."""
        try:
            return (self.root / model / _CURRENT).stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def refuse(self, model: str, number: str, reason: str) -> None:
        """A worker's note to the keeper that a version cannot answer here."""
        (self.root / model / _REFUSED).mkdir(exist_ok=True)
        replace(self.root / model / _REFUSED / number, orjson.dumps(reason))

    def refusals(self) -> Iterator[tuple[str, str, str]]:
        """Take the notes away: model, number, reason."""
        for path in sorted(self.root.glob(f"*/{_REFUSED}/*[0-9]")):
            yield path.parent.parent.name, path.name, orjson.loads(path.read_bytes())
            path.unlink()

    def prune(self, model: str, keep: set[str]) -> None:
        """Remove the versions that nobody needs, and what a killed process began."""
        for path in (self.root / model).iterdir():
            if path.is_dir() and path.name != _REFUSED and path.name not in keep:
                shutil.rmtree(path, ignore_errors=True)
