"""Optimizers that PyTorch does not have, against their formulas; L-BFGS; PyTorch's own settings of all others."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from lazygrad import Tensor, jit, optim
from lazygrad.errors import ArgumentError, JitError, OperandError
from lazygrad.optim.line_search import Point, strong_wolfe
from tests.peers import opinfo, optimizers

HERE = [name for name in optimizers.optimizers() if optimizers.is_here(name)]
SAMPLES = [sample for name in HERE for sample in optimizers.samples(name)]
# PyTorch multiplies a rate that is a float32 tensor in float32.
ROUNDED = {"Muon[2]"}


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_pytorchs_settings(sample: opinfo.Sample) -> None:
    wrong = opinfo.compare(optimizers.compute(sample))
    assert bool(wrong) == (str(sample) in ROUNDED), wrong[:1]


GRADIENTS = np.random.default_rng(0).normal(size=(5, 3, 2))


def run(optimizer: Any, w: Tensor) -> np.ndarray[Any, Any]:
    for g in GRADIENTS:
        w.grad = Tensor(g)
        optimizer.step()
    return w.numpy()


def test_lion_is_its_formula() -> None:
    w, m = np.ones((3, 2)), np.zeros((3, 2))
    got = run(optim.Lion([x := Tensor(w, requires_grad=True)], lr=0.1, weight_decay=0.2), x)
    for g in GRADIENTS:
        w = w * (1 - 0.1 * 0.2) - 0.1 * np.sign(0.9 * m + 0.1 * g)
        m = 0.99 * m + 0.01 * g
    np.testing.assert_allclose(got, w, rtol=1e-12)


@pytest.mark.parametrize("start", [1.0, 0.0])
def test_lamb_is_its_formula(start: float) -> None:
    w = np.full((3, 2), start)
    m, v = np.zeros((3, 2)), np.zeros((3, 2))
    got = run(optim.LAMB([x := Tensor(w, requires_grad=True)], lr=0.1, weight_decay=0.2), x)
    for t, g in enumerate(GRADIENTS, 1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        step = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-6) + 0.2 * w
        goal, length = np.linalg.norm(w), np.linalg.norm(step)
        w = w - 0.1 * (goal / length if goal and length else 1.0) * step
    np.testing.assert_allclose(got, w, rtol=1e-10)


def rosenbrock(x: Any) -> Any:
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
@pytest.mark.parametrize("history", [2, 5, 100])
def test_lbfgs_goes_where_pytorch_goes(search: str | None, history: int) -> None:
    ours, theirs = Tensor([-1.2, 1.0], dtype="float64", requires_grad=True), torch.tensor([-1.2, 1.0]).double()
    theirs.requires_grad_()
    settings: dict[str, Any] = {"max_iter": 4, "history_size": history, "line_search_fn": search, "lr": 0.1}
    pairs = [(optim.LBFGS([ours], **settings), ours), (torch.optim.LBFGS([theirs], **settings), theirs)]
    for _ in range(3):
        losses = []
        for optimizer, x in pairs:

            def closure(optimizer: Any = optimizer, x: Any = x) -> Any:
                optimizer.zero_grad()
                loss = rosenbrock(x)
                loss.backward()
                return loss

            losses.append(optimizer.step(closure).item())
        assert losses[0] == pytest.approx(losses[1], rel=1e-6)
        np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=1e-6)


def test_lbfgs_solves_and_continues_exactly() -> None:
    def closure_of(optimizer: optim.Optimizer, x: Tensor) -> Any:
        def closure() -> Tensor:
            optimizer.zero_grad()
            loss: Tensor = rosenbrock(x)
            loss.backward()
            return loss

        return closure

    x = Tensor([-1.2, 1.0], dtype="float64", requires_grad=True)
    first = optim.LBFGS([x], max_iter=3, max_eval=20, line_search_fn="strong_wolfe")
    for _ in range(3):
        first.step(closure_of(first, x))
    y = Tensor(x.numpy(), requires_grad=True)
    second = optim.LBFGS([y], max_iter=3, max_eval=20, line_search_fn="strong_wolfe")
    second.load_state_dict({name: t.numpy() for name, t in first.state_dict().items()})
    for _ in range(14):
        first.step(closure_of(first, x))
        second.step(closure_of(second, y))
        assert x.tolist() == y.tolist()
    np.testing.assert_allclose(x.numpy(), [1, 1], atol=1e-4)  # it ends where the slope is 1e-9
    with pytest.raises(ArgumentError, match="vectors of 2 numbers"):
        second.load_state_dict({**first.state_dict(), "move.0": Tensor([1.0])})


def test_lbfgs_refuses_what_it_cannot_do() -> None:
    w, v = (Tensor([1.0], requires_grad=True) for _ in range(2))
    with pytest.raises(ArgumentError, match="one group"):
        optim.LBFGS([{"params": [w]}, {"params": [v]}])
    with pytest.raises(ArgumentError, match="strong_wolfe"):
        optim.LBFGS([w], line_search_fn="armijo")
    optimizer = optim.LBFGS([w])
    with pytest.raises(OperandError, match="LBFGS: step takes a function"):
        optimizer.step()

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    step = jit(lambda: optimizer.step(closure))
    step()
    with pytest.raises(JitError, match="a value is read"):
        step()


def test_line_searches_end_where_the_conditions_hold() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        a, b, c = rng.uniform(-3, 3, 3)

        def f(t: float, a: float = a, b: float = b, c: float = c) -> Point:
            value = a * math.sin(2 * t) + b * math.cos(t) + 0.1 * (t - c) ** 2
            return Point(t, value, 2 * a * math.cos(2 * t) - b * math.sin(t) + 0.2 * (t - c))

        start = f(0.0)
        if start.slope >= 0:
            continue
        end = strong_wolfe(f, start, float(rng.uniform(0.01, 10)), 1.0)
        assert end.loss <= start.loss + 1e-4 * end.step * start.slope
        assert abs(end.slope) <= -0.9 * start.slope


def test_arguments_as_pytorchs() -> None:
    w = Tensor([[1.0]], requires_grad=True)
    optim.Adam([w], lr=Tensor(0.5), foreach=True, fused=False, capturable=False)
    assert optim.Adam([w], lr=Tensor(0.5)).param_groups[0]["lr"] == 0.5
    with pytest.raises(ArgumentError, match="differentiable"):
        optim.Adam([w], differentiable=True)
    with pytest.raises(TypeError, match="'speed'"):
        optim.Adam([w], speed=1)
    with pytest.raises(ArgumentError, match="no matrix"):
        optim.Muon([Tensor([1.0], requires_grad=True)])
    with pytest.raises(ArgumentError, match="Adadelta: rho="):
        optim.Adadelta([w], rho=1.5)
    assert optim.SGD([w]).step(lambda: (w * w).sum()).item() == 1
