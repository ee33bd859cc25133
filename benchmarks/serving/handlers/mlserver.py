"""MLServer with the pipeline of `late`; run in its environment: `mlserver_handler PORT [batching]`.

A request is that of the open inference protocol, a tensor for each column, and says that they are a frame's.
"""

import os
import sys
from pathlib import Path

import numpy as np
from mlserver import MLModel
from mlserver.cli import main
from mlserver.codecs import NumpyCodec, PandasCodec
from mlserver.types import InferenceRequest, InferenceResponse

from benchmarks.serving.handlers import stored


class Late(MLModel):
    """Rows to probabilities."""

    async def load(self) -> bool:
        """Load the pipeline."""
        self.estimator = stored.estimator()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Probabilities."""
        rows = self.decode_request(payload, default_codec=PandasCodec)
        late = NumpyCodec.encode_output("predictions", np.array(stored.late(self.estimator, rows)))
        return InferenceResponse(model_name=self.name, outputs=[late])


if __name__ == "__main__":
    os.environ |= {
        "MLSERVER_HOST": "127.0.0.1",
        "MLSERVER_HTTP_PORT": sys.argv[1],
        "MLSERVER_GRPC_PORT": "0",  # any: nobody asks there
        "MLSERVER_METRICS_PORT": "0",
        "MLSERVER_METRICS_DIR": os.environ["EVERGREEN_HOME"],
        "MLSERVER_DEBUG": "false",
        "MLSERVER_MODEL_NAME": "late",
        "MLSERVER_MODEL_IMPLEMENTATION": "benchmarks.serving.handlers.mlserver.Late",
    }
    if "batching" in sys.argv:
        os.environ |= {"MLSERVER_MODEL_MAX_BATCH_SIZE": "16", "MLSERVER_MODEL_MAX_BATCH_TIME": "0.01"}
    sys.argv[1:] = ["start", str(Path(os.environ["STORED"]).parent)]
    main()
