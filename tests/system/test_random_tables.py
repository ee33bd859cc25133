"""Random tables through the whole loop: a few here, hundreds by `make fuzz`, which reports how they ended.

Environment: FUZZ_TABLES how many, FUZZ_SEED and FUZZ_FIRST which, FUZZ_TABLE the file of one that is to be repeated,
FUZZ_KEPT where those with a fault are kept.
"""

import os
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.system.random_tables import RandomTable, random_tables
from tests.system.whole_loop import Trial, home_of

FEW, MORE = (1,), (3, 10, 14)  # tables of seed 4 that `make test` and `make test-long` take, with various ends
ONLY = os.environ.get("FUZZ_TABLE", "")
COUNT = int(os.environ.get("FUZZ_TABLES", "0"))
SEED, FIRST = int(os.environ.get("FUZZ_SEED", "4")), int(os.environ.get("FUZZ_FIRST", "0"))
KEPT = Path(os.environ.get("FUZZ_KEPT", Path(tempfile.gettempdir()) / "evergreen-fuzz"))


def numbers() -> list[Any]:
    """The numbers of the tables: those that are asked for, or those that every run takes."""
    if ONLY or COUNT:
        return [pytest.param((0,) if ONLY else range(FIRST, FIRST + COUNT), id="asked")]
    return [pytest.param(FEW, id="few"), pytest.param(MORE, id="more", marks=pytest.mark.long)]


@pytest.mark.parametrize("numbers", numbers())
def test_every_random_table_ends_in_an_answer_or_in_a_sentence(tmp_path, empty_registry, numbers):
    start, endings, faults = time.perf_counter(), Counter[str](), list[str]()
    for number in numbers:
        table = RandomTable.parse(Path(ONLY).read_text()) if ONLY else drawn(SEED, number)
        with home_of(tmp_path / str(number), empty_registry) as folder:
            trial = Trial(table, folder).run()
            endings[trial.ending.partition(":")[0] or "a fault"] += 1
            print(f"{number}: {trial.seconds:.1f} s of CPU: {trial.ending:.300}", flush=True)
            if trial.commands.faults:
                faults.append(kept(trial, folder, KEPT / f"{SEED}-{number}"))
                print(faults[-1], flush=True)
        shutil.rmtree(folder)
    seconds = time.perf_counter() - start
    print(f"{endings.total()} tables of seed {SEED} in {seconds:.0f} s: {dict(endings)}; {len(faults)} with a fault")
    assert not faults, "\n\n".join(faults)


def drawn(seed: int, number: int) -> RandomTable:
    """The table of a number: the same one whenever it is drawn."""
    found: list[RandomTable] = []
    phases, unchecked = [Phase.generate], list(HealthCheck)

    @hypothesis.seed(f"{seed}-{number}")
    @settings(max_examples=2, phases=phases, database=None, deadline=None, suppress_health_check=unchecked)
    @given(random_tables())
    def collect(table: RandomTable) -> None:
        found.append(table)

    collect()
    return found[-1]  # the first one is the simplest, whatever the seed


def kept(trial: Trial, folder: Path, place: Path) -> str:
    """Keep a table with a fault, as it was drawn and delivered, with its steps; in words."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(folder, place, ignore=shutil.ignore_patterns("home"))
    (place / "table.json").write_text(trial.table.json())
    told = "\n".join([*trial.commands.steps, "", *trial.commands.faults])
    (place / "steps.txt").write_text(told)
    return f"{told}\nFUZZ_TABLE={place}/table.json make fuzz repeats this one."
