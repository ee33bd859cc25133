"""A pull request that tries to write to production is refused by its identity, not by care: another user runs `ci`."""

import hashlib
import json
import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy

from evergreen.exit_codes import Exit
from evergreen.registry.client import client_of
from evergreen.registry.runs import experiment_of
from tests import other_user
from tests.conftest import TOY
from tests.prepared_homes import ingested, refreshed
from tests.repository import git
from tests.running_postgres import execute, running

END = datetime(2013, 3, 5, tzinfo=UTC)

# What a model file can do at its import; it runs as the user who runs `ci`.
ATTACK = """

def _attempt(what, act):
    try:
        act()
        said = "DONE"
    except Exception as error:
        said = f"{type(error).__name__}: {error}".splitlines()[0]
    with open(os.environ["TMPDIR"] + "/attempts", "a") as file:
        file.write(f"{what}: {said}\\n")


def _append():
    import deltalake

    rows = deltalake.DeltaTable(LAKE + "/toy/rows").to_pandas().head(1)
    deltalake.write_deltalake(LAKE + "/toy/rows", rows, mode="append")


def _alias():
    import mlflow

    mlflow.MlflowClient(STORE, STORE).set_registered_model_alias("toy", "champion", "1")


import os
from pathlib import Path

LAKE, STORE = os.environ["EVERGREEN_LAKE"], os.environ["MLFLOW_TRACKING_URI"]
_attempt("a file into the lake", lambda: (Path(LAKE) / "toy" / "mine").write_text("mine"))
_attempt("a row into the table", _append)
_attempt("delete a file of the table", lambda: next(Path(LAKE).rglob("*.parquet")).unlink())
_attempt("delete its log", lambda: next(Path(LAKE).rglob("_delta_log/*.json")).unlink())
_attempt("another model", lambda: next(Path(HOME, "artifacts").rglob("*.skops")).write_text("mine"))
_attempt("an alias", _alias)
"""
ATTEMPTS = {"a file into the lake", "a row into the table", "delete a file of the table", "delete its log"}
ATTEMPTS |= {"another model", "an alias"}
REFUSED = re.compile("denied|readonly database")
GRANTS = ["GRANT USAGE ON SCHEMA public TO reader", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader"]


def kept(folder: Path) -> dict[str, tuple[str, int, int, int]]:
    """Every file and folder: content, mode, owner, when it was changed."""
    found = {}
    for path in sorted(folder.rglob("*")):
        state = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path.relative_to(folder))] = (content, state.st_mode, state.st_uid, state.st_mtime_ns)
    return found


def let_read(home: Path) -> None:
    """Let the other user's group read what `ci` reads, as docs/how-to/try-a-change.md says."""
    os.chown(home, -1, other_user.UID)
    home.chmod(0o2750)
    for name in filter(lambda each: (home / each).exists(), ("lake", "artifacts", "mlflow.db")):
        for path in (home / name, *(home / name).rglob("*")):
            os.chown(path, -1, other_user.UID)
            path.chmod(0o2750 if path.is_dir() else 0o640)


class Runner:
    """The machine's user that runs CI: a home of its own, a clone of the repository, production's addresses."""

    def __init__(self, place: Path, production: Path, store: str, server: str) -> None:
        self.home, self.clone = place / "runner", place / "runner" / "clone"
        self.home.mkdir()
        self.python = other_user.python(self.own(self.home))
        (self.clone / "models").mkdir(parents=True)
        (self.clone / "pyproject.toml").write_text("[tool.evergreen]\n")
        shutil.copy(TOY, self.clone / "models" / "toy.py")
        git(self.clone, "init", "--quiet", "--initial-branch=main")
        git(self.clone, "add", ".")
        git(self.clone, "commit", "--quiet", "--message", "as it is in production")
        self.environ = other_user.environ(self.home) | {
            "EVERGREEN_HOME": str(self.home / "evergreen"),
            "EVERGREEN_LAKE": str(production / "lake"),
            "MLFLOW_TRACKING_URI": store,
            "PREFECT_API_URL": server,
        }

    def own(self, folder: Path) -> Path:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, other_user.UID, other_user.UID)
        return folder

    def check(self, *words: str) -> "other_user.subprocess.CompletedProcess[str]":
        self.own(self.home)
        command = [self.python, "-P", "-m", "cli.main", "ci", "--as-of", f"{END:%Y-%m-%d}", *words]
        return other_user.run(command, self.clone, self.environ)


@pytest.fixture
def place():
    with other_user.folder() as made:
        (made / "production").mkdir()
        yield made


@pytest.fixture
def production(home, server, begun, place, monkeypatch):
    """Production's home with a champion, which is its owner's; another user may read the lake and the registry."""
    theirs = place / "production"
    shutil.copy(home / "mlflow.db", theirs)
    monkeypatch.setenv("EVERGREEN_HOME", str(theirs))
    begun(made, END)
    let_read(theirs)
    return theirs


def made(end):
    ingested(end)
    refreshed(end)


def require_refused(runner: Runner, production: Path) -> None:
    """A pull request that attacks is compared and commented on as any other, and none of what it tried was done."""
    model, comment = runner.clone / "models" / "toy.py", runner.home / "comment.md"
    model.write_text(model.read_text() + ATTACK.replace("HOME,", f"{str(production)!r},"))
    done = runner.check("--base", "main", "--periods", "3", "--output", str(comment), "--json")
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode in (Exit.DONE, Exit.UNDECIDED), done.stdout + done.stderr
    (change,) = json.loads(done.stdout)["models"]
    assert (change["model"], change["kind"], change["unread"]) == ("toy", "changed", "")
    assert change["head"], f"{change} {done.stderr}"
    assert change["head"]["decision"] == change["base"]["decision"] != "failed", change["head"]["reason"]
    assert change["head"]["against"], "it is judged against the champion, whose model is read"
    assert comment.read_text().startswith("<!-- evergreen ci -->")
    said = [line.partition(": ")[::2] for line in (runner.home / "attempts").read_text().splitlines()]
    assert {what for what, _ in said} == ATTEMPTS
    assert [(what, answer) for what, answer in said if not REFUSED.search(answer)] == []


@pytest.mark.slow
def test_a_pull_request_cannot_write_to_production(production, place, server):
    runner, before = Runner(place, production, f"sqlite:///{production}/mlflow.db", server), kept(production)
    require_refused(runner, production)
    assert kept(production) == before


def content(url: str) -> dict[str, str]:
    """A digest of every table of a database."""
    with sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool).connect() as store:
        names = sqlalchemy.inspect(store).get_table_names()
        digest = "SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {} t"
        return {name: store.exec_driver_sql(digest.format(name)).scalar() for name in names}


@pytest.mark.slow
def test_nor_can_it_where_the_registry_is_in_postgres(home, server, place, monkeypatch):
    """With a role that may SELECT only, as docs/how-to/try-a-change.md makes it."""
    production = place / "production"
    with running("theirs", password="theirs") as url:
        reader = url.replace("theirs:theirs", "reader:only")
        monkeypatch.setenv("EVERGREEN_HOME", str(production))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        experiment_of(client_of(url), "toy", (production / "artifacts").as_uri())
        made(END)
        let_read(production)
        execute(url, "CREATE ROLE reader LOGIN PASSWORD 'only'", *GRANTS)
        runner, before, rows = Runner(place, production, reader, server), kept(production), content(url)
        require_refused(runner, production)
        assert kept(production) == before
        assert content(url) == rows
        assert len(rows) > 10
