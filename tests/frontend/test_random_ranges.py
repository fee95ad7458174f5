"""Random numbers over whole ranges and at their ends: wide integers, the open end of uniform numbers, tails, refusals,
and seeds of processes.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor, dtypes, manual_seed, nn
from lazygrad.dtype import ALL, DType
from lazygrad.engine.run import upload
from lazygrad.errors import ArgumentError, DTypeError
from lazygrad.ir.elements import next_value
from lazygrad.ir.node import const
from lazygrad.ops.generator import default_generator
from lazygrad.ops.random_integers import integers_below
from lazygrad.ops.random_words import unit

FLOATS = (dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64)
WORDS = (0, 1, 2, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFE, 0xFFFFFFFF, 0x12345678, 0xDEADBEEF)
LIMITS = (1, 2, 3, 10, 1 << 16, 3 << 30, (1 << 32) - 1, 1 << 32, (1 << 32) + 1, 3 << 40, (1 << 63) - 1, 1 << 63)
LIMITS += ((3 << 62) + 5, (1 << 64) - 1, 1 << 64)


def test_integers_below_a_limit_are_the_upper_half_of_a_product(device: str) -> None:
    rng = np.random.default_rng(0)
    words = [np.concatenate([rng.choice(np.array(WORDS, np.uint32), 200), rng.integers(0, 1 << 32, 200, np.uint32)])
             for _ in range(4)]  # fmt: skip
    nodes = [upload(w, dtypes.uint32, device) for w in words]
    results = []
    for limit in LIMITS:
        result = Tensor([0.0])
        result.node = integers_below(limit, nodes)
        results.append(result)
    Tensor.realize(*results)
    for limit, result in zip(LIMITS, results):
        used = 2 if limit <= 1 << 32 else 4
        exact = [0] * len(words[0])
        for w in words[:used]:
            exact = [(e << 32) + int(v) for e, v in zip(exact, w)]
        assert [int(v) for v in result.tolist()] == [e * limit >> 32 * used for e in exact], limit


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (0, 3 << 30),
        (-(1 << 31), 1 << 31),
        (-5, 3 << 40),
        (0, (1 << 63) - 1),
        (-(1 << 63), 1 << 63),
        (-(1 << 62), 1 << 63),
        (-3, 9),
    ],
)
def test_integers_are_equally_probable(low: int, high: int) -> None:
    """Chi squared over twelfths of the range, 11 degrees of freedom: above 31.3 once in a thousand times."""
    manual_seed(0)
    x = Tensor.randint(12_000, low=low, high=high).tolist()
    assert low <= min(x)
    assert max(x) < high
    counts = np.bincount([(v - low) * 12 // (high - low) for v in x], minlength=12)
    assert ((counts - 1000) ** 2 / 1000).sum() < 31.3


def test_integers_of_every_dtype_reach_both_ends() -> None:
    for dtype in (d for d in ALL if d.is_int):
        low, high = int(dtype.min), int(dtype.max) + 1
        x = [int(v) for v in Tensor.randint(3000, low=low, high=high, dtype=dtype).tolist()]
        span = high - low
        assert min(x) - low < span // 100
        assert high - max(x) <= span // 100 + 1
        assert Tensor.randint(3, low=high - 1, high=high, dtype=dtype).tolist() == [high - 1] * 3
        for bounds in ((low - 1, high), (low, high + 1)):
            with pytest.raises(DTypeError, match="does not fit"):
                Tensor.randint(3, low=bounds[0], high=bounds[1], dtype=dtype)
    assert set(Tensor.randint(100, high=2, dtype=dtypes.bool).tolist()) == {True, False}
    assert set(Tensor.randint(100, low=-1, high=1, dtype=dtypes.float16).tolist()) == {-1.0, 0.0}


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_uniform_numbers_stay_below_their_end(device: str, dtype: DType) -> None:
    """Also where a sum is rounded to it, and where few numbers of the dtype lie between."""
    manual_seed(0)
    step = next_value(100.0, dtype, up=True) - 100.0
    ranges = [(100.0, 101.0), (100.0, 100.0 + step), (-101.0, -100.0), (0.1, 0.7), (0.0, 1e-6), (-3.0, 5.0)]
    drawn = [Tensor.uniform(50_000, low=low, high=high, dtype=dtype).double() for low, high in ranges]
    Tensor.realize(*drawn)
    for (low, high), x in zip(ranges, drawn):
        values = x.numpy()
        assert low <= values.min() <= values.max() < high
        room = 2 * step * max(1.0, abs(high)) if high - low < 1 else 0.02 * (high - low) + step
        assert values.mean() == pytest.approx((low + high) / 2, abs=max(room, 0.02 * (high - low)))


def test_unit_numbers_of_the_largest_word_are_below_1(device: str) -> None:
    words = const(0xFFFFFFFF, dtypes.uint32, (2,))
    for dtype in FLOATS:
        for from_one, low, high in ((False, 0.5, 1.0 - 2**-54), (True, 1.0, 1.0)):
            x = Tensor([0.0])
            x.node = unit(words, dtype, from_one)
            assert low <= x.double().tolist()[0] <= high


def test_normal_numbers_are_finite_for_every_word_and_reach_far(device: str) -> None:
    """The radius comes from (0, 1]: of the smallest word 5.7 deviations, of the largest 0, never log(0)."""
    for dtype, least in ((dtypes.float32, 5.7), (dtypes.float64, 6.6)):
        for word, low, high in ((0, least, 7.0), (0xFFFFFFFF, 0.0, 1e-3)):
            x = Tensor([0.0])
            x.node = unit(const(word, dtypes.uint32, (1,)), dtype, from_one=True)
            radius = (x.log() * -2).sqrt().tolist()[0]
            assert low <= radius <= high


@pytest.mark.parametrize("dtype", [dtypes.float32, dtypes.float64, dtypes.bfloat16], ids=str)
def test_moments_and_tails_of_normal_numbers(dtype: DType) -> None:
    manual_seed(1)
    n = 400_000
    x = Tensor.normal(n, mean=2.0, std=3.0, dtype=dtype).double().numpy()
    z = (x - 2) / 3
    for power, moment in enumerate((0.0, 1.0, 0.0, 3.0, 0.0, 15.0), 1):
        spread = math.sqrt({1: 1, 2: 2, 3: 15, 4: 96, 5: 945, 6: 10170}[power] / n)
        assert (z**power).mean() == pytest.approx(moment, abs=5 * spread + (0.02 if dtype.is_half else 0)), power
    if not dtype.is_half:
        for limit in (1.0, 2.0, 3.0, 4.0):
            share = math.erfc(limit / math.sqrt(2))
            assert (np.abs(z) > limit).mean() == pytest.approx(share, abs=5 * math.sqrt(share / n))


@pytest.mark.parametrize("p", [0.0, 0.001, 0.3, 0.999, 1.0])
def test_shares_of_bernoulli_and_dropout(p: float) -> None:
    manual_seed(2)
    n = 100_000
    room = 5 * math.sqrt(p * (1 - p) / n)
    assert Tensor.bernoulli(n, p=p).mean().item() == pytest.approx(p, abs=room)
    assert Tensor.ones(n).dropout(p).eq(0).float().mean().item() == pytest.approx(p, abs=room)


REFUSED: dict[str, Any] = {
    "uniform, empty": lambda: Tensor.uniform(2, low=1.0, high=1.0),
    "uniform, the wrong way round": lambda: Tensor.uniform(2, low=1.0, high=0.0),
    "uniform from nan": lambda: Tensor.uniform(2, low=math.nan, high=1.0),
    "uniform to nan": lambda: Tensor.uniform(2, low=0.0, high=math.nan),
    "uniform to infinity": lambda: Tensor.uniform(2, low=0.0, high=math.inf),
    "uniform from infinity": lambda: Tensor.uniform(2, low=-math.inf, high=0.0),
    "uniform over more than float64": lambda: Tensor.uniform(2, low=-1e308, high=1e308, dtype=dtypes.float64),
    "uniform between neighbours": lambda: Tensor.uniform(2, low=1 + 1e-12, high=1 + 2e-12),
    "uniform_": lambda: nn.init.uniform_(Tensor.zeros(2), 1.0, -1.0),
    "normal, negative": lambda: Tensor.normal(2, std=-1.0),
    "normal of nan": lambda: Tensor.normal(2, std=math.nan),
    "normal of infinity": lambda: Tensor.normal(2, std=math.inf),
    "normal around nan": lambda: Tensor.normal(2, mean=math.nan),
    "normal around infinity": lambda: Tensor.normal(2, mean=-math.inf),
    "normal_": lambda: nn.init.normal_(Tensor.zeros(2), std=-0.1),
    "xavier_normal_": lambda: nn.init.xavier_normal_(Tensor.zeros(2, 2), gain=-1.0),
    "xavier_uniform_": lambda: nn.init.xavier_uniform_(Tensor.zeros(2, 2), gain=math.nan),
    "kaiming_uniform_": lambda: nn.init.kaiming_uniform_(Tensor.zeros(2, 2), a=math.nan),
    "bernoulli above 1": lambda: Tensor.bernoulli(2, p=1.5),
    "bernoulli below 0": lambda: Tensor.bernoulli(2, p=-0.1),
    "bernoulli of nan": lambda: Tensor.bernoulli(2, p=math.nan),
    "dropout of nan": lambda: Tensor.ones(2).dropout(math.nan),
    "a layer of dropout of nan": lambda: nn.Dropout(math.nan),
    "dropout in attention": lambda: Tensor.ones(2, 2).scaled_dot_product_attention(
        Tensor.ones(2, 2), Tensor.ones(2, 2), dropout_p=-0.5
    ),
    "randint, empty": lambda: Tensor.randint(2, low=3, high=3),
    "randint, the wrong way round": lambda: Tensor.randint(2, low=3, high=1),
    "randint of nan": lambda: Tensor.randint(2, low=0, high=math.nan),  # type: ignore[arg-type]
    "randint of fractions": lambda: Tensor.randint(2, low=0, high=2.5),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", REFUSED)
def test_nonsense_is_refused(name: str) -> None:
    with pytest.raises(ArgumentError, match=r"uniform|normal|probability|randint"):
        REFUSED[name]()


def test_ranges_beyond_a_dtype_are_refused() -> None:
    for bounds, dtype in (((0.0, 1e39), dtypes.float32), ((-3e38, 3e38), dtypes.float32), ((0, 7e4), dtypes.float16)):
        with pytest.raises(DTypeError, match="does not fit"):
            Tensor.uniform(2, low=bounds[0], high=bounds[1], dtype=dtype)
    assert Tensor.uniform(100, low=-6e4, high=6e4, dtype=dtypes.float16).abs().amax().item() <= 6e4


def test_processes_without_a_seed_draw_different_numbers() -> None:
    draw = "import lazygrad; print({}lazygrad.Tensor.rand(4, device='NUMPY').tolist())"

    def run(before: str) -> list[str]:
        started = [
            subprocess.Popen(
                [sys.executable, "-c", draw.format(before)], stdout=subprocess.PIPE, text=True, env={**os.environ}
            )
            for _ in range(2)
        ]
        return [p.communicate()[0] for p in started]

    unseeded, seeded = run(""), run("lazygrad.manual_seed(5) and ")
    assert unseeded[0].startswith("[0.")
    assert unseeded[0] != unseeded[1]
    assert seeded[0] == seeded[1] != unseeded[0]


@pytest.mark.parametrize("seed", [None, "a", 1.5, [1], b"7"], ids=repr)
def test_seeds_are_integers(seed: Any) -> None:
    before = default_generator.state()
    with pytest.raises(ArgumentError, match=r"manual_seed: seed is an integer, not .*\(test_random_ranges.py:"):
        manual_seed(seed)
    assert default_generator.state() == before
    assert type(manual_seed(np.int64(7)).state()[0]) is int
    default_generator.set_state(before)
