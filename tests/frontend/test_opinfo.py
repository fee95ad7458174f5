"""PyTorch's samples of every operation that lazygrad has by the same name: values, gradients, dtypes and errors."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable

import pytest
import torch

from lazygrad import Tensor
from lazygrad.errors import LazygradError
from lazygrad.settings import settings
from tests.peers import opinfo

# What lazygrad refuses, by a word of its error: arguments and forms that it does not offer.
REFUSED = {
    "nn.functional.batch_norm": "statistics",
    **dict.fromkeys(("arange", "full", "full_like", "scalar_tensor"), "does not fit uint8"),
    "as_strided.partial_views": "of a memory of",
    "zero_": "leaf",
}
# Samples whose result is another one on purpose.
_ENDS = "PyTorch computes float32 ends in float32 even for a float64 result"
_POLES = "PyTorch's trigamma is 2e13 at 0, -1, -2, ..., where it is infinite"
_OSCILLATING = [f"bessel_{kind}[{k}]" for kind in ("j0", "j1", "y0", "y1") for k in (0, 2)] + ["airy_ai[0]"]
_POLYGAMMA = [*(f"polygamma.polygamma_n_{n}" for n in range(5)), "special.polygamma.special_polygamma_n_0"]
_BESSEL = "PyTorch's is wrong by 1e-7 to 3e-7 about 5.2 and -2.6: mpmath's is ours to 1e-15"
_WEIGHTS = "PyTorch divides by a sum of float32 weights that it computed in float32"
_MINUS_ONE = "a label of 255 is no -1"
_PARTS = "the sample is a view of a part, of which the copy that the test makes does not know the whole"
_KEPT = "PyTorch gives the elements that were replaced a gradient"
DIFFERENT = {
    **dict.fromkeys((f"{name}[{k}]" for name in _POLYGAMMA for k in (0, 5)), _POLES),
    **dict.fromkeys((f"special.{name}" for name in _OSCILLATING), _BESSEL),
    **dict.fromkeys(("cov[33]", "cov[37]"), _WEIGHTS),
    **dict.fromkeys((f"nn.functional.cosine_embedding_loss[{k}] uint8" for k in range(1, 5)), _MINUS_ONE),
    **dict.fromkeys((f"as_strided.partial_views[{k}]" for k in range(20)), _PARTS),
    **dict.fromkeys((f"svd_lowrank[{k}]" for k in range(8, 16)), "less M it is of a high rank: directions are drawn"),
    **dict.fromkeys((f"as_strided_scatter[{k}]" for k in range(20)), _KEPT),
    **dict.fromkeys((f"linspace.tensor_overload[{k}]" for k in range(182)), _ENDS),
}
# Calls that PyTorch refuses and lazygrad does not, on purpose.
_WITH_NUMBERS = ["atan2", "clamp_max", "clamp_min", "fmax", "fmin", "gcd", "hypot", "igamma", "igammac"]
_WITH_NUMBERS += ["lcm", "ldexp", "logaddexp"]
ACCEPTED = {
    **dict.fromkeys((f"multinomial[{k}]" for k in range(7, 21)), "weights are not looked at before samples are drawn"),
    **dict.fromkeys((f"nn.functional.max_pool{k}" for k in ("1d[5]", "1d[17]", "3d[4]")), "channels are a batch, too"),
    **dict.fromkeys((f"{name}[0]" for name in _WITH_NUMBERS), "a number beside a tensor"),
    **dict.fromkeys(("isclose[2]", "maximum[0]", "minimum[0]"), "a number beside a tensor"),
    **dict.fromkeys(("logical_and[0]", "logical_or[0]", "logical_xor[0]"), "a number beside a tensor"),
}
NAMES = pytest.mark.parametrize("name", opinfo.operations())
# A program costs 80 ms to compile, and 3 ms more for each kernel in it.
_EVERY = list(opinfo.operations())
TOGETHER = pytest.mark.parametrize("names", [_EVERY[k : k + 16] for k in range(0, len(_EVERY), 16)], ids=" ".join)
# Kernels of hundreds of steps, which are the same for every shape.
LONG = ("igamma", "gcd", "lcm", "mvlgamma", "polygamma", "special.polygamma", "special.zeta", "special.bessel")
LONG += ("svd_lowrank", "pca_lowrank")
INTEGERS = (torch.int64, torch.int32, torch.uint8, torch.int8, torch.bool)


def spread(samples: Iterable[opinfo.Sample], at_most: int) -> list[opinfo.Sample]:
    """Some of many samples, evenly: max_pool2d alone has 1,440. `extra.bench.conformance` runs them all."""
    every = list(samples)
    return every[:: -(-len(every) // at_most) or 1]


def is_known(sample: str, dtype: torch.dtype) -> bool:
    """Whether the sample's result is another one on purpose, for every dtype or for this one."""
    return sample in DIFFERENT or f"{sample} {str(dtype).removeprefix('torch.')}" in DIFFERENT


def check(names: Iterable[str], device: str, dtypes: Iterable[torch.dtype], at_most: Callable[[str], int]) -> list[str]:
    """What is wrong with so many of each operation's samples of each dtype, all computed together."""
    refused: list[str] = []
    done: list[tuple[torch.dtype, opinfo.Computed]] = []
    with settings.override(device=device):
        for name, dtype in itertools.product(names, dtypes):
            for sample in spread(opinfo.samples(name, dtype), at_most(name)):
                try:
                    done.append((dtype, opinfo.compute(sample)))
                except opinfo.RefusedError as error:
                    if name not in REFUSED or not re.search(REFUSED[name], str(error)):
                        refused.append(f"refused: {sample} {dtype}: {error}")
        tensors = [ours for _, d in done for _, ours, _ in d.pairs if isinstance(ours, Tensor)]
        if tensors:
            Tensor.realize(*tensors)
        wrong = [(dtype, w) for dtype, d in done for w in opinfo.compare(d)]
    return [w for dtype, w in wrong if not is_known(w.split()[0], dtype)] + refused


@NAMES
def test_values_and_gradients(name: str, breadth: int) -> None:
    wrong = check([name], "NUMPY", [torch.float64], lambda _: 150 * breadth)
    assert not wrong, "\n".join(wrong)


@NAMES
def test_integers(name: str, breadth: int) -> None:
    wrong = check([name], "NUMPY", INTEGERS, lambda _: 10 * breadth)
    assert not wrong, "\n".join(wrong)


@TOGETHER
def test_kernels(names: list[str], breadth: int) -> None:
    wrong = check(names, "OPENCL", [torch.float32], lambda name: (1 if name.startswith(LONG) else 2) * breadth)
    assert not wrong, "\n".join(wrong)


@TOGETHER
def test_kernels_of_integers(names: list[str], breadth: int) -> None:
    wrong = check(names, "OPENCL", [torch.int32, torch.uint8], lambda _: breadth)
    assert not wrong, "\n".join(wrong)


@NAMES
def test_errors(name: str) -> None:
    """What PyTorch refuses is an error here, too: one of lazygrad's own, or one for arguments that do not exist."""
    accepted = []
    with settings.override(device="NUMPY"):
        for sample, message in opinfo.wrong_calls(name):
            try:
                opinfo.call(sample)
            except (LazygradError, TypeError, ValueError):
                continue
            accepted.append(f"{sample}: no error; PyTorch: {message}")
    accepted = [a for a in accepted if a.partition(":")[0] not in ACCEPTED]
    assert not accepted, "\n".join(accepted)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_still_refused(name: str) -> None:
    """An entry whose operation has come to offer everything goes."""
    refused = 0
    with settings.override(device="NUMPY"):
        for sample in (s for dtype in (torch.float64, *INTEGERS) for s in opinfo.samples(name, dtype)):
            try:
                opinfo.compute(sample)
            except opinfo.RefusedError:
                refused += 1
    assert refused
