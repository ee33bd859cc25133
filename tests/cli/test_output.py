"""What commands that run on print, such as `evergreen up`."""

import pytest

from cli.output import tell

SIGN_IN = "           To sign in, once in each browser: paste the text of home/ab/up.secret into the field 'admin:pass'"
MLFLOW = "  MLflow   http://127.0.0.1:4312  (models, their runs and artifacts; it starts slowly)"
EXPORT = '  export PREFECT_API_AUTH_STRING="$(cat ../a-long-name/of-the-folder/in-which/evergreen-lies/up.secret)"'


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (MLFLOW, [MLFLOW.removesuffix(" slowly)"), "           slowly)"]),
        (SIGN_IN, [SIGN_IN.partition(" into")[0], "           into the field 'admin:pass'"]),
        (EXPORT, [EXPORT]),
        ("short", ["short"]),
    ],
    ids=["below what its label names", "in its column", "a line to copy", "one that fits"],
)
def test_words_stay_whole_on_a_terminal_of_80_columns(monkeypatch, capsys, line, shown):
    monkeypatch.setenv("COLUMNS", "80")
    tell(line)
    assert capsys.readouterr().out == f"{line}\n"  # for a program, or a file
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    tell(line)
    assert capsys.readouterr().out.splitlines() == shown
