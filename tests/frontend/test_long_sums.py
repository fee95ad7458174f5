"""Whatever adds up a long axis, in whatever position, errs no more than NumPy's pairwise sum.

A pairwise sum of n numbers errs by at most a few roundings of the sum of their magnitudes for each doubling of n, one
running sum by n/2 of them. Equal numbers find the difference at once: all roundings go the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lazygrad import Tensor, Variable, nn
from lazygrad.ops.jit_trace import realize_all
from lazygrad.settings import settings

Array = NDArray[np.float64]
Ours = Callable[[Tensor, int], Tensor]
Exact = Callable[[Array, int], Array]
ULP = 2.0**-24  # half of the last place of a float32 near 1
LONG = 60_000


def data(kind: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    count = int(np.prod(shape))
    if kind == "tenths":
        return np.full(shape, 0.1, np.float32)
    if kind == "alternating":
        return (np.where(np.arange(count) % 2, -1, 1) * np.linspace(0.1, 1, count)).astype(np.float32).reshape(shape)
    return np.random.default_rng(count).random(shape, np.float32)


KINDS = ("tenths", "alternating", "random")


def magnitude(x: Array, axis: int) -> Array:
    return np.abs(x).sum(axis)


def bias_gradient(x: Tensor, axis: int) -> Tensor:
    others = tuple(d if k != axis else 1 for k, d in enumerate(x.shape))
    bias = Tensor.zeros(others, device=x.device, requires_grad=True)
    ((x + bias) * x).sum().backward()
    assert bias.grad is not None
    return bias.grad.squeeze(axis)


# name -> (what we compute, the exact value, what the error is relative to)
SUMS: dict[str, tuple[Ours, Exact, Exact]] = {
    "sum": (lambda x, k: x.sum(k), lambda x, k: x.sum(k), magnitude),
    "mean": (lambda x, k: x.mean(k), lambda x, k: x.mean(k), lambda x, k: np.abs(x).mean(k)),
    "squares": (lambda x, k: (x * x).sum(k), lambda x, k: (x * x).sum(k), lambda x, k: (x * x).sum(k)),
    "norm": (lambda x, k: x.norm(dim=k), lambda x, k: np.sqrt((x * x).sum(k)), lambda x, k: np.sqrt((x * x).sum(k))),
    "var": (lambda x, k: x.var(k), lambda x, k: x.var(k, ddof=1), lambda x, k: x.var(k, ddof=1) + ULP),
    "std": (
        lambda x, k: x.std(k), lambda x, k: x.std(k, ddof=1), lambda x, k: x.std(k, ddof=1) + np.abs(x).mean(k)
    ),
    "logsumexp": (
        lambda x, k: x.logsumexp(k), lambda x, k: np.log(np.exp(x).sum(k)), lambda x, k: np.log(np.exp(x).sum(k))
    ),
    "bias gradient": (bias_gradient, lambda x, k: x.sum(k), magnitude),
}  # fmt: skip
# These keep the axis: every element is compared, relative to the largest.
PREFIXES: dict[str, tuple[Ours, Exact]] = {
    "cumsum": (lambda x, k: x.cumsum(k), lambda x, k: x.cumsum(k)),
    "softmax": (lambda x, k: x.softmax(k), lambda x, k: np.exp(x) / np.exp(x).sum(k, keepdims=True)),
    "log_softmax": (lambda x, k: x.log_softmax(k), lambda x, k: x - np.log(np.exp(x).sum(k, keepdims=True))),
}


def bound(n: int) -> float:
    """What NumPy's sum of n numbers may lose: 16 turns of 8 running sums, whose results are added in pairs; and a few
    roundings more for what is computed of the elements and of the sum."""
    return (16 + 3 + max(0.0, np.log2(n / 128)) + 8) * ULP


def positions(n: int) -> Iterator[tuple[tuple[int, ...], int]]:
    yield (n,), 0
    yield (n, 3), 0
    yield (3, n), 1
    yield (2, n // 4, 3), 1
    yield (n // 32, 32), 0


def check(device: str, n: int, names: tuple[str, ...], kinds: tuple[str, ...] = KINDS) -> None:
    got: list[tuple[str, Tensor, Array, Array]] = []
    for kind in kinds:
        for shape, axis in positions(n):
            x = data(kind, shape)
            wide, ours = x.astype(np.float64), Tensor(x, device=device)
            for name in names:
                if name in SUMS:
                    f, exact, scale = SUMS[name]
                    got.append((f"{name} of {kind} {shape}", f(ours, axis), exact(wide, axis), scale(wide, axis)))
                else:
                    f, exact = PREFIXES[name]
                    want = exact(wide, axis)
                    largest = np.abs(wide).cumsum(axis) if name == "cumsum" else np.abs(want).max()
                    got.append((f"{name} of {kind} {shape}", f(ours, axis), want, largest))
    realize_all([t for _, t, _, _ in got])
    failed = {}
    for what, tensor, want, scale in got:
        error = float((np.abs(tensor.numpy() - want) / scale).max())
        if not error <= bound(n):
            failed[what] = error / ULP
    assert not failed, failed


NAMES = (*SUMS, *PREFIXES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("device", ["NUMPY", "OPENCL"])
def test_long_axes(device: str, name: str) -> None:
    check(device, LONG, (name,))


@pytest.mark.parametrize("device", ["OPENCL as GPU", "CUDA_EMULATED"])
def test_long_axes_on_gpus(device: str) -> None:
    with settings.override(target="gpu" if device == "OPENCL as GPU" else ""):
        check(device.split()[0], 20_000, ("sum", "var", "bias gradient", "cumsum"), ("tenths",))


@pytest.mark.parametrize("device", ["NUMPY", "OPENCL"])
def test_what_normalization_adds_up(device: str) -> None:
    """Statistics over a long batch, and gradients of weights that every row of it shares."""
    x = (data("random", (LONG, 3)) + 5).astype(np.float32)
    weights = data("tenths", (LONG, 3))
    for name, arguments in (("BatchNorm1d", (3,)), ("LayerNorm", ((3,),))):
        ours, theirs = getattr(nn, name)(*arguments), getattr(torch.nn, name)(*arguments).double()
        ours.to(device)
        given = Tensor(x, device=device, requires_grad=True)
        wide = torch.tensor(x.astype(np.float64), requires_grad=True)
        (ours(given) ** 2 * Tensor(weights, device=device)).sum().backward()
        (theirs(wide) ** 2 * torch.tensor(weights.astype(np.float64))).sum().backward()
        found = [(ours.weight.grad, theirs.weight.grad), (ours.bias.grad, theirs.bias.grad)]
        if name == "BatchNorm1d":
            found += [
                (given.grad, wide.grad),
                (ours.running_mean, theirs.running_mean),
                (ours.running_var, theirs.running_var),
            ]
        for k, (got, want) in enumerate(found):
            assert got is not None
            exact = want.numpy()
            largest = {1: LONG * 0.1, 2: 1.0}.get(k, np.abs(exact).max())  # of what cancels in these sums
            np.testing.assert_allclose(got.numpy(), exact, 0, 40 * ULP * largest, err_msg=f"{name} {k}")


@pytest.mark.parametrize("device", ["NUMPY", "OPENCL", "OPENCL as GPU", "CUDA_EMULATED"])
def test_many_updates_of_few_destinations(device: str) -> None:
    """Classes, segments, the tokens of a small alphabet: half of the updates go to one of them."""
    rng = np.random.default_rng(0)
    with settings.override(target="gpu" if device == "OPENCL as GPU" else ""):
        made = []
        for updates, size, width in ((10_003, 65, 3), (5000, 7, 4), (6000, 1, 1), (3000, 100, 2)):
            index = np.where(rng.random(updates) < 0.5, 0, rng.integers(0, size, updates))
            exact = np.ones((size, width))
            np.add.at(exact, index, np.float64(np.float32(0.1)))
            base = Tensor(np.ones((size, width), np.float32), device=device.split()[0])
            at = Tensor(np.repeat(index[:, None], width, 1), device=base.device)
            made.append((base.scatter_add(0, at, Tensor(data("tenths", (updates, width)), device=base.device)), exact))
        realize_all([t for t, _ in made])
        for got, exact in made:
            np.testing.assert_allclose(got.numpy(), exact, 64 * ULP, 0)


@pytest.mark.parametrize("device", ["NUMPY", "OPENCL"])
def test_sums_of_what_is_infinite_or_no_number(device: str) -> None:
    x = np.ones((5, 3000), np.float32)
    x[0, 1000], x[1, 70], x[2, 10], x[2, 2000], x[3, 5] = np.inf, -np.inf, np.inf, -np.inf, np.nan
    with np.errstate(invalid="ignore"):
        want = x.sum(1), x.cumsum(1)
    rows, columns = Tensor(x, device=device), Tensor(x.T.copy(), device=device)
    got = [rows.sum(1), columns.sum(0), rows.cumsum(1)]
    realize_all(got)
    for tensor, exact in zip(got, (want[0], want[0], want[1])):
        np.testing.assert_array_equal(tensor.numpy(), exact)


@pytest.mark.parametrize("device", ["NUMPY", "OPENCL", "OPENCL as GPU"])
def test_deep_products(device: str) -> None:
    """Their stretches are longer: an error of some hundred roundings; one sum of equal products has thousands."""
    n = 70_000
    a, b = np.full((n, 24), 0.1, np.float32), np.ones((n, 32), np.float32)
    with settings.override(target="gpu" if device == "OPENCL as GPU" else ""):
        name = device.split()[0]
        got = Tensor(a, device=name).T @ Tensor(b, device=name)
        exact = a.astype(np.float64).T @ b
        np.testing.assert_allclose(got.numpy(), exact, 128 * ULP, 0)


@pytest.mark.parametrize("device", ["NUMPY", "OPENCL", "OPENCL as GPU", "CUDA_EMULATED"])
def test_axes_of_variable_length(device: str) -> None:
    """Sums and running sums over what is known at launch only, and the gradients of running sums."""
    most = 20_000 if device == "CUDA_EMULATED" else 200_000
    size = Variable("size", 0, most)
    with settings.override(target="gpu" if device == "OPENCL as GPU" else ""):
        x = Tensor(data("tenths", (most,)), device=device.split()[0], requires_grad=True)
        for n in (most, most // 3, 1):
            x.grad = None
            part = x[: size.bind(n)]
            total, running = part.sum(), part.cumsum(0)
            running.sum().backward()
            assert x.grad is not None
            realize_all([total, running, x.grad])
            places = np.arange(1, n + 1)
            exact = np.float64(np.float32(0.1)) * places
            np.testing.assert_allclose(total.numpy(), exact[-1], bound(n), 0)
            np.testing.assert_allclose(running.numpy(), exact, bound(n), 0)
            np.testing.assert_array_equal(x.grad.numpy()[:n], places[::-1])
