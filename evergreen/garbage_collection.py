"""Garbage collection of a process that imports much and lives briefly."""

import atexit
import gc
import sys


def collect_rarely() -> None:
    """Collect garbage rarely, and not at the end of the process.

    Imports leave no garbage: Python's own threshold of 700 costs a sixth of a command's time, and the last
    collection 0.2 to 0.4 s.
    """
    gc.set_threshold(10_000)
    atexit.register(_skip_last_collection)


def _skip_last_collection() -> None:
    if "_duckdb" not in sys.modules:  # its binding reports on stderr what is not freed
        gc.freeze()
