"""A handler that calls the pipeline of `late` on a frame of the request's rows, and does nothing else.

Under /batched it predicts the rows of all requests that wait together.
"""

import asyncio
import sys
from typing import Any

import pandas as pd
import uvicorn
from fastapi import FastAPI, Request

from benchmarks.serving.handlers.stored import late, together
from evergreen.stores import Stores

registry = Stores.open().registry
champion = registry.champion("late")
assert champion
estimator = registry.load(champion)
app = FastAPI()
turn = asyncio.Lock()
waiting: list[tuple[dict[str, Any], "asyncio.Future[list[float]]"]] = []


@app.post("/invocations")
async def invocations(request: Request) -> dict[str, object]:
    """Probabilities of the rows of a dataframe_split."""
    split = (await request.json())["dataframe_split"]
    return {"predictions": late(estimator, pd.DataFrame(**split))}


@app.post("/batched")
async def batched(request: Request) -> dict[str, object]:
    """The same, predicted with all that came while the last were."""
    split = (await request.json())["dataframe_split"]
    answer: asyncio.Future[list[float]] = asyncio.get_running_loop().create_future()
    waiting.append((split, answer))
    async with turn:
        if not answer.done():
            await predict()
    return {"predictions": answer.result()}


async def predict() -> None:
    """Answer all that wait; a thread predicts, so that meanwhile the next requests are read."""
    splits, answers = zip(*waiting, strict=True)
    waiting.clear()
    scores = iter(await asyncio.to_thread(late, estimator, pd.DataFrame(**together(splits))))
    for split, answer in zip(splits, answers, strict=True):
        answer.set_result([next(scores) for _ in split["data"]])


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
