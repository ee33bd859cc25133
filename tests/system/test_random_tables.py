"""Random tables through the whole loop: a few here, hundreds by `make fuzz`, which reports how each ended."""

import os
import shutil
import time
from collections import Counter
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.system.random_tables import RandomTable, random_tables
from tests.system.whole_loop import Trial, home_of

COUNT = int(os.environ.get("FUZZ_TABLES", "6"))
SEED = int(os.environ.get("FUZZ_SEED", "0"))
KEPT = Path(os.environ.get("FUZZ_KEPT", "/tmp/evergreen-fuzz"))
FIRST = int(os.environ.get("FUZZ_FIRST", "0"))
ONLY = os.environ.get("FUZZ_TABLE", "")  # the file of a table that is to be repeated


def drawn(seed: int, number: int) -> RandomTable:
    """The table of a number: the same one whenever it is drawn."""
    tables: list[RandomTable] = []

    @hypothesis.seed(f"{seed}-{number}")
    @settings(
        max_examples=2, phases=[Phase.generate], database=None, deadline=None, suppress_health_check=[*HealthCheck]
    )
    @given(random_tables())
    def collect(table: RandomTable) -> None:
        tables.append(table)

    collect()
    return tables[-1]  # the first one is the simplest, whatever the seed


@pytest.mark.slow
def test_every_random_table_ends_in_an_answer_or_in_a_sentence(tmp_path, empty_registry):
    tables = (
        [RandomTable.parse(Path(ONLY).read_text())]
        if ONLY
        else [drawn(SEED, number) for number in range(FIRST, FIRST + COUNT)]
    )
    start, endings, failed = time.perf_counter(), Counter[str](), []
    for number, table in enumerate(tables, FIRST):
        with home_of(tmp_path / f"{number}", empty_registry) as folder:
            trial = Trial(table, folder).run()
        endings[trial.ending.partition(":")[0] or "a fault"] += 1
        print(f"{number}: {trial.seconds:.1f} s: {trial.ending:.300}", flush=True)
        if ONLY or os.environ.get("FUZZ_STEPS"):
            print("\n".join(trial.steps))
        if trial.faults:
            failed.append(kept(trial, folder, f"{SEED}-{number}"))
            for fault in trial.faults:
                print("  FAULT", _short(fault), flush=True)
        if not ONLY:
            shutil.rmtree(folder)
    seconds = time.perf_counter() - start
    print(f"{len(tables)} tables of seed {SEED} in {seconds:.0f} s; {dict(endings)}; {len(failed)} with a fault")
    assert not failed, "\n\n".join(failed)


def kept(trial: Trial, folder: Path, name: str) -> str:
    """What is kept of a table with a fault, in words: the draw, its deliveries, and how to repeat it."""
    place = KEPT / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    (place / "table.json").write_text(trial.table.json())
    (place / "steps.txt").write_text("\n".join([*trial.steps, "", *trial.faults]))
    return f"FUZZ_TABLE={place}/table.json repeats this one:\n" + "\n".join([*trial.steps, *trial.faults])


def _short(fault: str) -> str:
    lines = fault.strip().splitlines()
    return (
        f"{lines[0][:60]} ... {lines[-3].strip()} {lines[-1]}"[:500]
        if "Traceback" in fault
        else fault[:500].replace("\n", " ")
    )
