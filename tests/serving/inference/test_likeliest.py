"""Whether a classifier's class needs no second call: wherever that is said, the estimator agrees."""

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from serving.inference.likeliest import predicts_likeliest

ROWS, CLASSES = make_classification(300, n_features=5, weights=[0.8], flip_y=0.2, random_state=0)
THRESHOLD = FixedThresholdClassifier(LogisticRegression(), threshold=0.25, response_method="predict_proba")


class Own(LogisticRegression):
    def predict(self, rows):
        return (self.predict_proba(rows)[:, 1] > 0.25).astype(int)


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        RandomForestClassifier(5),
        make_pipeline(StandardScaler(), HistGradientBoostingClassifier(max_iter=5)),
        make_pipeline(StandardScaler(), make_pipeline(LogisticRegression())),
        GridSearchCV(make_pipeline(LogisticRegression()), {"logisticregression__C": [1.0, 0.1]}, cv=2),
    ],
)
def test_a_known_classifier_is_asked_once_wherever_it_stands(estimator):
    estimator.fit(ROWS, CLASSES)
    likeliest = estimator.classes_[estimator.predict_proba(ROWS).argmax(axis=1)]
    assert (predicts_likeliest(estimator), np.array_equal(likeliest, estimator.predict(ROWS))) == (True, True)


@pytest.mark.parametrize(
    "estimator",
    [
        THRESHOLD,
        GridSearchCV(THRESHOLD, {"estimator__C": [1.0, 0.1]}, cv=2),
        make_pipeline(StandardScaler(), make_pipeline(THRESHOLD)),
        make_pipeline(make_pipeline(Own())),
        GridSearchCV(Own(), {"C": [1.0, 0.1]}, cv=2),
        StackingClassifier([("a", LogisticRegression())], Own()),
        LinearSVC(),
    ],
)
def test_whatever_may_decide_otherwise_tells_its_class_itself(estimator):
    assert not predicts_likeliest(estimator.fit(ROWS, CLASSES))


def test_a_catboost_with_a_threshold_of_its_own_tells_its_class_itself():
    catboost = pytest.importorskip("catboost")
    options = {"n_estimators": 5, "verbose": False, "allow_writing_files": False, "thread_count": 1}
    estimator = catboost.CatBoostClassifier(**options).fit(ROWS, CLASSES)
    assert predicts_likeliest(estimator)
    estimator.set_probability_threshold(0.2)
    assert not predicts_likeliest(estimator)
