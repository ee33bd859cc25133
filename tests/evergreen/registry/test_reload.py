"""A stored model repeats its predictions in a fresh process, whatever is printed there."""

import mlflow.sklearn
import numpy as np
import pandas as pd
import pytest
import skops.io
from lightgbm import LGBMRegressor
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression

from evergreen.registry.reload import Reloader

ROWS = pd.DataFrame({"a": np.arange(60.0), "b": np.arange(60.0) % 7})
ESTIMATORS = {
    # It warns on standard output, from C, of two names of one parameter, when it predicts.
    "lightgbm": LGBMRegressor(n_estimators=5, min_data_in_leaf=5, num_threads=1),
    "linear": LinearRegression(),
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Of each estimator its folder, the types that it needs, and its predictions."""

    def save(name, estimator):
        estimator.fit(ROWS, ROWS["a"] + ROWS["b"])
        folder = str(tmp_path_factory.mktemp("models") / name)
        types = skops.io.get_untrusted_types(data=skops.io.dumps(estimator))
        mlflow.sklearn.save_model(
            estimator,
            folder,
            signature=infer_signature(ROWS, estimator.predict(ROWS)),
            input_example=ROWS[:5],
            pip_requirements=["scikit-learn"],
            serialization_format="skops",
            skops_trusted_types=types,
        )
        return folder, types, estimator.predict(ROWS[:5])

    return {name: save(name, estimator) for name, estimator in ESTIMATORS.items()}


@pytest.fixture
def reloader():
    reloader = Reloader()
    yield reloader
    reloader.close()


def test_what_is_printed_is_no_answer_and_shifts_none(reloader, stored, capfd):
    for name in ("lightgbm", "linear", "lightgbm", "linear"):
        folder, types, expected = stored[name]
        assert reloader.repeat(folder, types) == pytest.approx(expected), name


def test_a_model_that_cannot_be_loaded_is_told_and_the_next_one_has_its_own_answer(reloader, stored, tmp_path):
    folder, types, expected = stored["linear"]
    with pytest.raises(RuntimeError, match="none"):
        reloader.repeat(str(tmp_path / "none"), [])
    assert reloader.repeat(folder, types) == pytest.approx(expected)


def test_an_answer_that_came_late_is_not_taken_for_the_next_one(reloader, stored):
    folder, types, expected = stored["linear"]
    reloader._process.stdin.write(f'{{"number": -1, "path": {folder!r}, "trusted": []}}\n'.replace("'", '"'))
    assert reloader.repeat(folder, types) == pytest.approx(expected)
