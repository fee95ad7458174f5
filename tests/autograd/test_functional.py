"""`autograd.functional` against PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.autograd import functional as theirs

from lazygrad import Tensor
from lazygrad.autograd import functional
from lazygrad.errors import ArgumentError, GradientError
from lazygrad.settings import settings

DATA = [np.array([1.0, -2.0, 0.5]), np.array([[2.0], [3.0]])]
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "square": lambda x, *rest: x * x,
    "number": lambda x, *rest: (x**3).sum(),
    "one element": lambda x, *rest: (x**3).sum().reshape(1),
    "both": lambda x, y=1.0: (x * y).sin().sum(),
    "of two": lambda x, y=2.0: (x * y, (x + y).exp().sum(0)),
    "constant": lambda x, *rest: (x.sum(), x.detach() * 2),
}


def _flat(results: Any) -> list[Any]:
    if isinstance(results, tuple):
        return [("tuple", len(results)), *(r for part in results for r in _flat(part))]
    return [results]


def _same(ours: Any, wanted: Any) -> None:
    for x, y in zip(_flat(ours), _flat(wanted), strict=True):
        if isinstance(x, tuple):
            assert x == y
        else:
            assert not x.requires_grad
            assert tuple(x.shape) == tuple(y.shape)
            np.testing.assert_allclose(x.numpy(), y.detach().numpy(), rtol=1e-12, atol=1e-12)


@pytest.fixture(autouse=True)
def _on_numpy() -> Any:
    with settings.override(device="NUMPY"):
        yield


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_all_of_it_is_pytorchs(name: str, count: int) -> None:
    """Of one tensor (0), of a tuple of one, and of a tuple of two."""
    f, draw = FUNCTIONS[name], np.random.default_rng(0)

    def inputs(make: Callable[[Any], Any]) -> Any:
        return tuple(make(d) for d in DATA[:count]) if count else make(DATA[0])

    ours, other = inputs(Tensor), inputs(torch.tensor)
    for strategy in ("reverse-mode", "forward-mode"):
        _same(functional.jacobian(f, ours, strategy=strategy), theirs.jacobian(f, other))
    outputs = f(*other) if count else f(other)
    one = not isinstance(outputs, tuple) and outputs.numel() == 1
    values = [draw.normal(size=tuple(y.shape)) for y in (outputs if isinstance(outputs, tuple) else (outputs,))]
    v, w = ([make(d) for d in values] for make in (Tensor, torch.tensor))
    as_outputs = (lambda t: tuple(t)) if isinstance(outputs, tuple) else (lambda t: t[0])
    _same(functional.vjp(f, ours, as_outputs(v)), theirs.vjp(f, other, as_outputs(w)))
    _same(functional.jvp(f, ours, ours), theirs.jvp(f, other, other))
    if one:
        _same(functional.vjp(f, ours), theirs.vjp(f, other))
        for outer in ("reverse-mode", "forward-mode"):
            _same(functional.hessian(f, ours, outer_jacobian_strategy=outer), theirs.hessian(f, other))
        _same(functional.hvp(f, ours, ours), theirs.hvp(f, other, other))
        _same(functional.vhp(f, ours, ours), theirs.vhp(f, other, other))


def test_graphs_that_are_asked_for() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    rows = functional.jacobian(lambda x: x**3, x, create_graph=True)
    rows.sum().backward()
    assert x.grad.tolist() == [6.0, 12.0]
    assert not functional.jacobian(lambda x: x**3, x).requires_grad


def test_what_is_refused() -> None:
    x, y = Tensor([1.0, 2.0]), Tensor([1.0])
    with pytest.raises(GradientError, match="output 0 does not depend on input 1"):
        functional.jacobian(lambda a, b: a * 2, (x, y), strict=True)
    assert functional.jacobian(lambda a, b: a * 2, (x, y))[1].tolist() == [[0.0], [0.0]]
    with pytest.raises(GradientError, match="one element"):
        functional.hessian(lambda a: a * 2, x)
    with pytest.raises(GradientError, match="v is needed"):
        functional.vjp(lambda a: a * 2, x)
    with pytest.raises(GradientError, match="inputs are"):
        functional.jvp(lambda a: a, (1.0,))
    with pytest.raises(ArgumentError, match="strategy"):
        functional.jacobian(lambda a: a, x, strategy="typo")
