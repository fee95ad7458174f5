"""`scan`: a function applied along a sequence, compiled once however long that is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from lazygrad.errors import OperandError, ShapeError, fail
from lazygrad.ir.node import const
from lazygrad.ir.repeat import stand_in
from lazygrad.ops.core import Core, make
from lazygrad.ops.mode import mode
from lazygrad.ops.scan_steps import Step, Steps
from lazygrad.ops.tree import flatten, unflatten


def scan(f: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any, reverse: bool = False) -> tuple[Any, Any]:
    """`f` applied along a sequence: carry, y = f(carry, x) for every x of `xs`, from `init` on.

    Args:
        f: makes of a carry and one step of `xs` the next carry, of the same shapes and dtypes, and anything of tensors
            y, or None. It is called twice, and may read tensors from outside.
        init: the first carry: a tensor, or tuples, lists and dicts of them.
        xs: tensors (length, ...), alike in their length.
        reverse: begin with the last step.

    Gives the last carry, and the ys stacked, (length, ...). It compiles in time that does not grow with the length.
    Of no steps, `init` and empty ys. Gradients flow to `init`, `xs` and whatever else `f` reads, and have gradients
    themselves. Random numbers that `f` draws are the same at all steps. ShapeError where carries change their shapes.

    >>> scan(lambda total, x: (total + x, total * x), Tensor(1.0), Tensor([1.0, 2.0, 3.0]))
    (tensor(7.), tensor([ 1.,  4., 12.]))
    """
    first, shape_of_carry = flatten(init)
    sequences, shape_of_xs = flatten(xs)
    if not sequences or not all(isinstance(t, Core) for t in (*first, *sequences)):
        fail(OperandError, "scan: init and xs are tensors, or tuples, lists and dicts of them, and xs has one at least")
    sequences[0]._same_device("scan", *first, *sequences)
    length = sequences[0].shape[0] if sequences[0].ndim else None
    if not isinstance(length, int) or any(t.ndim == 0 or t.shape[0] != length for t in sequences):
        fail(ShapeError, f"scan: sequences of shapes {[list(t.shape) for t in sequences]} are not of one known length")
    traced = _Traced(f, first, sequences, shape_of_carry, shape_of_xs, False)
    if traced.needs:  # what f detaches is known only where its arguments require gradients
        traced = _Traced(f, first, sequences, shape_of_carry, shape_of_xs, True)
    kind, step = type(sequences[0]), traced.step
    if not length:
        empty = [make(kind, const(0, r.dtype, (0, *r.shape)), step.device, False) for r in step.roots]
        unchanged = [make(kind, t._in(), step.device, t._requires) for t in first]
        return unflatten(shape_of_carry, unchanged), traced.ys(empty[len(first) :])
    values = Steps(step, length, reverse).values(traced.needs, traced.needs)
    results = [make(kind, v, step.device, traced.needs and v.dtype.is_float) for v in values]
    last = 0 if reverse else length - 1
    carries = [results[k][last] for k in range(len(first))]
    return unflatten(shape_of_carry, carries), traced.ys(results[len(first) :])


mapAccum = scan  # noqa: N816 - Haskell's name for it


class _Depth(threading.local):
    """How many functions of scans this thread is in: each of them has stand-ins of its own."""

    now = 0


_depth = _Depth()


class _Traced:
    """The graph that `f` makes of one step."""

    def __init__(
        self, f: Any, first: Sequence[Core], sequences: Sequence[Core], carry: Any, xs: Any, all_require: bool
    ) -> None:
        whole = [*first, *sequences]
        device, kind, depth = sequences[0].device, type(sequences[0]), _depth.now
        shapes = [*(t.shape for t in first), *(t.shape[1:] for t in sequences)]
        inside = [stand_in((depth, "given", k), device, t.dtype, s) for k, (t, s) in enumerate(zip(whole, shapes))]
        flags = [mode.enabled and t.dtype.is_float and (all_require or t._requires) for t in whole]
        tensors = [make(kind, n, device, flag) for n, flag in zip(inside, flags)]
        _depth.now += 1
        try:
            after, y = f(unflatten(carry, tensors[: len(first)]), unflatten(xs, tensors[len(first) :]))
        finally:
            _depth.now -= 1
        made, shape_after = flatten(_as_in(unflatten(carry, tensors[: len(first)]), after))
        others, self.shape_of_y = flatten(() if y is None else y)
        self.has_y = y is not None
        if shape_after != carry or [(t.shape, t.dtype) for t in made] != [(t.shape, t.dtype) for t in first]:
            fail(ShapeError, f"scan: f makes a carry of {_kinds(made)} of one of {_kinds(first)}")
        if not all(isinstance(t, Core) for t in others):
            fail(OperandError, "scan: what f returns beside the carry is made of tensors")
        roots = [t._in() for t in (*made, *others)]
        self.step = Step(device, depth, inside, [t._in() for t in whole], len(first), roots)
        self.needs = mode.enabled and any(t._requires for t in (*made, *others, *whole))

    def ys(self, values: Sequence[Any]) -> Any:
        """`values` as `f` returned its y."""
        return unflatten(self.shape_of_y, values) if self.has_y else None


def _as_in(like: Any, value: Any) -> Any:
    """`value`, whose dicts have their keys in the order of those of `like`, where they have the same."""
    if type(value) is dict and type(like) is dict and value.keys() == like.keys():
        return {key: _as_in(part, value[key]) for key, part in like.items()}
    if type(value) in (list, tuple) and type(like) is type(value) and len(like) == len(value):
        return type(value)(_as_in(*pair) for pair in zip(like, value))
    return value


def _kinds(tensors: Sequence[Any]) -> str:
    return ", ".join(f"{t.dtype}{list(t.shape)}" if isinstance(t, Core) else type(t).__name__ for t in tensors)
