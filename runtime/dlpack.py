"""DLPack capsules: how arrays of other libraries are taken, and ours given away, without a copy.

NumPy has both sides in C, and who keeps whose memory alive is left to it. It does not know every element type, nor
other devices: so it sees elements as unsigned integers in the host's memory, and what they are is written to the
capsule afterwards, or read from it before. The structures are those of DLPack 1.x (`dlpack.h`).
"""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lazygrad.dtype import ALL
from lazygrad.errors import ExchangeError, fail

CPU, CUDA, OPENCL = 1, 2, 4  # kinds of devices
ON_HOST = (CPU, 3, 11, 13)  # those that the host can address: also CUDA's and ROCm's pinned and CUDA's managed memory
_INT, _UINT, _FLOAT, _BFLOAT, _BOOL = 0, 1, 2, 4, 6
_CODES = {"int": _INT, "uint": _UINT, "float": _FLOAT, "bfloat": _BFLOAT, "bool": _BOOL}
_NAMES = {code: name for name, code in _CODES.items()}
_READ_ONLY, _COPIED = 1, 2


class _Array(ctypes.Structure):
    """DLTensor."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device", ctypes.c_int32),
        ("device_number", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("byte_offset", ctypes.c_uint64),
    ]


class _Versioned(ctypes.Structure):
    """DLManagedTensorVersioned. Without a version there is the array alone in front."""

    _fields_ = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("array", _Array),
    ]


_name_of = ctypes.pythonapi.PyCapsule_GetName
_name_of.restype, _name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
_pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_of.restype, _pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]


class Given(NamedTuple):
    """What another library's array is.

    Attributes:
        array: its elements where they are; those of bfloat16 as uint16.
        dtype: the name of their type.
    """

    array: npt.NDArray[Any]
    dtype: str


def capsule(
    array: npt.NDArray[Any], dtype: str, device: tuple[int, int], version: tuple[int, int] | None, readonly: bool
) -> Any:
    """A capsule of `array`, which is writable as far as NumPy knows; it lives as long as its consumer needs it.

    Args:
        array: in C order; its address is one on `device`, and need not be one of the host's.
        dtype: name of the type of its elements.
        version: the latest one that the consumer understands. Only from 1.0 on a capsule can say `readonly`, or that
            it is the consumer's own copy, which is what it says otherwise.
    """
    plain = array.view(f"u{array.itemsize}")
    made = _versioned(plain) if version is not None and version[0] >= 1 else plain.__dlpack__()
    inside, flags = _open(made)
    inside.code, inside.bits = _CODES[dtype.rstrip("0123456789")], 8 * array.itemsize
    inside.device, inside.device_number = device
    if flags is not None:
        flags.flags = _READ_ONLY if readonly else _COPIED
    return made


def take(source: Any, copy: bool | None) -> Given:
    """The elements of `source`, which is on the host: an object with `__dlpack__`, or a capsule. They stay where they
    are, unless the other library copies; with `copy=False` it must not. ExchangeError where it cannot."""
    seen = _Plain(source, copy)
    array = np.from_dlpack(seen)
    kind = np.dtype(np.uint16 if seen.dtype == "bfloat16" else seen.dtype)
    return Given(array.view(kind), seen.dtype)


class _Plain:
    """Another library's array, as NumPy gets to see it."""

    dtype: str

    def __init__(self, source: Any, copy: bool | None) -> None:
        self._source, self._copy = source, copy

    def __dlpack_device__(self) -> tuple[int, int]:
        return CPU, 0

    def __dlpack__(self, **asked: Any) -> Any:
        made = self._source
        if hasattr(made, "__dlpack__"):
            made = self._asked_for(made, asked)
        inside, _ = _open(made)
        name = _NAMES.get(inside.code, "")
        dtype = name if name == "bool" else f"{name}{inside.bits}"
        if dtype not in _TAKEN or inside.lanes != 1:
            kind = f"code {inside.code}, {inside.bits} bits, {inside.lanes} lanes"
            fail(ExchangeError, f"from_dlpack: elements of this type ({kind}) are not known here; cast them first")
        if inside.device not in ON_HOST:
            fail(ExchangeError, f"from_dlpack: the array is on device {inside.device}, not on the host; copy it there")
        self.dtype = dtype
        inside.code, inside.device, inside.device_number = _UINT, CPU, 0
        return made

    def _asked_for(self, source: Any, asked: dict[str, Any]) -> Any:
        if self._copy is False:
            try:
                return source.__dlpack__(**{**asked, "copy": False})
            except TypeError:  # of a time before that argument, when nobody copied
                pass
        return source.__dlpack__(**asked)


_TAKEN = {dtype.name for dtype in ALL}


def _versioned(array: npt.NDArray[Any]) -> Any:
    try:
        return array.__dlpack__(max_version=(1, 0))  # type: ignore[call-arg,unused-ignore]
    except TypeError:  # NumPy before 2.1
        return array.__dlpack__()


def _open(made: Any) -> tuple[_Array, _Versioned | None]:
    """The array that a capsule describes, and the flags beside it where it has a version."""
    try:
        name = _name_of(made)
    except ValueError:
        name = None
    if name == b"dltensor_versioned":
        whole = _Versioned.from_address(_pointer_of(made, name))
        if whole.major > 1:
            fail(ExchangeError, f"from_dlpack: a capsule of version {whole.major}.{whole.minor}, and 1.x is known here")
        return whole.array, whole
    if name == b"dltensor":
        return _Array.from_address(_pointer_of(made, name)), None
    used = f"; a capsule {name.decode()!r} has been used already" if name else ""
    return fail(ExchangeError, f"from_dlpack takes an object with __dlpack__, or its capsule, not {made!r:.80}{used}")
