"""Recurrent nets against PyTorch's: outputs, states, gradients and state dicts, with every setting, in float64."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from lazygrad import Tensor, nn
from lazygrad.errors import ArgumentError, DTypeError, ShapeError


class Packed(NamedTuple):
    """The fields of a PackedSequence, by PyTorch's names."""

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


SETTINGS = [
    {"num_layers": 2, "bidirectional": True},
    {"bias": False, "batch_first": True},
    {"num_layers": 2, "bidirectional": True, "bias": False, "batch_first": True},
]
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("RNN", {}), ("RNN", {"nonlinearity": "relu"}), ("GRU", {}), ("LSTM", {}), ("LSTM", {"proj_size": 2}),
]  # fmt: skip
CASES = [(kind, more | setting) for (kind, more), setting in itertools.product(KINDS, SETTINGS)]


def twins(kind: str, *sizes: int, **settings: Any) -> tuple[Any, Any]:
    """A module of both sides with the same weights."""
    torch.manual_seed(1)
    theirs = getattr(torch.nn, kind)(*sizes, **settings, dtype=torch.float64)
    ours = getattr(nn, kind)(*sizes, **settings, dtype="float64", device="NUMPY")
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    return ours, theirs


def leaf(x: torch.Tensor) -> Tensor:
    return Tensor(x.detach().numpy(), device="NUMPY", requires_grad=True)


def flat(x: Any) -> list[Any]:
    return [t for part in x for t in flat(part)] if isinstance(x, tuple) else [x]


def check(ours: Any, theirs: Any, given: list[Tensor], expected: list[torch.Tensor], result: Any, wanted: Any) -> None:
    """Results and the gradients of their weighted sums, by what is given and by the parameters."""
    pairs = list(zip(flat(result), flat(wanted), strict=True))
    for a, b in pairs:
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-12, atol=1e-12)
    sum((a * (k + 1)).sum() for k, (a, _) in enumerate(pairs)).sin().backward()
    sum((b * (k + 1)).sum() for k, (_, b) in enumerate(pairs)).sin().backward()
    named = dict(theirs.named_parameters())
    both = [*zip(given, expected), *((p, named[name]) for name, p in ours.named_parameters())]
    for a, b in both:
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-10, atol=1e-12)


def states(kind: str, settings: dict[str, Any], batch: int, hidden: int) -> list[torch.Tensor]:
    parts = settings.get("num_layers", 1) * (2 if settings.get("bidirectional") else 1)
    widths = [settings.get("proj_size") or hidden, hidden][: 2 if kind == "LSTM" else 1]
    return [torch.randn(parts, batch, w, dtype=torch.float64, requires_grad=True) for w in widths]


@pytest.mark.parametrize(("kind", "settings"), CASES)
def test_sequences(kind: str, settings: dict[str, Any]) -> None:
    ours, theirs = twins(kind, 4, 3, **settings)
    shape = (2, 5, 4) if settings.get("batch_first") else (5, 2, 4)
    x, h = torch.randn(shape, dtype=torch.float64, requires_grad=True), states(kind, settings, 2, 3)
    given = [leaf(t) for t in (x, *h)]
    result = ours(given[0], tuple(given[1:]) if kind == "LSTM" else given[1])
    check(ours, theirs, given, [x, *h], result, theirs(x, tuple(h) if kind == "LSTM" else h[0]))


@pytest.mark.parametrize(("kind", "settings"), [(kind, more | SETTINGS[0]) for kind, more in KINDS])
@pytest.mark.parametrize("is_sorted", [True, False])
def test_packed_sequences(kind: str, settings: dict[str, Any], is_sorted: bool) -> None:
    ours, theirs = twins(kind, 4, 3, **settings)
    lengths = [5, 3, 3, 1] if is_sorted else [3, 1, 5, 3]
    x, h = torch.randn(5, 4, 4, dtype=torch.float64), states(kind, settings, 4, 3)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=is_sorted)
    data = packed.data.clone().requires_grad_()
    packed = packed._replace(data=data)
    indices = [None if t is None else Tensor(t.numpy(), device="NUMPY") for t in packed[1:]]
    given = [leaf(t) for t in (data, *h)]
    result = ours(Packed(given[0], *indices), tuple(given[1:]) if kind == "LSTM" else given[1])
    wanted = theirs(packed, tuple(h) if kind == "LSTM" else h[0])
    check(ours, theirs, given, [data, *h], (result[0].data, result[1]), (wanted[0].data, wanted[1]))
    assert type(result[0]) is Packed


@pytest.mark.parametrize(("kind", "settings"), CASES)
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_state_goes_back_to_pytorch(kind: str, settings: dict[str, Any]) -> None:
    ours = getattr(nn, kind)(4, 3, **settings, device="NUMPY")
    theirs = getattr(torch.nn, kind)(4, 3, **settings)
    theirs.load_state_dict({k: torch.from_numpy(v.numpy()) for k, v in ours.state_dict().items()})
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs) or settings.get("nonlinearity")
    x = np.random.default_rng(0).normal(size=(5, 2, 4)).astype("float32")
    a, b = ours(Tensor(x, device="NUMPY"))[0].numpy(), theirs(torch.from_numpy(x))[0].detach().numpy()
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    bound = 3**-0.5
    values = np.concatenate([p.numpy().ravel() for p in ours.parameters()])
    assert np.abs(values).max() <= bound and np.abs(values).max() > bound * 0.8


def test_dropout_is_between_layers_in_training() -> None:
    net = nn.GRU(4, 3, num_layers=2, dropout=1.0, device="NUMPY")
    x = Tensor.ones(5, 2, 4, device="NUMPY")
    zeroed = net(x)[0].numpy()
    assert np.ptp(zeroed, axis=1).max() == 0 and not np.allclose(zeroed, net.eval()(x)[0].numpy())


def test_errors() -> None:
    net = nn.LSTM(4, 3, device="NUMPY")
    x = Tensor.ones(5, 2, 4, device="NUMPY")
    with pytest.raises(ShapeError, match=r"features.*input_size is 4"):
        net(x[:, :, :3])
    with pytest.raises(ShapeError, match=r"states are of shapes"):
        net(x, (x, x))
    with pytest.raises(ShapeError, match="length 0"):
        net(x[:0])
    with pytest.raises(ShapeError, match="2 or 3 dimensions"):
        net(x[0, 0])
    with pytest.raises(DTypeError, match="the weights are float32"):
        net(x.cast("float64"))
    with pytest.raises(ArgumentError, match="nonlinearity is"):
        nn.RNN(4, 3, nonlinearity="gelu")
    with pytest.raises(ArgumentError, match="num_layers is at least 1"):
        nn.GRU(4, 3, num_layers=0)
    with pytest.raises(ArgumentError, match="not smaller"):
        nn.LSTM(4, 3, proj_size=3)
    with pytest.raises(ArgumentError, match="no probability"):
        nn.LSTM(4, 3, dropout=1.5)
    with pytest.warns(UserWarning, match="between layers"):
        nn.LSTM(4, 3, dropout=0.5)
    with pytest.raises(ShapeError, match="the state is of shape"):
        nn.GRUCell(4, 3, device="NUMPY")(x[0], x[0])
