"""A pool of processes, one per core, that end with this one and leave Ctrl-C to it."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from evergreen import lifeline
from evergreen.errors import EvergreenError

_MOST = 8  # processes


@contextmanager
def process_pool(what: str, error: type[EvergreenError]) -> Iterator[ProcessPoolExecutor]:
    """Start a pool; if the block ends with an exception, its processes are killed.

    Parameters
    ----------
    what : str
        What the processes work on, for the message, such as ``"the replay"``.
    error : type of EvergreenError
        Raised where one of them was killed.
    """
    count = min(os.cpu_count() or 1, _MOST)
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=(os.getpid(),))
    try:
        yield pool
    except BaseException as raised:
        for process in multiprocessing.active_children():
            if isinstance(process, context.Process):  # joblib's workers are of another class, and not ours to end
                process.kill()
        pool.shutdown(cancel_futures=True)
        if isinstance(raised, BrokenProcessPool):
            raise error(
                f"A process of {what} was killed, perhaps for lack of memory. Run it again to continue."
            ) from raised
        raise
    pool.shutdown()


@contextmanager
def without_ctrl_c() -> Iterator[None]:
    """Let processes that start in this block leave Ctrl-C to this one, also while they import."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(parent: int) -> None:
    """Leave Ctrl-C to the process that started this one, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lifeline.watch(parent)
