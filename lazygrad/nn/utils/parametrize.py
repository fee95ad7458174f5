"""Parameters that are computed from others whenever they are read: parametrizations, by PyTorch's names.

`register_parametrization(layer, "weight", f)` makes `layer.weight` what the module `f` gives for
`layer.parametrizations.weight.original`, which is trained in its place. The layer's class becomes one of its own, in
which `weight` is a property.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from lazygrad.engine.tracing import watch_here
from lazygrad.errors import ArgumentError, fail
from lazygrad.nn.containers import ModuleDict
from lazygrad.nn.module import Module
from lazygrad.nn.parameter import Parameter
from lazygrad.nn.utils.computed import class_before, compute, hold_again
from lazygrad.nn.utils.originals import ParametrizationList, become, check, hold
from lazygrad.tensor import Tensor

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]

M = TypeVar("M", bound=Module)


class _Cache(threading.local):
    """What was computed inside `cached`, by who traced it (nobody, or `jit`), module and name."""

    depth = 0

    def __init__(self) -> None:
        self.known: dict[tuple[int, int, str], Tensor] = {}


_cache = _Cache()


@contextmanager
def cached() -> Iterator[None]:
    """Inside, every parametrized tensor is computed once, when it is first read, instead of at every time.

    >>> layer = register_parametrization(nn.Linear(2, 2), "weight", nn.Tanh())
    >>> layer.weight is layer.weight
    False
    >>> with cached():
    ...     layer.weight is layer.weight
    True
    """
    _cache.depth += 1
    try:
        yield
    finally:
        _cache.depth -= 1
        if not _cache.depth:
            _cache.known.clear()


def register_parametrization(module: M, tensor_name: str, parametrization: Module, *, unsafe: bool = False) -> M:
    """Make a parameter or buffer of `module` the result of `parametrization`; the module itself, of a class of its own.

    Args:
        tensor_name: which one. Where it is parametrized already, this comes after the others.
        parametrization: a module that makes a tensor of the original one. Its method `right_inverse`, if it has one,
            makes the original of a value: of the one that is there, and of those that are set later; if it gives
            several tensors, `parametrization` takes as many.
        unsafe: allow results of another dtype or shape.

    >>> layer = register_parametrization(nn.Linear(2, 1), "weight", nn.Softplus())
    >>> bool((layer.weight > 0).all()), [name for name, _ in layer.named_parameters()]
    (True, ['bias', 'parametrizations.weight.original'])
    """
    what = "register_parametrization"
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        _check_next(getattr(module, tensor_name), parametrization, unsafe)
        there = _inside(module)[tensor_name]
        there.append(parametrization)
        there.unsafe |= unsafe
        return module
    if tensor_name not in module._own_parameters and tensor_name not in module._own_buffers:
        fail(ArgumentError, f"{what}: {type(module).__name__} has no parameter or buffer {tensor_name!r}")
    original = getattr(module, tensor_name)
    if tensor_name in module._own_parameters and not isinstance(original, Parameter):
        original = Parameter(original, requires_grad=False)
    originals = ParametrizationList([parametrization], original, unsafe=unsafe)
    compute(module, tensor_name, _reader(tensor_name), _writer(tensor_name), "Parametrized{}")
    if not is_parametrized(module):
        module.register_module("parametrizations", ModuleDict())
    _inside(module)[tensor_name] = originals
    return module


def _reader(name: str) -> Callable[[Any], Tensor]:
    def read(self: Any) -> Tensor:
        originals = self.parametrizations[name]
        if not _cache.depth:
            return originals()  # type: ignore[no-any-return]
        key = id(watch_here()), id(self), name
        if key not in _cache.known:
            _cache.known[key] = originals()
        return _cache.known[key]

    return read


def _writer(name: str) -> Callable[[Any, Any], None]:
    def write(self: Any, value: Any) -> None:
        self.parametrizations[name].right_inverse(value)

    return write


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether that tensor of `module`, or any one if no name is given, is parametrized.

    >>> is_parametrized(nn.Linear(2, 2), "weight")
    False
    """
    names = vars(module).get("parametrizations")
    if not isinstance(names, ModuleDict):
        return False
    return len(names) > 0 if tensor_name is None else tensor_name in names


def _inside(module: Module) -> Any:
    """The originals of every parametrized tensor."""
    return vars(module)["parametrizations"]


def remove_parametrizations(module: M, tensor_name: str, leave_parametrized: bool = True) -> M:
    """Make a parametrized tensor a plain parameter or buffer again; the module itself, of its former class.

    It keeps the value that it has now, or without `leave_parametrized` that of its one original.

    >>> layer = register_parametrization(nn.Linear(2, 1), "weight", nn.Softplus())
    >>> type(remove_parametrizations(layer, "weight")).__name__, bool((layer.weight > 0).all())
    ('Linear', True)
    """
    if not is_parametrized(module, tensor_name):
        fail(ArgumentError, f"remove_parametrizations: {type(module).__name__} has no parametrized {tensor_name!r}")
    inside = _inside(module)
    there = inside[tensor_name]
    if not leave_parametrized and not there.is_tensor:
        fail(ArgumentError, f"remove_parametrizations: {tensor_name!r} is made of several tensors")
    value = getattr(module, tensor_name) if leave_parametrized else there.original
    if there.is_tensor:
        original = there.original
        if leave_parametrized:
            become(original, value.detach())
    else:
        original = Parameter(value.detach()) if value.requires_grad else value
    hold_again(module, tensor_name)
    del inside[tensor_name]
    hold(module, tensor_name, original)
    if not len(inside):
        delattr(module, "parametrizations")
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class that `module` had before any of its tensors was parametrized.

    >>> type_before_parametrizations(nn.Linear(2, 2)).__name__
    'Linear'
    """
    return class_before(module)


def transfer_parametrizations_and_params(from_module: Module, to_module: M, tensor_name: str | None = None) -> M:
    """Parametrize the tensors of `to_module`, or the one of that name, as those of `from_module`, whose
    parametrizations and originals they share; the module `to_module`. Tensors that it lacks are added.

    >>> layer = register_parametrization(nn.Linear(2, 2), "weight", nn.Tanh())
    >>> other = transfer_parametrizations_and_params(layer, nn.Linear(2, 2))
    >>> other.weight.equal(layer.weight)
    True
    """
    if is_parametrized(from_module):
        sources = _inside(from_module)
        for name in list(sources) if tensor_name is None else [tensor_name]:
            if not hasattr(to_module, name):
                setattr(to_module, name, Parameter(getattr(from_module, name)))
            for parametrization in sources[name]:
                register_parametrization(to_module, name, parametrization)
            targets = _inside(to_module)
            for original in [*sources[name]._own_parameters, *sources[name]._own_buffers]:
                setattr(targets[name], original, getattr(sources[name], original))
    return to_module


def _check_next(before: Tensor, parametrization: Any, unsafe: bool) -> None:
    """Whether a parametrization may follow on others."""
    if unsafe:
        return
    after = parametrization(before)
    check("registering a parametrization", after, before.shape, before.dtype)
    if hasattr(parametrization, "right_inverse"):
        with suppress(NotImplementedError):
            check("right_inverse", parametrization.right_inverse(after), before.shape, before.dtype)
