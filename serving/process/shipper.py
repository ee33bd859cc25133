"""The shipper: moves closed segments of the prediction log into the lake exactly once, and adds shadow predictions.

A shadow predicts here, from the log and outside the workers, once the champion's rows are in the lake: it cannot slow
a caller, and covers every request unless it falls behind.
"""

import itertools
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evergreen.errors import BusyError, LakeError
from evergreen.files import replace
from evergreen.lake import prediction_log
from evergreen.lake.lake import Lake
from evergreen.lake.request_fields import FIELDS
from evergreen.locks import file_lock
from serving.inference.loaded_model import CHAMPION, SHADOW, LoadedModel, load
from serving.log.segments import Segment, close_left, closed
from serving.model_cache import ModelCache

_PATIENCE = 30.0  # seconds
_SHADOW_LAG = 300.0  # seconds that a segment may wait and still be predicted by a shadow
Pair = tuple[dict[str, Any], dict[str, Any]]


@dataclass(frozen=True)
class Shipper:
    """Moves the segments of one folder into the lake.

    Attributes
    ----------
    root : Path
        The folder of all slots.
    lake : Lake
    copies : ModelCache
        The local copies of the models, including shadows.
    """

    root: Path
    lake: Lake
    copies: ModelCache
    _shadows: dict[str, LoadedModel] = field(default_factory=dict)  # the present one of each model

    def ship(self) -> str:
        """Land every closed segment, then delete it; return the problem, or an empty text.

        If the lake is unavailable or the disk is full, the remaining segments stay on disk until the next call.
        """
        problem = ""
        for segment in closed(self.root):
            try:
                self._land(segment)
            except (LakeError, OSError) as error:  # the lake or the disk fails, not the segment
                return str(error)
            except Exception as error:  # this segment is broken; the next ones may be intact
                segment.put_aside()
                problem = f"{segment.path} cannot be read ({type(error).__name__}: {error}). It is kept as .broken."
            else:
                segment.path.unlink()
        return problem

    def _land(self, segment: Segment) -> None:
        app = f"evergreen.serve.{self._installation()}.{segment.slot}"
        by_model = itertools.groupby(sorted(segment.lines(), key=_model_of), key=_model_of)
        lines = {model: list(pairs) for model, pairs in by_model}
        broken: dict[str, Exception] = {}
        for model, pairs in lines.items():
            try:
                prediction_log.land(self.lake, model, pairs, app, segment.number, datetime.now(UTC))
            except (LakeError, OSError):
                raise
            except Exception as error:  # the lines of this model are broken; those of others are not
                broken[model] = error
        for model, pairs in lines.items():  # nobody's own rows wait for a shadow
            shadowed = [] if model in broken else self._shadow_lines(segment, model, pairs)
            if shadowed:
                prediction_log.land(self.lake, model, shadowed, f"{app}.{SHADOW}", segment.number, datetime.now(UTC))
        for problem in broken.values():
            raise problem

    def _shadow_lines(self, segment: Segment, model: str, pairs: list[Pair]) -> list[Pair]:
        """The shadow's predictions for the champion's requests; if it fails, it stops and is reported.

        A segment that waits for too long has none: a slow shadow must not fill the log.
        """
        number = self._present_shadow(model)
        if number is None or segment.age() > _SHADOW_LAG:
            return []
        name = f"{model}@{number} {SHADOW}"
        try:
            if model not in self._shadows:
                self._shadows[model] = load(self.copies, model, number, 0, SHADOW)
            shadow = self._shadows[model]
            features = list(shadow.spec.features.items())  # rows are lists: the order counts
            asked = [
                (line, head)
                for line, head in pairs
                if head.get("role") == CHAMPION and list(head["features"].items()) == features
            ]
            outputs = iter(shadow.outputs([row for line, _ in asked for row in line["rows"]]).tolist() if asked else [])
        except Exception as error:  # any error of an estimator: the supervisor withdraws the shadow
            self.copies.refuse(model, number, f"{type(error).__name__}: {error}")
            return []
        left_out = {field.name: None for field in FIELDS if not field.shadow}
        return [
            (
                line | {"of": name, "answers": list(itertools.islice(outputs, len(line["rows"])))} | left_out,
                head | {"head": name, "version": number, "role": SHADOW},
            )
            for line, head in asked
        ]

    def _present_shadow(self, model: str) -> str | None:
        """The shadow of a model now; an earlier one is dropped."""
        state, loaded = self.copies.state(model), self._shadows.get(model)
        number = state.shadow if state else None
        if loaded and loaded.spec.number != number:
            del self._shadows[model]
        return number

    def _installation(self) -> str:
        """A name that distinguishes this folder's slots from those of other services that write to the same lake."""
        path = self.root / "installation"
        if not path.exists():
            replace(path, uuid.uuid4().hex[:12])
        return path.read_text()


def ship_all(home: Path, lake: Lake) -> list[str]:
    """Move what this home's service has logged into the lake, or wait until the running service has done so.

    Returns
    -------
    list of str
        What is not in the lake afterwards, a sentence each.
    """
    root = home / "serving" / "log"
    before = _inodes(root)
    try:
        with file_lock(home / "locks" / "serve.lock", "the service runs"):
            close_left(root)
            Shipper(root, lake, ModelCache(home / "serving" / "models")).ship()
    except BusyError:
        _wait_until_shipped(root)
    late = ["Predictions have not reached the lake. Run the command again in a minute."]
    left = late if before & _inodes(root) else []
    return left + [f"{path} cannot be read, and may hold predictions." for path in sorted(root.glob("*/*.broken"))]


def _wait_until_shipped(root: Path) -> None:
    """Wait for a running service to move what is on disk now; it closes a segment after some seconds."""
    known, end = _inodes(root), time.monotonic() + _PATIENCE
    while known & _inodes(root) and time.monotonic() < end:
        time.sleep(0.2)


def _inodes(root: Path) -> set[int]:
    """The segments that are not empty, by a number that stays when one is renamed."""
    inodes = set()
    for path in (*root.glob("*/open"), *(segment.path for segment in closed(root))):
        with suppress(FileNotFoundError):  # it was moved just now
            status = path.stat()
            inodes |= {status.st_ino} if status.st_size else set()
    return inodes


def _model_of(pair: tuple[dict[str, object], dict[str, object]]) -> str:
    return str(pair[1]["model"])
