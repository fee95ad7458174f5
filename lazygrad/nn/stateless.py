"""Modules called with other tensors in the places of their parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lazygrad.errors import ArgumentError, fail
from lazygrad.nn.module import Module
from lazygrad.tensor import Tensor


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """What `module` computes with these tensors in the places of its own, which it has again afterwards.

    Args:
        parameter_and_buffer_dicts: name -> tensor, as in `state_dict`, or several such dicts.
        args: one argument, or a tuple of them.
        tie_weights: a tensor that has several names is replaced under all of them where one is given.
        strict: whether every parameter and buffer has to be given.

    ArgumentError for names that the module does not have.

    >>> from lazygrad.func import grad
    >>> layer = nn.Linear(2, 1, bias=False)
    >>> x = Tensor([[1.0, 10.0]])
    >>> grad(lambda weights: functional_call(layer, weights, x).sum())({"weight": Tensor([[0.0, 0.0]])})
    {'weight': tensor([[ 1., 10.]])}
    """
    dicts = (
        [parameter_and_buffer_dicts] if isinstance(parameter_and_buffer_dicts, Mapping) else parameter_and_buffer_dicts
    )
    given = {name: t for each in dicts for name, t in each.items()}
    places = {f"{path}.{name}" if path else name: (m, name) for path, m in module.named_modules() for name in _own(m)}
    if unknown := sorted(set(given) - set(places)):
        fail(ArgumentError, f"functional_call: {type(module).__name__} has no {', '.join(unknown)}")
    if strict and (missing := sorted(set(places) - set(given))):
        fail(ArgumentError, f"functional_call: {', '.join(missing)} not given, and strict=True")
    if tie_weights:
        by_tensor = {id(getattr(*places[name])): t for name, t in given.items()}
        given = {n: by_tensor[id(getattr(*p))] for n, p in places.items() if id(getattr(*p)) in by_tensor} | given
    before = [(*places[name], getattr(*places[name])) for name in given]
    try:
        for name, t in given.items():
            object.__setattr__(*places[name], t)  # the roles of attributes stay as they are
        positional = () if args is None else args if isinstance(args, tuple) else (args,)
        return module(*positional, **(kwargs or {}))
    finally:
        for owner, name, t in before:
            object.__setattr__(owner, name, t)


def _own(module: Module) -> list[str]:
    """The names of a module's own tensors."""
    names = [*module._own_parameters, *module._own_buffers]
    return [name for name in names if isinstance(getattr(module, name, None), Tensor)]
