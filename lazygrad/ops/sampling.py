"""Random numbers of other distributions, and tensors filled with random numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lazygrad.dtype import DType, DTypeLike, as_dtype, dtypes
from lazygrad.engine.generator import Generator
from lazygrad.errors import ArgumentError, DTypeError, ShapeError
from lazygrad.ir.node import alu, cast, const
from lazygrad.ir.op import Op
from lazygrad.ops import rejection
from lazygrad.ops.arguments import new_size, number
from lazygrad.ops.chance import Chance
from lazygrad.ops.core import Core, Operand, fail, scalar
from lazygrad.ops.creation import device_name
from lazygrad.ops.normalize import Normalize
from lazygrad.ops.prefixes import Prefixes
from lazygrad.ops.random_words import random_words, unit
from lazygrad.ops.sorting import Sorting

if TYPE_CHECKING:
    from typing_extensions import Self


class Sampling(Normalize, Prefixes, Sorting, Chance):
    """Draws that other operations are needed for."""

    __slots__ = ()

    # ---- new tensors ----

    @classmethod
    def randperm(
        cls,
        n: int,
        *,
        generator: Generator | None = None,
        dtype: DTypeLike | None = None,
        device: str | None = None,
        requires_grad: bool = False,
    ) -> Self:
        """0, 1, ..., n-1 in random order; int64 unless given. ShapeError for a negative `n`.

        >>> sorted(Tensor.randperm(4).tolist())
        [0, 1, 2, 3]
        """
        size, name = new_size(n, "randperm"), device_name(device)
        first, second = random_words((size,), name, generator)
        keys = alu(Op.SHL, cast(first, dtypes.uint64), const(32, dtypes.uint64, (size,)))
        keys = alu(Op.OR, keys, cast(second, dtypes.uint64))  # 64 bits: no two are equal
        order = cls._of(keys, name).argsort().cast(as_dtype(dtype, dtypes.int64))
        return order.requires_grad_() if requires_grad else order

    def multinomial(self, num_samples: int, replacement: bool = False, *, generator: Generator | None = None) -> Self:
        """Places in the last dimension, each as probable as its weight here is of all: (num_samples,) or
        (rows, num_samples), int64. Without `replacement` no place is drawn twice.

        ShapeError for other than one or two dimensions, ArgumentError for more samples than places without
        `replacement`, DTypeError for integers. Weights that are negative or nan, or none of which is above 0, are not
        noticed.

        >>> Tensor([0.0, 3.0, 0.0]).multinomial(2, replacement=True).tolist()
        [1, 1]
        """
        if self.ndim not in (1, 2) or self.shape[-1] == 0:
            fail(ShapeError, f"multinomial: weights of shape {list(self.shape)}; (places,) or (rows, places) is needed")
        if not self.dtype.is_float:
            fail(DTypeError, f"multinomial: weights of {self.dtype}; floats are needed")
        count = new_size(num_samples, "multinomial")
        if count < 1 or (not replacement and count > int(self.shape[-1])):
            what = f"{count} samples of {self.shape[-1]} places"
            fail(ArgumentError, f"multinomial: {what}; draw at least one, and more only with replacement=True")
        if int(self.shape[-1]) > 1 << 24:
            fail(ArgumentError, f"multinomial: {self.shape[-1]} places are more than 2**24, which float32 tells apart")
        weights = self.detach().cast(self._wide())
        if not replacement:
            waits = self._exponential(weights.shape, weights.dtype, generator)
            return (weights / waits).topk(count, -1)[1]
        sums = weights.cumsum(-1)
        total = sums[..., -1:]
        last = sums.lt(total).cast(dtypes.int64).sum(-1, keepdim=True)  # the last place that has a weight
        drawn = self.rand((*self.shape[:-1], count), generator=generator, dtype=weights.dtype, device=self.device)
        return sums.searchsorted(drawn * total, right=True).minimum(last)

    def poisson(self, generator: Generator | None = None) -> Self:
        """Poisson numbers, whose means these are, in this dtype; nan where one is negative.

        >>> Tensor([0.0, 0.0]).poisson().tolist()
        [0.0, 0.0]
        """
        if not self.dtype.is_float:
            fail(DTypeError, f"poisson: means of {self.dtype}; floats are needed")
        mean = self.detach().cast(dtypes.float64)
        drawn = rejection.poisson(mean, *mean._tries(generator))
        return (mean >= 0)._choose(drawn, math.nan).cast(self.dtype)

    def binomial(self, prob: Self, generator: Generator | None = None) -> Self:
        """How many of so many tries succeed, each with probability `prob`; both broadcast.

        >>> Tensor([5.0, 5.0]).binomial(Tensor([0.0, 1.0])).tolist()
        [0.0, 5.0]
        """
        self._same_device("binomial", prob)
        if not self.dtype.is_float or prob.dtype is not self.dtype:
            fail(
                DTypeError,
                f"binomial: tries of {self.dtype}, probabilities of {prob.dtype}; floats of one dtype are needed",
            )
        count = self.detach().cast(dtypes.float64) + prob.detach().cast(dtypes.float64) * 0
        p = count * 0 + prob.detach().cast(dtypes.float64)
        drawn = rejection.binomial(count, p, *count._tries(generator))
        good = (count >= 0) & (p >= 0) & (p <= 1)
        return good._choose(drawn, math.nan).cast(self.dtype)

    def _tries(self, generator: Generator | None) -> tuple[Self, Self]:
        shape = (rejection.TRIES, *self.shape)
        first, second = (
            self.rand(shape, generator=generator, dtype=dtypes.float64, device=self.device) for _ in range(2)
        )
        return first, second

    def _wide(self) -> DType:
        return dtypes.float32 if self.dtype.is_half else self.dtype

    def _exponential(self, shape: Any, dtype: DType, generator: Generator | None = None) -> Self:
        """Exponential numbers of mean 1, none of them 0."""
        words = random_words(shape, self.device, generator)
        u = self._of(unit(words[0], dtype, from_one=True), self.device)
        if dtype is dtypes.float64:  # 20 bits more, that small numbers need
            lower = self._of(cast(words[1], dtype), self.device) * 2.0**-64
            u = (u - lower).clamp(min=2.0**-64)
        return (-u.log()).clamp(min=2.0 ** (-33 if dtype is dtypes.float64 else -25))

    def gumbel_softmax(self, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Self:
        """Samples of the categories along `dim` whose logits these are, softened by the temperature `tau`.

        Args:
            hard: exactly one 1 along `dim`, with the gradient of the soft sample.
            eps: accepted for PyTorch's sake, and unused.

        Jang, Gu and Poole, "Categorical reparameterization with Gumbel-softmax" (ICLR 2017).

        >>> Tensor([0.0, 99.0]).gumbel_softmax(hard=True).tolist()
        [0.0, 1.0]
        """
        if not self.dtype.is_float:
            fail(DTypeError, f"gumbel_softmax: logits of {self.dtype}; floats are needed")
        noise = -self._exponential(self.shape, self._wide()).log()
        soft = ((self + noise.cast(self.dtype)) / tau).softmax(dim)
        if not hard:
            return soft
        axis = self._axis(dim)
        places = self.arange(soft.shape[axis] if self.ndim else 1, device=self.device)
        places = places.reshape([-1 if i == axis else 1 for i in range(self.ndim)])
        one = soft.detach().argmax(dim, keepdim=True).eq(places).cast(soft.dtype)
        return one - soft.detach() + soft

    # ---- in place ----

    def _filled_with(self, what: str, drawn: Self) -> Self:
        if not self.dtype.is_float:
            fail(DTypeError, f"{what}: a tensor of {self.dtype} holds no random floats; see random_")
        return self._written(drawn)

    def normal_(self, mean: float = 0, std: float = 1, *, generator: Generator | None = None) -> Self:
        """Every element becomes a normal number.

        >>> Tensor.zeros(2).normal_(5.0, 0.0).tolist()
        [5.0, 5.0]
        """
        if not self.dtype.is_float:
            fail(DTypeError, f"normal_: a tensor of {self.dtype} holds no random floats; see random_")
        like: dict[str, Any] = {"generator": generator, "dtype": self.dtype, "device": self.device}
        return self._written(self.normal(self.shape, mean=mean, std=std, **like))

    def log_normal_(self, mean: float = 1, std: float = 2, *, generator: Generator | None = None) -> Self:
        """Every element becomes the exponential of a normal number of this mean and deviation.

        >>> Tensor.zeros(1).log_normal_(0.0, 1.0).gt(0).tolist()
        [True]
        """
        if not std > 0:
            fail(ArgumentError, f"log_normal_: std={std} must be above 0")
        drawn = self.randn(self.shape, generator=generator, dtype=self._real("log_normal_"), device=self.device)
        return self._filled_with("log_normal_", (drawn * std + mean).exp())

    def uniform_(self, from_: float = 0, to: float = 1, *, generator: Generator | None = None) -> Self:
        """Every element becomes a uniform number in [from_, to).

        >>> Tensor.zeros(2).uniform_(3, 4).floor().tolist()
        [3.0, 3.0]
        """
        if from_ == to and self.dtype.is_float:
            return self._written(number("uniform_", from_))
        like: dict[str, Any] = {"generator": generator, "dtype": self.dtype, "device": self.device}
        return self._written(self.uniform(self.shape, low=from_, high=to, **like))

    def random_(self, from_: int | None = None, to: int | None = None, *, generator: Generator | None = None) -> Self:
        """Every element becomes a uniform integer: below `from_` (alone), in [from_, to), or among all from 0 that this
        dtype holds exactly.

        >>> Tensor.zeros(2).random_(7, 8).tolist()
        [7.0, 7.0]
        """
        low, high = (from_ or 0, to) if to is not None else (0, from_)
        if high is None:
            digits = {dtypes.float16: 11, dtypes.bfloat16: 8, dtypes.float32: 24, dtypes.float64: 53}
            high = (1 << digits[self.dtype]) + 1 if self.dtype.is_float else int(self.dtype.max) + 1
        kind = dtypes.uint64 if self.dtype is dtypes.uint64 else dtypes.int64
        drawn = self.randint(low, high, self.shape, generator=generator, dtype=kind, device=self.device)
        return self._written(drawn.cast(self.dtype))

    def bernoulli_(self, p: Operand = 0.5, *, generator: Generator | None = None) -> Self:
        """Every element becomes 1 with probability `p`, a number or a tensor that broadcasts, else 0.

        >>> Tensor.zeros(2).bernoulli_(1.0).tolist()
        [1.0, 1.0]
        """
        if not isinstance(p, Core) and not 0 <= scalar("bernoulli_", p) <= 1:
            fail(ArgumentError, f"bernoulli_: p={p} is no probability")
        return self._written(self._drawn(p, generator).cast(self.dtype))

    def exponential_(self, lambd: float = 1, *, generator: Generator | None = None) -> Self:
        """Every element becomes an exponential number of mean 1 / lambd. ArgumentError unless `lambd` is above 0.

        >>> Tensor.zeros(2).exponential_().gt(0).tolist()
        [True, True]
        """
        if not lambd > 0:
            fail(ArgumentError, f"exponential_: lambd={lambd} must be above 0")
        drawn = self._exponential(self.shape, self._real("exponential_"), generator) / lambd
        return self._filled_with("exponential_", drawn)

    def geometric_(self, p: float, *, generator: Generator | None = None) -> Self:
        """Every element becomes how many tries it takes until one succeeds, each with probability `p`.

        >>> Tensor.zeros(2).geometric_(0.5).ge(1).tolist()
        [True, True]
        """
        if not 0 < p < 1:
            fail(ArgumentError, f"geometric_: p={p} must lie in (0, 1)")
        kind = self._wide() if self.dtype.is_float else dtypes.float64
        waits = self._exponential(self.shape, kind, generator) / -math.log1p(-p)
        return self._written(waits.ceil().clamp(min=1).cast(self.dtype))

    def cauchy_(self, median: float = 0, sigma: float = 1, *, generator: Generator | None = None) -> Self:
        """Every element becomes a number of the Cauchy distribution. ArgumentError unless `sigma` is above 0.

        >>> Tensor.zeros(2).cauchy_().isfinite().tolist()
        [True, True]
        """
        if not sigma > 0:
            fail(ArgumentError, f"cauchy_: sigma={sigma} must be above 0")
        u = self.rand(self.shape, generator=generator, dtype=self._real("cauchy_"), device=self.device)
        return self._filled_with("cauchy_", ((u - 0.5) * math.pi).tan() * sigma + median)

    def _real(self, what: str) -> DType:
        """In what the numbers of this tensor are computed; DTypeError where it holds integers."""
        if not self.dtype.is_float:
            fail(DTypeError, f"{what}: a tensor of {self.dtype} holds no random floats; see random_")
        return self._wide()
