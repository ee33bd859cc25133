"""The shipper: moves closed segments of the prediction log into the lake, exactly once, with what shadows answer.

A shadow is asked here, behind the service and from its log: it cannot slow a caller, and sees every request.
"""

import itertools
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evergreen import served
from evergreen.errors import LakeError
from evergreen.lake import Lake
from serving.copies import Copies
from serving.segments import Segment, closed
from serving.version import CHAMPION, SHADOW, Served, load

Pair = tuple[dict[str, Any], dict[str, Any]]


@dataclass(frozen=True)
class Shipper:
    """Moves what lies under one folder.

    Attributes
    ----------
    root : Path
        The folder of the slots.
    lake : Lake
    copies : Copies
        Of the models, among them those that answer in the shadow.
    """

    root: Path
    lake: Lake
    copies: Copies
    _shadows: dict[tuple[str, str], Served] = field(default_factory=dict)

    def ship(self) -> str:
        """Land every closed segment, then remove it; what went wrong, or nothing.

        A lake that is away keeps all that is left on disk, for the next time.
        """
        problem = ""
        for segment in closed(self.root):
            try:
                self._land(segment)
            except LakeError as error:
                return str(error)
            except Exception as error:  # whatever it is, the segments after it are whole
                segment.put_aside()
                problem = f"{segment.path} cannot be read ({type(error).__name__}: {error}). It was kept as .broken."
            else:
                segment.path.unlink()
        return problem

    def _land(self, segment: Segment) -> None:
        app = f"evergreen.serve.{self._installation()}.{segment.slot}"
        by_model = itertools.groupby(sorted(self._with_shadows(segment.lines()), key=_model), key=_model)
        for model, lines in by_model:
            served.land(self.lake, model, list(lines), app, segment.number, datetime.now(UTC))

    def _with_shadows(self, pairs: Iterable[Pair]) -> Iterator[Pair]:
        """Each line, and beside an answer of a champion what the model's shadow answers."""
        for line, head in pairs:
            yield line, head
            standing = self.copies.standing(head["model"]) if head.get("role") == CHAMPION else None
            if standing and standing.shadow:
                made = self._shadowed(line, head, standing.shadow)
                if made:
                    yield made

    def _shadowed(self, line: dict[str, Any], head: dict[str, Any], number: str) -> Pair | None:
        model = str(head["model"])
        try:
            if (model, number) not in self._shadows:
                self._shadows[model, number] = load(self.copies, model, number, 0, SHADOW)
            answers = self._shadows[model, number].outputs(line["rows"])
        except Exception as error:  # of any estimator: the keeper takes it back
            self.copies.refuse(model, number, f"{type(error).__name__}: {error}")
            return None
        name = f"{model}@{number} {SHADOW}"
        told = {"of": name, "answers": answers.tolist(), "latency": [None] * len(line["ids"])}
        return line | told, head | {"head": name, "version": number, "role": SHADOW}

    def _installation(self) -> str:
        """A name that tells this folder's slots from those of any other that writes to the same lake."""
        path = self.root / "installation"
        if not path.exists():
            beside = path.with_name(f".installation-{uuid.uuid4().hex}")
            beside.write_text(uuid.uuid4().hex[:12])
            beside.replace(path)
        return path.read_text()


def _model(pair: tuple[dict[str, object], dict[str, object]]) -> str:
    return str(pair[1]["model"])
