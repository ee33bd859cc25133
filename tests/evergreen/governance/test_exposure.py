"""Exposure: which ports and files should not be open as they are."""

import pytest

from evergreen.governance.exposure import examine, judged
from evergreen.governance.listeners import Listener
from evergreen.settings import Settings


@pytest.mark.parametrize(
    ("address", "part", "key", "problem", "close"),
    [
        ("127.0.0.1", "Prefect's server", "needed", "", "Closed to callers without a key."),
        ("127.0.0.1", "Prefect's server", "none", "Every web page", "Stop `evergreen up`, and start it again"),
        ("127.0.0.1", "Prefect's worker", "needed", "", "Closed to callers without a key."),
        ("127.0.0.1", "MLflow's server", "none", "", "`evergreen up --no-mlflow`"),
        ("127.0.0.1", "prediction service", "none", "", "`evergreen key`"),
        ("127.0.0.1", "web UI", "none", "", "`evergreen up --no-ui`"),
        ("::1", "prediction service", "none", "", "`evergreen key`"),
        ("10.0.0.1", "prediction service", "none", "Other machines", "`evergreen key`"),
        ("0.0.0.0", "prediction service", "needed", "", "Closed to callers without a key."),
        ("127.0.0.1", "", "unknown", "", "End process 7"),
        ("0.0.0.0", "", "unknown", "Other machines can call it, and it is not known", "End process 7"),
    ],
)
def test_a_port_that_others_can_call_without_a_key_is_a_problem(address, part, key, problem, close):
    port = judged(Listener(address, 8100, 7, part, key))
    assert (port.problem.startswith(problem), bool(port.problem)) == (True, bool(problem))
    assert close in port.close


def test_files_that_others_can_read_or_change_are_a_problem(home, tmp_path, monkeypatch):
    secret, lake, models = home / "secret", tmp_path / "lake", tmp_path / "models"
    monkeypatch.setenv("EVERGREEN_LAKE", str(lake))
    monkeypatch.setenv("EVERGREEN_MODELS", str(models))
    lake.mkdir()
    models.mkdir()
    for file in (secret, models / "toy.py"):
        file.touch()
    for path, mode in ((home, 0o755), (secret, 0o640), (lake, 0o770), (models, 0o755), (models / "toy.py", 0o666)):
        path.chmod(mode)
    found = examine(Settings.read(), {secret: "a secret", home / "none": "nothing"}, 2)
    assert {file.path: bool(file.problem) for file in found.files} == {
        str(home): True,
        str(lake): False,
        str(secret): True,
        str(models): False,
        str(models / "toy.py"): True,
    }
    assert (found.problems, found.keys) == ([file.problem for file in found.files if file.problem], 2)
    assert (found.processes, found.ports) == ([], [])


def test_settings_of_the_project_that_others_can_change_are_a_problem(home, tmp_path, monkeypatch):
    home.chmod(0o700)
    (tmp_path / "environments").mkdir()
    files = [tmp_path / "pyproject.toml", tmp_path / "environments" / "staging.env"]
    for file in files:
        file.touch()
    monkeypatch.setenv("EVERGREEN_PROJECT", str(tmp_path))
    assert examine(Settings.read(), {}, 0).problems == []
    for file in files:
        file.chmod(0o666)
    assert [problem.split()[0] for problem in examine(Settings.read(), {}, 0).problems] == [str(file) for file in files]
