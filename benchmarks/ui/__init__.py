"""Benchmarks of the web UI."""
