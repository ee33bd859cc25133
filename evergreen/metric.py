"""The former place of `evergreen.definition.metrics`, which model files of earlier releases still import."""

from evergreen.definition.metrics import METRICS, Floats, Metric, mean_of, named

__all__ = ["METRICS", "Floats", "Metric", "mean_of", "named"]
