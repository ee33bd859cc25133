"""Settings: one home unless the environment says otherwise, read when asked for, never at import."""

import os
from pathlib import Path

import pytest

from evergreen.settings import CHECKOUT, Settings, embed


def test_everything_lies_in_the_home(home):
    assert Settings.read() == Settings(home, f"{home}/lake", f"sqlite:///{home}/mlflow.db", CHECKOUT / "models")


@pytest.mark.parametrize(
    ("variable", "value", "field", "expected"),
    [
        ("EVERGREEN_LAKE", "s3://bucket/lake", "lake", "s3://bucket/lake"),
        ("MLFLOW_TRACKING_URI", "https://mlflow.example", "tracking_uri", "https://mlflow.example"),
        ("EVERGREEN_MODELS", "/srv/models", "models", Path("/srv/models")),
        ("EVERGREEN_MODELS", "mine", "models", Path("mine").absolute()),
        ("EVERGREEN_HOME", "state", "home", Path("state").absolute()),
        ("EVERGREEN_HOME", "", "home", CHECKOUT / ".evergreen"),
        ("EVERGREEN_ALERTS", "", "alerts", ()),
        ("EVERGREEN_ALERTS", "slack-webhook/ops, chat/pager,", "alerts", ("slack-webhook/ops", "chat/pager")),
    ],
)
def test_a_variable_moves_its_part(monkeypatch, variable, value, field, expected):
    monkeypatch.setenv(variable, value)
    assert getattr(Settings.read(), field) == expected


def test_the_environment_is_read_each_time_and_nothing_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("EVERGREEN_HOME", str(tmp_path / "later"))
    assert Settings.read().lake == str(tmp_path / "later" / "lake")
    assert not (tmp_path / "later").exists()


def test_libraries_keep_their_state_in_the_home_unless_they_were_told_otherwise(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "environ", {"EVERGREEN_HOME": str(tmp_path / "new"), "MPLCONFIGDIR": "/elsewhere"})
    embed()
    assert os.environ["PREFECT_HOME"] == f"{tmp_path}/new/prefect"
    assert os.environ["DO_NOT_TRACK"] == "1"
    assert os.environ["MPLCONFIGDIR"] == "/elsewhere"
    assert (tmp_path / "new").is_dir()
