"""What the commands of governance print fits a narrow terminal without words in pieces."""

import io
import json

import pytest
from rich.console import Console

from cli.render.governance import acts
from evergreen.lake.audit_log import Line

SOURCE = "/srv/somewhere/data/published/SeoulBikeData.csv"


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("by", ["", "ada@example.org"])
def test_the_audit_log_has_room_for_what_it_tells(width, by):
    detail = json.dumps({"fate": "landed", "rows": 8760, "source": SOURCE, "moment": "2026-01-01", "note": None})
    at = "2026-11-29T17:43:51"
    line = Line("toy", 1, at, at, "ingest", "20261129T174351-377a", by, "", detail, "", "", "")
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(acts([line, line]))
    shown = console.export_text().splitlines()
    assert max(map(len, shown)) <= width
    assert shown[0].rstrip() == "1  2026-11-29 17:43  ingest 20261129T174351-377a" + (f" by {by}" if by else "")
    words = {word.rstrip(";") for row in shown for word in row.split()}
    assert {SOURCE, "landed", "8760"} <= words
    assert not {"moment:", "note:"} & words
