"""What a stored estimator may name: no name runs code or opens a file while skops builds it."""

import pickle
import warnings
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
import skops.io
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.utils import all_estimators
from sklearn.utils._test_common.instance_generator import _construct_instances
from xgboost import XGBClassifier

from evergreen.errors import AlteredModelError
from evergreen.registry.model_store import load_estimator
from evergreen.registry.trusted import is_trusted, trusted_types
from tests.altered_models import call, filled, with_part


def honest():
    return skops.io.dumps(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]))


class Touching:
    """A pickle that makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


ATTACKS = {
    "posix.system": lambda folder, marker: call("posix", "system", f"touch {marker}"),
    "builtins.eval": lambda folder, marker: call("builtins", "eval", f"open({str(marker)!r}, 'w')"),
    "pandas.read_pickle": lambda folder, marker: call("pandas", "read_pickle", pickled(folder, marker)),
    "numpy.load": lambda folder, marker: call("numpy", "load", pickled(folder, marker), None, True),
    "numpy.memmap": lambda folder, marker: call("numpy", "memmap", str(marker), "uint8", "w+", 0, 10),
    "numpy.testing._private.utils.runstring": lambda folder, marker: call(
        "numpy.testing._private.utils", "runstring", f"open({str(marker)!r}, 'w')", {}
    ),
    "scipy.stats._continuous_distns.norm_gen": lambda folder, marker: filled(
        "scipy.stats._continuous_distns", "norm_gen", _parse_arg_template=f"open({str(marker)!r}, 'w')"
    ),
}


def pickled(folder, marker):
    (folder / "a.pkl").write_bytes(pickle.dumps(Touching(marker)))
    return str(folder / "a.pkl")


@pytest.mark.parametrize("name", ATTACKS)
def test_a_file_that_names_what_runs_code_is_refused_before_it_is_built(name, tmp_path):
    marker = tmp_path / "marker"
    altered = with_part(honest(), ATTACKS[name](tmp_path, marker))
    with pytest.raises(AlteredModelError, match=f"toy@1: .* not trusted: {name}. If they are yours, name them"):
        load_estimator(altered, trusted_types(altered, []), "toy@1")
    assert not marker.exists()
    with suppress(KeyError):  # it is an attack: trusted, it does its work
        skops.io.loads(altered, trusted=[name])
    assert marker.exists()


@pytest.mark.parametrize(
    "name",
    [
        "sklearn.tree._export.export_graphviz",  # writes a file
        "sklearn.utils._testing.TempMemmap",
        "sklearn.metrics._classification.warnings",  # a module that a module imports
        "sklearn.neighbors._base.parse_version",  # of another package
        "sklearn.pipeline.Pipeline.predict",
        "skrub._data_ops._estimator.SkrubLearner",  # unpickles
        "skrub._text_encoder.TextEncoder",  # loads a model by its name
        "scipy.stats.norm",
        "sklearn.no.such.Module",
        "sklearn.pipeline.NoSuchClass",
        "nameless",
    ],
)
def test_a_name_of_a_known_package_is_not_enough(name):
    assert not is_trusted(name)


def test_a_broken_file_is_refused_with_what_to_do():
    with pytest.raises(AlteredModelError, match=r"toy@1: the stored model cannot be read: .* Restore its files"):
        load_estimator(honest()[:100], [], "toy@1")


# Their own arguments are functions, or they are built of others' estimators that skops cannot store.
UNTRUSTED = {"Birch"}


@pytest.mark.slow
def test_every_estimator_of_scikit_learn_can_be_stored():
    rng = np.random.default_rng(0)
    rows = np.abs(rng.normal(size=(60, 6)))
    target = (rows[:, 0] > rows[:, 0].mean()).astype(int)
    refused = {}
    for name, estimator in all_estimators():
        for fitted in _fitted(estimator, rows, target):
            needed = skops.io.get_untrusted_types(data=skops.io.dumps(fitted)) if name not in UNTRUSTED else []
            refused[name] = [needed_name for needed_name in needed if not is_trusted(needed_name)]
    assert len(refused) > 150
    assert {name: names for name, names in refused.items() if names} == {}


def _fitted(estimator, rows, target):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return [clone(instance).fit(rows, target) for instance in list(_construct_instances(estimator))[:1]]
        except Exception:  # it fits no such table
            return []


@pytest.mark.slow
@pytest.mark.parametrize("task", ["regression", "classification"])
def test_a_pipeline_of_skrub_for_any_table_can_be_stored_and_loaded(task):
    import skrub

    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "number": rng.normal(size=90),
            "group": rng.choice(list("xyz"), 90),
            "at": pd.date_range("2025", periods=90, freq="h", tz="UTC"),
            "text": [f"word {number} of {number * 7}" for number in range(90)],
        }
    )
    fitted = skrub.tabular_pipeline(task).fit(rows, (rows["number"] > 0).astype(int))
    stored = skops.io.dumps(fitted)
    loaded = load_estimator(stored, trusted_types(stored, []), "toy@1")
    assert (loaded.predict(rows) == fitted.predict(rows)).all()


@pytest.mark.parametrize("function", [np.log1p, np.nan_to_num, np.clip], ids=lambda function: function.__name__)
def test_a_function_of_numpy_that_only_computes_is_trusted(function):
    from sklearn.preprocessing import FunctionTransformer

    stored = skops.io.dumps(FunctionTransformer(function))
    assert load_estimator(stored, trusted_types(stored, []), "toy@1").func is function


BOOSTERS = {
    "lightgbm": lambda: LGBMClassifier(n_estimators=2, n_jobs=1, verbose=-1),
    "xgboost": lambda: XGBClassifier(n_estimators=2, n_jobs=1),
    "catboost": lambda: CatBoostClassifier(n_estimators=2, thread_count=1, verbose=False, allow_writing_files=False),
}


@pytest.mark.parametrize("name", BOOSTERS)
def test_boosted_trees_of_other_packages_are_stored_in_their_own_format_without_leave(name):
    rows = np.random.default_rng(0).normal(size=(200, 3))
    fitted = BOOSTERS[name]().fit(rows, (rows[:, 0] > 0).astype(int))
    stored = skops.io.dumps(fitted)
    assert b"pickle" not in stored.lower()
    loaded = load_estimator(stored, trusted_types(stored, []), "toy@1")
    assert (loaded.predict_proba(rows) == fitted.predict_proba(rows)).all()


@pytest.mark.parametrize("name", ["lightgbm.basic.Booster", "xgboost.core.Booster", "catboost.core.CatBoost"])
def test_no_file_may_call_the_constructor_of_a_booster_which_could_open_another_file(name, tmp_path):
    altered = with_part(honest(), call(*name.rsplit(".", 1), None, None, str(tmp_path / "model.txt")))
    with pytest.raises(AlteredModelError, match=f"not trusted: {name}"):
        load_estimator(altered, trusted_types(altered, []), "toy@1")
