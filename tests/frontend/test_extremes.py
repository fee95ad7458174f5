"""Values and gradients where functions bend, saturate and overflow, against PyTorch in float32 and float64."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from lazygrad import Tensor, dtypes
from lazygrad.ops.second_names import SecondNames
from lazygrad.settings import settings
from tests.extremes import BINARY, UNARY, Row, pairs, points
from tests.extremes_elementwise import BINARY as MORE_OF_TWO
from tests.extremes_elementwise import UNARY as MORE

Array = np.ndarray[Any, Any]
FLOATS = (dtypes.float64, dtypes.float32)
RELATIVE = {"float32": 2e-6, "float64": 1e-12}
TINY = {"float32": 1.5e-43, "float64": 1e-321}  # a subnormal, rounded, times 100


@dataclass(frozen=True)
class Case:
    name: str
    row: Row
    inputs: tuple[Array, ...]
    value: Tensor
    slopes: tuple[Tensor | None, ...]


def case(name: str, row: Row, dtype: str) -> Case:
    """Not yet computed: all cases of a dtype are compiled together."""
    inputs = pairs(dtype) if name in BINARY or name in MORE_OF_TWO else (points(dtype),)
    if row.domain is not None:
        inputs = tuple(x[row.domain(x)] for x in inputs)
    tensors = [Tensor(x, requires_grad=True) for x in inputs]
    value = row.call(*tensors)
    if value.requires_grad:
        value.sum().backward()
    return Case(name, row, inputs, value, tuple(t.grad for t in tensors))


@pytest.fixture(scope="module", params=["NUMPY", "OPENCL"])
def computed(request: pytest.FixtureRequest) -> Iterator[list[Case]]:
    with settings.override(device=request.param):
        rows = {**UNARY, **BINARY} if request.param != "NUMPY" else {**MORE, **MORE_OF_TWO, **UNARY, **BINARY}
        cases = [case(n, row, dtype) for dtype in RELATIVE for n, row in rows.items()]
        Tensor.realize(*(t for c in cases for t in (c.value, *c.slopes) if t is not None))
        yield cases


def pytorch(c: Case, dtype: str) -> tuple[Array, list[Array | None]]:
    """What PyTorch computes in `dtype`, from the same inputs.

    Its vectors treat nan otherwise than it does where fewer numbers are left than a vector has (gradients of relu6,
    hardtanh, hardshrink): what it computes of most numbers of a large tensor is what counts.
    """
    n = len(c.inputs[0])
    whole = -(-n // 64) * 64
    value, slopes = _computed(c.row, [np.resize(x.astype(dtype), whole) for x in c.inputs])
    return value[:n], [s if s is None else s[:n] for s in slopes]


def _computed(row: Row, inputs: Sequence[Array]) -> tuple[Array, list[Array | None]]:
    tensors = [torch.tensor(x, requires_grad=True) for x in inputs]
    value = row.theirs(*tensors)
    if value.requires_grad:
        value.sum().backward()
    return value.detach().numpy(), [None if t.grad is None else t.grad.numpy(force=True) for t in tensors]


def agrees(got: Array, wanted: Array, dtype: str, exact: bool) -> Any:
    if got.dtype == bool or exact:
        return (got == wanted) | ((got != got) & (wanted != wanted))
    wanted = wanted.astype(dtype).astype(np.float64)
    return np.isclose(got.astype(np.float64), wanted, rtol=RELATIVE[dtype], atol=TINY[dtype], equal_nan=True)


def where_wrong(c: Case, got: Array, wanted: Sequence[Any], skipped: Any) -> str:
    """The points at which `got` is neither PyTorch's result in the same dtype nor its result in float64, rounded."""
    dtype = c.inputs[0].dtype.name
    wrong = ~np.logical_or.reduce([agrees(got, w, dtype, c.row.exact) for w in wanted])
    if skipped is not None:
        wrong &= ~skipped[0](*c.inputs)
    places = np.flatnonzero(wrong)[:5]
    return "; ".join(f"{[float(x[i]) for x in c.inputs]}: {got[i]}, not {[w[i] for w in wanted]}" for i in places)


@np.errstate(all="ignore")
def test_values(computed: list[Case]) -> None:
    wrong = {}
    for c in computed:
        wanted = [pytorch(c, d)[0] for d in (c.inputs[0].dtype.name, "float64")]
        if found := where_wrong(c, c.value.numpy(), wanted, c.row.values_differ):
            wrong[c.name, c.inputs[0].dtype.name] = found
    assert not wrong, "\n".join(f"{k}: {v}" for k, v in wrong.items())


@np.errstate(all="ignore")
def test_gradients(computed: list[Case]) -> None:
    wrong = {}
    for c in computed:
        dtype = c.inputs[0].dtype.name
        by_torch = [pytorch(c, d)[1] for d in (dtype, "float64")]
        for i, x in enumerate(c.inputs):
            slope, wanted = c.slopes[i], [slopes[i] for slopes in by_torch]
            if slope is None or wanted[0] is None:
                if (slope is None) is not (wanted[0] is None):
                    wrong[c.name, dtype, i] = f"there is {'none' if slope is None else 'one'}, unlike PyTorch's"
                continue
            if c.row.slope is not None:
                wanted = [c.row.slope(x.astype(np.longdouble))]
            if found := where_wrong(c, slope.numpy(), wanted, c.row.slopes_differ):
                wrong[c.name, dtype, i] = found
    assert not wrong, "\n".join(f"{k}: {v}" for k, v in wrong.items())


OTHERS = {
    "cos tan": "have tests of their own, of how they reduce their arguments",
    "add_ sub_ mul_ div_ clamp_ clip safe_div max min": "are made of those that have rows",
    "float_power true_divide rsub fill igamma igammac zeta psi quick_gelu": "are made of those that have rows",
    "mod swish": "are other names of those that have rows",
    " ".join(vars(SecondNames)): "are other names of those that have rows",
    "cpu cuda": "move elements",
    "poisson": "is drawn at random",
    "heaviside": "has no gradient",
    "modified_bessel_i0 modified_bessel_i1 modified_bessel_k0 modified_bessel_k1 scaled_modified_bessel_k0": "have a "
    "gradient, unlike PyTorch's",
    "scaled_modified_bessel_k1 bessel_j0 bessel_j1 bessel_y0 bessel_y1 spherical_bessel_j0 airy_ai": "likewise",
}


def test_every_elementwise_operation_has_a_row() -> None:
    """Whatever maps floats to as many floats, each by itself, from one tensor or two."""
    known = {n for names in OTHERS for n in names.split()} | {*BINARY, *MORE, *MORE_OF_TWO}
    known |= {n for row in UNARY for n in (row, row.rpartition("_")[0])}
    names = [
        n for n in dir(Tensor) if hasattr(Tensor, n) and not n.startswith("_") and not {n, n.removesuffix("_")} & known
    ]
    missing = [n for n in names if _is_elementwise(n)]
    assert not missing, "have no row in tests/extremes.py"


def _is_elementwise(name: str) -> bool:
    """Whether another element of one tensor, alone or beside a second, changes the result at its place alone."""
    other = np.array([[0.5, 0.6], [0.7, 0.8]])
    for more in ((), (other,)):
        results = []
        for first in (-0.3, 3.2):
            try:
                y = getattr(Tensor(np.array([[first, 0.2], [0.3, 0.4]])), name)(*map(Tensor, more))
            except Exception:  # noqa: BLE001 - of whatever kind: it is no function of so many tensors
                break
            if isinstance(y, Tensor) and y.shape == (2, 2) and y.dtype in FLOATS:
                results.append(y.numpy())
        if len(results) == 2 and (results[0] != results[1]).tolist() == [[True, False], [False, False]]:
            return (results[0][0, 0], results[1][0, 0]) != (-0.3, 3.2)
    return False


def test_zeros_keep_their_signs(device: str) -> None:
    """What PyTorch's roundings give a minus, ours do."""
    few = np.array([-0.0, 0.0, -0.5, 0.5, -0.2, 0.2, -1e-20, 1e-20, -2.5, 2.5, 1.0, -1.0])
    a, b = np.repeat(few, len(few)), np.tile(few, len(few))
    x, y = Tensor(a, device=device), Tensor(b, device=device)
    for name in ("ceil", "floor", "round", "trunc", "log1p"):
        want = getattr(torch.from_numpy(a), name)().numpy()
        got = getattr(x, name)().numpy()
        known = ~np.isnan(want)
        np.testing.assert_array_equal(np.signbit(got)[known], np.signbit(want)[known], name)
    got, want = (x // y).numpy(), (torch.from_numpy(a) // torch.from_numpy(b)).numpy()
    np.testing.assert_array_equal(got, want)
    known = ~np.isnan(want)
    np.testing.assert_array_equal(np.signbit(got)[known], np.signbit(want)[known])
