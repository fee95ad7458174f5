"""Random convolutions with their gradients, in whole numbers: whatever the order of additions, results are equal.

All that a convolution can be asked for, at sizes where edges matter: images of 1 to 16, kernels of 1 to 7, strides,
padding, dilation, groups, batches and channels.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lazygrad import Tensor

Data = NDArray[Any]
MOST = 200_000  # multiplications


@dataclass(frozen=True)
class Convolution:
    """A convolution over one or two dimensions; `channels` and `filters` are those of each group."""

    seed: int
    image: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    batch: int
    groups: int
    channels: int
    filters: int
    has_bias: bool
    has_relu: bool
    dtype: str

    def places(self) -> tuple[int, ...]:
        """The size of the result along each dimension; below 1 where the kernel does not fit."""
        sizes = zip(self.image, self.kernel, self.stride, self.padding, self.dilation)
        return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sizes)

    def multiplications(self) -> int:
        counts = (self.batch, self.groups, self.channels, self.filters, *self.kernel, *self.places())
        return int(np.prod(counts))

    def arrays(self) -> list[Data]:
        """Input, weight, bias, and what the result is multiplied with before it is added up."""
        wide = self.groups * self.filters
        shapes = (
            (self.batch, self.groups * self.channels, *self.image),
            (wide, self.channels, *self.kernel),
            (wide,),
            (self.batch, wide, *self.places()),
        )
        rng = np.random.default_rng(self.seed)
        return [rng.integers(-3, 4, shape).astype(self.dtype) for shape in shapes]

    def options(self) -> dict[str, Any]:
        return {
            "stride": self.stride, "padding": self.padding, "dilation": self.dilation, "groups": self.groups,
        }  # fmt: skip

    def ours(self) -> list[Tensor]:
        """The result and the gradients of input, weight and bias, on the default device; nothing is computed yet."""
        *given, upstream = self.arrays()
        x, weight, bias = (Tensor(a, requires_grad=True) for a in given)
        convolve = Tensor.conv1d if len(self.image) == 1 else Tensor.conv2d
        y = convolve(x, weight, bias if self.has_bias else None, **self.options())
        y = y.relu() if self.has_relu else y
        (y * Tensor(upstream)).sum().backward()
        found = [y, x.grad, weight.grad, *([bias.grad] if self.has_bias else [])]
        return [t for t in found if t is not None]

    def expected(self) -> list[Data]:
        """The same of PyTorch."""
        *given, upstream = (torch.from_numpy(a) for a in self.arrays())
        x, weight, bias = (a.requires_grad_() for a in given)
        convolve = torch.nn.functional.conv1d if len(self.image) == 1 else torch.nn.functional.conv2d
        y = convolve(x, weight, bias if self.has_bias else None, **self.options())
        y = y.relu() if self.has_relu else y
        (y * upstream).sum().backward()
        found = [y.detach(), x.grad, weight.grad, *([bias.grad] if self.has_bias else [])]
        return [t.numpy() for t in found]


def random_convolution(seed: int) -> Convolution:
    """Convolution number `seed`: every other one such as networks have, the others anything."""
    rng = random.Random(seed)
    while True:
        made = _layer(seed, rng) if seed % 2 == 0 else _anything(seed, rng)
        if min(made.places()) >= 1 and made.multiplications() <= MOST:
            return made


def _layer(seed: int, rng: random.Random) -> Convolution:
    """A square kernel that keeps the size of square images, with many channels and filters."""
    n, size, k = rng.choice((1, 2, 2, 2)), rng.choice((4, 5, 6, 7, 8, 8, 12, 16)), rng.choice((3, 3, 3, 5))
    stride = rng.choice((1, 1, 1, 2))
    return Convolution(
        seed, (size,) * n, (k,) * n, (stride,) * n, (k // 2,) * n, (1,) * n,
        batch=rng.choice((1, 2, 4)), groups=1,
        channels=rng.choice((4, 8, 8, 16)), filters=rng.choice((4, 8, 16, 16, 17)),
        has_bias=rng.random() < 0.5, has_relu=rng.random() < 0.5, dtype="float32",
    )  # fmt: skip


def _anything(seed: int, rng: random.Random) -> Convolution:
    n, square = rng.choice((1, 2, 2, 2)), rng.random() < 0.6

    def sizes(*choices: int) -> tuple[int, ...]:
        first = rng.choice(choices)
        return tuple(first if square else rng.choice(choices) for _ in range(n))

    return Convolution(
        seed,
        image=sizes(*range(1, 17)),
        kernel=sizes(1, 2, 3, 3, 3, 4, 5, 6, 7),
        stride=sizes(1, 1, 1, 2, 3),
        padding=sizes(0, 1, 1, 2, 3),
        dilation=sizes(1, 1, 1, 2, 3),
        batch=rng.choice((1, 1, 2, 3, 4)),
        groups=rng.choice((1, 1, 1, 2, 3)),
        channels=rng.choice((1, 2, 3, 4, 8, 16)),
        filters=rng.choice((1, 2, 3, 4, 8, 16, 17)),
        has_bias=rng.random() < 0.5,
        has_relu=rng.random() < 0.5,
        dtype=rng.choice(("float32", "float32", "float64")),
    )
