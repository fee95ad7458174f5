"""Attributes of one module that are computed whenever they are read: it gets a class of its own, with properties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lazygrad.nn.module import Module
from lazygrad.tensor import Tensor

_PROPERTIES = "_computed"  # of such a class, by name; it is never changed, since copies of modules share it


def compute(
    module: Module,
    name: str,
    read: Callable[[Any], Tensor],
    write: Callable[[Any, Any], None] | None = None,
    called: str = "{}",
) -> None:
    """Make `read(module)` the attribute `name`, which is no longer held; `called` makes the name of the class."""
    delattr(module, name)
    _renew(module, {**properties_of(module), name: property(read, write)}, called)


def hold_again(module: Module, name: str) -> None:
    """Compute the attribute `name` no more; it is not there then."""
    _renew(module, {n: p for n, p in properties_of(module).items() if n != name}, type(module).__name__)


def properties_of(module: Module) -> dict[str, property]:
    """The properties of a module that `compute` made."""
    return vars(type(module)).get(_PROPERTIES, {})  # type: ignore[no-any-return]


def class_before(module: Module) -> type[Module]:
    """The class of a module before any of its attributes was computed."""
    kind = type(module)
    return kind.__bases__[0] if _PROPERTIES in vars(kind) else kind


def _renew(module: Module, properties: dict[str, property], called: str) -> None:
    kind, before = type(module), class_before(module)
    name = called.format(kind.__name__) if kind is before else kind.__name__

    def set_attribute(self: Module, attribute: str, value: Any) -> None:
        (object if attribute in properties else before).__setattr__(self, attribute, value)  # it has no other role

    own = {_PROPERTIES: properties, "__setattr__": set_attribute, "__module__": before.__module__, **properties}
    module.__class__ = type(name, (before,), {**own, "__doc__": before.__doc__}) if properties else before
