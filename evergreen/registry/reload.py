"""Load a stored model in a fresh process and repeat its predictions on its input example.

A helper process imports the libraries once and forks a clean child for each model, so that the
check costs only the loading, and uses no state of the process that trained.
"""

import atexit
import itertools
import json
import os
import subprocess
import sys
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from evergreen import lifeline
from evergreen.definition.metrics import Floats
from evergreen.registry.model_store import input_example, load_saved, stored_signature

# Imported once, by the helper, and inherited by every child.
_INHERITED = ("mlflow.models", "skops.io", "sklearn.ensemble", "sklearn.pipeline")
_DIED = "the fresh process died"


class Reloader:
    """The helper process; start it early, and its imports run beside the training."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._process = subprocess.Popen(  # noqa: S603 - no word from outside
            lifeline.command(__name__),
            env=lifeline.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # out of reach of Ctrl-C
        )

    def repeat(self, path: str, trusted: list[str]) -> Floats:
        """Predictions that a fresh process makes on the input example of a stored model.

        Parameters
        ----------
        path : str
            The stored model.
        trusted : list of str
            Types that it may have beside the default ones.

        Raises
        ------
        RuntimeError
            It could not load the model or predict with it; the message says why.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        number = next(self._numbers)
        self._process.stdin.write(json.dumps({"number": number, "path": path, "trusted": trusted}) + "\n")
        self._process.stdin.flush()
        answers = map(_parsed, iter(self._process.stdout.readline, ""))
        response = next((answer for answer in answers if answer.get("number") == number), {"error": _DIED})
        if "error" in response:
            raise RuntimeError(response["error"])
        return np.asarray(response["predictions"], dtype=np.float64)

    def close(self) -> None:
        """End the helper."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.kill()  # it has nothing to save, and may still be importing
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


def outputs(estimator: Any, inputs: Any) -> Floats:
    """The values to compare: probabilities if there are any, else the predictions."""
    predict = getattr(estimator, "predict_proba", estimator.predict)
    values = np.asarray(predict(inputs))
    numbers = values if values.dtype.kind in "fiub" else np.unique(values, return_inverse=True)[1]
    return numbers.astype(np.float64)


@cache
def helper() -> Reloader:
    """The helper of this process, started when it is first asked for."""
    reloader = Reloader()
    atexit.register(reloader.close)
    return reloader


def typed(path: str, example: pd.DataFrame) -> pd.DataFrame:
    """Give an input example, which was kept as JSON, the numbers' types of its signature."""
    inputs = stored_signature(path).inputs
    kinds = zip(inputs.input_names(), inputs.pandas_types(), strict=True)
    return example.astype({name: kind for name, kind in kinds if np.dtype(kind).kind in "fib"})


def _serve() -> None:
    """Answer each line of JSON on standard input with another one, from a separate child process."""
    # Whatever a library or a user's code prints, also from C, goes where errors go, and is no answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for name in _INHERITED:
        import_module(name)

    helper = os.getpid()
    for line in sys.stdin:
        request = json.loads(line)
        number = request.pop("number")
        child = os.fork()
        if child == 0:
            lifeline.watch(helper)
            print(json.dumps({"number": number} | _answer(**request)), file=answers, flush=True)
            os._exit(0)
        if os.waitpid(child, 0)[1] != 0:  # on a line of its own, as the child may have been writing
            error = "the fresh process was killed while loading the model"
            print("\n" + json.dumps({"number": number, "error": error}), file=answers, flush=True)


def _parsed(line: str) -> dict[str, Any]:
    """An answer; one that was cut off is none."""
    try:
        answer: dict[str, Any] = json.loads(line)
    except ValueError:
        return {}
    return answer


def _answer(path: str, trusted: list[str]) -> dict[str, Any]:
    try:
        example = typed(path, input_example(path))
        predictions = outputs(load_saved(path, trusted), example)
        return {"predictions": predictions.tolist()}
    except Exception as error:  # whatever it is, the parent process says it
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    _serve()
