"""A race of writers: whether a store lets only one of them create the same file.

All that several processes write at once rests on this: a table of Delta is safe only where of two writers of the same
version one fails.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier, BrokenBarrierError
from time import perf_counter
from uuid import uuid4

from evergreen.lake import stored_files
from evergreen.lake.connection import explained

WRITERS, ROUNDS = 32, 200


@dataclass(frozen=True)
class Race:
    """How a race ended.

    Attributes
    ----------
    writers, rounds : int
    broken : int
        Rounds in which the store told more than one writer that it had created the file.
    fruitless : int
        Rounds in which it told none.
    seconds : float
    """

    writers: int
    rounds: int
    broken: int
    fruitless: int
    seconds: float


def race(lake: str, writers: int = WRITERS, rounds: int = ROUNDS) -> Race:
    """Let writers begin the same table at the same moment, in a folder beside the tables of the lake.

    Nothing of it stays.

    Raises
    ------
    LakeError
        The store cannot be reached or written.
    """
    import pyarrow as pa
    from deltalake import CommitProperties, DeltaTable
    from deltalake.exceptions import DeltaError

    store, root = stored_files.opened(lake)
    folder, together, begun = f"_race-{uuid4().hex}", Barrier(writers), perf_counter()
    schema, once = pa.schema([("writer", pa.int64())]), CommitProperties(max_commit_retries=0)

    def write(_: int) -> list[bool]:
        """In which rounds this writer was told that it had created the table."""
        won = []
        try:
            for turn in range(rounds):
                together.wait()
                try:
                    DeltaTable.create(
                        f"{lake.rstrip('/')}/{folder}/{turn}", schema, mode="error", commit_properties=once
                    )
                    won.append(True)
                except DeltaError:
                    won.append(False)
        except BaseException:
            together.abort()  # the others wait for this one
            raise
        return won

    with explained(f"write {lake}"):
        try:
            with ThreadPoolExecutor(writers) as pool:
                writes = [pool.submit(write, number) for number in range(writers)]
            failed = [error for done in writes if (error := done.exception()) is not None]
            failed.sort(key=lambda error: isinstance(error, BrokenBarrierError))  # these failed because another had
            if failed:
                raise failed[0]
        finally:
            if store.exists(f"{root}/{folder}"):
                store.rm(f"{root}/{folder}", recursive=True)
    winners = [sum(won) for won in zip(*(done.result() for done in writes), strict=True)]
    broken, fruitless = sum(count > 1 for count in winners), winners.count(0)
    return Race(writers, rounds, broken, fruitless, perf_counter() - begun)
