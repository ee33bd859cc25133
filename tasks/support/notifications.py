"""Send notifications (alerts) through Prefect's notification blocks: Slack, e-mail or any webhook."""

from typing import Any

from prefect.blocks.core import Block
from prefect.exceptions import MissingContextError
from prefect.logging import get_logger, get_run_logger

from evergreen import ui_address
from evergreen.settings import Settings


def alert(subject: str, body: str, model: str, page: str = "") -> list[str]:
    """Notify through every block that EVERGREEN_ALERTS names, such as ``slack-webhook/ops``.

    A failed alert is logged and does not fail the run, since its work is already done.
    Without the setting, the alert itself is logged.

    Parameters
    ----------
    subject, body, model : str
    page : str
        The path of the page of the web UI that shows it, which the message links to where its address is known.

    Returns
    -------
    list of str
        The blocks that accepted it.
    """
    blocks = Settings.read().alerts
    if page and (link := ui_address.page(page)):
        body = f"{body}\n{link}"  # on a line of its own: chats and mail programs take all of it for the link
    if not blocks:
        _log().warning("%s: %s. %s (EVERGREEN_ALERTS names no block to notify.)", model, subject, body)
    return [block for block in blocks if _notified(block, f"{model}: {subject}", body)]


def _notified(block: str, subject: str, body: str) -> bool:
    try:
        notifier: Any = Block.load(block)
        with notifier.raise_on_failure():
            notifier.notify(body, subject=subject)
    except Exception as error:  # any error of any notification library
        _log().warning("The alert %r did not go out through %s: %s: %s", subject, block, type(error).__name__, error)
        return False
    return True


def _log() -> Any:
    try:
        return get_run_logger()
    except MissingContextError:
        return get_logger("evergreen")
