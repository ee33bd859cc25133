"""Deployments that a test registers with the session's server."""

from collections.abc import Iterator

import pytest
from prefect.client.orchestration import get_client


@pytest.fixture
def without_deployments(server: str) -> Iterator[None]:
    """The server has no deployment afterwards."""
    yield
    with get_client(sync_client=True) as client:
        for deployment in client.read_deployments():
            client.delete_deployment(deployment.id)
