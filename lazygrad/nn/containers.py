"""Modules made of modules."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any, overload

from lazygrad.errors import ArgumentError, BoundsError, OperandError, fail
from lazygrad.nn.module import Module
from lazygrad.ops.arguments import steps
from lazygrad.ops.operands import describe

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "ModuleDict",
    "ModuleList",
    "Sequential",
]


class Numbered(Module):
    """Base of modules that hold others in an order, under the names "0", "1", ...: a list of modules.

    None keeps a place without a module. TypeError for what is neither, IndexError for a place that is none.
    """

    def _all(self) -> list[Module]:
        return [module for _, module in self._places()]

    def _renew(self, modules: Iterable[Module]) -> Self:
        """Hold these modules, numbered from 0."""
        new = [_checked(self, module) for module in modules]
        for name in list(self._own_modules):
            delattr(self, name)
        for i, module in enumerate(new):
            self.register_module(str(i), module)
        return self

    def _place(self, index: Any) -> int:
        count, place = len(self._own_modules), operator.index(index)
        if not -count <= place < count:
            fail(BoundsError, f"{type(self).__name__}: index {place} is out of range; it holds {count} modules")
        return place % count

    def __len__(self) -> int:
        return len(self._own_modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._all())

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, list(self._own_modules)[self._place(index)], _checked(self, module))

    def __delitem__(self, index: int | slice) -> None:
        modules = self._all()
        del modules[index if isinstance(index, slice) else self._place(index)]
        self._renew(modules)

    def append(self, module: Module) -> Self:
        """Add a module at the end."""
        number = len(self)
        while str(number) in self._own_modules:  # a slice of a Sequential keeps the names of its modules
            number += 1
        self.register_module(str(number), _checked(self, module))
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end."""
        for module in list(_all_of(self, modules)):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Add a module before the one at `index`, as a list does."""
        modules = self._all()
        modules.insert(operator.index(index), module)
        return self._renew(modules)

    def pop(self, index: int = -1) -> Module:
        """Take out a module, by default the last one; returns it.

        >>> layers = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        >>> layers.pop(), len(layers)
        (ReLU(), 1)
        """
        module = self._all()[self._place(index)]
        del self[index]
        return module

    def __iadd__(self, other: Iterable[Module]) -> Self:
        return self.extend(other)


class Sequential(Numbered):
    """Modules applied one after the other; in a dict, under their names.

    Slices are Sequentials of the same modules. TypeError for what is no Module.

    >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> net(Tensor.ones(3, 4)).shape, net[:2](Tensor.ones(3, 4)).shape
    ((3, 2), (3, 8))
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                self.register_module(_free_name(self, name), _checked(self, module))
        else:
            self._renew(modules)  # type: ignore[arg-type]

    def forward(self, x: Any) -> Any:
        """Each module applied to the result of the one before."""
        for _, module in self._places():
            x = module(x)
        return x

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Module | Sequential:
        if isinstance(index, slice):
            return Sequential(dict(self._places()[index]))
        return self._all()[self._place(index)]

    def __add__(self, other: Sequential) -> Sequential:
        if not isinstance(other, Sequential):
            fail(OperandError, f"Sequential + {describe(other)[0]}: only a Sequential can be added; see extend")
        return Sequential(*self, *other)

    def __mul__(self, times: int) -> Sequential:
        if operator.index(times) < 1:
            fail(ArgumentError, f"Sequential * {times}: at least once")
        return Sequential(*self._all() * times)

    __rmul__ = __mul__


class ModuleList(Numbered):
    """A list of modules whose parameters are found; it has no `forward` of its own.

    >>> layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
    >>> len(layers), len(list(layers.parameters()))
    (3, 6)
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> ModuleList: ...
    def __getitem__(self, index: int | slice) -> Module | ModuleList:
        if isinstance(index, slice):
            return ModuleList(self._all()[index])
        return self._all()[self._place(index)]

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *_all_of(self, other)])


def copies(what: str, layer: Module, num_layers: int) -> ModuleList:
    """So many copies of a layer, for `what`."""
    return ModuleList(deepcopy(layer) for _ in range(steps(what, "num_layers", num_layers)))


class ModuleDict(Module):
    """Modules by name, whose parameters are found; it has no `forward` of its own.

    >>> heads = nn.ModuleDict({"a": nn.Linear(2, 1), "b": nn.Linear(2, 3)})
    >>> heads["b"](Tensor.ones(2)).shape
    (3,)
    """

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        for name, module in (modules or {}).items():
            self[name] = module

    def __setitem__(self, name: str, module: Module) -> None:
        self.register_module(_free_name(self, name), _checked(self, module))

    def __getitem__(self, name: str) -> Module:
        if name not in self._own_modules:
            raise KeyError(name)
        module: Module = getattr(self, name)
        return module

    def __contains__(self, name: str) -> bool:
        return name in self._own_modules

    def __len__(self) -> int:
        return len(self._own_modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._own_modules)

    def __delitem__(self, name: str) -> None:
        if name not in self._own_modules:
            raise KeyError(name)
        delattr(self, name)

    def pop(self, name: str) -> Module:
        """Take out a module; returns it."""
        module = self[name]
        del self[name]
        return module

    def update(self, modules: Mapping[str, Module]) -> None:
        """Add modules, or exchange those that have the same names."""
        for name, module in modules.items():
            self[name] = module

    def keys(self) -> Iterable[str]:
        """The names in the order in which they were added."""
        return self._own_modules.keys()

    def values(self) -> Iterator[Module]:
        """The modules in the order in which they were added."""
        return (module for _, module in self._places())

    def items(self) -> Iterator[tuple[str, Module]]:
        """(name, module) in the order in which they were added."""
        return iter(self._places())


def _free_name(owner: Module, name: str) -> str:
    """`name`, which must not be a method's."""
    if hasattr(type(owner), name):
        raise KeyError(f"{name!r} is the name of a method; choose another")
    return name


def _checked(owner: Module, module: Any) -> Any:
    """`module`, which must be one, or None for a place without one."""
    if module is not None and not isinstance(module, Module):
        name, remedy = describe(module)
        if isinstance(module, (list, tuple)):
            remedy = f"unpack it: {type(owner).__name__}(*modules)"
        fail(OperandError, f"{type(owner).__name__} holds Modules, not {name}; {remedy}")
    return module


def _all_of(owner: Module, modules: Any) -> Iterable[Module]:
    """`modules`, which must be several: a list of them, or another container."""
    if (isinstance(modules, Module) and not isinstance(modules, Numbered)) or not isinstance(modules, Iterable):
        fail(OperandError, f"{type(owner).__name__} is extended by lists of Modules, not by {describe(modules)[0]}")
    return modules
