"""`save` and `load`, as PyTorch has them, of tensors in dicts, lists and tuples; without pickle, so nothing in a file
is ever run.

It is a safetensors file: other programs find the tensors in it by their places, such as `model.0.weight`. How they were
nested, and what was between them, is JSON in its metadata.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lazygrad.dtype import BY_NAME, DType
from lazygrad.errors import ArgumentError, FileFormatError, fail
from lazygrad.io.atomic import PathLike
from lazygrad.io.json_table import parse_json
from lazygrad.io.safetensors import StoredArray, read_arrays, write_arrays
from lazygrad.io.state import stored_arrays, to_tensor
from lazygrad.tensor import Tensor

_KEY = "lazygrad_object"
_PLAIN = (type(None), bool, int, float, str)
_REMEDIES = "tensors, NumPy arrays, numbers, texts and dtypes can be saved, in dicts, lists and tuples"


def save(obj: Any, f: PathLike) -> None:
    """Write tensors, arrays, numbers, texts and dtypes, in dicts, lists and tuples of any depth, to the file `f`.

    The file is written atomically. A tensor that occurs twice is one tensor when it is read; a Parameter is read as a
    tensor that requires a gradient. ArgumentError for anything else: of modules and optimizers, save `state_dict()`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save({"weights": [Tensor([1, 2])], "epoch": 3}, f"{folder}/run.safetensors")
    ...     load(f"{folder}/run.safetensors")
    {'weights': [tensor([1, 2])], 'epoch': 3}
    """
    if not isinstance(f, (str, os.PathLike)):
        fail(ArgumentError, f"save: {f!r:.60} is no path; objects are saved to files, which are replaced as a whole")
    writing = _Writing()
    try:
        text = json.dumps(writing.encoded(obj, ()))
    except RecursionError:
        raise ArgumentError("save: an object that holds itself, or is nested too deeply, cannot be saved") from None
    write_arrays(f, stored_arrays(writing.arrays), {_KEY: text})


def load(f: PathLike, map_location: str | None = None, *, weights_only: bool = True, mmap: bool | None = None) -> Any:
    """What `save` wrote to the file `f`; of any other safetensors file a dict of its tensors.

    Args:
        map_location: the device of the tensors; None for the default one.
        weights_only: accepted; nothing else than values is ever read.
        mmap: accepted; files are always mapped.

    FileFormatError for whatever is no such file: one of `torch.save` is read by PyTorch, and saved by `safetensors`.
    """
    arrays, metadata = read_arrays(f)
    if _KEY not in metadata:
        return {name: to_tensor(stored, map_location) for name, stored in arrays.items()}
    return _Reading(f, arrays, map_location).decoded(parse_json(f, "table of objects", metadata[_KEY]))


@dataclass
class _Writing:
    """Arrays by name, and the names of tensors by identity."""

    arrays: dict[str, Any] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)

    def encoded(self, value: Any, place: tuple[str, ...]) -> Any:
        """`value` as JSON has it."""
        if isinstance(value, _PLAIN):
            return value if type(value) in _PLAIN else next(k(value) for k in _PLAIN[1:] if isinstance(value, k))
        if isinstance(value, np.generic) and isinstance(value.item(), _PLAIN):
            return value.item()
        if isinstance(value, DType):
            return {"dtype": value.name}
        if isinstance(value, (Tensor, np.ndarray)):
            return self.named(value, place)
        if isinstance(value, Mapping):
            pairs = [(self.encoded(k, (*place, "key")), self.encoded(v, (*place, str(k)))) for k, v in value.items()]
            return {"table": pairs}
        if isinstance(value, (list, tuple)):
            kind = "list" if isinstance(value, list) else "tuple"
            return {kind: [self.encoded(v, (*place, str(i))) for i, v in enumerate(value)]}
        what = f"a {type(value).__name__}"
        remedy = "save its state_dict()" if hasattr(value, "state_dict") else _REMEDIES
        return fail(ArgumentError, f"save: {'.'.join(place) or 'the object'} is {what}; {remedy}")

    def named(self, value: Any, place: tuple[str, ...]) -> dict[str, Any]:
        """Where the elements of a tensor or an array are found in the file."""
        name = self.names.get(id(value))
        if name is None:
            name = ".".join(place) or "tensor"
            while name in self.arrays:
                name += "_"
            self.arrays[name] = value
            self.names[id(value)] = name
        if isinstance(value, np.ndarray):
            return {"array": name}
        return {"tensor": name, "requires_grad": True} if value.requires_grad else {"tensor": name}


@dataclass
class _Reading:
    """The arrays of a file, which anybody may have written."""

    path: PathLike
    arrays: dict[str, StoredArray]
    device: str | None
    made: dict[str, Tensor] = field(default_factory=dict)

    def decoded(self, value: Any) -> Any:
        """What `encoded` was given. FileFormatError for what it never gives."""
        if isinstance(value, _PLAIN):
            return value
        match value:
            case {"tensor": str(name)} if name in self.arrays:
                return self.tensor(name, value.get("requires_grad") is True)
            case {"array": str(name)} if name in self.arrays:
                return np.array(self.arrays[name].array)
            case {"dtype": str(name)} if name in BY_NAME:
                return BY_NAME[name]
            case {"list": list(values)}:
                return [self.decoded(v) for v in values]
            case {"tuple": list(values)}:
                return tuple(self.decoded(v) for v in values)
            case {"table": list(pairs)} if all(isinstance(p, list) and len(p) == 2 for p in pairs):
                return {self.key(k): self.decoded(v) for k, v in pairs}
        raise FileFormatError(self.path, f"has an entry {value!r:.60} that is no value; save it again")

    def key(self, value: Any) -> Any:
        """A key of a dict."""
        found = self.decoded(value)
        if not isinstance(found, (*_PLAIN, tuple, DType)):
            raise FileFormatError(self.path, f"has a key {value!r:.60} that is no number and no text; save it again")
        return found

    def tensor(self, name: str, requires_grad: bool) -> Tensor:
        """The one tensor of that name."""
        if name not in self.made:
            self.made[name] = to_tensor(self.arrays[name], self.device)
        found = self.made[name]
        if requires_grad and not found.dtype.is_float:
            raise FileFormatError(self.path, f"has a tensor {name!r:.60} of {found.dtype} that requires a gradient")
        return found.requires_grad_() if requires_grad else found
