"""The former name of `evergreen.lifecycle.retraining`, for model files and policies that were written for it."""

from evergreen.lifecycle.retraining import Decision, State, decide
from evergreen.lifecycle.triggers import name_of as trigger

__all__ = ["Decision", "State", "decide", "trigger"]
