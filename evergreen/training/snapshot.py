"""A snapshot: a pinned version of a model's table, as it was known at a point in time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pandas as pd

from evergreen.definition import label_delay
from evergreen.definition.figures import Figures
from evergreen.durations import in_words
from evergreen.errors import NotEnoughDataError
from evergreen.ingestion import label_maturity
from evergreen.ingestion.label_maturity import LabelMaturity
from evergreen.lake.lake import Lake
from evergreen.registry.version import Version
from evergreen.sql import column, columns, equal, stored
from evergreen.training.split import Split

if TYPE_CHECKING:
    from evergreen.definition.model import Model


@dataclass(frozen=True)
class Snapshot:
    """A table version and a timestamp: labels that became known later are never read, and none of too young a row.

    Attributes
    ----------
    lake : Lake
    model : Model
    version : int
    as_of : Timestamp
    maturity : LabelMaturity or None
        From which age on rows take part; None for the declared label delay.
    """

    lake: Lake
    model: "Model"
    version: int
    as_of: pd.Timestamp
    maturity: LabelMaturity | None = None

    @classmethod
    def pin(cls, lake: Lake, model: "Model", as_of: pd.Timestamp, version: int | None = None) -> "Snapshot":
        """Pin a version of the table, the newest by default, and learn from which age on rows take part."""
        version = lake.version(model.name) if version is None else version
        learned = label_maturity.learned_at(lake, model, as_of, version) if model.label_time else None
        return cls(lake, model, version, as_of, learned)

    @classmethod
    def of(cls, lake: Lake, model: "Model", version: Version) -> "Snapshot":
        """The snapshot that a version was trained on.

        Raises
        ------
        RegistryError
            It was not trained by Evergreen.
        """
        table, as_of = version.required(Version.table_version), version.required(Version.as_of)
        return cls(lake, model, table, as_of, maturity_of(version))

    @property
    def label_delay(self) -> timedelta:
        """The age from which on rows take part: the declared label delay, or a longer one that was learned."""
        return self.maturity.delay if self.maturity else self.model.label_delay

    @property
    def label_notes(self) -> list[str]:
        """What a person should know of the labels, a sentence each."""
        if self.maturity:
            return self.maturity.notes(self.model)
        return label_maturity.unlabelled(self.lake, self.model, self.as_of, self.version)

    def newest(self) -> pd.Timestamp:
        """The time of the newest row whose label is known.

        Raises
        ------
        NotEnoughDataError
            No label is known yet.
        """
        sql = f"SELECT max({column(self.model.time)}) AS t FROM rows WHERE {self._known}"
        newest = self.lake.query(self.model, sql, self._bounds(), version=self.version)["t"][0]
        if pd.isna(newest):
            raise NotEnoughDataError(
                f"{self.model.name}: no label is known by {self.as_of:%Y-%m-%d %H:%M} "
                f"in version {self.version} of the table. "
                f"Check `target` and `label_delay` in the model file, or ingest more; "
                f"`evergreen look {self.model.name}` shows the rows."
                + (f" {self._waiting}" if self.label_delay > self.model.label_delay else "")
            )
        return pd.Timestamp(newest)

    def oldest(self) -> pd.Timestamp:
        """The time of the oldest row whose label is known; NaT where none is."""
        sql = f"SELECT min({column(self.model.time)}) AS t FROM rows WHERE {self._known}"
        return pd.Timestamp(self.lake.query(self.model, sql, self._bounds(), version=self.version)["t"][0])

    def training(self, split: Split) -> pd.DataFrame:
        """The rows that train: those in the window whose label was known before the holdout began."""
        return self.labelled(split.train_from, split.train_until, known_before=split.known_before)

    def labelled(
        self,
        since: pd.Timestamp | None,
        until: pd.Timestamp,
        *,
        known_before: pd.Timestamp | None = None,
        also: Sequence[str] = (),
    ) -> pd.DataFrame:
        """Rows with time in ``[since, until)`` whose label is known, ordered by time and key.

        Parameters
        ----------
        since, until : Timestamp
        known_before : Timestamp, optional
            Leave out labels that became known at this time or later.
        also : sequence of str
            Columns to read beside the declared ones, if the table has them.
        """
        model = self.model
        stored_columns = self.lake.columns(model.name, self.version) if also else []
        wanted = columns([*model.columns, *(name for name in also if name in stored_columns)])
        where, bounds = self._within(since, until, known_before)
        sql = f"SELECT {wanted} FROM rows WHERE {where} ORDER BY {columns([model.time, *model.key])}"
        return self.lake.query(model, sql, bounds, version=self.version)

    def batches(self, split: Split) -> pd.DataFrame:
        """Count the rows of `training` by batch, ordered by arrival.

        Returns
        -------
        DataFrame
            Columns batch and rows.
        """
        where, bounds = self._within(split.train_from, split.train_until, split.known_before)
        sql = f"""
            SELECT "_batch" AS batch, count(*) AS rows FROM rows WHERE {where}
            GROUP BY "_batch" ORDER BY min("_arrived"), "_batch"
        """
        return self.lake.query(self.model, sql, bounds, version=self.version)

    def matching(self, split: Split, wanted: Mapping[str, object]) -> int:
        """How many rows of `training` have these values."""
        within, bounds = self._within(split.train_from, split.train_until, split.known_before)
        same, values = equal({stored(name): value for name, value in wanted.items()})
        sql = f"SELECT count(*) AS n FROM rows WHERE {within} AND {same}"
        return int(self.lake.query(self.model, sql, bounds | values, version=self.version)["n"][0])

    def count(self, since: pd.Timestamp | None, until: pd.Timestamp) -> int:
        """How many rows `labelled` would give."""
        where, bounds = self._within(since, until)
        sql = f"SELECT count(*) AS n FROM rows WHERE {where}"
        return int(self.lake.query(self.model, sql, bounds, version=self.version)["n"][0])

    def figures(self) -> Figures:
        """The labelled rows, counted by blocks of the gates' length."""
        time, block, unit = column(self.model.time), self.model.gates.block, self.model.monitoring.unit
        at, tick = f"epoch_us({time})", timedelta(microseconds=1)
        counted = f"""
            SELECT min({at}) AS first, max({at}) AS last, count(*) AS n FROM rows WHERE {self._known}
            GROUP BY {at} // {block // tick} ORDER BY 1
        """
        units = f"""
            SELECT count(DISTINCT {at} // {unit // tick}) AS filled,
                max({at} // {unit // tick}) - min({at} // {unit // tick}) + 1 AS every FROM rows WHERE {self._known}
        """
        blocks, share = (
            self.lake.query(self.model, sql, self._bounds(), version=self.version) for sql in (counted, units)
        )
        filled = share["filled"][0] / share["every"][0] if len(blocks) else 1.0
        first, last = (blocks[name].to_numpy(dtype="int64") for name in ("first", "last"))
        return Figures(first, last, blocks["n"].to_numpy(dtype="float64"), block, filled=float(filled))

    def _within(
        self, since: pd.Timestamp | None, until: pd.Timestamp, known_before: pd.Timestamp | None = None
    ) -> tuple[str, dict[str, object]]:
        """The SQL condition of a period, and its parameters."""
        time, where = column(self.model.time), [self._known]
        where += [f"{time} >= $since"] if since is not None else []
        where += [f"{self._used_from} < $known_before"] if known_before is not None else []
        moments = {"since": since, "until": until, "known_before": known_before}
        bounds = {name: moment.to_pydatetime() for name, moment in moments.items() if moment is not None}
        return " AND ".join([*where, f"{time} < $until"]), self._bounds() | bounds

    @property
    def _known(self) -> str:
        held = f" AND {column(self.model.time)} <= $held_after" if self._held_after else ""
        return f"{column(self.model.target)} IS NOT NULL AND {self._used_from} <= $as_of{held}"

    @property
    def _used_from(self) -> str:
        return label_delay.used_from_sql(self.model, self.label_delay)

    @property
    def _held_after(self) -> str:
        return self.maturity.held_after if self.maturity else ""

    def _bounds(self) -> dict[str, object]:
        bounds: dict[str, object] = {"as_of": self.as_of.to_pydatetime()}
        return bounds | ({"held_after": pd.Timestamp(self._held_after).to_pydatetime()} if self._held_after else {})

    @property
    def _waiting(self) -> str:
        return (
            f"By their {self.model.label_time!r}, nearly all labels are known after {in_words(self.label_delay)}, and "
            "a row takes part once it is as old."
        )


def maturity_of(version: Version) -> LabelMaturity | None:
    """From which age on rows took part in the training of a version; None for the declared label delay."""
    return LabelMaturity.parse(version.label_maturity) if version.label_maturity else None
