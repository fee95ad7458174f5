"""Sequences of several lengths: padded to one length, or packed, step by step, without padding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from lazygrad.engine.run import realized
from lazygrad.engine.tracing import tracing, watch_here
from lazygrad.errors import ArgumentError, OperandError, ShapeError, fail
from lazygrad.nn.steps import Known, Places
from lazygrad.nn.utils.packed import PackedSequence, invert_permutation
from lazygrad.ops.joining import stack
from lazygrad.ops.operands import describe, not_a_tensor
from lazygrad.tensor import Tensor

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


def pack_padded_sequence(
    input: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Padded sequences (length, batch, ...), with `batch_first` (batch, length, ...), without their padding.

    Args:
        lengths: how long each sequence is. Values of a tensor are read; under `jit` give a list.
        enforce_sorted: whether longer sequences have to come first; without it they are put into that order.

    ArgumentError for lengths that are not positive, longer than the sequences, or not in order.

    >>> x = Tensor([[1, 2, 0], [3, 0, 0], [4, 5, 6]])
    >>> packed = pack_padded_sequence(x, [2, 1, 3], batch_first=True, enforce_sorted=False)
    >>> packed.data, packed.batch_sizes, packed.sorted_indices
    (tensor([4, 1, 3, 5, 2, 6]), tensor([3, 2, 1]), tensor([2, 0, 1]))
    """
    what = "pack_padded_sequence"
    if not isinstance(input, Tensor):
        not_a_tensor(what, input)
    if input.ndim < 2:
        fail(ShapeError, f"{what}: the input is (length, batch, ...), not of shape {list(input.shape)}")
    steps = input.transpose(0, 1) if batch_first else input
    values = _lengths(what, lengths)
    _check_lengths(what, values, steps._known(what, 0), steps._known(what, 1), enforce_sorted)
    order: Tensor | None = None
    if not enforce_sorted:
        by_length = np.argsort(-values, kind="stable")
        order, values = Known(by_length, input.device), values[by_length]
    inside = values > np.arange(values[0])[:, None]
    running, last = inside.sum(1), int(values[0])
    if _are_data([input]):
        array = input.numpy().swapaxes(0, 1)[:last] if batch_first else input.numpy()[:last]
        array = (array if order is None else array[:, Known.of(order)])[inside]
        data = Tensor(array, dtype=input.dtype, device=input.device)
    else:
        steps = steps if order is None else steps.index_select(1, order)
        data = Places(running, input.device).pack(steps[:last])
    return PackedSequence(data, Known(running, input.device), order)


def _lengths(what: str, lengths: Any) -> np.ndarray[Any, Any]:
    values = Known.of(lengths) if isinstance(lengths, Tensor) else np.asarray(lengths)
    if values.ndim != 1 or (values.dtype.kind not in "iuf"):
        fail(ShapeError, f"{what}: lengths are a vector of integers, not {describe(lengths)[0]}")
    return values.astype(np.int64)


def _check_lengths(what: str, lengths: np.ndarray[Any, Any], longest: int, batch: int, in_order: bool) -> None:
    if not batch:
        fail(ShapeError, f"{what}: there is no sequence to pack")
    if len(lengths) != batch:
        fail(ArgumentError, f"{what}: {len(lengths)} lengths for {batch} sequences")
    if lengths.min() <= 0:
        fail(ArgumentError, f"{what}: every length is at least 1, not {lengths.min()}")
    if lengths.max() > longest:
        fail(ArgumentError, f"{what}: a length of {lengths.max()}, and the sequences are {longest} long")
    if in_order and (np.diff(lengths) > 0).any():
        fail(ArgumentError, f"{what}: longer sequences come first; pass enforce_sorted=False to have them sorted")


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """A packed sequence as (length, batch, ...), with `batch_first` (batch, length, ...), and every length.

    Args:
        padding_value: what stands after an end.
        total_length: the length of the result, instead of that of the longest sequence; ArgumentError if it is less.

    >>> packed = pack_sequence([Tensor([1, 2, 3]), Tensor([4])])
    >>> pad_packed_sequence(packed, batch_first=True, padding_value=-1)
    (tensor([[ 1,  2,  3],
            [ 4, -1, -1]]), tensor([3, 1]))
    """
    what = "pad_packed_sequence"
    if not hasattr(sequence, "batch_sizes"):
        fail(OperandError, f"{what} takes a PackedSequence, not {describe(sequence)[0]}")
    data, batch_sizes, _, back = sequence
    running = Known.of(batch_sizes)
    longest = len(running) if total_length is None else total_length
    if longest < len(running):
        fail(ArgumentError, f"{what}: total_length={total_length} is less than the longest sequence, {len(running)}")
    places = Places(running, data.device)
    inside = places.running.reshape(*places.shape, *(1 for _ in data.shape[1:]))
    padded = places.pad(data).where(inside, padding_value if data.dtype.is_float else int(padding_value))
    if longest > len(running):
        more = Tensor.full((longest - len(running), *padded.shape[1:]), padding_value, dtype=data.dtype)
        padded = padded.cat(more.to(data.device))
    values = (np.arange(running[0]) < running[:, None]).sum(0)
    if back is not None:
        padded, values = padded.index_select(1, back), values[Known.of(back)]
    return padded.transpose(0, 1) if batch_first else padded, Known(values, data.device)


def pad_sequence(
    sequences: Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Sequences (length, ...) beside each other, (longest, batch, ...), with `batch_first` (batch, longest, ...).

    Shorter ones are filled with `padding_value` after their end, or before their start (`padding_side="left"`). The
    dtype is that of the first one.

    >>> pad_sequence([Tensor([1, 2, 3]), Tensor([4])], batch_first=True)
    tensor([[1, 2, 3],
            [4, 0, 0]])
    """
    what = "pad_sequence"
    given = _tensors(what, sequences)
    if padding_side not in ("left", "right"):
        fail(ArgumentError, f"{what}: padding_side is 'left' or 'right', not {padding_side!r}")
    first = given[0]
    if any(t.shape[1:] != first.shape[1:] for t in given):
        fail(ShapeError, f"{what}: shapes {[list(t.shape) for t in given]} differ in more than their lengths")
    lengths = [t._known(what, 0) for t in given]
    value = padding_value if first.dtype.is_float else int(padding_value)
    if _are_data(given):
        return _beside(given, lengths, value, padding_side == "left", batch_first)
    rows = []
    for t, n in zip(given, lengths):
        missing = max(lengths) - n
        ends = (missing, 0) if padding_side == "left" else (0, missing)
        rows.append(t.cast(first.dtype).pad((*(0 for _ in range(2 * t.ndim - 2)), *ends), value=value))
    return stack(rows, 0 if batch_first else 1)


def _are_data(given: list[Tensor]) -> bool:
    """Whether these are values that are there already, and nothing records what is done with them. A kernel that put
    them beside each other would be one for these lengths alone."""
    same = {(t.dtype, t.device) for t in given}
    free = not any(t.requires_grad for t in given) and watch_here() is None and not tracing.examples
    return free and len(same) == 1 and all(realized(t.node) is not None for t in given)


def _beside(given: list[Tensor], lengths: list[int], value: float, left: bool, batch_first: bool) -> Tensor:
    """`pad_sequence` on the host."""
    arrays, longest = [t.numpy() for t in given], max(lengths)
    whole = np.full((len(arrays), longest, *arrays[0].shape[1:]), value, dtype=arrays[0].dtype)
    for row, array, n in zip(whole, arrays, lengths):
        row[longest - n if left else 0 :][:n] = array
    whole = whole if batch_first else whole.swapaxes(0, 1)
    return Tensor(whole, dtype=given[0].dtype, device=given[0].device)


def _tensors(what: str, sequences: Any) -> list[Tensor]:
    if not isinstance(sequences, Iterable):
        fail(OperandError, f"{what} takes several Tensors, not {describe(sequences)[0]}")
    given = list(sequences)
    for t in given:
        if not isinstance(t, Tensor):
            not_a_tensor(what, t, "Tensors")
        if not t.ndim:
            fail(ShapeError, f"{what}: a sequence is (length, ...); a scalar has no length")
    if not given:
        fail(ArgumentError, f"{what}: there is no sequence")
    return given


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False
) -> list[Tensor]:
    """Every sequence of (length, batch, ...), with `batch_first` (batch, length, ...), without its padding.

    Values of `lengths` are read.

    >>> unpad_sequence(Tensor([[1, 2, 3], [4, 0, 0]]), Tensor([3, 1]), batch_first=True)
    [tensor([1, 2, 3]), tensor([4])]
    """
    values = _lengths("unpad_sequence", lengths)
    by_sequence = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    if len(values) != by_sequence.shape[0]:
        fail(ArgumentError, f"unpad_sequence: {len(values)} lengths for {by_sequence.shape[0]} sequences")
    return [by_sequence[k, : int(n)] for k, n in enumerate(values)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Sequences (length, ...) packed; without `enforce_sorted` in any order.

    >>> pack_sequence([Tensor([1, 2, 3]), Tensor([4, 5]), Tensor([6])]).data
    tensor([1, 4, 6, 2, 5, 3])
    """
    given = _tensors("pack_sequence", sequences)
    lengths = [t._known("pack_sequence", 0) for t in given]
    return pack_padded_sequence(pad_sequence(given), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences of a packed one, in the order in which they were packed.

    >>> unpack_sequence(pack_sequence([Tensor([1]), Tensor([2, 3])], enforce_sorted=False))
    [tensor([1]), tensor([2, 3])]
    """
    return unpad_sequence(*pad_packed_sequence(packed_sequences, batch_first=True), batch_first=True)
