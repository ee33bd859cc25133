"""A handler that calls the pipeline of `late` on a frame of the request's rows, and does nothing else."""

import sys

import pandas as pd
import uvicorn
from fastapi import FastAPI, Request

from evergreen.registry import Registry

registry = Registry.open()
champion = registry.champion("late")
assert champion
estimator = registry.load(champion)
app = FastAPI()


@app.post("/invocations")
async def invocations(request: Request) -> dict[str, object]:
    """Probabilities of the rows of a dataframe_split."""
    split = (await request.json())["dataframe_split"]
    return {"predictions": estimator.predict_proba(pd.DataFrame(**split))[:, 1].tolist()}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
