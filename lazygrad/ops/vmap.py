"""`vmap`: a function of one example as a function of a batch of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from lazygrad.engine.tracing import tracing
from lazygrad.errors import ArgumentError, ArgumentTypeError, OperandError, ShapeError
from lazygrad.ir.batching import batched, example
from lazygrad.ir.node import Node
from lazygrad.ops.core import Core, fail, make
from lazygrad.ops.functional import map_tensors, tensors_in
from lazygrad.ops.operands import describe
from lazygrad.ops.signatures import described, is_integer

Nested = Any  # a number, None, or nested tuples and dicts of them, as the arguments are


def vmap(
    func: Callable[..., Any],
    in_dims: Nested = 0,
    out_dims: Nested = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """`func`, which takes and returns tensors of one example, for a batch of examples at once.

    Args:
        in_dims: the dimension of the examples in each argument: one number for all, or as the arguments are nested;
            None for what is the same for all examples. What is no tensor is the same for all.
        out_dims: where the results have theirs.
        randomness: what is drawn in `func` is the same for all examples, whatever this says; "different" is refused.
        chunk_size: accepted for PyTorch's sake: all examples are one computation.

    `func` is called once, with tensors that have a shape and no elements: JitError where it reads one. May be nested,
    and mixed with `grad`. ArgumentError without a batch, ShapeError where the arguments have several sizes of it.

    >>> from lazygrad import Tensor
    >>> vmap(lambda row, x: row @ x, in_dims=(0, None))(Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([1.0, 10.0]))
    tensor([21., 43.])
    """
    if randomness not in ("error", "same"):
        fail(ArgumentError, f"vmap: randomness={randomness!r}; draw the numbers outside, and map over them")

    for name, dims in (("in_dims", in_dims), ("out_dims", out_dims)):
        _check_nested(name, dims)

    @wraps(func)
    def of_batch(*args: Any, **kwargs: Any) -> Any:
        known: dict[Node, Node] = {}
        given = _spread(in_dims, args, lambda t, dim: _example(t, dim, known))
        if not known:
            fail(ArgumentError, "vmap: no argument is a tensor with a dimension of examples; see in_dims")
        sizes = {value.shape[0] for value in known.values()}
        if len(sizes) != 1:
            fail(ShapeError, f"vmap: the arguments have {' and '.join(sorted(map(str, sizes)))} examples")
        tracing.examples += 1
        try:
            result = func(*given, **kwargs)
        finally:
            tracing.examples -= 1
        made = list(tensors_in(result))
        if not made:
            fail(OperandError, f"vmap: the function returned {describe(result)[0]}; tensors are needed")
        nodes = dict(zip(map(id, made), batched([t.node for t in made], known, sizes.pop())))
        return _spread(out_dims, result, lambda t, dim: _moved(make(type(t), nodes[id(t)], t.device, t._requires), dim))

    return of_batch


def _check_nested(name: str, dims: Nested) -> None:
    """ArgumentTypeError for what are no numbers, nested or not."""
    if isinstance(dims, (list, tuple, dict)):
        for part in dims.values() if isinstance(dims, dict) else dims:
            _check_nested(name, part)
    elif dims is not None and not is_integer(dims):
        fail(ArgumentTypeError, f"vmap: {name} is an integer, None or nested tuples of them, not {described(dims)}")


def _example(t: Core, dim: int | None, known: dict[Node, Node]) -> Core:
    """What `func` gets for `t`."""
    if dim is None:
        return t
    if not t.ndim:
        fail(ShapeError, "vmap: a 0-d tensor has no dimension of examples; give in_dims=None for it")
    moved: Any = t.movedim(t._axis(dim), 0)  # type: ignore[attr-defined]
    one = example(moved.node, moved.shape[1:], t.device, "vmap")
    known[one] = moved._in()
    return make(type(t), one, t.device, moved._requires)


def _moved(t: Any, dim: int | None) -> Any:
    """A result with its examples along `dim`."""
    if dim is None:
        fail(ArgumentError, "vmap: out_dims=None, but results have a dimension of examples")
    return t.movedim(0, t._axis(dim))


def _spread(dims: Nested, tree: Any, change: Callable[[Core, Any], Any]) -> Any:
    """`tree` with every tensor changed, given its part of `dims`."""
    if dims is None or isinstance(dims, int):
        return map_tensors(lambda t: change(t, dims), tree)
    if isinstance(tree, (list, tuple)) and isinstance(dims, (list, tuple)) and len(tree) == len(dims):
        parts = [_spread(d, part, change) for d, part in zip(dims, tree)]
        return parts if isinstance(tree, list) else tuple(parts)
    if not (isinstance(tree, dict) and isinstance(dims, dict) and set(tree) == set(dims)):
        fail(ArgumentError, f"vmap: dims {dims!r} are not nested as {describe(tree)[0]}; give a number for each part")
    return {key: _spread(dims[key], part, change) for key, part in tree.items()}
