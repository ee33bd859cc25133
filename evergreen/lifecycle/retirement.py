"""Retirement: a model that no file declares any more stops answering, once a person says so; it can be undone."""

import pandas as pd

from evergreen.definition import model_files
from evergreen.errors import PromotionError
from evergreen.lake import audit_log
from evergreen.lifecycle import champion_moves
from evergreen.registry.registry import Registry
from evergreen.registry.version import Version
from evergreen.stores import Stores


def undeclared(registry: Registry) -> list[str]:
    """The models that have a champion and no model file: they still answer."""
    return sorted(set(registry.serving_aliases()) - set(model_files.names()))


def retire(stores: Stores, model: str, reason: str, by: str, at: pd.Timestamp) -> Version:
    """Take the champion's alias away, and the canary's and the shadow's; the service stops answering.

    It is recorded first, so that a retirement that was interrupted is finished by the same call. Repeating it changes
    nothing.

    Parameters
    ----------
    stores : Stores
    model : str
    reason, by : str
        For the record.
    at : Timestamp
        Now.

    Returns
    -------
    Version
        The one that was champion.

    Raises
    ------
    PromotionError
        There is a model file, whose next training would promote a champion again, or no champion.
    """
    registry = stores.registry
    if model_files.is_declared(model):
        raise PromotionError(
            f"{model} has a model file, {model_files.path_of(model)}, whose next training would promote a champion. "
            "Delete the file, or the model's row, `evergreen deploy` where the model is deployed, and retire it then."
        )
    newest = champion_moves.settle(stores, model)
    champion = registry.champion(model)
    if champion is None:
        retired = _retired(registry, model)
        if retired is None:
            raise PromotionError(f"{model} has no champion, so there is nothing to retire.")
        return retired
    _move(stores, champion, newest, reason, by, at, undone=False)
    return registry.version(model, champion.number)


def undo(stores: Stores, model: str, reason: str, by: str, at: pd.Timestamp) -> Version:
    """Let the version that was champion when a model was retired answer again.

    Raises
    ------
    PromotionError
        The model was not retired, or has got another champion since.
    """
    registry = stores.registry
    retired = _retired(registry, model)  # before an undo that was interrupted is finished
    newest = champion_moves.settle(stores, model)
    champion = registry.champion(model)
    if retired is None:
        raise PromotionError(f"{model} was not retired, so there is nothing to undo.")
    if champion is not None and champion.number != retired.number:
        raise PromotionError(
            f"{model} has got a champion since: {champion}. `evergreen rollback {model} --reason ...` restores another "
            "one."
        )
    if champion is None:
        registry.verify(retired)
        _move(stores, retired, newest, reason, by, at, undone=True)
    else:
        registry.tag(retired, retired_at=None)  # what an interrupted one has left to do
    return registry.version(model, retired.number)


def _retired(registry: Registry, model: str) -> Version | None:
    """The version that was champion when a model was retired; None if it was not."""
    retired = [version for version in registry.versions(model) if version.retired_at is not None]
    return max(retired, key=lambda version: version.required(Version.retired_at), default=None)


def _move(
    stores: Stores, version: Version, newest: int, reason: str, by: str, at: pd.Timestamp, *, undone: bool
) -> None:
    """Record it in the audit log, and do it."""
    detail = {"reason": reason, "moment": at.isoformat(), "undone": undone}
    champion_moves.carry_out(
        stores,
        audit_log.write(
            stores.lake, version.model, "retirement", version.number, at, by=by, detail=detail, after=newest
        ),
    )
