"""The state that commit 716df15 wrote, as a fixture: unpack it, run commands on it, and compare what they print.

`make_old_state` makes the fixture with the code of that commit. So this module imports nothing of the
project but `cli.main.main`, which is there before and after the restructuring.
"""

import contextlib
import json
import os
import re
import sqlite3
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.system import run_commands

COMMIT = "716df1502b91866fd0f7621f6c5271f64a1867b6"
HERE = Path(__file__).resolve().parent
ARCHIVE = HERE / "old_state.tar.xz"  # models/, data/ and home/, as 716df15 left them
RECORDED = HERE / "old_state.json"  # what each command of STORED and ACTS printed at 716df15
FORMATS = HERE / "old_formats.json"  # the names that stand in what 716df15 stored, and what it declared
ROOT = "/EVERGREEN-OLD-STATE"  # stands in the archive where the absolute path of its folder was
_MARK, _TEXT = ROOT.encode(), {".yaml", ".yml", ".json", ".txt", ".md", ".py"}

# Commands that change nothing and print what is stored. They run first, all on the same state.
STORED = [
    "models",
    "models parcels",
    "models claims",
    "verdict parcels",
    "verdict parcels --version 1",
    "verdict parcels --version 2",
    "verdict parcels --version champion",
    "verdict claims",
    "why parcels",
    "why claims",
    "audit",
    "audit parcels --since 2025-04-20",
    "audit --verify",
    "quarantine list --all",
    "quarantine show parcels {held}",
    "trace parcels",
    "trace parcels@1",
    "trace claims",
    "trace parcels --prediction o-20250505-03|1",
    "trace parcels --batch {batch}",
]
# Commands that find something out today, in this order, and most of them change something. Their sentences
# are today's, so that these are not compared.
ACTS = [
    "status",
    "gate parcels --version 1",
    "card parcels",
    "doctor parcels",
    "quarantine release parcels {held} --note looked-at",
    "ingest parcels --as-of 2025-05-12",
    "monitor parcels --as-of 2025-05-12",
    "train parcels --as-of 2025-05-12 --reason performance",
    "train parcels --as-of 2025-05-12",
    "rollback parcels --reason looks-odd --as-of 2025-05-13",
    "approve claims --reason fine --by me",
    "refresh claims --as-of 2025-05-12",
    "monitor claims --as-of 2025-05-12",
    "audit --verify",
    "status",
]

# What differs between two runs of the same code: clocks, run ids, hashes over both, the machine.
_RUN = {
    "run_id", "run", "source", "written", "hash", "before", "head", "by", "latency_ms", "size_mb", "commit", "lock",
    "python", "platform", "dirty", "audit", "environment",
}  # fmt: skip
_SENTENCES = {"reason", "decided", "note", "notes", "detail", "found", "expected", "what", "problems"}
_NOW = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")  # the data's own times are whole seconds
_HEX = re.compile(r"\b(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")
_MEASURED = re.compile(r"\d[\d.]* (?:ms|MB)\b")


@dataclass(frozen=True)
class Done:
    """A command that has run."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, parsed."""
        return json.loads(self.out)


def run(*words: str) -> Done:
    """Run a command of `evergreen` in this process, as its entry point does."""
    done = run_commands.run([*words])
    return Done(done["code"], done["out"], done["err"])


def recorded() -> dict[str, Any]:
    """What was recorded at 716df15: names of batches, and exit code and JSON of each command."""
    return dict(json.loads(RECORDED.read_text()))


def asked(command: str, names: dict[str, str]) -> Done:
    """Run one of STORED or ACTS, with ``--json``."""
    return run(*(word.format(**names) for word in command.split()), "--json")


def unpack(folder: Path) -> dict[str, str]:
    """Unpack the fixture into a folder, and put the folder's path where the old one was.

    Returns
    -------
    dict of str to str
        The environment variables that lead to it.
    """
    with tarfile.open(ARCHIVE) as packed:
        packed.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))  # Python 3.11.4
    move(folder, ROOT, str(folder))
    return environment(folder)


def environment(folder: Path) -> dict[str, str]:
    """The environment variables that lead to an unpacked fixture."""
    return {"EVERGREEN_HOME": str(folder / "home"), "EVERGREEN_MODELS": str(folder / "models")}


def move(folder: Path, old: str, new: str) -> None:
    """Replace a path in all that holds one: the MLflow store, and text files beside stored models."""
    for store in (folder / "home").glob("*.db"):
        _move_store(store, old, new)
    for path in (folder / "home").rglob("*"):
        if path.is_file() and (path.name == "MLmodel" or path.suffix in _TEXT):
            text = path.read_bytes()
            if old.encode() in text:
                path.write_bytes(text.replace(old.encode(), new.encode()))


def _move_store(store: Path, old: str, new: str) -> None:
    with contextlib.closing(sqlite3.connect(store)) as connection, connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for _, column, kind, *_ in connection.execute(f'PRAGMA table_info("{table}")').fetchall():
                if not kind or "CHAR" in kind.upper() or "TEXT" in kind.upper() or "CLOB" in kind.upper():
                    connection.execute(
                        f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?) WHERE instr("{column}", ?)',
                        (old, new, old),
                    )


def plain(found: Any, folder: Path) -> Any:
    """The JSON of a command without what another run of the same code would print otherwise."""
    if isinstance(found, dict):
        without = _RUN | ({"id"} if "act" in found else set())
        without |= {"value", "detail"} if found.get("name") in ("latency", "size") else set()
        return {name: plain(value, folder) for name, value in found.items() if name not in without}
    if isinstance(found, list):
        return [plain(value, folder) for value in found]
    if isinstance(found, str):
        text = found.replace(str(folder), ROOT)
        return _MEASURED.sub("…", _NOW.sub("…", _HEX.sub("…", text)))
    return found


def apart(then: Any, now: Any, *, sentences: bool, where: str = "") -> list[str]:
    """Where today's JSON is not what it was.

    More fields are no difference, the last digits of a number are none, and sentences only if they are asked for.
    """
    if isinstance(then, dict) and isinstance(now, dict):
        gone = [f"{where}.{name} is gone" for name in then if name not in now]
        both = [name for name in then if name in now and (sentences or name not in _SENTENCES)]
        differences = [apart(then[name], now[name], sentences=sentences, where=f"{where}.{name}") for name in both]
        return gone + [difference for some in differences for difference in some]
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        pairs = enumerate(zip(then, now, strict=True))
        differences = [apart(old, new, sentences=sentences, where=f"{where}[{place}]") for place, (old, new) in pairs]
        return [difference for some in differences for difference in some]
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (then, now))
    if numbers and abs(then - now) <= 1e-9 * max(1.0, abs(then)):
        return []
    return [] if then == now else [f"{where}: {then!r} then, {now!r} now"]


def child_environment(given: dict[str, str]) -> dict[str, str]:
    """The environment of a process that works on an unpacked fixture."""
    without = ("MLFLOW_TRACKING_URI", "EVERGREEN_LAKE")
    return {name: value for name, value in os.environ.items() if name not in without} | given
