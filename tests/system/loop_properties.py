"""What must hold of the whole loop, whatever the table is."""

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evergreen.definition.model import Model
from evergreen.exit_codes import Exit
from evergreen.ingestion.batch import LATE
from evergreen.ingestion.sources.shared import times_of
from evergreen.sql import column
from tests.system import table_files
from tests.system.in_process_service import InProcessService
from tests.system.observed_commands import RAW, Called, Commands
from tests.system.random_tables import RandomTable

NAME = "fuzzed"  # of the model


def check_rows(commands: Commands, table: RandomTable, landed: list[Called], rows: pd.DataFrame, end: str) -> None:
    """Every row of the source is in the lake, in quarantine, or counted aloud; ingested again, nothing lands."""
    from evergreen.definition import loader
    from evergreen.stores import Stores

    stores, model = Stores.open(), loader.load(NAME)
    batches = [batch for done in landed if done.code in (0, 4) for batch in json.loads(done.out)]
    if any(done.code == Exit.FAILED for done in landed):
        return  # a sentence: nothing of that delivery was taken
    held = [entry for entry in stores.quarantine.entries(NAME) if entry.state == "held"]
    count = _counted("true")
    new = sum(batch["new"] for batch in batches)
    if new != count:
        commands.faults.append(f"{new} rows were told as new, and the lake has {count}")
    notes = " ".join(note for batch in batches for note in batch["notes"])
    waiting = [int(number.replace(",", "")) for number in re.findall(r"([\d,]+) rows lie at .*? or later", notes)]
    both = sum(_read_again(model, stores.quarantine.rows(entry)) for entry in held if entry.app != LATE)
    quarantined = sum(_distinct(stores.quarantine.rows(entry), rows) for entry in held)
    counted, expected = count - both + quarantined + (waiting[-1] if waiting else 0), len(rows.drop_duplicates())
    corrected = table.later in ("column gone", "other kind")  # so a row can be held as it was and as it is
    doubled = len(rows) - expected if waiting else 0  # of rows that wait, each double is told
    if counted < expected or (counted > expected + doubled and not corrected):
        commands.faults.append(
            f"of {expected} rows {counted} are accounted for: {count} in the lake, {quarantined} held (of which "
            f"{both} are in the lake), {waiting} waiting; batches: {batches}"
        )
    if expected < len(rows) and not held and "exact doubles" not in notes:
        commands.faults.append(f"{len(rows) - expected} doubles were left out without a word: {batches}")
    again = commands.run("ingest", NAME, "--as-of", end, codes=(0, 1, 4), as_json=True)
    more = json.loads(again.out) if again.code in (0, 4) else []
    if any(batch["new"] or batch["corrected"] or batch["fate"] == "quarantined" for batch in more):
        commands.faults.append(f"ingest again: {more}")


def _distinct(held: pd.DataFrame, rows: pd.DataFrame) -> int:
    """How many rows of a batch differ in what the first delivery had: a new column can tell doubles apart."""
    return len(held[[name for name in held if name in rows]].drop_duplicates())


def _read_again(model: Model, rows: pd.DataFrame) -> int:
    """How many rows of a batch that is held are in the lake: its source gives all rows of a period."""
    times = times_of(rows, model)
    if times is None or times.isna().all():
        return 0
    return _counted(f"{column(model.time)} BETWEEN '{times.min().isoformat()}' AND '{times.max().isoformat()}'")


def _counted(where: str, what: str = "*") -> int:
    """How many rows of the lake meet a condition."""
    from evergreen.definition import loader
    from evergreen.stores import Stores

    lake = Stores.open().lake
    if not lake.exists(NAME):
        return 0
    return int(lake.query(loader.load(NAME), f"SELECT count({what}) AS n FROM rows WHERE {where}")["n"][0])


def check_keys(commands: Commands) -> None:
    """No row is in the lake twice."""
    from evergreen.definition import loader
    from evergreen.sql import columns

    count, keys = _counted("true"), _counted("true", f"DISTINCT ({columns(loader.load(NAME).key)})")
    if count != keys:
        commands.faults.append(f"{count} rows in the lake have {keys} keys")


def check_values(commands: Commands, table: RandomTable, rows: pd.DataFrame) -> None:
    """The numbers in the lake are those of the source, row by row."""
    from evergreen.definition import loader
    from evergreen.sql import columns
    from evergreen.stores import Stores

    model, lake = loader.load(NAME), Stores.open().lake
    source = rows.drop_duplicates()
    by_key = {*model.key} <= {table.key_name, "part"} and not source.duplicated(model.key).any()
    if not lake.exists(NAME) or not by_key or table.later in ("column gone", "other kind"):
        return
    stored = lake.query(model, f"SELECT {columns(model.columns)} FROM rows")
    named = [name for name, kind in model.columns.items() if kind in ("number", "integer") and name in source]
    numeric = [name for name in named if source[name].map(_is_number).all()]
    wanted = source.set_index(source[model.key].astype(str).agg("|".join, axis=1))[numeric]
    found = stored.set_index(stored[model.key].astype(str).agg("|".join, axis=1))[numeric]
    for name in numeric:
        given = list(map(_number, wanted[name].reindex(found.index)))
        pairs = zip(found.index, given, map(_number, found[name]), strict=True)
        off = [f"{key}: {here} became {there}" for key, here, there in pairs if here != there]
        if off:
            commands.faults.append(f"{name!r} differs from the source in {len(off)} rows: {off[:3]}")


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float | Decimal) and not isinstance(value, bool))


def _number(value: Any) -> float | None:
    """A value as the lake holds it: missing if it is, or if it is infinite, which no format but some has."""
    return None if pd.isna(value) or not np.isfinite(float(value)) else float(value)


def check_predictions(commands: Commands, table: RandomTable, folder: Path, rows: pd.DataFrame) -> None:
    """The file of scores, the service and the estimator agree on each row."""
    from evergreen.definition import loader
    from evergreen.stores import Stores

    stores, model = Stores.open(), loader.load(NAME)
    given = table_files.source_of(table, folder / "sent")
    (folder / "sent").mkdir()
    table_files.write(rows, table.form, given)
    outputs = [folder / "scored.parquet", folder / "scored.csv"]
    done = [commands.run("score", NAME, "--input", given, "--output", str(path), codes=(0, 1)) for path in outputs]
    answers = _asked(commands, table, folder, rows)
    if done[0].code:
        return
    scored = pd.read_parquet(outputs[0])
    if len(scored) != len(rows):
        commands.faults.append(f"score: {len(rows)} rows in, {len(scored)} out")
    if len(pd.read_csv(outputs[1])) != len(rows):
        commands.faults.append("score: the CSV has another number of rows")
    lost = [name for name in (*model.key, model.time) if name not in scored and name in rows]
    if lost:
        commands.faults.append(f"score: the output lacks {lost}")
    name = next(name for name in ("evergreen:prediction", "prediction") if name in scored)
    registered = stores.registry.champion(NAME)
    assert registered is not None
    estimator = stores.registry.load(registered)
    if answers is not None:
        wanted = scored[name].tolist()
        if not _alike(answers, wanted):
            commands.faults.append(f"the service answers {answers}, score {wanted}")
    keyed = [name for name in model.key if name in scored]
    if keyed == model.key:
        _check_stored(commands, scored, name, estimator)


def _check_stored(commands: Commands, scored: pd.DataFrame, name: str, estimator: Any) -> None:
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
        commands.faults.append(f"the stored rows are predicted {predicted}, in score {wanted}")


def _asked(commands: Commands, table: RandomTable, folder: Path, rows: pd.DataFrame) -> list[Any] | None:
    """The service's answer for these rows, over HTTP, and that it lands in the log once; None if it is refused."""
    from evergreen.definition import loader
    from evergreen.lake.lake import SERVED
    from evergreen.stores import Stores

    service, problems = InProcessService(folder, NAME), list[str]()
    stores, model = Stores.open(), loader.load(NAME)
    status, answer = service.ask(_sent(rows, table, model), problems)
    if problems:
        commands.faults.append(f"the service cannot load the version: {problems}")
    elif status != 200:
        commands.steps.append(f"service: {status} {answer}")
        if status >= 500 or RAW.search(str(answer)):
            commands.faults.append(f"service: {status} {answer}")
    else:
        service.ship(stores)
        logged = stores.lake.query(
            model, "SELECT count(*) AS n FROM served WHERE \"_role\" = 'champion'", tables=[SERVED]
        )
        if logged["n"][0] != len(rows):
            commands.faults.append(f"{len(rows)} rows were answered, and {logged['n'][0]} logged")
        return list(answer["predictions"])
    return None


def check_names(commands: Commands) -> None:
    """The lake and the page have the columns under their own names."""
    from evergreen.definition import loader
    from evergreen.stores import Stores

    model, lake = loader.load(NAME), Stores.open().lake
    if lake.exists(NAME):
        lost = {*model.columns} - {*lake.columns(NAME)} - {"row_key", "evergreen:row"}
        if lost:
            commands.faults.append(f"the lake lacks {sorted(lost)}")


def _sent(rows: pd.DataFrame, table: RandomTable, model: Any) -> list[dict[str, Any]]:
    """The rows as a request: the model's columns and what they are read from."""
    known = model.read_columns - {model.target, model.label_time}
    return table_files.requested(rows[[name for name in rows if name in known]], table.form)


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
