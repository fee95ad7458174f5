"""What programs written for PyTorch ask and set beside their models: settings of libraries, older names of tensors."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

import lazygrad
from lazygrad import Tensor, nn
from lazygrad.autograd import Variable
from lazygrad.errors import ArgumentError, DeviceError
from lazygrad.nn.attention import SDPBackend, sdp_kernel, sdpa_kernel

CLASSES = [name for name in dir(torch) if name.endswith("Tensor") and name != "Tensor"]
MADE_OF = [(), (3,), (2, 3), ([1, 2],), ([[1], [0]],), (np.ones((2, 2)),), (range(3),), ([],), (np.int64(2),)]
REFUSED = [(3.5,), ("a",), (True,), (None,), ({},)]


@pytest.mark.parametrize("name", CLASSES)
def test_classes_of_tensors(name: str) -> None:
    ours, theirs = getattr(lazygrad, name), getattr(torch, name)
    for data in MADE_OF:
        mine, expected = ours(*data), theirs(*data)
        assert f"torch.{mine.dtype}" == str(expected.dtype) and mine.shape == tuple(expected.shape), data
        if not data or not isinstance(data[0], (int, np.integer)):
            assert mine.tolist() == expected.tolist()
        for other in CLASSES:
            assert isinstance(mine, getattr(lazygrad, other)) == isinstance(expected, getattr(torch, other))
        assert mine.type() == expected.type()
    assert ours(Tensor.ones(2, 3).shape).shape == theirs(torch.ones(2, 3).shape).shape
    for data in REFUSED[:3]:
        for make in (ours, theirs):
            with pytest.raises(TypeError):
                make(*data)
    for other in CLASSES:
        x, y = Tensor([0.0, 1.0]).to(ours.dtype), torch.tensor([0.0, 1.0]).type(theirs)
        for mine, expected in ((getattr(lazygrad, other), getattr(torch, other)), (f"torch.{other}", f"torch.{other}")):
            assert x.type(mine).tolist() == y.type(expected).tolist()
            assert f"torch.{x.type(mine).dtype}" == str(y.type(expected).dtype)
        taken = [True, True]
        for i, (make, value) in enumerate(((getattr(lazygrad, other), x), (getattr(torch, other), y))):
            try:
                make(value)
            except TypeError:
                taken[i] = False
        assert taken[0] == taken[1] == (other == name)
    assert not isinstance([1.0], ours) and getattr(lazygrad.cuda, name).dtype == ours.dtype


def test_classes_of_tensors_on_gpus() -> None:
    x = lazygrad.ones(2, device="CUDA_EMULATED").type("torch.cuda.LongTensor")
    assert x.device == "CUDA_EMULATED" and x.dtype == lazygrad.int64 and x.type() == "torch.cuda.LongTensor"
    assert not isinstance(x, lazygrad.LongTensor) and isinstance(x, lazygrad.cuda.LongTensor)
    assert x.type(lazygrad.FloatTensor).device != "CUDA_EMULATED"
    if not lazygrad.cuda.is_available():
        with pytest.raises(DeviceError):
            lazygrad.cuda.FloatTensor(2).tolist()
        with pytest.raises(DeviceError):
            lazygrad.ones(2).type(lazygrad.cuda.FloatTensor).tolist()


@pytest.mark.parametrize("requires_grad", [False, True])
def test_variable(requires_grad: bool) -> None:
    for library, tensor in ((lazygrad, Tensor), (torch, torch.tensor)):
        x = tensor([1.0, 2.0], requires_grad=True)
        for data in (x, x * 2, x.detach()):
            y = library.autograd.Variable(data, requires_grad=requires_grad)
            assert y.is_leaf and y.requires_grad == requires_grad and y.tolist() == data.tolist()
            assert isinstance(y, library.autograd.Variable) and isinstance(y, library.Tensor)
        if requires_grad:
            (y * y).sum().backward()
            assert y.grad.tolist() == [2.0, 4.0] and x.grad is None
        with pytest.raises(TypeError):
            library.autograd.Variable([1.0])
    assert not isinstance(1.0, Variable)


def test_backends() -> None:
    backends = lazygrad.backends
    assert not backends.mps.is_available() and not backends.mps.is_built() and not backends.cudnn.is_available()
    assert backends.cudnn.version() is None and backends.cuda.is_built()
    for setting in ("enabled", "benchmark", "deterministic", "allow_tf32"):
        before = getattr(backends.cudnn, setting)
        assert isinstance(before, bool) and hasattr(torch.backends.cudnn, setting)
        setattr(backends.cudnn, setting, before)
    try:
        for allowed, precision in ((True, "high"), (False, "highest")):
            backends.cuda.matmul.allow_tf32 = allowed
            assert backends.cuda.matmul.allow_tf32 == allowed
            assert lazygrad.get_float32_matmul_precision() == precision
            torch.backends.cuda.matmul.allow_tf32 = allowed
            assert torch.get_float32_matmul_precision() == precision
    finally:
        lazygrad.set_float32_matmul_precision("highest")
        torch.set_float32_matmul_precision("highest")


def test_accelerators() -> None:
    accelerator = lazygrad.accelerator
    assert accelerator.is_available() == lazygrad.cuda.is_available()
    found = accelerator.current_accelerator()
    assert (found is None) == (accelerator.device_count() == 0) and (found is None or found.type == "cuda")
    if found is None:
        for ask in (accelerator.current_device_index, lambda: accelerator.set_device_index(0)):
            with pytest.raises(DeviceError):
                ask()
    else:
        accelerator.set_device_index(0)
        assert accelerator.current_device_index() == 0


def test_mixed_precision_on_gpus_by_its_older_names() -> None:
    autocast, scaler = lazygrad.cuda.amp.autocast, lazygrad.cuda.amp.GradScaler(4.0, enabled=True)
    x = lazygrad.ones(2, 2)
    with autocast(dtype=lazygrad.bfloat16):
        assert (x @ x).dtype == lazygrad.float32, "on a CPU"
        assert lazygrad.is_autocast_enabled("cuda") and not lazygrad.is_autocast_enabled("cpu")
        with autocast(enabled=False):
            assert not lazygrad.is_autocast_enabled("cuda")
    assert autocast()(lambda: lazygrad.get_autocast_dtype("cuda"))() == lazygrad.float16
    assert scaler.scale(x).sum().item() == 16 and isinstance(scaler, lazygrad.amp.GradScaler)


def test_ways_to_compute_attention() -> None:
    assert {w.name: w.value for w in SDPBackend if w.value >= 0}.keys() <= set(dir(torch.nn.attention.SDPBackend))
    q = lazygrad.rand(1, 3, 4)
    plain = nn.functional.scaled_dot_product_attention(q, q, q).tolist()
    for way in (SDPBackend.MATH, [SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]):
        with sdpa_kernel(way):
            assert nn.functional.scaled_dot_product_attention(q, q, q).tolist() == plain
    with lazygrad.backends.cuda.sdp_kernel(enable_math=False):
        assert nn.functional.scaled_dot_product_attention(q, q, q).tolist() == plain
    for wrong in ([], ["math"]):
        with pytest.raises(ArgumentError), sdpa_kernel(wrong):  # type: ignore[arg-type]
            pass
    with pytest.raises(ArgumentError), sdp_kernel(False, False, False, False):
        pass


MODULES = ["accelerator", "amp", "autograd", "backends", "backends.cudnn", "backends.cuda", "backends.mps", "cuda"]
MODULES += ["cuda.amp", "fft", "func", "linalg", "nn", "nn.attention", "nn.functional", "nn.init", "nn.utils"]
MODULES += ["nn.utils.rnn", "nn.utils.parametrize", "nn.utils.parametrizations", "optim", "optim.lr_scheduler"]
MODULES += ["optim.swa_utils", "special", "utils", "utils.checkpoint", "utils.data", "utils.data.dataloader"]
MODULES += ["utils.data.dataset", "utils.data.sampler", "utils.data.distributed", "utils.dlpack"]


def test_modules_are_there_by_name_and_as_attributes() -> None:
    for name in MODULES:
        assert importlib.import_module(f"torch.{name}") and importlib.import_module(f"lazygrad.{name}")
    reached: list[Any] = [f"torch.{name}" for name in MODULES]
    code = "import lazygrad as torch\n" + "\n".join(reached)
    subprocess.run([sys.executable, "-c", code], check=True)


def test_schedules_by_the_older_name_of_their_base() -> None:
    from lazygrad.optim.lr_scheduler import LRScheduler, StepLR, _LRScheduler

    assert _LRScheduler is LRScheduler and issubclass(StepLR, _LRScheduler)


def test_arguments_of_grad_are_in_pytorchs_order() -> None:
    names = list(inspect.signature(torch.autograd.grad).parameters)
    assert list(inspect.signature(lazygrad.autograd.grad).parameters) == names
    for library in (lazygrad, torch):
        x = library.tensor([1.0, 2.0], requires_grad=True)
        (g,) = library.autograd.grad((x**3).sum(), x, None, True, True, only_inputs=True)
        (h,) = library.autograd.grad(g.sum(), [x], None, None, False, True, False)
        assert h.tolist() == [6.0, 12.0]


def test_a_name_is_not_said_to_be_where_it_is_not() -> None:
    for name in ("is_xpu", "is_sparse", "to_sparse", "grad_fn"):
        with pytest.raises(AttributeError) as raised:
            getattr(lazygrad.ones(2), name)
        assert f"use Tensor.{name}" not in str(raised.value)
