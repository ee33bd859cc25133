"""Alert a person: through Prefect's notification blocks, Slack, e-mail or any webhook alike."""

from typing import Any

from prefect.blocks.core import Block
from prefect.exceptions import MissingContextError
from prefect.logging import get_logger, get_run_logger

from evergreen.settings import Settings


def alert(subject: str, body: str, model: str) -> list[str]:
    """Notify through every block that EVERGREEN_ALERTS names, such as ``slack-webhook/ops``.

    An alert is about work that is done, so one that fails is a line of the log and fails nothing;
    without a setting the alert itself is that line.

    Returns
    -------
    list of str
        The blocks that took it.
    """
    blocks = Settings.read().alerts
    if not blocks:
        _log().warning("%s: %s. %s (EVERGREEN_ALERTS names nobody to tell.)", model, subject, body)
    return [block for block in blocks if _notified(block, f"{model}: {subject}", body)]


def _notified(block: str, subject: str, body: str) -> bool:
    try:
        notifier: Any = Block.load(block)
        with notifier.raise_on_failure():
            notifier.notify(body, subject=subject)
    except Exception as error:  # of any library of any service
        _log().warning("The alert %r did not go out through %s: %s: %s", subject, block, type(error).__name__, error)
        return False
    return True


def _log() -> Any:
    try:
        return get_run_logger()
    except MissingContextError:
        return get_logger("evergreen")
