"""Wrong edits of integers, scalars, bools, random numbers and settings, planted one at a time; their tests notice."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor, dtypes
from lazygrad.engine import run
from lazygrad.errors import LazygradError
from lazygrad.ir import elements, evaluate
from lazygrad.ir.build import scaled
from lazygrad.ir.node import alu, cast, const, where
from lazygrad.ir.op import Op
from lazygrad.ops import arithmetic, chance, compare, core, fitting, quotient, random
from lazygrad.ops.functions import Functions
from lazygrad.ops.random import Random
from lazygrad.optim import optimizer, schedule
from lazygrad.settings import settings
from lazygrad.tiling import integers
from lazygrad.tiling.machine import Code
from tests.frontend import test_integers as whole
from tests.frontend import test_random_ranges as drawn
from tests.optim import test_nonsense as nonsense

Plant = tuple[Any, str, Callable[[Any], Any], Callable[[], None]]  # owner, name, the wrong one of the right, its check


@pytest.fixture(autouse=True)
def _on_numpy() -> Iterator[None]:
    with settings.override(device="NUMPY"):
        yield


def in_folder(check: Callable[..., None]) -> Callable[[], None]:
    def run_check() -> None:
        with tempfile.TemporaryDirectory() as folder:
            check("NUMPY", Path(folder))

    return run_check


def by_absolute_values(x: Any, y: Any) -> Any:
    negative = alu(Op.LT, x, const(0, x.dtype, x.shape))
    size = alu(Op.MAX, x, scaled(x, -1))
    rest = alu(Op.MOD, size, alu(Op.MAX, y, scaled(y, -1)))
    return where(negative, scaled(rest, -1), rest)


def remainder_of_words(limit: int, words: Any) -> Any:
    wide = cast(words[0], dtypes.uint64)
    return alu(Op.MOD, wide, const(limit, dtypes.uint64, wide.shape))


def converted(context: Any, source: Any, a: Any, wanted: Any) -> Any:
    return context.compute(Code.CONVERT, wanted, a)


PLANTS: dict[str, Plant] = {
    "fmod of integers by absolute values": (
        arithmetic,
        "fmod",
        lambda right: by_absolute_values,
        lambda: whole.test_arithmetic_at_the_ends_of_every_type("NUMPY"),
    ),
    "a floor quotient without the step back to the exact one": (
        quotient,
        "_differs_in_sign",
        lambda right: lambda remainder, other: const(False, dtypes.bool, remainder.shape),
        lambda: whole.test_quotients_and_remainders_belong_together("NUMPY"),
    ),
    "negative powers of bases whose square wraps around to 1": (
        arithmetic,
        "_integer_power",
        lambda right: (
            lambda base, exponent: (exponent < 0)._choose(
                (base * base).eq(1)._choose((exponent & 1).bool()._choose(base, base * base), 0), right(base, exponent)
            )
        ),
        lambda: whole.test_arithmetic_at_the_ends_of_every_type("NUMPY"),
    ),
    "scalars that wrap around": (
        core,
        "fitting",
        lambda right: lambda what, value, dtype: value,
        lambda: whole.test_scalars_that_do_not_fit_are_refused("add"),
    ),
    "comparisons with scalars that wrap around": (
        core,
        "fitting",
        lambda right: lambda what, value, dtype: value,
        lambda: whole.test_integers_are_compared_with_any_number("NUMPY"),
    ),
    "fills that wrap around": (
        compare,
        "fitted",
        lambda right: lambda what, value, dtype: const(value, dtype),
        lambda: whole.test_scalars_that_do_not_fit_are_refused("masked_fill"),
    ),
    "ends of a type taken as outside": (
        fitting,
        "_RANGE",
        lambda right: {**right, dtypes.int8: (-127, 127)},
        whole.test_numbers_inside_a_type_are_taken_up_to_its_ends,
    ),
    "limits that wrap around": (
        Functions,
        "_always",
        lambda right: lambda self, how, limit: False,
        whole.test_limits_beyond_a_type_change_nothing,
    ),
    "floats converted as the machine likes": (
        evaluate,
        "cast_array",
        lambda right: lambda x, dtype: np.nan_to_num(x).astype(elements.array_type(dtype)),
        lambda: whole.test_floats_become_the_same_integers_everywhere("NUMPY"),
    ),
    "bytes of bools taken as they are": (
        run,
        "as_bools",
        lambda right: lambda x: x,
        in_folder(whole.test_bools_of_other_bytes_are_true),
    ),
    "wide integers by the remainder of one word": (
        random,
        "integers_below",
        lambda right: remainder_of_words,
        lambda: drawn.test_integers_are_equally_probable(0, 3 << 30),
    ),
    "uniform numbers rounded up to their end": (
        random,
        "values_between",
        lambda right: lambda low, high, dtype: (low, high),
        lambda: drawn.test_uniform_numbers_stay_below_their_end("NUMPY", dtypes.bfloat16),
    ),
    "normal numbers of too narrow a tail": (
        Random,
        "normal",
        lambda right: lambda *shape, mean, std, dtype: Tensor.randn(*shape, dtype=dtype).clamp(-2.5, 2.5) * std + mean,
        lambda: drawn.test_moments_and_tails_of_normal_numbers(dtypes.float32),
    ),
    "a bernoulli of any p": (
        chance,
        "probability",
        lambda right: lambda what, p: p,
        lambda: drawn.test_nonsense_is_refused("bernoulli above 1"),
    ),
    "settings that are looked at once": (
        optimizer,
        "check_setting",
        lambda right: lambda what, name, value: None,
        lambda: nonsense.test_nonsense_is_refused_later_and_changes_nothing("Adam"),
    ),
    "schedules that set what comes": (
        schedule,
        "check_setting",
        lambda right: lambda what, name, value: None,
        nonsense.test_a_schedule_that_reaches_nonsense_stops_before_it,
    ),
}


@pytest.mark.parametrize("name", PLANTS)
def test_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, attribute, wrong, check = PLANTS[name]
    check()
    monkeypatch.setattr(owner, attribute, wrong(getattr(owner, attribute)))
    with pytest.raises((AssertionError, pytest.fail.Exception, LazygradError)):
        check()


def test_a_kernel_that_converts_as_the_machine_likes_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from lazygrad.engine import compile as compiler
    from lazygrad.engine import plan_store

    monkeypatch.setattr(plan_store, "key", lambda *args: None)
    monkeypatch.setattr(integers, "from_float", converted)
    kept = (compiler._stages, compiler._overwrites, run._runners)
    with settings.override(device="OPENCL"):
        for each in kept:
            each.clear()
        with pytest.raises(AssertionError):
            whole.test_floats_become_the_same_integers_everywhere("OPENCL")
        for each in kept:
            each.clear()
