"""Bodies as they arrive: what is incomplete stays bounded in number and in size."""

import asyncio
import itertools

import pytest

from serving.errors import RequestError
from serving.http.bodies import Bodies
from serving.options import Limits


async def told(bodies, turn):
    """The size of a body that arrived, or the status of its refusal."""
    try:
        return len(await bodies.read({}, turn.get))
    except RequestError as error:
        return error.status


def received(limits, parts_of_each):
    """What callers that send their parts in turn are told, and the most bytes that were held."""

    async def together():
        bodies, held = Bodies(limits), []
        turns = [asyncio.Queue() for _ in parts_of_each]
        tasks = [asyncio.create_task(told(bodies, turn)) for turn in turns]
        await asyncio.sleep(0)
        for parts in itertools.zip_longest(*parts_of_each):
            for turn, part in zip(turns, parts, strict=True):
                if part is not None:
                    turn.put_nowait({"type": "http.request", "body": bytes(part), "more_body": part in MORE})
                await asyncio.sleep(0.001)
                held.append(bodies._held)
        answers = await asyncio.gather(*tasks)
        assert (bodies._held, bodies._sizes) == (0, {})
        return answers, max(held)

    return asyncio.run(together())


MORE = {3, 7, 9}  # parts of these sizes are not the last


def test_what_comes_in_parts_is_whole_at_the_end():
    assert received(Limits(bytes=10), [[3, 3, 4], [10], [9, 1], [0]])[0] == [10, 10, 10, 0]


def test_what_is_too_large_or_late_is_refused():
    assert received(Limits(bytes=10), [[7, 4], [11], [10]])[0] == [413, 413, 10]
    assert received(Limits(seconds=0.1), [[7], [10], []])[0] == [408, 10, 408]


@pytest.mark.parametrize("count", [35, 36, 60])
def test_the_bytes_that_are_held_are_bounded_and_the_oldest_gives_way(count):
    answers, most = received(Limits(bytes=10), [[9, 0]] * count)
    assert most <= 320
    assert answers == [503] * max(0, count - 35) + [9] * min(count, 35)


@pytest.mark.parametrize("count", [2, 5])
def test_the_bodies_that_are_not_whole_are_bounded_and_the_oldest_gives_way(count):
    assert received(Limits(at_once=2), [[3, 0]] * count)[0] == [503] * (count - 2) + [3, 3]
