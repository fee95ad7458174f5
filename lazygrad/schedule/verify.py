"""Checks what a schedule must keep to: for tests, and whenever LAZYGRAD_VERIFY is set.

A kernel's group is taken as it is and its reads are found again, from the graph: nothing is believed that fusion noted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NoReturn

from lazygrad.errors import GraphError
from lazygrad.index.expr import dim_product
from lazygrad.ir.node import Node, is_empty, topological
from lazygrad.ir.op import Op
from lazygrad.ir.show import signature
from lazygrad.schedule.access import reduced_sizes
from lazygrad.schedule.group import Group, GroupKind, Kernel, Member, reads_of

_WITH_LOOPS = frozenset({Op.REDUCE, Op.SCAN, Op.SCATTER, Op.REPEAT})


def verify(kernels: Sequence[Kernel], results: Iterable[Node]) -> None:
    """Raise GraphError, naming the node and the user's line, unless `kernels` can run in this order and make `results`.

    Checked are: what a kernel reads was made before, each group is of the form that its kind says, and every value that
    a member reads of another one is at hand where it is read (see `group`).
    """
    made: set[Node] = set()
    for k in kernels:
        for n in k.inputs:
            if n.op is not Op.BUFFER and n not in made:
                _fail(n, "is read by a kernel, and no kernel before it makes it")
        for n in k.outputs:
            if k.group.member(n) is None:
                _fail(n, "is an output of a kernel whose group does not have it")
        _check_form(k.group)
        for m in k.group.members:
            _check_space(k.group, m)
            _check_reads(k, m)
        made.update(k.outputs)
    for n in results:
        if n.op is not Op.BUFFER and n not in made and not is_empty(n):
            _fail(n, "is a result that no kernel makes")


def _fail(n: Node, why: str) -> NoReturn:
    raise GraphError(f"invalid schedule: {signature(n)} {why} ({n.line})")


def _check_form(group: Group) -> None:
    """The members are such as a group of this kind has."""
    first = group.members[0].node
    with_loops = [m.node for m in group.members if m.node.op in _WITH_LOOPS]
    if group.kind is GroupKind.ALONE and (len(group.members) > 1 or first.op not in (Op.SCAN, Op.SCATTER, Op.REPEAT)):
        _fail(group.members[-1].node, "is in a group of a scan or a scatter, which are alone")
    if group.kind is GroupKind.POINT and with_loops:
        _fail(with_loops[0], "is in a group of elementwise nodes")
    if group.kind is GroupKind.DOT and (with_loops != [first] or first.op is not Op.REDUCE):
        _fail(group.members[-1].node, "is in a group of one product and its epilogue")
    if group.kind is GroupKind.ROWS and (other := [n for n in with_loops if n.op is not Op.REDUCE]):
        _fail(other[0], "is in a group of rows")


def _check_space(group: Group, m: Member) -> None:
    """The member runs over the whole outer space, once."""
    sizes = [m.node.shape[k] for k in m.outer]
    inner = dim_product(m.node.shape[k] for k in m.inner)
    if m.collects:
        over = dim_product(reduced_sizes(m.node)) if m.node.op is Op.REDUCE else dim_product(group.outer)
        if group.kind is not GroupKind.ROWS or m.outer or inner != 1 or over != dim_product(group.outer):
            _fail(m.node, f"does not collect over {list(group.outer)}")
    elif dim_product(sizes) != dim_product(group.outer):
        _fail(m.node, f"has {sizes} elements side by side in a group over {list(group.outer)}")
    elif inner != 1 and (group.kind is not GroupKind.ROWS or m.node.op is Op.REDUCE):
        _fail(m.node, f"has axes {list(m.inner)} inside the outer space, where nothing loops over them")


def _check_reads(k: Kernel, m: Member) -> None:
    """What the member reads is an input, or a member's value that is at hand there."""
    read = {*k.inputs, *(other.node for other in k.group.members if other is not m)}
    inside = (n for n in topological([m.node], stop=read.__contains__) if n not in read and n is not m.node)
    for n in inside:
        if n.op in _WITH_LOOPS or (n.op is Op.BUFFER and not is_empty(n)):
            _fail(n, f"is read by {signature(m.node)}, but neither an input of its kernel nor a member")
    for r in reads_of(m.node, read):
        other = k.group.member(r.node)
        if other is not None and not m.is_at_hand(r, other):
            late = "inside the loop that it is a total of" if other.collects else "at another position than its own"
            _fail(r.node, f"is read by {signature(m.node)} {late}, in one kernel")
