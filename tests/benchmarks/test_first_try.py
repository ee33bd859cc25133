"""Tables made as people publish them: what is drafted of each, and that its own rows meet the draft."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.first_try import nasty
from evergreen.definition import loader
from evergreen.errors import EvergreenError
from evergreen.ingestion.batch import check
from evergreen.lake.delta_lake import DeltaLake
from evergreen.scaffold.draft import Choices
from evergreen.scaffold.reading.sample import source_of
from evergreen.scaffold.scaffold import scaffold

NOW, LAKE = pd.Timestamp("2027-01-01", tz="UTC"), DeltaLake("nowhere")


@pytest.fixture
def drafted(home, monkeypatch):
    """Draft a model of a table that is made."""
    monkeypatch.setenv("EVERGREEN_MODELS", str(home / "models"))

    def draft(case):
        place = case.written(home)
        return scaffold(case.name, source_of(place), Choices(target=case.target))

    return draft


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in nasty.CASES if not case.refused], ids=lambda case: case.name)
def test_a_table_as_people_publish_it_is_drafted_rightly(drafted, case):
    draft = drafted(case)
    model = loader.load(case.name)
    assert case.wrong(model) == []
    rows = model.source.read(model, model.source.begins(model, NOW, LAKE), NOW, LAKE)
    checked = check(model, rows, NOW)
    assert [result for result in checked.report.results if not (result.success or result.warn)] == []
    assert len(checked.rows) >= 0.98 * draft.rows


@pytest.mark.parametrize("case", [case for case in nasty.CASES if case.refused], ids=lambda case: case.name)
def test_a_table_that_no_model_can_learn_from_is_refused_with_the_reason(drafted, case):
    with pytest.raises(EvergreenError) as error:
        drafted(case)
    assert case.refused in str(error.value)


def test_a_wrong_guess_is_found():
    case = next(case for case in nasty.CASES if case.name == "gaps")
    chance = np.random.default_rng(0)
    assert case.make(chance).startswith(b"ts,x,y\n")

    class Guessed:
        time, key, task, features, identified_by_content = "x", ["y"], "regression", {"x": "category"}, False

    assert case.wrong(Guessed) == ["time is x, not ts", "key is {'y'}, not {'ts'}", "x is category, not number"]
