"""LitServe with the pipeline of `late`; run in its environment: `litserve_handler PORT [batching]`.

A request is the dataframe_split that the other handlers get. With batching, requests hold a row each.
"""

import sys
from typing import Any

import litserve
import pandas as pd

from benchmarks.serving.handlers import stored


class Late(litserve.LitAPI):
    """Rows to probabilities."""

    def setup(self, device: str) -> None:
        """Load the pipeline."""
        self.estimator = stored.estimator()

    def decode_request(self, request: dict[str, Any]) -> dict[str, Any]:
        """The rows, not yet a frame, so that one frame holds those of a whole batch."""
        return request["dataframe_split"]

    def batch(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """The rows of all requests."""
        return stored.together(inputs)

    def predict(self, split: dict[str, Any]) -> list[float]:
        """Probabilities."""
        return stored.late(self.estimator, pd.DataFrame(**split))

    def unbatch(self, output: list[float]) -> list[list[float]]:
        """Each request's probability."""
        return [[value] for value in output]

    def encode_response(self, output: list[float]) -> dict[str, list[float]]:
        """The form of the other handlers."""
        return {"predictions": output}


if __name__ == "__main__":
    batching = {"max_batch_size": 16, "batch_timeout": 0.01} if "batching" in sys.argv else {}
    server = litserve.LitServer(Late(api_path="/invocations", **batching), accelerator="cpu")
    server.run("127.0.0.1", int(sys.argv[1]), log_level="error", generate_client_file=False)
