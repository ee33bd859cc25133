"""Teaches skops the values of `evergreen.registry.skops_values` (the only module that reaches inside skops)."""

from collections import defaultdict
from collections.abc import Callable
from functools import cache
from typing import Any

from evergreen.registry.skops_values import DECODERS, ENCODERS, encoded_dict

_LOADER, _HOME = "EvergreenNode", "evergreen.registry.skops_values"
_State = dict[str, Any]


@cache
def register() -> None:
    """Teach skops these values; call it before it stores, lists or loads anything."""
    from skops.io import _general
    from skops.io._audit import NODE_TYPE_MAPPING
    from skops.io._protocol import PROTOCOL
    from skops.io._utils import _get_state

    NODE_TYPE_MAPPING[_LOADER, PROTOCOL] = _node()
    for kind, types, encode in ENCODERS:
        for each in types:
            _get_state.register(each)(_encoder(kind, encode))
    _get_state.register(dict)(_dict_encoder(_general.dict_get_state))
    _get_state.register(defaultdict)(_dict_encoder(_general.defaultdict_get_state))


def _node() -> type:
    from skops.io._audit import Node, get_tree

    class EvergreenNode(Node):  # type: ignore[misc]
        """A value in a file: its kind is trusted, and its content is examined like any other."""

        def __init__(self, state: _State, load_context: Any, trusted: Any = None) -> None:
            super().__init__(state, load_context, trusted)
            self.trusted = self._get_trusted(trusted, [f"{_HOME}.{kind}" for kind in DECODERS])
            self.content = get_tree(state["content"], load_context, trusted=trusted)
            self.children = {"content": self.content}

        def _construct(self) -> Any:
            return DECODERS[self.class_name](self.content.construct())

    return EvergreenNode


def _state(kind: str, content: Any, context: Any) -> _State:
    from skops.io._utils import get_state

    return {"__class__": kind, "__module__": _HOME, "__loader__": _LOADER, "content": get_state(content, context)}


def _encoder(kind: str, encode: Callable[[Any], Any]) -> Callable[[Any, Any], _State]:
    return lambda value, context: _state(kind, encode(value), context)


def _dict_encoder(own: Callable[[Any, Any], _State]) -> Callable[[Any, Any], _State]:
    """As skops stores a dict, where it gives it back as it was."""

    def encode(value: dict[Any, Any], context: Any) -> _State:
        encoded = encoded_dict(value)
        return own(value, context) if encoded is None else _state(*encoded, context)

    return encode
