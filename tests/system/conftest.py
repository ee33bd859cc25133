"""What crosses the packages runs against the session's server."""

import pytest

from tests.serving.conftest import lived

__all__ = ["lived"]


@pytest.fixture(autouse=True)
def _with_server(server: str) -> None:
    """Most tests in this folder run flows."""
