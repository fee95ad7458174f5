"""Safetensors files: against the safetensors library, and what is said of files that cannot be read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from safetensors.torch import load_file as load_torch
from safetensors.torch import save_file as save_torch

from lazygrad.dtype import ALL, DType, dtypes
from lazygrad.errors import DTypeError, FileFormatError, ShapeError
from lazygrad.io import StoredArray, read_arrays, write_arrays
from lazygrad.io.safetensors import CODES


def _sample(dtype_name: str, shape: tuple[int, ...]) -> np.ndarray:
    numbers = np.random.default_rng(3).integers(0, 2 if dtype_name == "bool" else 100, shape)
    return numbers.astype("uint16" if dtype_name == "bfloat16" else dtype_name)


@pytest.mark.parametrize("dtype", ALL, ids=repr)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (2, 3, 5)], ids=str)
def test_every_dtype_and_shape_comes_back(tmp_path: Path, dtype: DType, shape: tuple[int, ...]) -> None:
    array = _sample(dtype.name, shape)
    path = tmp_path / "a.safetensors"
    write_arrays(path, {"x": StoredArray(dtype, array)})
    stored, metadata = read_arrays(path)
    assert stored["x"].dtype is dtype
    assert stored["x"].array.dtype == dtype.storage
    np.testing.assert_array_equal(stored["x"].array, array)
    assert metadata == {}


def test_the_table_of_dtypes_is_complete() -> None:
    assert set(CODES.values()) == set(ALL)


def test_the_library_reads_what_is_written(tmp_path: Path) -> None:
    arrays = {
        name: _sample(name, (4, 3)) for name in ("float32", "float64", "float16", "int64", "uint8", "bool", "int16")
    }
    path = tmp_path / "a.safetensors"
    write_arrays(path, arrays, {"note": "é ✓"})
    read = load_file(path)
    assert set(read) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype
    assert read_arrays(path)[1] == {"note": "é ✓"}


def test_bfloat16_is_the_same_numbers_in_torch(tmp_path: Path) -> None:
    values = torch.tensor([1.0, -2.5, 3.1415926, 1e-3], dtype=torch.bfloat16)
    bits = values.view(torch.int16).numpy().view(np.uint16)
    path = tmp_path / "a.safetensors"
    write_arrays(path, {"x": StoredArray(dtypes.bfloat16, bits)})
    assert torch.equal(load_torch(path)["x"], values)
    save_torch({"x": values}, path)
    stored = read_arrays(path)[0]["x"]
    assert stored.dtype is dtypes.bfloat16
    np.testing.assert_array_equal(stored.array, bits)


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[::2],
        lambda a: a[::-1],
        lambda a: a.T,
        lambda a: a[:, 1:3],
        np.asfortranarray,
        lambda a: np.broadcast_to(a[:1], (5, 7)),
        lambda a: a.astype(">f4"),
    ],
    ids=["step", "reversed", "transposed", "slice", "fortran", "broadcast", "big-endian"],
)
def test_any_layout_in_memory_is_written_as_it_reads(tmp_path: Path, view: Callable[[Any], Any]) -> None:
    array = view(np.arange(42, dtype=np.float32).reshape(6, 7))
    write_arrays(tmp_path / "a", {"x": array})
    np.testing.assert_array_equal(read_arrays(tmp_path / "a")[0]["x"].array, array)
    np.testing.assert_array_equal(load_file(tmp_path / "a")["x"], array)


def test_reading_maps_the_file_and_does_not_copy(tmp_path: Path) -> None:
    path = tmp_path / "big"
    write_arrays(path, {"x": np.zeros(1 << 20, np.float32), "y": np.zeros(3, np.uint8)})
    arrays, _ = read_arrays(path)
    base = arrays["x"].array
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert isinstance(base, np.memmap)
    arrays["x"].array[0] = 5  # private to this process
    assert read_arrays(path)[0]["x"].array[0] == 0
    assert all(stored.array.flags.aligned for stored in arrays.values())


def test_an_odd_header_length_still_gives_aligned_arrays(tmp_path: Path) -> None:
    path = tmp_path / "odd"
    header = json.dumps({"x": {"dtype": "F64", "shape": [2], "data_offsets": [0, 16]}}).encode()
    header += b" " * ((3 - len(header)) % 8)
    path.write_bytes(len(header).to_bytes(8, "little") + header + np.array([1.5, 2.5]).tobytes())
    stored = read_arrays(path)[0]["x"]
    assert stored.array.flags.aligned
    assert stored.array.tolist() == [1.5, 2.5]


def _good(path: Path) -> bytes:
    save_file({"weight": np.arange(6, dtype=np.float32)}, path)
    return path.read_bytes()


def _twice(path: Path) -> None:
    entry = '"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
    header = ("{" + entry + "," + entry + "}").encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))


def _exponents(path: Path) -> None:
    header = b'{"w":{"dtype":"F8_E8M0","shape":[4],"data_offsets":[0,4]}}'
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: None, "there is no such file; check the path"),
        (lambda p: p.mkdir(), "is a folder; name the .safetensors file inside it"),
        (lambda p: p.write_bytes(b""), "is empty; fetch or save it again"),
        (lambda p: p.write_bytes(b"abc"), "is truncated (3 bytes); fetch or save it again"),
        (lambda p: p.write_bytes(_good(p)[:40]), "is truncated (40 bytes)"),
        (lambda p: p.write_bytes(_good(p)[:-5]), "is truncated"),
        (
            lambda p: p.write_bytes(b"PK\x03\x04 this is a zip file, not a tensor"),
            "is not a safetensors file; convert it",
        ),
        (lambda p: p.write_bytes((2).to_bytes(8, "little") + b"{]"), "has a damaged header"),
        (lambda p: p.write_bytes(_good(p).replace(b"[6]", b"[7]")), "has a damaged header"),
        (_twice, "the name 'w' occurs twice in its header; fetch or save it again"),
        (_exponents, "tensor 'w' has dtype F8_E8M0, which lazygrad does not read; it reads BOOL, U8"),
    ],
    ids=["absent", "folder", "empty", "short", "header-cut", "data-cut", "zip", "json", "shape", "twice", "exponents"],
)
def test_a_file_that_cannot_be_read_says_which_and_what_to_do(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / "model.safetensors"
    make(path)
    with pytest.raises(FileFormatError) as caught:
        read_arrays(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


def test_what_cannot_be_written_says_why(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with pytest.raises(DTypeError, match="'z' has NumPy type complex128, which the format cannot hold"):
        write_arrays(path, {"z": np.zeros(2, complex)})
    with pytest.raises(DTypeError, match="'z' is called bfloat16 but its elements are float32, not uint16"):
        write_arrays(path, {"z": StoredArray(dtypes.bfloat16, np.zeros(2, np.float32))})
    with pytest.raises(ShapeError, match="__metadata__"):
        write_arrays(path, {"__metadata__": np.zeros(2)})
    assert os.listdir(tmp_path) == []
