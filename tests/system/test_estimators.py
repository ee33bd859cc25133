"""Estimators of other packages and of every shape, from a table to answers of the service."""

import json

import numpy as np
import pandas as pd
import pytest

from evergreen.definition import loader
from evergreen.governance.reproduction import reproduce
from evergreen.registry import client
from evergreen.settings import Settings
from evergreen.stores import Stores
from evergreen.training import fitting
from serving.model_cache import ModelCache
from tests.command_line import called
from tests.running_service import Service

pytestmark = pytest.mark.slow

TREES = """
def estimator():
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder
    {imported}

    encode = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer((encode, ["shop"]), ("drop", ["note"]), remainder="passthrough")
    return make_pipeline(columns, {last})
"""
LINEAR = """
def estimator():
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier, StackingClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler, TargetEncoder
    from sklearn.svm import LinearSVC

    groups = {groups}
    text = TfidfVectorizer(max_features=20)
    columns = make_column_transformer((groups, ["shop"]), (text, "note"), (StandardScaler(), ["a", "b"]))
    return make_pipeline(columns, {last})
"""
ONE_HOT = "OneHotEncoder(handle_unknown='ignore')"
OWN = """
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin


class Means(TransformerMixin, BaseEstimator):
    def fit(self, X, y):
        self.means_ = pd.Series(np.asarray(y), index=X["shop"].to_numpy()).groupby(level=0).mean()
        return self

    def transform(self, X):
        return X[["a", "b"]].assign(mean=X["shop"].map(self.means_).astype(float).fillna(0.5)).fillna(0.0)


class Signs(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        from sklearn.linear_model import LogisticRegression

        self.classes_, self.inner_ = np.unique(y), LogisticRegression().fit(X[["a", "mean"]], y)
        return self

    def predict_proba(self, X):
        return self.inner_.predict_proba(X[["a", "mean"]])

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def estimator():
    from sklearn.pipeline import make_pipeline

    return make_pipeline(Means(), Signs())
"""
CATEGORICAL = """
def as_categories(X):
    return X.drop(columns="note").astype({"shop": "category"})


def estimator():
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    forest = HistGradientBoostingClassifier(categorical_features="from_dtype", max_iter=20)
    return make_pipeline(FunctionTransformer(as_categories), forest)
"""


def trees(imported, last):
    return TREES.format(imported=imported, last=last)


def linear(last, groups=ONE_HOT):
    return LINEAR.format(groups=groups, last=last)


QUIET = "n_estimators=20, n_jobs=1"
CATBOOST = "CatBoostClassifier(n_estimators=20, verbose=False, allow_writing_files=False, thread_count=1)"
# The estimator, what else the model file changes, and whether it is compiled for the service.
ESTIMATORS = {
    "lightgbm": (trees("from lightgbm import LGBMClassifier", f"LGBMClassifier({QUIET}, verbose=-1)"), {}, True),
    "xgboost": (trees("from xgboost import XGBClassifier", f"XGBClassifier({QUIET})"), {}, True),
    "catboost": (trees("from catboost import CatBoostClassifier", CATBOOST), {}, False),
    "tfidf": (linear("LogisticRegression()"), {}, False),
    "target_encoder": (linear("LogisticRegression()", "TargetEncoder()"), {}, False),
    "stacking": (
        linear("StackingClassifier([('a', LogisticRegression()), ('b', LinearSVC())], LogisticRegression())"),
        {},
        False,
    ),
    "calibrated": (linear("CalibratedClassifierCV(LinearSVC())"), {}, False),
    "categories": (CATEGORICAL, {}, False),
    "classes_only": (linear("LinearSVC()"), {"metric": "accuracy"}, False),
    "weighted": (
        trees("from lightgbm import LGBMClassifier", f"LGBMClassifier({QUIET}, verbose=-1)"),
        {"half_life": "10d"},
        True,
    ),
    "own_code": (OWN, {}, False),
}


def table():
    random = np.random.default_rng(0)
    count = 60 * 40
    a, shop = random.normal(size=count), random.choice(["north", "south", "east"], count)
    words = np.where(random.random(count) < 0.5, "late and broken", "fine as ever")
    score = 2 * a + (shop == "north") - 2 * (words == "fine as ever") + random.normal(scale=0.3, size=count)
    return pd.DataFrame(
        {
            "id": [f"r{number}" for number in range(count)],
            "at": pd.Timestamp("2025-01-01", tz="UTC") + pd.to_timedelta(np.arange(count) * 36, unit="min"),
            "a": a.round(4),
            "b": np.where(random.random(count) < 0.1, np.nan, random.normal(size=count).round(4)),
            "shop": shop,
            "note": [f"{word} {number % 7}" for number, word in enumerate(words)],
            "y": (score > np.median(score)).astype(int),
        }
    ).assign(b=lambda frame: frame["b"].fillna(0.0))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "rows.csv"
    table().to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def service(worlds, server):
    """A home, and its service once there is a champion: both are for all estimators."""
    started = []

    def service_of(champion):
        if not started:
            started.append(Service())
        started[0].wait(champion)
        return started[0]

    with worlds("estimators"):
        yield service_of
        for running in started:
            running.stop()


def drafted(name, source):
    """Draft a model and put its estimator in, ingest and train it by the commands, and return what training said."""
    text, changes, _ = ESTIMATORS[name]
    done = called("new", name, "--from", str(source), "--target", "y", "--key", "id")
    assert done.returncode == 0, done.stderr
    updates = ["'estimator': estimator"]
    if "half_life" in changes:
        updates.append("'training': model.training.model_copy(update={'half_life': timedelta(days=10)})")
    if "metric" in changes:
        updates.append("'metric': named('accuracy')")
    imports = "from datetime import timedelta\nfrom evergreen.definition.metrics import named\n"
    more = f"model = model.model_copy(update={{{', '.join(updates)}}})\n"
    file = Settings.read().models / f"{name}.py"
    file.write_text(f"{file.read_text()}\n\n{imports}{text}\n{more}")
    assert called("ingest", name).returncode == 0
    return called("train", name)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_goes_from_a_table_to_answers(service, source, name, tmp_path):
    done, registry = drafted(name, source), Stores.open().registry
    assert (done.returncode, done.stderr) == (0, done.stderr), done.stdout
    champion = registry.champion(name)
    assert champion is not None, done.stdout
    reproduction = reproduce(registry, name, champion.number)
    assert reproduction.same, reproduction.first
    rows = table().tail(50)
    rows.drop(columns="y").to_csv(tmp_path / "rows.csv", index=False)
    scored = called("score", name, "--input", str(tmp_path / "rows.csv"), "--output", str(tmp_path / "out.csv"))
    assert scored.returncode == 0, scored.stderr
    client._LOADED.clear()
    model, estimator = loader.load(name), registry.load(champion)
    newest = Stores.open().lake.query(model, 'SELECT * FROM rows ORDER BY "at" DESC LIMIT 50').iloc[::-1]
    expected = estimator.predict(fitting.features(model, newest, estimator))
    assert pd.read_csv(tmp_path / "out.csv")["prediction"].tolist() == expected.tolist()
    records = json.loads(rows.drop(columns="y").to_json(orient="records", date_format="iso"))
    status, answer = service(champion).ask(f"/models/{name}/invocations", {"dataframe_records": records})
    assert (status, answer["predictions"]) == (200, expected.tolist()), answer
    spec = ModelCache(Settings.read().home / "serving" / "models").spec(name, champion.number)
    assert (spec.compiled is not None) == ESTIMATORS[name][2]
