"""The shipper: moves closed segments of the prediction log into the lake, exactly once, with what shadows answer.

A shadow is asked here, behind the service and from its log: it cannot slow a caller, and sees every request.
"""

import itertools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evergreen.errors import LakeError
from evergreen.files import replace
from evergreen.lake import prediction_log
from evergreen.lake.lake import Lake
from evergreen.lake.request_fields import FIELDS
from serving.inference.loaded_model import CHAMPION, SHADOW, LoadedModel, load
from serving.log.segments import Segment, closed
from serving.model_cache import ModelCache

Pair = tuple[dict[str, Any], dict[str, Any]]


@dataclass(frozen=True)
class Shipper:
    """Moves what lies under one folder.

    Attributes
    ----------
    root : Path
        The folder of the slots.
    lake : Lake
    copies : ModelCache
        Of the models, among them those that answer in the shadow.
    """

    root: Path
    lake: Lake
    copies: ModelCache
    _shadows: dict[tuple[str, str], LoadedModel] = field(default_factory=dict)

    def ship(self) -> str:
        """Land every closed segment, then remove it; what went wrong, or nothing.

        A lake that is away, or a disk that is full, keeps all that is left on disk, for the next time.
        """
        problem = ""
        for segment in closed(self.root):
            try:
                self._land(segment)
            except (LakeError, OSError) as error:  # the lake or the disk is at fault, and no segment
                return str(error)
            except Exception as error:  # whatever it is, the segments after it are whole
                segment.put_aside()
                problem = f"{segment.path} cannot be read ({type(error).__name__}: {error}). It was kept as .broken."
            else:
                segment.path.unlink()
        return problem

    def _land(self, segment: Segment) -> None:
        app = f"evergreen.serve.{self._installation()}.{segment.slot}"
        for model, lines in itertools.groupby(sorted(segment.lines(), key=_model), key=_model):
            pairs, standing = list(lines), self.copies.state(model)
            if standing and standing.shadow:
                pairs += self._shadowed(model, standing.shadow, pairs)
            prediction_log.land(self.lake, model, pairs, app, segment.number, datetime.now(UTC))

    def _shadowed(self, model: str, number: str, pairs: list[Pair]) -> Iterator[Pair]:
        """What the shadow answers beside the champion; nothing more once it cannot, which the keeper is told."""
        name = f"{model}@{number} {SHADOW}"
        try:
            if (model, number) not in self._shadows:
                self._shadows[model, number] = load(self.copies, model, number, 0, SHADOW)
            shadow = self._shadows[model, number]
            takes = list(shadow.spec.features.items())  # rows are lists: the order counts
            for line, head in pairs:
                if head.get("role") == CHAMPION and list(head["features"].items()) == takes:
                    answers = shadow.outputs(line["rows"]).tolist()
                    told = {"of": name, "answers": answers} | {field.name: None for field in FIELDS if not field.shadow}
                    yield line | told, head | {"head": name, "version": number, "role": SHADOW}
        except Exception as error:  # of any estimator: the keeper takes it back
            self.copies.refuse(model, number, f"{type(error).__name__}: {error}")

    def _installation(self) -> str:
        """A name that tells this folder's slots from those of any other that writes to the same lake."""
        path = self.root / "installation"
        if not path.exists():
            replace(path, uuid.uuid4().hex[:12])
        return path.read_text()


def _model(pair: tuple[dict[str, object], dict[str, object]]) -> str:
    return str(pair[1]["model"])
