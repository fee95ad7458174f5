"""PyTorch's names: those that are other names of operations, and what is said of those that are not here."""

from __future__ import annotations

import types
import warnings
from typing import Any

import numpy as np
import pytest
import torch

import lazygrad
from lazygrad import Tensor, dtypes, optim
from lazygrad.absent import INSTEAD, NOT_YET, AbsentError
from lazygrad.errors import ArgumentError
from lazygrad.ops.second_names import SecondNames
from lazygrad.settings import settings


@pytest.fixture(autouse=True)
def _on_numpy() -> Any:
    with settings.override(device="NUMPY"):
        yield


def _names(theirs: Any) -> list[str]:
    """The public functions of a room of PyTorch's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [(n, getattr(theirs, n, None)) for n in dir(theirs) if not n.startswith("_")]
    functions = [n for n, x in found if callable(x) and not isinstance(x, (type, types.ModuleType)) and n != "Optional"]
    return [n for n, _ in found] if theirs is torch.Tensor else functions


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (torch, lazygrad),
        (torch.Tensor, Tensor([[1.0]], device="NUMPY")),
        (torch.nn.functional, lazygrad.nn.functional),
        (torch.linalg, lazygrad.linalg),
        (torch.special, lazygrad.special),
        (torch.fft, lazygrad.fft),
    ],
)
def test_every_name_of_pytorchs_is_here_or_says_where_to_go(theirs: Any, ours: Any) -> None:
    silent = []
    for name in _names(theirs):
        if not hasattr(ours, name):
            with pytest.raises(AbsentError) as caught:
                getattr(ours, name)
            if "; use " not in str(caught.value) and "': " not in str(caught.value):
                silent.append(str(caught.value))
    assert not silent, "\n".join(silent)


def test_tables_hold_what_is_not_here() -> None:
    rooms = (lazygrad, Tensor, lazygrad.nn.functional, lazygrad.linalg, lazygrad.nn, optim, lazygrad.func)
    here = [n for n in NOT_YET if any(hasattr(room, n) for room in rooms)]
    assert not here, "no longer missing"
    for text in INSTEAD.values():
        place = text.replace(",", " ").replace("(", " ").split()[0]
        if place.startswith("lazygrad."):
            value: Any = lazygrad
            for part in place.split(".")[1:]:
                value = getattr(value, part)


def test_close_names_and_others() -> None:
    with pytest.raises(AttributeError, match="did you mean softmax"):
        lazygrad.nn.functional.softmx(Tensor([1.0]))
    with pytest.raises(AttributeError, match=r"lazygrad.nn has no 'Linaer'; did you mean Linear"):
        lazygrad.nn.Linaer
    x = Tensor([1.0])
    assert getattr(x, "unheard_of", 3) == getattr(x, "to_sparse", 3) == 3
    assert "to_sparse" not in dir(x)


SECOND = [n for n in vars(SecondNames) if hasattr(torch.Tensor, n) and not n.startswith(("_", "pin_memory"))]


@pytest.mark.parametrize("name", SECOND)
def test_second_names_are_pytorchs(name: str) -> None:
    data = np.array([[0.5, 0.25], [0.75, 0.125]])
    arguments: list[Any] = {
        "addbmm_": ([data[None]] * 2), "addmm_": [data, data], "addmv_": [data, data[0]], "addr_": [data[0], data[1]],
        "baddbmm_": [data[None]] * 2, "cumsum_": [1], "cumprod_": [0], "renorm_": [2.0, 0, 0.5],
    }.get(name, [])  # fmt: skip
    two = ["arctan2", "divide", "greater", "greater_equal", "less", "less_equal", "multiply", "not_equal", "subtract"]
    arguments = [data.T] if name.rstrip("_") in two else arguments
    start = data + 1 if name.startswith("arccosh") else data
    start = start[None] if name == "baddbmm_" else start[0] if name == "addmv_" else start
    ours, theirs = Tensor(start), torch.tensor(start)
    a, b = ([make(x) if isinstance(x, np.ndarray) else x for x in arguments] for make in (Tensor, torch.tensor))
    got, wanted = getattr(ours, name)(*a), getattr(theirs, name)(*b)
    if not isinstance(wanted, torch.Tensor):
        assert got == wanted
        return
    np.testing.assert_allclose(got.numpy(), wanted.numpy(), rtol=1e-12)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-12)
    assert (got is ours) == (wanted is theirs)
    if hasattr(torch, name) and not name.endswith("_") and name not in ("to_dense",):
        np.testing.assert_allclose(getattr(lazygrad, name)(Tensor(start), *a).numpy(), wanted.numpy(), rtol=1e-12)


def test_detach_in_place() -> None:
    w = Tensor([2.0], requires_grad=True)
    y = w * 3
    z = y * y
    assert lazygrad.detach_(y) is y
    assert not y.requires_grad
    (y * w).sum().backward()
    assert w.grad.tolist() == [6.0]
    z.sum().backward()
    assert w.grad.tolist() == [6.0 + 36.0]
    assert not w.detach_().requires_grad


def test_tensors_of_what_there_is() -> None:
    x, array = Tensor([1, 2]), np.array([1.5, 2.5])
    assert lazygrad.as_tensor(x) is lazygrad.as_tensor(x, dtype="int64") is lazygrad.asarray(x) is x
    assert lazygrad.as_tensor(array).dtype is dtypes.float64
    w = Tensor([1.0], requires_grad=True)
    assert lazygrad.as_tensor(w, dtype="float64").requires_grad
    assert lazygrad.asarray(x, copy=True) is not x
    assert lazygrad.asarray(array, requires_grad=True).requires_grad
    with pytest.raises(ArgumentError, match="copy=False"):
        lazygrad.asarray([1], copy=False)
    raw = np.arange(5, dtype=np.int16).tobytes()
    for options in ({}, {"offset": 2}, {"count": 2}, {"count": 1, "offset": 4}):
        theirs = torch.frombuffer(bytearray(raw), dtype=torch.int16, **options)
        assert lazygrad.frombuffer(raw, dtype="int16", **options).tolist() == theirs.tolist()
    for wrong in ({"offset": 1}, {"count": 9}, {"offset": -2}, {"offset": 10}):
        with pytest.raises(ArgumentError, match="frombuffer"):
            lazygrad.frombuffer(raw, dtype="int16", **wrong)


@pytest.mark.filterwarnings("ignore")
def test_ranges_and_periodic_windows() -> None:
    for given in ((1, 4), (0, 5, 2), (5, 0, -2), (0.5, 3.2, 0.5), (1, 1)):
        np.testing.assert_allclose(lazygrad.range(*given).numpy(), torch.range(*given).numpy(), rtol=1e-6)
    assert lazygrad.range(0, 3, dtype="int64").tolist() == [0, 1, 2, 3]
    with pytest.raises(ArgumentError, match="range"):
        lazygrad.range(0, 3, -1)
    for name in ("hann", "hamming", "kaiser", "bartlett", "blackman"):
        for length, periodic in ((0, True), (1, True), (2, False), (7, True), (7, False)):
            ours, theirs = (getattr(m, f"{name}_window")(length, periodic) for m in (lazygrad, torch))
            np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-6)
