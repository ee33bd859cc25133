"""Benchmarks: `make bench` runs them all, side by side with their baselines."""
