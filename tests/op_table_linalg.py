"""Rows of linear algebra. Factors are compared where they are determined, so of eigenvectors and singular vectors only
sizes are; a symmetric or positive definite matrix is made of any by a product.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import lazygrad
from lazygrad import Tensor, linalg
from lazygrad.errors import ArgumentError, DTypeError, LinAlgError, OperandError, ShapeError
from tests.op_row import FLOATS, In, Row

_SQUARE, _TALL, _WIDE, _BATCH = In((4, 4)), In((5, 3)), In((3, 5)), In((2, 3, 3))
_WIDTH = (*FLOATS[:2],)
_ONES = Tensor.ones
_Call = Callable[[Any, Any], Any]


def _both(name: str, call: _Call, *inputs: In, reference: Any = None, **options: Any) -> Row:
    """A row that is the same call in `lazygrad` and in `torch`; `call` gets the module and the tensors."""
    return Row(
        f"linalg_{name}",
        lambda *xs: call(lazygrad, *xs),
        reference,
        inputs or (_SQUARE,),
        _WIDTH,
        torch=lambda *xs: call(torch, *xs),
        **options,
    )


def _positive(x: Any) -> Any:
    return x @ x.mT + 2 * x.shape[-1] * (x * 0 + 1).tril().triu()


def _regular(x: Any) -> Any:
    return x + 4 * (x * 0 + 1).tril().triu()


FACTORS = [
    _both("cholesky", lambda m, x: m.linalg.cholesky(_positive(x)), _BATCH),
    _both("cholesky_upper", lambda m, x: m.linalg.cholesky(_positive(x), upper=True)),
    _both(
        "cholesky_solve",
        lambda m, b, x: m.cholesky_solve(b, m.linalg.cholesky(_positive(x))),
        In((4, 2)),
        _SQUARE,
    ),
    _both("cholesky_inverse", lambda m, x: m.cholesky_inverse(m.linalg.cholesky(_positive(x)))),
    _both("lu", lambda m, x: m.linalg.lu(x)[1] @ m.linalg.lu(x)[2].square(), _BATCH),
    _both("lu_tall", lambda m, x: m.linalg.lu(x).L, _TALL),
    _both("lu_wide", lambda m, x: m.linalg.lu(x).U, _WIDE),
    _both("lu_factor", lambda m, x: m.linalg.lu_factor(x)[0], _WIDE),
    _both("lu_solve", lambda m, x, b: m.linalg.lu_solve(*m.linalg.lu_factor(_regular(x)), b), _BATCH, In((2, 3, 2))),
    _both("qr_of_tall", lambda m, x: m.linalg.qr(x).Q * m.linalg.qr(x).R.sum(), _TALL),
    _both("qr_of_wide", lambda m, x: m.linalg.qr(x).R, In((2, 3, 5))),
    _both("eigvalsh", lambda m, x: m.linalg.eigvalsh(x + x.mT), _BATCH),
    _both("eigh", lambda m, x: m.linalg.eigh(x + x.mT).eigenvectors.abs(), _BATCH),
    _both("svdvals", lambda m, x: m.linalg.svdvals(x), In((2, 3, 5))),
    _both("svd_of_tall", lambda m, x: m.linalg.svd(x, full_matrices=False).U.abs(), _TALL),
    _both("svd_of_wide", lambda m, x: m.linalg.svd(x, full_matrices=False).Vh.abs(), _WIDE),
    _both("householder", lambda m, x, t: m.linalg.householder_product(x, t), _TALL, In((3,))),
]

SOLUTIONS = [
    _both(
        "solve",
        lambda m, a, b: m.linalg.solve(_regular(a), b),
        _BATCH,
        In((3, 2)),
        errors=(
            (lambda: linalg.solve(_ONES(2, 2), _ONES(2)), LinAlgError, "pivot 2 is zero"),
            (lambda: linalg.solve(_ONES(2, 3), _ONES(2)), ShapeError, "square"),
            (lambda: linalg.solve(_ONES(2, 2), _ONES(3)), ShapeError, "do not fit"),
            (lambda: linalg.solve(_ONES(2, 2).half(), _ONES(2).half()), DTypeError, "float16"),
            (lambda: linalg.solve(_ONES(2, 2), np.ones(2)), OperandError, "solve takes"),  # type: ignore[type-var]
        ),
    ),
    _both("solve_right", lambda m, a, b: m.linalg.solve(_regular(a), b, left=False), _SQUARE, In((2, 4))),
    _both("solve_vector", lambda m, a, b: m.linalg.solve(_regular(a), b), _SQUARE, In((4,))),
    *(
        _both(
            f"solve_triangular_upper={upper}_unit={unit}",
            lambda m, a, b, u=upper, n=unit: m.linalg.solve_triangular(_regular(a), b, upper=u, unitriangular=n),
            _SQUARE,
            In((4, 2)),
        )
        for upper in (False, True)
        for unit in (False, True)
    ),
    _both(
        "inv",
        lambda m, x: m.linalg.inv(_regular(x)),
        _BATCH,
        errors=(
            (lambda: linalg.inv(_ONES(2, 2)), LinAlgError, "singular"),
            (lambda: linalg.inv(_ONES(2)), ShapeError, "needs matrices"),
        ),
    ),
    _both("det", lambda m, x: m.linalg.det(x), _BATCH, reference=np.linalg.det),
    _both("det_of_singular", lambda m, x, y: m.linalg.det(x @ y), In((3, 2)), In((2, 3))),
    _both("slogdet", lambda m, x: m.linalg.slogdet(x).logabsdet, _BATCH),
    _both("logdet", lambda m, x: m.logdet(_positive(x)), _BATCH),
    _both("pinv", lambda m, x: m.linalg.pinv(x), In((2, 5, 3)), reference=np.linalg.pinv),
    _both("pinv_of_lower_rank", lambda m, x, y: m.linalg.pinv(x @ y), In((5, 2)), In((2, 4))),
    _both(
        "lstsq",
        lambda m, a, b: m.linalg.lstsq(a, b).solution,
        _TALL,
        In((5, 2)),
        errors=((lambda: linalg.lstsq(_ONES(3, 2), _ONES(3, 2), driver="gel"), ArgumentError, "gelsy"),),
    ),
    _both(
        "cholesky_errors",
        lambda m, x: m.linalg.cholesky(_positive(x)),
        errors=(
            (lambda: linalg.cholesky(-_ONES(2, 2)), LinAlgError, "leading part of order 1"),
            (lambda: linalg.cholesky(Tensor([[1, 2], [2, 1]])), DTypeError, "int64"),
            (lambda: linalg.qr(_ONES(2, 2), mode="full"), ArgumentError, "'full'"),
            (lambda: linalg.eigh(_ONES(2, 2), UPLO="X"), ArgumentError, "'X'"),
            (lambda: linalg.eig(Tensor([[0.0, 1.0], [-1.0, 0.0]])), DTypeError, "complex"),
        ),
    ),
]

FUNCTIONS = [
    *(
        _both(f"matrix_norm_{order}", lambda m, x, p=order: m.linalg.matrix_norm(x, p), In((2, 3, 4)))
        for order in ("fro", "nuc", 1, -1, 2, -2, float("inf"), -float("inf"))
    ),
    *(
        _both(
            f"vector_norm_{order}",
            lambda m, x, p=order: m.linalg.vector_norm(x, p, dim=1),
            In((2, 3, 4)),
            grad=order != 0,
        )
        for order in (0, 0.5, 1, 2, 3, -1, float("inf"), -float("inf"))
    ),
    _both(
        "norm",
        lambda m, x: m.linalg.norm(x, dim=(0, 2), keepdim=True),
        In((2, 3, 4)),
        errors=(
            (lambda: linalg.norm(_ONES(2, 2, 2), 2), ShapeError, "give dim"),
            (lambda: linalg.norm(_ONES(2), "fro", 0), ArgumentError, "for matrices"),
            (lambda: linalg.matrix_norm(_ONES(2, 2), 3), ArgumentError, "no order"),
            (lambda: linalg.vector_norm(Tensor([1])), DTypeError, "int64"),
        ),
    ),
    _both("cond", lambda m, x: m.linalg.cond(_regular(x)), _BATCH),
    Row(
        "linalg_cond_1",
        lambda x: linalg.cond(_regular(x), 1),
        lambda x: np.linalg.cond(x + 4 * np.eye(3), 1),
        (_BATCH,),
        _WIDTH,  # PyTorch's has no gradient: it changes the inverse in place
        torch=lambda x: torch.linalg.matrix_norm(_regular(x), 1) * torch.linalg.matrix_norm(_regular(x).inverse(), 1),
    ),
    _both("matrix_power", lambda m, x: m.linalg.matrix_power(x, 5), _BATCH),
    _both("matrix_power_of_inverse", lambda m, x: m.linalg.matrix_power(_regular(x), -2), _BATCH),
    _both("matrix_exp", lambda m, x: m.linalg.matrix_exp(x), _BATCH),
    _both("matrix_exp_of_large", lambda m, x: m.linalg.matrix_exp(x * 3), In((3, 3))),
    _both("vecdot", lambda m, a, b: m.linalg.vecdot(a, b, dim=0), In((3, 4)), In((3, 1))),
    _both("cross", lambda m, a, b: m.linalg.cross(a, b), In((2, 3)), In((1, 3))),
    _both("vander", lambda m, x: m.linalg.vander(x, N=4), In((2, 3))),
    _both("tensorinv", lambda m, x: m.linalg.tensorinv(_regular(x).reshape(2, 2, 4)), _SQUARE),
    _both("tensorsolve", lambda m, a, b: m.linalg.tensorsolve(_regular(a).reshape(2, 2, 4), b), _SQUARE, In((2, 2))),
    _both("multi_dot", lambda m, a, b, c: m.linalg.multi_dot([a, b, c]), In((3,)), In((3, 4)), In((4, 2))),
]

LINALG = [*FACTORS, *SOLUTIONS, *FUNCTIONS]
