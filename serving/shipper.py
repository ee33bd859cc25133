"""The shipper: moves closed segments of the prediction log into the lake, exactly once."""

import itertools
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from evergreen import served
from evergreen.errors import LakeError
from evergreen.lake import Lake
from serving.segments import closed


@dataclass(frozen=True)
class Shipper:
    """Moves what lies under one folder.

    Attributes
    ----------
    root : Path
        The folder of the slots.
    lake : Lake
    """

    root: Path
    lake: Lake

    def ship(self) -> str:
        """Land every closed segment, then remove it; why it stopped, or nothing.

        A lake that is away keeps all that is left on disk, for the next time.
        """
        for segment in closed(self.root):
            app = f"evergreen.serve.{self._installation()}.{segment.slot}"
            by_model = itertools.groupby(sorted(segment.lines(), key=_model), key=_model)
            try:
                for model, lines in by_model:
                    served.land(self.lake, model, list(lines), app, segment.number, datetime.now(UTC))
            except LakeError as error:
                return str(error)
            segment.path.unlink()
        return ""

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
