"""Values in pieces are those of the whole, and what is read once is never there as a whole."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor, dtypes
from lazygrad.ir import pieces
from lazygrad.ir.evaluate import evaluate
from lazygrad.settings import settings
from tests.frontend.test_op_table import close, samples, tensors
from tests.many import Seeds
from tests.op_table import TABLE
from tests.programs import random_program


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything of two elements or more is huge, and a piece has three."""
    monkeypatch.setattr(pieces, "HUGE", 2)
    monkeypatch.setattr(pieces, "PIECE", 3)


def test_operations(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[bool, list[np.ndarray[Any, Any]]] = {}
    with settings.override(device="NUMPY"):
        for in_pieces in (True, False):
            if not in_pieces:
                monkeypatch.setattr(pieces, "HUGE", 1 << 40)
            found[in_pieces] = [row.call(*tensors(samples(row))).numpy() for row in TABLE.values()]
    for name, a, b in zip(TABLE, found[True], found[False]):
        close(a, b, 1e-15, name)


def test_random_programs(small: None, seeds: Seeds, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in seeds(60):
        program = random_program(seed, size=20)
        a = evaluate(program.roots, program.read)
        with monkeypatch.context() as without:
            without.setattr(pieces, "HUGE", 1 << 40)
            b = evaluate(program.roots, program.read)
        for x, y in zip(a, b):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("at", [0, 12_345, (1 << 26) + 1])
def test_the_place_of_an_element_among_millions(at: int) -> None:
    """Its positions alone would take half a gigabyte."""
    size = (1 << 26) + 3
    tracemalloc.start()
    with settings.override(device="NUMPY"):
        marked = (Tensor.arange(size) == at).cast(dtypes.uint8)
        assert marked.argmax().item() == at
        assert marked.sum().item() == 1
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 6 * size, f"{most / size:.1f} bytes for each element"
