"""`lazygrad.array_api` has the standard's names and signatures, promotes as it has it, and computes what NumPy does.

NumPy 2 is another implementation of the standard, so a case is one function of a namespace, run in both.
"""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import lazygrad
import lazygrad.array_api as xp
from lazygrad import Tensor, dtypes
from lazygrad.dtype import DType
from lazygrad.errors import ArgumentError, DTypeError, LinAlgError, OperandError, ShapeError
from tests.array_api import standard

BOOL = [xp.bool]
SIGNED, UNSIGNED = [xp.int8, xp.int16, xp.int32, xp.int64], [xp.uint8, xp.uint16, xp.uint32, xp.uint64]
FLOATS = [xp.float32, xp.float64]
INTS, REAL = SIGNED + UNSIGNED, SIGNED + UNSIGNED + FLOATS
ALL = BOOL + REAL

pytestmark = pytest.mark.skipif(np.__version__.startswith("1."), reason="NumPy has the standard's names from 2.0 on")


# ---- names and signatures --------------------------------------------------------------------------------------------


def signatures() -> dict[str, str]:
    """The standard's signatures by name, those of extensions with the extension's before them."""
    found = dict.fromkeys(standard.UNARY.split(), "(x, /)")
    found |= dict.fromkeys(standard.BINARY.split(), "(x1, x2, /)")
    lines = standard.SIGNATURES.strip().splitlines()
    return found | {line.partition("(")[0]: line[line.index("(") :] for line in lines}


def shape_of(signature: inspect.Signature) -> list[tuple[Any, ...]]:
    return [(p.name, p.kind, p.default) for p in signature.parameters.values()]


@pytest.mark.parametrize("name", signatures())
def test_functions_have_the_standards_signatures(name: str) -> None:
    extension, _, function = name.rpartition(".")
    ours = getattr(getattr(xp, extension) if extension else xp, function)
    scope: dict[str, Any] = {}
    exec(f"def standard{signatures()[name]}: ...", scope)
    assert shape_of(inspect.signature(ours)) == shape_of(inspect.signature(scope["standard"]))
    assert ours.__name__ == function
    assert ours.__doc__
    assert function in (getattr(xp, extension) if extension else xp).__all__


def test_arrays_have_the_standards_methods() -> None:
    x = Tensor([[1]])
    assert [n for n in (standard.METHODS + standard.ATTRIBUTES).split() if not hasattr(x, n)] == []
    assert (x.to_device("NUMPY", stream=None).device, complex(Tensor(1.5))) == ("NUMPY", 1.5)


def test_constants() -> None:
    assert (xp.e, xp.pi, xp.inf, xp.newaxis) == (math.e, math.pi, math.inf, None)
    assert math.isnan(xp.nan)
    assert xp.__array_api_version__ == "2024.12"


def test_the_namespace_is_found_from_an_array() -> None:
    x = Tensor([1])
    assert x.__array_namespace__() is x.__array_namespace__(api_version="2022.12") is lazygrad.array_api is xp
    with pytest.raises(ArgumentError, match=r"2024\.12"):
        x.__array_namespace__(api_version="2031.12")


def test_what_the_namespace_says_of_itself() -> None:
    info = xp.__array_namespace_info__()
    assert info.capabilities() == {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": None}
    assert info.default_device() == "NUMPY"
    assert info.devices()[0] == "NUMPY"
    assert info.default_dtypes() == {"real floating": xp.float32, "integral": xp.int64, "indexing": xp.int64}
    made = (xp.asarray(1.0), xp.asarray(1), xp.argmax(xp.asarray([1])))
    assert [x.dtype for x in made] == [*info.default_dtypes().values()]
    assert info.dtypes() == {d.name: d for d in ALL}
    assert info.dtypes(kind=("bool", "unsigned integer")) == {d.name: d for d in BOOL + UNSIGNED}
    assert info.dtypes(kind="complex floating", device="NUMPY") == {}
    assert info.dtypes(kind="numeric") == {d.name: d for d in REAL}
    with pytest.raises(ArgumentError, match="integral"):
        info.dtypes(kind="whole")


# ---- functions of elements -------------------------------------------------------------------------------------------

OF_FLOATS = """acos acosh asin asinh atan atan2 atanh copysign cos cosh divide exp expm1 hypot log log10 log1p log2
    logaddexp nextafter reciprocal signbit sin sinh sqrt tan tanh"""
OF_INTS = "bitwise_left_shift bitwise_right_shift"
OF_BITS = "bitwise_and bitwise_invert bitwise_or bitwise_xor"
OF_BOOLS = "logical_and logical_not logical_or logical_xor"
OF_ALL = "equal not_equal isfinite isinf isnan"
OF_REAL = """abs add ceil conj floor floor_divide greater greater_equal less less_equal maximum minimum multiply
    negative positive pow real imag remainder round sign square subtract trunc"""
TAKES = {
    name: kinds
    for names, kinds in (
        (OF_FLOATS, FLOATS), (OF_INTS, INTS), (OF_BITS, BOOL + INTS), (OF_BOOLS, BOOL), (OF_ALL, ALL), (OF_REAL, REAL),
    )
    for name in names.split()
}  # fmt: skip
NOT_NEAR = {"pow": 1e-5}


def elements(dtype: DType, name: str) -> np.ndarray:
    """Elements of every kind for which the function is defined."""
    rng = np.random.default_rng(7)
    if dtype.is_bool:
        return np.array([False, True])
    if dtype.is_int and name in ("pow", "bitwise_left_shift", "bitwise_right_shift"):
        return np.array([0, 1, 2, 3, 6], dtype.storage)
    if dtype.is_int and name in ("floor_divide", "remainder"):
        few = [1, 2, 3, 100, *([-1, -2, -7] if dtype.kind == "int" else [])]
        return np.array(few, dtype.storage)
    if dtype.is_int:
        return np.array(
            [0, 1, 2, 3, 100, dtype.max, dtype.min, *([-1, -7] if dtype.kind == "int" else [])], dtype.storage
        )
    special = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 0.9, -0.9, math.inf, -math.inf, math.nan, 1e-20, -1e-20]
    return np.array([*special, *rng.normal(0, 3, 6)], dtype.storage)


def compare(ours: Any, theirs: Any, dtype: DType, what: str, near: float = 0) -> None:
    theirs = np.asarray(theirs)
    assert isinstance(ours, Tensor), what
    got = ours.numpy()
    assert (got.dtype, got.shape) == (theirs.dtype, theirs.shape), what
    tolerance = near or (4e-6 if dtype is xp.float32 else 1e-12 if dtype.is_float else 0)
    np.testing.assert_allclose(got, theirs, tolerance, tolerance / 100 if dtype.is_float else 0, err_msg=what)
    if got.dtype.kind == "f":
        zeros = theirs == 0
        assert (np.signbit(got) == np.signbit(theirs))[zeros].all(), f"signs of zeros: {what}"


@pytest.mark.parametrize("name", TAKES)
def test_elements(name: str) -> None:
    """Of every dtype that the standard has for it; two numbers in all pairs, and Python's numbers beside arrays."""
    ours, theirs = getattr(xp, name), getattr(np, name)
    for dtype in TAKES[name]:
        values = elements(dtype, name)
        with np.errstate(all="ignore"):
            if name in standard.UNARY.split():
                compare(ours(Tensor(values)), theirs(values), dtype, f"{name} of {dtype}", NOT_NEAR.get(name, 0))
                continue
            a, b = np.repeat(values, len(values)), np.tile(values, len(values))
            want = floor_divide(a, b) if name == "floor_divide" and dtype.is_float else theirs(a, b)
            compare(ours(Tensor(a), Tensor(b)), want, dtype, f"{name} of {dtype}", NOT_NEAR.get(name, 0))
            number = values[2].item() if dtype.is_float else values[1].item()
            beside = ours(Tensor(values), number), ours(number, Tensor(values))
            for got, pair in zip(beside, ((values, values.dtype.type(number)), (values.dtype.type(number), values))):
                if name != "floor_divide":
                    compare(got, theirs(*pair), dtype, f"{name} of {dtype} and a number", NOT_NEAR.get(name, 0))


def floor_divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The standard's, where NumPy has nan for inf // 2 and -1 for 1 // -inf."""
    return np.where(np.isinf(a) | np.isinf(b), a / b, np.floor_divide(a, b))


def test_every_function_of_elements_is_tested() -> None:
    elementwise = {*xp.elementwise.__all__} - {"clip"}  # type: ignore[attr-defined]
    assert elementwise == {*TAKES}


@pytest.mark.parametrize("name", ["add", "where", "maximum", "concat", "result_type"])
def test_promotion(name: str) -> None:
    """Every pair of one kind, arrays with dimensions and without."""
    shapes = ((2,), ()) if name != "concat" else ((2,),)
    for kinds in (BOOL, SIGNED + UNSIGNED, FLOATS):
        for a, b in itertools.product(kinds, kinds):
            if "uint64" in (a.name, b.name) and "int" in (a.kind, b.kind):
                with pytest.raises(DTypeError, match="holds both"):
                    promoted(name, Tensor.zeros(2, dtype=a), Tensor.zeros(2, dtype=b))
                continue
            for one, other in itertools.product(shapes, shapes):
                got = promoted(name, Tensor.zeros(one, dtype=a), Tensor.zeros(other, dtype=b))
                assert got.storage == np.promote_types(a.storage, b.storage), (a, b, one, other)


def promoted(name: str, a: Tensor, b: Tensor) -> DType:
    if name == "result_type":
        return xp.result_type(a, b.dtype)
    if name == "where":
        return xp.where(Tensor([True, False]), a, b).dtype
    return (xp.concat([a, b]) if name == "concat" else getattr(xp, name)(a, b)).dtype


def test_numbers_take_the_arrays_dtype() -> None:
    for dtype in REAL:
        x = Tensor.ones(2, dtype=dtype)
        assert xp.add(x, 1).dtype is xp.add(1, x).dtype is xp.where(x > 0, x, 3).dtype is dtype
        assert xp.result_type(dtype, 1, True) is dtype
    assert xp.multiply(Tensor([1], dtype="int8"), 0.5).dtype is xp.float32
    assert xp.clip(Tensor([1, 9], dtype="int8"), 2, Tensor([5, 5])).tolist() == [2, 5]
    assert xp.clip(Tensor([1, 9])).tolist() == [1, 9]


def test_what_is_no_array_is_refused() -> None:
    x = Tensor([1.0])
    for wrong in (lambda: xp.add(1, 2), lambda: xp.add(x, np.ones(1)), lambda: xp.sqrt(4.0), lambda: xp.sum([1])):
        with pytest.raises(OperandError):
            wrong()  # type: ignore[no-untyped-call]


# ---- everything else -------------------------------------------------------------------------------------------------

Case = Callable[[Any, Callable[..., Any]], Any]
M = [[4.0, 1.0, 0.5], [1.0, 3.0, 0.25], [0.5, 0.25, 2.0]]
OTHERS: dict[str, tuple[list[DType], Case]] = {
    "all": (ALL, lambda ns, a: [ns.all(a(2, 3)), ns.all(a(2, 3), axis=1), ns.all(a(2, 3), axis=(0, 1), keepdims=True)]),
    "any": (ALL, lambda ns, a: [ns.any(a(2, 3)), ns.any(a(2, 3), axis=()), ns.any(a(0, 3), axis=0)]),
    "arange": (
        REAL,
        lambda ns, a: [ns.arange(1, 9, 2, dtype=a()), ns.arange(3, dtype=a()), ns.arange(3, 0, dtype=a())],
    ),
    "argmax": (REAL, lambda ns, a: [ns.argmax(a(2, 3)), ns.argmax(a(2, 3), axis=1, keepdims=True)]),
    "argmin": (REAL, lambda ns, a: [ns.argmin(a(2, 3)), ns.argmin(a(2, 3), axis=-2)]),
    "argsort": (REAL, lambda ns, a: [ns.argsort(a(2, 5), stable=True), ns.argsort(a(4, 2), axis=0)]),
    "asarray": (REAL, lambda ns, a: [ns.asarray([[1, 2], [3, 4]], dtype=a()), ns.asarray(2, dtype=a())]),
    "astype": (
        ALL,
        lambda ns, a: [ns.astype(a(2, 3), ns.float64), ns.astype(a(2, 3), ns.int32), ns.astype(a(3), ns.bool)],
    ),
    "broadcast_arrays": (ALL, lambda ns, a: [*ns.broadcast_arrays(a(2, 1), a(3)), *ns.broadcast_arrays(a(2))]),
    "broadcast_to": (ALL, lambda ns, a: [ns.broadcast_to(a(3), (2, 3)), ns.broadcast_to(a(1, 0), (2, 0))]),
    "clip": (REAL, lambda ns, a: [ns.clip(a(2, 3), 1, 3), ns.clip(a(4), min=2), ns.clip(a(4), max=2)]),
    "concat": (ALL, lambda ns, a: [ns.concat([a(2, 3), a(1, 3)]), ns.concat([a(2), a(2, 2)], axis=None)]),
    "count_nonzero": (ALL, lambda ns, a: [ns.count_nonzero(a(2, 3)), ns.count_nonzero(a(2, 3), axis=1, keepdims=True)]),
    "cumulative_prod": (REAL, lambda ns, a: [ns.cumulative_prod(a(4)), ns.cumulative_prod(a(2, 2), axis=1)]),
    "cumulative_sum": (
        REAL,
        lambda ns, a: [
            ns.cumulative_sum(a(4), include_initial=True),
            ns.cumulative_sum(a(2, 3), axis=0, include_initial=True),
            ns.cumulative_sum(a(2, 3), axis=-1, dtype=ns.float64),
            ns.cumulative_sum(a(0), include_initial=True),
        ],
    ),
    "diff": (REAL, lambda ns, a: [ns.diff(a(5)), ns.diff(a(2, 4), axis=0, n=1, prepend=a(1, 4), append=a(1, 4))]),
    "empty": (ALL, lambda ns, a: [ns.empty((2, 3), dtype=a()).shape, ns.empty(2, dtype=a()).shape]),
    "empty_like": (ALL, lambda ns, a: [ns.empty_like(a(2, 3)).shape]),
    "expand_dims": (ALL, lambda ns, a: [ns.expand_dims(a(2, 3), axis=1), ns.expand_dims(a(2), axis=-1)]),
    "eye": (
        ALL,
        lambda ns, a: [eye(ns, 3, None, 0, a()), eye(ns, 2, 4, 1, a()), eye(ns, 3, 2, -1, a()), eye(ns, 2, 2, 9, a())],
    ),
    "flip": (ALL, lambda ns, a: [ns.flip(a(2, 3)), ns.flip(a(2, 3), axis=1), ns.flip(a(2, 3), axis=(0, 1))]),
    "from_dlpack": (ALL, lambda ns, a: [ns.from_dlpack(a(2, 3))]),
    "full": (REAL, lambda ns, a: [ns.full((2, 2), 3, dtype=a()), ns.full((), 3, dtype=a())]),
    "full_like": (REAL, lambda ns, a: [ns.full_like(a(2), 3), ns.full_like(a(2), 1, dtype=ns.int8)]),
    "linspace": (
        FLOATS,
        lambda ns, a: [ns.linspace(0, 1, num=5, dtype=a()), ns.linspace(2, -1, num=4, dtype=a(), endpoint=False)],
    ),
    "matmul": (REAL, lambda ns, a: [ns.matmul(a(2, 3), a(3, 2)), ns.matmul(a(3), a(3)), ns.matmul(a(2, 2, 3), a(3))]),
    "matrix_transpose": (ALL, lambda ns, a: [ns.matrix_transpose(a(2, 3, 4))]),
    "max": (
        REAL,
        lambda ns, a: [ns.max(a(2, 3)), ns.max(a(2, 3), axis=(0, 1)), ns.max(a(2, 3), axis=1, keepdims=True)],
    ),
    "mean": (FLOATS, lambda ns, a: [ns.mean(a(2, 3)), ns.mean(a(2, 3), axis=0), ns.mean(a(2, 3), axis=())]),
    "meshgrid": (
        ALL,
        lambda ns, a: [*ns.meshgrid(a(2), a(3)), *ns.meshgrid(a(2), a(3), indexing="ij"), *ns.meshgrid()],
    ),
    "min": (REAL, lambda ns, a: [ns.min(a(2, 3)), ns.min(a(2, 3), axis=0)]),
    "moveaxis": (ALL, lambda ns, a: [ns.moveaxis(a(2, 3, 4), 0, -1), ns.moveaxis(a(2, 3, 4), (0, 1), (1, 2))]),
    "nonzero": (ALL, lambda ns, a: [*ns.nonzero(a(2, 3)), *ns.nonzero(a(0))]),
    "ones": (ALL, lambda ns, a: [ns.ones((2, 3), dtype=a()), ns.ones(2, dtype=a())]),
    "ones_like": (ALL, lambda ns, a: [ns.ones_like(a(2, 3))]),
    "permute_dims": (ALL, lambda ns, a: [ns.permute_dims(a(2, 3, 4), (2, 0, 1))]),
    "prod": (
        REAL,
        lambda ns, a: [ns.prod(a(4)), ns.prod(a(2, 2), axis=1), ns.prod(a(2, 2), axis=(0, 1), dtype=ns.float64)],
    ),
    "repeat": (ALL, lambda ns, a: [ns.repeat(a(3), 2), ns.repeat(a(2, 3), 2, axis=1), ns.repeat(a(2, 2), 3)]),
    "reshape": (ALL, lambda ns, a: [ns.reshape(a(2, 3), (3, 2)), ns.reshape(a(2, 3), (-1,), copy=True)]),
    "roll": (
        ALL,
        lambda ns, a: [ns.roll(a(2, 3), 1), ns.roll(a(2, 3), -1, axis=1), ns.roll(a(2, 3), (1, 1), axis=(0, 1))],
    ),
    "searchsorted": (
        REAL,
        lambda ns, a: [
            ns.searchsorted(ns.sort(a(5)), a(2, 2)),
            ns.searchsorted(ns.sort(a(5)), a(3), side="right"),
            by_sorter(ns, a(5), a(3)),
        ],
    ),
    "sort": (REAL, lambda ns, a: [ns.sort(a(2, 5)), ns.sort(a(4, 2), axis=0)]),
    "squeeze": (ALL, lambda ns, a: [ns.squeeze(a(1, 3, 1), axis=0), ns.squeeze(a(1, 3, 1), axis=(0, 2))]),
    "stack": (ALL, lambda ns, a: [ns.stack([a(2), a(2)]), ns.stack([a(2), a(2)], axis=1)]),
    "std": (FLOATS, lambda ns, a: [ns.std(a(2, 3)), ns.std(a(2, 3), axis=1, correction=1.0), ns.std(a(2), axis=())]),
    "sum": (
        REAL,
        lambda ns, a: [ns.sum(a(2, 3)), ns.sum(a(2, 3), axis=(0, 1)), ns.sum(a(2, 3), axis=(), dtype=ns.float64)],
    ),
    "take": (ALL, lambda ns, a: [ns.take(a(5), ns.asarray([3, 0])), ns.take(a(2, 3), ns.asarray([2, 1]), axis=1)]),
    "take_along_axis": (ALL, lambda ns, a: [ns.take_along_axis(a(2, 3), ns.asarray([[2], [0]]), axis=1)]),
    "tensordot": (
        REAL,
        lambda ns, a: [
            ns.tensordot(a(2, 3), a(3, 2), axes=1),
            ns.tensordot(a(2, 3), a(3, 2), axes=((0, 1), (1, 0))),
            ns.tensordot(a(2), a(3), axes=0),
        ],
    ),
    "tile": (ALL, lambda ns, a: [ns.tile(a(2, 3), (2,)), ns.tile(a(2), (2, 2))]),
    "tril": (ALL, lambda ns, a: [ns.tril(a(3, 3)), ns.tril(a(2, 2, 3), k=-1), ns.tril(a(2, 2), k=-(2**40))]),
    "triu": (ALL, lambda ns, a: [ns.triu(a(3, 3)), ns.triu(a(2, 2, 3), k=1), ns.triu(a(2, 2), k=2**40)]),
    "unique_all": (ALL, lambda ns, a: [*ns.unique_all(a(2, 5))]),
    "unique_counts": (ALL, lambda ns, a: [*ns.unique_counts(a(6))]),
    "unique_inverse": (ALL, lambda ns, a: [*ns.unique_inverse(a(2, 3))]),
    "unique_values": (ALL, lambda ns, a: [ns.sort(ns.astype(ns.unique_values(a(6)), ns.float64))]),
    "unstack": (ALL, lambda ns, a: [*ns.unstack(a(2, 3)), *ns.unstack(a(2, 3), axis=1)]),
    "var": (FLOATS, lambda ns, a: [ns.var(a(2, 3)), ns.var(a(2, 3), axis=0, correction=1, keepdims=True)]),
    "vecdot": (REAL, lambda ns, a: [ns.vecdot(a(2, 3), a(3)), ns.vecdot(a(2, 3), a(2, 1), axis=-2)]),
    "where": (ALL, lambda ns, a: [ns.where(ns.asarray([[True], [False]]), a(3), a(2, 3))]),
    "zeros": (ALL, lambda ns, a: [ns.zeros((2, 3), dtype=a())]),
    "zeros_like": (ALL, lambda ns, a: [ns.zeros_like(a(2, 3))]),
    "linalg.cholesky": (
        FLOATS,
        lambda ns, a: [
            ns.linalg.cholesky(ns.asarray(M, dtype=a())),
            ns.linalg.cholesky(ns.asarray([M, M], dtype=a()), upper=True),
        ],
    ),
    "linalg.cross": (
        REAL,
        lambda ns, a: [ns.linalg.cross(a(2, 3), a(2, 3)), ns.linalg.cross(a(3, 2), a(3, 2), axis=0)],
    ),
    "linalg.det": (FLOATS, lambda ns, a: [ns.linalg.det(ns.asarray([M, M], dtype=a()))]),
    "linalg.diagonal": (ALL, lambda ns, a: [ns.linalg.diagonal(a(2, 3, 4)), ns.linalg.diagonal(a(3, 3), offset=-1)]),
    "linalg.eigh": (FLOATS, lambda ns, a: [eigh_product(ns, ns.asarray(M, dtype=a()))]),
    "linalg.eigvalsh": (FLOATS, lambda ns, a: [ns.linalg.eigvalsh(ns.asarray(M, dtype=a()))]),
    "linalg.inv": (FLOATS, lambda ns, a: [ns.linalg.inv(ns.asarray([M, M], dtype=a()))]),
    "linalg.matmul": (REAL, lambda ns, a: [ns.linalg.matmul(a(2, 3), a(3, 2))]),
    "linalg.matrix_norm": (
        FLOATS,
        lambda ns, a: [
            ns.linalg.matrix_norm(a(2, 2, 3), ord=order, keepdims=keep)
            for order in ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf)
            for keep in (False, True)
        ],
    ),
    "linalg.matrix_power": (
        FLOATS,
        lambda ns, a: [ns.linalg.matrix_power(ns.asarray(M, dtype=a()), n) for n in (0, 3, -1)],
    ),
    "linalg.matrix_rank": (
        FLOATS,
        lambda ns, a: [
            ns.linalg.matrix_rank(ns.asarray([M, M], dtype=a())),
            ns.linalg.matrix_rank(ns.asarray(M, dtype=a()), rtol=0.6),
        ],
    ),
    "linalg.matrix_transpose": (ALL, lambda ns, a: [ns.linalg.matrix_transpose(a(2, 3))]),
    "linalg.outer": (REAL, lambda ns, a: [ns.linalg.outer(a(2), a(3))]),
    "linalg.pinv": (
        FLOATS,
        lambda ns, a: [ns.linalg.pinv(a(2, 3)), ns.linalg.pinv(ns.asarray(M, dtype=a()), rtol=0.6)],
    ),
    "linalg.qr": (FLOATS, lambda ns, a: [qr_product(ns, a(4, 3), mode) for mode in ("reduced", "complete")]),
    "linalg.slogdet": (FLOATS, lambda ns, a: [*ns.linalg.slogdet(ns.asarray([M, M], dtype=a()))]),
    "linalg.solve": (
        FLOATS,
        lambda ns, a: [
            ns.linalg.solve(ns.asarray(M, dtype=a()), a(3)),
            ns.linalg.solve(ns.asarray(M, dtype=a()), a(3, 2)),
            ns.linalg.solve(ns.asarray([M, M, M], dtype=a()), a(3, 1)),
            ns.linalg.solve(ns.asarray(M, dtype=a()), a(2, 3, 2)),
        ],
    ),
    "linalg.svd": (FLOATS, lambda ns, a: [svd_product(ns, a(2, 4, 3), full) for full in (False, True)]),
    "linalg.svdvals": (FLOATS, lambda ns, a: [ns.linalg.svdvals(a(2, 4, 3))]),
    "linalg.tensordot": (REAL, lambda ns, a: [ns.linalg.tensordot(a(2, 3), a(2, 3))]),
    "linalg.trace": (REAL, lambda ns, a: [ns.linalg.trace(a(2, 3, 3)), ns.linalg.trace(a(3, 4), offset=1)]),
    "linalg.vecdot": (REAL, lambda ns, a: [ns.linalg.vecdot(a(2, 3), a(2, 3))]),
    "linalg.vector_norm": (
        FLOATS,
        lambda ns, a: [
            ns.linalg.vector_norm(a(2, 3), axis=axis, ord=order, keepdims=keep)
            for axis, order, keep in itertools.product(
                (None, 1, (0, 1), ()), (2, 1, 0, 3.5, math.inf, -math.inf), (False, True)
            )
            if axis != () or not keep
        ],
    ),
    "fft.fftfreq": (
        FLOATS,
        lambda ns, a: [frequencies(ns, "fftfreq", n, d, a()) for n in (1, 4, 5) for d in (1.0, 0.1)],
    ),
    "fft.rfftfreq": (
        FLOATS,
        lambda ns, a: [frequencies(ns, "rfftfreq", n, d, a()) for n in (1, 4, 5) for d in (1.0, 0.1)],
    ),
    "fft.fftshift": (
        FLOATS,
        lambda ns, a: [ns.fft.fftshift(a(5)), ns.fft.fftshift(a(4, 3)), ns.fft.fftshift(a(4, 3), axes=1)],
    ),
    "fft.ifftshift": (FLOATS, lambda ns, a: [ns.fft.ifftshift(a(5)), ns.fft.ifftshift(a(4, 3), axes=(0, 1))]),
}
REFUSED = {
    f"fft.{name}" for name in ["fft", "fftn", "hfft", "ifft", "ifftn", "ihfft", "irfft", "irfftn", "rfft", "rfftn"]
}
OF_TYPES = {"can_cast", "finfo", "iinfo", "isdtype", "result_type"}  # tests of their own


def eye(ns: ModuleType, n: int, m: int | None, k: int, dtype: Any) -> Any:
    return ns.eye(n, m, k=k, dtype=dtype)


def frequencies(ns: ModuleType, name: str, n: int, d: float, dtype: Any) -> Any:
    return np.asarray(getattr(np.fft, name)(n, d), dtype) if ns is np else getattr(ns.fft, name)(n, d=d, dtype=dtype)


def eigh_product(ns: ModuleType, x: Any) -> Any:
    values, vectors = ns.linalg.eigh(x)
    return ns.matmul(vectors * values, ns.matrix_transpose(vectors))


def by_sorter(ns: ModuleType, line: Any, values: Any) -> Any:
    return ns.searchsorted(line, values, sorter=ns.argsort(line))


def qr_product(ns: ModuleType, x: Any, mode: str) -> Any:
    q, r = ns.linalg.qr(x, mode=mode)
    return ns.matmul(q, r)


def svd_product(ns: ModuleType, x: Any, full: bool) -> Any:
    u, s, vh = ns.linalg.svd(x, full_matrices=full)
    size = s.shape[-1]
    return ns.matmul(u[..., :size] * s[..., None, :], vh[..., :size, :])


def arrays(ns: ModuleType, dtype: DType) -> Callable[..., Any]:
    """What a case makes its arrays with, the same ones in both namespaces; the dtype itself where it asks for none."""
    rng = np.random.default_rng(3)

    def make(*shape: int) -> Any:
        if not shape:
            return dtype.storage if ns is np else dtype
        if dtype.is_float:
            values = rng.normal(0, 2, shape).astype(dtype.storage)
        else:
            values = rng.integers(0, 2 if dtype.is_bool else 5, shape).astype(dtype.storage)
        return values if ns is np else Tensor(values)

    return make


@pytest.mark.parametrize("name", OTHERS)
def test_values(name: str) -> None:
    kinds, case = OTHERS[name]
    for dtype in kinds:
        ours, theirs = case(xp, arrays(xp, dtype)), case(np, arrays(np, dtype))
        assert len(ours) == len(theirs)
        for k, (got, want) in enumerate(zip(ours, theirs)):
            if isinstance(got, tuple):
                assert got == want
            else:
                compare(got, want, dtype, f"{name} of {dtype}, result {k}", 1e-4 if "linalg" in name else 0)


def test_every_function_is_tested() -> None:
    assert {*signatures()} - {*TAKES} - {*OTHERS} - REFUSED == OF_TYPES


def test_order_is_stable_and_goes_down() -> None:
    x = xp.asarray([3, 1, 3, 2, 1])
    assert xp.sort(x, descending=True).tolist() == [3, 3, 2, 1, 1]
    assert xp.argsort(x, descending=True).tolist() == [0, 2, 3, 1, 4]
    assert xp.argsort(x).tolist() == [1, 4, 3, 0, 2]


def test_every_nan_is_a_value_of_its_own() -> None:
    values, indices, inverse, counts = xp.unique_all(xp.asarray([[math.nan, 2.0], [1.0, math.nan]]))
    assert values.tolist()[:2] == [1, 2]
    assert xp.isnan(values).tolist() == [False, False, True, True]
    assert (indices.tolist(), inverse.tolist(), counts.tolist()) == ([2, 1, 0, 3], [[2, 1], [0, 3]], [1, 1, 1, 1])


def test_what_does_not_fit_is_refused() -> None:
    x, y = xp.ones((2, 3)), xp.ones((2, 2))
    for wrong in (
        lambda: xp.squeeze(x, 0),
        lambda: xp.nonzero(xp.asarray(1)),
        lambda: xp.take(x, xp.asarray([0])),
        lambda: xp.cumulative_sum(x),
        lambda: xp.vecdot(x, xp.ones((2, 1))),
        lambda: xp.linalg.cross(y, y),
        lambda: xp.matmul(xp.asarray(1.0), y),
    ):
        with pytest.raises(ShapeError):
            wrong()  # type: ignore[no-untyped-call]
    with pytest.raises(LinAlgError):
        xp.linalg.inv(y)


def test_transforms_say_that_they_are_complex() -> None:
    for name in sorted(REFUSED):
        with pytest.raises(DTypeError, match=f"{name}: a spectrum is complex"):
            getattr(xp.fft, name.partition(".")[2])(xp.ones(4))


# ---- data types and copies -------------------------------------------------------------------------------------------


def test_what_types_hold() -> None:
    for dtype in FLOATS:
        ours, theirs = xp.finfo(dtype), np.finfo(dtype.storage)
        for name in ("bits", "eps", "max", "min", "smallest_normal"):
            assert getattr(ours, name) == float(getattr(theirs, name)), name
        assert ours.dtype is xp.finfo(Tensor([1.0], dtype=dtype)).dtype is dtype
    for dtype in INTS:
        held = xp.iinfo(Tensor([1], dtype=dtype))
        info = np.iinfo(dtype.storage)
        assert (held.bits, held.max, held.min, held.dtype) == (info.bits, info.max, info.min, dtype)
    for a, b in itertools.product(ALL, ALL):
        if a.kind[-3:] == b.kind[-3:] or a.is_bool:  # one kind, or any for bools
            assert xp.can_cast(a, b) == np.can_cast(a.storage, b.storage), (a, b)
            assert xp.can_cast(Tensor.zeros(2, dtype=a), b) == xp.can_cast(a, b)
    for dtype in ALL:
        for kind in (
            "bool",
            "signed integer",
            "unsigned integer",
            "integral",
            "real floating",
            "complex floating",
            "numeric",
        ):
            assert xp.isdtype(dtype, kind) == np.isdtype(dtype.storage, kind)
        assert xp.isdtype(dtype, (dtype, "complex floating"))
        assert not xp.isdtype(dtype, tuple(d for d in ALL if d is not dtype))
    with pytest.raises(ArgumentError, match="real floating"):
        xp.isdtype(dtypes.float32, "float")


def test_copies_are_made_as_asked() -> None:
    x = xp.asarray([1, 2])
    for fresh in (xp.asarray(x, copy=True), xp.astype(x, xp.int64), xp.reshape(x, (2,), copy=True)):
        fresh[0] = 9
        assert x.tolist() == [1, 2]
    assert xp.asarray(x) is xp.asarray(x, copy=False) is xp.astype(x, xp.int64, copy=False) is x
    array = np.arange(3.0)
    assert np.shares_memory(array, np.asarray(xp.asarray(array, copy=False)))
    assert not np.shares_memory(array, np.asarray(xp.asarray(array)))
    for refused in (
        lambda: xp.asarray(x, dtype=xp.float32, copy=False),
        lambda: xp.asarray([1, 2], copy=False),
        lambda: xp.asarray(array, dtype=xp.float32, copy=False),
    ):
        with pytest.raises(ValueError, match="copy"):
            refused()


def test_other_arrays_are_taken() -> None:
    torch = pytest.importorskip("torch")
    assert xp.asarray(torch.ones(2, dtype=torch.bfloat16)).dtype is dtypes.bfloat16
    assert xp.asarray(memoryview(np.arange(3.0))).tolist() == [0, 1, 2]
    assert xp.asarray(np.float32(1.5), dtype=xp.float64).dtype is xp.float64
    assert (xp.asarray(1e300).item(), xp.asarray(1e300).dtype, xp.asarray(math.inf).dtype) == (
        1e300,
        xp.float64,
        xp.float32,
    )
    with pytest.raises(DTypeError):
        xp.asarray(1j)


def test_a_portable_function_runs_on_a_device_and_has_gradients(device: str) -> None:
    def standardized(x: Any) -> Any:
        ns = x.__array_namespace__()
        return ns.sum(ns.square((x - ns.mean(x, axis=-1, keepdims=True)) / ns.std(x, axis=-1, keepdims=True)) * x)

    rng = np.random.default_rng(0).normal(size=(4, 8))
    x = Tensor(rng, device=device, requires_grad=True)
    total = standardized(x)
    assert total.device == device
    np.testing.assert_allclose(total.item(), standardized(rng))
    total.backward()
    assert x.grad is not None
    assert x.grad.shape == (4, 8)
