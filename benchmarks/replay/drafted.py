"""What `evergreen new` drafts, replayed on its own history with nothing edited: what a user has on the first day.

The published tables and the streams of `benchmarks.first_try`, as files. `own` is the drafted policy; `oracle` trains
at every step without gates, `best-window` also knows which training window will be best over all of them.

    python -m benchmarks.replay.drafted [--tables seoul,bike] [--keep FOLDER]
"""

import argparse
import json
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks.first_try.tables import Untouched, tables
from benchmarks.harness.commands import CommandError, evergreen
from benchmarks.harness.measuring import CONSOLE, Goal, judged

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
        answers = {table.name: replayed(table, work / table.name) for table in chosen}
    CONSOLE.print(_table(answers))
    _goals([_named(answer) for answer in answers.values() if answer])


def replayed(table: Untouched, home: Path) -> dict[str, Any]:
    """Draft, ingest and replay one table, in processes of their own; empty if one of them fails."""
    figures, file = home / "reports" / f"{table.name}.replay.json", home / "models" / f"{table.name}.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        if not file.is_file():
            source = table.source or str(table.path)
            evergreen(home, "new", table.name, "--from", source, "--target", table.target, *table.options)
        if not figures.is_file():
            evergreen(home, "ingest", table.name)
            evergreen(home, "replay", table.name, "--policies", POLICIES)
    except CommandError as error:
        CONSOLE.print(f"{table.name}: {error}", markup=False)
        return {}
    answer: dict[str, Any] = json.loads(figures.read_text())
    return answer


def _named(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {policy["name"]: policy for policy in answer["policies"] if not policy["problem"]}


def _table(answers: dict[str, dict[str, Any]]) -> Table:
    means = ("never", "own", "every-28d", "oracle", "best-window")
    shown = Table("table", "metric", "step", *means, "own's share of oracle", "of best-window")
    for heading in ("trainings", "promoted", "wrong", "worst week"):
        shown.add_column(heading)
    for name, answer in answers.items():
        if not answer:
            shown.add_row(name, "failed")
            continue
        policies = _named(answer)
        own = policies["own"]
        shown.add_row(
            name,
            answer["metric"].replace("_", " "),
            f"{answer['step_days']:g} d",
            *(f"{policies[policy]['mean']:.4g}" if policy in policies else "–" for policy in means),
            _percent(own["gain_share"]),
            _percent(own["against"]["best-window"]["share"]),
            f"{own['trainings']} of {policies['oracle']['trainings']}",
            str(own["promotions"] + own["comebacks"]),
            str(own["wrong_promotions"]),
            "–" if own["worst_week_ratio"] is None else f"{own['worst_week_ratio']:.2f}",
        )
    return shown


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def _goals(answers: list[dict[str, dict[str, Any]]]) -> None:
    """Goals over all tables where training gains anything."""
    own = [policies["own"] for policies in answers]
    of_oracle = _mean([policy["gain_share"] for policy in own])
    of_best = _mean([policy["against"]["best-window"]["share"] for policy in own])
    behind = sum(policy["over_never"]["high"] < 0 for policy in own)
    moves = sum(policy["promotions"] + policy["comebacks"] for policy in own)
    wrong = sum(policy["wrong_promotions"] for policy in own)
    judged(
        Goal("share of the oracle's gain, each at most 100 %", of_oracle, 0.9, True),
        Goal("share of the best window's gain, each at most 100 %", of_best, 0.9, True),
        Goal("tables where own is worse than never retraining, beyond chance", float(behind), 0.0),
        Goal("wrong promotions", wrong / moves if moves else 0.0, 0.025),
    )


def _mean(shares: list[float | None]) -> float:
    known = [min(share, 1.0) for share in shares if share is not None]
    return float(np.mean(known)) if known else 0.0


if __name__ == "__main__":
    main()
