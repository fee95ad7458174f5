"""Results in 16 bits are the nearest number as often as PyTorch's are: what has several steps is rounded once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lazygrad import Tensor
from lazygrad.settings import settings
from tests import extreme_lines, extremes

Array = np.ndarray[Any, Any]
SAMPLES = np.random.default_rng(0).standard_normal(2400) * 2
MORE = 0.02  # of the results: sums in another order fall on the other side of a tie


def rows() -> dict[str, tuple[Any, Array]]:
    """Every row of the tables of extremes, with samples of its own that are no extremes."""
    found: dict[str, tuple[Any, Array]] = {}
    for name, row in extremes.UNARY.items():
        found[name] = row, SAMPLES if row.domain is None else (np.abs(SAMPLES) / 10).clip(0.01, 0.99)
    for name, line in extreme_lines.ROWS.items():
        found[name] = line, SAMPLES.reshape(-1, 4)[: 20 if " of all" in name else None]
    return found


def wrong_share(got: Array, exact: torch.Tensor, dtype: str) -> float:
    """How many results are not the nearest to `exact`."""
    nearest = exact.to(getattr(torch, dtype)).double().numpy()
    return float(np.mean((got != nearest) & ~(np.isnan(got) & np.isnan(nearest))))


@pytest.mark.parametrize(("device", "dtype"), [("NUMPY", "bfloat16"), ("NUMPY", "float16"), ("OPENCL", "bfloat16")])
@np.errstate(all="ignore")
def test_results_in_16_bits(device: str, dtype: str) -> None:
    with settings.override(device=device):
        computed = []
        for name, (row, samples) in rows().items():
            given = torch.tensor(samples).to(getattr(torch, dtype))
            ours = row.call(Tensor(given.double().numpy(), dtype=dtype))
            computed.append((name, ours, row.theirs(given).detach(), row.theirs(given.double())))
        Tensor.realize(*(ours for _, ours, _, _ in computed))
    worse = {}
    for name, ours, theirs, exact in computed:
        if not exact.is_floating_point():
            continue
        shares = [wrong_share(x, exact, dtype) for x in (ours.double().numpy(), theirs.double().numpy())]
        if shares[0] > shares[1] + MORE:
            worse[name] = shares
    assert not worse
