"""Computes products in the order in which they are read, rather than in the order of the user's axes.

Attention computes its heads one by one, (batch, head, position, width), and hands them on side by side, (batch,
position, head * width). Where nothing but a permutation reads a product, the product itself is permuted: its result
lies in memory as its readers want it, in whole rows, and costs the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lazygrad.ir.node import Node, node, topological, with_sources
from lazygrad.ir.op import ELEMENTWISE, MOVEMENT, AxesArg, Op, ReduceArg
from lazygrad.schedule.stored import product


def arranged(roots: Sequence[Node]) -> list[Node]:
    """`roots` over permuted products. They themselves keep their order."""
    order = topological(roots)
    if not any(n.op is Op.PERMUTE for n in order):
        return list(roots)
    values = {n for n in order if n.op not in MOVEMENT}
    leads = _leads(order, values, set(roots))
    new: dict[Node, Node] = {}
    for n in order:
        src = tuple(new[s] for s in n.src)
        if n.op is Op.PERMUTE and n.src[0] in leads:
            new[n] = _permuted(n.src[0], n.argument(AxesArg).axes, leads, new)
        else:
            new[n] = with_sources(n, src)
    return [new[r] for r in roots]


def _leads(order: Sequence[Node], values: set[Node], roots: set[Node]) -> dict[Node, int]:
    """The products and what is computed from them alone, each with one reader -> which source leads to the product."""
    readers: dict[Node, int] = dict.fromkeys(roots, 2)  # somebody outside reads them as they are
    for n in order:
        for s in dict.fromkeys(n.src):
            readers[s] = readers.get(s, 0) + 1
    leads: dict[Node, int] = {}
    for n in order:
        if readers.get(n, 0) != 1:
            continue
        if n.op is Op.REDUCE and product(n, values) is not None:
            leads[n] = 0
        elif n.op in ELEMENTWISE:
            found = [k for k, s in enumerate(n.src) if s in leads]
            if found:
                leads[n] = found[0]
    return leads


def _permuted(n: Node, axes: tuple[int, ...], leads: dict[Node, int], new: dict[Node, Node]) -> Node:
    """PERMUTE by `axes` of the new `n`, which leads to a product, as computed from the permuted product."""
    chain: list[Node] = []
    while n.op is not Op.REDUCE:
        chain.append(n)
        n = n.src[leads[n]]
    result = _permuted_product(n, axes, new)
    for m in reversed(chain):
        others = (node(Op.PERMUTE, (new[s],), AxesArg(axes)) for s in m.src)
        result = with_sources(m, tuple(result if k == leads[m] else other for k, other in enumerate(others)))
    return result


def _permuted_product(n: Node, axes: tuple[int, ...], new: dict[Node, Node]) -> Node:
    """PERMUTE by `axes` of REDUCE `n`, a sum of products: the kept axes in their new order, then those summed over."""
    argument = n.argument(ReduceArg)
    kept = [k for k in range(n.src[0].ndim) if k not in argument.axes]
    places = AxesArg((*(kept[k] for k in axes), *argument.axes))
    casts: list[Node] = []
    body = n.src[0]
    while body.op is Op.CAST:
        casts.append(body)
        body = body.src[0]
    result = with_sources(body, tuple(node(Op.PERMUTE, (new[s],), places) for s in body.src))
    for cast in reversed(casts):
        result = with_sources(cast, (result,))
    return node(Op.REDUCE, (result,), replace(argument, axes=tuple(range(len(axes), result.ndim))))
