"""The small files of `shared/data/cases`, one trouble each: what is drafted and what lands, with the right values.

Skipped where the files are not. What each drafts is in `tests/evergreen/scaffold/test_tables.py` too.
"""

import re
import shutil
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pytest

from evergreen import Csv, TimeFormat
from evergreen.definition import loader
from evergreen.definition.parsing.columns import stored
from evergreen.errors import EvergreenError
from evergreen.ingestion import late
from evergreen.ingestion.batch import of_source, outstanding
from evergreen.ingestion.quarantine import Quarantine
from evergreen.lake.delta_lake import DeltaLake
from evergreen.scaffold.draft import Choices
from evergreen.scaffold.reading.sample import source_of
from evergreen.scaffold.scaffold import scaffold
from evergreen.sql import columns
from evergreen.training import batch_scoring, fitting
from serving.requests import Reader
from tests.serving.conftest import spec_of

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "cases"
NOW = pd.Timestamp("2026-11-29", tz="UTC")
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="the files are not here"),
]


class World:
    """A home with one model, drafted from a file and not edited."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lake = folder, DeltaLake(str(folder / "lake"))
        self.quarantine = Quarantine(str(folder / "lake"))

    def new(self, path, target="target", **choices):
        """Draft the model; the draft stays in `draft`, the text of the file in `text`."""
        choices = {"until": NOW, "target": target} | choices
        self.draft = scaffold("case", source_of(str(path)), Choices(**choices), overwrite=True)
        self.model, self.text = loader.load("case"), self.draft.path.read_text()
        return self

    def ingest(self, at=NOW):
        """Take in all there is; the results of the batches."""
        cut = outstanding(self.model, self.lake, self.quarantine, at)
        results = [self._settled(of_source(self.model, self.lake, self.quarantine, *period, at)) for period in cut]
        more = late.surplus(self.model, self.lake, cut[0][0])
        for period in late.periods(self.model, more, self.quarantine.surplus("case"), cut[0][0]):
            batch = late.of_period(self.model, self.lake, self.quarantine, *period, at, late.missing)
            results += [self._settled(batch)] if batch else []
        return results

    def rows(self):
        """What the lake holds, by time."""
        names = columns(list(self.model.columns))
        return self.lake.query(self.model, f"SELECT {names} FROM rows ORDER BY {columns([self.model.time])}")

    def _settled(self, batch):
        if batch.fate == "quarantined":
            self.quarantine.hold(batch.entry, batch.rows, "")
        return batch.ingested(batch.land(self.lake) if batch.fate == "landed" else None)


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setenv("EVERGREEN_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("EVERGREEN_HOME", str(tmp_path / "home"))
    return World(tmp_path)


def landed(world, name, target="target", **choices):
    """Draft and ingest a file, all of which lands; the rows in the lake."""
    world.new(FOLDER / name, target, **choices)
    assert {result.fate for result in world.ingest()} == {"landed"}
    return world.rows()


def raw(name, **options):
    return pd.read_csv(FOLDER / name, **options)


def in_turn(world, first, second):
    """A folder that holds one file, and later another one."""
    folder = world.folder / "files"
    folder.mkdir()
    shutil.copy(FOLDER / first, folder)
    world.new(folder).ingest(NOW - pd.Timedelta("1d"))
    shutil.copy(FOLDER / second, folder)
    return world.ingest()


def test_us_dates(world):
    results = in_turn(world, "us_dates/1.csv", "us_dates/2.csv")
    assert world.model.parsing["ts"] == TimeFormat(format="%m/%d/%Y")
    assert sum(result.new for result in results) == 12
    rows = world.rows()
    assert len(rows) == 226
    assert (rows["ts"] >= "2026-11-01").sum() == 12
    assert rows["ts"].max() == pd.Timestamp("2026-11-12", tz="UTC")


def test_either_day_or_month(world):
    rows = landed(world, "either_day_or_month.csv")
    assert rows["ts"].dt.month.unique().tolist() == [10]
    assert "as %d/%m/%Y 100% and 60%" in world.draft.why["time"]


def test_monthly(world):
    results = in_turn(world, "monthly/a.csv", "monthly/b_later.csv")
    assert sum(result.new for result in results) == 300
    assert len(world.rows()) == 1200


@pytest.mark.parametrize("key", [(), ("version",)], ids=["drafted", "named"])
def test_own_names(world, key):
    rows = landed(world, "own_names.csv", "known_at", **({"key": list(key)} if key else {}))
    given_rows = raw("own_names.csv").sort_values("_time", ignore_index=True)
    expected = given_rows.assign(_time=pd.to_datetime(given_rows["_time"], utc=True))
    for name in set(rows) & set(expected):
        assert rows[name].astype(str).tolist() == expected[name].astype(rows[name].dtype).astype(str).tolist(), name
    model, sent = world.model, given_rows.drop(columns="known_at").head(5)
    estimator = fitting.fit(model, rows)
    prepared = batch_scoring.prepared(model, sent)
    predictions = batch_scoring.predictions(model, estimator, prepared)
    scored = batch_scoring.table(model, estimator, "1", prepared, predictions)
    assert scored["_time"].tolist() == rows["_time"].head(5).tolist()
    if key:
        assert scored["version"].tolist() == rows["version"].head(5).tolist()
    kinds = {name: kind for name, kind in model.columns.items() if name not in {*model.features, model.target}}
    spec = spec_of(features=model.features, beside=kinds, key=model.key, time=model.time, parsing=stored(model.parsing))
    records = sent[[name for name in sent if name in {*model.columns}]].astype({"_batch": float}).to_dict("records")
    records = [record | {name: str(record[name]) for name in key} for record in records]
    request = Reader(spec).read(orjson.dumps({"dataframe_records": records}))
    served = fitting.frame(request.rows, model.features)
    assert fitting.predict(model, estimator, served).tolist() == pytest.approx(predictions[:, 0].tolist())


def test_ended_years_ago(world):
    rows = landed(world, "ended_years_ago.csv")
    assert (len(rows), rows["ts"].dt.year.unique().tolist()) == (1500, [2014])


def test_key_with_time(world):
    rows = landed(world, "key_with_time.csv")
    assert sorted(world.model.key) == ["store", "ts"]
    assert len(rows) == len(raw("key_with_time.csv")) == 1500


def test_rows_twice(world):
    world.new(FOLDER / "rows_twice.csv")
    [result] = world.ingest()
    assert result.new == 1500
    assert result.notes == [
        "table: doubles (each row once); found 37 of 1,537 rows are exact doubles of others, and were left out"
    ]


def test_same_key_other_values(world):
    rows = landed(world, "same_key_other_values.csv")
    assert world.model.identified_by_content
    assert "differ in others" in world.draft.why["key"]
    assert len(rows) == 1500


def test_numbers_for_people(world):
    rows = landed(world, "numbers_for_people.csv")
    given_rows = raw("numbers_for_people.csv", keep_default_na=False)
    plain = given_rows["spend"].str.strip("$").str.replace(",", "").astype(float)
    assert rows["spend"].tolist() == plain.tolist()
    assert rows["rate"].tolist() == given_rows["rate"].str.strip("%").astype(float).tolist()
    assert rows["age"].isna().sum() == (~given_rows["age"].str.isdigit()).sum() == 30
    assert world.draft.notes["age"] == "read as missing: '-' in 10, 'NULL' in 10, 'n/a' in 10 of 1,500 rows"


def test_decimal_comma(world):
    rows = landed(world, "decimal_comma.csv")
    given_rows = raw("decimal_comma.csv", sep=";", decimal=",", encoding="utf-8-sig")
    for name in ("spend", "target"):
        assert rows[name].tolist() == pytest.approx(given_rows[name].tolist())
    assert rows["ts"].tolist() == pd.to_datetime(given_rows["ts"], format="%d.%m.%Y %H:%M", utc=True).tolist()


def test_one_bad_cell(world):
    rows = landed(world, "one_bad_cell.csv")
    assert world.model.features["spend"] == "number"
    assert rows.loc[rows["spend"].isna(), "id"].astype(int).tolist() == [777]
    assert "'12.4.1' in 1 (first in row 777)" in world.draft.notes["spend"]
    assert world.draft.notes["spend"] in world.text


def test_months_as_numbers(world):
    rows = landed(world, "months_as_numbers.csv", "flights")
    assert rows["period"].unique().tolist() == pd.date_range("2008-01-01", periods=96, freq="MS", tz="UTC").tolist()
    assert world.model.label_delay >= pd.Timedelta("28d")
    assert world.model.training.holdout <= pd.Timedelta("400d")


def test_epoch_beside_clock(world):
    rows = landed(world, "epoch_beside_clock.csv")
    assert rows["UNIX"].tolist() == pd.to_datetime(raw("epoch_beside_clock.csv")["UNIX"], unit="s", utc=True).tolist()
    assert rows["UNIX"].dt.hour.nunique() == 12


def test_near_leak(world):
    landed(world, "near_leak.csv")
    assert "charged_off" not in world.model.features
    assert re.search("separates the target to 0.9[0-9]+", world.draft.left_out["charged_off"])
    assert '"charged_off"' in world.text


def test_names_by_case(world):
    rows = landed(world, "names_by_case.csv")
    given_rows = raw("names_by_case.csv")
    assert set(world.draft.notes) == {"ID_2", "Age_2"}
    assert rows["Age_2"].tolist() == given_rows["Age"].tolist()
    assert rows["age"].tolist() == given_rows["age"].tolist()


def test_target_as_text(world):
    rows = landed(world, "target_as_text.csv")
    assert world.model.task == "regression"
    assert rows["target"].tolist() == raw("target_as_text.csv")["target"].str.removesuffix(" kg").astype(float).tolist()


def test_future_rows(world):
    world.new(FOLDER / "future_rows.csv")
    [result] = world.ingest()
    assert result.new == 112
    assert result.notes == ["2,888 rows lie at 2026-11-29 00:00 or later; they wait until then"]
    assert "2,888 of 3,000 rows lie in the future" in world.draft.why["time"]
    [later] = world.ingest(NOW + pd.Timedelta("10d"))
    assert later.new == 40


def test_hidden_clock(world):
    rows = landed(world, "hidden_clock.csv")
    assert {"hour", "weekday"} <= set(world.model.features)
    known, unseen = rows.iloc[:2400], rows.iloc[2400:]
    estimator = fitting.fit(world.model, known)
    error = np.abs(fitting.predict(world.model, estimator, unseen) - unseen["target"]).mean()
    assert error < 4  # the noise has a deviation of 3


def test_unbalanced_quote(world):
    with pytest.raises(EvergreenError, match=r"unbalanced_quote.csv cannot be read: line 901: .*quote"):
        world.new(FOLDER / "unbalanced_quote.csv")


def test_header_one_short(world):
    rows = landed(world, "header_one_short.txt")
    assert world.draft.left_out["row"] == "numbers the rows"
    assert rows["spend"].tolist() == raw("header_one_short.txt", index_col=0)["spend"].tolist()
    assert (rows["ts"].min(), len(rows)) == (pd.Timestamp("2026-04-01", tz="UTC"), 1500)


def test_space_after_comma(world):
    rows = landed(world, "space_after_comma.csv")
    assert sorted(rows["plan"].unique()) == ["basic", "plus", "pro"]
    assert world.model.source.csv == Csv(trim=True)


def test_every_file_has_a_test():
    names = {path.name.partition(".")[0] for path in FOLDER.iterdir()} - {"README", "make"}
    assert {f"test_{name}" for name in names} <= set(globals())
