"""Rows of products: added ones, of vectors, over chosen dimensions, of many matrices."""

from __future__ import annotations

import numpy as np
import torch

import lazygrad
from lazygrad import Tensor
from lazygrad.errors import ArgumentError, DTypeError, OperandError, ShapeError
from tests.op_row import FLOATS, In, Row

_A, _B = In((2, 3)), In((3, 4))

ADDED = [
    Row(
        "addmm",
        lambda x, a, b: x.addmm(a, b, beta=0.5, alpha=2),
        lambda x, a, b: 0.5 * x + 2 * a @ b,
        (In((2, 1)), _A, _B),
        FLOATS[:2],
        errors=(
            (lambda: Tensor([1]).addmm(Tensor([[1]]), Tensor([[1]]), beta=0.5), DTypeError, "no integers"),
            (lambda: Tensor([1.0]).addmm(Tensor([[1]]), Tensor([[1]])), DTypeError, "differ"),
            (lambda: Tensor.ones(3).addmm(Tensor.ones(2, 2), Tensor.ones(2, 2)), ShapeError, "addmm"),
            (lambda: Tensor.ones(2).addmm(Tensor.ones(2), Tensor.ones(2, 2)), ShapeError, "2 dimensions"),
        ),
    ),
    Row(
        "addmm_of_nan",
        lambda x, a, b: (x / 0).addmm(a, b, beta=0),
        lambda x, a, b: a @ b,
        (In((2, 4)), _A, _B),
        FLOATS[:2],
        grad=False,
    ),
    Row(
        "addmv",
        lambda x, a, v: x.addmv(a, v, beta=3),
        lambda x, a, v: 3 * x + a @ v,
        (In((2,)), _A, In((3,))),
        FLOATS[:2],
    ),
    Row(
        "addbmm",
        lambda x, a, b: x.addbmm(a, b, alpha=3),
        lambda x, a, b: x + 3 * (a @ b).sum(0),
        (In((4,)), In((5, 2, 3)), In((5, 3, 4))),
        FLOATS[:2],
        errors=((lambda: Tensor(1.0).addbmm(Tensor.ones(2, 2, 3), Tensor.ones(3, 3, 2)), ShapeError, "batches"),),
    ),
    Row(
        "baddbmm",
        lambda x, a, b: x.baddbmm(a, b, alpha=3, beta=2),
        lambda x, a, b: 2 * x + 3 * a @ b,
        (In((4,)), In((5, 2, 3)), In((5, 3, 4))),
        FLOATS[:2],
    ),
    Row(
        "addr",
        lambda x, a, b: x.addr(a, b, alpha=3, beta=2),
        lambda x, a, b: 2 * x + 3 * np.outer(a, b),
        (In((2, 1)), In((2,)), In((3,))),
        FLOATS[:2],
    ),
]

VECTORS = [
    Row(
        "mv",
        lambda a, v: a.mv(v),
        np.matmul,
        (_A, In((3,))),
        errors=((lambda: Tensor.ones(2).mv(Tensor.ones(2)), ShapeError, "matrix and a vector"),),
    ),
    Row("vdot", lambda a, b: a.vdot(b), np.dot, (In((5,)), In((5,)))),
    Row("vdot_of_nothing", lambda a, b: a.vdot(b), np.dot, (In((0,)), In((0,)))),
    Row("inner", lambda a, b: a.inner(b), np.inner, (In((2, 1, 3)), In((4, 3)))),
    Row("inner_scalar", lambda a, b: a.inner(b), np.inner, (In(()), In((4, 3)))),
    Row(
        "cross",
        lambda a, b: a.cross(b, dim=1),
        lambda a, b: np.cross(a, b, axis=1),
        (In((2, 3, 4)), In((1, 3, 4))),
        errors=(
            (lambda: Tensor.ones(2, 4).cross(Tensor.ones(2, 4)), ShapeError, "no dimension of size 3"),
            (lambda: Tensor.ones(3, 4).cross(Tensor.ones(3, 4), dim=1), ShapeError, "not of size 3"),
        ),
    ),
    Row("trace", lambda a: a.trace(), np.trace, (In((3, 5)),), FLOATS[:2]),
    Row("l2_normalize", lambda a: a.l2_normalize(1), None, torch=lambda a: torch.nn.functional.normalize(a, dim=1)),
]

CHOSEN = [
    Row(
        "tensordot",
        lambda a, b: lazygrad.tensordot(a, b, dims=([2, 0], [0, 2])),
        lambda a, b: np.tensordot(a, b, axes=([2, 0], [0, 2])),
        (In((2, 3, 4)), In((4, 5, 2))),
        torch=lambda a, b: torch.tensordot(a, b, dims=([2, 0], [0, 2])),
        errors=(
            (lambda: Tensor.ones(2, 3).tensordot(Tensor.ones(2, 3), 1), ShapeError, "do not fit"),
            (lambda: Tensor.ones(2, 3).tensordot(Tensor.ones(2, 3), 3), ArgumentError, "dims 3"),
        ),
    ),
    Row(
        "tensordot_0",
        lambda a, b: lazygrad.tensordot(a, b, 0),
        lambda a, b: np.tensordot(a, b, 0),
        (_A, _B),
        torch=lambda a, b: torch.tensordot(a, b, 0),
    ),
    Row(
        "kron",
        lambda a, b: a.kron(b),
        np.kron,
        (In((2, 3)), In((3, 1, 2))),
        errors=((lambda: Tensor([1]).kron(2), OperandError, "kron takes"),),
    ),
    Row(
        "bilinear",
        lambda a, b, w, c: a.bilinear(b, w, c),
        lambda a, b, w, c: np.einsum("...i,oij,...j->...o", a, w, b) + c,
        (In((2, 5, 3)), In((2, 5, 4)), In((6, 3, 4)), In((6,))),
        FLOATS[:2],
        torch=torch.nn.functional.bilinear,
        errors=(
            (lambda: Tensor.ones(2, 3).bilinear(Tensor.ones(2, 3), Tensor.ones(1, 2, 3)), ShapeError, "do not fit"),
            (lambda: Tensor.ones(2, 3).bilinear(Tensor.ones(3), Tensor.ones(1, 3, 3)), ShapeError, "but the last"),
        ),
    ),
    Row(
        "chain_matmul",
        lambda *xs: lazygrad.chain_matmul(*xs),
        lambda *xs: np.linalg.multi_dot(xs),
        (In((2, 5)), In((5, 3)), In((3, 7)), In((7, 1))),
        FLOATS[:2],
        torch=lambda *xs: torch.linalg.multi_dot(xs),
        errors=(
            (lambda: lazygrad.chain_matmul(Tensor.ones(2, 3), Tensor.ones(2, 3)), ShapeError, "do not fit"),
            (lambda: lazygrad.chain_matmul(), ArgumentError, "two tensors or more"),
        ),
    ),
    *(
        Row(
            f"einsum_{equation}",
            lambda *xs, e=equation: lazygrad.einsum(e, *xs),
            lambda *xs, e=equation: np.einsum(e, *xs),
            tuple(In(shape) for shape in shapes),
            torch=lambda *xs, e=equation: torch.einsum(e, *xs),
        )
        for equation, shapes in [
            ("...ij,...jk->...ik", [(5, 2, 3), (1, 3, 4)]),
            ("i...,i...->...", [(3, 2, 4), (3, 4)]),
            ("ij,kj,lk->il", [(2, 3), (4, 3), (5, 4)]),
            ("...ii", [(2, 3, 3)]),
            ("ba", [(2, 3)]),
            ("ijij,jk->ik", [(2, 3, 2, 3), (3, 4)]),
            (",i,->i", [(), (3,), ()]),
        ]
    ),
    Row(
        "einsum_lists",
        lambda a, b: lazygrad.einsum(a, [0, 1], b, [1, ...], [..., 0]),
        lambda a, b: np.einsum("ij,j...->...i", a, b),
        (_A, In((3, 4, 5))),
        torch=lambda a, b: torch.einsum(a, [0, 1], b, [1, ...], [..., 0]),
        errors=(
            (lambda: lazygrad.einsum("ij->ijk", Tensor.ones(2, 3)), ShapeError, "no operand has"),
            (lambda: lazygrad.einsum("i,i", Tensor.ones(2), Tensor.ones(3)), ShapeError, "sizes 2 and 3"),
            (lambda: lazygrad.einsum("ii", Tensor.ones(2, 3)), ShapeError, "'i'"),
            (lambda: lazygrad.einsum("ij,j", Tensor.ones(2, 3)), ShapeError, "2 terms for 1"),
            (lambda: lazygrad.einsum("i1", Tensor.ones(2, 3)), ShapeError, "letters"),
            (lambda: lazygrad.einsum(Tensor.ones(2), [60]), ArgumentError, "names no dimension"),
            (lambda: lazygrad.einsum("i"), ArgumentError, "no operands"),
            (lambda: lazygrad.einsum("i", [1.0]), OperandError, "einsum takes"),
        ),
    ),
]

PRODUCTS = [*ADDED, *VECTORS, *CHOSEN]
