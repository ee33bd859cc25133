"""The loop closes: requests and labels go to a running system, and with no hand on it a new champion answers."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from evergreen.lake import prediction_log
from evergreen.lake.lake import LABELS
from evergreen.stores import Stores
from flows.refresh import refresh
from tests.running_service import ask
from tests.running_system import CHECKOUT, Up, free_port, until
from tests.system.test_served_source import FROM_SERVICE

pytestmark = pytest.mark.slow

TODAY = pd.Timestamp.now("UTC").floor("D")
DAY = pd.Timedelta(days=1)
TURN = TODAY - 14 * DAY
HEAD = {
    "head": "toy@0",
    "version": "0",
    "features": {"x": "number", "z": "number"},
    "beside": {"id": "text", "asked_at": "datetime"},
    "timezone": "UTC",
}
# Nothing is due by age: only what is seen can ask for a training.
QUIET = FROM_SERVICE.replace('every="7d"', 'every="365d"')


def day_of(day: pd.Timestamp) -> pd.DataFrame:
    """A day's requests and what became of them: the world turns, and x moves with it."""
    chance = np.random.default_rng(day.toordinal())
    turned = day >= TURN
    x, z = chance.normal(1.5 * turned, size=50), chance.normal(size=50)
    y = 10 + (-3 if turned else 3) * x + z + chance.normal(scale=0.5, size=50)
    at = day + pd.to_timedelta(np.arange(50) * 20, unit="min")
    return pd.DataFrame(
        {"id": [f"{day:%Y%m%d}-{number}" for number in range(50)], "asked_at": at, "x": x, "z": z, "y": y}
    )


def history() -> None:
    """Seven weeks that were served and labelled before."""
    lines = []
    for day in pd.date_range(TODAY - 63 * DAY, TURN - DAY):
        rows = day_of(day)
        at = [round(timestamp.timestamp() * 1e6) for timestamp in rows["asked_at"]]
        count = len(rows)
        lines += [
            (
                {
                    "ids": rows["id"].tolist(),
                    "asked": at,
                    "latency": [1.0] * count,
                    "rows": rows[["x", "z"]].to_numpy().tolist(),
                    "answers": [[10.0]] * count,
                    "beside": {"asked_at": [timestamp.isoformat() for timestamp in rows["asked_at"]]},
                },
                HEAD,
            ),
            (
                {"ids": rows["id"].tolist(), "known": at, "values": rows["y"].tolist(), "arrived": max(at)},
                {"head": "labels of toy", "table": LABELS},
            ),
        ]
    prediction_log.land(Stores.open().lake, "toy", lines, "history", 1, (TURN - DAY).to_pydatetime())


def error(url: str) -> float:
    """The mean absolute error of the answers to yesterday's rows."""
    rows = day_of(TODAY - DAY)
    answer = ask(f"{url}/models/toy/invocations", {"dataframe_records": rows[["x", "z"]].to_dict("records")})[1]
    return float(np.abs(np.array(answer["predictions"]) - rows["y"]).mean())


def test_requests_that_have_drifted_and_their_labels_bring_a_new_champion_by_themselves(home, write_model):
    write_model(QUIET)
    text = CHECKOUT.joinpath("prefect.yaml").read_text().replace("airtime", "toy")
    for cron in ("15 5 * * *", "15 6 * * *"):
        text = text.replace(f'cron: "{cron}"', 'cron: "* * * * *"')
    (home.parent / "prefect.yaml").write_text(text)
    history()
    assert refresh("toy", as_of=TURN.to_pydatetime()).moved

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    system = Up(home, "--no-mlflow", "--serve-port", str(port))
    try:
        system.wait()
        until(lambda: ask(f"{url}/models/toy/ping")[0] == 200, "the champion, by HTTP")
        first = ask(f"{url}/models")[1]["toy"]["version"]
        for day in pd.date_range(TURN, TODAY - DAY):
            rows = day_of(day)
            sent = rows.drop(columns="y").assign(asked_at=rows["asked_at"].map(pd.Timestamp.isoformat))
            status, answer = ask(f"{url}/models/toy/invocations", {"dataframe_records": sent.to_dict("records")})
            assert (status, answer["ids"]) == (200, rows["id"].tolist())
            labels = [
                {"id": key, "value": value, "time": (at + timedelta(hours=1)).isoformat()}
                for key, value, at in zip(rows["id"], rows["y"], rows["asked_at"], strict=True)
            ]
            assert ask(f"{url}/models/toy/labels", {"labels": labels})[0] == 200
        before = error(url)
        until(lambda: ask(f"{url}/models")[1]["toy"]["version"] != first, "a new champion, by HTTP", 600)
        assert error(url) < before / 2, "the turned world is known"
    finally:
        system.stop()
    assert "Traceback" not in system.text
