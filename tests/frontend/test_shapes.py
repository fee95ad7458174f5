"""Shapes and indexing where PyTorch's samples end: views in place, strides, bytes, masks under jit, other spellings."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import lazygrad
from lazygrad import Tensor, dtypes, jit
from lazygrad.errors import ArgumentError, BoundsError, DeviceError, GradientError, ShapeError, ViewError
from lazygrad.nn import functional
from lazygrad.runtime.registry import canonical
from lazygrad.settings import settings

ON_BOTH = pytest.mark.usefixtures("device")

VIEWS: list[Callable[[Any], Any]] = [
    lambda x: x.t() if x.ndim == 2 else x.transpose(0, -1),
    lambda x: x.unsqueeze(1),
    lambda x: x.squeeze(),
    lambda x: x.diagonal(1) if x.ndim > 1 and x.shape[1] > 1 else x,
    lambda x: x[1:] if x.shape[0] > 1 else x,
    lambda x: x[..., ::2],
    lambda x: x.select(-1, 0) if x.ndim > 1 else x,
    lambda x: x.unfold(0, 2, 1) if x.shape[0] > 1 else x,
    lambda x: x.flatten() if x.is_contiguous() else x,
    lambda x: x.unsqueeze(0).expand(2, *x.shape),
    lambda x: x.movedim(0, -1),
    lambda x: x.narrow(-1, 0, 1),
]


@pytest.mark.parametrize("seed", range(12))
def test_strides_are_pytorchs(seed: int) -> None:
    """Random views of views, on both sides."""
    draw = np.random.default_rng(seed)
    for _ in range(20):
        theirs = torch.arange(60).reshape(3, 4, 5)
        ours = Tensor(theirs.numpy())
        for step in draw.integers(0, len(VIEWS), 4):
            ours, theirs = VIEWS[step](ours), VIEWS[step](theirs)
            where = [n != 1 for n in theirs.shape]  # the stride of one element is nobody's business
            assert ours.shape == tuple(theirs.shape)
            assert [s for s, w in zip(ours.stride(), where) if w] == [s for s, w in zip(theirs.stride(), where) if w]
            assert ours.storage_offset() == theirs.storage_offset()
            assert ours.is_contiguous() == theirs.is_contiguous()
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


CHANGES: list[Callable[[Any], Any]] = [
    lambda x: x.t_(),
    lambda x: x.transpose_(0, 1),
    lambda x: x.unsqueeze_(0).squeeze_(0),
    lambda x: x.swapaxes_(-1, 0),
    lambda x: x.resize_(2, 2),
    lambda x: x.as_strided_((2, 2), (1, 2)),
]


@pytest.mark.parametrize("k", range(len(CHANGES)))
def test_shapes_changed_in_place_are_views_of_the_same_elements(k: int) -> None:
    """Of a tensor, of which another view lives: a write to either is seen by both, or refused."""
    data = np.arange(6.0).reshape(2, 3)
    for base_first in (True, False):
        ours, theirs = Tensor(data), torch.tensor(data)
        row, their_row = ours[0], theirs[0]
        assert CHANGES[k](ours) is ours
        CHANGES[k](theirs)
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
        np.testing.assert_array_equal(row.numpy(), their_row.numpy())
        if base_first:
            ours.add_(1)
            theirs.add_(1)
            np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
            with pytest.raises(ViewError):
                row.numpy()
        else:
            with pytest.raises(ViewError):
                row.add_(1)
    alone, expected = Tensor(data), torch.tensor(data)
    CHANGES[k](alone).mul_(2)
    CHANGES[k](expected).mul_(2)
    np.testing.assert_array_equal(alone.numpy(), expected.numpy())


def test_shapes_of_leaves_do_not_change_in_place() -> None:
    w = Tensor([[1.0, 2.0]], requires_grad=True)
    for change in (lambda: w.t_(), lambda: w.unsqueeze_(0), lambda: w.resize_(1)):
        with pytest.raises(GradientError):
            change()
    y = w * 2
    y.t_()
    (y * Tensor([[1.0], [3.0]])).sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == [[2, 6]]
    x = Tensor([1, 2])
    assert x.resize_(3).tolist() == [1, 2, 0]
    view = x[1:]
    with pytest.raises(ViewError, match="views of this tensor"):
        x.resize_(9)
    assert view.tolist() == [2, 0]
    assert x.resize_as_(Tensor([[0, 0]])).tolist() == [[1, 2]]


@ON_BOTH
@pytest.mark.parametrize("name", ["uint8", "int16", "int64", "float32", "float16", "bool"])
def test_bytes_are_read_as_other_types(name: str) -> None:
    data = np.random.default_rng(0).integers(0, 2 if name == "bool" else 100, (3, 16)).astype(name)
    results = []
    for other in ("uint8", "int16", "int32", "float32", "int64"):
        theirs = torch.tensor(data).view(getattr(torch, other)).numpy()
        results.append((Tensor(data).view(other), theirs))
    Tensor.realize(*(ours for ours, _ in results))
    for ours, theirs in results:
        assert str(ours.dtype) == theirs.dtype.name
        np.testing.assert_array_equal(ours.numpy(), theirs)
    if np.dtype(name).itemsize < 8:
        with pytest.raises(ShapeError, match="are not read as"):
            Tensor(data[:, :1]).view(torch.int64)


@ON_BOTH
def test_masks_of_fixed_size_stay_lazy_and_work_under_jit() -> None:
    draw = np.random.default_rng(1)

    @jit
    def chosen(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mask = x > 0
        return (
            x.masked_select(mask, size=5, fill_value=-7),
            x.gt(0).nonzero(size=5, fill_value=9),
            mask.nonzero_static(size=2),
        )

    for _ in range(4):
        data = draw.normal(size=(2, 4)).astype("float32")
        some, places, first = (y.numpy() for y in chosen(Tensor(data)))
        want, where = data[data > 0][:5], np.argwhere(data > 0)[:5]
        np.testing.assert_array_equal(some, [*want, *[-7.0] * (5 - len(want))])
        np.testing.assert_array_equal(places, [*where.tolist(), *[[9, 9]] * (5 - len(where))])
        np.testing.assert_array_equal(first, torch.nonzero_static(torch.tensor(data > 0), size=2).numpy())
    for wrong in (lambda: Tensor([1]).nonzero(size=-1), lambda: Tensor([1]).masked_select(Tensor([True]), size=-1)):
        with pytest.raises(ArgumentError, match="at least 0"):
            wrong()


def test_masked_scatter_needs_as_many_elements_as_the_mask_has() -> None:
    with pytest.raises(BoundsError, match="masked_scatter"):
        Tensor([0, 0, 0]).masked_scatter(Tensor([True, True, True]), Tensor([1, 2])).numpy()
    assert Tensor([0, 3]).masked_scatter(Tensor([False, False]), Tensor([1])).tolist() == [0, 3]


@ON_BOTH
def test_what_is_no_number_passes_through() -> None:
    data = np.array([np.nan, 1.0, np.inf, -np.inf, -0.0, 2.0], "float32")
    x, t = Tensor(data), torch.tensor(data)
    index = np.array([0, 0, 1, 1, 2, 2])
    pairs = [(lazygrad.cat([x, x]), torch.cat([t, t])), (x.unfold(0, 3, 2), t.unfold(0, 3, 2))]
    pairs += [(functional.pad(x[None, None], (2, 3), mode), torch.nn.functional.pad(t[None, None], (2, 3), mode))
              for mode in ("reflect", "replicate", "circular")]  # fmt: skip
    pairs += [
        (Tensor([0.0, 5.0, -9.0]).scatter_reduce(0, Tensor(index), x, r, include_self=keep),
         torch.tensor([0.0, 5.0, -9.0]).scatter_reduce(0, torch.tensor(index), t, r, include_self=keep))
        for r in ("sum", "prod", "mean", "amax", "amin") for keep in (True, False)
    ]  # fmt: skip
    pairs += [(x.diag(1), t.diag(1)), (x.reshape(2, 3).tril(), t.reshape(2, 3).tril()), (x.roll(1), t.roll(1))]
    Tensor.realize(*(ours for ours, _ in pairs))
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    zeros = functional.pad(x, (1, 1)).numpy()
    assert [math.copysign(1, z) for z in (zeros[0], zeros[5])] == [1, -1]


def test_other_libraries_spellings() -> None:
    x = Tensor(np.arange(6).reshape(2, 3))
    assert x.cat(x, x, dim=1).shape == (2, 9)
    assert x.stack(x, dim=-1).shape == (2, 3, 2)
    assert x.reshape(None, 3, 1).shape == x.reshape((None, -1, 1)).shape == (2, 3, 1)
    assert x.pad(((1, 0), None)).shape == (3, 3)
    assert x.pad(((0, 0), (1, 1)), mode="circular").tolist()[0] == [2, 0, 1, 2, 0]
    assert x.flip(dims=(0, 1)).tolist() == x.flip(axis=[0, 1]).tolist() == x.flip(0, 1).tolist()
    assert x.permute(dims=(1, 0)).shape == x.permute(axis=(1, 0)).shape == (3, 2)
    assert x.repeat(repeats=(2, 1)).shape == x.tile(dims=(2, 1)).shape == (4, 3)
    assert Tensor.zeros(size=(2, 3)).shape == Tensor.ones(shape=(2, 3)).shape == (2, 3)
    with pytest.raises(ArgumentError, match="by position and by name"):
        x.flip(0, dims=1)
    assert x.unfold(1, 2, 1).shape == (2, 2, 2)


def test_arguments_of_new_tensors() -> None:
    options = {"dtype": None, "layout": torch.strided, "pin_memory": False, "requires_grad": False}
    like = {**options, "memory_format": torch.preserve_format}
    x = Tensor([[1, 2]], dtype="int16")
    made: list[Any] = [f(2, 3, **options) for f in (Tensor.zeros, Tensor.ones, Tensor.empty)]
    made += [Tensor.eye(2, **options), Tensor.linspace(0, 1, 3, **options), Tensor.logspace(0, 1, 3, **options)]
    assert {m.dtype for m in made} == {dtypes.float32}
    made = [f(**like) for f in (x.zeros_like, x.ones_like, x.empty_like)] + [x.full_like(3, **like)]
    made += [x.new_zeros(2, **options), x.new_ones((2, 1), **options), x.new_full((2,), 3, **options), x.new_empty(2)]
    assert {m.dtype for m in made} == {dtypes.int16}
    assert x.new_tensor([1.5], dtype="float64").dtype is dtypes.float64
    assert x.new_zeros(1, dtype="float32", requires_grad=True).requires_grad
    assert (
        x.float(memory_format=torch.preserve_format)
        .clone(memory_format=None)
        .contiguous(memory_format=None)
        .is_contiguous()
    )
    assert x.numpy(force=True).tolist() == [[1, 2]]
    assert (x.nelement(), x.element_size(), x.type(), x.ndimension()) == (2, 2, "torch.ShortTensor", 2)
    assert x.type("torch.FloatTensor").dtype is dtypes.float32


def test_to_takes_pytorchs_forms() -> None:
    x = Tensor([1.0, 2.0])
    forms: list[Any] = [
        x.to(x.device, "float64"), x.to(x.device, torch.float64, True, False), x.to(dtype=dtypes.float64, copy=True),
        x.to(Tensor([1], dtype="float64")), x.to(None, "float64"), x.to(device=x.device, dtype="float64"),
        x.to("float64", non_blocking=True, memory_format=torch.preserve_format),
    ]  # fmt: skip
    assert {(y.dtype, y.device) for y in forms} == {(dtypes.float64, x.device)}
    assert x.to("float32") is x
    copied = x.to("float32", copy=True)
    copied.add_(1)
    assert x.tolist() == [1, 2]
    with pytest.raises(ArgumentError, match="too many"):
        x.to("NUMPY", "float32", "int64")


def test_cpu_is_the_best_device_of_the_cpu() -> None:
    with settings.override(device="NUMPY"):
        assert canonical("cpu") == canonical("CPU:0") == "NUMPY"
        assert Tensor([1]).cpu().device == Tensor([1], device="cpu").device == "NUMPY"
    with settings.override(device="OPENCL"):
        assert canonical("cpu").startswith("OPENCL")  # PoCL's
    with settings.override(device="cpu"):
        assert Tensor([1]).device in ("NUMPY", canonical("OPENCL"))
    assert canonical("cuda:0") == "CUDA"
    with pytest.raises(DeviceError):
        Tensor([1]).cuda(99).numpy()


@ON_BOTH
def test_few_kernels() -> None:
    """Compositions are computed where they are read: nothing is stored in between."""
    x = Tensor(np.ones((2, 3, 8, 8), "float32"))
    calls: list[Callable[[], Tensor]] = [
        lambda: functional.pad(x, (1, 2, 2, 1), "reflect") * 2,
        lambda: x.unfold(2, 3, 2).sum(-1),
        lambda: x.diagonal(0, 2, 3) + 1,
        lambda: functional.pixel_shuffle(x.repeat(1, 4, 1, 1), 2) + 1,
        lambda: x.rot90(1, (2, 3)).roll((1, 2), (2, 3)) + 1,
        lambda: lazygrad.hstack([x, x + 1, x * 2]),
        lambda: x.index_add(1, Tensor([0, 2]), x.narrow(1, 0, 2)),
    ]
    results = [call() for call in calls]
    assert [len(y.schedule()) for y in results] == [1] * len(calls)
