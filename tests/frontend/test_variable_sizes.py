"""Every operation over variable sizes gives what it gives over known ones, or says that it needs those."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor, Variable, cat, dtypes, jit
from lazygrad.errors import BoundsError, LazygradError, ShapeError
from lazygrad.settings import settings
from tests.frontend.test_op_table import Arrays, close, samples, tensors, varies
from tests.op_row import Row
from tests.op_table import TABLE
from tests.op_table_images import RESAMPLED, TRANSPOSED
from tests.op_table_linalg import FACTORS, SOLUTIONS

ON_THE_HOST = [row.name for row in [*FACTORS, *SOLUTIONS]]
ON_THE_HOST += [f"linalg_matrix_norm_{order}" for order in ("nuc", 2, -2)]
ON_THE_HOST += [f"linalg_{name}" for name in ("cond", "cond_1", "matrix_power_of_inverse", "matrix_exp")]
SPARE = 3  # how much larger than its value the variable can be
NEED_NUMBERS = {  # rows that cut, count or index by a number what has a variable size
    "conv2d_1_2_9_8_dilation=(2, 3)": "does not fit",
    "conv2d_2_3_5_6_padding=1": "symbolic",
    "conv2d_1_1_3_3_stride=5": "symbolic",
    "conv2d_2_4_6_6_groups=2_stride=(1, 3)": "does not fit",
    "corrcoef": "must be a number",
    "combinations": "must be a number",
    **dict.fromkeys(("diag", "diag_of_matrix", "diagflat", "diagonal", "diagonal_of_dims"), "must be a number"),
    **dict.fromkeys(("diagonal_below", "diagonal_scatter"), "must be a number"),
    "einsum_ii->i": "must be a number",
    "einsum_ijij,jk->ik": "must be a number",
    "gather": "for all values of n",
    "gradient_evenly": "must be a number",
    "index_by_mask": "does not fit",
    "index_int": "for all values of n",
    "index_mask": "does not fit",
    "index_none": "for all values of n",
    "masked_select": "does not fit",
    "pdist": "must be a number",
    "reduce_all": "symbolic",
    "roll": "must be a number",
    "roll_flat": "must be a number",
    "scatter": "for all values of n",
    "scatter_add": "for all values of n",
    "scatter_scalar": "for all values of n",
    "slice_scatter": "a step needs known sizes",
    **dict.fromkeys(("tensor_split_places", "unfold_apart", "vsplit"), "must be a number"),
    "topk_smallest": "for all values of n",
    "trace": "must be a number",
    "view": "cannot have shape",
    **dict.fromkeys((row.name for row in TRANSPOSED), "symbolic"),
    **dict.fromkeys((row.name for row in RESAMPLED if row.inputs[1:] and row.inputs[1].shape[0] == 2), "do not fit"),
    "affine_grid": "theta",
    "conv3d_plain": "does not fit",
    **dict.fromkeys((*ON_THE_HOST, "linalg_matrix_exp_of_large"), "must be known"),
    **dict.fromkeys(("linalg_tensorinv", "linalg_tensorsolve"), "cannot have shape"),
}
ROWS = {name: row for name, row in TABLE.items() if row.inputs and any(n > 1 for n in row.inputs[0].shape)}
ON_OPENCL = [row for name, row in ROWS.items() if name not in NEED_NUMBERS][::4]


def over_variables(arrays: Arrays, least: int = 1) -> list[Tensor]:
    """Tensors of which every dimension as long as the first one of the first array has a variable size."""
    size = next(n for n in arrays[0].shape if n > 1)
    n = Variable("n", least, size + SPARE).bind(size)
    made = []
    for a in arrays:
        larger = np.pad(a, [(0, SPARE if m == size else 0) for m in a.shape], mode="edge") if a.ndim else a
        t = Tensor(larger, dtype=dtypes.float64 if varies(a) else None)
        made.append(t[tuple(slice(0, n if m == size else m) for m in a.shape)] if a.ndim else t)
    return made


def known(row: Row) -> np.ndarray[Any, Any]:
    with settings.override(device="NUMPY"):
        value: np.ndarray[Any, Any] = row.call(*tensors(samples(row))).numpy()
    return value


@pytest.mark.parametrize("name", ROWS)
def test_operations(name: str) -> None:
    row = ROWS[name]
    if name in NEED_NUMBERS:
        with pytest.raises(LazygradError, match=NEED_NUMBERS[name]):
            row.call(*over_variables(samples(row)))
    else:
        close(row.call(*over_variables(samples(row))).numpy(), known(row), 1e-12, name)


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_operations_on_opencl(target: str) -> None:
    """A quarter of the rows, as one schedule."""
    with settings.override(device="OPENCL", target=target):
        results = [row.call(*over_variables(samples(row))) for row in ON_OPENCL]
        Tensor.realize(*results)
        for row, result in zip(ON_OPENCL, results):
            close(result.numpy(), known(row), 1e-10, row.name)


@pytest.mark.parametrize("least", [0, 1])
def test_gradients(least: int) -> None:
    """Also of sizes that may be 0: of those, less is known when a gradient's rule is applied."""
    for row in ROWS.values():
        arrays = samples(row)
        if not row.grad or row.name in NEED_NUMBERS or row.name == "cumprod" or not any(map(varies, arrays)):
            continue
        if not least and row.name in ("index_negative", "diff_ends", "cumulative_trapezoid"):
            with pytest.raises(ShapeError, match="for all values of n"):
                row.call(*over_variables(arrays, least))
            continue
        ours, theirs = over_variables(arrays, least), tensors(arrays, requires_grad=True)
        for t in ours:
            t.requires_grad_(t.dtype.is_float)
        for inputs in (ours, theirs):
            row.call(*inputs).square().sum().backward()
        for i, (a, b) in enumerate(zip(ours, theirs)):
            assert (a.grad is None) == (b.grad is None), row.name
            if a.grad is not None and b.grad is not None:
                close(a.grad.numpy(), b.grad.numpy(), 1e-11, f"{row.name}: gradient by input {i}")


@pytest.mark.parametrize("size", [0, 1, 4])
def test_gradients_of_products_of_as_many_as_there_are(device: str, size: int) -> None:
    """What shifts elements by one place does so where there is none, too."""
    x = Tensor(np.arange(1.0, 13).reshape(6, 2), requires_grad=True)
    x[: Variable("n", 0, 6).bind(size)].prod(0).sum().backward()
    assert x.grad is not None
    want = np.zeros((6, 2))
    for row in range(size):
        want[row] = np.delete(np.arange(1.0, 13).reshape(6, 2)[:size], row, axis=0).prod(0)
    np.testing.assert_allclose(x.grad.numpy(), want, rtol=1e-6)


MADE: dict[str, Callable[[Tensor, Any, Any], Tensor]] = {  # of x (5, 7), n in 0..5 and m in 1..7
    "arange": lambda x, n, m: Tensor.arange(n),
    "arange from": lambda x, n, m: Tensor.arange(n, n + m, dtype=dtypes.float64),
    "arange to": lambda x, n, m: Tensor.arange(n, 5),
    "eye": lambda x, n, m: Tensor.eye(n, m),
    "pad": lambda x, n, m: x[:n, :m].pad((n, m, 1, 2), value=1.5),
    "pad to a size": lambda x, n, m: x[:n, :m].pad((0, 7 - m, 0, 5 - n)),
    "pad and cut": lambda x, n, m: x.pad((-3, m, n, -2)),
    "negative": lambda x, n, m: x * (n - 4) + (n - m),
    "argmax": lambda x, n, m: x[:n, :m].pad((0, 1, 0, 1)).argmax(),
    "argmax of rows": lambda x, n, m: x.pad((0, 0, 0, n))[:, :m].argmax(1),
    "average": lambda x, n, m: x[:n, :m].mean(1) + x[:n, :m].var(1),
}


@pytest.mark.parametrize("name", MADE)
def test_sizes_among_arguments(name: str, device: str) -> None:
    """Sizes and values that are computed with variables, where those may be 0 and what is computed negative."""
    x = Tensor(np.random.default_rng(1).standard_normal((5, 7))).realize()
    for n, m in ((3, 4), (0, 1), (5, 7), (0, 7), (1, 1)):
        got = MADE[name](x, Variable("n", 0, 5).bind(n), Variable("m", 1, 7).bind(m))
        want = MADE[name](x, n, m)
        assert got.dtype is want.dtype
        np.testing.assert_allclose(got.numpy(), want.numpy(), 1e-12, err_msg=f"{n}, {m}")


def test_a_large_range_costs_what_the_value_does() -> None:
    """On NUMPY too, where counting up to the largest product of sizes would take 80 GB."""
    with settings.override(device="NUMPY"):
        n, m = (Variable(name, 1, 100_000).bind(3) for name in "nm")
        assert Tensor.ones(n, m).mean().item() == 1


# ---- errors ----------------------------------------------------------------------------------------


def test_values_and_bounds() -> None:
    n = Variable("n", 1, 8)
    for value in (0, 9):
        with pytest.raises(BoundsError, match=f"variable n: {value} is not in 1..8"):
            n.bind(value)
    with pytest.raises(BoundsError, match=r"bounds 4\.\.3"):
        Variable("n", 4, 3)
    with pytest.raises(BoundsError, match=r"bounds -1\.\.3"):
        Variable("n", -1, 3)
    with pytest.raises(BoundsError, match="name like an identifier"):
        Variable("a size", 0, 3)
    assert n.bind(3) is Variable("n", 1, 8).bind(3) is not n.bind(4)
    assert n.bind(3).unbound is n
    assert int(n.bind(3) * 2 + 1) == 7


def test_what_may_not_fit_is_refused_when_it_is_written(device: str) -> None:
    """A kernel runs for all values, so all of them have to be inside."""
    x = Tensor.ones(4, 6)
    n = Variable("n", 1, 7)
    with pytest.raises(ShapeError, match=r"\[0:n\] is not inside an axis of size 6 for all values of n in 1..7"):
        x[:, : n.bind(2)]
    with pytest.raises(ShapeError, match=r"\[n:n \+ 1\]"):
        x[n.bind(2)]
    with pytest.raises(ShapeError, match="not inside"):
        x[n.bind(2) - 2 :]


def test_what_needs_more_than_a_size_says_so() -> None:
    n = Variable("n", 0, 8).bind(3)
    for call, why in (
        (lambda: Tensor.arange(0, n, 2), "with variables, integers by steps of 1"),
        (lambda: Tensor.arange(5, n), "n may be less than 5"),
        (lambda: Tensor.linspace(0, 1, n), "n is not known yet"),
        (lambda: Tensor.zeros(n, 3).reshape(n, -1), "leaves what is left open where n is 0"),
    ):
        with pytest.raises(LazygradError, match=why):
            call()


def test_different_values_are_different_sizes(device: str) -> None:
    x, n = Tensor.ones(4, 6), Variable("n", 1, 6)
    with pytest.raises(ShapeError, match=r"\[4, n=2\] and \[4, n=3\] do not broadcast"):
        x[:, : n.bind(2)] + x[:, : n.bind(3)]
    both = x[:, : n.bind(2)].sum(1) + x[:, : n.bind(3)].sum(1)
    assert both.tolist() == [5.0] * 4


def test_a_variable_without_value(device: str) -> None:
    x, n = Tensor.ones(4, 6), Variable("n", 1, 6)
    y = x[:, :n] * 2
    assert y.shape == (4, n)
    with pytest.raises(ShapeError, match=r"n has no value; give it one with n.bind"):
        y.numpy()
    with pytest.raises(ShapeError, match="n has no value"):
        int(y.numel())


def test_kernels_can_be_seen_before_a_value_is_known() -> None:
    with settings.override(device="OPENCL"):
        x, n = Tensor.ones(4, 6).contiguous().realize(), Variable("n", 0, 6)
        y = x[:, :n].softmax(-1)
        (kernel,) = y.schedule()
        assert kernel.name.startswith("rows_4xn_")
        assert "int n" in kernel.source and kernel.name in y.explain()
        (same,) = x[:, : n.bind(4)].softmax(-1).schedule()
        assert same.source == kernel.source


def test_values_are_shown_where_they_are_known(device: str) -> None:
    n = Variable("n", 0, 6)
    x = Tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert repr(x[: n.bind(2)] * 2) == repr(Tensor([2.0, 4.0]))
    assert repr(x[:n] * 2) == "tensor(..., size=('n',), dtype=float32)"
    assert Tensor(n.bind(2) * 3).item() == 6 and Tensor(n.bind(2)).dtype is dtypes.int64


def test_sizes_are_numbers_beside_tensors(device: str) -> None:
    n = Variable("n", 0, 6).bind(3)
    x = Tensor([1.0, 2.0])
    assert (x * n).tolist() == (n * x).tolist() == [3.0, 6.0]
    assert (x - (n + 1)).tolist() == [-3.0, -2.0]
    assert ((n + 1) - x).tolist() == [3.0, 2.0]
    assert (Tensor([7, 8]) // n).tolist() == [2, 2]
    assert (n - Tensor([7, 8])).dtype is dtypes.int64


# What is not defined for no elements, over the dimension whose size is a variable.
UNDEFINED_FOR_NOTHING: dict[str, Callable[[Tensor], Any]] = {
    "amax": lambda x: x.amax(0), "amin": lambda x: x.amin(0), "argmax": lambda x: x.argmax(0),
    "argmin": lambda x: x.argmin(0), "max": lambda x: x.max(0).values, "min": lambda x: x.min(0).indices,
    "amax of all": lambda x: x.amax(), "amin of several": lambda x: x.amin((0, 1)), "max of all": lambda x: x.max(),
    "argmax of all": lambda x: x.argmax(), "argmin of all": lambda x: x.argmin(), "norm": lambda x: x.norm(np.inf),
    "-norm": lambda x: x.norm(-np.inf, 0), "twice as many": lambda x: cat([x, x]).amax(0),
}  # fmt: skip


@pytest.mark.parametrize("name", UNDEFINED_FOR_NOTHING)
def test_a_variable_of_0_is_the_error_that_a_known_0_is(name: str) -> None:
    with settings.override(device="OPENCL" if name in ("amin", "argmax") else "NUMPY"):
        check_nothing(name)


def check_nothing(name: str) -> None:
    call, n = UNDEFINED_FOR_NOTHING[name], Variable("n", 0, 4)
    x = Tensor(np.arange(12, dtype=np.float32).reshape(4, 3))
    for empty in (x[:0], x[: n.bind(0)]):
        with pytest.raises(ShapeError, match=r"a(rg)?(max|min): .*no elements along dim 0 .*test_variable_sizes"):
            call(empty)
    assert np.isfinite(call(x[: n.bind(2)]).numpy()).all()
    for jitted in (jit(lambda t: call(t)), jit(lambda m: call(x[:m]))):
        for size in (2, 3, 4, 0, 2):
            given: Any = x[: n.bind(size)] if jitted.function.__code__.co_varnames[0] == "t" else n.bind(size)
            if size:
                assert jitted(given).tolist() == call(x[:size]).tolist()
            else:
                with pytest.raises(ShapeError, match=r"a(rg)?(max|min): .*no elements along dim 0 .*test_variable_siz"):
                    jitted(given)


def test_what_is_defined_for_nothing_stays_so(device: str) -> None:
    n = Variable("n", 0, 4).bind(0)
    x = Tensor(np.ones((4, 3), np.float32))[:n]
    assert x.sum(0).tolist() == [0, 0, 0]
    assert x.any(0).tolist() == [False] * 3
    assert x.logsumexp(0).tolist() == [-np.inf] * 3
    assert x.amax(1).numpy().shape == x.softmax(0).numpy().shape[:1] == (0,)
    query = Tensor(np.ones((1, 2, 3), np.float32))
    assert query.scaled_dot_product_attention(x.unsqueeze(0), x.unsqueeze(0)).tolist() == [[[0.0] * 3] * 2]
