"""The pool of processes: whose processes end with it."""

import math
import multiprocessing
import os
import signal

import pytest
from joblib import Parallel, delayed

from evergreen.errors import ReplayError
from evergreen.process_pool import process_pool


def test_a_pool_that_ends_early_ends_its_own_processes_and_leaves_joblibs():
    Parallel(n_jobs=2)(delayed(abs)(number) for number in range(4))
    others = multiprocessing.active_children()
    with pytest.raises(OverflowError), process_pool("the test", ReplayError) as pool:
        pool.submit(math.exp, 1000).result()
    assert others
    assert set(multiprocessing.active_children()) == set(others)


def test_a_killed_process_is_told_as_such():
    with (
        pytest.raises(ReplayError, match=r"A process of the test was killed.*Run it again to continue\."),
        process_pool("the test", ReplayError) as pool,
    ):
        pool.submit(os.kill, pool.submit(os.getpid).result(), signal.SIGKILL).result()
