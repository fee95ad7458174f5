"""Samples made into a batch: tensors of one shape are stacked, and containers are gone through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lazygrad.dtype import dtypes
from lazygrad.errors import OperandError, ShapeError, fail
from lazygrad.ops.joining import stack
from lazygrad.ops.operands import describe
from lazygrad.tensor import Tensor


def default_convert(data: Any) -> Any:
    """NumPy's arrays and numbers as tensors, in containers too; everything else as it is.

    >>> default_convert({"x": np.arange(2)})["x"].tolist()
    [0, 1]
    """
    if isinstance(data, (np.ndarray, np.generic)) and data.dtype.kind not in "SUO":
        return Tensor.as_tensor(data)
    if isinstance(data, Mapping):
        return _like(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple):
        converted = [default_convert(value) for value in data]
        return type(data)(*converted) if hasattr(data, "_fields") else converted
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _like(data, [default_convert(value) for value in data])
    return data


def default_collate(batch: Any) -> Any:
    """One batch of samples.

    Tensors, arrays and numbers become one tensor, whose first dimension is the batch (float64 for Python's floats);
    texts stay as they are; of tuples, lists and mappings each member is a batch. ShapeError for tensors or arrays of
    several shapes, or sequences of several lengths; OperandError for anything else.

    >>> x, label = default_collate([(Tensor([1.0, 2.0]), "a"), (Tensor([3.0, 4.0]), "b")])
    >>> x.tolist(), label
    ([[1.0, 2.0], [3.0, 4.0]], ('a', 'b'))
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return _stacked(batch)
    if isinstance(first, (np.ndarray, np.generic)):
        if first.dtype.kind in "SUO":
            fail(OperandError, f"default_collate: arrays of {first.dtype} do not become a tensor; give a collate_fn")
        arrays = [np.asarray(a) for a in batch]
        if any(a.shape != arrays[0].shape for a in arrays):
            _differ("arrays", arrays)
        return Tensor.as_tensor(np.stack(arrays))
    if isinstance(first, float):
        return Tensor.tensor(list(batch), dtype=dtypes.float64)
    if isinstance(first, int):
        return Tensor.tensor(list(batch))
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return _like(first, {key: default_collate([sample[key] for sample in batch]) for key in first})
    if isinstance(first, Sequence):
        return _of_sequences(batch)
    return fail(OperandError, f"default_collate: {describe(first)[0]} does not become a batch; give a collate_fn")


def _of_sequences(batch: Sequence[Any]) -> Any:
    first = batch[0]
    if any(len(sample) != len(first) for sample in batch):
        lengths = ", ".join(str(len(sample)) for sample in batch)
        fail(ShapeError, f"default_collate: samples of {lengths} members; give samples of one length, or a collate_fn")
    members = [default_collate(member) for member in zip(*batch)]
    if isinstance(first, tuple):
        return type(first)(*members) if hasattr(first, "_fields") else members
    return _like(first, members)


def _stacked(batch: Sequence[Tensor]) -> Tensor:
    """Tensors in one, whose values are at hand; as a graph only where a gradient may be asked for."""
    if any(t.shape != batch[0].shape for t in batch):
        _differ("tensors", batch)
    if any(t.requires_grad for t in batch):
        return stack(batch)
    device = batch[0].device
    # Each sample is computed by the same few kernels; one graph of all of them would be other kernels for every batch.
    return stack([Tensor.as_tensor(t.numpy(), device="NUMPY", dtype=t.dtype) for t in batch]).to(device)


def _differ(what: str, batch: Sequence[Any]) -> None:
    shapes = ", ".join(dict.fromkeys(str(list(a.shape)) for a in batch))
    fail(ShapeError, f"default_collate: {what} of shapes {shapes}; give samples of one shape, or a collate_fn")


def _like(container: Any, members: Any) -> Any:
    """The members in a container of that kind, where it is made of them alone; else in Python's own."""
    try:
        return type(container)(members)
    except TypeError:
        return members
