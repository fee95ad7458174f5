"""The gamma distribution, and those made of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from lazygrad.distributions.distribution import Distribution, Number, as_float
from lazygrad.dtype import dtypes
from lazygrad.errors import ShapeError, fail
from lazygrad.ops.mode import no_grad
from lazygrad.ops.rejection import TRIES
from lazygrad.tensor import Tensor


def standard_gamma(concentration: Tensor) -> Tensor:
    """Gamma numbers of rate 1, with a gradient.

    Marsaglia and Tsang, "A simple method for generating gamma variables" (ACM TOMS 26, 2000), with a fixed number of
    tries, each accepted with a probability of at least 0.95. The gradient is that of the quantile at the number drawn:
    Figurnov, Mohamed and Mnih, "Implicit reparameterization gradients" (2018).
    """
    with no_grad():
        a = concentration.detach().cast(dtypes.float64)
        drawn = _drawn(a)
        slope = _slope(a, drawn) if concentration.requires_grad else None
    x = drawn.cast(concentration.dtype)
    return x if slope is None else x + slope.cast(x.dtype) * (concentration - concentration.detach())


def _drawn(a: Tensor) -> Tensor:
    shape = (TRIES, *a.shape)
    z = Tensor.randn(shape, dtype=a.dtype, device=a.device)
    u = Tensor.rand((TRIES + 1, *a.shape), dtype=a.dtype, device=a.device).clamp(min=2.0**-64)
    d = (a < 1).where(a + 1, a) - 1 / 3
    v = (z / (d * 9).sqrt() + 1) ** 3
    fits = (v > 0) & (u[1:].log() < z.square() / 2 + d - d * v + d * v.clamp(min=1e-300).log())
    first = fits.cast(dtypes.int64).argmax(0, keepdim=True)
    x = d * v.gather(0, first).squeeze(0)
    return (a < 1).where(x * u[0] ** (1 / a), x)  # a number of a + 1, brought down


def _slope(a: Tensor, x: Tensor) -> Tensor:
    """By how much the number grows with `a` where its cumulated probability stays."""
    step = a.clamp(min=1e-3) * 1e-5
    rise = ((a + step).igamma(x) - (a - step).igamma(x)) / (step * 2)
    density = ((a - 1) * x.log() - x - a.lgamma()).exp()
    slope = -rise / density
    return slope.nan_to_num(0, 0, 0)


class Gamma(Distribution):
    """Gamma of shape `concentration`, whose mean is concentration / `rate`.

    >>> Gamma(2.0, 4.0).mean
    tensor(0.5000)
    """

    has_rsample = True
    within: ClassVar[dict[str, str]] = {"concentration": "positive", "rate": "positive", "value": "not negative"}
    concentration: Tensor
    rate: Tensor

    def __init__(self, concentration: Number, rate: Number, validate_args: bool | None = None) -> None:
        super().__init__(validate_args, concentration=concentration, rate=rate)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """See `Distribution`."""
        return standard_gamma(self.concentration.expand(self._extended(sample_shape))) / self.rate

    def _log_prob(self, value: Tensor) -> Tensor:
        a, rate = self.concentration, self.rate
        return a.xlogy(rate) + (a - 1).xlogy(value) - rate * value - a.lgamma()

    def cdf(self, value: Tensor) -> Tensor:
        """See `Distribution`."""
        return self.concentration.igamma(self.rate * self._valued(value))

    def entropy(self) -> Tensor:
        """See `Distribution`."""
        a = self.concentration
        return a - self.rate.log() + a.lgamma() + (1 - a) * a.digamma()

    @property
    def mean(self) -> Tensor:
        """See `Distribution`."""
        return self.concentration / self.rate

    @property
    def mode(self) -> Tensor:
        """See `Distribution`."""
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Tensor:
        """See `Distribution`."""
        return self.concentration / self.rate.square()


class Chi2(Gamma):
    """The sum of `df` squares of standard normal numbers.

    >>> Chi2(3.0).mean
    tensor(3.)
    """

    def __init__(self, df: Number, validate_args: bool | None = None) -> None:
        super().__init__(as_float(df) / 2, 0.5, validate_args)

    def expand(self, batch_shape: Sequence[int]) -> Chi2:
        """See `Distribution`."""
        return Chi2(self.df.expand(batch_shape), self._validates)

    @property
    def df(self) -> Tensor:
        """How many squares."""
        return self.concentration * 2


class Dirichlet(Distribution):
    """Shares of 1 along the last dimension, of `concentration`.

    >>> Dirichlet(Tensor([1.0, 3.0])).mean
    tensor([0.2500, 0.7500])
    """

    has_rsample = True
    event_dims = 1
    within: ClassVar[dict[str, str]] = {"concentration": "positive", "value": "on the simplex"}
    concentration: Tensor

    def __init__(self, concentration: Tensor, validate_args: bool | None = None) -> None:
        if not isinstance(concentration, Tensor) or concentration.ndim < 1:
            fail(ShapeError, "Dirichlet: concentration is a tensor of one dimension at least")
        super().__init__(validate_args, concentration=concentration)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """See `Distribution`."""
        parts = standard_gamma(self.concentration.expand(self._extended(sample_shape)))
        return parts / parts.sum(-1, keepdim=True)

    def _log_prob(self, value: Tensor) -> Tensor:
        a = self.concentration
        return (a - 1).xlogy(value).sum(-1) + a.sum(-1).lgamma() - a.lgamma().sum(-1)

    def entropy(self) -> Tensor:
        """See `Distribution`."""
        a, total = self.concentration, self.concentration.sum(-1)
        scale = a.lgamma().sum(-1) - total.lgamma()
        return scale - (a.shape[-1] - total) * total.digamma() - ((a - 1) * a.digamma()).sum(-1)

    @property
    def mean(self) -> Tensor:
        """See `Distribution`."""
        return self.concentration / self.concentration.sum(-1, keepdim=True)

    @property
    def mode(self) -> Tensor:
        """See `Distribution`; the first of the corners, where the density grows towards all of them."""
        above = (self.concentration - 1).clamp(min=0)
        mode = above / above.sum(-1, keepdim=True)
        corner = Tensor.arange(self.event_shape[0], device=mode.device).eq(0).cast(mode.dtype)
        return (self.concentration < 1).all(-1, keepdim=True).where(corner, mode)

    @property
    def variance(self) -> Tensor:
        """See `Distribution`."""
        total = self.concentration.sum(-1, keepdim=True)
        return self.concentration * (total - self.concentration) / (total.square() * (total + 1))


class Beta(Distribution):
    """Shares of 1, as of two gamma numbers of shapes `concentration1` and `concentration0`.

    >>> Beta(1.0, 3.0).mean
    tensor(0.2500)
    """

    has_rsample = True
    within: ClassVar[dict[str, str]] = {
        "concentration1": "positive",
        "concentration0": "positive",
        "value": "in [0, 1]",
    }
    concentration1: Tensor
    concentration0: Tensor

    def __init__(self, concentration1: Number, concentration0: Number, validate_args: bool | None = None) -> None:
        super().__init__(validate_args, concentration1=concentration1, concentration0=concentration0)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """See `Distribution`."""
        shape = self._extended(sample_shape)
        one, other = (standard_gamma(c.expand(shape)) for c in (self.concentration1, self.concentration0))
        return one / (one + other)

    def _log_prob(self, value: Tensor) -> Tensor:
        a, b = self.concentration1, self.concentration0
        return (a - 1).xlogy(value) + (b - 1).xlogy(1 - value) - self._log_scale()

    def _log_scale(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        return a.lgamma() + b.lgamma() - (a + b).lgamma()

    def entropy(self) -> Tensor:
        """See `Distribution`."""
        a, b = self.concentration1, self.concentration0
        slopes = (a + b - 2) * (a + b).digamma() - (a - 1) * a.digamma() - (b - 1) * b.digamma()
        return self._log_scale() + slopes

    @property
    def mean(self) -> Tensor:
        """See `Distribution`."""
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def mode(self) -> Tensor:
        """See `Distribution`."""
        both = self.concentration1.stack(self.concentration0, dim=-1)
        return Dirichlet(both).mode[..., 0]

    @property
    def variance(self) -> Tensor:
        """See `Distribution`."""
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total.square() * (total + 1))


class StudentT(Distribution):
    """Student's t of `df` degrees of freedom, moved by `loc` and made wider by `scale`.

    >>> StudentT(1.0).log_prob(Tensor(0.0))
    tensor(-1.1447)
    """

    has_rsample = True
    within: ClassVar[dict[str, str]] = {"df": "positive", "loc": "real", "scale": "positive", "value": "real"}
    df: Tensor
    loc: Tensor
    scale: Tensor

    def __init__(self, df: Number, loc: Number = 0.0, scale: Number = 1.0, validate_args: bool | None = None) -> None:
        super().__init__(validate_args, df=df, loc=loc, scale=scale)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """See `Distribution`."""
        squares = standard_gamma((self.df / 2).expand(self._extended(sample_shape))) * 2
        return self.loc + self.scale * self._normal(sample_shape) * (squares / self.df).rsqrt()

    def _log_prob(self, value: Tensor) -> Tensor:
        df = self.df
        scale = self.scale.log() + df.log() / 2 + 0.5 * math.log(math.pi) + (df / 2).lgamma() - ((df + 1) / 2).lgamma()
        return -(df + 1) / 2 * (((value - self.loc) / self.scale).square() / df).log1p() - scale

    def entropy(self) -> Tensor:
        """See `Distribution`."""
        half, more = self.df / 2, (self.df + 1) / 2
        beta = half.lgamma() - more.lgamma() + 0.5 * math.log(math.pi)
        return self.scale.log() + more * (more.digamma() - half.digamma()) + self.df.log() / 2 + beta

    @property
    def mean(self) -> Tensor:
        """`loc`; nan where there is none."""
        return self.loc.masked_fill(self.df <= 1, math.nan)

    @property
    def mode(self) -> Tensor:
        """`loc`."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """See `Distribution`; inf or nan where there is none."""
        finite = self.scale.square() * self.df / (self.df - 2)
        return finite.masked_fill(self.df <= 2, math.inf).masked_fill(self.df <= 1, math.nan)
