"""Lists and dicts of parameters."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, KeysView, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, overload

from lazygrad.errors import ArgumentError, BoundsError, OperandError, fail
from lazygrad.nn.module import Module
from lazygrad.nn.parameter import Parameter
from lazygrad.ops.operands import describe
from lazygrad.tensor import Tensor

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ParameterDict", "ParameterList"]


class _Holder(Module):
    """Parameters, which are attributes, and anything else, under names."""

    def __init__(self) -> None:
        super().__init__()
        self._others: dict[str, Any] = {}

    def _held(self, name: str) -> Any:
        return self._others[name] if name in self._others else vars(self)[name]

    def _set(self, name: str, value: Any) -> None:
        value = Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) else value
        if not (isinstance(value, Parameter) and name in self._own_parameters):  # whose place in the order stays
            self._drop(name)
        if isinstance(value, Parameter):
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            self.register_module(name, value)
        else:
            self._others[name] = value

    def _drop(self, name: str) -> None:
        if name in self._own_parameters or name in self._own_modules:
            delattr(self, name)
        self._others.pop(name, None)

    def _lines(self, named: Iterable[tuple[str, Any]]) -> str:
        return "\n".join(f"  ({name}): {_text(value)}" for name, value in named)

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(f"{type(self).__name__} holds parameters, and computes nothing")


def _text(value: Any) -> str:
    if not isinstance(value, Tensor):
        return f"Object of type: {type(value).__name__}"
    where = f" ({value.device})" if value.is_cuda else ""
    return f"Parameter containing: [{value.dtype} of size {'x'.join(map(str, value.shape))}{where}]"


class ParameterList(_Holder):
    """A list of parameters that are found: tensors become parameters. Other things are held, and are none.

    IndexError for a place that is none.

    >>> weights = nn.ParameterList([Tensor.ones(2, 3), Tensor.ones(3)])
    >>> [name for name, _ in weights.named_parameters()], weights[-1].shape
    (['0', '1'], (3,))
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        self.extend(() if values is None else values)

    def _place(self, index: Any) -> str:
        place = operator.index(index)
        if not -self._size <= place < self._size:
            fail(BoundsError, f"ParameterList: index {place} is out of range; it holds {self._size}")
        return str(place % self._size)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(self[i] for i in range(*index.indices(self._size)))
        return self._held(self._place(index))

    def __setitem__(self, index: int, value: Any) -> None:
        self._set(self._place(index), value)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(self._size))

    def append(self, value: Any) -> Self:
        """Add one at the end."""
        self._set(str(self._size), value)
        self._size += 1
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add several at the end."""
        for value in list(values):
            self.append(value)
        return self

    def __iadd__(self, values: Iterable[Any]) -> Self:
        return self.extend(values)

    def extra_repr(self) -> str:
        """Every one on a line."""
        return self._lines((str(k), value) for k, value in enumerate(self))


class ParameterDict(_Holder):
    """Parameters by name that are found: tensors become parameters. Other things are held, and are none.

    KeyError for a name that is not there, or is a method's.

    >>> weights = nn.ParameterDict({"left": Tensor.ones(2, 3)})
    >>> weights["right"] = Tensor.ones(3)
    >>> [name for name, _ in weights.named_parameters()]
    ['left', 'right']
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(key)
        return self._held(key)

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            fail(OperandError, f"ParameterDict: a key is a string, not {describe(key)[0]}")
        if hasattr(type(self), key):
            raise KeyError(f"{key!r} is the name of a method; choose another")
        self._set(key, value)
        self._keys[key] = None

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        self._drop(key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(list(self._keys))

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def copy(self) -> ParameterDict:
        """Another one of the same parameters."""
        return ParameterDict(self.items())

    @staticmethod
    def fromkeys(keys: Iterable[str], default: Any = None) -> ParameterDict:
        """One that has `default` under every name.

        >>> list(nn.ParameterDict.fromkeys(["a", "b"]))
        ['a', 'b']
        """
        return ParameterDict([(key, default) for key in keys])

    def get(self, key: str, default: Any = None) -> Any:
        """What is under that name, or `default`."""
        return self[key] if key in self._keys else default

    def setdefault(self, key: str, default: Any = None) -> Any:
        """What is under that name; `default` is put there if nothing is."""
        if key not in self._keys:
            self[key] = default
        return self[key]

    def pop(self, key: str) -> Any:
        """Take out one; returns it."""
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Take out the last one; returns its name and it."""
        if not self._keys:
            raise KeyError("popitem: the ParameterDict is empty")
        key = next(reversed(self))
        return key, self.pop(key)

    def clear(self) -> None:
        """Take out all."""
        for key in list(self._keys):
            del self[key]

    def keys(self) -> KeysView[str]:
        """The names in the order in which they were added."""
        return self._keys.keys()

    def values(self) -> Iterator[Any]:
        """What is under the names, in the order in which they were added."""
        return (self[key] for key in self._keys)

    def items(self) -> Iterator[tuple[str, Any]]:
        """(name, what is under it) in the order in which they were added."""
        return ((key, self[key]) for key in self._keys)

    def update(self, parameters: Any) -> None:
        """Add those of a mapping or of pairs, or exchange those that have the same names."""
        if isinstance(parameters, Tensor) or not isinstance(parameters, (Iterable, Mapping)):
            fail(OperandError, f"ParameterDict.update takes a mapping, or pairs, not {describe(parameters)[0]}")
        pairs = parameters.items() if isinstance(parameters, (Mapping, ParameterDict)) else parameters
        for pair in list(pairs):
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                fail(ArgumentError, f"ParameterDict.update: {describe(pair)[0]} is no pair of a name and a parameter")
            self[pair[0]] = pair[1]

    def __or__(self, other: Any) -> ParameterDict:
        new = self.copy()
        new.update(other)
        return new

    def __ror__(self, other: Any) -> ParameterDict:
        new = ParameterDict(other)
        new.update(self)
        return new

    def __ior__(self, other: Any) -> Self:
        self.update(other)
        return self

    def extra_repr(self) -> str:
        """Every one on a line."""
        return self._lines(self.items())
