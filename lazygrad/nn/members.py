"""The attributes of a module that have one role, as a dict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any


class Members(MutableMapping[str, Any]):
    """Attributes `names` of `owner`, by name: they change with it, and it with them.

    >>> net = nn.Sequential(nn.ReLU())
    >>> net._modules["0"] = nn.Tanh()
    >>> net[0], list(net._modules.items())
    (Tanh(), [('0', Tanh())])
    """

    def __init__(self, owner: Any, names: Mapping[str, Any]) -> None:
        self._owner, self._names = owner, names

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        return getattr(self._owner, name)

    def __setitem__(self, name: str, value: Any) -> None:
        if self._names is self._owner._own_buffers:
            self._owner.register_buffer(name, value, self._names.get(name, True))
        else:
            setattr(self._owner, name, value)

    def __delitem__(self, name: str) -> None:
        if name not in self._names:
            raise KeyError(name)
        delattr(self._owner, name)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._names))

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return repr(dict(self))
