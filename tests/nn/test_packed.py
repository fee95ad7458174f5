"""Sequences of several lengths against PyTorch's: padding, packing, and recurrent nets between them, with gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.utils import rnn as theirs

from lazygrad import Tensor, jit, nn
from lazygrad.errors import ArgumentError, JitError, OperandError, ShapeError
from lazygrad.nn.utils import rnn
from lazygrad.nn.utils.rnn import PackedSequence

LENGTHS = [[3], [1, 1], [4, 4, 2, 1], [1, 4, 2, 4], [2, 5, 1, 5, 3]]


def same(ours: Any, expected: Any) -> None:
    """Equal values, shapes and dtypes, None where PyTorch has None."""
    assert (ours is None) == (expected is None)
    if ours is not None:
        np.testing.assert_array_equal(ours.numpy(), expected.detach().numpy(), strict=True)


def data(*shape: int, dtype: str = "float64") -> np.ndarray[Any, Any]:
    return (np.random.default_rng(len(shape)).normal(size=shape) * 9).astype(dtype)


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize(("more", "dtype"), [((), "int64"), ((2,), "float32"), ((1, 3), "int32")])
@pytest.mark.parametrize("batch_first", [False, True])
def test_packing_and_padding(lengths: list[int], more: tuple[int, ...], dtype: str, batch_first: bool) -> None:
    longest = max(lengths) + 1
    shape = (len(lengths), longest) if batch_first else (longest, len(lengths))
    values = data(*shape, *more, dtype=dtype)
    is_sorted = lengths == sorted(lengths, reverse=True)
    packed = rnn.pack_padded_sequence(Tensor(values), lengths, batch_first, enforce_sorted=is_sorted)
    wanted = theirs.pack_padded_sequence(
        torch.from_numpy(values), torch.tensor(lengths), batch_first, enforce_sorted=is_sorted
    )
    for a, b in zip(packed, wanted, strict=True):
        same(a, b)
    for settings in ({}, {"batch_first": True, "padding_value": 3.0}, {"total_length": 7, "padding_value": -2.0}):
        padded, ends = rnn.pad_packed_sequence(packed, **settings)
        expected = theirs.pad_packed_sequence(wanted, **settings)
        same(padded, expected[0])
        same(ends, expected[1])
    for a, b in zip(rnn.unpack_sequence(packed), theirs.unpack_sequence(wanted), strict=True):
        same(a, b)


@pytest.mark.parametrize("settings", [{}, {"batch_first": True, "padding_value": 2.5}, {"padding_side": "left"}])
@pytest.mark.parametrize("more", [(), (2,), (2, 3)])
def test_lists_of_sequences(settings: dict[str, Any], more: tuple[int, ...]) -> None:
    values = [data(n, *more) for n in (2, 4, 0, 1)]
    ours, given = [Tensor(v, requires_grad=True) for v in values], [torch.tensor(v, requires_grad=True) for v in values]
    result, wanted = rnn.pad_sequence(ours, **settings), theirs.pad_sequence(given, **settings)
    same(result, wanted)
    (result.sin().sum() * 2).backward()
    (wanted.sin().sum() * 2).backward()
    for a, b in zip(ours, given, strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-12)
    packed, expected = rnn.pack_sequence(ours[:2], False), theirs.pack_sequence(given[:2], False)
    for c, d in zip(packed, expected, strict=True):
        same(c, d)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "int16", "bool"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_data_and_what_is_computed_are_padded_alike(dtype: str, side: str) -> None:
    """Data are put together on the host, without a kernel for their lengths; what is to be computed, and under `jit`,
    on the device."""
    given = [Tensor(data(n, 2), dtype=dtype).contiguous().realize() for n in (3, 0, 2)]
    before = given[0].tolist()
    there = rnn.pad_sequence(given, True, 1.0, side)
    computed = rnn.pad_sequence([t.flip(0).flip(0) for t in given], True, 1.0, side)
    traced = jit(lambda *ts: rnn.pad_sequence(ts, True, 1.0, side))
    for result in (computed, traced(*given), traced(*given)):
        assert result.dtype.name == there.dtype.name == dtype and result.tolist() == there.tolist()
    both = [rnn.pack_padded_sequence(t, [3, 1, 2], True, False) for t in (there, computed)]
    assert both[0].data.tolist() == both[1].data.tolist() and both[0].data.dtype is both[1].data.dtype
    given[0].assign(given[0].zeros_like())
    rows = there.tolist()[0][-3:]
    assert rows == before, "a later change of a sequence is none of the result"


def test_integers_and_tensors_as_lengths() -> None:
    x = Tensor([[1, 2, 3], [4, 5, 6]])
    for lengths in ((3, 1), np.array([3, 1], "uint8"), Tensor([3, 1]), Tensor([3.0, 1.0])):
        assert rnn.pack_padded_sequence(x, lengths, True).data.tolist() == [1, 4, 2, 3]
        assert [t.tolist() for t in rnn.unpad_sequence(x, lengths, True)] == [[1, 2, 3], [4]]
    assert rnn.pad_sequence([Tensor([1, 2]), Tensor([1.5])], padding_value=2.5).tolist() == [[1, 1], [2, 2]]
    assert rnn.pad_sequence(Tensor([[1, 2], [3, 4]])).tolist() == [[1, 3], [2, 4]]


def test_of_a_pair_and_to_dtypes() -> None:
    packed = PackedSequence((Tensor([1.0, 2.0]), Tensor([2])), sorted_indices=Tensor([1, 0]))
    assert packed.batch_sizes.tolist() == [2] and packed.unsorted_indices.tolist() == [1, 0]
    assert packed.to("float32") is packed and packed.cpu().pin_memory().is_pinned() is packed.is_cuda is False
    for name in ("double", "half", "float", "long", "int", "short", "char", "byte"):
        given = theirs.PackedSequence(torch.tensor([1.0, 2.0]), torch.tensor([2]))
        assert getattr(packed, name)().data.dtype.name == str(getattr(given, name)().data.dtype).removeprefix("torch.")


@pytest.mark.parametrize(
    ("device", "kind", "lengths"),
    [("OPENCL", "LSTM", LENGTHS[3]), *(("NUMPY", k, n) for k in ("RNN", "GRU", "LSTM") for n in LENGTHS[2:])],
)
def test_nets(device: str, kind: str, lengths: list[int]) -> None:
    """A net between packing and padding: what users write."""
    torch.manual_seed(0)
    settings = {"num_layers": 2, "bidirectional": True, "batch_first": True}
    expected = getattr(torch.nn, kind)(3, 2, **settings, dtype=torch.float64)
    ours = getattr(nn, kind)(3, 2, **settings, dtype="float64", device=device)
    ours.load_state_dict({k: v.numpy() for k, v in expected.state_dict().items()})
    x = data(len(lengths), 5, 3)
    a, b = Tensor(x, requires_grad=True, device=device), torch.tensor(x, requires_grad=True)
    output, last = ours(rnn.pack_padded_sequence(a, lengths, batch_first=True, enforce_sorted=False))
    wanted, end = expected(theirs.pack_padded_sequence(b, lengths, batch_first=True, enforce_sorted=False))
    assert isinstance(output, PackedSequence)
    (y, ends), (z, _) = rnn.pad_packed_sequence(output, True), theirs.pad_packed_sequence(wanted, True)
    h, g = (last[0], end[0]) if kind == "LSTM" else (last, end)
    (y.square().sum() + h.sin().sum()).backward()
    (z.square().sum() + g.sin().sum()).backward()
    assert ends.tolist() == lengths
    pairs = [(y, z), (h, g), (a.grad, b.grad)]
    pairs += [(p.grad, q.grad) for p, q in zip(ours.parameters(), expected.parameters(), strict=True)]
    for mine, other in pairs:
        np.testing.assert_allclose(mine.numpy(), other.detach().numpy(), rtol=1e-10, atol=1e-12)


def test_jit_of_lengths() -> None:
    net = nn.GRU(2, 3, device="NUMPY")

    def f(x: Tensor, lengths: list[int]) -> tuple[Tensor, Tensor]:
        output, _ = net(rnn.pack_padded_sequence(x, lengths, enforce_sorted=False))
        return rnn.pad_packed_sequence(output)

    jitted = jit(f)
    for k, lengths in enumerate(([3, 4], [3, 4], [3, 4], [4, 1], [3, 4])):
        x = Tensor(data(4, 2, 2) + k, dtype="float32")
        (y, ends), (expected, _) = jitted(x, lengths), f(x, lengths)
        np.testing.assert_allclose(y.numpy(), expected.numpy(), rtol=1e-5)
        assert ends.tolist() == lengths
    of_tensors = jit(lambda x, n: rnn.pack_padded_sequence(x, n).data)
    assert of_tensors(Tensor.ones(2, 1), Tensor([2])).tolist() == [1, 1]  # the first call runs as it is
    with pytest.raises(JitError, match="a value is read"):
        of_tensors(Tensor.ones(2, 1), Tensor([2]))


def test_values_of_lengths_that_were_written_over() -> None:
    packed = rnn.pack_padded_sequence(Tensor([[1.0, 2.0], [3.0, 4.0]]), [2, 1])
    padded, ends = rnn.pad_packed_sequence(packed)
    ends.assign(Tensor([1, 2]))
    assert [t.tolist() for t in rnn.unpad_sequence(padded, ends)] == [[1.0], [2.0, 0.0]]


def test_errors() -> None:
    x, packed = Tensor.ones(3, 2), rnn.pack_sequence([Tensor([1.0])])
    for lengths, error, match in (
        ([4, 1], ArgumentError, "4, and the sequences are 3 long"),
        ([1, 2], ArgumentError, "enforce_sorted=False"),
        ([1, 0], ArgumentError, "at least 1, not 0"),
        ([1], ArgumentError, "1 lengths for 2 sequences"),
        (2, ShapeError, "a vector"),
        (["a"], ShapeError, "a vector"),
    ):
        with pytest.raises(error, match=match):
            rnn.pack_padded_sequence(x, lengths)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="no sequence"):
        rnn.pack_padded_sequence(x[:, :0], [])
    with pytest.raises(ShapeError, match="not of shape"):
        rnn.pack_padded_sequence(x[0], [1, 1])
    with pytest.raises(OperandError, match="pack_padded_sequence takes a Tensor"):
        rnn.pack_padded_sequence([1, 2], [1])  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="total_length=0"):
        rnn.pad_packed_sequence(packed, total_length=0)
    with pytest.raises(OperandError, match="a PackedSequence"):
        rnn.pad_packed_sequence(x)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="no sequence"):
        rnn.pad_sequence([])
    with pytest.raises(ShapeError, match="differ in more"):
        rnn.pad_sequence([x, x[:, :1]])
    with pytest.raises(ArgumentError, match="padding_side"):
        rnn.pad_sequence([x], padding_side="up")
    with pytest.raises(ShapeError, match="scalar"):
        rnn.pad_sequence([Tensor(1.0)])
    with pytest.raises(OperandError, match="several Tensors"):
        rnn.pad_sequence(3)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="3 lengths for 2"):
        rnn.unpad_sequence(x, [1, 1, 1])
