"""MLflow's client, and models loaded by it, kept in memory."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from evergreen.errors import RegistryError, RegistrySetupError, translated

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.store.entities import PagedList

T = TypeVar("T")
_PATIENCE = 10  # seconds, for a server that is asked once
PAGE = 1000  # entities that are asked for at once: of registered models the most that MLflow gives


@lru_cache(maxsize=4)
def client_of(uri: str) -> "MlflowClient":
    """MLflow's client of one store."""
    from mlflow import MlflowClient

    if uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    try:
        return MlflowClient(uri, uri)
    except ValueError as error:
        reason = "it cannot be read" if "@" in uri else str(error)  # which may contain a part of a password
        raise RegistrySetupError(
            f"MLFLOW_TRACKING_URI is not the address of a store: {reason}. Percent-encode special characters in "
            "its user and password, such as @ as %40."
        ) from error


def server_version(uri: str) -> str:
    """The version of the MLflow server at an address, asked once, with the credentials of MLflow's client.

    Raises
    ------
    RegistryError
        It does not answer, or not to these credentials.
    """
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request, verify_rest_response

    with explained("ask the server for its version"):
        answer = http_request(get_default_host_creds(uri), "/version", "GET", max_retries=0, timeout=_PATIENCE)  # type: ignore[no-untyped-call]
        verify_rest_response(answer, "/version")
    return str(answer.text).strip()


def every(ask: "Callable[[int, str | None], PagedList[T]]") -> list[T]:
    """Everything that MLflow gives page by page.

    Parameters
    ----------
    ask : callable
        From how many to give, and the token of a page, to the page.
    """
    from mlflow.utils import get_results_from_paginated_fn

    found: list[T] = get_results_from_paginated_fn(ask, PAGE)  # type: ignore[no-untyped-call]
    return found


_LOADED: dict[tuple[str, str], Any] = {}  # the estimators used last, by store and source


def loaded(uri: str, source: str, load: Callable[[], Any]) -> Any:
    """The estimator stored at `source`; the most recently used ones stay in memory, others are loaded."""
    known = _LOADED.pop((uri, source), None)
    return cached(uri, source, load() if known is None else known)


def cached(uri: str, source: str, estimator: Any) -> Any:
    """Keep an estimator in memory; the least recently used one is dropped."""
    _LOADED[uri, source] = estimator
    while len(_LOADED) > 16:
        del _LOADED[next(iter(_LOADED))]
    return estimator


@lru_cache(maxsize=64)
def local_copy(uri: str, source: str) -> str:
    """The path of a local copy of what is stored at `source`, or of that itself where it is in a folder.

    A model of MLflow's, ``models:/ID``, is fetched from the folder that it is stored in: fetched by its own address,
    MLflow writes a file beside it, which fails where this process may only read.
    """
    import mlflow
    from mlflow.artifacts import download_artifacts

    mlflow.set_tracking_uri(uri)
    model = re.fullmatch(r"models:/([^/@]+)", source)
    return str(download_artifacts(client_of(uri).get_logged_model(model[1]).artifact_location if model else source))


def is_stored(uri: str, source: str) -> bool:
    """Whether any file is stored at `source`."""
    import mlflow
    from mlflow.artifacts import list_artifacts

    mlflow.set_tracking_uri(uri)
    return bool(list_artifacts(artifact_uri=source))


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn what the store raises into a RegistryError that says what could not be done."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    down = f"Cannot {doing}: {{reason}}. Check that the MLflow store is up, writable and not full."
    missing = (
        f"Cannot {doing}: {{reason}}. Install the missing package where Evergreen runs: the store that "
        "MLFLOW_TRACKING_URI names, or the stored model, needs it."
    )
    with (
        translated(RegistryError, down, MlflowException, SQLAlchemyError, OSError, reason=_sentence),
        translated(RegistrySetupError, missing, ImportError, reason=str),
    ):
        yield


def _sentence(error: BaseException) -> str:
    return str(error).splitlines()[0].rstrip(".")
