"""Older forms of two parametrizations: weights that are computed from parameters of the same module.

`nn.utils.parametrizations` has them under the same names; these here keep the older names in the state.
"""

from __future__ import annotations

import warnings
from typing import Any, TypeVar

from lazygrad.errors import ArgumentError, fail
from lazygrad.nn.module import Module
from lazygrad.nn.parameter import Parameter
from lazygrad.nn.utils.computed import compute, hold_again
from lazygrad.nn.utils.parametrizations import as_matrix, norm_except, outputs_of
from lazygrad.ops.mode import no_grad
from lazygrad.tensor import Tensor

M = TypeVar("M", bound=Module)


class _Weight:
    """How a weight is computed from parameters and buffers of its module, and what is done before every call."""

    ends: tuple[str, ...]  # of the names of what it is computed from

    def __init__(self, name: str) -> None:
        self.name = name

    def of(self, module: Any) -> Tensor:
        """The weight."""
        raise NotImplementedError

    def before(self, module: Any, args: Any) -> None:
        """Called before every call of the module."""


def _add(module: M, how: _Weight, tensors: dict[str, Tensor]) -> M:
    """Put what the weight is computed from in its place."""
    for end, t in tensors.items():
        (module.register_parameter if isinstance(t, Parameter) else module.register_buffer)(how.name + end, t)
    compute(module, how.name, how.of)
    module.register_forward_pre_hook(how.before)
    return module


def _find(kind: type[_Weight], module: Module, name: str) -> tuple[int, _Weight] | None:
    for number, (hook, _) in module._hooks.get("forward_pre", {}).items():
        owner = getattr(hook, "__self__", None)
        if isinstance(owner, kind) and owner.name == name:
            return number, owner
    return None


def _parameter(what: str, kind: type[_Weight], module: Module, name: str) -> Tensor:
    """The parameter of this name, which is not computed so far."""
    if _find(kind, module, name) is not None:
        raise RuntimeError(f"{what}: {type(module).__name__} has one of {name!r} already")
    if name not in module._own_parameters:
        fail(ArgumentError, f"{what}: {type(module).__name__} has no parameter {name!r}")
    return getattr(module, name)  # type: ignore[no-any-return]


def _remove(what: str, kind: type[_Weight], module: M, name: str) -> M:
    found = _find(kind, module, name)
    if found is None:
        fail(ArgumentError, f"remove_{what}: {type(module).__name__} has no {what} of {name!r}")
    number, how = found
    weight = how.of(module).detach()
    hold_again(module, name)
    for end in how.ends:
        delattr(module, name + end)
    module._hooks["forward_pre"].pop(number)
    setattr(module, name, Parameter(weight))
    return module


class _WeightNorm(_Weight):
    ends = ("_g", "_v")

    def __init__(self, name: str, dim: int | None) -> None:
        super().__init__(name)
        self.dim = -1 if dim is None else dim

    def of(self, module: Any) -> Tensor:
        g, v = getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v")
        return v * (g / norm_except(v, self.dim))  # type: ignore[no-any-return]


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """Train the norm (`weight_g`) and the direction (`weight_v`) of a weight apart; FutureWarning: see
    `nn.utils.parametrizations.weight_norm`, which explains `dim` and loads states of this one.

    >>> import warnings
    >>> with warnings.catch_warnings(action="ignore"):
    ...     layer = weight_norm(nn.Linear(20, 40))
    >>> layer.weight_g.shape, layer.weight_v.shape
    ((40, 1), (40, 20))
    """
    text = "weight_norm of nn.utils is deprecated in favour of that of nn.utils.parametrizations"
    warnings.warn(text, FutureWarning, stacklevel=2)
    how, weight = _WeightNorm(name, dim), _parameter("weight_norm", _WeightNorm, module, name).detach()
    return _add(module, how, {"_g": Parameter(norm_except(weight, how.dim)), "_v": Parameter(weight)})


def remove_weight_norm(module: M, name: str = "weight") -> M:
    """Make the weight of `weight_norm` a plain parameter again, of the value that it has.

    >>> import warnings
    >>> with warnings.catch_warnings(action="ignore"):
    ...     layer = remove_weight_norm(weight_norm(nn.Linear(2, 3)))
    >>> sorted(layer.state_dict())
    ['bias', 'weight']
    """
    return _remove("weight_norm", _WeightNorm, module, name)


class _SpectralNorm(_Weight):
    ends = ("_orig", "_u", "_v")

    def __init__(self, name: str, n_power_iterations: int, dim: int, eps: float) -> None:
        super().__init__(name)
        self.times, self.dim, self.eps = n_power_iterations, dim, eps

    def of(self, module: Any) -> Tensor:
        weight, u, v = (getattr(module, self.name + end) for end in self.ends)
        return weight / u.clone().dot(as_matrix(weight, self.dim).mv(v.clone()))  # type: ignore[no-any-return]

    def before(self, module: Any, args: Any) -> None:
        if not module.training:
            return
        weight, u, v = (getattr(module, self.name + end) for end in self.ends)
        with no_grad():
            matrix, new_u = as_matrix(weight.detach(), self.dim), u
            for _ in range(self.times):
                new_v = matrix.mT.mv(new_u).normalize(dim=0, eps=self.eps)
                new_u = matrix.mv(new_v).normalize(dim=0, eps=self.eps)
            u.assign(new_u)
            v.assign(new_v)


def spectral_norm(
    module: M, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> M:
    """Divide a weight (`weight_orig`) by its largest singular value before every call; see
    `nn.utils.parametrizations.spectral_norm`, which explains the arguments and starts closer to it.

    >>> sorted(spectral_norm(nn.Linear(20, 40)).state_dict())
    ['bias', 'weight_orig', 'weight_u', 'weight_v']
    """
    weight = _parameter("spectral_norm", _SpectralNorm, module, name)
    if n_power_iterations <= 0:
        fail(ArgumentError, f"spectral_norm: n_power_iterations={n_power_iterations}; at least one is needed")
    how = _SpectralNorm(name, n_power_iterations, outputs_of(module, dim), eps)
    u, v = (
        Tensor.randn(n, dtype=weight.dtype, device=weight.device).normalize(dim=0, eps=eps)
        for n in as_matrix(weight.detach(), how.dim).shape
    )
    return _add(module, how, {"_orig": weight, "_u": u, "_v": v})


def remove_spectral_norm(module: M, name: str = "weight") -> M:
    """Make the weight of `spectral_norm` a plain parameter again, of the value that it has.

    >>> sorted(remove_spectral_norm(spectral_norm(nn.Linear(2, 3))).state_dict())
    ['bias', 'weight']
    """
    return _remove("spectral_norm", _SpectralNorm, module, name)
