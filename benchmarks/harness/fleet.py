"""A home of many models: one that lived, and its copies."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pandas as pd

from benchmarks.harness.measuring import clean
from evergreen.project import CODE
from evergreen.sql import quoted

TEMPLATE, STEM = "airtime", "store"


def make(
    home: Path, models: int, days: int = 0, lines: int = 0, *, one_file: bool = False, lived: Path | None = None
) -> None:
    """A home with one model that lived through three weeks of the demo, and its copies under names of their own.

    Parameters
    ----------
    home : Path
    models : int
        How many there are with the first.
    days, lines : int
        How many daily checks and lines of the audit log each has at least.
    one_file : bool
        Whether one template defines the copies, or each has a file.
    lived : Path, optional
        A folder that keeps the demo for other homes.
    """
    demo = (lived or home.parent) / "demo-of-fleet"
    if not (demo / "demo" / "demo.json").is_file():
        _command({"EVERGREEN_HOME": str(demo)}, "demo", "--weeks", "3", "--json")
    shutil.copytree(demo / "demo", home)
    where = {"EVERGREEN_HOME": str(home), "EVERGREEN_MODELS": str(home / "models")}
    _command(where, "monitor", TEMPLATE, "--as-of", "2013-02-15", "--json")
    os.environ |= where
    if days:
        _lengthen(days, lines)
    text = (home / "models" / f"{TEMPLATE}.py").read_text()
    for path in (home / "models").glob("*.py"):
        if path.stem != TEMPLATE:
            path.unlink()
    names = [name_of(number) for number in range(1, models)]
    for name in names:
        shutil.copytree(home / "lake" / TEMPLATE, home / "lake" / name, copy_function=os.link)
        if not one_file:
            (home / "models" / f"{name}.py").write_text(text.replace(quoted(TEMPLATE), quoted(name)))
    if one_file:
        _write_template(home / "models", models)
    _register(names, home / "mlflow.db")


def _write_template(folder: Path, models: int) -> None:
    """One file for all copies, and its table."""
    text = (CODE / "models" / f"{TEMPLATE}.py").read_text()
    before = f"model = Model(\n    name={quoted(TEMPLATE)},"
    assert before in text
    each = f'\nmodels = Model.each({STEM}, over="{STEM}.csv", name="{STEM}_{{number}}")\n'
    inside = text.replace(before, f"def {STEM}(name, number):\n  return Model(\n    name=name,")
    (folder / f"{STEM}.py").write_text(inside + each)
    (folder / f"{STEM}.csv").write_text("number\n" + "".join(f"{number:04}\n" for number in range(1, models)))


def _command(where: dict[str, str], *words: str) -> None:
    command = [sys.executable, "-m", "cli.main", *words]
    subprocess.run(command, env=clean(where), cwd=CODE, check=True, stdout=subprocess.DEVNULL)


def name_of(number: int) -> str:
    """The name of a copy."""
    return f"{STEM}_{number:04}"


def _lengthen(days: int, lines: int) -> None:
    """Repeat the last check of the template on the days before it, and add lines to its audit log."""
    from evergreen.lake import audit_log
    from evergreen.lake.lake import Bare
    from evergreen.monitoring import observation
    from evergreen.stores import Stores

    lake = Stores.open().lake
    last = observation.read(lake, Bare(TEMPLATE), most=1)[-1]  # type: ignore[arg-type]

    def before(time_: str, day: int) -> str:
        return (pd.Timestamp(time_) - pd.Timedelta(days=day)).isoformat() if time_ else ""

    observation.store(
        lake,
        *(
            replace(
                last,
                as_of=before(last.as_of, day),
                since=before(last.since, day),
                until=before(last.until, day),
                ripened=before(last.ripened, day),
            )
            for day in range(1, days)
        ),
    )
    for number in range(lines - len(audit_log.read(lake, TEMPLATE))):
        at = pd.Timestamp(last.as_of) - pd.Timedelta(hours=number)
        audit_log.write(lake, TEMPLATE, "decision", f"day {number}", at, detail={"action": "nothing"})


def _register(names: list[str], store: Path) -> None:
    """The versions of the template under the other names, as rows of MLflow's tables."""
    tables = ("registered_models", "registered_model_aliases", "model_versions", "model_version_tags")
    with closing(sqlite3.connect(store)) as connection, connection:
        for table in tables:
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            taken = ", ".join("?" if column == "name" else quoted(column) for column in columns)
            insert = f"INSERT INTO {table} SELECT {taken} FROM {table} WHERE name = ?"
            connection.executemany(insert, [(name, TEMPLATE) for name in names])
