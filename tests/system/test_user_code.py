"""Transformers and functions that a data scientist writes in the model file, or in `lib/` beside it."""

import json
import os
import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from evergreen.definition import loader
from evergreen.errors import AlteredModelError, TrainingError
from evergreen.governance import code_record
from evergreen.governance.reproduction import reproduce
from evergreen.lake import audit_log
from evergreen.registry import client, reload, stored_code
from evergreen.registry.model_store import ESTIMATOR, digest
from evergreen.stores import Stores
from evergreen.training import fitting
from tests.altered_models import call, with_part, with_text
from tests.command_line import called
from tests.prepared_homes import refreshed
from tests.running_service import JANUARY, Service, promoted
from tests.running_system import until
from tests.system.test_reproduction import WEEKS
from tests.toy import day_of

OWN = """
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

def shifted(X):
    return X + 1

class Mine(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        self.inner_ = LinearRegression().fit(X, y)
        return self
    def predict(self, X):
        return self.inner_.predict(X)

def estimator():
    from lib.encoders import Centred
    return make_pipeline(Centred(), FunctionTransformer(shifted), Mine())

model = model.model_copy(update={"estimator": estimator})
"""
ENCODERS = """
from sklearn.base import BaseEstimator, TransformerMixin
from .maths import scaled

class Centred(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.means_ = {name: float(X[name].mean()) for name in X}
        return self
    def transform(self, X):
        return scaled(X - pd.Series(self.means_))
"""
MATHS = "def scaled(x):\n    return 2 * x\n"
ELSEWHERE = """
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression

class Line(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        self.inner_ = LinearRegression().fit(X, y)
        return self
    def predict(self, X):
        return self.inner_.predict(X)
"""
TAKEN = """
def estimator():
    from elsewhere import Line
    return Line()

model = model.model_copy(update={{"estimator": estimator, {line}}})
"""
pytestmark = pytest.mark.long


def write(models, maths=MATHS):
    (models / "lib").mkdir(exist_ok=True)
    (models / "lib" / "encoders.py").write_text(f"import pandas as pd\n{ENCODERS}")
    (models / "lib" / "maths.py").write_text(maths)


@pytest.fixture
def models(home, write_model):
    """A folder with the toy, whose estimator is made of its own code."""
    write_model(OWN)
    write(home.parent / "models")
    return home.parent / "models"


def answers(version):
    """What a version predicts, loaded from where it is stored."""
    client._LOADED.clear()
    rows = day_of(JANUARY[0])[["x", "z"]]
    return Stores.open().registry.load(version).predict(rows).tolist()


def test_own_code_is_trained_promoted_scored_and_reproduced_and_its_source_is_kept(models, tmp_path):
    refreshed(WEEKS[0])
    registry = Stores.open().registry
    champion = registry.champion("toy")
    assert code_record.read(registry, champion) == dict(loader.code_of("toy").files)
    assert champion.code_hash == loader.code_of("toy").digest
    assert set(json.loads(registry.text(champion, code_record.HASHES))) == {"toy.py", "lib/encoders.py", "lib/maths.py"}
    shutil.rmtree(models / "lib")
    models.joinpath("toy.py").write_text(models.joinpath("toy.py").read_text().split("from sklearn.base")[0])
    day_of(JANUARY[0]).to_csv(tmp_path / "rows.csv", index=False)
    done = called("score", "toy", "--input", str(tmp_path / "rows.csv"), "--output", str(tmp_path / "out.csv"))
    assert done.returncode == 0, done.stderr
    assert pd.read_csv(tmp_path / "out.csv")["prediction"].tolist() == pytest.approx(answers(champion))
    reproduction = reproduce(registry, "toy", champion.number)
    assert reproduction.same, reproduction.first
    assert "with lib/encoders.py, lib/maths.py" in " ".join(called("lineage", "toy").stdout.split())
    assert "with 2 modules that it imports" in reproduction.findings[0].detail


def test_a_version_keeps_its_code_when_a_module_changes_and_another_training_is_another_version(models):
    first = promoted(JANUARY)
    before, recipe = answers(first), loader.fingerprint("toy")
    write(models, MATHS.replace("2", "0"))
    assert loader.fingerprint("toy") != recipe
    second = promoted(JANUARY)
    assert answers(first) == before
    assert len(set(answers(second))) == 1 < len(set(before))


def test_a_version_of_own_code_gets_the_columns_that_it_was_fitted_on_when_the_features_change(models):
    first = promoted(JANUARY)
    toy = models / "toy.py"
    toy.write_text(f"{toy.read_text()}model = model.model_copy(update={{'features': {{'z': 'number'}}}})\n")
    client._LOADED.clear()
    rows = day_of(JANUARY[0])
    predictions = fitting.predict(loader.load("toy"), Stores.open().registry.load(first), rows)
    assert predictions.tolist() == answers(first)


@pytest.mark.slow
def test_mlflow_alone_loads_such_a_model(models):
    version = promoted(JANUARY)
    path = Stores.open().registry.path(version)
    rows = day_of(JANUARY[0])[["x", "z"]]
    command = f"import mlflow, json, sys; m = mlflow.pyfunc.load_model({path!r})\nimport pandas as pd\n"
    command += "print(json.dumps(m.predict(pd.read_json(sys.stdin)).tolist()))"
    done = subprocess.run([sys.executable, "-c", command], input=rows.to_json(), capture_output=True, text=True)
    assert json.loads(done.stdout) == pytest.approx(answers(version)), done.stderr


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("return FunctionTransformer(lambda X: X)", r"the lambda of models.toy, line \d+, cannot be found by its name"),
        (
            "\n    def inner(X):\n        return X\n    return FunctionTransformer(inner)",
            "`inner` of models.toy cannot be found by its name .*Write it as a `def` or a `class` at the top level",
        ),
        (
            "\n    class Local(FunctionTransformer):\n        pass\n    return Local()",
            "`Local` of models.toy cannot be found by its name",
        ),
        ("return Holding()", r"holder_\.held_\['a'\] is a generator, which skops cannot store"),
    ],
)
def test_what_has_no_name_is_refused_with_what_to_write(models, code, says):
    holding = (
        "class Held:\n    pass\nclass Holding(FunctionTransformer):\n    def fit(self, X, y=None):\n"
        "        self.holder_ = Held()\n        self.holder_.held_ = {'a': iter(()) and (i for i in ())}\n"
        "        return super().fit(X)\n"
    )
    text = f"{holding}def part():\n    {code}\ndef estimator():\n    return make_pipeline(part(), Mine())\n"
    toy = models / "toy.py"
    toy.write_text(toy.read_text() + f"\n{text}\nmodel = model.model_copy(update={{'estimator': estimator}})\n")
    with pytest.raises(TrainingError, match=f"toy: the estimator cannot be stored without pickle: .*{says}"):
        promoted(JANUARY)
    assert Stores.open().registry.versions("toy") == []


def test_altered_code_of_a_version_is_not_run(models, tmp_path):
    version = promoted(JANUARY)
    folder = Stores.open().registry.path(version)
    maths = next(stored_code.Path(folder).rglob("maths.py"))
    maths.write_text(f"{maths.read_text()}open({str(tmp_path / 'marker')!r}, 'w')\n")
    with pytest.raises(AlteredModelError, match="was altered after the model was registered"):
        answers(version)
    assert "was altered after the model was registered" in " ".join(called("doctor", "toy").stdout.split())
    assert not (tmp_path / "marker").exists()


def test_who_can_write_to_the_registry_alone_cannot_have_code_run(models, tmp_path):
    """The audit log in the lake says which code may run, and an altered name is none of the code's own."""
    version = promoted(JANUARY)
    registry = Stores.open().registry
    folder, package = stored_code.Path(registry.path(version)), loader.code_of("toy").package
    code = stored_code.Code.of_texts(
        dict(loader.code_of("toy").files) | {"lib/maths.py": f"open({str(tmp_path / 'marker')!r}, 'w')"}
    )
    stored_code.write(code, folder / "code")
    estimator = folder / ESTIMATOR
    estimator.write_bytes(with_text(estimator.read_bytes(), package, code.package))
    registry.tag(version, stored_hash=digest(folder))
    with pytest.raises(AlteredModelError, match="code that no training of this lake has recorded"):
        answers(registry.version("toy", version.number))
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("name", ["pd.eval", "shifted", "day_of"])
def test_a_stored_model_cannot_call_functions_of_its_code(models, name):
    version = promoted(JANUARY)
    registry = Stores.open().registry
    folder, module = stored_code.Path(registry.path(version)), f"{loader.code_of('toy').package}.toy"
    estimator = folder / ESTIMATOR
    called_by_name = call(*(f"{module}.{name}").rsplit(".", 1), "1")
    estimator.write_bytes(with_part(estimator.read_bytes(), called_by_name))
    registry.tag(version, stored_hash=digest(folder))
    with pytest.raises(AlteredModelError, match="needs types that are not trusted"):
        answers(registry.version("toy", version.number))


def test_code_of_an_earlier_file_runs_because_the_audit_log_holds_it(models):
    version = promoted(JANUARY)
    stores = Stores.open()
    acts = [line for line in audit_log.read(stores.lake, "toy") if line.act == "code"]
    assert [line.subject for line in acts] == [version.code_hash or loader.code_of("toy").digest]
    assert json.loads(acts[0].detail)["files"] == "lib/encoders.py, lib/maths.py, toy.py"


def test_the_folder_of_models_may_have_a_space_and_quotes_in_its_name(home, models, monkeypatch, tmp_path):
    there = tmp_path / "my 'own' models"
    shutil.move(models, there)
    monkeypatch.setenv("EVERGREEN_MODELS", str(there))
    assert len(answers(promoted(JANUARY))) == 50


@pytest.mark.slow
def test_the_service_runs_two_versions_with_different_code_and_needs_no_file(models):
    registry = Stores.open().registry
    first = promoted(JANUARY)
    write(models, MATHS.replace("return 2 * x", "return x * 0"))
    second = promoted(JANUARY)
    registry.alias(first, "champion")
    registry.challenge(second, 0.5)
    service = Service()
    try:
        service.wait(first)
        shutil.rmtree(models / "lib")
        asked = [{"id": f"r{number}", "x": float(number), "z": 0.0} for number in range(40)]
        body = {"dataframe_records": asked}

        def predictions():
            return len(set(service.ask("/models/toy/invocations", body)[1]["predictions"]))

        until(lambda: 1 < predictions() < 40, "both versions to predict", 30)  # the canary, the same for all rows
    finally:
        service.stop()


def test_the_line_that_a_refusal_gives_is_all_that_a_type_of_another_package_needs(
    home, write_model, tmp_path, monkeypatch
):
    (tmp_path / "elsewhere.py").write_text(ELSEWHERE)
    reload.helper.cache_clear()  # one that an earlier test started looks for packages elsewhere
    monkeypatch.syspath_prepend(tmp_path)  # of this process
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    write_model(TAKEN.format(line=""))
    assert called("ingest", "toy", "--as-of", "2013-01-29").returncode == 0
    refused = called("train", "toy", "--as-of", "2013-01-29")
    said = " ".join(refused.stderr.split())
    [line] = re.findall(r"trusted=(\[[^]]+\])", said)
    assert (refused.returncode, line) == (1, "['elsewhere.Line']")
    write_model(TAKEN.format(line=f"'trusted': {line}"))
    done = called("train", "toy", "--as-of", "2013-01-29")
    assert done.returncode == 0, done.stderr
    day_of(pd.Timestamp("2013-01-29", tz="UTC")).drop(columns="y").to_csv(tmp_path / "given.csv", index=False)
    scored = called("score", "toy", "--input", str(tmp_path / "given.csv"), "--output", str(tmp_path / "out.csv"))
    assert scored.returncode == 0, scored.stderr
    assert len(pd.read_csv(tmp_path / "out.csv")) == 50
