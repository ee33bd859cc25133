"""A Prefect flow that takes what an ingest takes and does nothing, with the settings of this home."""

from datetime import datetime

from evergreen.settings import embed

embed()

from prefect import flow  # noqa: E402 - it reads its settings when it is imported


@flow
def empty(model: str, as_of: datetime | None = None) -> None:
    """Do nothing."""


if __name__ == "__main__":
    empty("airtime")
