"""Whether a classifier predicts the class with the highest probability, so that no second call has to ask it.

What is not known to do so is asked: a tuned threshold, wherever it stands, or a user's class may predict another one.
"""

from typing import Any

_OF_SCIKIT_LEARN = frozenset(
    {
        "AdaBoostClassifier",
        "BaggingClassifier",
        "BernoulliNB",
        "CalibratedClassifierCV",
        "CategoricalNB",
        "ComplementNB",
        "DecisionTreeClassifier",
        "ExtraTreeClassifier",
        "ExtraTreesClassifier",
        "GaussianNB",
        "GradientBoostingClassifier",
        "HistGradientBoostingClassifier",
        "KNeighborsClassifier",
        "LinearDiscriminantAnalysis",
        "LogisticRegression",
        "LogisticRegressionCV",
        "MLPClassifier",
        "MultinomialNB",
        "QuadraticDiscriminantAnalysis",
        "RandomForestClassifier",
    }
)
_CLASSIFIERS = {
    "sklearn": _OF_SCIKIT_LEARN,
    "lightgbm": frozenset({"LGBMClassifier"}),
    "xgboost": frozenset({"XGBClassifier", "XGBRFClassifier"}),
    "catboost": frozenset({"CatBoostClassifier"}),
}


def predicts_likeliest(estimator: Any) -> bool:
    """Whether the predicted class of a fitted classifier is always the one with the highest probability.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import FixedThresholdClassifier
    >>> classifier = LogisticRegression()
    >>> predicts_likeliest(classifier), predicts_likeliest(FixedThresholdClassifier(classifier))
    (True, False)
    """
    last = _unwrapped(estimator)
    package = type(last).__module__.partition(".")[0]
    if type(last).__name__ not in _CLASSIFIERS.get(package, ()):  # a class of a user that derives from one is another
        return False
    return package != "catboost" or last.get_probability_threshold() == 0.5


def _unwrapped(estimator: Any) -> Any:
    """The classifier within pipelines and searches."""
    from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
    from sklearn.pipeline import Pipeline

    while True:
        if type(estimator) is Pipeline:
            estimator = estimator.steps[-1][1]
        elif type(estimator) in (GridSearchCV, RandomizedSearchCV):
            estimator = estimator.best_estimator_
        else:
            return estimator
