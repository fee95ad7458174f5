"""Tensors in NumPy and PyTorch and back: the same memory, for as long as anybody uses it, and never written to."""

from __future__ import annotations

import ctypes
import gc
import math
import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import lazygrad
from lazygrad import Tensor, dtypes, jit, no_grad
from lazygrad.dtype import ALL, DType
from lazygrad.errors import DTypeError, ExchangeError, GradientError, JitError
from lazygrad.ir.elements import cast_array, to_storage
from lazygrad.optim import SGD
from lazygrad.runtime import dlpack
from lazygrad.runtime.registry import open_device
from tests.many import Seeds

SHAPES = ((), (1,), (7,), (3, 1, 4), (0,), (2, 0, 3))
HOST = ("NUMPY", "OPENCL")


@pytest.fixture(params=HOST)
def device(request: pytest.FixtureRequest) -> str:
    if open_device(request.param).place != (1, 0):
        pytest.skip("this device has memory of its own")
    return str(request.param)


def values(dtype: DType, shape: tuple[int, ...]) -> np.ndarray:
    """Some of every kind: both bools, ends of integers, nan and infinities, as they are stored."""
    count = int(np.prod(shape))
    if dtype.is_float:
        few = np.array([1.5, -0.0, np.inf, np.nan, -2.25, 3.0, 0.125])
    else:
        few = np.array([dtype.min, dtype.max, 0, 1, 1, 0, 1], dtype.storage)
    with np.errstate(invalid="ignore"):
        return to_storage(cast_array(np.resize(few, count).reshape(shape), dtype), dtype)


def tensor_of(stored: np.ndarray, dtype: DType, device: str) -> Tensor:
    """A tensor with these very bits."""
    return Tensor(stored.tobytes(), dtype=dtype, device=device).reshape(stored.shape)


def bits(array: Any) -> bytes:
    if isinstance(array, torch.Tensor):
        assert array.is_contiguous()
        return ctypes.string_at(array.data_ptr(), array.nbytes) if array.nbytes else b""
    return bytes(array.tobytes())


def address(x: Any) -> int:
    return int(x.data_ptr() if isinstance(x, torch.Tensor) else x.ctypes.data)


# ---- from here to there ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_the_other_side_reads_our_memory(dtype: DType, device: str) -> None:
    for shape in SHAPES:
        stored = values(dtype, shape)
        x = tensor_of(stored, dtype, device)
        theirs = torch.from_dlpack(x)
        assert (str(theirs.dtype), tuple(theirs.shape)) == (f"torch.{dtype}", shape)
        assert bits(theirs) == bits(stored)
        again = torch.utils.dlpack.from_dlpack(x.__dlpack__())  # a capsule without a version
        assert bits(again) == bits(stored)
        if stored.size:
            assert address(theirs) == address(again)
        if dtype is dtypes.bfloat16:
            continue
        array = np.from_dlpack(x)
        assert (array.dtype, array.shape, array.flags.writeable) == (dtype.storage, shape, False)
        assert bits(array) == bits(stored)
        buffer = x.__buffer__()
        assert (buffer.readonly, buffer.shape, buffer.tobytes()) == (True, shape, stored.tobytes())
        if stored.size:
            assert address(array) == address(np.asarray(x)) == address(np.asarray(buffer)) == address(theirs)


def test_what_is_not_computed_yet_or_not_in_row_major_order_is_computed(device: str) -> None:
    x = Tensor(np.arange(24.0).reshape(2, 3, 4), device=device)
    for make in (lambda: x.permute(2, 0, 1), lambda: x[:, ::2], lambda: (x + 1).flip(0), lambda: x[0, 0].expand(5, 4)):
        want = make().numpy()
        np.testing.assert_array_equal(np.from_dlpack(make()), want)
        np.testing.assert_array_equal(torch.from_dlpack(make()).numpy(), want)
        np.testing.assert_array_equal(np.asarray(make(), copy=False), want)


def test_a_copy_is_the_other_sides_own(device: str) -> None:
    x = Tensor([1.0, 2.0], device=device)
    array = np.from_dlpack(x, copy=True)
    array[0] = 7
    theirs = torch.from_dlpack(x, copy=True)
    theirs[1] = 8
    np.array(x)[:] = 9
    np.array(x, copy=True)[:] = 9
    x.numpy()[:] = 9
    assert x.tolist() == [1, 2]


CHANGES: dict[str, Callable[[Tensor], object]] = {
    "add_": lambda x: x.add_(1),
    "item": lambda x: x.__setitem__(0, 5.0),
    "zero_": lambda x: x.zero_(),
    "assign": lambda x: x.assign(Tensor([3.0] * 64, device=x.device)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_in_place_operations_leave_what_was_lent(change: Callable[[Tensor], object], device: str) -> None:
    x = Tensor(np.arange(64.0, dtype=np.float32), device=device)
    lent = [np.asarray(x), np.from_dlpack(x), torch.from_dlpack(x), np.asarray(x.__buffer__())]
    change(x)
    after = x.tolist()
    assert after != list(range(64))
    for other in lent:
        assert other.tolist() == list(range(64))
    change(x)
    assert np.asarray(x).tolist() == x.tolist()


def test_training_leaves_what_was_lent(device: str) -> None:
    for wrap in (jit, lambda f: f):
        w = Tensor(np.ones(64, np.float32), device=device, requires_grad=True)
        optimizer = SGD([w], lr=1.0)

        def step(w: Tensor = w, optimizer: SGD = optimizer) -> None:
            optimizer.zero_grad()
            w.sum().backward()
            optimizer.step()

        stepped, history = wrap(step), []
        for _ in range(5):
            history.append((np.asarray(w), w.detach().numpy()))
            stepped()
        for k, (lent, copied) in enumerate(history):
            assert lent.tolist() == copied.tolist() == [1.0 - k] * 64


def test_array_takes_what_numpy_asks(device: str) -> None:
    x = Tensor([1.0, 2.5], device=device)
    assert np.asarray(x, dtype=np.int32).tolist() == [1, 2]
    assert np.array(x, dtype="float64", copy=True).tolist() == [1.0, 2.5]
    assert np.shares_memory(np.asarray(x), np.asarray(x))
    assert not np.shares_memory(np.asarray(x), np.array(x))
    assert np.asarray(x, dtype=np.float32, copy=False).tolist() == [1, 2.5]
    for refused in (lambda: np.asarray(x, np.float64, copy=False), lambda: np.asarray(x.bfloat16(), copy=False)):
        with pytest.raises(ValueError, match="copy"):
            refused()
    assert np.asarray(x.bfloat16()).dtype == np.float32
    assert np.asarray(Tensor([1.0], requires_grad=True, device=device)).tolist() == [1]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.12 asks classes for buffers")
def test_python_asks_for_the_buffer() -> None:
    assert memoryview(Tensor([1, 2])).tolist() == [1, 2]  # type: ignore[arg-type]
    assert np.frombuffer(Tensor([1, 2]), np.int64).tolist() == [1, 2]  # type: ignore[call-overload]


def test_what_cannot_be_exported_says_so() -> None:
    x = Tensor([1.0, 2.0])
    for refused, message in (
        (lambda: Tensor([1.0], requires_grad=True).__dlpack__(), "detach"),
        (lambda: x.__dlpack__(dl_device=(2, 0)), "ask for"),
        (lambda: x.bfloat16().__buffer__(), "numpy"),
        (lambda: x.__buffer__(1), "read only"),
    ):
        with pytest.raises(BufferError, match=message):
            refused()
    with pytest.raises(ValueError, match="streams"):
        x.__dlpack__(stream=5)
    for read in (np.from_dlpack, np.asarray):
        total = jit(lambda t, read=read: read(t).sum())
        total(x)  # a first call is a plain one
        with pytest.raises(JitError, match="read"):
            total(x)
    with no_grad():
        assert np.from_dlpack(Tensor([1.0], requires_grad=True) * 2).tolist() == [2]


# ---- from there to here ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_arrays_are_read_where_they_are(dtype: DType, device: str) -> None:
    for shape in SHAPES:
        stored = values(dtype, shape)
        theirs = torch.from_dlpack(tensor_of(stored, dtype, "NUMPY")).clone()
        sources: list[Any] = [theirs] if dtype is dtypes.bfloat16 else [theirs, stored.copy()]
        for source in sources:
            x = lazygrad.from_dlpack(source, device=device, copy=False)
            assert (x.dtype, x.shape, x.device) == (dtype, shape, device)
            if stored.size:
                assert address(torch.from_dlpack(x)) == address(source)
            assert bits(torch.from_dlpack(x + 0 if dtype.is_int else x)) == bits(stored)
            copied = lazygrad.from_dlpack(source, device=device, copy=True)
            assert bits(torch.from_dlpack(copied)) == bits(stored)
            if stored.size:
                assert address(torch.from_dlpack(copied)) != address(source)


def test_what_lies_in_another_order_is_copied_where_that_is_allowed(device: str) -> None:
    array = np.arange(24.0).reshape(2, 3, 4)
    views = (array.transpose(2, 0, 1), array[:, ::2], array[::-1], np.broadcast_to(array[0, 0], (5, 4)))
    for view in views:
        assert lazygrad.from_dlpack(view, device=device).tolist() == view.tolist()
        assert lazygrad.from_dlpack(view, device=device, copy=True).tolist() == view.tolist()
        with pytest.raises(BufferError, match="strides"):
            lazygrad.from_dlpack(view, device=device, copy=False)
    theirs = torch.arange(6.0).reshape(2, 3).T
    assert lazygrad.from_dlpack(theirs, device=device).tolist() == theirs.tolist()


def test_a_source_that_may_not_be_written_to_never_is(device: str) -> None:
    array = np.arange(64.0, dtype=np.float32)
    array.flags.writeable = False
    x = lazygrad.from_dlpack(array, device=device, copy=False)
    x += 1
    x.realize()
    assert array.tolist() == list(range(64))
    assert x.tolist() == list(range(1, 65))
    writable = np.zeros(64, np.float32)
    y = lazygrad.from_dlpack(writable, device=device, copy=False)
    y[3] = 1
    assert (writable.sum(), y.sum().item()) == (0, 1)


def test_what_is_written_there_is_seen_by_what_is_computed_later(device: str) -> None:
    array = np.zeros(3, np.float32)
    x = lazygrad.from_dlpack(array, device=device, copy=False)
    assert x.add(1).tolist() == [1, 1, 1]
    array[0] = 5
    assert x.tolist() == [5, 0, 0]
    assert x.mul(2).tolist() == [10, 0, 0]


def test_a_tensor_is_made_of_what_numpy_does_not_have() -> None:
    theirs = torch.tensor([1.0, 2.5, math.inf], dtype=torch.bfloat16)
    assert Tensor(theirs).dtype is dtypes.bfloat16
    assert Tensor(theirs).tolist() == theirs.tolist()
    assert Tensor(theirs[1:2], dtype="float64").tolist() == [2.5]
    with pytest.raises(BufferError, match="type"):
        Tensor(theirs.to(torch.float8_e5m2))
    with pytest.raises(TypeError):
        Tensor(object.__new__(Unreadable))


class Unreadable:
    """What NumPy asks for an array, and gets none."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError("no array")


def test_capsules_are_taken_once() -> None:
    for capsule in (np.arange(3).__dlpack__(), np.arange(3).__dlpack__(max_version=(1, 0))):
        assert lazygrad.from_dlpack(capsule).tolist() == [0, 1, 2]
        with pytest.raises(ExchangeError, match="used"):
            lazygrad.from_dlpack(capsule)
    for nothing in (3, [1, 2], None):
        with pytest.raises(ExchangeError, match="takes"):
            lazygrad.from_dlpack(nothing)


def test_what_is_not_known_here_is_refused() -> None:
    for array in (np.zeros(2, np.complex64), np.zeros(2, np.complex128), torch.zeros(2, dtype=torch.float8_e5m2)):
        with pytest.raises(BufferError, match="type"):
            lazygrad.from_dlpack(array)
    version_two = np.arange(3).__dlpack__(max_version=(1, 0))
    ctypes.c_uint32.from_address(dlpack._pointer_of(version_two, b"dltensor_versioned")).value = 2
    with pytest.raises(BufferError, match="version"):
        lazygrad.from_dlpack(version_two)


class Older:
    """A library that knows none of the arguments that came later."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0

    def __dlpack__(self, stream: Any = None) -> Any:
        return self.array.__dlpack__()


def test_older_libraries_are_understood() -> None:
    array = np.arange(4.0)
    for copy in (None, False, True):
        assert lazygrad.from_dlpack(Older(array), copy=copy).tolist() == [0, 1, 2, 3]


# ---- who lives how long ----------------------------------------------------------------------------------------------


def test_memory_lives_as_long_as_anybody_uses_it(device: str, seeds: Seeds) -> None:
    """Everything that was made is dropped in any order while new memory is taken and filled all the time."""
    for seed in seeds(4):
        chosen = random.Random(seed)
        held: list[tuple[Any, list[float]]] = []
        for number in range(40):
            content = [float(number)] * chosen.choice((1, 16, 300))
            made: Any = Tensor(content, device=device).add(0)
            for _ in range(chosen.randrange(4)):
                made = chosen.choice(ROUTES)(made, device)
            held.append((made, content))
            while len(held) > chosen.choice((5, 20)):
                held.pop(chosen.randrange(len(held)))
            if number % 10 == 9:
                gc.collect()
                assert all(other.tolist() == want for other, want in held)


ROUTES: list[Callable[[Any, str], Any]] = [
    lambda x, d: np.from_dlpack(x),
    lambda x, d: torch.from_dlpack(x),
    lambda x, d: lazygrad.from_dlpack(x, device=d),
    lambda x, d: lazygrad.from_dlpack(x, device=d, copy=False) if not isinstance(x, Tensor) else x,
    lambda x, d: np.asarray(x),
    lambda x, d: np.asarray(x.__buffer__()) if isinstance(x, Tensor) else np.asarray(memoryview(np.asarray(x))),
]


def test_memory_is_given_back(device: str) -> None:
    x = Tensor(np.ones(1000, np.float32), device=device)
    pool = open_device(device).pool
    others = [np.from_dlpack(x), torch.from_dlpack(x), np.asarray(x), x.__buffer__(), x.__dlpack__()]
    gc.collect()
    before = pool.live_bytes
    del x
    gc.collect()
    assert pool.live_bytes == before
    others.clear()
    gc.collect()
    assert pool.live_bytes == before - 4000


def test_sources_are_given_back(device: str) -> None:
    released = []

    class Source(np.ndarray):
        def __del__(self) -> None:
            released.append(True)

    source = np.ones(1000, np.float32).view(Source)
    x = lazygrad.from_dlpack(source, device=device, copy=False)
    y = x.add(1).realize()
    del source
    gc.collect()
    assert not released
    assert (x.sum().item(), y.sum().item()) == (1000, 2000)
    del x
    lazygrad.synchronize(device)
    gc.collect()
    Tensor.from_numpy(np.ones(4, np.float32), device=device)  # what kernels have ended with is looked for then
    gc.collect()
    assert released


def test_the_interpreter_may_end_while_others_use_the_memory() -> None:
    code = (
        "import numpy as np, torch, lazygrad\n"
        "from lazygrad import Tensor\n"
        "x = Tensor([1., 2.], device='NUMPY')\n"
        "kept = [np.from_dlpack(x), torch.from_dlpack(x), np.asarray(x)]\n"
        "kept.append(lazygrad.from_dlpack(torch.ones(3), device='NUMPY'))\n"
        "kept.append(kept); torch.kept = kept\n"
        "capsule = x.__dlpack__(); np.kept = capsule\n"
        "print(kept[0].tolist())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[1.0, 2.0]\n", "")


# ---- devices with memory of their own --------------------------------------------------------------------------------


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> str:
    """A device that looks, to other libraries, like the second GPU."""
    monkeypatch.setattr(open_device("NUMPY"), "place", (2, 1))
    return "NUMPY"


def test_only_gpus_have_the_cuda_array_interface(device: str) -> None:
    assert not hasattr(Tensor([1], device=device), "__cuda_array_interface__")


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_the_cuda_array_interface_tells_where_the_elements_are(dtype: DType, gpu: str) -> None:
    for shape in SHAPES:
        stored = values(dtype, shape)
        x = tensor_of(stored, dtype, gpu)
        told = x.__cuda_array_interface__
        typestr = "<V2" if dtype is dtypes.bfloat16 else dtype.storage.str
        assert (told["shape"], told["typestr"], told["strides"], told["version"]) == (shape, typestr, None, 3)
        place, readonly = told["data"]
        assert not readonly
        assert ctypes.string_at(place, stored.nbytes) == stored.tobytes() if stored.size else place == 0
        x.fill_(1)
        assert not stored.size or ctypes.string_at(place, stored.nbytes) == stored.tobytes()  # as long as x lives
    with pytest.raises(GradientError, match="detach"):
        _ = Tensor([1.0], requires_grad=True).__cuda_array_interface__


def test_what_is_on_a_gpu_goes_to_the_host_as_a_copy(gpu: str) -> None:
    x = Tensor([1.0, 2.0], device=gpu)
    assert x.__dlpack_device__() == (2, 1)
    capsule, on_host = x.__dlpack__(stream=1), x.__dlpack__(dl_device=(1, 0))
    own = x.__dlpack__(copy=True, max_version=(1, 1))
    inside, _ = dlpack._open(capsule)
    assert (inside.device, inside.device_number, inside.data) == (2, 1, x.__cuda_array_interface__["data"][0])
    copied, flags = dlpack._open(own)
    assert copied.data != inside.data
    assert flags is not None
    assert flags.flags == 2
    moved, _ = dlpack._open(on_host)
    assert (moved.device, moved.device_number) == (1, 0)
    for refused in (
        lambda: x.__dlpack__(dl_device=(1, 0), copy=False),
        lambda: x.__dlpack__(dl_device=(2, 0)),
        lambda: lazygrad.from_dlpack(x),
        lambda: x.__buffer__(),
    ):
        with pytest.raises(BufferError):
            refused()
    with pytest.raises(ValueError, match="copy"):
        np.asarray(x, copy=False)
    assert np.asarray(x).flags.writeable


def test_an_opencl_gpu_has_no_memory_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_device("NUMPY"), "place", (4, 0))
    x = Tensor([1.0])
    with pytest.raises(BufferError, match="ask for"):
        x.__dlpack__()
    dlpack._open(x.__dlpack__(dl_device=(1, 0)))


def test_names() -> None:
    assert issubclass(ExchangeError, BufferError)
    with pytest.raises(DTypeError):
        Tensor(np.zeros(2, np.complex64))
