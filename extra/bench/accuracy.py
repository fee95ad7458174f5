"""How exact elementary functions are: `python -m extra.bench.accuracy [--device NAME ...] [--points 2000]`.

The largest error of each function, dtype and device in units in the last place of the exact result (half a unit is the
best there is), over points spread over all magnitudes, around the places where functions vanish, and at both ends. For
float64 the exact values are mpmath's with 40 digits; for narrower floats, PyTorch's in float64.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import mpmath
import numpy as np
import torch

from extra.bench import harness
from lazygrad import Tensor

Array = np.ndarray[Any, Any]
DTYPES = ("float32", "float64", "float16", "bfloat16")
BOUND = {"float32": 4.0, "float64": 6.0, "float16": 1.0, "bfloat16": 1.0}  # units in the last place, at most
MANTISSA = {"float32": 23, "float64": 52, "float16": 10, "bfloat16": 7}
LEAST_EXPONENT = {"float32": -126, "float64": -1022, "float16": -14, "bfloat16": -126}


@dataclass(frozen=True, eq=False)
class Function:
    """One function: its exact values, and the exponents of 10 between which its arguments are drawn.

    Args:
        around: points in whose neighbourhood more arguments are drawn.
        both: whether arguments have both signs.
        limit: the largest magnitude of an argument, where that is not a power of 10, by dtype.
    """

    name: str
    exact: Callable[..., Any]
    low: int
    high: int
    around: tuple[float, ...] = ()
    both: bool = True
    limit: dict[str, float] | None = None
    operands: int = 1


@dataclass(frozen=True)
class Row:
    """The largest error in units in the last place, and over how many points."""

    function: str
    dtype: str
    device: str
    ulp: float
    points: int


_LOGARITHM = {"float32": 88.0, "float64": 708.0, "float16": 11.0, "bfloat16": 88.0}
FUNCTIONS = [
    Function("exp", mpmath.exp, -8, 3, (0.0, 1.0), limit=_LOGARITHM),
    Function("log", mpmath.log, -30, 30, (1.0, 2.0), both=False),
    Function("log1p", mpmath.log1p, -30, 30, (-0.5,), both=False),
    Function("expm1", mpmath.expm1, -20, 3, (0.7, -0.7), limit=_LOGARITHM),
    Function("sin", mpmath.sin, -10, 6, (3.14159, 1e3, 1e6)),
    Function("cos", mpmath.cos, -10, 6, (1.5708, 1e3, 1e6)),
    Function("tan", mpmath.tan, -10, 6, (1.5708, 3.14159, 1e6)),
    Function("tanh", mpmath.tanh, -20, 2, (0.5, -0.5)),
    Function("erf", mpmath.erf, -20, 1, (1.0, -1.0, 4.0)),
    Function("erfinv", mpmath.erfinv, -20, 0, (0.9, 1.0, -1.0), limit=dict.fromkeys(DTYPES, 1.0)),
    Function("lgamma", lambda x: mpmath.re(mpmath.loggamma(x)), -10, 6, (1.0, 2.0, 3.0, 10.0), both=False),
    Function("pow", mpmath.power, -4, 4, (1.0,), both=False, operands=2),
    Function("rsqrt", lambda x: 1 / mpmath.sqrt(x), -30, 30, (1.0,), both=False),
]


def arguments(function: Function, dtype: str, count: int) -> tuple[Array, ...]:
    """About `count` arguments, as numbers of `dtype` in float64."""
    draw = np.random.default_rng(len(function.name))
    sizes = 10.0 ** draw.uniform(function.low, function.high, count)
    x = np.where(draw.random(count) < 0.5, -sizes, sizes) if function.both else sizes
    near = [place + spread * draw.uniform(-1, 1, count // 8) for place in function.around for spread in (0.1, 1e-4)]
    x = np.concatenate([x, *near])
    if function.limit is not None:
        x = x[np.abs(x) < function.limit[dtype]]
    exponents = (draw.uniform(-8, 8, len(x)),) if function.operands == 2 else ()
    return tuple(_rounded(a, dtype) for a in (x, *exponents))


def _rounded(x: Array, dtype: str) -> Array:
    kept = torch.tensor(x).to(getattr(torch, dtype)).double().numpy()
    return np.asarray(kept)


@cache
def exact_values(function: Function, dtype: str, count: int) -> tuple[Any, ...]:
    """The results of `arguments`: as mpmath's numbers for float64, else in float64."""
    inputs = arguments(function, dtype, count)
    if dtype == "float64":
        with mpmath.workdps(40):
            return tuple(function.exact(*map(mpmath.mpf, map(float, point))) for point in zip(*inputs))
    values = getattr(torch, function.name)(*map(torch.tensor, inputs)).numpy()
    return tuple(values.tolist())


def table(devices: list[str], dtypes: tuple[str, ...], count: int) -> list[Row]:
    """One row for each function, dtype and device. All kernels of a device and a dtype are compiled together."""
    rows = []
    for dtype in dtypes:
        for device in devices:
            results = []
            for function in FUNCTIONS:
                inputs = [Tensor(x, dtype=dtype, device=device) for x in arguments(function, dtype, count)]
                results.append(getattr(inputs[0], function.name)(*inputs[1:]))
            Tensor.realize(*results)
            for function, result in zip(FUNCTIONS, results):
                ours = result.numpy().astype(np.float64)
                units = np.array(list(_units(ours, exact_values(function, dtype, count), dtype)))
                rows.append(Row(function.name, dtype, device, round(float(units.max()), 2), len(units)))
    return rows


def _units(results: Array, exact: tuple[Any, ...], dtype: str) -> Iterator[float]:
    least = LEAST_EXPONENT[dtype]
    most = 2.0 ** (1 - least) if dtype != "float16" else 65504.0
    for ours, value in zip(results.tolist(), exact):
        size = abs(float(value))
        if not 2.0**least <= size < most:
            continue
        place = 2.0 ** (int(np.frexp(size)[1]) - 1 - MANTISSA[dtype])
        yield float(abs(value - ours) / place) if np.isfinite(ours) else float("inf")


def main() -> int:
    """Measure, print, and keep the table; how many rows are above the bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", nargs="*", default=["OPENCL", "NUMPY"])
    parser.add_argument("--points", type=int, default=2000)
    given = parser.parse_args()
    rows = table(given.device, DTYPES, given.points)
    above = [row for row in rows if not row.ulp <= BOUND[row.dtype]]
    for row in rows:
        mark = "  above the bound" if row in above else ""
        print(f"{row.function:8} {row.dtype:9} {row.device:14} {row.ulp:8.2f}{mark}")
    about = harness.machine()
    path = harness.RESULTS / f"accuracy-{about['date'][:10]}.json"
    document = {"machine": about, "largest_error_in_units_in_the_last_place": [asdict(row) for row in rows]}
    harness.write_atomically(path, json.dumps(document, indent=1) + "\n")
    return len(above)


if __name__ == "__main__":
    sys.exit(main())
