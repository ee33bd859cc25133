"""The command line as its user meets it: exit codes, one sentence an error, and the loop by real processes."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from cli.main import COMMANDS, app
from cli.output import browse
from cli.parameters import command_name
from evergreen.lifecycle.status import status
from evergreen.stores import Stores
from tests.command_line import called, run


def commands(group: typer.core.TyperGroup) -> Iterator[tuple[str, str | None]]:
    """Every command by the words that call it, and what it says of itself."""
    for name, command in group.commands.items():
        yield name, command.help
        if isinstance(command, typer.core.TyperGroup):
            yield from ((f"{name} {words}", help) for words, help in commands(command))


@pytest.mark.parametrize(("words", "help"), commands(typer.main.get_command(app)))
def test_every_command_has_help(words, help):
    result = CliRunner().invoke(app, [*words.split(), "--help"])
    assert result.exit_code == 0
    assert "Usage: " in result.stdout
    assert help


RUN_UNTIL_STOPPED = {"up", "serve", "ui"}


def leaves(group):
    for command in group.commands.values():
        yield from leaves(command) if isinstance(command, typer.core.TyperGroup) else [command]


def test_a_help_page_has_lines_to_read_in_a_terminal_of_200_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert max(map(len, run("score", "--help").stdout.splitlines())) == 100
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, run("score", "--help").stdout.splitlines())) == 80


def test_what_an_option_takes_stands_in_one_line_of_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for command in (command for some in COMMANDS.values() for command in some):
        page = CliRunner().invoke(app, [command_name(command), "--help"]).output
        assert "Show this message" in page
        lines = page.replace(">=", "").replace("<=", "").splitlines()
        assert all(line.count("<") == line.count(">") for line in lines), page


def test_every_command_that_ends_prints_json_by_the_same_flag():
    for command in leaves(typer.main.get_command(app)):
        flags = [option for option in command.params if "--json" in option.opts]
        assert [option.is_flag for option in flags] == [True] * (command.name not in RUN_UNTIL_STOPPED), command.name


def test_a_key_and_its_line_are_json_for_a_program():
    made = json.loads(run("key", "--json").stdout)
    assert made["models"] == []
    assert made["key"] not in made["line"]


def test_the_command_line_is_a_process_of_its_own():
    done = run("--help")
    assert done.returncode == 0
    assert "status" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("train", "nobody"), 1, "There is no model 'nobody'"),
        (("verdict", "toy"), 1, "toy has no version 'challenger'"),
        (("quarantine", "show", "toy", "x"), 1, "has no batch 'x' in quarantine"),
        (("quarantine", "list", "nobody"), 1, "There is no model 'nobody'"),
        (("new", "sales", "--from", "http://127.0.0.1:9/x.parquet"), 1, "Cannot read http://127.0.0.1:9/x.parquet"),
        (("new", "sales", "--from", "s3://b/x.parquet"), 1, "Cannot read s3://b/x.parquet: Install s3fs"),
        (("rollback", "toy", "--reason", "why not"), 1, "toy has no champion yet"),
        (("rollback", "toy"), 2, "Missing option"),
        (("doctor", "toy", "--gates"), 1, "toy has no rows yet"),
        (("replay", "nobody"), 1, "There is no model 'nobody'"),
        (("replay", "toy"), 1, "toy has no rows yet"),
        (("replay", "toy", "--price", "-1"), 2, "Invalid value"),
        (("approve", "toy", "--reason", "good"), 1, "No version of toy is pending approval"),
        (("refuse", "toy@3", "--reason", "bad"), 1, "toy has no version '3'"),
        (("approve", "toy"), 2, "Missing option"),
        (("challenge", "toy", "--judge"), 1, "No version of toy runs as shadow or canary"),
        (("challenge", "toy", "--judge", "--share", "0.1"), 2, "evaluates the running"),
        (("challenge", "toy", "--as-of", "2013-02-01"), 2, "--as-of goes with --judge"),
        (("reproduce", "toy"), 1, "toy has no version 'champion'"),
        (("reproduce", "nobody@1"), 1, "There is no model 'nobody'"),
        (("card", "toy@1"), 1, "toy has no version '1'"),
        (("trace", "toy", "--batch", "b"), 1, "toy has no batch 'b'"),
        (("trace", "toy", "--prediction", "p"), 1, "toy has no prediction 'p' in its log"),
        (("trace", "toy", "--prediction", "p", "--batch", "b"), 2, "exclude each other"),
        (("audit", "nobody"), 1, "There is no model 'nobody'"),
        (("forget", "--model", "toy", "--key", "who=1", "--reason", "r", "--yes"), 1, "toy declares no column ['who']"),
        (("train",), 2, "Missing argument"),
        (("train", "toy", "--reason", "nobody knows"), 2, "'nobody knows' does not begin with"),
        (("refresh", "toy", "--reason", "database"), 2, "'database' does not begin with one"),
        (("ingest", "toy", "--as-of", "soon"), 2, "Invalid value"),
        (("demo", "--weeks", "1"), 2, "the first week trains the first model"),
    ],
)
def test_an_error_is_one_sentence_and_an_exit_code(home, server, words, code, says):
    done = called(*words)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("train", "toy"), 1, "toy has no rows yet"),
        (("train", "toy", "--reason", "nobody knows"), 2, "'nobody knows' does not begin with"),
        (("new", "sales", "--from", "http://127.0.0.1:9/x.parquet"), 1, "Cannot read http://127.0.0.1:9/x.parquet"),
    ],
)
def test_a_process_ends_with_the_sentence_and_the_code(home, server, words, code, says):
    done = run(*words)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert "leaked" not in done.stderr  # as DuckDB's binding says of what an error still holds at the end


@pytest.mark.parametrize(
    ("name", "address", "words", "says"),
    [
        (
            "EVERGREEN_LAKE",
            "foo://u:secret@bar",
            "ingest",
            "u:***@bar: Protocol not known: foo. Set EVERGREEN_LAKE",
        ),
        ("MLFLOW_TRACKING_URI", "postgresql://u:secret@h/db", "models", "No module named 'psycopg2'. Install"),
        ("MLFLOW_TRACKING_URI", "postgresql://u:sec@ret:secret@h/db", "models", "not the address of a store"),
        ("MLFLOW_TRACKING_URI", "postgres://u:secret@h/db", "models", "unsupported URI 'postgres://u:***@h/db'"),
    ],
    ids=["an unknown lake", "no driver", "a password that is not encoded", "an unknown store"],
)
def test_an_address_that_is_of_no_use_is_said_and_its_password_is_not(
    home, server, monkeypatch, name, address, words, says
):
    monkeypatch.setenv(name, address)
    done = called(words, "toy")
    assert done.returncode == 1
    (known,) = status(Stores.open(), pd.Timestamp.now("UTC"))
    for text in (done.stderr, known.note):
        assert says in text
        assert "Traceback" not in text
        assert "secret" not in text


@pytest.mark.long
def test_a_server_that_is_away_is_said(home, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    done = run("ingest", "toy")
    assert done.returncode == 1
    assert "start the Prefect server" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
@pytest.mark.parametrize("words", [("ingest", "toy"), ("deploy",)])
def test_a_server_that_asks_for_another_secret_is_said(home, monkeypatch, words):
    with refusing_server() as api:
        monkeypatch.setenv("PREFECT_API_URL", api)
        done = run(*words)
    assert (done.returncode, done.stderr.startswith("Error: Prefect's server refuses the request (401)")) == (1, True)
    assert "PREFECT_API_AUTH_STRING" in done.stderr
    assert "Traceback" not in done.stderr


@contextmanager
def refusing_server() -> Iterator[str]:
    """The API of a Prefect server that asks for a secret which nobody here knows."""

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            body = b"true" if self.path.endswith("/health") else b'{"exception_message":"Unauthorized"}'
            self.send_response(200 if self.path.endswith("/health") else 401)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Keep it off the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/api"
    server.shutdown()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model = (", "broken.py, line 1"),
        ("from evergreen import Model\nmodel = Model(name='broken')", "broken.py: task: Field required"),
        ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("raise RuntimeError('one\\ntwo')", "RuntimeError: one two"),
        ("", "defines no `model`"),
    ],
    ids=["no Python", "no definition", "a package that is not there", "it raises, in two lines", "empty"],
)
def test_a_broken_model_file_is_called_broken_in_a_line_and_hides_no_other(home, text, says):
    (home.parent / "models" / "broken.py").write_text(text)
    notes = {state.model: state.note for state in status(Stores.open(), pd.Timestamp.now("UTC"))}
    assert notes["toy"] == ""
    assert notes["broken"].startswith("broken: ")
    assert says in notes["broken"]
    assert "\n" not in notes["broken"]


@pytest.mark.long
def test_the_loop_from_the_command_line(home, server):
    quiet = run("ingest", "toy", "--as-of", "2013-01-29", "--json")
    assert [batch["fate"] for batch in json.loads(quiet.stdout)] == ["landed"] * 4
    (known,) = status(Stores.open(), pd.Timestamp.now("UTC"))
    assert (known.newest[:16], known.watermark[:16]) == ("2013-01-28T16:20", "2013-01-29T00:00")
    trained = run("train", "toy", "--as-of", "2013-01-29", "--reason", "drift: y by 0.2", "--json")
    assert trained.returncode == 0
    assert json.loads(trained.stdout)["decision"] == "promote"
    again = called("train", "toy", "--as-of", "2013-01-29")
    assert again.returncode == 0
    assert again.stdout.startswith("toy: no training\nNothing was trained")
    assert called("verdict", "toy", "--version", "champion").returncode == 0
    assert called("gate", "toy", "--version", "champion").returncode == 0
    assert called("doctor", "toy", "--gates").returncode == 0
    (home.parent / "models" / "zoo.py").write_text("model = None\n")
    everywhere, alone = called("doctor", "--json"), called("doctor", "toy", "--json")
    assert (everywhere.returncode, alone.returncode) == (1, 0)
    assert json.loads(everywhere.stdout)["toy"] == json.loads(alone.stdout)
    assert "zoo.py defines no `model`" in json.loads(everywhere.stdout)["zoo"]["error"]
    assert "y defines no `model`" in " ".join(called("doctor").stdout.split())
    (home.parent / "models" / "zoo.py").unlink()
    assert called("doctor", "--judging").returncode == 0
    assert called("doctor", "toy", "--security").returncode == 2
    for other in (("--json",), ("--verify",), ("--head", "1 abc")):
        assert called("audit", "toy", "--csv", *other).returncode == 2
    whole, table, lines = called("audit", "--verify"), called("audit", "toy", "--csv"), called("audit", "toy", "--json")
    assert (whole.returncode, "intact" in whole.stdout) == (0, True)
    acts = [line["act"] for line in json.loads(lines.stdout)]
    assert acts == ["ingest"] * 4 + ["verdict", "promotion"]
    assert [row["act"] for row in csv.DictReader(io.StringIO(table.stdout))] == acts
    assert "350 of batch" in called("trace", "toy").stdout
    assert called("lineage", "toy").stderr == "Next: evergreen reproduce toy@2\n"
    assert called("card", "toy").stdout.strip().endswith("toy.2.card.html")
    itself = called("challenge", "toy", "--version", "champion")
    assert (itself.returncode, "toy@2 is the champion" in itself.stderr) == (1, True)
    beside = called("challenge", "toy", "--version", "1", "--share", "0.1", "--json")
    assert json.loads(beside.stdout)["share"] == 0.1
    gone = called("forget", "--model", "toy", "--key", "20130115-3", "--reason", "request 1", "--yes", "--json")
    assert (json.loads(gone.stdout)["rows"], json.loads(gone.stdout)["versions"]) == (
        {"rows": 1, "quarantine": 0},
        ["1", "2"],
    )
    acts = [line["act"] for line in json.loads(called("audit", "toy", "--json").stdout)]
    assert acts[-2:] == ["challenge", "deletion"]
    with (home.parent / "models" / "toy.py").open("a") as file:
        file.write("model = None\n")
    (broken,) = json.loads(called("status", "--json").stdout)
    assert (broken["note"][:7], broken["champion"], broken["decision"]) == ("broken:", "2", "promote")


@pytest.mark.parametrize(
    ("wanted", "seated", "screen", "as_json", "shown"),
    [
        (True, False, False, True, True),
        (False, True, True, False, False),
        (None, True, True, False, True),
        (None, True, True, True, False),
        (None, True, False, False, False),
        (None, False, True, False, False),
    ],
    ids=["asked for", "not wanted", "a person before a screen", "a program", "over a line", "into a pipe"],
)
def test_a_page_opens_where_somebody_can_see_it(monkeypatch, tmp_path, wanted, seated, screen, as_json, shown):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("sys.stdout.isatty", lambda: seated)
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if screen:
        monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    browse(tmp_path / "a page.html", wanted, as_json)
    assert opened == ([f"{tmp_path.as_uri()}/a%20page.html"] if shown else [])
