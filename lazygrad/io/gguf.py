"""GGUF, the files of llama.cpp: metadata and tensors, many of them in blocks of few bits.

Anybody may have written a file, so nothing in it is believed: every count is held against the bytes that are there
before anything is made of it, and arrays are views of the mapped file.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lazygrad.dtype import DType, dtypes
from lazygrad.errors import FileFormatError
from lazygrad.io.atomic import PathLike
from lazygrad.io.quantized import KINDS, QuantizedTensor
from lazygrad.io.safetensors import StoredArray
from lazygrad.io.state import to_tensor
from lazygrad.ops.signatures import checked
from lazygrad.tensor import Tensor

_SCALARS = {
    0: "<u1", 1: "<i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4", 7: "?", 10: "<u8", 11: "<i8", 12: "<f8"
}  # fmt: skip
_STRING, _ARRAY = 8, 9
_PLAIN: dict[int, DType] = {
    0: dtypes.float32, 1: dtypes.float16, 24: dtypes.int8, 25: dtypes.int16, 26: dtypes.int32, 27: dtypes.int64,
    28: dtypes.float64, 30: dtypes.bfloat16,
}  # fmt: skip
_MOST_DIMENSIONS = 4  # by the format
_DEEPEST = 4  # arrays of arrays


class Place(NamedTuple):
    """Where a tensor lies: its type's number, its shape, the slowest axis first, and its first byte and the last's
    end."""

    kind: int
    shape: tuple[int, ...]
    start: int
    end: int


@checked
def load_gguf(path: PathLike, device: str | None = None) -> tuple[dict[str, Tensor | QuantizedTensor], dict[str, Any]]:
    """The tensors of a GGUF file by name, and its metadata.

    On a CPU no tensor is copied. Those in blocks (q4_0, q8_0, q4_k, q6_k) stay in them: `QuantizedTensor.dequantize`
    gives their numbers, as part of what is computed with them.

    Args:
        device: where the tensors are; None for the default device.

    Raises:
        FileFormatError: no such file, or one that is not whole, not GGUF of version 2 or 3, or says what cannot be; a
            type of tensor that is not read here.
    """
    data = _mapped(path)
    reader = _Reader(path, data)
    metadata, places = reader.header()
    tensors: dict[str, Tensor | QuantizedTensor] = {}
    for name, (kind, shape, start, end) in places.items():
        raw = data[start:end]
        if kind in _PLAIN:
            array = raw.view(_PLAIN[kind].storage.newbyteorder("<")).reshape(shape)
            tensors[name] = to_tensor(StoredArray(_PLAIN[kind], array), device)
        else:
            size = KINDS[kind].nbytes
            blocks = raw.reshape(*shape[:-1], shape[-1] // KINDS[kind].elements, size)
            tensors[name] = QuantizedTensor(KINDS[kind], to_tensor(StoredArray(dtypes.uint8, blocks), device))
    return tensors, metadata


def _mapped(path: PathLike) -> npt.NDArray[np.uint8]:
    try:
        if not os.path.isfile(path):
            problem = "is not a file" if os.path.exists(path) else "there is no such file"
            raise FileFormatError(path, f"{problem}; name a .gguf file")
        if os.path.getsize(path) < 24:
            raise FileFormatError(path, "is too short for a GGUF file; fetch it again")
        return np.memmap(path, dtype=np.uint8, mode="c").view(np.ndarray)
    except (OSError, ValueError) as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(path, f"cannot be read ({getattr(error, 'strerror', None) or error})") from None


@dataclass
class _Reader:
    """What comes next in a file.

    Args:
        path: the file, for messages.
        data: its bytes.
        at: the first byte that has not been read.
    """

    path: PathLike
    data: npt.NDArray[np.uint8]
    at: int = 0

    def header(self) -> tuple[dict[str, Any], dict[str, Place]]:
        """Metadata, and where each tensor is."""
        if self.taken(4) != b"GGUF":
            raise FileFormatError(self.path, "is not a GGUF file; name another one")
        if (version := self.integer(4)) not in (2, 3):
            raise FileFormatError(self.path, f"is GGUF of version {version}, in this byte order; 2 and 3 are read")
        tensors, entries = self.count(8 + 4 + 4 + 8), self.count(8 + 4 + 1)
        metadata: dict[str, Any] = {}
        for _ in range(entries):
            name = self.text()
            self.require(name not in metadata, f"has the entry {name!r:.60} twice")
            metadata[name] = self.value(self.integer(4))
        alignment = metadata.get("general.alignment", 32)
        fits = type(alignment) is int and 1 <= alignment <= 1 << 20 and not alignment & (alignment - 1)
        self.require(fits, f"has an alignment of {alignment!r:.60}, which is no power of 2")
        places: dict[str, Place] = {}
        for _ in range(tensors):
            name = self.text()
            self.require(name not in places, f"has tensor {name!r:.60} twice")
            places[name] = self.place(name, alignment)
        start = -(-self.at // alignment) * alignment
        moved = {name: p._replace(start=start + p.start, end=start + p.end) for name, p in places.items()}
        self._require_apart(moved)
        return metadata, moved

    def place(self, name: str, alignment: int) -> Place:
        """A tensor's place, counted from where the elements start."""
        dimensions = self.integer(4)
        self.require(dimensions <= _MOST_DIMENSIONS, f"has tensor {name!r:.60} of {dimensions} dimensions")
        shape = tuple(self.integer(8) for _ in range(dimensions))[::-1]
        kind, start = self.integer(4), self.integer(8)
        known = kind in _PLAIN or kind in KINDS
        names = ", ".join([*(d.name for d in _PLAIN.values()), *(k.name for k in KINDS.values())])
        self.require(known, f"has tensor {name!r:.60} of type {kind}; lazygrad reads {names}")
        elements = KINDS[kind].elements if kind in KINDS else 1
        size = KINDS[kind].nbytes if kind in KINDS else _PLAIN[kind].itemsize
        whole = shape[-1] % elements == 0 if shape else elements == 1
        self.require(whole, f"has tensor {name!r:.60} of shape {list(shape)}, in blocks of {elements}")
        self.require(max(shape, default=0) < 1 << 62, f"has tensor {name!r:.60} of shape {list(shape)}")
        self.require(start % alignment == 0, f"has tensor {name!r:.60} at byte {start}, no multiple of {alignment}")
        return Place(kind, shape, start, start + math.prod(shape) // elements * size)

    def _require_apart(self, places: dict[str, Place]) -> None:
        last, before = 0, ""
        for name, place in sorted(places.items(), key=lambda item: (item[1].start, item[1].end)):
            self.require(place.end <= len(self.data), f"ends within tensor {name!r:.60}")
            self.require(place.start >= last, f"has tensors {before!r:.60} and {name!r:.60} in the same place")
            if place.end > place.start:
                last, before = place.end, name

    def value(self, kind: int, depth: int = 0) -> Any:
        """A value of metadata; a list of numbers is an array, and a view of the file."""
        if kind in _SCALARS:
            return np.frombuffer(self.taken(np.dtype(_SCALARS[kind]).itemsize), _SCALARS[kind])[0].item()
        if kind == _STRING:
            return self.text()
        self.require(kind == _ARRAY and depth < _DEEPEST, f"has metadata of type {kind}, {depth} deep, which is none")
        inner = self.integer(4)
        if inner in _SCALARS:
            dtype = np.dtype(_SCALARS[inner])
            return self.bytes(self.count(dtype.itemsize) * dtype.itemsize).view(dtype)
        return [self.value(inner, depth + 1) for _ in range(self.count(8 if inner == _STRING else 12))]

    def text(self) -> str:
        """A text, behind its length."""
        try:
            return self.taken(self.count(1)).decode("utf-8")
        except UnicodeDecodeError:
            raise FileFormatError(self.path, f"has a text before byte {self.at} that is not UTF-8") from None

    def count(self, least: int) -> int:
        """How many follow, of at least so many bytes each."""
        count = self.integer(8)
        self.require(count <= (len(self.data) - self.at) // least, f"ends within {count} entries at byte {self.at}")
        return count

    def integer(self, nbytes: int) -> int:
        """An unsigned integer."""
        return int.from_bytes(self.taken(nbytes), "little")

    def taken(self, nbytes: int) -> bytes:
        """The next bytes, copied."""
        return self.bytes(nbytes).tobytes()

    def bytes(self, nbytes: int) -> npt.NDArray[np.uint8]:
        """The next bytes, where they are."""
        self.require(nbytes <= len(self.data) - self.at, f"ends at byte {len(self.data)}, before its header does")
        self.at += nbytes
        return self.data[self.at - nbytes : self.at]

    def require(self, holds: bool, problem: str) -> None:
        """FileFormatError where it does not hold."""
        if not holds:
            raise FileFormatError(self.path, f"{problem}; fetch it again")
