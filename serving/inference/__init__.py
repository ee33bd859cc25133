"""Inference: loaded and compiled models, micro-batching, canary and shadow."""
