"""Libraries that report while they fit write neither to the terminal nor to the folder that a command runs in."""

import pytest
from catboost import CatBoostRegressor
from lightgbm import LGBMRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBRegressor

from evergreen.training import fitting


@pytest.mark.parametrize("kind", [LGBMRegressor, CatBoostRegressor, XGBRegressor])
@pytest.mark.parametrize("alone", [True, False])
def test_a_fit_leaves_nothing_on_the_terminal_or_in_the_folder(toy, rows, kind, alone, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    steps = [] if alone else [StandardScaler()]
    model = toy(estimator=lambda: make_pipeline(*steps, kind(n_estimators=2)) if steps else kind(n_estimators=2))
    fitting.predict(model, fitting.fit(model, rows(10)), rows(1))
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_who_asks_for_reports_gets_them(toy, rows, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fitting.fit(toy(estimator=lambda: CatBoostRegressor(n_estimators=2, verbose=1)), rows(10))
    assert "learn" in capfd.readouterr().out
