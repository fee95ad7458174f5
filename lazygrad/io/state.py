"""Named tensors in safetensors files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from lazygrad.dtype import of_numpy
from lazygrad.engine.run import download, upload
from lazygrad.io.atomic import PathLike
from lazygrad.io.safetensors import StoredArray, read_arrays, write_arrays
from lazygrad.ops.core import make
from lazygrad.runtime.registry import canonical, default_device
from lazygrad.tensor import Tensor

State = Mapping[str, Tensor | npt.NDArray[Any]]


def save_state(path: PathLike, state: State, metadata: Mapping[str, str] | None = None) -> None:
    """Write named tensors or arrays to a safetensors file, atomically.

    Raises:
        DTypeError: an array whose type the format has no code for.
        OSError: the file cannot be written; an older file at `path` is then untouched.
    """
    write_arrays(path, stored_arrays(state), metadata)


def load_state(path: PathLike, device: str | None = None) -> dict[str, Tensor]:
    """The tensors of a safetensors file, on `device` (the default one).

    Raises:
        FileFormatError: absent, a folder, truncated, not safetensors, a name that occurs twice, an unknown dtype.
    """
    arrays, _ = read_arrays(path)
    return {name: to_tensor(stored, device) for name, stored in arrays.items()}


def stored_arrays(state: State) -> dict[str, StoredArray]:
    """The elements of each tensor as they are stored; all tensors are computed in one go."""
    tensors = [value for value in state.values() if isinstance(value, Tensor)]
    if tensors:
        Tensor.realize(*tensors)
    return {
        name: StoredArray(value.dtype, download(value.node))
        if isinstance(value, Tensor)
        else StoredArray(of_numpy(value.dtype), value)
        for name, value in state.items()
    }


def to_tensor(stored: StoredArray, device: str | None = None) -> Tensor:
    """The tensor with the elements of a stored array, copied to `device` (the default one)."""
    where = default_device() if device is None else canonical(device)
    return make(Tensor, upload(stored.array, stored.dtype, where), where)
