"""What a variant changes in the model file: a diff that applies, and says just what the variant is."""

import subprocess

import pytest

from evergreen.definition import loader
from evergreen.experiments import source_change
from evergreen.experiments.variant import Variant

FILE = '''
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from evergreen import Call, Model, Training


def rows(since, until):
    """Grüße."""


def estimator(positive=False):
    return make_pipeline(StandardScaler(), Ridge(alpha=2.0, positive=positive))


model = Model(
    name="toy", task="regression", source=Call(function=rows, start="2013-01-01"), key="id", time="at", target="y",
    features=dict.fromkeys(["x", "z"], "number"), estimator=estimator,
    training=Training(window="21d", holdout="7d"),  # Grüße: not "21d"
)
'''


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "models" / "toy.py"
    path.parent.mkdir()
    path.write_text(FILE)
    monkeypatch.setenv("EVERGREEN_MODELS", str(path.parent))
    return path


@pytest.mark.parametrize(
    ("settings", "added"),
    [
        ("training.window=56d", '+    training=Training(window="56d", holdout="7d"),  # Grüße: not "21d"'),
        ("training.window=none", '+    training=Training(window=None, holdout="7d"),  # Grüße: not "21d"'),
        ("training.half_life=9d", '+    training=Training(window="21d", holdout="7d", half_life="9d"),'),
        ("estimator.alpha=0.5", "Ridge(alpha=0.5, positive=positive))"),
        ("estimator.ridge__alpha=0.5", "Ridge(alpha=0.5, positive=positive))"),
        ("estimator.max_iter=50", "Ridge(alpha=2.0, positive=positive, max_iter=50))"),
        ("estimator.with_mean=False", "make_pipeline(StandardScaler(with_mean=False), Ridge("),
    ],
)
def test_a_setting_is_a_line_of_the_diff_that_git_applies(file, settings, added):
    variant = Variant.of_settings("toy", settings)
    diff = source_change.diff(variant)
    assert [line for line in diff.splitlines() if line.startswith("+") and added in line], diff
    subprocess.run(["git", "apply"], input=diff + "\n", text=True, cwd=file.parent.parent, check=True)
    got, wanted = loader.load("toy"), Variant("v", file, FILE, settings).load()
    assert got.training == wanted.training
    assert repr(got.estimator()) == repr(wanted.estimator())


def test_two_settings_are_one_diff(file):
    diff = source_change.diff(Variant.of_settings("toy", "training.window=56d,estimator.alpha=0.5"))
    added = [line for line in diff.splitlines() if line.startswith("+")]
    assert len(added) == 3


def test_what_is_made_by_code_is_said_in_words(file):
    for settings, words in (
        ("features.z=none", "# In the model file, set features.z to None."),
        ("seed=3", "# In the model file, set seed to 3."),
        ("estimator.positive=True", None),
    ):
        diff = source_change.diff(Variant.of_settings("toy", settings))
        assert diff == words or (words is None and diff)


def test_a_file_is_the_difference_of_both_texts(file, tmp_path):
    other = tmp_path / "variant.py"
    other.write_text(FILE.replace("alpha=2.0", "alpha=9"))
    diff = source_change.diff(Variant.of_file("toy", other))
    assert "-    return make_pipeline(StandardScaler(), Ridge(alpha=2.0, positive=positive))" in diff
    assert diff.startswith("--- a/models/toy.py\n+++ b/models/toy.py\n")
    other.write_text(FILE)
    assert source_change.diff(Variant.of_file("toy", other)) == ""
