"""Losses that have the last linear layer inside, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as theirs

from lazygrad import Tensor, jit, nn
from lazygrad.errors import ArgumentError, BoundsError, ShapeError
from lazygrad.nn import functional as ours

SETTINGS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((16, 20, [5, 10]), {}),
    ((16, 9, [1, 2, 8]), {"div_value": 2.0, "head_bias": True}),
    ((4, 3, [2]), {"div_value": 1.5}),
]


def twins(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    torch.manual_seed(0)
    b = torch.nn.AdaptiveLogSoftmaxWithLoss(*args, **kwargs).double()
    a = nn.AdaptiveLogSoftmaxWithLoss(*args, **kwargs, dtype="float64")
    assert repr(a) == repr(b) and a.load_state_dict({k: v.numpy() for k, v in b.state_dict().items()}) == ([], [])
    return a, b


@pytest.mark.parametrize(("args", "kwargs"), SETTINGS)
def test_adaptive_as_pytorch(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    a, b = twins(args, kwargs)
    rng = np.random.default_rng(0)
    x, target = rng.normal(size=(12, args[0])), rng.integers(0, args[1], 12)
    for rows, classes in ((x, target), (x[0], target[0]), (x, np.zeros(12, "int64")), (x, np.full(12, args[1] - 1))):
        inputs = Tensor(rows, requires_grad=True), torch.tensor(rows, requires_grad=True)
        a.zero_grad()
        b.zero_grad()
        result, wanted = a(inputs[0], Tensor(classes)), b(inputs[1], torch.tensor(classes))
        (result.loss + result.output.sum()).backward()
        (wanted.loss + wanted.output.sum()).backward()
        np.testing.assert_allclose(result.output.numpy(), wanted.output.detach().numpy(), rtol=1e-10)
        np.testing.assert_allclose(result.loss.numpy(), wanted.loss.detach().numpy(), rtol=1e-10)
        pairs = [inputs, *zip(a.parameters(), b.parameters(), strict=True)]
        for p, q in pairs:
            expected = np.zeros(q.shape) if q.grad is None else q.grad.numpy()
            np.testing.assert_allclose(p.grad.numpy(), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(a.log_prob(Tensor(x)).numpy(), b.log_prob(torch.tensor(x)).detach().numpy(), rtol=1e-10)
    np.testing.assert_array_equal(a.predict(Tensor(x)).numpy(), b.predict(torch.tensor(x)).numpy())


def test_adaptive_under_jit_and_reset() -> None:
    a, _ = twins(*SETTINGS[0])
    jitted = jit(lambda x, t: a(x, t).loss)
    rng = np.random.default_rng(0)
    for _ in range(3):
        x, target = Tensor(rng.normal(size=(4, 16))), Tensor(rng.integers(0, 20, 4))
        np.testing.assert_allclose(jitted(x, target).numpy(), a(x, target).loss.numpy(), rtol=1e-12)
    before = a.tail[1][1].weight.numpy().copy()
    a.reset_parameters()
    assert np.abs(a.tail[1][1].weight.numpy() - before).max() > 0


def test_errors_of_adaptive() -> None:
    for cutoffs in ([], [0, 2], [3, 2], [2, 2], [10]):
        with pytest.raises(ArgumentError, match="cutoffs are growing"):
            nn.AdaptiveLogSoftmaxWithLoss(8, 10, cutoffs)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="cutoffs is a sequence of integers"):
        nn.AdaptiveLogSoftmaxWithLoss(8, 10, [1.5])  # type: ignore[list-item]
    loss, x = nn.AdaptiveLogSoftmaxWithLoss(8, 10, [3]), Tensor.ones(2, 8)
    for shape in ((3,), (), (2, 1)):
        with pytest.raises(ShapeError, match="takes"):
            loss(x, Tensor.zeros(shape, dtype="int64"))
    for wrong in (10, -1):
        with pytest.raises(BoundsError, match=str(wrong)):
            loss(x, Tensor([1, wrong])).loss.numpy()


def test_linear_cross_entropy() -> None:
    """PyTorch's own samples test the module; here the function: shapes, weights, smoothing, options, gradients."""
    rng = np.random.default_rng(0)
    for inputs, classes, settings in (
        ((3,), (4,), {}),
        ((2, 3), (4,), {"reduction": "none", "label_smoothing": 0.2}),
        ((2, 3), (4, 5), {"reduction": "sum", "ignore_index": 1}),
        ((2, 3), (4, 2, 2), {}),
    ):
        x, w, bias, factors = (rng.normal(size=s) for s in (inputs, (*classes, 3), classes, classes[:1]))
        factors = np.abs(factors)
        target = rng.integers(0, 4, (*inputs[:-1], *classes[1:]))
        soft = rng.dirichlet(np.ones(4), (*inputs[:-1], *classes[1:]))
        soft = np.moveaxis(soft, -1, len(inputs) - 1)
        for t in (target, soft):
            if t is soft and "ignore_index" in settings:
                continue
            a = [Tensor(v, requires_grad=True) for v in (x, w, bias)]
            b = [torch.tensor(v, requires_grad=True) for v in (x, w, bias)]
            options = nn.LinearCrossEntropyOptions(batch_chunk_size=1)
            result = ours.linear_cross_entropy(
                *a[:2],
                Tensor(t),
                linear_bias=a[2],
                weight=Tensor(factors),
                options=options,
                **settings,  # type: ignore[arg-type]
            )
            wanted = theirs.linear_cross_entropy(
                *b[:2],
                torch.tensor(t),
                linear_bias=b[2],
                weight=torch.tensor(factors),
                **settings,  # type: ignore[arg-type]
            )
            np.testing.assert_allclose(result.numpy(), wanted.detach().numpy(), rtol=1e-10)
            result.sum().backward()
            wanted.sum().backward()
            for p, q in zip(a, b):
                np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_errors_of_linear_cross_entropy() -> None:
    x, w, t, f = Tensor.ones(2, 3), Tensor.ones(4, 3), Tensor([0, 1]), ours.linear_cross_entropy
    for call, error, match in (
        (lambda: f(x.reshape(1, 2, 3), w, t), ShapeError, r"\(N, in\)"),
        (lambda: f(x, w[:, :2], t), ShapeError, "classes"),
        (lambda: f(x, w, t, linear_bias=t.double()), ShapeError, r"\[4\], not \[2\]"),
        (lambda: f(x[0], w.reshape(2, 2, 3), t), ShapeError, "needs an input"),
        (lambda: f(x, w, Tensor.ones(2, 4), ignore_index=0), ArgumentError, "probabilities"),
        (lambda: nn.LinearCrossEntropyLoss(3, 4, weight=x[0]), ShapeError, r"\(4,\), not \[3\]"),
        (lambda: nn.LinearCrossEntropyLoss(3, 4, label_smoothing=2.0), ArgumentError, r"not in \[0, 1\]"),
    ):
        with pytest.raises(error, match=match):
            call()  # type: ignore[no-untyped-call]
