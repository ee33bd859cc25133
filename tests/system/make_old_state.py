"""Make the fixture of `old_state` with the code of commit 716df15.

    python -m tests.system.make_old_state

It checks that commit out in a folder of its own (so the clone needs its history), lives through ten weeks
of two small models with it, and packs what is left: `old_state.tar.xz`. Then it unpacks that again, runs
the commands of `STORED` and `ACTS` on it, still with the old code, and records what they print:
`old_state.json`. The tests need neither the history nor this module.
"""

import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.system.old_state import (
    ACTS,
    ARCHIVE,
    COMMIT,
    FORMATS,
    RECORDED,
    ROOT,
    STORED,
    asked,
    environment,
    move,
    plain,
    run,
    unpack,
)
from tests.system.stored_formats import declared, formats, offers, told

CHECKOUT = Path(__file__).resolve().parents[2]
DAY = pd.Timedelta(days=1)
START, END = pd.Timestamp("2025-03-03", tz="UTC"), pd.Timestamp("2025-05-12", tz="UTC")
TURN = pd.Timestamp("2025-04-14", tz="UTC")  # the world changes: what was learnt before is wrong
BAD = {"2025-04-29": "to be dropped", "2025-05-01": "held"}  # days whose distances come in metres
# Caches, logs and Prefect's own store; pictures and pages of rows, which nothing reads but a person.
LEFT_OUT = ("home/prefect", "home/cache", "home/pages", "home/reports", "home/serving/meters", "home/locks")
LEFT_OUT_SUFFIXES = (".png", ".html", ".log", ".db-wal", ".db-shm")

PARCELS = '''\
"""Hours from the order to the door. Every estimate is a median, so that all sums are exact on any machine."""

from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeRegressor

from evergreen import Files, Gates, Model, Policy, Training, expect
from evergreen.metric import named

NUMBERS = ["distance", "weight", "pieces", "express"]


def estimator():
    encode = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    fill = SimpleImputer(strategy="median")
    columns = make_column_transformer((encode, ["zone"]), (fill, NUMBERS))
    return make_pipeline(columns, DecisionTreeRegressor(criterion="absolute_error", max_depth=4, min_samples_leaf=10))


model = Model(
    name="parcels",
    purpose="When a parcel will be at the door.",
    owner="dispatch",
    task="regression",
    source=Files(path="data/parcels.csv", lookback="2d"),
    key=["order_id", "part"],
    time="placed",
    target="hours",
    label_delay="1d",
    features={"zone": "category", "distance": "number", "weight": "number", "pieces": "integer", "express": "boolean"},
    extra={"carrier": "category", "note": "text", "promised": "datetime"},
    contract=[
        expect("column_values_to_be_between", "distance", min_value=0, max_value=500),
        expect("column_values_to_not_be_null", "weight", mostly=0.5, warn=True),
    ],
    estimator=estimator,
    metric=named("mean_absolute_error"),
    slices=["zone"],
    training=Training(window="21d", holdout="7d"),
    gates=Gates(resamples=200, latency_ms=60_000),
    policy=Policy(every="7d"),
)
'''
CLAIMS = '''\
"""Whether a claim is paid. A person approves each new champion."""

from sklearn.tree import DecisionTreeClassifier

from evergreen import Files, Gates, Model, Policy, Serving, Training

model = Model(
    name="claims",
    purpose="Whether a claim is paid.",
    task="classification",
    source=Files(path="data/claims.csv"),
    key="claim",
    time="filed",
    target="paid",
    label_time="settled",
    features={"amount": "number", "age": "number"},
    extra={"holder": "category", "region": "category"},
    estimator=lambda: DecisionTreeClassifier(max_depth=3, min_samples_leaf=20),
    slices=["region"],
    training=Training(window="21d", holdout="7d"),
    gates=Gates(resamples=200, latency_ms=60_000),
    policy=Policy(every="7d", approval="36500d"),
    serving=Serving(private={"holder": "hash"}),
)
'''
TUNED = PARCELS.replace("max_depth=4", "max_depth=5")  # the file was changed between two trainings


def parcels(*, corrected: bool) -> pd.DataFrame:
    """All orders, a few of them corrected two days later; the label is known a day later, of some never."""
    parts = []
    for day in pd.date_range(START, END, inclusive="left"):
        chance = np.random.default_rng(day.toordinal())
        count = 24
        zone = chance.choice(["city", "land", "abroad"], count)
        distance = chance.integers(2, 200, count) / 2
        pieces, express = chance.integers(1, 5, count), chance.random(count) < 0.3
        slope = 0.5 if day < TURN else -0.25
        hours = 40 + slope * distance + np.where(zone == "abroad", 24, 0) - 8 * express + chance.normal(0, 2, count)
        placed = day + pd.to_timedelta(np.arange(count) * 55, unit="min")
        parts.append(
            pd.DataFrame(
                {
                    "order_id": [f"o-{day:%Y%m%d}-{number:02}" for number in range(count)],
                    "part": np.where(np.arange(count) % 6 == 5, "2", "1"),
                    "placed": placed,
                    "zone": zone,
                    "distance": distance * (1000 if f"{day:%Y-%m-%d}" in BAD else 1),
                    "weight": np.where(chance.random(count) < 0.1, np.nan, chance.integers(1, 80, count) / 4),
                    "pieces": pieces,
                    "express": express,
                    "carrier": chance.choice(["van", "bike"], count),
                    "note": np.where(np.arange(count) % 7 == 0, 'say "hi" | ring, please', None),
                    "promised": placed + 2 * DAY,
                    "hours": np.where(chance.random(count) < 0.05, np.nan, np.round(hours * 4) / 4),
                }
            )
        )
    rows = pd.concat(parts, ignore_index=True)
    wrong = (rows["placed"] >= pd.Timestamp("2025-04-06", tz="UTC")) & (rows["placed"] < END - 35 * DAY)
    wrong &= rows["part"] == "2"
    return rows if corrected else rows.assign(hours=rows["hours"].where(~wrong, rows["hours"] + 1))


def claims() -> pd.DataFrame:
    """All claims, settled between one and three days later."""
    parts = []
    for day in pd.date_range(START, END, inclusive="left"):
        chance = np.random.default_rng(day.toordinal() + 1)
        count = 30
        amount, age = chance.integers(1, 100, count) * 10.0, chance.integers(18, 80, count) * 1.0
        odd = (amount > 500) if day < TURN else (amount < 400)
        filed = day + pd.to_timedelta(np.arange(count) * 45, unit="min")
        parts.append(
            pd.DataFrame(
                {
                    "claim": [f"c-{day:%Y%m%d}-{number:02}" for number in range(count)],
                    "filed": filed,
                    "settled": filed + pd.to_timedelta(24 + chance.integers(0, 48, count), unit="h"),
                    "amount": amount,
                    "age": age,
                    "holder": [f"person {number}" for number in chance.integers(0, 500, count)],
                    "region": chance.choice(["north", "south"], count),
                    "paid": np.where(chance.random(count) < 0.1, ~odd, odd).astype(int),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def must(words: str, *codes: int) -> Any:
    """Run a command, and give its JSON; it ends with one of these exit codes, 0 by default."""
    done = run(*words.split(), "--json")
    print(f"{done.code} evergreen {words}", flush=True)
    if done.code not in (codes or (0,)):
        raise SystemExit(f"{words}: exit code {done.code}\n{done.out}\n{done.err}")
    return done.json


def live(folder: Path) -> dict[str, str]:
    """Ten weeks of two models, with a service at the end; the names of batches that commands need."""
    (folder / "models").mkdir()
    (folder / "data").mkdir()
    (folder / "models" / "parcels.py").write_text(PARCELS)
    (folder / "models" / "claims.py").write_text(CLAIMS)
    claims().to_csv(folder / "data" / "claims.csv", index=False)
    parcels(corrected=False).to_csv(folder / "data" / "parcels.csv", index=False)
    must("ingest parcels --as-of 2025-03-17")
    must("ingest parcels --as-of 2025-03-31")
    must("train parcels --as-of 2025-03-31 --reason schedule")
    must("ingest parcels --as-of 2025-04-07")
    parcels(corrected=True).to_csv(folder / "data" / "parcels.csv", index=False)
    must("monitor parcels --as-of 2025-04-07")
    must("train parcels --as-of 2025-04-07", 0, 3, 5)
    (folder / "models" / "parcels.py").write_text(TUNED)
    must("refresh parcels --as-of 2025-04-21", 0, 3, 5)
    must("monitor parcels --as-of 2025-04-21")
    must("refresh parcels --as-of 2025-04-28", 0, 3, 5)
    must("monitor parcels --as-of 2025-04-28")
    must("ingest parcels --as-of 2025-04-29")
    must("ingest parcels --as-of 2025-04-30", 4)
    (dropped,) = must("quarantine list parcels")
    must(f"quarantine drop parcels {dropped['batch']} --note metres")
    must("ingest parcels --as-of 2025-05-01")
    must("ingest parcels --as-of 2025-05-02", 4)
    (batch,) = must("quarantine list parcels")
    must("refresh parcels --as-of 2025-05-05", 0, 3, 4, 5)
    must("ingest parcels --as-of 2025-05-06")
    must("monitor parcels --as-of 2025-05-06")
    must("ingest claims --as-of 2025-03-31")
    must("train claims --as-of 2025-03-31", 8)
    must("approve claims --reason fine --by me")
    must("refresh claims --as-of 2025-04-21", 0, 3, 5, 8)
    must("monitor claims --as-of 2025-04-21")
    must("refresh claims --as-of 2025-05-05", 0, 3, 5, 8)
    try_a_canary(folder)
    must("forget --model claims --key c-20250304-07 --reason request-12 --yes")
    must("rollback parcels --reason odd --as-of 2025-05-06")
    rows = within(parcels(corrected=True), "placed", "2025-05-06", "2025-05-07")
    rows.to_csv(folder / "asked.csv", index=False)
    must(f"score parcels --input {folder}/asked.csv --output {folder}/answered.csv --as-of 2025-05-06")
    first = must("trace parcels@1")
    return {"held": batch["batch"], "batch": first["batches"][0]["batch"]}


class Service:
    """`evergreen serve` of that commit as a process of its own."""

    def __init__(self, state: Path, canary: str, **more: str) -> None:
        self.said = state / "serve.log"
        command = [sys.executable, "-m", "cli.main", "serve", "--port", "0"]
        with self.said.open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=os.environ | more)
        while "serves on" not in self.said.read_text() or not self._ready(canary):
            time.sleep(0.5)

    def _ready(self, canary: str) -> bool:
        try:
            answer = self.ask("models")
            return len(answer) == 2 and answer[canary]["canary"] is not None
        except OSError:
            return False

    def ask(self, path: str, body: Any = None) -> Any:
        """Get, or with a body post."""
        url = next(word.rstrip(";") for word in self.said.read_text().split() if word.startswith("http://"))
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{url}/{path}", data, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def predict(self, model: str, rows: pd.DataFrame) -> None:
        """Ask for these rows, a few at a time."""
        shown = json.loads(rows.to_json(orient="records", date_format="iso"))
        for low in range(0, len(shown), 8):
            self.ask(f"models/{model}/invocations", {"dataframe_records": shown[low : low + 8]})

    def label(self, claimed: pd.DataFrame) -> None:
        """Send the labels of claims."""
        claims = zip(claimed["claim"], claimed["paid"], claimed["settled"], strict=True)
        labels = [{"id": claim, "value": paid, "time": at.isoformat()} for claim, paid, at in claims]
        self.ask("models/claims/labels", {"labels": labels})

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it as one does; the log is moved into the lake."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def kill(self) -> None:
        """Kill it and its worker at once: what was logged stays where it is."""
        pgrep = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True)
        for number in (self.process.pid, *map(int, pgrep.stdout.split())):
            os.kill(number, signal.SIGKILL)
        self.process.wait(60)


def within(rows: pd.DataFrame, time: str, since: str, until: str) -> pd.DataFrame:
    """The rows of some days, without what is only known later."""
    chosen = (rows[time] >= pd.Timestamp(since, tz="UTC")) & (rows[time] < pd.Timestamp(until, tz="UTC"))
    return rows[chosen].drop(columns=["hours", "paid", "settled"], errors="ignore")


def try_a_canary(state: Path) -> None:
    """Let a version answer as a canary beside the champion, and judge it by that."""
    must("challenge claims --version 3 --share 0.9")
    with Service(state, "claims") as service:
        service.predict("claims", within(claims(), "filed", "2025-04-21", "2025-05-01"))
    must("challenge claims --judge --as-of 2025-05-05", 8)


def serve(state: Path) -> dict[str, Any]:
    """Answer beside a canary and a shadow; at last with the lake away, so that a log is left on disk.

    What the service offers is given.
    """
    orders, claimed = parcels(corrected=True), claims()
    must("challenge parcels --version 8 --share 0.5")
    must("challenge claims --version 4")
    with Service(state, "parcels") as service:
        service.predict("parcels", within(orders, "placed", "2025-05-05", "2025-05-06"))
        service.predict("claims", within(claimed, "filed", "2025-05-06", "2025-05-07"))
        service.label(claimed[claimed["filed"] >= pd.Timestamp("2025-05-06", tz="UTC")].head(20))
        offered = offers(service.ask)
    away = {"EVERGREEN_LAKE": "/dev/null/lake"}
    with Service(state, "parcels", **away) as service:
        service.predict("parcels", within(orders, "placed", "2025-05-07", "2025-05-08"))
    # Its segment is closed, but could not be moved. The next service is killed: its segment stays open.
    with Service(state, "parcels", **away) as service:
        service.predict("claims", within(claimed, "filed", "2025-05-08", "2025-05-09"))
        service.label(claimed[claimed["filed"] >= pd.Timestamp("2025-05-08", tz="UTC")].head(10))
        service.kill()
    return offered


def pack(state: Path) -> None:
    """Pack what a later release has to open, with ROOT in the place of the folder's path."""
    move(state, str(state), ROOT)
    move(state, str(Path.cwd()), f"{ROOT}/code")  # where MLflow's default experiment would lie
    left_out = [state / name for name in LEFT_OUT]

    def kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        path = state / member.name
        if path in left_out or path.suffix in LEFT_OUT_SUFFIXES:
            return None
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    with tarfile.open(ARCHIVE, "w:xz", preset=9) as packed:
        for part in ("models", "data", "home"):
            packed.add(state / part, part, filter=kept)


def live_and_pack(folder: Path) -> None:
    """The first stage: live, and pack what is left."""
    state = folder / "state"
    (state / "home").mkdir(parents=True)
    os.environ.update(environment(state))
    names = live(state)
    offered = serve(state)
    time.sleep(5)  # events are on their way for a moment
    life = formats(state / "home") | told(("parcels", "claims")) | {"offered": offered}
    pack(state)
    (folder / "kept.json").write_text(json.dumps({"names": names, "life": life}))


def record(folder: Path) -> None:
    """The second stage: what the old code prints of it, and does with it."""
    state = folder / "again"
    os.environ.update(unpack(state))
    stored = json.loads((folder / "kept.json").read_text())
    names, began = stored["names"], time.time()
    printed = []
    for command in [*STORED, *ACTS]:
        done = asked(command, names)
        print(f"{done.code} evergreen {command} {done.err}", flush=True)
        printed.append({"command": command, "code": done.code, "json": plain(done.json, state)})
    write(RECORDED, {"commit": COMMIT, "names": names, "printed": printed})
    time.sleep(5)
    acts = formats(state / "home", since=began) | told(("parcels", "claims"))
    write(FORMATS, {"commit": COMMIT, "life": stored["life"], "acts": acts, "declared": declared(Path.cwd())})


def write(path: Path, value: Any) -> None:
    """Write JSON that a person can read and Git can compare."""
    path.write_text(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


STAGES = {"live": live_and_pack, "record": record}


def main() -> None:
    """Check the old commit out, and let its code do the rest."""
    with tempfile.TemporaryDirectory(prefix="evergreen-old-state-") as folder:
        code = Path(folder) / "code"
        git = ["git", "-C", str(CHECKOUT), "worktree"]
        subprocess.run([*git, "add", "--detach", str(code), COMMIT], check=True)
        try:
            path = os.pathsep.join([str(code), str(CHECKOUT)])
            for stage in STAGES:
                within = {"PYTHONPATH": path, "PREFECT_HOME": f"{folder}/prefect-{stage}"}  # events are of one stage
                command = [sys.executable, "-m", "tests.system.make_old_state", stage, folder]
                subprocess.run(command, check=True, cwd=code, env=os.environ | within)
        finally:
            subprocess.run([*git, "remove", "--force", str(code)], check=True)


if __name__ == "__main__":
    if sys.argv[1:]:
        STAGES[sys.argv[1]](Path(sys.argv[2]))
    else:
        main()
