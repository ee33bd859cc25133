"""Keeps the reports of LightGBM and CatBoost off the terminal, where results stand, and their files off the disk."""

import logging
from typing import Any

_REPORTS = {"verbose", "verbose_eval", "silent", "logging_level"}  # of CatBoost: one of these is the user's wish


def quiet(estimator: Any) -> Any:
    """Silence the parts of an estimator that report while they are fitted, unless its author asked for reports."""
    for part in [estimator, *(value for value in estimator.get_params().values() if hasattr(value, "fit"))]:
        package = type(part).__module__.split(".")[0]
        if package == "catboost":
            _quiet_catboost(part)
        elif package == "lightgbm":
            _quiet_lightgbm()
    return estimator


def _quiet_catboost(estimator: Any) -> None:
    known = estimator.get_params()
    if not _REPORTS & set(known):
        estimator.set_params(logging_level="Silent")
    if "allow_writing_files" not in known:
        estimator.set_params(allow_writing_files=False)


def _quiet_lightgbm() -> None:
    import lightgbm

    logger = logging.getLogger("lightgbm")
    logger.setLevel(logging.CRITICAL)
    lightgbm.register_logger(logger)
