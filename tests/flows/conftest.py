"""Flows run against the session's server."""

import pytest


@pytest.fixture(autouse=True)
def _with_server(server: str) -> None:
    """Every test in this folder runs flows."""
