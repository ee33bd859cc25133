"""Labels that come sooner for one outcome than for the other: what each policy comes to on simulated loans.

A default is known soon, a repayment late, and what leads to a default turns within the history. The table has the time
at which each label was known, and the model is what `evergreen new` drafts, with nothing edited. Each history is a way
in which labels arrive; `--declared` states the label delay in the model file, as a person who knows it would.

    python -m benchmarks.replay.early_labels [--histories loans,...] [--seeds 1,2] [--keep FOLDER]
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.table import Table

from benchmarks.harness.commands import evergreen
from benchmarks.harness.measuring import CONSOLE

START = pd.Timestamp("2022-01-01", tz="UTC")
POLICIES = ("never", "own", "oracle")
DAYS, A_DAY = 480, 24
Days = NDArray[np.float64]
Arrival = Callable[[np.random.Generator, Days, NDArray[np.bool_]], Days]


def _either(soon: tuple[float, float], late: tuple[float, float], flip: bool = False) -> Arrival:
    """Defaults within one range of days, repayments within another."""

    def delays(random: np.random.Generator, at: Days, default: NDArray[np.bool_]) -> Days:
        drawn = [random.uniform(*span, len(at)) for span in (soon, late)]
        return np.where(default != flip, *drawn)

    return delays


def _never(random: np.random.Generator, at: Days, default: NDArray[np.bool_]) -> Days:
    """As loans, and a sixth of them is never settled."""
    delays = _either((5, 20), (45, 60))(random, at, default)
    return np.where(random.random(len(at)) < 1 / 6, np.nan, delays)


def _tail(random: np.random.Generator, at: Days, default: NDArray[np.bool_]) -> Days:
    """Both with a long tail, defaults four times as fast."""
    return np.where(default, random.exponential(5, len(at)), random.exponential(20, len(at)))


def _slower(random: np.random.Generator, at: Days, default: NDArray[np.bool_]) -> Days:
    """As loans, and repayments take a month longer from the middle of the history on."""
    return _either((5, 20), (45, 60))(random, at, default) + np.where(~default & (at > DAYS / 2), 30, 0)


def _monthly(random: np.random.Generator, at: Days, default: NDArray[np.bool_]) -> Days:
    """All labels of a month come in one lump a day after its end."""
    return (np.floor(at / 30) + 1) * 30 + 1 - at


ARRIVALS: dict[str, Arrival] = {
    "loans": _either((5, 20), (45, 60)),
    "claims": _either((2, 6), (20, 40), flip=True),
    "never": _never,
    "tail": _tail,
    "slower": _slower,
    "monthly": _monthly,
}


def rows(history: str, seed: int) -> pd.DataFrame:
    """A history of loans: from its middle on, within a third of it, half of one cause gives way to another."""
    random = np.random.default_rng([21, seed])
    at = np.sort(random.uniform(0, DAYS, DAYS * A_DAY))
    x = random.normal(size=(len(at), 4))
    share = np.clip(at / DAYS * 3 - 1.5, 0, 1)
    score = (2 - share) * x[:, 0] + share * x[:, 2] + x[:, 1] + 0.5 * x[:, 3] - 0.8
    default = random.random(len(at)) < 1 / (1 + np.exp(-score))
    delay = ARRIVALS[history](random, at, default)
    known = START + pd.to_timedelta(at + delay, unit="D")
    there = np.asarray(known <= START + pd.Timedelta(DAYS, "D"))  # the table is of its last day
    names = {f"x{place}": x[:, place].round(4) for place in range(4)}
    return pd.DataFrame(
        {"id": [f"r{number:06}" for number in range(len(at))], "at": (START + pd.to_timedelta(at, unit="D")).round("s")}
        | names
        | {"known_at": known.round("s").where(there), "default": pd.Series(default.astype(int)).where(there)}
    ).astype({"default": "Int64"})


def replay(history: str, seed: int, declared: str, folder: Path) -> dict[str, Any]:
    """Draft, ingest and replay one history, in processes of their own; the figures by policy."""
    home = folder / f"{history}_{seed}{declared and '_declared'}"
    figures = home / "reports" / "loans.replay.json"
    if not figures.exists():
        home.mkdir(parents=True, exist_ok=True)
        rows(history, seed).to_csv(home / "loans.csv", index=False)
        evergreen(home, "new", "loans", "--from", str(home / "loans.csv"), "--target", "default", "--time", "at")
        file = home / "models" / "loans.py"
        file.write_text(_told(file.read_text(), declared))
        evergreen(home, "ingest", "loans")
        evergreen(home, "replay", "loans", "--policies", "never,own")
    answer = json.loads(figures.read_text())
    return {policy["name"]: policy for policy in answer["policies"]}


def _told(text: str, declared: str) -> str:
    """The model file with the column of label times, where the draft did not see it, and the declared delay."""
    lines = text.split("\n")
    place = next(index for index, line in enumerate(lines) if line.startswith("    label_delay="))
    lines[place] = f'    label_delay="{declared}",' if declared else lines[place]
    if not any(line.startswith("    label_time=") for line in lines):
        lines.insert(place, '    label_time="known_at",')
    return "\n".join(lines)


def main() -> None:
    """Replay the histories, and print the metric of each policy."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--histories", default=",".join(ARRIVALS), help="names, separated by commas")
    asked.add_argument("--seeds", default="1,2", help="numbers, separated by commas")
    asked.add_argument("--declared", default="", help="the label delay, such as 60d, that the model file states")
    asked.add_argument("--keep", type=Path, help="a folder to work in; what is there already is not replayed again")
    given = asked.parse_args()
    table = Table("labels", "seed", *POLICIES, "trainings of own", title="log loss")
    with (given.keep and nullcontext(given.keep)) or tempfile.TemporaryDirectory() as folder:
        for history in given.histories.split(","):
            for seed in map(int, given.seeds.split(",")):
                found = replay(history, seed, given.declared, Path(folder))
                values = [f"{found[name]['mean']:.3f}" if name in found else "" for name in POLICIES]
                table.add_row(history, str(seed), *values, str(found["own"]["trainings"]))
    CONSOLE.print(table)


if __name__ == "__main__":
    main()
