"""How vectors lie to each other: distances, similarities, covariances, and norms that are limited."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lazygrad.dtype import dtypes
from lazygrad.engine.tracing import watch_here
from lazygrad.errors import ArgumentError, DTypeError, ShapeError
from lazygrad.ops.broadcast import broadcast_shape
from lazygrad.ops.core import Core, fail
from lazygrad.ops.host_values import mask_values
from lazygrad.ops.joining import Joining
from lazygrad.ops.matmul import Matmul
from lazygrad.ops.promotion import together
from lazygrad.ops.statistics import Statistics

if TYPE_CHECKING:
    from typing_extensions import Self

_MODES = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")


class Relations(Statistics, Matmul, Joining):
    """Distances, similarities, covariances."""

    __slots__ = ()

    def dist(self, other: Core, p: float = 2) -> Self:
        """The `norm` of order `p` of all of self - other, which broadcast.

        >>> Tensor([1.0, 2.0]).dist(Tensor([4.0, 6.0])).item()
        5.0
        """
        return (self - self._beside(other)).norm(p)

    def cdist(self, x2: Core, p: float = 2.0, compute_mode: str | None = _MODES[0]) -> Self:
        """Distances of order `p` of every row of (..., P, M) from every row of (..., R, M): (..., P, R).

        They are exact in each of PyTorch's compute modes: a difference is taken before it is squared. ShapeError for
        rows of different lengths, ArgumentError for a negative order.

        >>> Tensor([[0.0, 0.0], [3.0, 4.0]]).cdist(Tensor([[0.0, 0.0]])).tolist()
        [[0.0], [5.0]]
        """
        other = self._beside(x2)
        if self.ndim < 2 or other.ndim < 2 or self.shape[-1] != other.shape[-1]:
            fail(ShapeError, f"cdist: rows of {list(self.shape)} and {list(other.shape)} are not of one length")
        if compute_mode not in (None, *_MODES):
            fail(ArgumentError, f"cdist: compute_mode {compute_mode!r} is none of {', '.join(_MODES)}")
        self._need_order("cdist", p)
        self._need_float("cdist")
        broadcast_shape("cdist", self.shape[:-2], other.shape[:-2])
        distance = self.unsqueeze(-2) - other.unsqueeze(-3)
        return distance._length(p)

    def _need_order(self, what: str, p: float) -> None:
        if not p >= 0:
            fail(ArgumentError, f"{what}: distances of order {p}; it is 0 or more")

    def _length(self, p: float) -> Self:
        """The norm of order `p` of the last dimension; 0 where that is empty. Nan is no element that differs from 0."""
        if self.shape[-1] == 0:
            return self.sum(-1)
        if p == 0:
            return self.isnan()._choose(self.detach(), self.ne(0).cast(self.dtype)).sum(-1)
        return self.norm(p, -1)

    def pdist(self, p: float = 2) -> Self:
        """Distances of order `p` of every two rows of a matrix (N, M), as a vector: rows 0 and 1, 0 and 2, ...

        >>> Tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]).pdist()
        tensor([5.0000, 1.0000, 4.2426])
        """
        if self.ndim != 2:
            fail(ShapeError, f"pdist: the rows of a matrix, not of shape {list(self.shape)}")
        self._need_order("pdist", p)
        first, second = np.triu_indices(self._known("pdist", 0), 1)
        return (self[first] - self[second])._length(p)

    def pairwise_distance(self, x2: Core, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Self:
        """The norm of order `p` of self - x2 + eps along the last dimension; both broadcast.

        >>> Tensor([[3.0, 4.0]]).pairwise_distance(Tensor([[0.0, 0.0]]), eps=0.0).tolist()
        [5.0]
        """
        return (self - self._beside(x2) + eps).norm(p, -1, keepdim)

    def cosine_similarity(self, x2: Core, dim: int = 1, eps: float = 1e-8) -> Self:
        """The cosine of the angle between vectors along `dim`: the sum of products of both, each divided by its length,
        which counts as `eps` at least. They broadcast.

        >>> Tensor([[3.0, 4.0]]).cosine_similarity(Tensor([[0.0, 2.0]]))
        tensor([0.8000])
        """
        x, y = together("cosine_similarity", self, x2)
        x._need_float("cosine_similarity")
        wide = [v.cast(dtypes.float32) if v.dtype.is_half else v for v in (x, y)]
        unit = [v / v.norm(2, dim, keepdim=True)._lifted(eps) for v in wide]
        return (unit[0] * unit[1]).sum(dim).cast(x.dtype)

    def _lifted(self, least: float) -> Self:
        """`least` where this is less, with a gradient as if it were not."""
        low = self.detach() < least
        return low._choose(self - self.detach() + least, self)

    def renorm(self, p: float, dim: int, maxnorm: float) -> Self:
        """Every slice of `dim` whose norm of order `p` is more than `maxnorm` scaled down to that.

        >>> Tensor([[3.0, 4.0], [0.3, 0.4]]).renorm(2, 0, 1.0)
        tensor([[0.6000, 0.8000],
                [0.3000, 0.4000]])
        """
        axis = self._axis(dim)
        if not p > 0 or not maxnorm >= 0 or self.ndim < 2:
            fail(
                ArgumentError, f"renorm: order {p} and maxnorm {maxnorm} of shape {list(self.shape)}: order > 0, 2 dims"
            )
        others = [i for i in range(self.ndim) if i != axis]
        norm = self.norm(p, others, keepdim=True)
        long = norm > maxnorm
        if self._requires:  # the norm of a slice that stays as it is has no gradient, not even 0 times nan
            norm = long._choose(self, self.detach()).norm(p, others, keepdim=True)
        return self * long._choose(long._choose(norm + _NO_ZERO, 1.0).reciprocal() * maxnorm, 1.0)

    def cov(self, *, correction: int = 1, fweights: Core | None = None, aweights: Core | None = None) -> Self:
        """The covariances of the rows of a matrix, whose columns are observations: (rows, rows), or one number for a
        vector. `fweights`: how often each observation was made (integers); `aweights`: how much it counts.

        >>> Tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]).cov().tolist()
        [[1.0, -1.0], [-1.0, 1.0]]
        """
        if self.ndim > 2 or self.dtype.is_bool:
            fail(ShapeError, f"cov: takes a matrix or a vector of numbers, not {self.dtype}{list(self.shape)}")
        x = self if self.dtype.is_float else self.cast(dtypes.float32)
        x = x.reshape(1, -1) if self.ndim < 2 else x
        n = x._known("cov", 1)
        weights = self._observations(n, fweights, aweights)
        if weights is None:
            distance = x - x.mean(1, keepdim=True)
            result = distance.matmul(distance.t()) / max(n - correction, 0)
        else:
            total = weights.sum()
            less = (weights * self._beside(aweights)).sum() / total if aweights is not None else total / total
            distance = x - (x * weights).sum(1, keepdim=True) / total
            count = (total - less * correction).clamp(min=0)
            result = distance.matmul((distance * weights).t()) / count
        return result.reshape(()) if self.ndim < 2 or x.shape[0] == 1 else result

    def _observations(self, n: int, fweights: Core | None, aweights: Core | None) -> Self | None:
        """The weight of each of `n` observations."""
        for what, w in (("fweights", fweights), ("aweights", aweights)):
            if w is None:
                continue
            self._same_device("cov", w)
            if w.shape not in ((n,), ()) or (n != 1 and not w.ndim):
                fail(ShapeError, f"cov: {what} of shape {list(w.shape)} for {n} observations")
            if w.dtype.is_float is (what == "fweights"):
                fail(DTypeError, f"cov: {what} are {w.dtype}; fweights are integers, and aweights floats")
            if watch_here() is None and mask_values(w.lt(0)).any():  # type: ignore[attr-defined]
                fail(ArgumentError, f"cov: some {what} are negative")
        both = [self._beside(w) for w in (fweights, aweights) if w is not None]
        return None if not both else both[0] if len(both) == 1 else both[0] * both[1]

    def corrcoef(self) -> Self:
        """The correlations of the rows of a matrix, `cov` scaled by both standard deviations, between -1 and 1.

        >>> Tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]).corrcoef()
        tensor([[ 1., -1.],
                [-1.,  1.]])
        """
        covariance = self.cov()
        if not covariance.ndim:
            return covariance / covariance
        deviation = covariance.diagonal().sqrt()
        return (covariance / deviation.unsqueeze(1) / deviation.unsqueeze(0)).clamp(-1, 1)


_NO_ZERO = 1e-7  # what PyTorch adds to a norm that it divides by
