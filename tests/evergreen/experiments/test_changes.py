"""Changes of single settings: what they are read as, what they do, and what cannot be changed."""

from datetime import timedelta

import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from evergreen import Search, Training
from evergreen.errors import ExperimentError, TrainingError
from evergreen.experiments.changes import Change, applied, parse
from tests import toy


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("training.window=56d", [(("training", "window"), "56d")]),
        ("training.window = none , seed=3", [(("training", "window"), None), (("seed",), 3)]),
        ("estimator.alpha=1e-3", [(("estimator", "alpha"), 0.001)]),
        ("estimator.positive=true", [(("estimator", "positive"), True)]),
        ("estimator.sizes=[8, 4],seed=1", [(("estimator", "sizes"), [8, 4]), (("seed",), 1)]),
        ("estimator.words=a, b", [(("estimator", "words"), "a, b")]),
        ("features.Snow (cm), new=none,seed=1", [(("features", "Snow (cm), new"), None), (("seed",), 1)]),
        ("features.a.b=c=number", [(("features", "a.b=c"), "number")]),
    ],
)
def test_what_is_read(text, found):
    assert parse(text) == [Change(*change) for change in found]


@pytest.mark.parametrize("text", ["", "training.window", "=3", "training.=3", "a b=3"])
def test_what_is_no_change(text):
    with pytest.raises(ExperimentError, match=r"--set takes part\.setting=value"):
        parse(text)


def changed(text, model=toy.model):
    return applied(model, parse(text))


def test_a_setting_is_checked_as_in_a_model_file_and_leaves_the_others():
    model = changed("training.window=56d,training.half_life=14d,features.z=none,seed=5")
    assert model.training == Training(window="56d", holdout="7d", half_life="14d")
    assert list(model.features) == ["x"]
    assert model.extra == {"side": "category", "z": "number"}
    assert model.seed == 5
    assert (model.gates, model.policy, model.contract) == (toy.model.gates, toy.model.policy, toy.model.contract)
    assert toy.model.training.window == timedelta(days=21)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training.windw=3d", r"There is no setting training\.windw\. Did you mean window"),
        ("trainin.window=3d", r"There is no setting trainin\.window\. Did you mean training"),
        ("training.window=soon", r"training\.window=soon: .*duration"),
        ("training.min_rows=1", r"training\.min_rows=1: .*greater than or equal to 2"),
        ("training=3", r"training=3: "),
        ("seed.more=3", r"There is no setting seed\.more: seed is one value"),
        ("training.window.more=3", r"There is no setting training\.window\.more"),
        ("training..window=3", r"There is no setting training\.\.window"),
        ("gates.margin=1", r"gates\.margin cannot be changed by --set: .*--file"),
        ("target=x", r"target cannot be changed by --set"),
        ("features.z=numbre", r"features\.z=numbre: unknown kind 'numbre'"),
        ("features.zz=none", r"There is no setting features\.zz\. Did you mean z"),
        ("estimator=3", r"name one parameter of the estimator"),
        ("estimator.fit_intercep=true", r"There is no setting estimator\.fit_intercep\. Did you mean fit_intercept"),
    ],
)
def test_what_cannot_be_changed_is_told(text, message):
    with pytest.raises(ExperimentError, match=message):
        changed(text)


def piped(alpha=1.0):
    return make_pipeline(StandardScaler(), StandardScaler(), Ridge(alpha=alpha))


def of(estimator, **training):
    return toy.model.model_copy(update={"estimator": estimator, "training": Training(**training)})


def test_a_parameter_of_the_estimator_is_an_argument_of_its_function_or_found_inside():
    assert changed("estimator.alpha=3", of(piped)).estimator()[-1].alpha == 3
    assert changed("estimator.alpha=3", of(piped)).estimator(alpha=7)[-1].alpha == 3  # a search does not undo it
    assert changed("estimator.ridge__max_iter=5", of(piped)).estimator()[-1].max_iter == 5
    both = changed("estimator.max_iter=5,estimator.alpha=2", of(piped)).estimator()[-1]
    assert (both.max_iter, both.alpha) == (5, 2)


def test_a_parameter_of_two_steps_is_to_be_named_in_full():
    with pytest.raises(ExperimentError, match=r"may be standardscaler-1__with_mean, standardscaler-2__with_mean"):
        changed("estimator.with_mean=false", of(piped))


def test_an_estimator_that_cannot_be_made_is_told():
    def needs(depth):
        return Ridge(alpha=depth)

    searched = of(needs, search=Search(space=lambda trial: {"depth": 1}))
    with pytest.raises(TrainingError, match="the estimator raised"):
        changed("estimator.alpha=3", searched)
    assert changed("estimator.depth=3", searched).estimator().alpha == 3
