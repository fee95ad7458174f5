"""What a module holds, by name: parameters, buffers and other modules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lazygrad.errors import ArgumentError, OperandError, fail
from lazygrad.nn.members import Members
from lazygrad.nn.parameter import Buffer, Parameter
from lazygrad.ops.jit_modules import Changes
from lazygrad.ops.operands import describe, not_a_tensor
from lazygrad.tensor import Tensor

AnyModule = Any  # a Module, which stands on this


class Holding:
    """Attributes that are parameters, buffers or modules, and finding them."""

    counts_changes = True  # of attributes: `jit` reads them anew after some
    _own_parameters: dict[str, None]
    _own_buffers: dict[str, bool]  # name -> whether it is part of the state
    _own_modules: dict[str, None]

    def __setattr__(self, name: str, value: Any) -> None:
        Changes.count += 1
        is_module, is_parameter = isinstance(value, Holding), isinstance(value, Parameter)
        if "_own_parameters" not in self.__dict__:
            if is_module or is_parameter:
                raise AttributeError(f"call super().__init__() before assigning {type(self).__name__}.{name}")
        else:
            if value is not None or name not in self._own_modules:  # None keeps the place of a module
                _mark(self._own_modules, name, is_module)
            _mark(self._own_parameters, name, is_parameter)
            if isinstance(value, Buffer):
                self._own_buffers[name] = value.persistent
            elif not isinstance(value, Tensor):
                self._own_buffers.pop(name, None)
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        Changes.count += 1
        for names in (self._own_parameters, self._own_buffers, self._own_modules):
            names.pop(name, None)
        object.__delattr__(self, name)

    @property
    def _modules(self) -> Members:
        """Name -> module directly inside, as in PyTorch: what is put in or taken out there is so here."""
        return Members(self, self._own_modules)

    @property
    def _parameters(self) -> Members:
        """Name -> parameter of this module alone; see `_modules`."""
        return Members(self, self._own_parameters)

    @property
    def _buffers(self) -> Members:
        """Name -> buffer of this module alone; see `_modules`."""
        return Members(self, self._own_buffers)

    # ---- registering ----

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Make `tensor` an attribute that moves with the module, and is part of its state if `persistent`.

        None is an attribute without a role, as for `register_parameter` and `register_module`.

        >>> net = nn.Module()
        >>> net.register_buffer("scale", Tensor([2.0]))
        >>> list(net.state_dict())
        ['scale']
        """
        if tensor is not None and not isinstance(tensor, Tensor):
            not_a_tensor("register_buffer", tensor)
        setattr(self, self._free("register_buffer", name), tensor)
        if tensor is not None:
            self._own_buffers[name] = persistent

    def register_parameter(self, name: str, param: Tensor | None) -> None:
        """Make `param` an attribute that is a parameter.

        >>> net = nn.Module()
        >>> net.register_parameter("scale", nn.Parameter(Tensor([2.0])))
        >>> [name for name, _ in net.named_parameters()]
        ['scale']
        """
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(f"register_parameter: {name!r} is to be a Parameter, not {describe(param)[0]}")
        setattr(self, self._free("register_parameter", name), param)

    def register_module(self, name: str, module: AnyModule) -> None:
        """Make `module` an attribute that is a module inside this one; None keeps its place.

        >>> net = nn.Module()
        >>> net.add_module("act", nn.ReLU())
        >>> net.act
        ReLU()
        """
        if module is not None and not isinstance(module, Holding):
            fail(OperandError, f"register_module: {name!r} is to be a Module, not {describe(module)[0]}")
        setattr(self, self._free("register_module", name), module)
        self._own_modules[name] = None

    add_module = register_module

    def _free(self, what: str, name: str) -> str:
        if not isinstance(name, str) or not name or "." in name:
            raise KeyError(f"{what}: {name!r} is no name of an attribute: a string without dots, not empty")
        known = name in self._own_parameters or name in self._own_buffers or name in self._own_modules
        if hasattr(self, name) and not known and getattr(self, name) is not None:
            raise KeyError(f"{what}: {type(self).__name__} has an attribute {name!r} already")
        return name

    # ---- by name ----

    def get_submodule(self, target: str) -> AnyModule:
        """The module of a dotted name; '' is this one. AttributeError where there is none.

        >>> nn.Sequential(nn.Sequential(nn.ReLU())).get_submodule("0.0")
        ReLU()
        """
        found: Any = self
        for name in target.split(".") if target else ():
            if name not in found._own_modules or getattr(found, name) is None:
                raise AttributeError(f"{type(found).__name__} has no module {name!r} (of {target!r})")
            found = getattr(found, name)
        return found

    def set_submodule(self, target: str, module: AnyModule, strict: bool = False) -> None:
        """Put `module` where a dotted name says; with `strict` there has to be one.

        >>> net = nn.Sequential(nn.ReLU())
        >>> net.set_submodule("0", nn.Tanh())
        >>> net[0]
        Tanh()
        """
        path, _, name = target.rpartition(".")
        if not name:
            fail(ArgumentError, "set_submodule: a module cannot take its own place; the name is empty")
        owner = self.get_submodule(path)
        if strict:
            owner.get_submodule(name)
        owner.register_module(name, module)

    def get_parameter(self, target: str) -> Tensor:
        """The parameter of a dotted name. AttributeError where there is none.

        >>> nn.Sequential(nn.Linear(3, 2)).get_parameter("0.weight").shape
        (2, 3)
        """
        return self._get("_own_parameters", "parameter", target)

    def get_buffer(self, target: str) -> Tensor:
        """The buffer of a dotted name. AttributeError where there is none.

        >>> nn.BatchNorm1d(2).get_buffer("running_mean").tolist()
        [0.0, 0.0]
        """
        return self._get("_own_buffers", "buffer", target)

    def _get(self, kind: str, called: str, target: str) -> Tensor:
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        if name not in getattr(owner, kind):
            raise AttributeError(f"{type(owner).__name__} has no {called} {name!r} (of {target!r})")
        return getattr(owner, name)  # type: ignore[no-any-return]

    # ---- what is inside ----

    def named_children(self) -> Iterator[tuple[str, AnyModule]]:
        """(name, module) of the modules directly inside, each once."""
        seen: set[int] = set()
        for name, module in self._inside():
            if id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def _inside(self) -> list[tuple[str, AnyModule]]:
        """(name, module) of the modules directly inside, under all their names."""
        return [(name, module) for name, module in self._places() if module is not None]

    def _places(self) -> list[tuple[str, AnyModule]]:
        """The same, with the places that hold None instead of a module."""
        return [(name, getattr(self, name)) for name in self._own_modules]

    def children(self) -> Iterator[AnyModule]:
        """The modules directly inside."""
        return (module for _, module in self.named_children())

    def named_modules(
        self, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, AnyModule]]:
        """(dotted name, module) of this module and all inside it, each once, or under all its names.

        `memo` holds the modules that are left out; those given are added to it.

        >>> [name for name, _ in nn.Sequential(nn.ReLU(), nn.Flatten()).named_modules()]
        ['', '0', '1']
        """
        seen = set() if memo is None else memo
        stack: list[tuple[str, Any]] = [(prefix, self)]
        while stack:
            name, module = stack.pop()
            if module in seen:
                continue
            if remove_duplicate:
                seen.add(module)
            yield name, module
            inside = [(f"{name}.{n}" if name else n, m) for n, m in module._inside()]
            stack.extend(reversed(inside))

    def modules(self) -> Iterator[AnyModule]:
        """This module and all inside it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """(dotted name, parameter), each parameter once: under its first name where it is shared.

        >>> [(name, p.shape) for name, p in nn.Linear(3, 2).named_parameters()]
        [('weight', (2, 3)), ('bias', (2,))]
        """
        return self._named("_own_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Tensor]:
        """Every parameter once; without `recurse`, those of this module alone."""
        return (t for _, t in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """(dotted name, buffer), each buffer once."""
        return self._named("_own_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Every buffer; without `recurse`, those of this module alone."""
        return (t for _, t in self.named_buffers(recurse=recurse))

    def _named(self, kind: str, prefix: str, recurse: bool, once: bool) -> Iterator[tuple[str, Tensor]]:
        seen: set[int] = set()
        inside: Any = self.named_modules(None, prefix, once) if recurse else [(prefix, self)]
        for path, module in inside:
            for name in getattr(module, kind):
                t = getattr(module, name)
                if not once or id(t) not in seen:
                    seen.add(id(t))
                    yield f"{path}.{name}" if path else name, t


def _mark(names: dict[str, None], name: str, present: bool) -> None:
    (names.setdefault if present else names.pop)(name, None)
