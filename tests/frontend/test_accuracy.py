"""Elementary functions are as exact as the benchmark's table of their errors says."""

from __future__ import annotations

import numpy as np
import pytest

from extra.bench import accuracy

KINDS = [("NUMPY", dtype) for dtype in accuracy.DTYPES] + [("OPENCL", "float32"), ("OPENCL", "float64")]


@pytest.mark.parametrize(("device", "dtype"), KINDS)
def test_no_error_is_above_the_bound(device: str, dtype: str) -> None:
    rows = accuracy.table([device], (dtype,), 120)
    assert {row.function for row in rows} == {function.name for function in accuracy.FUNCTIONS}
    assert all(row.points > 30 for row in rows)
    assert not [row for row in rows if not row.ulp <= accuracy.BOUND[dtype]]


def test_errors_are_seen() -> None:
    """A result that is off by some units is that far off; nan and infinity are infinitely far."""
    exact = (1.0, 3.0, 2.0, 5.0)
    ours = np.array([1.0 + 2.0**-22, 3.0, np.nan, np.inf])
    assert list(accuracy._units(ours, exact, "float32")) == [2.0, 0.0, np.inf, np.inf]
