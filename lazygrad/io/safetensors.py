"""The safetensors format: named arrays and a text-to-text table, in one file that any reader opens.

The file is 8 bytes of header length, a JSON header, and the elements. Writing is done here, so that bfloat16 needs no
NumPy type and nothing is copied; reading is validated by the safetensors library and then mapped into memory.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from lazygrad.dtype import BY_NAME, DType, dtypes
from lazygrad.errors import ArgumentError, DTypeError, FileFormatError, ShapeError
from lazygrad.io.atomic import PathLike, atomic_write
from lazygrad.io.float8 import FLOAT8
from lazygrad.io.json_table import parse_json
from lazygrad.io.pickles import pickle_advice
from lazygrad.ops.signatures import checked

CODES: dict[str, DType] = {
    "BOOL": dtypes.bool, "U8": dtypes.uint8, "I8": dtypes.int8, "U16": dtypes.uint16, "I16": dtypes.int16,
    "U32": dtypes.uint32, "I32": dtypes.int32, "U64": dtypes.uint64, "I64": dtypes.int64,
    "F16": dtypes.float16, "BF16": dtypes.bfloat16, "F32": dtypes.float32, "F64": dtypes.float64,
}  # fmt: skip
_CODE_OF = {dtype: code for code, dtype in CODES.items()}
_METADATA = "__metadata__"
_REMEDY = "fetch or save it again"
_TRIES = 100  # of reading a file that others save to
LONGEST_HEADER = 100_000_000  # bytes, by the format


class StoredArray(NamedTuple):
    """One array with its dtype: the elements of a bfloat16 array are its 16 bits, as uint16."""

    dtype: DType
    array: npt.NDArray[Any]


def write_arrays(
    path: PathLike,
    arrays: Mapping[str, StoredArray | npt.NDArray[Any]],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write named arrays, of any layout in memory, to a safetensors file, atomically.

    Args:
        arrays: name -> array, or -> StoredArray where NumPy has no such dtype.
        metadata: texts kept in the header.

    Raises:
        DTypeError: an array whose type the format has no code for.
        ShapeError: a name that the format keeps for itself.
        ArgumentError: names or metadata that are no texts, or more of them than a file may have.
        OSError: the file cannot be written; an older file at `path` is then untouched.
    """
    _check_names(arrays)
    # Wide elements first: every array then starts at a multiple of its element size, which mapping it needs.
    stored = sorted(((n, stored_array(n, a)) for n, a in arrays.items()), key=lambda item: -item[1].dtype.itemsize)
    header: dict[str, Any] = {_METADATA: _checked_metadata(metadata)} if metadata else {}
    end = 0
    for name, (dtype, array) in stored:
        start, end = end, end + array.nbytes
        header[name] = {"dtype": _CODE_OF[dtype], "shape": list(array.shape), "data_offsets": [start, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % 64)  # so that the elements start on a cache line
    if len(text) > LONGEST_HEADER:
        raise ArgumentError(
            f"{len(arrays)} names and the metadata are {len(text)} bytes; readers of safetensors take "
            f"{LONGEST_HEADER}: save fewer tensors, or less metadata, in one file"
        )
    with atomic_write(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, (_, array) in stored:
            file.write(array.reshape(-1).view(np.uint8).data)


@checked
def read_arrays(path: PathLike) -> tuple[dict[str, StoredArray], dict[str, str]]:
    """The arrays and the metadata of a safetensors file; the arrays are the file's own pages, not copies. Those of
    float8 are decoded to float16, which holds all of their values.

    Writing to an array changes this process's copy of the page only, never the file. The file cannot be replaced on
    Windows while one of its arrays is alive: copy what you keep.

    Raises:
        FileFormatError: absent, a folder, truncated, not safetensors, a name that occurs twice, an unknown dtype.
    """
    header, elements = _header_and_elements(path)
    metadata = header.pop(_METADATA, None) or {}  # null is as good as none
    arrays = {}
    for name, entry in header.items():
        what, code, shape = f"tensor {name!r:.60}", entry["dtype"], entry["shape"]
        if code not in CODES and code not in FLOAT8:
            known = ", ".join([*CODES, *FLOAT8])
            raise FileFormatError(path, f"{what} has dtype {code}, which lazygrad does not read; it reads {known}")
        start, end = entry["data_offsets"]
        try:
            arrays[name] = _stored(elements[start:end], code, tuple(shape))
        except ValueError as error:  # more dimensions than NumPy has, or sizes beyond 2**63 beside one of 0
            raise FileFormatError(path, f"{what} has shape {shape!s:.60}, which no array can have: {error}") from None
    return arrays, metadata


def _header_and_elements(path: PathLike) -> tuple[dict[str, Any], npt.NDArray[np.uint8]]:
    """The header of a valid file, and the bytes behind it, mapped: both of the one file that has been validated, though
    others may be saved at `path` meanwhile."""
    for _ in range(_TRIES):
        before = _identity(path)
        try:
            _validate(path)
            with open(path, "rb") as file:
                length = int.from_bytes(file.read(8), "little")
                header = parse_json(path, "header", file.read(length))
                elements = np.memmap(file, dtype=np.uint8, mode="c")[8 + length :].view(np.ndarray)
                if _identity(file.fileno()) == before:
                    return header, elements
        except (FileFormatError, OSError):
            if _identity(path) == before:
                raise
    raise FileFormatError(path, "is replaced again and again while it is read; read it when nobody saves to it")


def _identity(file: PathLike | int) -> tuple[int, ...]:
    """What no two files have in common, nor one before and after it is written to; nothing where there is none."""
    try:
        status = os.stat(file)
    except (OSError, ValueError):
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def stored_array(name: str, array: StoredArray | npt.NDArray[Any]) -> StoredArray:
    """`array` with its dtype, contiguous and little-endian; DTypeError where the format has no such type."""
    if not isinstance(array, StoredArray):
        dtype = BY_NAME.get(np.dtype(array.dtype).name)
        if dtype is None:
            raise DTypeError(
                f"{name!r} has NumPy type {array.dtype}, which the format cannot hold; it holds {_codes()}"
            )
        array = StoredArray(dtype, array)
    storage = array.dtype.storage
    if array.array.dtype.newbyteorder("=") != storage:
        raise DTypeError(f"{name!r} is called {array.dtype} but its elements are {array.array.dtype}, not {storage}")
    contiguous = np.asarray(array.array, dtype=storage.newbyteorder("<"), order="C")
    return StoredArray(array.dtype, contiguous)


def _stored(raw: npt.NDArray[np.uint8], code: str, shape: tuple[int, ...]) -> StoredArray:
    if (values := FLOAT8.get(code)) is not None:
        return StoredArray(dtypes.float16, values[raw].reshape(shape))
    return StoredArray(CODES[code], _mapped(raw, CODES[code], shape))


def _mapped(raw: npt.NDArray[np.uint8], dtype: DType, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    if dtype is dtypes.bool and (raw > 1).any():  # to NumPy, a bool is the byte 0 or 1 and nothing else
        raw = (raw != 0).view(np.uint8)
    array: npt.NDArray[Any] = raw.view(dtype.storage.newbyteorder("<")).reshape(shape)
    # Other writers may pad the header to any length; computing on unaligned elements is undefined on some machines.
    return array if array.flags.aligned else array.copy()


def _validate(path: PathLike) -> None:
    """Raise FileFormatError for whatever the safetensors library does not accept, saying what to do."""
    if os.path.isdir(path):
        raise FileFormatError(path, "is a folder; name the .safetensors file inside it")
    if os.path.exists(path) and not os.path.isfile(path):
        raise FileFormatError(path, "is not a file but a pipe, a device or the like; copy its content to a file")
    try:
        with safe_open(path, framework="numpy"):
            return
    except FileNotFoundError:
        raise FileFormatError(path, "there is no such file; check the path, or save it first") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a character that no path has
        raise FileFormatError(path, f"cannot be read ({getattr(error, 'strerror', None) or error})") from None
    except SafetensorError as error:
        raise FileFormatError(path, _explain(path, str(error))) from None


def _explain(path: PathLike, reason: str) -> str:
    """What is wrong with a file of which the library says only `reason`."""
    size = os.path.getsize(path)
    if size == 0:
        return f"is empty; {_REMEDY}"
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        first = file.read(1)
        text = first + file.read(length - 1) if first == b"{" and 8 + length <= size else b""
    if advice := pickle_advice(path):
        return advice
    if first not in (b"{", b""):
        return "is not a safetensors file; convert it, or name another file"
    if not text or 8 + length + _end_of_elements(text) > size:
        return f"is truncated ({size} bytes); {_REMEDY}"
    return f"has a damaged header ({reason:.200}); {_REMEDY}"


def _end_of_elements(header: bytes) -> int:
    """The last offset that a header names, 0 where it makes no sense."""
    try:
        return max(int(entry["data_offsets"][1]) for name, entry in json.loads(header).items() if name != _METADATA)
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
        return 0


def _check_names(names: Iterable[object]) -> None:
    """Raise for what is no name that a file gives back as it was."""
    for name in names:
        if not _is_text(name):
            raise ArgumentError(f"{name!r} is no name for a tensor in a file; use a str without lone surrogates")
        if name == _METADATA:
            raise ShapeError(f"no tensor can be saved under the name {_METADATA!r}, which safetensors keeps for itself")


def _checked_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(metadata, Mapping):
        raise ArgumentError(f"metadata is a {type(metadata).__name__}; it must be a table of texts by name")
    for key, value in metadata.items():
        if not _is_text(key) or not _is_text(value):
            raise ArgumentError(
                f"metadata has {key!r:.60}: {value!r:.60}; a safetensors file holds texts only: use str or json.dumps"
            )
    return dict(metadata)


def _is_text(value: object) -> bool:
    """Whether `value` is a str that UTF-8 can hold."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


def _codes() -> str:
    return ", ".join(CODES)
