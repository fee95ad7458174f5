"""PyTorch's samples with nan and infinities, zeros of both signs, or equal elements put among their numbers."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import torch

from tests.peers import opinfo

KINDS: dict[str, tuple[float, ...]] = {
    "nonfinite": (math.nan, math.inf, -math.inf),
    "zeros": (0.0, -0.0, 0.0),
    "ties": (),
}


def poisoned(name: str, kind: str, at_most: int, dtype: torch.dtype = torch.float64) -> Iterator[opinfo.Sample]:
    """Some samples of an operation with what `kind` names put at drawn places of every tensor of floats; "ties" are
    numbers rounded to integers. Those that PyTorch itself refuses then are left out, and those drawn at random."""
    rng = np.random.default_rng(0)
    every = list(islice(opinfo.samples(name, dtype), 240))  # of max_unpool2d there are thousands
    for sample in every[:: -(-len(every) // at_most) or 1]:
        arguments, options = (_poisoned(x, kind, rng) for x in (sample.arguments, sample.options))
        other = replace(sample, arguments=arguments, options=options)
        if opinfo.is_random(other):
            continue
        try:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                sample.theirs(*other.arguments, **other.options)
        except (RuntimeError, ValueError, IndexError):
            continue
        yield other


def _poisoned(value: Any, kind: str, rng: np.random.Generator) -> Any:
    if isinstance(value, torch.Tensor):
        return _tensor(value, kind, rng)
    if type(value) in (list, tuple):
        return type(value)(_poisoned(v, kind, rng) for v in value)
    if isinstance(value, dict):
        return {k: _poisoned(v, kind, rng) for k, v in value.items()}
    return value


def _tensor(x: torch.Tensor, kind: str, rng: np.random.Generator) -> torch.Tensor:
    if not x.is_floating_point() or x.numel() < 2:
        return x
    flat = x.detach().clone().reshape(-1)
    if kind == "ties":
        flat = flat.round()
    few = max(1, min(3, flat.numel() // 3)) if kind == "nonfinite" else 3  # something finite is left
    # PyTorch's vectors treat nan otherwise than the numbers that are left over do; those of a large tensor count
    places = flat.numel() - flat.numel() % 16 if flat.numel() >= 16 else flat.numel()
    for value in KINDS[kind][:few]:
        flat[int(rng.integers(places))] = value
    return flat.reshape(x.shape).requires_grad_(x.requires_grad)
