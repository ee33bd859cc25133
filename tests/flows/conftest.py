"""Flows run against the session's server."""

import pytest

pytestmark = pytest.mark.usefixtures("server")


@pytest.fixture(scope="session")
def worse() -> str:
    """Lines of a model file whose challenger always answers the same."""
    return (
        "\nfrom sklearn.dummy import DummyRegressor\nmodel = model.model_copy(update={'estimator': DummyRegressor})\n"
    )


@pytest.fixture(autouse=True)
def _with_server(server: str) -> None:
    """Every test in this folder runs flows."""
