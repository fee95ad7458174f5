"""Nested tuples (named ones too), lists and dicts as a flat list of leaves and a hashable structure."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

_LEAF = "leaf"


def flatten(value: Any) -> tuple[list[Any], Hashable]:
    """The leaves of `value` in order, and its structure. Dicts go by insertion order.

    >>> flatten({"a": 1, "b": (2, [3])})[0]
    [1, 2, 3]
    """
    leaves: list[Any] = []
    return leaves, _flatten(value, leaves)


def _flatten(value: Any, leaves: list[Any]) -> Hashable:
    if type(value) in (list, tuple) or (isinstance(value, tuple) and hasattr(value, "_fields")):
        return type(value), tuple(_flatten(x, leaves) for x in value)
    if type(value) is dict:
        return dict, tuple((key, _flatten(x, leaves)) for key, x in value.items())
    leaves.append(value)
    return _LEAF


def unflatten(structure: Any, leaves: Sequence[Any]) -> Any:
    """The value that `flatten` took apart, with other leaves.

    >>> leaves, structure = flatten({"a": 1, "b": (2, [3])})
    >>> unflatten(structure, "xyz")
    {'a': 'x', 'b': ('y', ['z'])}
    """
    return _unflatten(structure, iter(leaves))


def _unflatten(structure: Any, leaves: Any) -> Any:
    if structure == _LEAF:
        return next(leaves)
    kind, inside = structure
    if kind is dict:
        return {key: _unflatten(x, leaves) for key, x in inside}
    made = [_unflatten(x, leaves) for x in inside]
    return kind(made) if kind in (list, tuple) else kind(*made)
