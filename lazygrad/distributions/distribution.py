"""What probability distributions share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from lazygrad.dtype import get_default_dtype
from lazygrad.errors import ArgumentError, ModeError, fail
from lazygrad.functions.shapes import broadcast_tensors
from lazygrad.ops.mode import no_grad
from lazygrad.tensor import Tensor

if TYPE_CHECKING:
    from typing_extensions import Self

Number = Any  # a tensor, or a number


class Distribution:
    """Base of the distributions: independent ones of shape `batch_shape`, whose samples have shape `event_shape` each.

    Parameters are tensors or numbers, which broadcast; gradients reach them through `log_prob`, `entropy`, the moments
    and, where `has_rsample` says so, samples of `rsample`. With `validate_args=True` parameters and values are looked
    at, for which they are computed; else what is outside gives nan or what the formula gives.

    ArgumentError (a ValueError) for parameters or values outside, if asked for.
    """

    has_rsample: ClassVar[bool] = False
    names: ClassVar[tuple[str, ...]] = ()  # of parameters that are attributes, as the class takes them
    event_dims: ClassVar[int] = 0  # of the parameters' last dimensions
    within: ClassVar[dict[str, str]] = {}  # parameter, or "value" -> what each number is: "positive", ...

    def __init__(self, validate_args: bool | None = None, **given: Number) -> None:
        self._validates = bool(validate_args)
        for name, value in zip(given, broadcast(*given.values())):
            setattr(self, name, value)
            self._look(name, value)
        self._given = {name: getattr(self, name) for name in given}
        shape = tuple(next(iter(self._given.values())).shape)
        cut = len(shape) - self.event_dims
        self._batch_shape, self._event_shape = shape[:cut], shape[cut:]

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The shape of the distributions beside each other."""
        return self._batch_shape

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of one sample of one of them."""
        return self._event_shape

    # ---- samples ----

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Samples of shape (*sample_shape, *batch_shape, *event_shape), without gradients."""
        with no_grad():
            return self.rsample(sample_shape).detach()

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """The same, through which gradients reach the parameters. ModeError where there is no such way."""
        return fail(ModeError, f"{type(self).__name__}: samples have no gradient; use sample() and log_prob()")

    def sample_n(self, n: int) -> Tensor:
        """`sample((n,))`."""
        return self.sample((n,))

    def _extended(self, sample_shape: Sequence[int]) -> tuple[int, ...]:
        return (*sample_shape, *self.batch_shape, *self.event_shape)

    def _uniform(self, sample_shape: Sequence[int]) -> Tensor:
        """Uniform numbers above 0 and below 1, one for each sample."""
        like = self._any
        u = Tensor.rand(self._extended(sample_shape), dtype=like.dtype, device=like.device)
        return u.clamp(*edges(u))

    def _normal(self, sample_shape: Sequence[int]) -> Tensor:
        return Tensor.randn(self._extended(sample_shape), dtype=self._any.dtype, device=self._any.device)

    @property
    def _any(self) -> Tensor:
        found: Tensor = next(iter(self._given.values()))
        return found

    # ---- densities ----

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density, or probability, at `value`: of shape (..., *batch_shape)."""
        return self._log_prob(self._valued(value))

    def _log_prob(self, value: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no log_prob")

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of at most `value`."""
        raise NotImplementedError(f"{type(self).__name__} has no cdf")

    def icdf(self, value: Tensor) -> Tensor:
        """Where `cdf` is `value`."""
        raise NotImplementedError(f"{type(self).__name__} has no icdf")

    def entropy(self) -> Tensor:
        """The entropy in nats, of shape batch_shape."""
        raise NotImplementedError(f"{type(self).__name__} has no entropy")

    def perplexity(self) -> Tensor:
        """The exponential of the entropy."""
        return self.entropy().exp()

    @property
    def mean(self) -> Tensor:
        """The mean."""
        raise NotImplementedError(f"{type(self).__name__} has no mean")

    @property
    def mode(self) -> Tensor:
        """Where the density is largest."""
        raise NotImplementedError(f"{type(self).__name__} has no mode")

    @property
    def variance(self) -> Tensor:
        """The variance."""
        raise NotImplementedError(f"{type(self).__name__} has no variance")

    @property
    def stddev(self) -> Tensor:
        """The standard deviation."""
        return self.variance.sqrt()

    # ---- others ----

    def expand(self, batch_shape: Sequence[int]) -> Self:
        """This distribution with its parameters repeated to a larger `batch_shape`."""
        shape = (*batch_shape, *self.event_shape)
        grown = {name: value.expand(shape) for name, value in self._given.items()}
        return type(self)(**grown, validate_args=self._validates)

    def __repr__(self) -> str:
        parts = (f"{n}: {v.item() if not v.shape else list(v.shape)}" for n, v in self._given.items())
        return f"{type(self).__name__}({', '.join(parts)})"

    def _valued(self, value: Number) -> Tensor:
        tensor = as_float(value, self._any)
        self._look("value", tensor)
        return tensor

    def _look(self, name: str, value: Tensor) -> None:
        kind = self.within.get(name)
        if self._validates and kind is not None and not bool(KINDS[kind](value).all().item()):
            fail(ArgumentError, f"{type(self).__name__}: {name} is to be {kind} everywhere")


KINDS: dict[str, Any] = {
    "real": lambda x: x.eq(x),
    "positive": lambda x: x > 0,
    "not negative": lambda x: x >= 0,
    "in [0, 1]": lambda x: (x >= 0) & (x <= 1),
    "0 or 1": lambda x: x.eq(0) | x.eq(1),
    "a whole number from 0 on": lambda x: (x >= 0) & x.eq(x.floor()),
    "on the simplex": lambda x: (x >= 0).all(-1) & ((x.sum(-1) - 1).abs() < 1e-6),
    "a sum above 0 of numbers from 0 on": lambda x: (x >= 0).all(-1) & (x.sum(-1) > 0),
    "one 1 and else 0": lambda x: (x.eq(0) | x.eq(1)).all(-1) & x.sum(-1).eq(1),
}


def as_float(value: Number, like: Tensor | None = None) -> Tensor:
    """A tensor of floats: numbers in the dtype of `like` and on its device, integers in the default dtype."""
    if isinstance(value, Tensor):
        return value if value.dtype.is_float else value.cast(get_default_dtype() if like is None else like.dtype)
    return Tensor.tensor(
        value, dtype=get_default_dtype() if like is None else like.dtype, device=None if like is None else like.device
    )


def broadcast(*values: Number) -> Sequence[Tensor]:
    """Tensors and numbers as tensors of one shape; numbers follow the first tensor."""
    like = next((as_float(v) for v in values if isinstance(v, Tensor)), None)
    return broadcast_tensors(*(as_float(v, like) for v in values))


def edges(x: Tensor) -> tuple[float, float]:
    """The smallest and the largest number between 0 and 1 that 1 - x does not round to 1 or 0, in this dtype."""
    eps = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10}.get(x.dtype.name, 2.0**-7)
    return eps, 1 - eps
