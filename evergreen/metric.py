"""The former name of `evergreen.definition.metrics`, for model files and policies that were written for it."""

from evergreen.definition.metrics import METRICS, Floats, Metric, mean_of, named

__all__ = ["METRICS", "Floats", "Metric", "mean_of", "named"]
