"""An explicit cast rounds, fused or not: random chains of casts, and whatever reads what was cast."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lazygrad import Tensor, dtypes
from lazygrad.dtype import ALL, DType
from lazygrad.ops.jit_trace import realize_all
from lazygrad.settings import settings

Array = NDArray[Any]
FLOATS = tuple(d for d in ALL if d.is_float)
EXACT = tuple(d for d in ALL if not d.is_float)
HALVES = (dtypes.float16, dtypes.bfloat16)
SPECIAL = [
    0.0, -0.0, 1.0, 1.001, -1.5, 1e-3, 6e-8, 3e-8, 2.9e-8, 1e-5, -7e-6, 6.1e-5, 65504.0, 65519.0, 65520.0, -1e5,
    3.39e38, 1e-39, 1e-45, 0.1, 257.0, 2049.0, np.inf, -np.inf, np.nan,
]  # fmt: skip
STEPS: dict[str, Callable[[Any], Any]] = {"": lambda x: x, "flip": lambda x: x.flip((0,)), "neg": lambda x: -x}
Chain = list[tuple[str, DType]]


def chains(count: int, seed: int) -> list[tuple[Array, Chain]]:
    """Numbers, and the steps and casts that they go through: floats, integers or both, within every range passed."""
    rng, found = random.Random(seed), []
    for k in range(count):
        kinds = (FLOATS, EXACT, ALL)[k % 3]
        chain = [
            (rng.choice(list(STEPS)) if kinds is FLOATS else "", rng.choice(kinds)) for _ in range(rng.randint(2, 5))
        ]
        numbers = np.random.default_rng(seed * 1000 + k)
        size = rng.randint(20, 90)
        if kinds is FLOATS:
            x = numbers.choice(SPECIAL, size) * numbers.choice([1.0, 1.0, 0.37, 1.7], size)
            with np.errstate(over="ignore"):
                x = x.astype(np.float32)  # so that PyTorch, which goes from float64 by float32, rounds once
        elif kinds is EXACT:
            x = numbers.integers(-(2**63), 2**63 - 1, size) >> numbers.integers(0, 62, size)
        else:
            x = (numbers.integers(0, 480, size) / 4).astype(np.float32)
        found.append((x, chain))
    return found


def by_torch(x: Array, chain: Chain) -> Array:
    t = torch.tensor(x)
    for step, dtype in chain:
        t = STEPS[step](t).to(getattr(torch, dtype.name))
    return t.double().numpy() if t.dtype is torch.bfloat16 else t.numpy()


def ours(made: list[tuple[Array, Chain]], device: str, stepwise: bool) -> list[Tensor]:
    tensors = [Tensor(x, device=device) for x, _ in made]
    for level in range(max(len(chain) for _, chain in made)):
        for k, (_, chain) in enumerate(made):
            if level < len(chain):
                step, dtype = chain[level]
                tensors[k] = STEPS[step](tensors[k]).cast(dtype)
        if stepwise:
            realize_all(tensors)
    tensors = [t.double() if t.dtype is dtypes.bfloat16 else t for t in tensors]
    realize_all(tensors)
    return tensors


@pytest.mark.parametrize("device", ["NUMPY", "OPENCL", "OPENCL as GPU", "CUDA_EMULATED"])
def test_chains_of_casts(device: str) -> None:
    with settings.override(target="gpu" if device == "OPENCL as GPU" else ""):
        name, count = device.split()[0], 60 if device == "CUDA_EMULATED" else 150
        check(chains(count, 1), ours(chains(count, 1), name, stepwise=False))


@pytest.mark.parametrize("device", ["NUMPY", "OPENCL"])
def test_chains_realized_at_every_step(device: str) -> None:
    check(chains(30, 2), ours(chains(30, 2), device, stepwise=True))


def check(made: list[tuple[Array, Chain]], found: list[Tensor]) -> None:
    for (x, chain), got in zip(made, found):
        np.testing.assert_array_equal(got.numpy(), by_torch(x, chain), err_msg=f"{x.dtype} {chain}")


@pytest.mark.parametrize("device", ["NUMPY", "OPENCL", "CUDA_EMULATED"])
def test_float64_is_rounded_once(device: str) -> None:
    """What lies a little beyond the middle between two of them goes to the nearer one."""
    for dtype, bits in ((dtypes.float16, 11), (dtypes.bfloat16, 8)):
        step = 2.0 ** (1 - bits)
        x = np.array(
            [1 + step / 2 + 2.0**-40, 1 + step / 2 - 2.0**-40, 1 + step / 2, 1 + step * 1.5, -1 - step / 2 - 1e-12]
        )
        want = [1 + step, 1, 1, 1 + 2 * step, -1 - step]
        assert (Tensor(x, device=device) * 1.0).cast(dtype).cast(dtypes.float64).tolist() == want
        assert Tensor(x, device=device).cast(dtype).double().tolist() == want


INDEX = np.array([3, 0, 40, 11, 3])
WEIGHT = np.random.default_rng(3).standard_normal((48, 24)).astype(np.float32)
READERS: dict[str, Callable[[Tensor], Tensor]] = {
    "float": lambda h: h.float(),
    "sum": lambda h: h.float().sum(0),
    "sum of rows": lambda h: h.float().sum(1),
    "largest": lambda h: h.float().max(1).values,
    "running sum": lambda h: h.float().cumsum(1),
    "left factor": lambda h: h.float() @ Tensor(WEIGHT, device=h.device),
    "right factor": lambda h: Tensor(WEIGHT.T.copy(), device=h.device) @ h.float().T,
    "both factors": lambda h: h.float() @ h.float().T,
    "softmax": lambda h: (h.float() * 10).softmax(1),
    "padding": lambda h: h.pad((1, 2)).float() * 3,
    "choice": lambda h: h.where(h > 0, -h).float(),
    "rows of a table": lambda h: h[Tensor(INDEX, device=h.device)].float(),
    "scattered": lambda h: (h[:5] * 0).scatter_add(0, Tensor(np.tile(INDEX[:, None] % 5, 48), device=h.device), h[:5]),
    "difference": lambda h: (h.float() - h.float().mean(1, keepdim=True)) * 1e4,
}


@pytest.mark.parametrize("device", ["NUMPY", "OPENCL", "OPENCL as GPU", "CUDA_EMULATED"])
def test_readers_of_what_was_cast(device: str) -> None:
    """They give the same as if it had been stored; unrounded factors would differ in the third digit."""
    x = np.random.default_rng(4).standard_normal((50, 48)).astype(np.float32)
    with settings.override(target="gpu" if device == "OPENCL as GPU" else ""):
        name = device.split()[0]
        fused, stored = [], []
        for dtype in HALVES:
            kept = (Tensor(x, device=name) * 1.0).cast(dtype).realize()
            for read in READERS.values():
                fused.append(read((Tensor(x, device=name) * 1.0).cast(dtype)).float())
                stored.append(read(kept).float())
        realize_all([*fused, *stored])
        for what, a, b in zip([*READERS] * 2, fused, stored):
            scale = np.abs(b.numpy()).max()
            np.testing.assert_allclose(a.numpy(), b.numpy(), 0, 2e-6 * scale, err_msg=what)
