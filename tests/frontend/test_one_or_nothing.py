"""Axes of one element or none, as a variable says: nothing may be read or added up where there is nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor, Variable
from lazygrad.settings import settings

X = np.random.default_rng(0).integers(1, 5, (3, 4)).astype("float64")
W = np.random.default_rng(1).integers(1, 5, (3, 2)).astype("float64")
# Of rows of X, none or one, and W: what lazygrad computes, and NumPy. `joined` adds a row of zeros.
FORMS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Any, Any], Any]]] = {
    "map": (lambda x, w: x * 2 + 1, lambda x, w: x * 2 + 1),
    "sum": (lambda x, w: x.sum(0), lambda x, w: x.sum(0)),
    "sum of all": (lambda x, w: x.sum(), lambda x, w: x.sum()),
    "prod": (lambda x, w: x.prod(0), lambda x, w: x.prod(0)),
    "rows": (lambda x, w: x.mean(1), lambda x, w: x.mean(1)),
    "cumsum": (lambda x, w: x.cumsum(0), lambda x, w: x.cumsum(0)),
    "padded": (lambda x, w: x.pad((0, 0, 1, 1)), lambda x, w: np.pad(x, ((1, 1), (0, 0)))),
    "joined": (
        lambda x, w: x.cat(Tensor.zeros(1, 4, dtype="float64"), dim=0).max(0).values,
        lambda x, w: np.concatenate([x, np.zeros((1, 4))]).max(0),
    ),
    "outer": (lambda x, w: (x[:, :1] * w[:1]).sum(0), lambda x, w: (x[:, :1] * w[:1]).sum(0)),
    "product": (lambda x, w: x[:, :3] @ w, lambda x, w: x[:, :3] @ w),
    "product over it": (lambda x, w: x.T @ (x + 1), lambda x, w: x.T @ (x + 1)),
    "softmax": (lambda x, w: x.softmax(1).sum(0), lambda x, w: (np.exp(x) / np.exp(x).sum(1, keepdims=True)).sum(0)),
    "flipped": (lambda x, w: x.T.flip(0, 1) - 1, lambda x, w: x.T[::-1, ::-1] - 1),
    "flat": (lambda x, w: x.reshape(-1).sum(), lambda x, w: x.reshape(-1).sum()),
}


def rows(at: int, fused: bool) -> list[tuple[Tensor, np.ndarray[Any, Any]]]:
    """Rows of X over variables that leave one or none: counted from the start, and from a variable on."""
    x = Tensor(X).realize()
    to = Variable("n", 0, 1).bind(at)
    upper, lower = Variable("m", 1, 2).bind(1 + at), Variable("k", 0, 1).bind(1)
    cut = x[:upper] if fused else x[:upper].contiguous()
    return [(x[:to], X[:at]), (cut[1:], X[1 : 1 + at]), (cut[lower:], X[1 : 1 + at])]


@pytest.mark.parametrize("place", [("NUMPY", "cpu"), ("OPENCL", "cpu"), ("OPENCL", "gpu"), ("CUDA_EMULATED", "gpu")])
def test_values_and_gradients(place: tuple[str, str]) -> None:
    device, target = place
    with settings.override(device=device, target=target if device == "OPENCL" else ""):
        found: list[tuple[str, Tensor, Any]] = []
        for at in (0, 1):
            for k, (x, theirs) in enumerate([*rows(at, True), *rows(at, False)]):
                for name, (ours, meaning) in FORMS.items():
                    w = Tensor(W, requires_grad=True)
                    value = ours(x, w)
                    found.append((f"{name}, {k} of {at}", value, meaning(theirs, W)))
                    if name in ("outer", "product"):
                        value.sum().backward()
                        part = theirs[:, :1] if name == "outer" else theirs[:, :3].T
                        grad = np.zeros_like(W)
                        grad[: 1 if name == "outer" else 3] += part.sum(0) if name == "outer" else part.sum(1)[:, None]
                        found.append((f"gradient of {name}, {k} of {at}", w.grad, grad))
        Tensor.realize(*(t for _, t, _ in found))
        for name, t, wanted in found:
            np.testing.assert_allclose(t.numpy(), wanted, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_many_rows_or_few_of_several_results(target: str) -> None:
    """Kernels that could share a launch: how many work-groups each needs is known with the variable's value alone."""
    large = np.random.default_rng(2).standard_normal((2000, 600)).astype("float32")
    with settings.override(device="OPENCL", target=target):
        x = Tensor(large).realize()
        for n in (3, 1999, 2000):
            size = Variable("n", 0, 2000).bind(n)
            found = [x[:size] * 2, x[:size] + 1, x[:size].T * 3, x[:4] - 1]
            Tensor.realize(*found)
            for ours, theirs in zip(found, (large[:n] * 2, large[:n] + 1, large[:n].T * 3, large[:4] - 1)):
                np.testing.assert_array_equal(ours.numpy(), theirs)
