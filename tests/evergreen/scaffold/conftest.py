"""Models that are drafted of files."""

import pytest

from evergreen.definition import loader
from evergreen.ingestion.batch import check
from evergreen.scaffold.draft import Choices
from evergreen.scaffold.reading.sample import source_of
from evergreen.scaffold.scaffold import scaffold
from tests.evergreen.scaffold.drafted_tables import LAKE, NOW


@pytest.fixture
def landed(home, monkeypatch):
    """Draft a model of a file; the draft, the model, and the rows that would land."""
    monkeypatch.setenv("EVERGREEN_MODELS", str(home / "models"))

    def drafted(path, **wishes):
        draft = scaffold("table", source_of(str(path)), Choices(**wishes), overwrite=True)
        model = loader.load("table")
        rows = model.source.read(model, model.source.begins(model, NOW, LAKE), NOW, LAKE)
        checked = check(model, rows, NOW)
        assert [result for result in checked.report.results if not (result.success or result.warn)] == []
        return draft, model, checked.rows

    return drafted
