"""Settings: one home unless the environment says otherwise, read when asked for, never at import."""

import os
from pathlib import Path

import pytest

from evergreen.project import CODE
from evergreen.settings import Settings, embed


def test_everything_lies_in_the_home(home):
    assert Settings.read() == Settings(
        home, f"{home}/lake", f"sqlite:///{home}/mlflow.db", CODE / "models", artifacts=f"file://{home}/artifacts"
    )


@pytest.mark.parametrize(
    ("variable", "value", "field", "expected"),
    [
        ("EVERGREEN_LAKE", "s3://bucket/lake", "lake", "s3://bucket/lake"),
        ("MLFLOW_TRACKING_URI", "https://mlflow.example", "tracking_uri", "https://mlflow.example"),
        ("EVERGREEN_MODELS", "/srv/models", "models", Path("/srv/models")),
        ("EVERGREEN_MODELS", "mine", "models", Path("mine").absolute()),
        ("EVERGREEN_HOME", "state", "home", Path("state").absolute()),
        ("EVERGREEN_HOME", "", "home", CODE / ".evergreen"),
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
    assert (tmp_path / "new" / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize(
    ("home", "lake", "made"),
    [
        (None, None, (0o700, 0o600)),
        (0o755, None, (0o755, 0o600)),  # of an earlier release
        (0o775, 0o777, (0o775, 0o600)),
        (0o700, 0o2770, (0o700, 0o660)),  # a lake that a group shares
        (0o750, None, (0o750, 0o640)),
    ],
)
def test_only_the_group_of_a_shared_folder_can_read_what_is_made(tmp_path, monkeypatch, home, lake, made):
    for variable, name, mode in (("EVERGREEN_HOME", "home", home), ("EVERGREEN_LAKE", "lake", lake)):
        monkeypatch.setenv(variable, str(tmp_path / name))
        if mode:
            (tmp_path / name).mkdir()
            (tmp_path / name).chmod(mode)
    before = os.umask(0o022)
    try:
        embed()
        (tmp_path / "made").touch()
    finally:
        os.umask(before)
    assert tuple((tmp_path / name).stat().st_mode & 0o777 for name in ("home", "made")) == made
