"""Tensors in other libraries, and other libraries' arrays as tensors, without a copy where both can read the memory.

Values here never change once they are computed, so memory that is shared is *read only* on both sides: an in-place
operation on the tensor gives it memory of its own, and what shares the old one keeps the old values. Nobody may write
through the other side either, though not every library can be kept from it (PyTorch takes no notice of DLPack's flag):
what was computed from the tensor before would not follow, and what is computed later would.
"""

from __future__ import annotations

import sys
import weakref
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from lazygrad.dtype import BY_NAME, dtypes
from lazygrad.engine.lend import lend
from lazygrad.engine.run import storage_of, upload
from lazygrad.errors import ArgumentError, ExchangeError, GradientError
from lazygrad.ops.copying import Copying
from lazygrad.ops.core import fail, make
from lazygrad.ops.creation import device_name
from lazygrad.ops.host_values import on_host
from lazygrad.ops.values import Values
from lazygrad.runtime import dlpack
from lazygrad.runtime.base import Storage
from lazygrad.runtime.registry import open_device

if TYPE_CHECKING:
    from typing_extensions import Self

_HOST = (dlpack.CPU, 0)
_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12")  # later ones have all that earlier ones have
_WRITABLE = 1  # PyBUF_WRITABLE
_lent: weakref.WeakKeyDictionary[Values, object] = weakref.WeakKeyDictionary()  # what keeps a tensor's memory there


class Exchange(Values, Copying):
    """`__array__`, the buffer protocol, DLPack and the CUDA array interface."""

    __slots__ = ()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        """The elements for NumPy: read only and without a copy where they are on the host and need no cast.

        `copy=True` makes a new array; `copy=False` never does: ValueError where it would have to (NumPy has no
        bfloat16, which becomes float32).

        >>> x = Tensor([1.0, 2.0], device="NUMPY")
        >>> np.asarray(x).flags.writeable, np.array(x).flags.writeable
        (False, True)
        """
        here = self._has_buffer()
        cast = dtype is not None and np.dtype(dtype) != self.dtype.storage
        if copy is False and (cast or not here):
            as_what = "" if dtype is None else f" as {dtype}"
            raise ValueError(f"__array__: {self.dtype} on {self.device} cannot be had{as_what} without a copy")
        array = _read_only(self._lent()) if here and not copy else self.numpy()
        return array.astype(dtype) if cast else array

    def __buffer__(self, flags: int = 0) -> memoryview:
        """The elements, read only, for whoever takes buffers: `memoryview(x)` from Python 3.12 on.

        BufferError on devices whose memory is not the host's, for bfloat16, and for who wants to write.

        >>> Tensor([1, 2], device="NUMPY").__buffer__().tolist()
        [1, 2]
        """
        if flags & _WRITABLE:
            fail(ExchangeError, "buffer: a tensor's memory is read only; take a copy, np.array(x)")
        if not self._has_buffer():
            fail(ExchangeError, f"buffer: {self.dtype} on {self.device} has none; take a copy, x.numpy()")
        return memoryview(_read_only(self._lent()))  # type: ignore[arg-type]  # to the types of Python 3.10

    def __dlpack_device__(self) -> tuple[int, int]:
        """Kind and number of the device that can read the elements: (1, 0) is the host, (2, i) a GPU with CUDA.

        >>> Tensor([1], device="NUMPY").__dlpack_device__()
        (1, 0)
        """
        return open_device(self.device).place

    def __dlpack__(
        self,
        *,
        stream: int | None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """A capsule for another library's `from_dlpack`, of the elements where they are: computed, in row-major order,
        read only.

        Args:
            stream: not needed: everything has been computed.
            max_version: the latest version of DLPack that the other side understands. Below 1.0 it cannot be told that
                the memory is read only.
            dl_device: where the other side wants them: where they are, or on the host, (1, 0).
            copy: True for a copy that the other side may write to, False for never.

        ExchangeError (a BufferError) for tensors that require gradients, and where only a copy would do that is not
        allowed.

        >>> np.from_dlpack(Tensor([1, 2], device="NUMPY")).tolist()
        [1, 2]
        """
        if self.requires_grad:
            fail(ExchangeError, "dlpack: this tensor requires gradients, which end here; export x.detach()")
        here = self.__dlpack_device__()
        there = here if dl_device is None else (int(dl_device[0]), int(dl_device[1]))
        if there[0] == dlpack.CPU and stream not in (None, -1):
            fail(ArgumentError, f"dlpack: the host has no streams; stream is {stream}")
        if there not in (here, _HOST) or (there == here and here[0] not in (dlpack.CPU, dlpack.CUDA)):
            fail(ExchangeError, f"dlpack: {self.device} cannot give its memory to device {there}; ask for {_HOST}")
        if copy is False and there != here:
            fail(ExchangeError, f"dlpack: {self.device} cannot give its memory to device {there} without a copy")
        copied = bool(copy) or there != here
        array = self._lent() if not copied else on_host(self) if there == _HOST else self.clone()._lent()
        return dlpack.capsule(array, self.dtype.name, there, max_version, readonly=not copied)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """The elements on a GPU, for libraries with CUDA's array interface (version 3): computed, in row-major order.

        They are there as long as this tensor lives, and must only be read. AttributeError on other devices,
        GradientError for tensors that require gradients.
        """
        place = open_device(self.device).place
        if place[0] != dlpack.CUDA:
            raise AttributeError(f"__cuda_array_interface__: this tensor is on {self.device}, not on a GPU with CUDA")
        if self.requires_grad:
            fail(GradientError, "__cuda_array_interface__: gradients end here; use x.detach()")
        array = self._lent()
        _lent[self] = array
        return {
            "shape": array.shape,
            "typestr": "<V2" if self.dtype is dtypes.bfloat16 else array.dtype.str,
            "data": (array.ctypes.data if array.size else 0, False),  # PyTorch refuses True
            "strides": None,
            "stream": None,
            "version": 3,
        }

    def __array_namespace__(self, /, *, api_version: str | None = None) -> ModuleType:
        """`lazygrad.array_api`: the functions of the Python array API standard. ArgumentError for a version that is
        not offered.

        >>> Tensor([1]).__array_namespace__().sqrt(Tensor([4.0])).tolist()
        [2.0]
        """
        namespace: ModuleType = sys.modules["lazygrad"].array_api  # the house's top, which imports it when first used
        offered = namespace.__array_api_version__
        if api_version not in (None, *_VERSIONS):
            fail(ArgumentError, f"__array_namespace__: version {api_version!r} is not offered; {offered} is")
        return namespace

    @classmethod
    def from_dlpack(cls, x: Any, /, *, device: str | None = None, copy: bool | None = None) -> Self:
        """The elements of another library's array on the host, or of its DLPack capsule.

        Args:
            device: where the tensor is; None for the device `cpu`.
            copy: None for no copy where the device can read the elements where they are: where they lie in row-major
                order, on devices that share the host's memory. True for a copy, False for never: ExchangeError (a
                BufferError) where one would be needed.

        Without a copy, the array must not change as long as the tensor is used, and the tensor never changes it:
        in-place operations give the tensor memory of its own. The array's memory lives as long as either side.
        ExchangeError for arrays that are not on the host, or of types that are not known here (complex numbers).

        >>> Tensor.from_dlpack(np.arange(3), copy=False).tolist()
        [0, 1, 2]
        """
        given = dlpack.take(x, copy)
        name = device_name("cpu" if device is None else device)
        node = upload(given.array, BY_NAME[given.dtype], name, share=not copy)
        if copy is False and given.array.nbytes and not _is_shared(given.array, storage_of(node)):
            start = given.array.ctypes.data
            lies = f"strides of {given.array.strides} bytes, at a multiple of {start & -start}"
            fail(ExchangeError, f"from_dlpack: {name} cannot read this array where it is ({lies}); allow a copy")
        return make(cls, node, name)

    def _has_buffer(self) -> bool:
        """Whether NumPy can use the elements where they are."""
        return open_device(self.device).place == _HOST and self.dtype is not dtypes.bfloat16

    def _lent(self) -> np.ndarray[Any, Any]:
        return lend(self.realize().node)


def _read_only(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    array.flags.writeable = False
    return array


def _is_shared(array: np.ndarray[Any, Any], storage: Storage) -> bool:
    memory = storage.memory
    return memory is not None and memory.host is not None and memory.host.ctypes.data == array.ctypes.data
