"""Drift, estimated performance, the daily check, and the way from drifted rows to a training."""
