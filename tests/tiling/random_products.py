"""Random products of matrices: how the factors lie in memory, what is computed on the way in, and what follows the sum.

Everything is a small whole number that all types hold, sums included, so results have to be equal, whatever the order
of additions and wherever 16-bit floats are rounded.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import numpy as np

from lazygrad import Tensor, dtypes
from lazygrad.dtype import DType

SIDES = (1, 2, 7, 8, 16, 24, 33, 40, 63, 64, 65, 72, 96, 128, 129, 136, 192, 200, 256, 264, 300)
DEPTHS = (1, 3, 8, 16, 17, 24, 40, 64, 65, 72, 128, 136, 200, 256, 264)
ALIGNED_SIDES, ALIGNED_DEPTHS = (128, 136, 192, 200, 256, 264, 304, 520), (8, 16, 40, 64, 72, 128, 136, 200)
BATCHES: tuple[tuple[int, ...], ...] = ((), (), (), (2,), (3,), (2, 2))
MOST = 6_000_000  # multiplications; twice as many where they are aligned
DTYPES = (dtypes.bfloat16, dtypes.float16, dtypes.float32)


@dataclass
class RandomProduct:
    """The product number `seed`, made anew on any device by `outputs`.

    Args:
        aligned: 16-bit floats, of a size and mostly lying so that copy engines and warp groups take them.
    """

    seed: int
    aligned: bool = False
    device: str = "NUMPY"
    steps: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._values = np.random.default_rng(self.seed)

    def outputs(self) -> list[Tensor]:
        """What the program computes."""
        rng = self._rng
        self.dtype = rng.choice(DTYPES[: 2 if self.aligned else 3])
        batch, (m, n, k) = rng.choice(BATCHES), self._sizes()
        while int(np.prod([*batch, m, n, k])) > MOST * (1 + self.aligned):
            batch, (m, n, k) = rng.choice(BATCHES), self._sizes()
        self.steps.append(f"{self.dtype} {batch} {m} x {k} @ {k} x {n}")
        a, b = self.factor((*batch, m, k)), self.factor((*batch, k, n))
        product = a @ b
        if rng.random() < 0.1:
            product = product @ self.factor((*batch, n, rng.choice((8, 40, 64))), odds=0.02)
            self.steps.append("and another product")
        return self.epilogue(product)

    def _sizes(self) -> tuple[int, int, int]:
        sides, depths = (ALIGNED_SIDES, ALIGNED_DEPTHS) if self.aligned else (SIDES, DEPTHS)
        return self._rng.choice(sides), self._rng.choice(sides), self._rng.choice(depths)

    def _plain(self, others: int) -> int:
        """How often the plain way among so many other ones."""
        return others * (5 if self.aligned else 1)

    def stored(self, shape: tuple[int, ...], dtype: DType | None = None, odds: float = 0.2) -> Tensor:
        """A tensor in memory: mostly zeros, so that sums stay small."""
        array = self._values.choice([-1.0, 0.0, 1.0], shape, p=[odds / 2, 1 - odds, odds / 2])
        return Tensor(array.astype("float32"), device=self.device).cast(dtype or self.dtype).realize()

    def factor(self, shape: tuple[int, ...], odds: float = 0.2) -> Tensor:
        """A factor of this shape, perhaps computed."""
        x = self._lying(shape, odds)
        computed = ("negated", "relu", "sum of two", "cast", "masked", "scaled rows")
        name = self._rng.choice(("as it is",) * self._plain(len(computed)) + computed)
        self.steps.append(f"  factor {shape}: {name}")
        if name == "negated":
            return -x
        if name == "relu":
            return x.relu()
        if name == "sum of two":
            return (x + self._lying(shape, odds)).minimum(1)
        if name == "cast":
            return self._lying(shape, odds, self._rng.choice((*DTYPES, dtypes.int32))).cast(self.dtype)
        if name == "masked":
            return x.where(self.stored((shape[-1],)) > 0, 0)
        if name == "scaled rows":
            return x * self.stored((shape[-2], 1))
        return x

    def _lying(self, shape: tuple[int, ...], odds: float, dtype: DType | None = None) -> Tensor:
        """A view of this shape of a tensor in memory."""
        rng, (*batch, m, k) = self._rng, shape
        views = self._views(len(batch))
        name = rng.choice(["rows", "turned"] * self._plain(len(views)) + views)
        self.steps.append(f"    lies {name}")
        x = lambda *size: self.stored(size, dtype, odds)  # noqa: E731
        first, more = rng.choice((8, 16) if self.aligned else (1, 2, 8, 16)), 8 if self.aligned else rng.choice((1, 4))
        if name == "turned":
            return x(*batch, k, m).transpose(-1, -2)
        if name == "columns of more":
            return x(*batch, m, first + k + more)[..., first : first + k]
        if name == "rows of more":
            return x(*batch, first + m, k)[..., first:, :]
        if name == "turned, of more":
            return x(*batch, k, first + m + more).transpose(-1, -2)[..., first : first + m, :]
        if name == "flipped":
            return x(*batch, m, k).flip(rng.choice((-1, -2)))
        if name == "every second":
            return x(*batch, m, 2 * k)[..., ::2]
        if name == "padded":
            missing = [min(first, n - 1) * rng.choice((0, 1)) for n in (m, k)]
            pads = [(0, n) if rng.randrange(2) else (n, 0) for n in missing]
            return x(*batch, m - missing[0], k - missing[1]).pad((*pads[1], *pads[0]))
        if name == "one for all":
            return x(m, k).expand(*batch, m, k)
        if name == "heads":
            return x(batch[0], m, *batch[1:], k).transpose(1, -2)
        if name == "gathered":
            return x(m + 3, k)[Tensor(self._values.integers(0, m + 3, m), device=self.device)]
        return x(*batch, m, k)

    def _views(self, batch: int) -> list[str]:
        views = ["columns of more", "rows of more", "turned, of more", "flipped", "every second", "padded"]
        return views + (["one for all"] if batch else ["gathered"]) + (["heads"] * 3 if batch == 2 else [])

    def epilogue(self, x: Tensor) -> list[Tensor]:
        """Outputs computed from the product."""
        outputs = []
        for _ in range(self._rng.randint(0, 4)):
            x = self._then(x)
            if self._rng.random() < 0.15:
                self.steps.append("  is an output, too")
                outputs.append(x)
        return [*outputs, x]

    def _then(self, x: Tensor) -> Tensor:
        rng = self._rng
        *batch, m, n = x.shape
        names = ("bias", "bias of rows", "residual", "turned residual", "relu", "clip", "mask", "sum", "max", "turned")
        name = rng.choice((*names, "float", "reshaped", "part", "padded", "heads together", "causal"))
        self.steps.append(f"  then {name}")
        if name == "bias":
            return x + self.stored((n,))
        if name == "bias of rows":
            return x - self.stored((m, 1))
        if name == "residual":
            return x + self.stored((*batch, m, n), rng.choice((self.dtype, dtypes.float32)))
        if name == "turned residual":
            return x + self.stored((n, m)).T
        if name == "clip":
            return x.clip(-2, 3)
        if name == "mask":
            return x.where(self.stored((m, n), dtypes.float32) > 0, 1)
        if name == "sum" and x.numel() < 1 << 16:
            return x.clip(-1, 1).float().sum(rng.choice((-1, -2)), keepdim=True)
        if name == "max":
            return x.amax(rng.choice((-1, -2)), keepdim=True)
        if name == "turned":
            return x.transpose(-1, -2)
        if name == "float":
            return x.float()
        if name == "reshaped":
            return x.reshape(*batch, n, m)
        if name == "part" and m > 2:
            return x[..., 1:, : max(1, n - 1)]
        if name == "padded":
            return x.pad((0, 3, 1, 2))
        if name == "heads together" and len(batch) == 2:
            return x.transpose(1, 2).reshape(batch[0], m, batch[1] * n)
        if name == "causal":
            return x.tril()
        return x.relu()
