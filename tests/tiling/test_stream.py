"""Which outputs are written past the caches."""

from __future__ import annotations

from lazygrad.dtype import dtypes
from lazygrad.index.expr import Var
from lazygrad.tiling.program import Array, Axis, Loop, Program, Store, load
from lazygrad.tiling.stream import STREAM_BYTES, stream

LARGE = STREAM_BYTES // 4


def copied(size: int, in_place: bool) -> bool:
    """Whether a copy of `size` floats streams."""
    i = Var("i", 0, size - 1)
    y = Array("y", dtypes.float32, size, written=True)
    x = y if in_place else Array("x", dtypes.float32, size)
    made = stream(Program("p", (x, y), (), (Loop(Axis(i, size, lanes=16), (Store(y, i, load(x, i)),)),)))
    loop = made.body[0]
    assert isinstance(loop, Loop)
    store = loop.body[0]
    assert isinstance(store, Store)
    return store.stream


def test_large_outputs_stream() -> None:
    assert copied(LARGE, in_place=False)


def test_small_outputs_and_those_that_were_just_read_do_not() -> None:
    assert not copied(LARGE - 1, in_place=False)
    assert not copied(LARGE, in_place=True)
