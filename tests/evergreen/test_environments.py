"""Environments: settings of a file, for what the process's own environment has not set; no secrets."""

import os

import pytest

from evergreen.errors import ProjectError
from evergreen.settings import Settings, embed

STAGING = """
# a comment = none

EVERGREEN_HOME=.evergreen/staging
EVERGREEN_LAKE = s3://bucket/staging
PREFECT_API_URL="https://prefect.example.org/api"
EVERGREEN_ALERTS=
"""


@pytest.fixture
def environ(tmp_path, monkeypatch):
    """The variables of a process in a project with two environments."""
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "staging.env").write_text(STAGING)
    (tmp_path / "environments" / "production.env").write_text("EVERGREEN_HOME=/srv/production\n")
    given = {"EVERGREEN_PROJECT": str(tmp_path), "EVERGREEN_ENV": "staging"}
    monkeypatch.setattr(os, "environ", given)
    return given


def test_the_settings_of_the_chosen_environment_are_used(environ, tmp_path):
    embed()
    settings = Settings.read()
    assert (settings.home, settings.lake) == (tmp_path / ".evergreen" / "staging", "s3://bucket/staging")
    assert settings.models == tmp_path / "models"
    assert environ["PREFECT_API_URL"] == "https://prefect.example.org/api"
    assert environ["PREFECT_HOME"] == f"{tmp_path}/.evergreen/staging/prefect"
    assert "EVERGREEN_ALERTS" not in environ


def test_what_the_process_itself_sets_comes_before(environ, tmp_path):
    environ["EVERGREEN_HOME"] = str(tmp_path / "mine")
    embed()
    assert Settings.read().home == tmp_path / "mine"
    assert Settings.read().lake == "s3://bucket/staging"


@pytest.mark.parametrize("name", ["stagin", "../environments/staging", "staging.env"])
def test_an_unknown_environment_is_an_error_that_lists_those_there_are(environ, name):
    environ["EVERGREEN_ENV"] = name
    with pytest.raises(ProjectError, match=r"no environment .*Environments: production, staging"):
        embed()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("EVERGREEN_HOME /srv", "line 1 is no setting"),
        ("export EVERGREEN_HOME=/srv", "line 1 is no setting"),
        ("MLFLOW_TRACKING_URI=postgresql://me:hush@there/mlflow", "MLFLOW_TRACKING_URI is a secret"),
        ("PREFECT_API_AUTH_STRING=hush", "PREFECT_API_AUTH_STRING is a secret"),
        ("AWS_SECRET_ACCESS_KEY=hush", "AWS_SECRET_ACCESS_KEY is a secret"),
    ],
)
def test_a_line_that_is_no_setting_or_a_secret_is_refused_and_the_secret_not_shown(environ, tmp_path, line, expected):
    (tmp_path / "environments" / "staging.env").write_text(line)
    with pytest.raises(ProjectError, match=expected) as refused:
        embed()
    assert "hush" not in str(refused.value)


def test_a_mark_at_the_beginning_of_a_file_is_no_part_of_a_setting(environ, tmp_path):
    (tmp_path / "environments" / "staging.env").write_text("EVERGREEN_HOME=a\n", encoding="utf-8-sig")
    embed()
    assert Settings.read().home == tmp_path / "a"


@pytest.mark.parametrize(("value", "home"), [("~/a", "user/a"), ("~no-such-user/a", "~no-such-user/a")])
def test_a_path_may_begin_in_the_home_folder_of_the_user(environ, tmp_path, value, home):
    (tmp_path / "environments" / "staging.env").write_text(f"EVERGREEN_HOME={value}\n")
    environ["HOME"] = str(tmp_path / "user")
    embed()
    assert Settings.read().home == tmp_path / home


def test_a_file_in_another_encoding_is_told(environ, tmp_path):
    (tmp_path / "environments" / "staging.env").write_bytes("# für alle\n".encode("cp1252"))
    with pytest.raises(ProjectError, match=r"staging.env is not in UTF-8: .* at byte 3"):
        embed()


def test_a_secret_that_is_named_but_left_empty_is_none(environ, tmp_path):
    (tmp_path / "environments" / "staging.env").write_text("PREFECT_API_AUTH_STRING=\n")
    embed()
    assert "PREFECT_API_AUTH_STRING" not in environ
