"""PyTorch's own settings for its optimizers ("OptimizerInfo"): the same steps on both sides."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import torch

from lazygrad import Tensor, optim
from lazygrad.errors import LazygradError
from tests.peers.opinfo import Computed, RefusedError, Sample

STEPS = 6
SHAPES = ((4, 3), (3,), ())


@cache
def optimizers() -> dict[str, Any]:
    """PyTorch's entries for optimizers, by class name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_optimizers import optim_db
    return {info.optim_cls.__name__: info for info in optim_db}


def is_here(name: str) -> bool:
    """Whether lazygrad has an optimizer of that name."""
    return hasattr(optim, name)


def samples(name: str) -> Iterator[Sample]:
    """Every setting that PyTorch tests an optimizer with, but for choices among its own implementations."""
    ours, theirs = getattr(optim, name), optimizers()[name].optim_cls
    for k, given in enumerate(optimizers()[name].optim_inputs_func("cpu")):
        own = ("foreach", "fused", "capturable", "differentiable")
        yield Sample(name, k, ours, theirs, (), {key: v for key, v in given.kwargs.items() if key not in own})


def compute(sample: Sample) -> Computed:
    """The parameters after each of some steps down a bowl that is no circle."""
    rng = np.random.default_rng(0)
    shapes = SHAPES[:1] if sample.name == "Muon" else SHAPES
    starts, centres = ([rng.normal(size=shape) for shape in shapes] for _ in range(2))
    ours = [Tensor(x, requires_grad=True) for x in starts]
    theirs = [torch.tensor(x, requires_grad=True) for x in starts]
    try:
        options = {k: Tensor(v.numpy()) if isinstance(v, torch.Tensor) else v for k, v in sample.options.items()}
        here = sample.ours(ours, **options)
    except LazygradError as error:
        raise RefusedError(str(error)) from error
    except TypeError as error:
        if "argument" not in str(error):
            raise
        raise RefusedError(str(error)) from error
    with _in_double():
        there = sample.theirs(theirs, **sample.options)
    done = Computed(sample)
    for step in range(STEPS):
        _step(here, ours, [Tensor(c) for c in centres])
        with _in_double():
            _step(there, theirs, [torch.tensor(c) for c in centres])
        for i, (a, b) in enumerate(zip(ours, theirs)):
            done.pairs.append((f"parameter {i} after step {step}", Tensor(a.numpy()), b.detach().clone()))
    return done


@contextmanager
def _in_double() -> Iterator[None]:
    """PyTorch keeps some scalars in the default dtype, and orthogonalizes in bfloat16: both in float64 here."""
    half = torch.Tensor.bfloat16
    torch.set_default_dtype(torch.float64)
    torch.Tensor.bfloat16 = torch.Tensor.clone  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        torch.Tensor.bfloat16 = half  # type: ignore[method-assign]
        torch.set_default_dtype(torch.float32)


def _step(optimizer: Any, parameters: list[Any], centres: list[Any]) -> None:
    def closure() -> Any:
        optimizer.zero_grad()
        total: Any = 0.0
        for k, (p, c) in enumerate(zip(parameters, centres)):
            distance = p - c
            total = total + (distance * distance).sum() * (k + 1) + (distance * distance * distance * distance).sum()
        total.backward()
        return total

    optimizer.step(closure)
