"""A random table taken through the whole loop in this process, and what must hold of it whatever the table is."""

import asyncio
import json
import re
import shutil
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from evergreen import exit_codes
from evergreen.exit_codes import Exit
from tests.command_line import called
from tests.system import random_tables
from tests.system.random_tables import RandomTable

NAME = "fuzzed"
SCORED = 20  # rows that are scored, and that the service is asked for
_RAW = re.compile(  # what a library says, not we
    r"Traceback|0x[0-9a-f]{6}|<class |<function |object at |[A-Z]\w+ Error: |ArrowInvalid|ArrowTypeError|duckdb|_duckdb"
    r"|pyarrow\.|numpy\.|dtype=|unexpected keyword|NoneType|has no attribute|not subscriptable|unhashable|\bNaTType\b"
    r"|a fault of Evergreen"
)
_NEVER_SHOWN = (DeprecationWarning, PendingDeprecationWarning, ResourceWarning, ImportWarning)


class Fault(AssertionError):
    """A property that does not hold."""


@dataclass
class Trial:
    """One table on its way, in a home of its own.

    Attributes
    ----------
    table : RandomTable
    folder : Path
        The home, the model file and the deliveries lie in it.
    faults : list of str
        What does not hold.
    ending : str
        How it ended: with an answer, or the sentence of the step that ended it.
    steps : list of str
        The commands, with their exit codes and seconds.
    """

    table: RandomTable
    folder: Path
    faults: list[str] = field(default_factory=list)
    ending: str = ""
    steps: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def run(self) -> "Trial":
        """Every step; a fault does not keep the others from being found, an error of ours ends it."""
        start = time.process_time()
        try:
            with warnings.catch_warnings(action="ignore"):  # of what no user sees
                self.ending = self._through()
        except Fault as fault:
            self.faults.append(str(fault))
        except Exception:
            self.faults.append(traceback.format_exc())
        self.seconds = time.process_time() - start
        return self

    def _through(self) -> str:
        rows = random_tables.rows_of(self.table)
        first, end = rows.index[0], rows.index[-1] + pd.Timedelta("1s")
        cut = rows.index[int(0.75 * len(rows))]
        early = rows[rows.index < cut]
        if early.empty:
            early, cut = rows, end
        place = random_tables.source_of(self.table, self.folder)
        if not self._written(early, place):
            return "not written: the format cannot hold it"
        if said := self._drafted(place):
            return f"new: {said}"
        landed = [self.called("ingest", NAME, "--as-of", _moment(cut), codes=(0, 1, 4, 6), as_json=True)]
        if landed[0].code == Exit.FAILED:
            return f"ingest: {landed[0].sentence}"
        self.called("train", NAME, "--as-of", _moment(cut), codes=(0, 1, 3, 5, 8))
        self.called("monitor", NAME, "--as-of", _moment(first + (cut - first) * 0.9), codes=(0, 1))
        delivered = random_tables.second_delivery(rows, self.table, cut)
        self._written(delivered, place)
        landed.append(self.called("ingest", NAME, "--as-of", _moment(end), codes=(0, 1, 4), as_json=True))
        self._check_rows(landed, rows, end)
        for batch in self._held():
            self.called("quarantine", "show", NAME, batch, codes=(0,))
            self.called("quarantine", "release", NAME, batch, codes=(0, 1))
        self._check_keys()
        self.called("monitor", NAME, "--as-of", _moment(end), codes=(0, 1))
        self.called("refresh", NAME, "--as-of", _moment(end), codes=(0, 1, 3, 4, 5, 8))
        return self._used(delivered)

    def _used(self, rows: pd.DataFrame) -> str:
        """Asked for predictions by file and by request; then what a person looks at."""
        from evergreen.registry.version import CHAMPION
        from evergreen.stores import Stores

        self.called("doctor", NAME, codes=(0,))
        registry = Stores.open().registry
        versions = registry.versions(NAME)
        ending = f"no version: {self.last('train')}"
        if versions:
            champion = registry.champion(NAME)
            ending = "answered" if champion else f"answered, not promoted: {self.last('train')}"
            if champion is None:
                registry.alias(versions[0], CHAMPION)
            self._check_predictions(rows.tail(SCORED))
        for words in (
            ["status"],
            ["report", NAME, "--no-open"],
            ["why", NAME],
            ["models", NAME],
            ["quarantine", "list"],
        ):
            self.called(*words, codes=(0,))
        if versions:
            for words in (["verdict", NAME], ["lineage", NAME], ["model-card", NAME]):
                self.called(*words, codes=(0, 1))
        self.called("look", NAME, "--no-open", codes=(0, 1))
        self._check_names()
        return ending

    def _written(self, rows: pd.DataFrame, place: str) -> bool:
        try:
            random_tables.write(rows, self.table.form, place)
        except Exception as error:
            self.steps.append(f"not written: {error!r:.300}")
            return False
        return True

    def _drafted(self, place: str) -> str:
        """Draft the model; what is said if none was drafted."""
        words = ["--from", place]
        if self.table.named:
            words += ["--target", self.table.target, "--time", self.table.time_name]
            words += [word for name in random_tables.key_columns(self.table) for word in ("--key", name)]
        done = self.called("new", NAME, *words, codes=(0, 1))
        return done.sentence if done.code else ""

    def called(self, *words: str, codes: tuple[int, ...], as_json: bool = False) -> "Called":
        """Run a command as a user does; it must end in one of the codes, with a sentence where it fails."""
        start = time.process_time()
        try:
            with _as_a_user_sees() as seen:
                done = called(*words, *(["--json"] if as_json else []))
        except Exception:
            self.steps.append(f"{' '.join(words)}: traceback")
            self.faults.append(f"{words[0]}: {traceback.format_exc()}")
            return Called(Exit.FAILED, "", "a traceback")
        self.steps.append(f"{' '.join(words)}: {done.returncode} in {time.process_time() - start:.2f} s of CPU")
        result = Called(done.returncode, done.stdout, _sentence(done.stderr) if done.returncode else "")
        if seen:
            self.faults.append(f"{words[0]} shows: {seen[0]}")
        if done.returncode not in codes:
            self.faults.append(f"{words[0]} ends with {done.returncode}: {done.stderr}{done.stdout}")
        elif done.returncode == Exit.FAILED and (problem := _wrong(done.stderr)):
            self.faults.append(f"{words[0]}: {problem}: {done.stderr}")
        elif found := _RAW.search(done.stderr):
            self.faults.append(f"{words[0]} says {found[0]!r}: {done.stderr}")
        self.said[words[0]] = result.sentence or _one_line(done.stdout)
        return result

    said: dict[str, str] = field(default_factory=dict)

    def last(self, command: str) -> str:
        """What a command said the last time."""
        return self.said.get(command, "")

    def _held(self) -> list[str]:
        from evergreen.stores import Stores

        return [entry.batch for entry in Stores.open().quarantine.entries(NAME) if entry.state == "held"]

    def _check_rows(self, landed: list["Called"], rows: pd.DataFrame, end: pd.Timestamp) -> None:
        """Every row of the source is in the lake, in quarantine, or counted aloud; ingested again, nothing lands."""
        from evergreen.definition import loader
        from evergreen.sql import column
        from evergreen.stores import Stores

        stores, model = Stores.open(), loader.load(NAME)
        batches = [batch for done in landed if done.code in (0, 4) for batch in json.loads(done.out)]
        if any(done.code == Exit.FAILED for done in landed):
            return  # a sentence: nothing of that delivery was taken
        held = [entry for entry in stores.quarantine.entries(NAME) if entry.state == "held"]
        count = self._counted("true")
        new = sum(batch["new"] for batch in batches)
        if new != count:
            self.faults.append(f"{new} rows were told as new, and the lake has {count}")
        notes = " ".join(note for batch in batches for note in batch["notes"])
        waiting = [int(number.replace(",", "")) for number in re.findall(r"([\d,]+) rows lie at .*? or later", notes)]
        read_again = [f"{column(model.time)} BETWEEN '{entry.since}' AND '{entry.until}'" for entry in held]
        both = self._counted(" OR ".join(read_again) or "false")
        quarantined = sum(len(stores.quarantine.rows(entry).drop_duplicates()) for entry in held)
        counted, expected = count - both + quarantined + (waiting[-1] if waiting else 0), len(rows.drop_duplicates())
        corrected = self.table.later in ("column gone", "other kind")  # so a row can be held as it was and as it is
        if counted < expected or (counted > expected and not corrected):
            self.faults.append(
                f"of {expected} rows {counted} are accounted for: {count} in the lake, {quarantined} held (of which "
                f"{both} are in the lake), {waiting} waiting; batches: {batches}"
            )
        if expected < len(rows) and not held and "exact doubles" not in notes:
            self.faults.append(f"{len(rows) - expected} doubles were left out without a word: {batches}")
        again = self.called("ingest", NAME, "--as-of", _moment(end), codes=(0, 1, 4), as_json=True)
        more = json.loads(again.out) if again.code in (0, 4) else []
        if any(batch["new"] or batch["corrected"] or batch["fate"] == "quarantined" for batch in more):
            self.faults.append(f"ingest again: {more}")

    def _counted(self, where: str, what: str = "*") -> int:
        """How many rows of the lake meet a condition."""
        from evergreen.definition import loader
        from evergreen.stores import Stores

        lake = Stores.open().lake
        if not lake.exists(NAME):
            return 0
        return int(lake.query(loader.load(NAME), f"SELECT count({what}) AS n FROM rows WHERE {where}")["n"][0])

    def _check_keys(self) -> None:
        """No row is in the lake twice."""
        from evergreen.definition import loader
        from evergreen.sql import columns

        count, keys = self._counted("true"), self._counted("true", f"DISTINCT ({columns(loader.load(NAME).key)})")
        if count != keys:
            self.faults.append(f"{count} rows in the lake have {keys} keys")

    def _check_predictions(self, rows: pd.DataFrame) -> None:
        """The file of scores, the service and the estimator agree on each row."""
        from evergreen.definition import loader
        from evergreen.stores import Stores

        stores, model = Stores.open(), loader.load(NAME)
        given = random_tables.source_of(self.table, self.folder / "sent")
        (self.folder / "sent").mkdir()
        random_tables.write(rows, self.table.form, given)
        outputs = [self.folder / "scored.parquet", self.folder / "scored.csv"]
        done = [self.called("score", NAME, "--input", given, "--output", str(path), codes=(0, 1)) for path in outputs]
        answers = self._asked(rows)
        if done[0].code:
            return
        scored = pd.read_parquet(outputs[0])
        if len(scored) != len(rows):
            self.faults.append(f"score: {len(rows)} rows in, {len(scored)} out")
        if len(pd.read_csv(outputs[1])) != len(rows):
            self.faults.append("score: the CSV has another number of rows")
        lost = [name for name in (*model.key, model.time) if name not in scored and name in rows]
        if lost:
            self.faults.append(f"score: the output lacks {lost}")
        name = next(name for name in ("evergreen:prediction", "prediction") if name in scored)
        registered = stores.registry.champion(NAME)
        assert registered is not None
        estimator = stores.registry.load(registered)
        if answers is not None:
            wanted = scored[name].tolist()
            if not _alike(answers, wanted):
                self.faults.append(f"the service answers {answers}, score {wanted}")
        keyed = [name for name in model.key if name in scored]
        if keyed == model.key:
            self._check_stored(scored, name, estimator)

    def _check_stored(self, scored: pd.DataFrame, name: str, estimator: Any) -> None:
        """The rows in the lake, by the estimator: what training sees."""
        from evergreen.definition import loader, row_ids
        from evergreen.sql import columns
        from evergreen.stores import Stores
        from evergreen.training import fitting

        model, lake = loader.load(NAME), Stores.open().lake
        stored = lake.query(model, f"SELECT {columns(model.columns)} FROM rows")
        by_id = dict(zip(row_ids.ids(model, stored), range(len(stored)), strict=True))
        places = [by_id.get(number) for number in row_ids.ids(model, scored)]
        both = [(here, there) for here, there in enumerate(places) if there is not None]
        if not both:
            return
        known = stored.iloc[[there for _, there in both]].reset_index(drop=True)
        predicted = estimator.predict(fitting.features(model, known, estimator)).tolist()
        wanted = scored[name].iloc[[here for here, _ in both]].tolist()
        if not _alike(predicted, wanted):
            self.faults.append(f"the stored rows are predicted {predicted}, in score {wanted}")

    def _asked(self, rows: pd.DataFrame) -> list[Any] | None:
        """The service's answer for these rows, over HTTP, and that it lands in the log once; None if it is refused."""
        from evergreen.definition import loader
        from evergreen.lake.lake import SERVED
        from evergreen.stores import Stores

        service, problems = _Service(self.folder), list[str]()
        stores, model = Stores.open(), loader.load(NAME)
        status, answer = service.ask(_sent(rows, model), problems)
        if problems:
            self.faults.append(f"the service cannot load the version: {problems}")
        elif status != 200:
            self.steps.append(f"service: {status} {answer}")
            if status >= 500 or _RAW.search(str(answer)):
                self.faults.append(f"service: {status} {answer}")
        else:
            service.ship(stores)
            logged = stores.lake.query(
                model, "SELECT count(*) AS n FROM served WHERE \"_role\" = 'champion'", tables=[SERVED]
            )
            if logged["n"][0] != len(rows):
                self.faults.append(f"{len(rows)} rows were answered, and {logged['n'][0]} logged")
            return list(answer["predictions"])
        return None

    def _check_names(self) -> None:
        """The lake and the page have the columns under their own names."""
        from evergreen.definition import loader
        from evergreen.stores import Stores

        model, lake = loader.load(NAME), Stores.open().lake
        if lake.exists(NAME):
            lost = {*model.columns} - {*lake.columns(NAME)} - {"row_key", "evergreen:row"}
            if lost:
                self.faults.append(f"the lake lacks {sorted(lost)}")


class _Service:
    """The application of a worker, without its process."""

    def __init__(self, folder: Path) -> None:
        from serving.inference.hot_swap import Models
        from serving.log.segments import Log
        from serving.metrics import Metrics
        from serving.model_cache import ModelCache

        root = folder / "home" / "serving"
        self.copies, self.root = ModelCache(root / "models"), root / "log"
        self.log, self.metrics = Log(self.root / "0"), Metrics(self.root)
        self.log.open()
        self.models = Models(self.copies, [], 10_000, self.metrics)

    def ask(self, sent: list[dict[str, Any]], problems: list[str]) -> tuple[int, Any]:
        from evergreen.stores import Stores
        from serving.process.registry_sync import RegistrySync

        stores = Stores.open()
        RegistrySync(
            self.copies, stores.registry, stores.lake, [NAME], lambda *said: problems.append(str(said))
        ).run_once()
        return asyncio.run(self._asked(sent))

    async def _asked(self, sent: list[dict[str, Any]]) -> tuple[int, Any]:
        from serving.http.app import application
        from serving.inference.micro_batching import MicroBatcher
        from serving.options import Limits

        await self.models.swap_changed()
        app = application(self.models, MicroBatcher(self.log, self.metrics), Limits(), self.metrics)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            document = await client.get("/openapi.json")
            assert document.status_code == 200, document.text
            answer = await client.post(f"/models/{NAME}/invocations", json={"dataframe_records": sent})
        return answer.status_code, answer.json()

    def ship(self, stores: Any) -> None:
        from serving.process.shipper import Shipper

        self.log.rotate(at_once=True)
        problem = Shipper(self.root, stores.lake, self.copies).ship()
        if problem:
            raise Fault(f"the log cannot be shipped: {problem}")


@dataclass(frozen=True)
class Called:
    """A command's exit code, standard output, and the sentence with which it failed."""

    code: int
    out: str
    sentence: str


def _sent(rows: pd.DataFrame, model: Any) -> list[dict[str, Any]]:
    """The rows as a request: the model's columns and what they are read from."""
    known = {*model.columns, *(name for column, parser in model.parsing.items() for name in parser.inputs(column))}
    known -= {model.target, model.label_time}
    return random_tables.records(rows[[name for name in rows if name in known]])


@contextmanager
def _as_a_user_sees() -> Iterator[list[str]]:
    """The warnings that Python shows by default, and what libraries log, as a user would see them."""
    seen: list[str] = []
    with warnings.catch_warnings(record=True) as caught, pytest.MonkeyPatch.context() as patch:
        patch.setattr(exit_codes, "_of_ours", lambda error: seen.append(_traceback(error)) or "a fault of Evergreen.")
        warnings.resetwarnings()
        warnings.simplefilter("always")
        for kind in _NEVER_SHOWN:
            warnings.simplefilter("ignore", kind)
        yield seen
    seen += [f"{warning.category.__name__}: {warning.message} ({warning.filename})" for warning in caught]


def _traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def _sentence(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.startswith("Error: ")]
    return lines[-1].removeprefix("Error: ") if lines else _one_line(stderr)


def _wrong(stderr: str) -> str:
    """Why what a failed command says is no sentence that tells what to do; empty if it is one."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("Error: ")]
    if len(errors) != 1:
        return f"{len(errors)} sentences"
    if found := _RAW.search(stderr):
        return f"the text of a library, {found[0]!r}"
    if len(lines) > 1:
        return "more than a sentence"
    if len(errors[0]) < 30 or errors[0][-1] not in ".)'`":
        return "no whole sentence"
    return ""


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]


def _alike(left: list[Any], right: list[Any]) -> bool:
    if len(left) != len(right):
        return False
    pairs = zip(left, right, strict=True)
    return all(
        bool(np.isclose(a, b, rtol=1e-9, equal_nan=True))
        if isinstance(a, float) and isinstance(b, float | int)
        else str(a) == str(b)
        for a, b in pairs
    )


def _moment(at: pd.Timestamp) -> str:
    return f"{at.ceil('s'):%Y-%m-%dT%H:%M:%S}"


@contextmanager
def home_of(folder: Path, registry: Path) -> Iterator[Path]:
    """A home of its own in a folder, with an empty registry."""
    folder.mkdir(parents=True)
    (folder / "home").mkdir()
    shutil.copy(registry, folder / "home" / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVERGREEN_HOME", str(folder / "home"))
        patch.setenv("EVERGREEN_MODELS", str(folder / "models"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(folder)
        yield folder
