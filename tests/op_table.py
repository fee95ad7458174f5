"""One table of operations: samples, dtypes, a NumPy reference in float64, PyTorch's equivalent, and error cases.

Tensor methods have PyTorch's names, so one function `call` serves lazygrad's tensors and PyTorch's, unless `torch`
gives another one for the latter.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from lazygrad import Tensor, where
from lazygrad.errors import ArgumentError, BoundsError, DTypeError, ShapeError
from tests.op_row import ALL, FLOATS, INTS, NUMBERS, In, Row, binary, unary
from tests.op_table_elementwise import ELEMENTWISE
from tests.op_table_images import IMAGES
from tests.op_table_linalg import LINALG
from tests.op_table_nn import TABLES
from tests.op_table_products import PRODUCTS as MORE_PRODUCTS
from tests.op_table_reductions import COUNTED, RANKED, RELATED, SORTED, SUMMED
from tests.op_table_shapes import SHAPES
from tests.op_table_views import INDEXED, LAYERS, VIEWS

_erf = np.vectorize(math.erf, otypes=[float])
_POSITIVE, _DIVISOR = In(low=0.2, high=3.0), In(low=0.5, high=3.0)
_ROUNDED = In(low=-3.0, high=3.0, away=0.1)


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _softmax(x: Any, axis: int) -> Any:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


ELEMENTARY = [
    unary("exp", np.exp),
    unary("exp2", np.exp2),
    unary("log", np.log, _POSITIVE),
    unary("expm1", np.expm1),
    unary("log1p", np.log1p, In(low=-0.9, high=3.0)),
    unary("log2", np.log2, _POSITIVE),
    unary("log10", np.log10, _POSITIVE),
    unary("sqrt", np.sqrt, _POSITIVE),
    unary("rsqrt", lambda x: 1 / np.sqrt(x), _POSITIVE),
    unary("reciprocal", lambda x: 1 / x, _DIVISOR),
    unary("square", np.square, dtypes=NUMBERS),
    unary("sin", np.sin),
    unary("cos", np.cos),
    unary("tan", np.tan, In(low=-1.2, high=1.2)),
    unary("tanh", np.tanh),
    unary("sigmoid", _sigmoid),
    unary("erf", _erf, In(low=-3.0, high=3.0)),
    unary("abs", np.abs, dtypes=NUMBERS),
    unary("neg", np.negative, dtypes=NUMBERS, errors=((lambda: -Tensor([True]), DTypeError, "logical_not"),)),
    unary("sign", np.sign, dtypes=NUMBERS),
    unary("floor", np.floor, _ROUNDED, dtypes=NUMBERS),
    unary("ceil", np.ceil, _ROUNDED, dtypes=NUMBERS),
    unary("round", np.round, _ROUNDED, dtypes=NUMBERS),
    unary("trunc", np.trunc, _ROUNDED, dtypes=NUMBERS),
    unary("frac", lambda x: x - np.trunc(x), _ROUNDED),
    unary("isnan", np.isnan, grad=False),
    unary("isinf", np.isinf, grad=False),
    unary("isfinite", np.isfinite, grad=False),
    unary("logical_not", np.logical_not, dtypes=ALL, grad=False),
    unary("relu", lambda x: np.maximum(x, 0), dtypes=NUMBERS),
    unary("silu", lambda x: x * _sigmoid(x), torch=torch.nn.functional.silu),
    unary("softplus", lambda x: np.log1p(np.exp(x)), torch=torch.nn.functional.softplus),
    unary("logsigmoid", lambda x: np.log(_sigmoid(x)), torch=torch.nn.functional.logsigmoid),
    unary("relu6", lambda x: np.clip(x, 0, 6), In(low=-9.0, high=9.0), torch=torch.nn.functional.relu6),
    unary("hardtanh", lambda x: np.clip(x, -1, 1), torch=torch.nn.functional.hardtanh),
    Row(
        "gelu",
        lambda x: x.gelu(),
        lambda x: x * 0.5 * (1 + _erf(x / math.sqrt(2))),
        elementwise=True,
        torch=torch.nn.functional.gelu,
        errors=((lambda: Tensor([1.0]).gelu("sinh"), ArgumentError, "sinh"),),
    ),
    Row(
        "gelu_tanh",
        lambda x: x.gelu("tanh"),
        lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        elementwise=True,
        torch=lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
    ),
    Row(
        "leaky_relu",
        lambda x: x.leaky_relu(0.1),
        lambda x: np.where(x > 0, x, 0.1 * x),
        elementwise=True,
        torch=lambda x: torch.nn.functional.leaky_relu(x, 0.1),
    ),
    Row(
        "elu",
        lambda x: x.elu(1.5),
        lambda x: np.where(x > 0, x, 1.5 * np.expm1(x)),
        elementwise=True,
        torch=lambda x: torch.nn.functional.elu(x, 1.5),
    ),
    Row("clamp", lambda x: x.clamp(-1, 1), lambda x: np.clip(x, -1, 1), dtypes=NUMBERS[:8], elementwise=True),
    Row("pow_2", lambda x: x**2, np.square, dtypes=NUMBERS, elementwise=True),
    Row("pow_3", lambda x: x**3, lambda x: x**3, dtypes=NUMBERS, elementwise=True),
    Row("pow_half", lambda x: x**0.5, np.sqrt, (_POSITIVE,), elementwise=True),
    Row("pow_minus_1", lambda x: x**-1, lambda x: 1 / x, (_DIVISOR,), elementwise=True),
    Row("pow_2.5", lambda x: x**2.5, lambda x: x**2.5, (_POSITIVE,), elementwise=True),
    Row("rpow", lambda x: 1.5**x, lambda x: 1.5**x, elementwise=True),
    Row("rsub", lambda x: 3 - x, lambda x: 3 - x, dtypes=NUMBERS, elementwise=True),
    Row("rdiv", lambda x: 2 / x, lambda x: 2 / x, (_DIVISOR,), elementwise=True),
    Row("scalars", lambda x: (x * 2 + 1) / 4 - 3, lambda x: (x * 2 + 1) / 4 - 3, elementwise=True),
    Row(
        "masked_fill",
        lambda x, m: x.masked_fill(m, 2),
        lambda x, m: np.where(m, 2, x),
        (In(), In(mask=True)),
        ALL[:9],
        elementwise=True,
        errors=((lambda: Tensor([1]).masked_fill(Tensor([1]), 2), DTypeError, "not bool"),),
    ),
]

ARITHMETIC = [
    binary(
        "add",
        lambda a, b: a + b,
        np.add,
        dtypes=ALL,
        errors=(
            (lambda: Tensor([1, 2]) + Tensor([1, 2, 3]), ShapeError, "broadcast"),
            (lambda: Tensor([1]) + "x", TypeError, "takes a Tensor or a number"),
        ),
    ),
    binary(
        "sub",
        lambda a, b: a - b,
        np.subtract,
        errors=((lambda: Tensor([True]) - Tensor([True]), DTypeError, "logical_xor"),),
    ),
    binary("mul", lambda a, b: a * b, np.multiply, dtypes=ALL),
    binary(
        "div",
        lambda a, b: a / b,
        np.true_divide,
        inputs=(In(), _DIVISOR),
        dtypes=FLOATS,
        errors=((lambda: Tensor([1]).div(2, rounding_mode="up"), ArgumentError, "up"),),
    ),
    binary(
        "floor_divide", lambda a, b: a // b, np.floor_divide, inputs=(In(low=-9, high=9), In(low=1, high=4)), grad=False
    ),
    binary(
        "div_trunc",
        lambda a, b: a.div(b, rounding_mode="trunc"),
        lambda a, b: np.trunc(a / b),
        inputs=(In(low=-9, high=9), In(low=1, high=4)),
        grad=False,
    ),
    binary("remainder", lambda a, b: a % b, np.remainder, inputs=(In(low=-9, high=9), In(low=1, high=4)), grad=False),
    binary("fmod", lambda a, b: a.fmod(b), np.fmod, inputs=(In(low=-9, high=9), In(low=1, high=4)), grad=False),
    binary(
        "pow",
        lambda a, b: a**b,
        np.power,
        inputs=(_POSITIVE, In()),
        dtypes=FLOATS,
        errors=((lambda: Tensor([2]) ** -1, DTypeError, "float"),),
    ),
    binary("maximum", lambda a, b: a.maximum(b), np.maximum, dtypes=ALL),
    binary("minimum", lambda a, b: a.minimum(b), np.minimum, dtypes=ALL),
    *(
        binary(name, call, reference, dtypes=ALL, grad=False)
        for name, call, reference in [
            ("eq", lambda a, b: a == b, np.equal),
            ("ne", lambda a, b: a != b, np.not_equal),
            ("lt", lambda a, b: a < b, np.less),
            ("le", lambda a, b: a <= b, np.less_equal),
            ("gt", lambda a, b: a > b, np.greater),
            ("ge", lambda a, b: a >= b, np.greater_equal),
            ("logical_and", lambda a, b: a.logical_and(b), np.logical_and),
            ("logical_or", lambda a, b: a.logical_or(b), np.logical_or),
            ("logical_xor", lambda a, b: a.logical_xor(b), np.logical_xor),
        ]
    ),
    *(
        binary(
            name,
            call,
            reference,
            inputs=(In(low=-9, high=9, integer=True), In(low=0, high=9, integer=True)),
            dtypes=INTS,
            grad=False,
            errors=((lambda call=call: call(Tensor([1.0]), Tensor([1.0])), DTypeError, "integer"),),
        )
        for name, call, reference in [
            ("and", lambda a, b: a & b, np.bitwise_and),
            ("or", lambda a, b: a | b, np.bitwise_or),
            ("xor", lambda a, b: a ^ b, np.bitwise_xor),
        ]
    ),
    Row(
        "shifts",
        lambda a, b: (a << b) >> (b & 1),
        lambda a, b: (a << b) >> (b & 1),
        (In(low=0, high=7, integer=True), In(low=0, high=4, integer=True)),
        INTS,
        grad=False,
        elementwise=True,
    ),
    Row(
        "where",
        lambda m, a, b: a.where(m, b),
        np.where,
        (In(mask=True), In(), In()),
        NUMBERS,
        elementwise=True,
        errors=((lambda: Tensor([1]).where(Tensor([1]), 2), DTypeError, "not bool"),),
    ),
    Row(
        "where_function",
        lambda m, a: where(m, a, 0.5),
        lambda m, a: np.where(m, a, 0.5),
        (In(mask=True), In()),
        elementwise=True,
        torch=lambda m, a: torch.where(m, a, 0.5),
    ),
    Row("lerp", lambda a, b: a.lerp(b, 0.3), lambda a, b: a + 0.3 * (b - a), (In(), In()), elementwise=True),
    Row("broadcast_add", lambda a, b: a + b, np.add, (In((3, 1, 4)), In((2, 1))), NUMBERS),
    Row("broadcast_mul_scalar_tensor", lambda a, b: a * b, np.multiply, (In((3, 4)), In(())), NUMBERS),
    Row("safe_div", lambda a, b: a.safe_div(b), lambda a, b: a / b, (In(), _DIVISOR), torch=lambda a, b: a / b),
]

REDUCTIONS = [
    *(
        Row(
            f"{name}_{label}",
            lambda x, name=name, options=options: getattr(x, name)(**options),
            lambda x, f=f, options=options: f(x, axis=options.get("dim"), keepdims=options.get("keepdim", False)),
            (In((2, 3, 4)),),
            kinds,
        )
        for name, f, kinds in [
            ("sum", np.sum, ALL),
            ("mean", np.mean, FLOATS),
            ("amax", np.max, ALL),
            ("amin", np.min, ALL),
        ]
        for label, options in [
            ("dim", {"dim": 1}),
            ("keepdim", {"dim": -1, "keepdim": True}),
            ("dims", {"dim": (0, 2)}),
        ]
    ),
    Row(
        "sum",
        lambda x: x.sum(),
        np.sum,
        dtypes=ALL,
        errors=(
            (lambda: Tensor([1]).sum(1), BoundsError, "dim 1"),
            (lambda: Tensor([[1]]).sum((0, 0)), ShapeError, "twice"),
        ),
    ),
    Row("mean", lambda x: x.mean(), np.mean, errors=((lambda: Tensor([1]).mean(), DTypeError, "float"),)),
    Row("prod", lambda x: x.prod(), np.prod, dtypes=NUMBERS),
    Row("prod_dim", lambda x: x.prod(1), lambda x: np.prod(x, 1), dtypes=NUMBERS),
    Row(
        "max",
        lambda x: x.max(),
        np.max,
        dtypes=ALL,
        errors=((lambda: Tensor.zeros(0, 2).max(0), ShapeError, "no elements"),),
    ),
    Row("max_values", lambda x: x.max(1).values, lambda x: np.max(x, 1), dtypes=NUMBERS),
    Row("max_indices", lambda x: x.max(1).indices, lambda x: np.argmax(x, 1), dtypes=FLOATS[:2], grad=False),
    Row("min_values", lambda x: x.min(0, keepdim=True).values, lambda x: np.min(x, 0, keepdims=True), dtypes=NUMBERS),
    Row("argmax", lambda x: x.argmax(), np.argmax, dtypes=FLOATS[:2], grad=False),
    Row("argmin_dim", lambda x: x.argmin(0), lambda x: np.argmin(x, 0), dtypes=FLOATS[:2], grad=False),
    Row("any", lambda x: x.any(1), lambda x: np.any(x, 1), (In(low=0, high=2, integer=True),), INTS, grad=False),
    Row("all", lambda x: x.all(1), lambda x: np.all(x, 1), (In(low=0, high=2, integer=True),), INTS, grad=False),
    Row(
        "var",
        lambda x: x.var(1),
        lambda x: np.var(x, 1, ddof=1),
        errors=((lambda: Tensor([1]).var(), DTypeError, "float"),),
    ),
    Row(
        "var_biased",
        lambda x: x.var((0, 2), keepdim=True, correction=0),
        lambda x: np.var(x, (0, 2), keepdims=True),
        (In((2, 3, 4)),),
    ),
    Row("std", lambda x: x.std(), lambda x: np.std(x, ddof=1)),
    Row("norm", lambda x: x.norm(), np.linalg.norm),
    Row("norm_1", lambda x: x.norm(1, 1), lambda x: np.abs(x).sum(1)),
    Row("norm_3", lambda x: x.norm(3, 1, keepdim=True), lambda x: (np.abs(x) ** 3).sum(1, keepdims=True) ** (1 / 3)),
    Row("norm_inf", lambda x: x.norm(math.inf, 0), lambda x: np.abs(x).max(0)),
    Row(
        "reduce",
        lambda x: x.reduce(lambda a, b: where(a < b, b, a), -math.inf, 1),
        lambda x: x.max(1),
        torch=lambda x: x.amax(1),
        errors=(
            (lambda: Tensor([1, 2]).reduce(lambda a, b: a + b, 0.5), DTypeError, "identity 0.5 is no int64"),
            (lambda: Tensor([1, 2]).reduce(lambda a, b: a < b, 0), DTypeError, "combine gave bool for two"),
            (lambda: Tensor([1, 2]).reduce(lambda a, b: (a + b).sum(), 0), ShapeError, r"combine gave shape \[\]"),
            (lambda: Tensor([1, 2]).reduce(lambda a, b: 3, 0), TypeError, "combine gave int"),
            (lambda: Tensor([1, 2]).reduce(lambda a, b: a, 0, 1), BoundsError, "dim 1"),
        ),
    ),
    Row(
        "reduce_all",
        lambda x: x.reduce(lambda a, b: a * b, 1, keepdim=True),
        lambda x: x.prod(keepdims=True),
        torch=lambda x: x.prod().reshape(1, 1),
    ),
    Row("logsumexp", lambda x: x.logsumexp(1), lambda x: np.log(np.exp(x).sum(1))),
    Row(
        "logsumexp_keepdim",
        lambda x: x.logsumexp((0, 1), keepdim=True),
        lambda x: np.log(np.exp(x).sum((0, 1), keepdims=True)),
    ),
    Row("cumsum", lambda x: x.cumsum(1), lambda x: np.cumsum(x, 1), dtypes=NUMBERS[:8]),
    Row("cumprod", lambda x: x.cumprod(0), lambda x: np.cumprod(x, 0), dtypes=FLOATS),
    Row("softmax", lambda x: x.softmax(-1), lambda x: _softmax(x, -1)),
    Row("softmax_dim_0", lambda x: x.softmax(0), lambda x: _softmax(x, 0)),
    Row("log_softmax", lambda x: x.log_softmax(1), lambda x: np.log(_softmax(x, 1))),
    Row(
        "layernorm",
        lambda x: x.layernorm(),
        lambda x: (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5),
        torch=lambda x: torch.nn.functional.layer_norm(x, x.shape[-1:]),
        errors=((lambda: Tensor([1]).layernorm(), DTypeError, "float"),),
    ),
    Row(
        "layer_norm_affine",
        lambda x, w, b: x.layer_norm((3, 4), w, b),
        None,
        (In((2, 3, 4)), In((3, 4)), In((3, 4))),
        torch=lambda x, w, b: torch.nn.functional.layer_norm(x, (3, 4), w, b),
        errors=((lambda: Tensor([[1.0]]).layer_norm(2), ShapeError, "last dimensions"),),
    ),
    Row(
        "rms_norm",
        lambda x, w: x.rms_norm(4, w, 1e-5),
        lambda x, w: x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * w,
        (In(), In((4,))),
        torch=lambda x, w: torch.nn.functional.rms_norm(x, (4,), w, 1e-5),
    ),
    Row(
        "normalize",
        lambda x: x.normalize(),
        lambda x: x / np.linalg.norm(x, axis=1, keepdims=True),
        torch=torch.nn.functional.normalize,
    ),
]

PRODUCTS = [
    *(
        Row(
            f"matmul_{'x'.join(map(str, a))}_{'x'.join(map(str, b))}",
            lambda x, y: x @ y,
            np.matmul,
            (In(a), In(b)),
            FLOATS if a == (3, 4) else (*FLOATS[:2], "int64"),
        )
        for a, b in [
            ((3, 4), (4, 5)),
            ((4,), (4,)),
            ((3, 4), (4,)),
            ((4,), (4, 5)),
            ((2, 3, 4), (4, 5)),
            ((2, 3, 4), (2, 4, 5)),
            ((2, 1, 3, 4), (3, 4, 2)),
            ((4,), (2, 4, 5)),
            ((2, 3, 4), (4,)),
            ((3, 0), (0, 2)),
            ((1, 1), (1, 1)),
        ]
    ),
    Row(
        "dot",
        lambda a, b: a.dot(b),
        np.dot,
        (In((4,)), In((4,))),
        errors=((lambda: Tensor([[1.0]]).dot(Tensor([1.0, 2.0])), ShapeError, "matmul"),),
    ),
    Row(
        "mm",
        lambda a, b: a.mm(b),
        np.matmul,
        (In((3, 4)), In((4, 2))),
        errors=(
            (lambda: Tensor.ones(2, 3) @ Tensor.ones(2, 3), ShapeError, "inner sizes 3 and 2"),
            (lambda: Tensor.ones(2, 3) @ Tensor.ones(3, 2).double(), DTypeError, "float32 and float64"),
            (lambda: Tensor(1.0) @ Tensor.ones(3), ShapeError, "scalar"),
        ),
    ),
    Row("bmm", lambda a, b: a.bmm(b), np.matmul, (In((2, 3, 4)), In((2, 4, 2)))),
    Row("outer", lambda a, b: a.outer(b), np.outer, (In((3,)), In((4,)))),
    Row(
        "linear",
        lambda x, w, b: x.linear(w, b),
        lambda x, w, b: x @ w.T + b,
        (In((2, 3, 4)), In((5, 4)), In((5,))),
        torch=torch.nn.functional.linear,
        errors=((lambda: Tensor.ones(2, 3).linear(Tensor.ones(5, 4)), ShapeError, "(out, in)"),),
    ),
    *(
        Row(
            f"einsum_{formula}",
            lambda *xs, formula=formula: xs[0].einsum(formula, *xs[1:]),
            lambda *xs, formula=formula: np.einsum(formula, *xs),
            tuple(In(s) for s in shapes),
            FLOATS[:2],
            torch=lambda *xs, formula=formula: torch.einsum(formula, *xs),
        )
        for formula, shapes in [
            ("ij,jk->ik", [(2, 3), (3, 4)]),
            ("bij,bkj->bik", [(2, 3, 4), (2, 5, 4)]),
            ("ij->ji", [(2, 3)]),
            ("i,j->ij", [(2,), (3,)]),
            ("ij,ij", [(2, 3), (2, 3)]),
            ("ii->i", [(3, 3)]),
            ("ij,jk,kl->il", [(2, 3), (3, 2), (2, 4)]),
        ]
    ),
    Row(
        "einsum_errors",
        lambda x: x.einsum("ij->i"),
        lambda x: x.sum(1),
        torch=lambda x: torch.einsum("ij->i", x),
        errors=((lambda: Tensor([1.0]).einsum("ij->i"), ShapeError, "does not fit"),),
    ),
]

TABLE: dict[str, Row] = {
    row.name: row
    for row in [
        *ELEMENTARY,
        *ARITHMETIC,
        *ELEMENTWISE,
        *REDUCTIONS,
        *SORTED,
        *RANKED,
        *COUNTED,
        *SUMMED,
        *RELATED,
        *PRODUCTS,
        *MORE_PRODUCTS,
        *LINALG,
        *IMAGES,
        *TABLES,
        *VIEWS,
        *INDEXED,
        *SHAPES,
        *LAYERS,
    ]
}
