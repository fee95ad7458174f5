"""Named tensors in safetensors files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lazygrad.engine.run import download, upload
from lazygrad.errors import ArgumentError
from lazygrad.io.atomic import PathLike
from lazygrad.io.safetensors import StoredArray, stored_array, write_arrays
from lazygrad.io.sharded import read_weights
from lazygrad.ops.core import make
from lazygrad.ops.signatures import checked
from lazygrad.runtime.registry import canonical, default_device
from lazygrad.tensor import Tensor

NamedArrays = Mapping[str, Tensor | npt.NDArray[Any]]


@checked
def save_state(path: PathLike, state: NamedArrays, metadata: Mapping[str, str] | None = None) -> None:
    """Write named tensors or arrays to a safetensors file, atomically.

    Raises:
        DTypeError: an array whose type the format has no code for.
        ArgumentError: values that are neither tensors nor arrays; names or metadata that are no texts.
        OSError: the file cannot be written; an older file at `path` is then untouched.
    """
    write_arrays(path, stored_arrays(state), metadata)


@checked
def load_state(path: PathLike, device: str | None = None) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of the files that an index of such (`*.index.json`) names, on `device` (the
    default one). Those of float8 are float16 here, which holds all of their values.

    On a CPU nothing is copied: the tensors are the file's pages, which the system reads when they are first used. The
    tensors never change them, and a file that is saved anew is another file; do not write into the old one meanwhile.
    (Windows does not let a file be saved anew as long as one of its tensors is there.)

    Raises:
        FileFormatError: absent, a folder, truncated, not safetensors, a name that occurs twice, an unknown dtype.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_state(f"{folder}/a.safetensors", {"w": Tensor([1.0, 2.0])})
    ...     load_state(f"{folder}/a.safetensors")["w"].tolist()
    [1.0, 2.0]
    """
    return {name: to_tensor(stored, device) for name, stored in read_weights(path).items()}


@checked
def save_file(tensors: NamedArrays, filename: PathLike, metadata: Mapping[str, str] | None = None) -> None:
    """`save_state`, with the name and the arguments of the safetensors package."""
    save_state(filename, tensors, metadata)


@checked
def load_file(filename: PathLike, device: str | None = None) -> dict[str, Tensor]:
    """`load_state`, with the name and the arguments of the safetensors package."""
    return load_state(filename, device)


def stored_arrays(state: NamedArrays) -> dict[str, StoredArray]:
    """The elements of each tensor as they are stored; all tensors are computed in one go."""
    for name, value in state.items():
        if not isinstance(value, (Tensor, np.ndarray, np.generic)):
            raise ArgumentError(f"{name!r} is a {type(value).__name__}; what is saved are tensors and NumPy arrays")
    tensors = [value for value in state.values() if isinstance(value, Tensor)]
    if tensors:
        Tensor.realize(*tensors)
    return {
        name: StoredArray(value.dtype, download(value.node)) if isinstance(value, Tensor) else stored_array(name, value)
        for name, value in state.items()
    }


def to_tensor(stored: StoredArray, device: str | None = None) -> Tensor:
    """The tensor with the elements of a stored array on `device` (the default one): where they are, if the device can
    read them there, as a CPU can. The array must not change any more."""
    where = default_device() if device is None else canonical(device)
    return make(Tensor, upload(stored.array, stored.dtype, where, share=True), where)
