"""A forest as tables gives what treelite gives, on its thresholds too, or is not made."""

import numpy as np
import pytest
import treelite
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from treelite import gtil

from serving.inference import quickscorer
from serving.inference.quickscorer import Leaves

ROWS = 3_000


def table(categories, gaps):
    chance = np.random.default_rng(4)
    numbers = chance.normal(size=(ROWS, 3)).round(2)
    if gaps:
        numbers[chance.random(numbers.shape) < 0.1] = np.nan
    rows = np.hstack([chance.integers(0, 40, size=(ROWS, categories)), numbers])
    label = np.nan_to_num(rows[:, -1]) + np.nan_to_num(rows[:, 0]) % 3 + np.isnan(rows[:, -2])
    return rows, label


def boosted(kind, leaves_each, categories=0, *, gaps=True, classes=0, **more):
    rows, label = table(categories, gaps)
    label = np.digitize(label, np.quantile(label, np.arange(1, classes) / classes)) if classes else label
    some = kind(max_iter=20, max_leaf_nodes=leaves_each, categorical_features=list(range(categories)), **more)
    return some.fit(rows, label), rows


def gradient_boosted():
    rows, label = table(0, gaps=False)
    return GradientBoostingClassifier(n_estimators=20).fit(rows, label > 1), rows


FORESTS = {
    "numbers and gaps": lambda: boosted(HistGradientBoostingRegressor, 31),
    "no gaps": lambda: boosted(HistGradientBoostingRegressor, 31, gaps=False),
    "categories": lambda: boosted(HistGradientBoostingRegressor, 31, 2),
    "two classes": lambda: boosted(HistGradientBoostingClassifier, 31, 2, classes=2),
    "three classes": lambda: boosted(HistGradientBoostingClassifier, 31, 2, classes=3),
    "as many leaves as bits": lambda: boosted(HistGradientBoostingRegressor, 64, 1, min_samples_leaf=2),
    "gradient boosting": gradient_boosted,
    "stumps": lambda: boosted(HistGradientBoostingRegressor, 2),
    "nothing to split": lambda: boosted(HistGradientBoostingRegressor, 31, min_samples_leaf=ROWS),
}


@pytest.fixture(params=FORESTS, scope="module")
def grown(request):
    estimator, rows = FORESTS[request.param]()
    return treelite.sklearn.import_model(estimator), rows


def edges(forest, rows):
    """The rows again, each value replaced by a threshold of its column, the number next to it, or none."""
    chance, trees = np.random.default_rng(5), [forest.get_tree_accessor(number) for number in range(forest.num_tree)]
    column = np.concatenate([tree.get_field("split_index") for tree in trees])
    at = np.concatenate([tree.get_field("threshold") for tree in trees])
    sets = np.concatenate([tree.get_field("node_type") == 2 for tree in trees])
    changed = rows.copy()
    for place in range(rows.shape[1]):
        limits = np.unique(at[(column == place) & ~sets])
        limits = limits[np.isfinite(limits)]
        near = np.concatenate([limits, np.nextafter(limits, -np.inf), np.nextafter(limits, np.inf), [np.nan]])
        whole = np.append(np.arange(256.0), np.nan)
        pool = whole if sets[column == place].any() else near
        chosen = chance.random(len(rows)) < 0.7
        changed[chosen, place] = chance.choice(pool, chosen.sum())
    return changed


def test_it_gives_what_treelite_gives(grown):
    forest, rows = grown
    tables = quickscorer.tabulated(forest)
    assert tables
    for sample in (rows, edges(forest, rows)):
        expected = gtil.predict(forest, sample, nthread=1, pred_margin=True).reshape(len(sample), -1)
        assert np.abs(tables.scores(sample) - expected).max() < 1e-12


def test_a_row_is_answered_alike_with_any_other_rows_beside_it(grown):
    forest, rows = grown
    tables = quickscorer.tabulated(forest)
    alone = np.concatenate([tables.scores(rows[at : at + 1]) for at in range(50)])
    assert (alone == tables.scores(rows)[:50]).all()
    assert tables.scores(rows[:0]).shape == (0, alone.shape[1])


def test_it_is_stored(grown, tmp_path):
    forest, rows = grown
    tables = quickscorer.tabulated(forest)
    tables.save(tmp_path / "leaves.npz")
    assert (Leaves.load(tmp_path / "leaves.npz").scores(rows) == tables.scores(rows)).all()


@pytest.mark.parametrize(
    "estimator",
    [
        HistGradientBoostingRegressor(max_iter=5, max_leaf_nodes=65, min_samples_leaf=2),
        ExtraTreesRegressor(n_estimators=3),
        RandomForestClassifier(n_estimators=3, max_depth=3),
    ],
    ids=["too many leaves", "an average", "probabilities at the leaves"],
)
def test_other_forests_are_left_to_treelite(estimator):
    rows, label = table(0, gaps=False)
    fitted = estimator.fit(rows, label > 1 if isinstance(estimator, RandomForestClassifier) else label)
    assert quickscorer.tabulated(treelite.sklearn.import_model(fitted)) is None


def test_a_table_that_would_be_too_large_is_not_made(monkeypatch):
    forest = treelite.sklearn.import_model(gradient_boosted()[0])
    assert quickscorer.tabulated(forest)
    monkeypatch.setattr(quickscorer, "_LARGEST", 100)
    assert quickscorer.tabulated(forest) is None
