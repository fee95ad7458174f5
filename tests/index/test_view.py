"""Movement operations on indices show the elements that NumPy shows."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lazygrad.index import view
from lazygrad.index.expr import Const, Dim, Expr, Var, index_variable, lift

Array = NDArray[Any]
Step = tuple[str, tuple[int, ...], Any]
PADDING = -1


def factored(rng: random.Random, n: int) -> tuple[int, ...]:
    """A random shape of n elements."""
    sizes: list[int] = []
    while n > 1:
        sizes.append(rng.choice([d for d in range(2, n + 1) if n % d == 0]))
        n //= sizes[-1]
    rng.shuffle(sizes)
    for _ in range(rng.randint(0, 2)):
        sizes.insert(rng.randint(0, len(sizes)), 1)
    return tuple(sizes)


def random_step(rng: random.Random, array: Array) -> tuple[Array, Step]:
    """A movement of an array, and what is needed to undo it on indices."""
    shape = array.shape
    kind = rng.choice(("reshape", "reshape", "permute", "expand", "pad", "shrink", "flip"))
    if kind == "reshape":
        return array.reshape(factored(rng, array.size)), (kind, shape, None)
    if kind == "permute":
        axes = tuple(rng.sample(range(len(shape)), len(shape)))
        return array.transpose(axes), (kind, shape, axes)
    if kind == "expand":
        target = tuple(rng.randint(1, 3) if size == 1 else size for size in shape)
        return np.broadcast_to(array, target), (kind, shape, None)
    if kind == "pad":
        pads = tuple((rng.randint(0, 2), rng.randint(0, 2)) for _ in shape)
        return np.pad(array, pads, constant_values=PADDING) if shape else array, (kind, shape, pads)
    if kind == "shrink":
        bounds = tuple((start := rng.randrange(size), rng.randint(start + 1, size)) for size in shape)
        return array[tuple(slice(*bound) for bound in bounds)], (kind, shape, bounds)
    axes = tuple(axis for axis in range(len(shape)) if rng.random() < 0.5)
    return np.flip(array, axes), (kind, shape, axes)


def undo(index: view.Index, output_shape: Sequence[Dim], step: Step) -> tuple[view.Index, Expr]:
    """The index into a step's input, and the condition that it is inside."""
    kind, shape, argument = step
    if kind == "reshape":
        return view.reshape(index, output_shape, shape), Const(1)
    if kind == "permute":
        return view.permute(index, argument), Const(1)
    if kind == "expand":
        return view.expand(index, shape), Const(1)
    if kind == "pad":
        return view.pad(index, argument, shape)
    if kind == "shrink":
        return view.shrink(index, argument), Const(1)
    return view.flip(index, argument, shape), Const(1)


def positions(shape: tuple[int, ...]) -> dict[str, Array]:
    return {f"i{axis}": grid for axis, grid in enumerate(np.indices(shape))}


@given(st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_chains_show_what_numpy_shows(seed: int) -> None:
    rng = random.Random(seed)
    source = np.arange(n := rng.choice((1, 6, 12, 24, 30, 48))).reshape(factored(rng, n))
    array, steps, shapes = source, [], []
    for _ in range(rng.randint(1, 6)):
        moved, step = random_step(rng, array)
        if moved.size <= 3000:
            array = moved
            steps.append(step)
            shapes.append(moved.shape)
    index: view.Index = tuple(index_variable(f"i{axis}", size) for axis, size in enumerate(array.shape))
    inside: Expr = Const(1)
    for step, shape in zip(reversed(steps), reversed(shapes)):
        index, valid = undo(index, shape, step)
        inside = inside.and_(valid)
    grids = positions(array.shape)
    offset = view.flat(index, source.shape)
    seen = np.broadcast_to(np.asarray(offset.evaluate(grids)), array.shape)
    valid_at = np.broadcast_to(np.asarray(inside.evaluate(grids)), array.shape).astype(bool)
    assert np.array_equal(np.where(valid_at, seen, PADDING), array), f"{steps}: {offset} if {inside}"
    assert not valid_at.any() or (seen[valid_at].min() >= 0 and seen[valid_at].max() < n)


@given(st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_reshape_chains_end_in_the_direct_form(seed: int) -> None:
    """However many shapes lie between, the index is the one of a single reshape, and going back gives the start."""
    rng = random.Random(seed)
    n = rng.choice((24, 48, 60, 64, 72, 96, 210, 256))
    first = current = factored(rng, n)
    start = index = tuple(index_variable(f"i{axis}", size) for axis, size in enumerate(first))
    for _ in range(rng.randint(1, 6)):
        following = factored(rng, n)
        index, current = view.reshape(index, current, following), following
    assert index == view.reshape(start, first, current)
    assert view.reshape(index, current, first) == start


def test_round_trip() -> None:
    a, b = Var("a", 0, 3), Var("b", 0, 5)
    index: view.Index = (a, b)
    for output_shape, input_shape in (((4, 6), (24,)), ((24,), (2, 12)), ((2, 12), (24,)), ((24,), (4, 6))):
        index = view.reshape(index, output_shape, input_shape)
    assert index == (a, b)


def test_only_the_group_that_changes_is_divided() -> None:
    b, i, c = Var("b", 0, 4), Var("i", 0, 23), Var("c", 0, 6)
    assert view.reshape((b, i, c), (5, 24, 7), (5, 4, 6, 1, 7)) == (b, i // 6, i % 6, Const(0), c)
    assert view.reshape((b, Const(0), i), (5, 1, 24), (5, 24)) == (b, i)


T, S = Var("T", 1, 6), Var("S", 1, 4)
t, s = index_variable("t", T), index_variable("s", S)


def test_symbolic_reshape() -> None:
    i = Var("i", 0, 2)
    assert view.reshape((i, t, s), (3, T, S), (3, T * S)) == (i, t * S + s)
    assert view.reshape(view.reshape((i, t, s), (3, T, S), (T * S * 3,)), (T * S * 3,), (3, T, S)) == (i, t, s)
    h = index_variable("h", T * 4)
    assert view.reshape((h, i), (T * 4, 3), (T, 4, 3)) == (h // 4, h % 4, i)
    assert view.reshape((t, i), (T, 3), (3, T)) == ((t * 3 + i) // T, (t * 3 + i) % T)


@pytest.mark.parametrize("size", [1, 2, 5, 6])
def test_symbolic_chain_shows_what_numpy_shows(size: int) -> None:
    """A padded, reversed, transposed and merged (3, T) array, for several T, with one set of expressions."""
    h = Var("h", 0, 8 * 5 - 1, below=(T + 2) * 5)
    index = view.reshape((h,), ((T + 2) * 5,), (T + 2, 5))
    index = view.permute(index, (1, 0))
    index = view.flip(index, (1,), (5, T + 2))
    index, inside = view.pad(index, ((0, 2), (1, 1)), (3, T))
    source = np.arange(3 * size).reshape(3, size)
    expected = np.flip(np.pad(source, ((0, 2), (1, 1)), constant_values=PADDING), 1).T.reshape(-1)
    values = {"h": np.arange(expected.size), "T": np.array(size)}
    offset, valid = view.flat(index, (3, T)).evaluate(values), inside.evaluate(values)
    assert np.array_equal(np.where(valid, offset, PADDING), expected)


def test_symbolic_shrink_and_expand() -> None:
    assert view.shrink((t,), ((S, T + S),)) == (t + S,)
    assert view.expand((t, s), (1, S)) == (Const(0), s)
    assert view.flip((t,), (0,), (T,)) == (T - t - 1,)
    (shifted,), inside = view.pad((t,), ((0, 0),), (T,))
    assert shifted is t
    assert inside is Const(1)


def test_empty_and_scalar() -> None:
    assert view.flat((), ()) is Const(0)
    assert view.unflatten(lift(0), ()) == ()
    assert view.reshape((), (), (1, 1)) == (Const(0), Const(0))
    assert view.reshape((Const(0), Const(0)), (1, 1), ()) == ()
    assert view.reshape((Const(0), t), (0, T), (3, 0)) == (Const(0), Const(0))
    assert view.unflatten(t, (0, 3)) == (Const(0), Const(0))


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"\(4\).*\(3\).*4 and 3 elements"):
        view.reshape((t,), (3,), (4,))
    for name, call in {
        "reshape": lambda: view.reshape((), (3,), (3,)),
        "flat": lambda: view.flat((t,), ()),
        "permute": lambda: view.permute((t,), (1, 0)),
        "expand": lambda: view.expand((t,), (1, 2)),
        "pad": lambda: view.pad((t,), ((0, 0),) * 2, (1, 2)),
        "shrink": lambda: view.shrink((t,), ((0, 1),) * 2),
        "flip": lambda: view.flip((t,), (0,), (1, 2)),
    }.items():
        with pytest.raises(ValueError, match=f"{name}: an index of"):
            call()
