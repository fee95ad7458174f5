"""Einstein's summation: letters name dimensions; those that the result lacks are summed over, two operands at once."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any, TypeVar

from lazygrad.errors import ArgumentError, ShapeError
from lazygrad.ops import layout
from lazygrad.ops.aliases import view_of
from lazygrad.ops.autocast import autocasting
from lazygrad.ops.core import Core, fail
from lazygrad.ops.matmul import Matmul, accumulation
from lazygrad.ops.operands import not_a_tensor

T = TypeVar("T", bound=Matmul)
Terms = list[list[str]]  # for each operand, what names each of its dimensions
_ELLIPSIS = "..."


@autocasting
def einsum(equation: Any, *operands: Any) -> Any:
    """The sum of products that `equation` names: "ij,jk->ik" is the product of two matrices.

    Args:
        equation: for each operand a letter for each dimension, then, after "->", those of the result; without "->"
            the letters that occur once, in alphabetical order. A letter that an operand has twice takes its diagonal.
            "..." stands for any dimensions, which broadcast; without "->" they come first. Or, as in NumPy, operands
            and lists of numbers below 52 (or `...`) in turn, and a list for the result.
        operands: tensors, or one list of them.

    Operands are taken in pairs from the left; a dimension is summed over as soon as no later operand has it. ShapeError
    for an equation that does not fit.

    >>> from lazygrad import Tensor
    >>> einsum("ij,j->i", Tensor([[1, 2], [3, 4]]), Tensor([1, 1])).tolist()
    [3, 7]
    >>> einsum("...ij->...ji", Tensor.zeros(5, 2, 3)).shape
    (5, 3, 2)
    >>> einsum(Tensor([[1, 2], [3, 4]]), [0, 0], [0]).tolist()
    [1, 4]
    """
    if isinstance(equation, Core):
        equation, operands = _spelled_out((equation, *operands))
    if not isinstance(equation, str):
        fail(ArgumentError, f"einsum: an equation is a string, not {equation!r}")
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    for x in operands:
        if not isinstance(x, Core):
            not_a_tensor("einsum", x, "Tensors after its equation")
    shapes = ", ".join(str(list(x.shape)) for x in operands)
    misfit = f"einsum: {equation!r} does not fit shapes {shapes}"
    if not operands:
        fail(ArgumentError, f"{misfit}: there are no operands")
    operands[0]._same_device("einsum", *operands[1:])
    terms, output = _parsed(equation, [x.ndim for x in operands], misfit)
    _check_sizes(terms, operands, misfit)
    kind = operands[0].dtype
    only_moved = len(operands) == 1 and {*terms[0]} <= {*output}  # a view
    if kind.is_half and all(x.dtype is kind for x in operands) and not only_moved:  # rounded once, at the end
        return _contracted([x.cast(accumulation(kind)) for x in operands], terms, output).cast(kind)
    return _contracted([*operands], terms, output)


def _spelled_out(arguments: Sequence[Any]) -> tuple[str, tuple[Any, ...]]:
    """The equation and the operands of operands and lists of numbers in turn."""
    operands, lists = arguments[0::2], arguments[1::2]
    output = None
    if len(arguments) % 2:
        operands, output = operands[:-1], arguments[-1]
    letters = ",".join(_letters(found) for found in lists)
    return letters if output is None else f"{letters}->{_letters(output)}", tuple(operands)


def _letters(numbers: Any) -> str:
    if not isinstance(numbers, (list, tuple)):
        fail(ArgumentError, f"einsum: operands and lists of numbers alternate; {numbers!r} is no list")
    for k in numbers:
        if k is not Ellipsis and not (isinstance(k, int) and 0 <= k < len(string.ascii_letters)):
            fail(ArgumentError, f"einsum: {k!r} names no dimension; numbers from 0 to 51 and ... do")
    return "".join(
        _ELLIPSIS if k is Ellipsis else (string.ascii_uppercase + string.ascii_lowercase)[k] for k in numbers
    )


def _parsed(equation: str, dims: Sequence[int], misfit: str) -> tuple[Terms, list[str]]:
    """The names of each operand's dimensions, and of the result's. Those of "..." are numbers, the last one "-1"."""
    inputs, arrow, result = equation.replace(" ", "").partition("->")
    texts = inputs.split(",")
    if len(texts) != len(dims):
        fail(ShapeError, f"{misfit}: it has {len(texts)} terms for {len(dims)} operands")
    terms = []
    for text, n in zip(texts, dims):
        spare = n - len(text.replace(_ELLIPSIS, "", 1))
        if spare < 0 or (spare > 0 and _ELLIPSIS not in text):
            fail(ShapeError, f"{misfit}: {text!r} does not name {n} dimensions")
        terms.append(_named(text, spare, misfit))
    names = [name for term in terms for name in term]
    wide = max((-int(name) for name in names if name[0] == "-"), default=0)
    rest = [str(k) for k in range(-wide, 0)]
    if not arrow:
        return terms, rest + sorted(name for name in set(names) if name[0] != "-" and names.count(name) == 1)
    output = _named(result, wide, misfit)
    unknown = [name for name in output if name not in names]
    if unknown or len(set(output)) < len(output):
        fail(ShapeError, f"{misfit}: its result has a name twice, or one that no operand has")
    return terms, output


def _named(text: str, spare: int, misfit: str) -> list[str]:
    """The names in one term, whose "..." stands for `spare` dimensions."""
    before, dots, after = text.partition(_ELLIPSIS)
    if not all(c in string.ascii_letters for c in before + after):
        fail(ShapeError, f"{misfit}: {text!r} holds something else than letters and one '...'")
    return [*before, *(str(k) for k in range(-spare, 0) if dots), *after]


def _check_sizes(terms: Terms, operands: Sequence[Core], misfit: str) -> None:
    sizes: dict[str, Any] = {}
    for term, x in zip(terms, operands):
        for name, n in zip(term, x.shape):
            if sizes.setdefault(name, n) == 1:
                sizes[name] = n
            elif n not in (1, sizes[name]):
                fail(ShapeError, f"{misfit}: {name!r} stands for sizes {sizes[name]} and {n}")
        for name in set(term):
            own = {n for other, n in zip(term, x.shape) if other == name}
            if len(own) > 1:
                fail(ShapeError, f"{misfit}: {name!r}, a repeated letter, stands for sizes {sorted(map(str, own))}")


def _contracted(operands: list[T], terms: Terms, output: list[str]) -> T:
    result, have = _without_repeats(operands[0], terms[0])
    for k in range(1, len(operands)):
        other, term = _without_repeats(operands[k], terms[k])
        needed = {name for term in terms[k + 1 :] for name in term}.union(output)
        result, have = _reduced(result, have, needed.union(term))
        other, term = _reduced(other, term, needed.union(have))
        together = sorted({*have, *term})
        kept = [name for name in output if name in together]
        kept += [name for name in together if name in needed and name not in output]
        order = kept + [name for name in together if name not in needed]
        product = _on_names(result, have, order) * _on_names(other, term, order)
        dims = tuple(range(len(kept), len(order)))
        result, have = product.sum(dims, dtype=product.dtype) if dims else product, kept
    return _on_names(*_reduced(result, have, {*output}), output)


def _reduced(x: T, have: list[str], needed: set[str]) -> tuple[T, list[str]]:
    """The sum over the dimensions that nothing else needs; of integers in int64, as PyTorch has it."""
    dims = tuple(i for i, name in enumerate(have) if name not in needed)
    return (x.sum(dims) if dims else x), [name for name in have if name in needed]


def _without_repeats(x: T, term: list[str]) -> tuple[T, list[str]]:
    """An operand with one dimension for each of its names: the diagonal of a repeated one."""
    term = [*term]
    x = view_of(x, x._new(x.node, x.requires_grad), layout.same)
    for name in sorted(set(term)):
        while term.count(name) > 1:
            first = term.index(name)
            second = term.index(name, first + 1)
            x = x.movedim(second, first + 1)._diagonal_at(first)
            del term[second]
    return x, term


def _on_names(x: T, term: Sequence[str], order: Sequence[str]) -> T:
    """A factor with one dimension for every name of `order`, of size 1 where `term` lacks it."""
    if term:
        x = x.permute([term.index(name) for name in order if name in term])
    sizes = iter(x.shape)
    return x.reshape(tuple(next(sizes) if name in term else 1 for name in order))
