"""A module's values under their names, given and taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from lazygrad.errors import ArgumentError, fail
from lazygrad.nn.holding import AnyModule, Holding
from lazygrad.nn.hooks import Hooked
from lazygrad.nn.parameter import is_lazy
from lazygrad.ops.mode import no_grad
from lazygrad.ops.operands import shape_of
from lazygrad.ops.signatures import check_methods
from lazygrad.tensor import Tensor

EXTRA = "_extra_state"  # the name of what modules keep beside tensors


class LoadResult(NamedTuple):
    """What `load_state_dict` found different: names that the state lacks, and names that the module lacks."""

    missing_keys: list[str]
    unexpected_keys: list[str]


@check_methods
class Stateful(Holding, Hooked):
    """`state_dict` and `load_state_dict`."""

    def state_dict(
        self, *, destination: dict[str, Any] | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """Dotted name -> value, of every parameter and persistent buffer; the values carry no gradient.

        Args:
            destination: a dict that takes them, and is returned.
            prefix: what every name begins with.
            keep_vars: whether the values are the parameters themselves, with their gradients.

        >>> sorted(nn.Linear(3, 2).state_dict())
        ['bias', 'weight']
        """
        state = {} if destination is None else destination
        modules = [(f"{prefix}{name}." if name else prefix, module) for name, module in self._everywhere()]
        for path, module in modules:
            for hook, _ in module._called_at("state_pre"):
                hook(module, path, keep_vars)
        for path, module in modules:
            for name, t in module._state():
                state[path + name] = t if keep_vars or is_lazy(t) else t.detach()
            if module._has("get_extra_state"):
                state[path + EXTRA] = module.get_extra_state()
        for path, module in reversed(modules):
            for hook, _ in module._called_at("state"):
                hook(module, state, path, {})
        return state

    def _everywhere(self) -> list[tuple[str, AnyModule]]:
        """(dotted name, module) of this module and all inside it, under all names."""
        return list(self.named_modules(remove_duplicate=False))

    def _state(self) -> list[tuple[str, Tensor]]:
        """(name, tensor) of those parameters and buffers of this module alone that are part of its state."""
        names = [*self._own_parameters, *(name for name, persistent in self._own_buffers.items() if persistent)]
        return [(name, getattr(self, name)) for name in names]

    def get_extra_state(self) -> Any:
        """What else is part of the state of this module alone, for subclasses that define it and `set_extra_state`."""
        raise RuntimeError(f"{type(self).__name__} does not define get_extra_state")

    def set_extra_state(self, state: Any) -> None:
        """Take over what `get_extra_state` gave, for subclasses that define it."""
        raise RuntimeError(f"{type(self).__name__} does not define set_extra_state")

    def _has(self, name: str) -> bool:
        """Whether a subclass defines a method of this class."""
        return getattr(type(self), name) is not getattr(Stateful, name)

    def load_state_dict(
        self,
        state_dict: Mapping[str, Tensor | np.ndarray[Any, Any]],
        strict: bool = True,
        assign: bool = False,
    ) -> LoadResult:
        """Take over the values of `state_dict`, cast to this module's dtypes and moved to its devices.

        Without `strict`, names on one side only are reported instead of raising. With `assign`, the given tensors
        become the module's, in their own dtypes and on their devices; parameters go on requiring gradients as they did.
        ArgumentError, before anything is changed, names all tensors that are missing, not expected, or of other shapes.

        >>> a, b = nn.Linear(3, 2), nn.Linear(3, 2)
        >>> b.load_state_dict(a.state_dict())
        LoadResult(missing_keys=[], unexpected_keys=[])
        """
        state, modules, problems = dict(state_dict), self._everywhere(), list[str]()
        for path, module in modules:
            for hook, _ in module._called_at("load_pre"):
                hook(module, state, f"{path}." if path else "", {}, strict, [], [], problems)
        own = {
            f"{path}.{name}" if path else name: (module, name, t)
            for path, module in modules
            for name, t in module._state()
        }
        more = {f"{path}.{EXTRA}" if path else EXTRA: m for path, m in modules if m._has("set_extra_state")}
        known = [*own, *more]
        found = LoadResult([n for n in known if n not in state], [n for n in state if n not in {*known}])
        for name, (_, _, t) in own.items():
            is_known = name in state and not (is_lazy(t) and is_lazy(state[name]))
            if is_known and shape_of("load_state_dict", state[name]) != t.shape:
                problems.append(f"{name}: shape {list(state[name].shape)}, this module has {list(t.shape)}")
        for _, module in modules:
            for hook, _ in module._called_at("load"):
                hook(module, found)
        if strict:
            problems += [f"{n}: missing" for n in found.missing_keys]
            problems += [f"{n}: not expected" for n in found.unexpected_keys]
        if problems:
            what = f"load_state_dict: the state does not fit this {type(self).__name__}:\n  "
            fail(ArgumentError, what + "\n  ".join(problems))
        with no_grad():
            for full, (module, name, t) in own.items():
                if full in state and not is_lazy(t):
                    _load(module, name, t, state[full], assign)
        for full, module in more.items():
            if full in state:
                module.set_extra_state(state[full])
        return found


def _load(module: AnyModule, name: str, t: Tensor, value: Any, assign: bool) -> None:
    if assign:
        given = value if isinstance(value, Tensor) else Tensor(value)
        is_parameter, persistent = name in module._own_parameters, module._own_buffers.get(name)
        object.__setattr__(module, name, given.detach().requires_grad_(t.requires_grad) if is_parameter else given)
        assert is_parameter or persistent
    else:
        t.assign(Tensor(value, dtype=t.dtype, device=t.device))
