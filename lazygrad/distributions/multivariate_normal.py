"""Normal vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lazygrad.distributions.distribution import Distribution
from lazygrad.errors import ArgumentError, ShapeError, fail
from lazygrad.functions.shapes import broadcast_shapes
from lazygrad.linalg import cholesky, inv, solve_triangular
from lazygrad.tensor import Tensor

if TYPE_CHECKING:
    from typing_extensions import Self


class MultivariateNormal(Distribution):
    """Normal vectors of mean `loc` (..., d) and one of: their covariance, its inverse (the precision), or its lower
    triangular Cholesky factor, (..., d, d). ArgumentError for none or several of them.

    >>> MultivariateNormal(Tensor.zeros(2), Tensor.eye(2)).log_prob(Tensor([0.0, 0.0]))
    tensor(-1.8379)
    """

    has_rsample = True
    event_dims = 1
    loc: Tensor

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        matrices = [m for m in (covariance_matrix, precision_matrix, scale_tril) if m is not None]
        if len(matrices) != 1:
            fail(ArgumentError, "MultivariateNormal: give one of covariance_matrix, precision_matrix and scale_tril")
        if loc.ndim < 1 or matrices[0].ndim < 2:
            fail(ShapeError, "MultivariateNormal: loc is (..., d), and the matrix (..., d, d)")
        batch = broadcast_shapes(loc.shape[:-1], matrices[0].shape[:-2])
        super().__init__(validate_args, loc=loc.expand(*batch, loc.shape[-1]))
        matrix = matrices[0].expand(*batch, *matrices[0].shape[-2:])
        self.scale_tril = (
            matrix if scale_tril is not None else cholesky(inv(matrix) if covariance_matrix is None else matrix)
        )

    def expand(self, batch_shape: Sequence[int]) -> Self:
        """See `Distribution`."""
        d = self.event_shape[0]
        scale = self.scale_tril.expand(*batch_shape, d, d)
        return type(self)(self.loc.expand(*batch_shape, d), scale_tril=scale, validate_args=self._validates)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """See `Distribution`."""
        return self.loc + (self.scale_tril @ self._normal(sample_shape).unsqueeze(-1)).squeeze(-1)

    def _log_prob(self, value: Tensor) -> Tensor:
        away = (value - self.loc).unsqueeze(-1)
        scale = self.scale_tril.expand(*away.shape[:-2], *self.scale_tril.shape[-2:])
        squares = solve_triangular(scale, away, upper=False).square().sum((-2, -1))
        return -(squares + self.event_shape[0] * math.log(2 * math.pi)) / 2 - self._half_log_det()

    def _half_log_det(self) -> Tensor:
        return self.scale_tril.diagonal(0, -2, -1).log().sum(-1)

    def entropy(self) -> Tensor:
        """See `Distribution`."""
        return self._half_log_det() + self.event_shape[0] * (1 + math.log(2 * math.pi)) / 2

    @property
    def covariance_matrix(self) -> Tensor:
        """The covariance."""
        return self.scale_tril @ self.scale_tril.mT

    @property
    def precision_matrix(self) -> Tensor:
        """Its inverse."""
        return inv(self.covariance_matrix)

    @property
    def mean(self) -> Tensor:
        """`loc`."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """`loc`."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """The covariance's diagonal."""
        return self.scale_tril.square().sum(-1)
