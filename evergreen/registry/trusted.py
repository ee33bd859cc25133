"""What skops may build of a stored estimator, whatever the file asks for.

A file decides which names skops imports, and with which arguments each is called or filled: a name is
trusted here only if that runs no code and opens no file. A whole package is too much. `pandas.read_pickle`
unpickles, `numpy.memmap` overwrites a file, and a distribution of `scipy.stats` executes a text that is
one of its attributes.
"""

import inspect
import io
import json
import zipfile
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from evergreen.definition.code.source_files import PREFIX
from evergreen.registry import skops_nodes

_ESTIMATORS = ("sklearn.", "skrub.")
# They load a model by its name or path, keep a pickle, or call what they are given.
_OTHER_ESTIMATORS = ("skrub._data_ops.", "skrub._text_encoder.", "skrub._llm_encoder.")
_CLASSES = (
    "scipy.interpolate._bsplines.",
    "scipy.sparse._",
    "sklearn._loss.",
    "sklearn.calibration.",
    "sklearn.cluster._bisect_k_means.",
    "sklearn.compose._column_transformer.",
    "sklearn.ensemble._hist_gradient_boosting.",
    "sklearn.gaussian_process.",
    "sklearn.linear_model._sgd_fast.",
    "sklearn.metrics._dist_metrics.",
    "sklearn.metrics._scorer.",
    "sklearn.model_selection._split.",
    "sklearn.neighbors.",
    "sklearn.neural_network._stochastic_optimizers.",
    "sklearn.tree._tree.",
    "sklearn.utils._bunch.",
    "sklearn.utils._metadata_requests.",
    "skrub._table_vectorizer.",
    "skrub._utils.",
    "skrub.selectors.",
)
_FUNCTIONS = (
    "sklearn.feature_selection._mutual_info.",
    "sklearn.feature_selection._univariate_selection.",
    "sklearn.metrics._classification.",
    "sklearn.metrics._ranking.",
    "sklearn.metrics._regression.",
    "sklearn.metrics.pairwise.",
    "skrub._dataframe._common.",
    "skrub._table_vectorizer.",
    "skrub.selectors._selectors.",
)
_NAMES = frozenset(
    {
        "builtins.frozenset",
        "builtins.range",
        "collections.Counter",
        "collections.OrderedDict",
        "datetime.date",
        "datetime.datetime",
        "datetime.time",
        "datetime.timedelta",
        "datetime.timezone",
        "decimal.Decimal",
        "fractions.Fraction",
        "functools.partial",
        "numpy.clip",
        "numpy.dtype",
        "numpy.max",
        "numpy.mean",
        "numpy.median",
        "numpy.min",
        "numpy.nan_to_num",
        "numpy.round",
        "numpy.sum",
        "pandas.DatetimeTZDtype",
        "pandas.Interval",
        "pandas.Timedelta",
        "pandas.Timestamp",
        "scipy._lib.array_api_compat.numpy._aliases.asarray",
        "sklearn.cluster._kmeans._kmeans_single_elkan",
        "sklearn.cluster._kmeans._kmeans_single_lloyd",
        "sklearn.utils.validation.check_array",
    }
)


_LIGHTGBM = ("LGBMClassifier", "LGBMRanker", "LGBMRegressor")
_XGBOOST = ("XGBClassifier", "XGBRanker", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor")
_CATBOOST = ("CatBoost", "CatBoostClassifier", "CatBoostRanker", "CatBoostRegressor")
# They read their own format from their state. Their constructors may be given a path, so they are never called.
_BOOSTERS = frozenset(
    {
        "lightgbm.basic.Booster",
        "xgboost.core.Booster",
        *(f"lightgbm.sklearn.{name}" for name in _LIGHTGBM),
        *(f"xgboost.sklearn.{name}" for name in _XGBOOST),
        *(f"catboost.core.{name}" for name in _CATBOOST),
    }
)


def is_trusted(name: str) -> bool:
    """Whether a file may name this type or function.

    Examples
    --------
    >>> is_trusted("sklearn.tree._tree.Tree"), is_trusted("pandas.read_pickle"), is_trusted("posix.system")
    (True, False, False)
    """
    if name in _NAMES:
        return True
    if not name.startswith((*_ESTIMATORS, *_CLASSES, *_FUNCTIONS)):
        return False
    named = _resolved(name)
    home = f"{getattr(named, '__module__', '')}."  # else an import of that module would be trusted like its own
    if inspect.isclass(named):
        return home.startswith(_CLASSES) or (_is_estimator(named) and not home.startswith(_OTHER_ESTIMATORS))
    return callable(named) and home.startswith(_FUNCTIONS)


def trusted_types(estimator: bytes, also: Iterable[str]) -> list[str]:
    """The types of a stored estimator that skops may build beside its own defaults.

    Parameters
    ----------
    estimator : bytes
        In the format of skops.
    also : iterable of str
        Types that the model file trusts, and packages of users' code that may run; these are installed.
    """
    import skops.io

    skops_nodes.register()
    names, also = skops.io.get_untrusted_types(data=estimator), list(also)
    packages = tuple(f"{name}." for name in also if name.startswith(PREFIX))
    own = [name for name in names if name.startswith(packages)] if packages else []
    boosters = _BOOSTERS.intersection(names)
    uses = _uses(estimator) if own or boosters else {}
    types = {name for name in also if not name.startswith(PREFIX)}
    filled = {name for name in boosters if uses.get(name) == {"ObjectNode"}}
    users = {name for name in own if _is_of_user(name, uses.get(name, set()))}
    return sorted({*filter(is_trusted, names), *filled, *users, *types})


def _is_of_user(name: str, uses: set[str]) -> bool:
    """Whether a name is a class of a user's code, or a function of it that is only referred to, not called."""
    package, _, inner = name.partition(".")
    named = _resolved(name)
    if named is None and inspect.isclass(owner := _resolved(name.rpartition(".")[0])):  # of a bound method
        named = getattr(owner, inner.rpartition(".")[2], None)
    if not f"{getattr(named, '__module__', '')}.".startswith(f"{package}."):
        return False  # what a module imports is not its own
    return inspect.isclass(named) or (inspect.isroutine(named) and uses <= {"FunctionNode"})


def _uses(estimator: bytes) -> dict[str, set[str]]:
    """What skops does with each name: it refers to a function, fills an object, calls a constructor and so on."""
    with zipfile.ZipFile(io.BytesIO(estimator)) as file:
        waiting: list[Any] = [json.loads(file.read("schema.json"))]
    uses: dict[str, set[str]] = {}
    while waiting:
        node = waiting.pop()
        waiting += node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
        if isinstance(node, dict) and "__loader__" in node:
            uses.setdefault(f"{node.get('__module__')}.{node.get('__class__')}", set()).add(str(node["__loader__"]))
    return uses


def _resolved(name: str) -> Any:
    module, _, member = name.rpartition(".")
    try:
        return getattr(import_module(module), member, None)
    except ImportError:
        return None


def _is_estimator(named: type) -> bool:
    from sklearn.base import BaseEstimator

    return issubclass(named, BaseEstimator) and named.__module__.startswith(_ESTIMATORS)
