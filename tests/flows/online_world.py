"""A champion and a challenger, and what a service answered with both."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd

from evergreen.definition import loader
from evergreen.gates import judgement
from evergreen.lake import prediction_log
from evergreen.lake.lake import INGEST
from evergreen.registry.version import CANARY, CHAMPION, SHADOW
from evergreen.stores import Stores
from evergreen.training import fitting
from tasks.train import train as fit
from tests.toy import DAY, TURN
from tests.toy import rows as toy_rows

TRAINED = datetime(2013, 3, 1, tzinfo=UTC)  # the challenger: a month after the world has turned
END = datetime(2013, 3, 11, tzinfo=UTC)
HEAD = {"features": {"x": "number", "z": "number"}, "beside": {"id": "text"}, "timezone": "UTC"}


class World:
    """A champion of January, a challenger of March, and a service that answers with both."""

    def __init__(self):
        self.model, self.lake, self.registry = loader.load("toy"), Stores.open().lake, Stores.open().registry
        self.segment = 0
        self.taken = pd.Timestamp("2013-01-01", tz="UTC")

    def train(self):
        self.take(TURN - 2 * DAY)
        self.champion = self.fitted(TURN - 2 * DAY)
        self.registry.tag(self.champion, promoted_at=TURN, promoted_by=self.champion.number)
        self.registry.alias(self.champion, CHAMPION)
        self.take(TRAINED)
        self.challenger = self.fitted(TRAINED)

    def go_on(self, champion, challenger):
        """Take up a world in which both were trained."""
        self.taken = pd.Timestamp(TRAINED)
        self.champion, self.challenger = (self.registry.version("toy", number) for number in (champion, challenger))

    def take(self, until):
        """Rows with their labels land in the lake."""
        until = pd.Timestamp(until)
        frame = self.model.source.read(self.model, self.taken, until, Stores.open().lake)
        cut = frame[list(self.model.columns)]
        cut = cut.assign(**{self.model.time: cut[self.model.time].dt.as_unit("us")})
        self.lake.land(self.model, cut, f"b{until:%m%d}", until, app=INGEST, mark=until)
        self.taken = until

    def fitted(self, at):
        fitted_challenger = fit.fn(Stores.open(), "toy", pd.Timestamp(at), "demand")
        return self.registry.version("toy", fitted_challenger.number)

    def answers(self, version, rows):
        return fitting.predict(self.model, self.registry.load(version), rows).reshape(len(rows), -1)

    def log(self, version, role, rows, answers, latency=None):
        """What a version answered to rows, as the service's shipper lands it."""
        self.segment += 1
        line = {
            "ids": rows["id"].tolist(),
            "asked": rows["at"].dt.as_unit("us").astype("int64").tolist(),
            "latency": [latency] * len(rows),
            "rows": rows[["x", "z"]].to_numpy().tolist(),
            "answers": np.asarray(answers).reshape(len(rows), -1).tolist(),
            "beside": {},
        }
        head = HEAD | {"head": f"toy@{version.number} {role}", "version": version.number, "role": role}
        prediction_log.land(self.lake, "toy", [(line, head)], "service", self.segment, END)

    def shadowed(self, since=TRAINED, until=END, answers=None, champion=None, beside=None):
        """Callers asked for the rows of a period: the champion answered them, and in its shadow the challenger."""
        rows = toy_rows(pd.Timestamp(since), pd.Timestamp(until))
        first = champion or self.champion
        self.log(first, "champion", rows, self.answers(self.champion, rows) if beside is None else beside, 1.0)
        self.log(self.challenger, "shadow", rows, self.answers(self.challenger, rows) if answers is None else answers)
        return rows

    def challenge(self, share=None):
        self.registry.challenge(self.challenger, share)

    def now(self):
        return self.registry.version("toy", self.challenger.number)

    def beside(self):
        return {role for role in (CANARY, SHADOW) if self.registry.beside("toy", role)}

    def judgement(self):
        return judgement.newest_judgement(self.registry, self.now())


def trained():
    world = World()
    world.train()
    return world.champion.number, world.challenger.number
