"""Parametrizations that are there: weights of a norm of their own, of spectral norm 1, and orthogonal ones."""

from __future__ import annotations

from typing import Any, TypeVar

from lazygrad.errors import ArgumentError, BoundsError, ShapeError, fail
from lazygrad.linear_algebra.host import eye_like
from lazygrad.linear_algebra.older import geqrf
from lazygrad.linear_algebra.powers import householder_product, matrix_exp
from lazygrad.linear_algebra.solving import solve
from lazygrad.nn.module import Module
from lazygrad.nn.transposed import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from lazygrad.nn.utils.parametrize import register_parametrization
from lazygrad.ops.joining import cat
from lazygrad.ops.mode import no_grad
from lazygrad.ops.types_of import finfo
from lazygrad.tensor import Tensor

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]

M = TypeVar("M", bound=Module)
MAPS = ("matrix_exp", "cayley", "householder")


def norm_except(v: Tensor, dim: int) -> Tensor:
    """The norm over all dimensions but `dim`, which stay with size 1; for -1 that of the whole tensor, a scalar.

    >>> norm_except(Tensor([[3.0, 4.0], [0.0, 1.0]]), 0).tolist()
    [[5.0], [1.0]]
    """
    others = [d for d in range(v.ndim) if d != dim]
    return v.norm() if dim == -1 else v.norm(2, others, keepdim=True) if others else v.abs()


class _WeightNorm(Module):
    def __init__(self, dim: int | None) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_v * (weight_g / norm_except(weight_v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except(weight, self.dim), weight


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """Make a weight `original0 * original1 / |original1|`: its norm and its direction are trained apart.

    `dim`: the dimension whose every slice has a norm of its own; None for one norm of the whole weight.
    (T. Salimans and D. Kingma, "Weight Normalization", 2016.)

    >>> layer = weight_norm(nn.Linear(20, 40))
    >>> layer.parametrizations.weight.original0.shape, layer.parametrizations.weight.original1.shape
    ((40, 1), (40, 20))
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def of_older(
        module: Any, state: dict[str, Any], prefix: str, metadata: Any, strict: bool, missing: Any, unexpected: Any,
        errors: Any,
    ) -> None:  # fmt: skip
        """Take the names of the older `nn.utils.weight_norm`."""
        old = [f"{prefix}{name}_g", f"{prefix}{name}_v"]
        if all(key in state for key in old):
            for k, key in enumerate(old):
                state[f"{prefix}parametrizations.{name}.original{k}"] = state.pop(key)

    module.register_load_state_dict_pre_hook(of_older)
    return module


class _SpectralNorm(Module):
    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int, dim: int, eps: float) -> None:
        super().__init__()
        if not -weight.ndim <= dim < weight.ndim:
            fail(BoundsError, f"spectral_norm: dim={dim} of a weight of shape {list(weight.shape)}")
        if n_power_iterations <= 0:
            fail(ArgumentError, f"spectral_norm: n_power_iterations={n_power_iterations}; at least one is needed")
        self.dim, self.eps, self.n_power_iterations = dim % weight.ndim, eps, n_power_iterations
        if weight.ndim > 1:
            with no_grad():
                matrix = as_matrix(weight.detach(), self.dim)
                for name, size in zip(("_u", "_v"), matrix.shape):
                    start = Tensor.randn(size, dtype=weight.dtype, device=weight.device).normalize(dim=0, eps=eps)
                    self.register_buffer(name, start)
                self._iterate(matrix, 15)

    def _iterate(self, matrix: Tensor, times: int) -> None:
        """Come closer to the singular vectors of the largest singular value."""
        with no_grad():
            u, v = self._u, self._v
            for _ in range(times):
                u = matrix.mv(v).normalize(dim=0, eps=self.eps)
                v = matrix.mT.mv(u).normalize(dim=0, eps=self.eps)
            self._u.assign(u)
            self._v.assign(v)

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return weight.normalize(dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._iterate(matrix.detach(), self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()  # the next iteration writes over them
        return weight / u.dot(matrix.mv(v))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """A weight as a matrix whose rows are the slices of `dim`.

    >>> as_matrix(Tensor.zeros(2, 3, 4), 1).shape
    (3, 8)
    """
    return weight.movedim(dim, 0).flatten(1)


def outputs_of(module: Module, dim: int | None) -> int:
    """The dimension of a weight that numbers outputs, unless `dim` says it."""
    if dim is not None:
        return dim
    return 1 if isinstance(module, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)) else 0


def spectral_norm(
    module: M, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> M:
    """Divide a weight by its largest singular value, found by power iterations that go on at every reading in training.

    Args:
        n_power_iterations: how many at each reading; it starts with 15.
        eps: what norms of vectors are at least.
        dim: the dimension that numbers outputs; 0, and 1 in transposed convolutions. The others are taken as one.

    A vector is divided by its norm. (T. Miyato et al., "Spectral Normalization for Generative Adversarial Networks",
    2018.)

    >>> layer = spectral_norm(nn.Linear(20, 40))
    >>> abs(float(linalg.matrix_norm(layer.weight, 2)) - 1) < 0.2
    True
    """
    weight = _weight_of("spectral_norm", module, name)
    how = _SpectralNorm(weight, n_power_iterations, outputs_of(module, dim), eps)
    return register_parametrization(module, name, how)


class _Orthogonal(Module):
    base: Tensor

    def __init__(self, weight: Tensor, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        self.shape, self.orthogonal_map, self.use_trivialization = weight.shape, orthogonal_map, use_trivialization

    def forward(self, X: Tensor) -> Tensor:
        wide = int(X.shape[-2]) < int(X.shape[-1])
        X = X.mT if wide else X
        k = X.shape[-1]
        if self.orthogonal_map == "householder":
            A = X.tril(-1)
            Q = householder_product(A, 2 / (1 + A.square().sum(-2)))
            Q = Q * X.diagonal(dim1=-2, dim2=-1).trunc().detach().unsqueeze(-2)
        else:
            Q = self._of_skew(X)[..., :k]
        Q = self.base @ Q if self.use_trivialization else Q
        return Q.mT if wide else Q

    def _of_skew(self, X: Tensor) -> Tensor:
        """The exponential or Cayley's map of the antisymmetric matrix that a tall one names."""
        X = X.tril()
        X = X.pad((0, int(X.shape[-2]) - int(X.shape[-1])))
        A = X - X.mT
        if self.orthogonal_map == "matrix_exp":
            return matrix_exp(A)
        one = eye_like(A)
        return solve(one - A / 2, one + A / 2)

    def right_inverse(self, Q: Tensor) -> Tensor:
        if Q.shape != self.shape:
            fail(ShapeError, f"orthogonal: a matrix of shape {list(Q.shape)} for one of {list(self.shape)}")
        wide = int(Q.shape[-2]) < int(Q.shape[-1])
        tall = Q.mT if wide else Q
        n, k = int(tall.shape[-2]), int(tall.shape[-1])
        if not self.use_trivialization:
            return _reflections_of(tall, wide, self.orthogonal_map)
        more = Tensor.randn(*tall.shape[:-2], n, n - k, dtype=Q.dtype, device=Q.device)
        whole = cat([tall, more], -1) if n > k else tall
        base = whole.clone() if n == k and _is_orthogonal(whole) else _orthogonalized(whole)
        if hasattr(self, "base"):
            self.base.assign(base)
        else:
            self.register_buffer("base", base)
        return -eye_like(Q, min(n, k)).pad((0, n - k) if wide else (0, 0, 0, n - k)).expand(Q.shape)


def _reflections_of(tall: Tensor, wide: bool, orthogonal_map: str) -> Tensor:
    """The reflections whose product is an orthogonal matrix, and on their diagonal the signs of its columns."""
    if orthogonal_map != "householder":
        raise NotImplementedError(f"orthogonal: {orthogonal_map} without trivialization cannot be set")
    A, tau = geqrf(tall)
    signs = A.diagonal(dim1=-2, dim2=-1).sign() * (1 - 2 * tau.eq(0))
    one = eye_like(A, int(A.shape[-1])).pad((0, 0, 0, int(A.shape[-2]) - int(A.shape[-1])))
    A = A.tril(-1) + A.triu(1) + signs.unsqueeze(-2) * one
    return A.mT if wide else A  # type: ignore[no-any-return]


def _is_orthogonal(Q: Tensor) -> bool:
    product = Q.mT @ Q
    return product.allclose(eye_like(product).expand(product.shape), atol=10 * int(Q.shape[-2]) * finfo(Q.dtype).eps)


def _orthogonalized(A: Tensor) -> Tensor:
    """Q of A = Q R, the diagonal of R not negative."""
    reflected, tau = geqrf(A)
    Q: Tensor = householder_product(reflected, tau) * reflected.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)
    return Q


def orthogonal(
    module: M, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> M:
    """Keep a weight (..., m, n) orthogonal: its columns orthonormal, or its rows where m < n.

    Args:
        orthogonal_map: how it is made of the original: "matrix_exp" or "cayley" of an antisymmetric matrix, or a
            product of "householder" reflections; None for "matrix_exp" where m = n, else "householder".
        use_trivialization: whether what is trained is a change of a fixed matrix `base`, a buffer, which starts as the
            weight made orthogonal. (M. Lezcano Casado, "Trivializations for Gradient-Based Optimization on Manifolds",
            2019.)

    >>> layer = orthogonal(nn.Linear(20, 40))
    >>> (layer.weight.T @ layer.weight).allclose(Tensor.eye(20), atol=1e-5)
    True
    """
    weight = _weight_of("orthogonal", module, name)
    if weight.ndim < 2:
        fail(ShapeError, f"orthogonal: a weight of shape {list(weight.shape)} is no matrix")
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.shape[-2] == weight.shape[-1] else "householder"
    if orthogonal_map not in MAPS:
        fail(ArgumentError, f"orthogonal: orthogonal_map is one of {', '.join(MAPS)}, not {orthogonal_map!r}")
    how = _Orthogonal(weight, orthogonal_map, use_trivialization)
    return register_parametrization(module, name, how, unsafe=True)


def _weight_of(what: str, module: Module, name: str) -> Tensor:
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        fail(ArgumentError, f"{what}: {type(module).__name__} has no parameter or buffer {name!r}")
    return weight
