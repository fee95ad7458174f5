"""The generator: known answers, determinism, distributions, and that devices agree."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lazygrad import Tensor, dtypes, manual_seed
from lazygrad.dtype import DType
from lazygrad.engine.generator import Generator
from lazygrad.errors import ArgumentError, DTypeError
from lazygrad.ir.evaluate import evaluate
from lazygrad.ir.node import const
from lazygrad.ops.generator import default_generator
from lazygrad.ops.random_words import threefry

ONES = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((ONES, ONES), (ONES, ONES), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_known_answers(key: tuple[int, int], counter: tuple[int, int], expected: tuple[int, int]) -> None:
    words = [const(w, dtypes.uint32, (1,)) for w in (*key, *counter)]
    result = threefry((words[0], words[1]), (words[2], words[3]))
    values = evaluate(result, read=lambda n: np.zeros(0))
    assert tuple(int(v[0]) for v in values) == expected


def test_a_seed_decides_the_numbers(device: str) -> None:
    manual_seed(42)
    first = Tensor.rand(5, device=device), Tensor.rand(5, device=device)
    manual_seed(42)
    again = Tensor.rand(5, device=device), Tensor.rand(5, device=device)
    manual_seed(43)
    other = Tensor.rand(5, device=device)
    assert first[1].tolist() == again[1].tolist(), "realized out of order"
    assert first[0].tolist() == again[0].tolist()
    assert first[0].tolist() != first[1].tolist()
    assert other.tolist() != first[0].tolist()


def test_devices_agree(device: str) -> None:
    manual_seed(7)
    ours = [
        Tensor.rand(100, device=device),
        Tensor.randint(100, high=1000, device=device),
        Tensor.randn(100, device=device),
    ]
    manual_seed(7)
    base = [Tensor.rand(100), Tensor.randint(100, high=1000), Tensor.randn(100)]
    base_values = [b.to("NUMPY").numpy() for b in base]
    Tensor.realize(*ours)
    np.testing.assert_array_equal(ours[0].numpy(), base_values[0])
    np.testing.assert_array_equal(ours[1].numpy(), base_values[1])
    np.testing.assert_allclose(ours[2].numpy(), base_values[2], rtol=1e-4, atol=1e-6)


def test_a_draw_does_not_depend_on_how_it_is_fused() -> None:
    manual_seed(1)
    x = Tensor.rand(4, 5)
    y = (x.transpose(0, 1) * 2 + 1).realize()
    np.testing.assert_array_equal(y.numpy(), x.numpy().T * 2 + 1)


def test_a_state_continues_the_sequence() -> None:
    manual_seed(3)
    Tensor.rand(10)
    state = default_generator.state()
    following = Tensor.rand(6).tolist()
    manual_seed(99)
    default_generator.set_state(state)
    assert Tensor.rand(6).tolist() == following


def test_counters_do_not_wrap_within_a_draw() -> None:
    g = Generator(1 << 32 | 5)
    g.counter = (1 << 32) - 3
    assert g.draw(4).tolist() == [5, 1, 0, 1]
    assert g.draw(1).tolist() == [5, 1, 4, 1]


@pytest.mark.parametrize("dtype", [dtypes.float64, dtypes.float32, dtypes.float16, dtypes.bfloat16], ids=str)
def test_uniform_numbers(dtype: DType) -> None:
    manual_seed(0)
    x = Tensor.rand(20_000, dtype=dtype).numpy().astype(np.float64)
    assert x.min() >= 0
    assert x.max() < 1
    assert x.mean() == pytest.approx(0.5, abs=0.01)
    assert x.var() == pytest.approx(1 / 12, abs=0.003)
    counts, _ = np.histogram(x, 16, (0, 1))
    assert ((counts - 1250) ** 2 / 1250).sum() < 45, "chi squared, 15 degrees of freedom"


@pytest.mark.parametrize("dtype", [dtypes.float64, dtypes.float32, dtypes.float16], ids=str)
def test_normal_numbers(dtype: DType) -> None:
    manual_seed(0)
    x = Tensor.randn(20_000, dtype=dtype).numpy().astype(np.float64)
    assert np.isfinite(x).all()
    assert x.mean() == pytest.approx(0, abs=0.03)
    assert x.std() == pytest.approx(1, abs=0.03)
    assert (np.abs(x) > 2).mean() == pytest.approx(1 - math.erf(2 / math.sqrt(2)), abs=0.006)
    assert np.corrcoef(x[:-1], x[1:])[0, 1] == pytest.approx(0, abs=0.03)


def test_integers() -> None:
    manual_seed(0)
    x = Tensor.randint(6000, low=-1, high=5).numpy()
    assert np.bincount(x + 1).tolist() == pytest.approx([1000] * 6, rel=0.15)
    assert Tensor.randint(3, high=2, dtype=dtypes.uint8).dtype is dtypes.uint8
    wide = Tensor.randint(2000, high=1 << 32).numpy()
    assert wide.max() > 1 << 31
    assert wide.min() >= 0
    for low, high in [(3, 3), (5, 2)]:
        with pytest.raises(ArgumentError, match="randint"):
            Tensor.randint(2, low=low, high=high)


def test_other_distributions() -> None:
    manual_seed(0)
    x = Tensor.uniform(5000, low=-3, high=5).numpy()
    assert (x.min() >= -3, x.max() < 5, round(float(x.mean()))) == (True, True, 1)
    y = Tensor.normal(5000, mean=4, std=0.5).numpy()
    assert (float(y.mean()), float(y.std())) == (pytest.approx(4, abs=0.05), pytest.approx(0.5, abs=0.05))
    assert Tensor.bernoulli(5000, p=0.3).mean().item() == pytest.approx(0.3, abs=0.03)
    assert Tensor.zeros(2, 3).rand_like().shape == Tensor.zeros(2, 3).randn_like().shape == (2, 3)
    with pytest.raises(DTypeError, match="randint"):
        Tensor.rand(3, dtype=dtypes.int32)


def test_dropout() -> None:
    manual_seed(0)
    x = Tensor.ones(10_000, requires_grad=True)
    y = x.dropout(0.25)
    values = y.numpy()
    assert np.unique(values).tolist() == pytest.approx([0.0, 4 / 3])
    assert values.mean() == pytest.approx(1, abs=0.03)
    y.sum().backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy() != 0, values != 0)
    assert x.dropout(0.0) is x
    assert x.dropout(0.9, training=False) is x
    assert x.dropout(1.0).sum().item() == 0
    for p in (-0.1, 1.1):
        with pytest.raises(ArgumentError, match="probability"):
            x.dropout(p)


def test_draws_of_one_shape_have_one_graph() -> None:
    from lazygrad.engine.plan import structure

    assert structure([Tensor.rand(7).node]) == structure([Tensor.rand(7).node])
