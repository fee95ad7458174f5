"""Computing with NumPy on the host: what every factorization stands on, and which tensors can be factorized."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lazygrad.dtype import of_numpy
from lazygrad.engine.run import read, realize, upload
from lazygrad.engine.tracing import watch_here
from lazygrad.errors import DTypeError, LinAlgError, ShapeError
from lazygrad.index.expr import Expr
from lazygrad.ops.core import Core, fail
from lazygrad.ops.operands import not_a_tensor
from lazygrad.ops.products import Products

Array = NDArray[Any]
T = TypeVar("T", bound=Products)


def on_host(what: str, compute: Callable[..., Sequence[Array]], *given: Any) -> tuple[Any, ...]:
    """The arrays that `compute` makes of the elements of tensors, as tensors beside the first one.

    The tensors are realized at once; under `jit` that is a JitError. LinAlgError where LAPACK finds no answer.
    """
    first = given[0]
    check_floats(what, *given)
    if (watch := watch_here()) is not None:
        watch.refuse(f"{what} computes on the host, from values,")
    realize([x.node for x in given], first.device)
    arrays = [read(x.node, x.device) for x in given]
    try:
        with np.errstate(all="ignore"):
            results = compute(*arrays)
    except np.linalg.LinAlgError as error:
        fail(LinAlgError, f"{what}: {error}; shape {list(first.shape)}")
    return tuple(first._new(upload(r, of_numpy(r.dtype), first.device)) for r in map(np.asarray, results))


def svd_of(A: Array, full: bool) -> tuple[Array, Array, Array]:
    """NumPy's SVD, which may never end where there are infinities: of matrices that hold some all is nan, as in
    PyTorch. LinAlgError for nan."""
    infinite: Array = np.asarray(np.isinf(A).any((-2, -1), keepdims=True))
    if not infinite.any():
        U, S, Vh = np.linalg.svd(A, full)
        return U, S, Vh
    if np.isnan(A).any():
        raise np.linalg.LinAlgError("the matrix holds nan")
    U, S, Vh = np.linalg.svd(np.where(infinite, 0, A), full)
    nan = A.dtype.type(np.nan)
    return np.where(infinite, nan, U), np.where(infinite[..., 0], nan, S), np.where(infinite, nan, Vh)


def check_floats(what: str, *given: Any) -> None:
    """OperandError, DTypeError or ShapeError for what LAPACK cannot compute with: all are float32, or all float64."""
    for x in given:
        if not isinstance(x, Core):
            not_a_tensor(what, x)
        given[0]._same_device(what, x)
        if not x.dtype.is_float or x.dtype.is_half:
            fail(DTypeError, f"{what}: not defined for {x.dtype}; cast first, e.g. .float()")
        if x.dtype is not given[0].dtype:
            fail(DTypeError, f"{what}: dtypes {given[0].dtype} and {x.dtype} differ; cast one of them first")
        if any(isinstance(n, Expr) for n in x.shape):
            fail(ShapeError, f"{what}: shape {list(x.shape)} must be known; it has variables")


def check_matrices(what: str, *given: Any, square: bool = False) -> None:
    """`check_floats`; ShapeError for what is no batch of matrices, or of `square` ones."""
    check_floats(what, *given)
    for x in given:
        if x.ndim < 2:
            fail(ShapeError, f"{what}: needs matrices, (..., m, n), not shape {list(x.shape)}")
        if square and x.shape[-1] != x.shape[-2]:
            fail(ShapeError, f"{what}: needs square matrices, (..., n, n), not shape {list(x.shape)}")


def eye_like(A: T, n: int | None = None) -> T:
    """The unit matrix of `n` rows (those of `A`), of the dtype and on the device of `A`."""
    size = int(A.shape[-2]) if n is None else n
    return A._new(upload(np.eye(size, dtype=A.dtype.storage), A.dtype, A.device))


def each_matrix(compute: Callable[[Array], tuple[Array, int]], A: Array) -> tuple[Array, Array]:
    """`compute` of every matrix of a batch: its results, and its numbers as int32."""
    flat = A.reshape(-1, *A.shape[-2:])
    done = [compute(a) for a in flat]
    result = np.stack([r for r, _ in done]) if done else flat
    numbers = np.array([k for _, k in done], np.int32)
    return result.reshape(*A.shape[:-2], *result.shape[1:]), numbers.reshape(A.shape[:-2])
