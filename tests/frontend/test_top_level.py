"""What programs find beside operations after `import lazygrad as torch`: dtypes, numbers, devices, `tensor`."""

from __future__ import annotations

import copy
import itertools
import os
from typing import Any

import numpy as np
import pytest
import torch

import lazygrad
from lazygrad import Tensor
from lazygrad.errors import ArgumentError, DeviceError, GradientError
from lazygrad.settings import settings

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]
DTYPES += ["half", "float", "double", "short", "int", "long"]


@pytest.mark.parametrize("name", DTYPES)
def test_dtypes(name: str) -> None:
    ours, theirs = getattr(lazygrad, name), getattr(torch, name)
    assert isinstance(ours, lazygrad.dtype)
    assert str(theirs) == f"torch.{lazygrad.ones(2, dtype=ours).dtype}"
    assert lazygrad.tensor([1, 0], dtype=ours).tolist() == torch.tensor([1, 0], dtype=theirs).tolist()


def test_numbers_and_names() -> None:
    for name in ("inf", "pi", "e", "newaxis"):
        assert getattr(lazygrad, name) == getattr(torch, name)
    assert lazygrad.nan != lazygrad.nan
    assert lazygrad.Size([2, 3]) == lazygrad.zeros(2, 3).shape
    x = lazygrad.ones(1, 2, 3, 3).to(memory_format=lazygrad.channels_last)
    assert x.contiguous(memory_format=lazygrad.contiguous_format).shape == (1, 2, 3, 3)
    star: dict[str, Any] = {}
    exec("from lazygrad import *", star)
    assert star["float32"] is lazygrad.float32 and not {"float", "int", "bool"} & star.keys()


@pytest.mark.parametrize(
    "data", [1, 2.5, True, [1, 2], [1, 2.5], [[True]], [], np.float64(3), np.arange(3, dtype="uint8")], ids=str
)
@pytest.mark.parametrize("dtype", [None, "float64", "int32"])
def test_tensor(data: Any, dtype: str | None) -> None:
    theirs = torch.tensor(data, dtype=None if dtype is None else getattr(torch, dtype))
    ours = lazygrad.tensor(data, dtype=dtype)
    assert ours.tolist() == theirs.tolist() and f"torch.{ours.dtype}" == str(theirs.dtype)
    assert ours.shape == tuple(theirs.shape) and not ours.requires_grad


def test_tensor_of_a_tensor_is_a_copy() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = lazygrad.tensor(x * 2, requires_grad=True)
    assert y.is_leaf and y.requires_grad and not lazygrad.tensor(x).requires_grad
    y.data[0] = 7
    assert x.tolist() == [1.0, 2.0] and y.tolist() == [7.0, 4.0]


@pytest.mark.parametrize("name", ["cpu", "cuda", "cuda:1", "CUDA:2"])
def test_a_device_has_a_type_and_an_index(name: str) -> None:
    ours, theirs = lazygrad.device(name), torch.device(name.lower())
    assert (ours.type, ours.index, str(ours)) == (theirs.type, theirs.index, name)
    assert isinstance(ours, str) and ours == name and lazygrad.device(ours) == ours
    assert copy.deepcopy(ours).type == ours.type
    assert lazygrad.device("cuda", 3) == "cuda:3" and lazygrad.device(type="cuda", index=3).index == 3


def test_devices_of_tensors() -> None:
    x = lazygrad.ones(2, device=lazygrad.device("NUMPY"))
    assert x.device == "NUMPY" and x.device.type == "cpu" and x.device.index is None
    assert lazygrad.ones(2, device="OPENCL").to(x.device).device == "NUMPY"
    assert lazygrad.ones(2, device="OPENCL").device.type == "cpu"
    with lazygrad.device("NUMPY") as outer, outer, lazygrad.device("cpu"):
        assert lazygrad.ones(2).device == lazygrad.get_default_device() == "NUMPY", "a device on the CPU as it is"
    for wrong in ("mps", "cuda:x", "cuda:1:2", ""):
        with pytest.raises(DeviceError):
            lazygrad.device(wrong)


def test_the_default_device() -> None:
    with settings.override(device="OPENCL"):
        lazygrad.set_default_device("numpy")
        assert lazygrad.ones(2).device == lazygrad.get_default_device() == "NUMPY"
        with pytest.raises(DeviceError):
            lazygrad.set_default_device("nowhere")
        assert lazygrad.ones(2).device == "NUMPY"
        lazygrad.set_default_device(None)
        assert settings.device == os.environ.get("LAZYGRAD_DEVICE", "")


def test_the_precision_of_products() -> None:
    assert lazygrad.get_float32_matmul_precision() == "highest"
    try:
        for name, found in (("medium", "high"), ("high", "high"), ("highest", "highest")):
            lazygrad.set_float32_matmul_precision(name)
            assert lazygrad.get_float32_matmul_precision() == found
        with pytest.raises(ArgumentError, match="none of highest, high"):
            lazygrad.set_float32_matmul_precision("low")
    finally:
        settings.set(float32_matmul_precision=None)


@pytest.mark.skipif(lazygrad.cuda.is_available(), reason="a GPU is here")
def test_cuda_without_a_gpu() -> None:
    assert lazygrad.cuda.device_count() == 0
    assert not lazygrad.cuda.is_bf16_supported()
    lazygrad.cuda.empty_cache()
    lazygrad.cuda.manual_seed_all(3)
    a = lazygrad.rand(3).tolist()
    lazygrad.manual_seed(3)
    assert lazygrad.rand(3).tolist() == a
    asked = [lazygrad.cuda.current_device, lazygrad.cuda.synchronize, lazygrad.cuda.memory_allocated]
    for ask in asked:
        with pytest.raises(DeviceError, match="driver"):
            ask()
    with pytest.raises(DeviceError, match="no CUDA device"):
        lazygrad.cuda.get_device_name("NUMPY")


def test_memory_of_the_emulated_gpu() -> None:
    x = lazygrad.ones(1000, device="CUDA_EMULATED").contiguous().realize()
    assert lazygrad.cuda.is_initialized() and lazygrad.cuda.memory_allocated("CUDA_EMULATED") >= 4000
    most = lazygrad.cuda.max_memory_allocated("CUDA_EMULATED")
    assert most <= lazygrad.cuda.memory_reserved("CUDA_EMULATED") + most
    del x
    lazygrad.cuda.empty_cache()
    lazygrad.cuda.reset_peak_memory_stats("CUDA_EMULATED")
    assert lazygrad.cuda.max_memory_allocated("CUDA_EMULATED") <= most
    assert lazygrad.cuda.memory_reserved("CUDA_EMULATED") == lazygrad.cuda.memory_allocated("CUDA_EMULATED")


OPTIONS = [dict(zip(("precision", "threshold", "edgeitems", "linewidth"), v)) for v in ((2, 50, 2, 60), (6, 1, 1, 100))]
OPTIONS += [{"sci_mode": True}, {"sci_mode": False}, {"profile": "short"}, {"profile": "full"}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_print_options(options: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    try:
        lazygrad.set_printoptions(**options)
        torch.set_printoptions(**options)
        for shape, scale in itertools.product([(), (3,), (7, 11), (30, 40)], [1.0, 1e-3, 1e6]):
            a = (rng.standard_normal(shape) * scale).astype("float32")
            assert str(lazygrad.tensor(a)) == str(torch.tensor(a)), options
            whole = a.astype("int64")
            assert str(lazygrad.tensor(whole)) == str(torch.tensor(whole)), options
    finally:
        lazygrad.set_printoptions(profile="default")
        torch.set_printoptions(profile="default")
    with pytest.raises(ArgumentError, match="profile"):
        lazygrad.set_printoptions(profile="long")


def test_hooks_after_gradients_are_added() -> None:
    steps: list[list[float]] = []
    for library in (torch, lazygrad):
        x, seen = library.tensor([1.0, 2.0], requires_grad=True), []

        def step(p: Any, seen: list[Any] = seen) -> None:
            seen.append(p.grad.tolist())
            p.data.add_(p.grad, alpha=-0.5)
            p.grad = None

        handle = x.register_post_accumulate_grad_hook(step)
        for _ in range(2):
            (x * x * x).sum().backward()
        handle.remove()
        (x * x).sum().backward()
        steps.append([*itertools.chain(*seen), *x.grad.tolist(), *x.tolist()])
    np.testing.assert_allclose(steps[1], steps[0], rtol=1e-6)
    y = Tensor([1.0], requires_grad=True) * 2
    for wrong in (y, Tensor([1.0])):
        with pytest.raises(GradientError, match="no leaf"):
            wrong.register_post_accumulate_grad_hook(lambda p: None)
