"""What a team's tests call: a good model file passes, and each fault of one fails the test that is about it."""

from unittest import SkipTest

import pytest

from evergreen import testing
from evergreen.errors import TrainingError
from tests.conftest import TOY

SPOILED = """
from sklearn.base import RegressorMixin, BaseEstimator
class Nothing(RegressorMixin, BaseEstimator):
    def fit(self, rows, target):
        return self
    def predict(self, rows):
        return [float("nan")] * len(rows)
model = model.model_copy(update={"estimator": Nothing})
"""
LOCAL = """
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
estimator = lambda: make_pipeline(FunctionTransformer(func=lambda rows: rows), LinearRegression())
model = model.model_copy(update={"estimator": estimator})
"""
STRICT = """
model = model.model_copy(update={"contract": [expect("column_values_to_be_between", "x", max_value=-1e9)]})
"""
EMPTY = """
none = Call(function=lambda since, until: day_of(since)[:0], start="2013-01-01", batch="365d")
model = model.model_copy(update={"source": none})
"""


@pytest.fixture(autouse=True)
def write_model(tmp_path, monkeypatch):
    """Write a model file: the toy's text with more lines at its end."""
    monkeypatch.setenv("EVERGREEN_MODELS", str(tmp_path))
    testing.batches.cache_clear()

    def write(more=""):
        (tmp_path / "toy.py").write_text(TOY.read_text() + more)

    write()
    return write


def test_a_model_file_as_it_comes_passes():
    assert testing.models() == ["toy"]
    assert testing.load("toy").name == "toy"
    testing.check_contract("toy")
    testing.check_training("toy")


def test_a_contract_that_refuses_the_source_fails_with_what_it_found(write_model):
    write_model(STRICT)
    with pytest.raises(AssertionError, match=r"toy: rows of its own source break the contract: x: .*max_value"):
        testing.check_contract("toy")
    with pytest.raises(AssertionError, match="no batch"):
        testing.check_training("toy")


def test_an_estimator_that_predicts_no_numbers_fails(write_model):
    write_model(SPOILED)
    with pytest.raises(AssertionError, match="no numbers"):
        testing.check_training("toy")


def test_an_estimator_that_cannot_be_stored_fails(write_model):
    write_model(LOCAL)
    with pytest.raises(TrainingError):
        testing.check_training("toy")


def test_a_source_without_rows_skips_the_test(write_model):
    write_model(EMPTY)
    with pytest.raises(SkipTest, match="no rows yet"):
        testing.check_contract("toy")
