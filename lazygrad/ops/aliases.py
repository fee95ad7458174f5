"""Writes through views, and reads of views that are out of date: both are errors.

Views are values here, where PyTorch's share memory. So that no program means one thing there and another one here,
every tensor knows its *family*: those that PyTorch would keep in one piece of memory. An in-place write to a tensor

- reaches the members that are the same elements in the same order (`detach`, `.data`, a reshape of the whole): they
  take the value as well;
- is refused while a member that is older than all of those lives that PyTorch would change too (the base of a slice);
- makes every younger member that PyTorch would change lose its value: reading one afterwards is an error.

`x[0] += 1` is a write to the view x[0] and then one to x. So the operators (+=, ...) are not refused: they make the
older members lose their value, and the assignment `x[0] = view` that follows gives it back.

Taking a view costs a fraction of a microsecond, and so does a write to a tensor without living views: members are
counted by the references to their family, and only where there are several, they are looked for and compared.
"""

from __future__ import annotations

import sys
import weakref
from typing import Any, NamedTuple, NoReturn, TypeVar

from lazygrad.engine.lost import LostStorage, fail_to_read
from lazygrad.engine.run import live
from lazygrad.errors import ViewError, user_line
from lazygrad.index.expr import dim_product
from lazygrad.ir.node import Node, buffer
from lazygrad.ir.op import ELEMENTWISE, BufferArg, Op
from lazygrad.ir.signature import Shape
from lazygrad.ops import layout
from lazygrad.ops.layout import Change, Layout, Memory, Slices

T = TypeVar("T", bound="Member")
REACH = 32  # how many nodes are looked at to find out in which order elements lie
DEPTH = 32  # of views of views whose layouts have not been worked out


class Family(Memory):
    """What a tensor and its views have in common."""

    __slots__ = ("members", "shape")

    def __init__(self, shape: Shape, row_major: bool) -> None:
        super().__init__(row_major)
        self.members = 0
        self.shape = shape


class Alias:
    """One member of a family: a view of its `parent` by `change`, or the first one of all, which has no parent."""

    __slots__ = ("argument", "change", "depth", "family", "graph", "layout", "number", "parent")

    def __init__(
        self, family: Family, parent: Alias | None, change: Change, argument: Any, detached: bool = True
    ) -> None:
        self.family, self.parent, self.change, self.argument = family, parent, change, argument
        self.number = family.members
        self.graph: int = self.number if parent is None or detached else parent.graph  # members that share gradients
        family.members += 1
        self.layout: Layout | None = None
        self.depth: int = 0 if parent is None else parent.depth + 1
        if self.depth > DEPTH:
            self.find_layout()

    def find_layout(self) -> Layout:
        """Where PyTorch would keep the elements; worked out when it is asked for first."""
        if self.layout is None:
            if self.parent is None:
                self.layout = layout.whole(self.family, self.family.shape)
            else:
                before = self.parent.find_layout()
                if before.strides is None and self.change not in _OF_ALL:
                    self.layout = layout.unknown(before, before.shape)
                else:
                    self.layout = self.change(before, self.argument)
            self.parent, self.argument, self.depth = None, None, 0
        return self.layout


class Member:
    """A tensor, as far as its memory goes."""

    __slots__ = ("_alias", "device", "node")
    node: Node  # its value as a graph
    device: str  # where it is (to be) computed
    _requires: bool  # whether gradients are recorded for it
    _alias: Alias | None  # its place in its family; None: nobody else's


def view_of(base: Member, view: T, change: Change, argument: Any = None) -> T:
    """`view`, known to be a view of `base` by `change`."""
    alias = alias_of(base)
    detached = change is layout.detached or base._requires is not view._requires  # the latter: inside no_grad
    view._alias = Alias(alias.family, alias, change, argument, detached)
    return view


def alias_of(t: Member) -> Alias:
    """The place of `t` in its family, which is a new one if it had none."""
    if t._alias is None:
        t._alias = first_of(t.node.shape, not _may_be_reordered(t.node))
    return t._alias


def copy_family(t: Member, copied: Member, memo: dict[int, Any]) -> None:
    """After a deep copy: copies of tensors of one memory are of one memory, too. `memo` is that of `copy.deepcopy`."""
    if t._alias is not None:
        place = t._alias.find_layout()
        family = memo.setdefault(id(place.memory), Family(place.shape, place.memory.row_major))
        copied._alias = Alias(family, None, t._alias.change, None)
        copied._alias.number, copied._alias.layout = t._alias.number, place._replace(memory=family)
        memo.setdefault(id(memo), []).append(place.memory)  # what an identity stands for must live on


def remember_order(t: Member, stored: Node) -> None:
    """Before the graph of `t` is forgotten for the `stored` value: whether PyTorch may keep it in another order."""
    if _may_be_reordered(t.node) or (t._alias is not None and not t._alias.find_layout().is_row_major):
        _reordered[stored] = None


def first_of(shape: Shape, row_major: bool) -> Alias:
    """The first member of a family."""
    return Alias(Family(shape, row_major), None, layout.same, None)


_OF_ALL = (layout.same, layout.detached)
changed: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()  # in place, not seen stored since; by id
_reordered: weakref.WeakKeyDictionary[Node, None] = weakref.WeakKeyDictionary()  # stored values
_ALONE = sys.getrefcount(first_of((), True).family)  # references where there is one member


class Reach(NamedTuple):
    """What a write to one tensor means for others.

    Attributes:
        alike: those that are the same elements in the same order, and take the new value as well.
        outdated: those that lose their value, unless an assignment of `by` gives it back, because of `reason`.
    """

    alike: list[Member]
    outdated: list[Member]
    reason: str = ""
    by: Member | None = None

    def forget_values(self) -> None:
        """Make them outdated."""
        for t in self.outdated:
            remedy = _AGAIN if self.by is None else _remedy(self.by)
            taken = "this view" if self.by is None else "this tensor"
            _lose(t, f"{taken} {list(t.node.shape)} {self.reason}: {remedy}", self.by)


def reach(t: Member, by_operator: bool = False, part: Slices | None = None) -> Reach:
    """What changes with `t`, or a `part` of it. ViewError where an older tensor would have to, and cannot.

    Operators like += may change a view of a living tensor: then all that should change as well lose their value, until
    an assignment `base[index] = t` gives it back.
    """
    touched = touched_by(t, part)
    if not touched:
        return _NOTHING
    assert t._alias is not None
    mine = t._alias.find_layout()
    alike, others = list[Member](), list[Member]()
    for m in touched:
        same = m.node.dtype is t.node.dtype and layout.alike(mine, _place(m))
        (alike if same else others).append(m)
    if not others:
        return Reach(alike, others)
    if _number(others[0]) > min(map(_number, (t, *alike))):
        return Reach(alike, others, f"of a tensor {list(t.node.shape)} was taken before that was changed{_here()}")
    if not by_operator:
        _refuse(t, others[0])
    return Reach([], touched, f"was changed through a view of it {list(t.node.shape)}{_here()}", t)


def is_alike(a: Member, b: Member) -> bool:
    """Whether a write to either changes both in the same way, and both have their values."""
    if a._alias is None or b._alias is None or a._alias.family is not b._alias.family:
        return False
    same = a.node.dtype is b.node.dtype and layout.alike(_place(a), _place(b))
    return same and not is_outdated(a) and not is_outdated(b)


def give_back(t: Member, view: Member) -> None:
    """Before `view` is assigned to a part of `t`: what was lost to that view is as it was before."""
    if t._alias is not None and view._alias is not None and view._alias.family is t._alias.family:
        for other in touched_by(view):
            lost = _lost(other.node)
            if lost is not None and lost.by is view._alias:
                other.node = lost.kept


def is_outdated(t: Member) -> bool:
    """Whether `t` is a view that has lost its value. ViewError where it lost it to a view that was not written back."""
    lost = _lost(t.node)
    if lost is not None and lost.by is not None:
        fail_to_read(lost)
    return lost is not None


_NOTHING = Reach([], [])
_KEEP_ORDER = (Op.CALL, Op.CONTIGUOUS, Op.DETACH, Op.EXPAND, Op.FLIP, Op.RESHAPE, Op.SHRINK, Op.STORE)
_AGAIN = "take the view again after the change; or take a copy, view.clone(), before it, to keep the old values"


def touched_by(t: Member, part: Slices | None = None) -> list[Member]:
    """The other living tensors that PyTorch would change with `t` (with a `part` of it), oldest first."""
    alias = t._alias
    if alias is None:
        return []
    if sys.getrefcount(alias.family) > _ALONE:
        family, mine = alias.family, alias.find_layout()
        mine = mine if part is None or mine.strides is None else layout.taken(mine, part)
        members = [m for m in live if m._alias is not None and m._alias.family is family and m is not t]
        touched = [m for m in members if layout.overlap(mine, _place(m))]
        if touched or part is not None:
            return sorted(touched, key=_number)
    if alias.number or not alias.family.row_major:  # nobody shares its elements: it starts a family of its own
        t._alias = None if alias.find_layout().is_row_major else first_of(t.node.shape, row_major=False)
    else:
        t._alias = None
    return []


def _may_be_reordered(n: Node) -> bool:
    """Whether PyTorch may keep these elements in another order than row-major: what an elementwise operation gives has
    the order of its inputs."""
    waiting, seen = [n], {n}
    for _ in range(REACH):
        if not waiting:
            return False
        n = waiting.pop()
        if n.op is Op.PERMUTE or n in _reordered:
            return True
        is_sum = n.op is Op.REDUCE and n.src[0].op is not Op.MUL  # a product of matrices has an order of its own
        if is_sum or n.op in ELEMENTWISE or n.op in _KEEP_ORDER:
            new = [s for s in n.src if s not in seen and any(size != 1 for size in s.shape)]  # numbers have no order
            waiting += new
            seen.update(new)
    return True


def _number(t: Member) -> int:
    assert t._alias is not None
    return t._alias.number


def _place(t: Member) -> Layout:
    assert t._alias is not None
    return t._alias.find_layout()


def _refuse(t: Member, base: Member) -> NoReturn:
    n = base.node
    made = f", made at {n.line}," if n.device is not None and n.line else ""
    message = f"in-place: this tensor {list(t.node.shape)} is a view of a tensor of shape {list(n.shape)}{made} which"
    raise ViewError(f"{message} would not change with it: {_remedy(t)}{_here()}")


def _here() -> str:
    """The user's line, to be put behind a message."""
    line = user_line()
    return f" ({line})" if line else ""


def _remedy(t: Member) -> str:
    assert t._alias is not None
    change = t._alias.change
    copy = "or change a copy, view.clone()"
    if change is layout.taken:
        return f"write x[i, j] = value with all indices in one bracket instead of x[i][j] = value, {copy}"
    if change is layout.same:
        return f"change the tensor itself, inside `with no_grad():` where it requires a gradient, {copy}"
    return f"change the tensor itself, e.g. x[index] = value or x.assign(value), {copy}"


def _lose(t: Member, reason: str, by: Member | None = None) -> None:
    """Put a buffer without memory in the place of the value of `t`."""
    if _lost(t.node) is None:
        n, size = t.node, dim_product(t.node.shape)
        nbytes = max(size if isinstance(size, int) else 1, 1) * n.dtype.itemsize
        given_back = (None, None) if by is None else (n, by._alias)
        t.node = buffer(LostStorage(t.device, nbytes, reason, *given_back), n.dtype, n.shape)


def _lost(n: Node) -> LostStorage | None:
    """The storage of a value that is lost, else None."""
    if n.op is not Op.BUFFER:
        return None
    storage = n.argument(BufferArg).storage
    return storage if isinstance(storage, LostStorage) else None
