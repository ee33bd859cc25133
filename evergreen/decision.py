"""The former place of `evergreen.lifecycle.decision`, which policy files of earlier releases still import."""

from evergreen.lifecycle.decision import Decision, State, decide
from evergreen.lifecycle.triggers import name_of as trigger

__all__ = ["Decision", "State", "decide", "trigger"]
