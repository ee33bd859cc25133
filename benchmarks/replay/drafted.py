"""What `evergreen new` drafts, replayed on its own history with nothing edited: what a user has on the first day.

The published tables and the streams of `benchmarks.first_try`, as files. `own` is the drafted policy; `oracle` trains
at every step without gates, `best-window` also knows which training window will be best over all of them.

    python -m benchmarks.replay.drafted [--tables seoul,bike] [--keep FOLDER]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks.first_try.tables import Untouched, tables
from benchmarks.harness.measuring import CONSOLE, Goal, judged

EVERGREEN = [sys.executable, "-m", "cli.main"]
POLICIES = "never,own,every-28d,best-window"


def main() -> None:
    """Replay each table, and print what its draft came to."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--tables", default="", help="names, separated by commas; all by default")
    asked.add_argument("--keep", type=Path, help="a folder to work in; what is there already is not replayed again")
    given = asked.parse_args()
    wanted = set(filter(None, given.tables.split(",")))
    with nullcontext(given.keep) if given.keep else tempfile.TemporaryDirectory(prefix="evergreen-drafted-") as folder:
        work = Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        chosen = [table for table in tables(work, ["raw", "stream"]) if not wanted or table.name in wanted]
        found = {table.name: replayed(table, work / table.name) for table in chosen}
    CONSOLE.print(_table(found))
    _goals([_named(answer) for answer in found.values() if answer])


def replayed(table: Untouched, home: Path) -> dict[str, Any]:
    """Draft, ingest and replay one table, in processes of their own; empty if one of them fails."""
    figures = home / "reports" / f"{table.name}.replay.json"
    environment = os.environ | {"EVERGREEN_HOME": str(home), "EVERGREEN_MODELS": str(home / "models")}
    commands = [
        ("new", table.name, "--from", table.source or str(table.path), "--target", table.target, *table.options),
        ("ingest", table.name),
        ("replay", table.name, "--policies", POLICIES),
    ]
    if not figures.is_file():
        (home / "models").mkdir(parents=True, exist_ok=True)
        for words in commands:
            if words[0] == "new" and (home / "models" / f"{table.name}.py").is_file():
                continue
            done = subprocess.run([*EVERGREEN, *words], env=environment, capture_output=True, text=True)
            if done.returncode:
                CONSOLE.print(f"{table.name}: {words[0]}: {done.stderr.strip()[-300:]}", markup=False)
                return {}
    answer: dict[str, Any] = json.loads(figures.read_text())
    return answer


def _named(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {policy["name"]: policy for policy in answer["policies"] if not policy["problem"]}


def _table(found: dict[str, dict[str, Any]]) -> Table:
    headings = (
        "table",
        "metric",
        "step",
        "never",
        "own",
        "every 28d",
        "oracle",
        "best window",
        "own's share",
        "of best",
    )
    shown = Table(*headings, "trainings", "promoted", "wrong", "worst week")
    for name, answer in found.items():
        if not answer:
            shown.add_row(name, "failed")
            continue
        policies = _named(answer)
        own, best = policies["own"], "best-window"
        means = [policies[policy]["mean"] for policy in ("never", "own", "every-28d", "oracle", best)]
        shown.add_row(
            name,
            answer["metric"].replace("_", " "),
            f"{answer['step_days']:g} d",
            *(f"{mean:.4g}" for mean in means),
            _percent(own["gain_share"]),
            _percent(own["against"][best]["share"]),
            f"{own['trainings']} of {policies['oracle']['trainings']}",
            str(own["promotions"] + own["comebacks"]),
            str(own["wrong_promotions"]),
            "–" if own["worst_week_ratio"] is None else f"{own['worst_week_ratio']:.2f}",
        )
    return shown


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def _goals(found: list[dict[str, dict[str, Any]]]) -> None:
    """Goals over all tables where training gains anything."""
    own = [policies["own"] for policies in found]
    shares = [policy["gain_share"] for policy in own if policy["gain_share"] is not None]
    best = [policy["against"]["best-window"]["share"] for policy in own]
    moves = sum(policy["promotions"] + policy["comebacks"] for policy in own)
    behind = [policies for policies in found if policies["own"]["over_never"]["high"] < 0]
    judged(
        Goal("share of the oracle's gain, each at most 100 %", _mean(shares), 0.9, True),
        Goal(
            "share of the best window's gain, each at most 100 %",
            _mean([one for one in best if one is not None]),
            0.9,
            True,
        ),
        Goal("tables where own is worse than never retraining, beyond chance", float(len(behind)), 0.0),
        Goal("wrong promotions", sum(policy["wrong_promotions"] for policy in own) / max(moves, 1), 0.025),
    )


def _mean(shares: list[float]) -> float:
    return float(np.mean(np.minimum(shares, 1))) if shares else 0.0


if __name__ == "__main__":
    main()
