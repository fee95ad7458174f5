"""Statements on tiles to calls of what the language offers for them: copies, matrix units, rings and roles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from lazygrad.dtype import dtypes
from lazygrad.errors import GraphError
from lazygrad.index.expr import Const, Expr, Var, all_of

from .array import Array, Scope
from .collective import Copy, Done, Let, Mma, Open, Release, Ring, Token, Turn, Wait
from .layout import WARP, Fragment
from .lower_context import Context, integer_type
from .lower_copy import Copier, Tensors, fragment_words
from .lower_launch import Launch
from .lower_matrix import multiply, start_multiply
from .machine import IndexValue, Intrinsic, Meet, Pointer, Register
from .program import Barrier, Role, Roles, Start, Stmt
from .walk import flattened

GROUP_BARRIERS = 8  # barriers 1 to 7 are for warp groups, those from 8 on for roles
WARP_GROUP = 128
REGISTER_FILE = 1 << 16  # 32-bit registers of a multiprocessor

Body = Callable[[Sequence[Stmt]], None]


class Tiles:
    """Lowers statements on tiles; `body` lowers any statements."""

    def __init__(
        self, context: Context, launch: Launch, body: Body, program: Sequence[Stmt], memories: Sequence[Array]
    ) -> None:
        self.context, self.launch, self.body = context, launch, body
        self.tensors = Tensors(context, memories)
        self.copier = Copier(context, launch, self.tensors)
        self.barriers: dict[Ring, tuple[Array, Array]] = {}  # turns filled, turns released
        self.is_ready = True  # whether all know of the rings opened so far
        self.into: Done | None = None
        self.role = 0  # of those being lowered, from 1 on
        self.work = _work([s for s in flattened(program) if isinstance(s, Start)])
        self.is_async = any(kind != "copy" for kind in self.work.values())
        context.is_rolled = any(isinstance(done, Turn) for done in self.work)
        launch.is_uniform = launch.is_uniform or bool(self.work)

    def statement(self, s: Stmt) -> None:
        if not self.is_ready and not isinstance(s, Open):
            self._call("lg_cluster_sync") if self.launch.cluster > 1 else self.context.emit(Meet())
            self.is_ready = True
        if isinstance(s, Open):
            self._open(s.ring)
        elif isinstance(s, Start):
            self._start(s)
        elif isinstance(s, Copy):
            self._copy(s)
        elif isinstance(s, Mma):
            multiply(self.context, s) if self.into is None else start_multiply(self.context, s)
        elif isinstance(s, Wait):
            self._wait(s)
        elif isinstance(s, Release):
            self._release(s.turn)
        elif isinstance(s, Let):
            self._let(s)
        else:
            assert isinstance(s, Roles), s
            self._roles(s)
        self.context.version += 1

    def _let(self, s: Let) -> None:
        context, value = self.context, self._machine(s.expr)
        context.depth.pop(s.var, None)
        if not value.is_constant:
            register = Register(context.names.exact(s.var.name), integer_type(value))
            context.emit(IndexValue(register, value))
            value = Var(register.name, value.lo, value.hi)
            context.depth[s.var] = context.here
        context.env[s.var] = value

    def _call(self, name: str, *args: Expr | Pointer | Intrinsic, numbers: tuple[int, ...] = ()) -> None:
        self.context.emit(Intrinsic(name, args, numbers))

    def _machine(self, e: Expr) -> Expr:
        return self.context.machine(e, {})

    # ---- rings ---------------------------------------------------------------------------------

    def _open(self, ring: Ring) -> None:
        context = self.context
        for array in ring.arrays:
            context.declare(array)
        filled, released = (Array(f"{ring.name}_{n}", dtypes.uint64, ring.slots, Scope.LOCAL) for n in ("full", "free"))
        self.barriers[ring] = context.declare(filled), context.declare(released)
        with context.branch(self.launch.local_id.eq(0)):
            for slot in range(ring.slots):
                self._call("lg_barrier_init", Pointer(self.barriers[ring][0], Const(slot)), Const(1))
                arrivals = Const(ring.readers * self._sharers(ring))
                self._call("lg_barrier_init", Pointer(self.barriers[ring][1], Const(slot)), arrivals)
            self._call("lg_barrier_ready")
        self.is_ready = False

    def _sharers(self, ring: Ring) -> int:
        """Work-groups that fill the ring together."""
        return self.launch.cluster if any(a.scope is Scope.CLUSTER for a in ring.arrays) else 1

    def _barrier(self, turn: Turn, which: int) -> Pointer:
        if turn.ring not in self.barriers:
            raise GraphError(f"ring {turn.ring.name!r} is used before it is opened")
        return Pointer(self.barriers[turn.ring][which], self._machine(turn.slot))

    def _release(self, turn: Turn) -> None:
        """One work-item tells each work-group that fills the ring."""
        with self.context.branch(self.launch.is_first):
            sharers = self._sharers(turn.ring)
            own = Intrinsic("lg_cluster_rank") if self.launch.cluster > 1 else Const(0)
            for block in map(Const, range(sharers)) if sharers > 1 else (own,):
                self._call("lg_barrier_arrive", self._barrier(turn, 1), block)

    # ---- asynchronous work ---------------------------------------------------------------------

    def _start(self, s: Start) -> None:
        before, self.into = self.into, s.done
        if isinstance(s.done, Turn):
            with self.context.branch(self.launch.is_first):
                free = (s.done.number // s.done.ring.slots + 1) % 2
                self._call("lg_barrier_wait", self._barrier(s.done, 1), self._machine(free))
                self._call("lg_barrier_expect", self._barrier(s.done, 0), Const(s.done.ring.turn_bytes))
                self.body(s.body)
        else:
            if self.work[s.done] == "wgmma":
                self._call("lg_wgmma_fence")
            self.body(s.body)
            self._call(f"lg_{self.work[s.done]}_commit")
        self.into = before

    def _wait(self, s: Wait) -> None:
        if isinstance(s.done, Turn):
            self._call("lg_barrier_wait", self._barrier(s.done, 0), self._machine(s.done.phase))
            return
        if s.done not in self.work:
            raise GraphError(f"token {s.done.name!r} is waited for, but nothing is started with it")
        self._call(f"lg_{self.work[s.done]}_wait", numbers=(s.pending,))
        if self.work[s.done] == "wgmma" and not s.pending:
            for array, own in self.context.arrays.items():
                if isinstance(array.layout, Fragment) and array.layout.items > WARP:
                    self._call("lg_wgmma_hold", Pointer(own, Const(0)), numbers=(array.layout.registers,))

    def _copy(self, s: Copy) -> None:
        if isinstance(self.into, Turn):
            self.copier.load_box(s, self._barrier(self.into, 0))
        elif self.into is None:
            self.copier.load_fragment(s)
        elif self.work[self.into] == "store":
            with self.context.branch(self.launch.is_first):
                self.copier.store_box(s)
        else:
            self.copier.load_chunks(s)

    # ---- who acts ------------------------------------------------------------------------------

    def barrier(self, s: Barrier) -> bool:
        """Emits a Barrier of less than the whole group; False for others, which are the caller's."""
        launch = self.launch
        if self.is_async:
            self._call("lg_fence_async")
        if not self.role and not s.together:
            return False
        if not s.together:
            self._call("lg_sync_items", Const(GROUP_BARRIERS + self.role - 1), Const(launch.role_items))
        elif launch.sharing == WARP:
            self._call("__syncwarp")
        elif launch.sharing == WARP_GROUP:
            number = (launch.local_id + launch.first_item) // WARP_GROUP + 1
            self._call("lg_sync_items", number, Const(WARP_GROUP))
        else:
            raise GraphError(f"a Barrier of {launch.sharing} work-items together; use {WARP} or {WARP_GROUP}")
        return True

    def _roles(self, s: Roles) -> None:
        share = REGISTER_FILE // self.launch.group_size // 8 * 8
        start = 0
        for number, role in enumerate(s.roles):
            here = self.launch.local_id
            mine = all_of((here.ge(start), here.lt(start + role.items)))
            with self.context.branch(mine), self._acting(role, number + 1, start):
                if role.registers:
                    change = "increase" if role.registers > share else "decrease"
                    self._call(f"lg_registers_{change}", numbers=(role.registers,))
                with self.context.branch(self.launch.local_id.eq(0) if role.alone else Const(1)):
                    self.body(role.body)
            start += role.items

    @contextmanager
    def _acting(self, role: Role, number: int, start: int) -> Iterator[None]:
        launch, context = self.launch, self.context
        saved = launch.local_id, launch.sharing, launch.first_item, launch.role_items, launch.home
        register = Register(context.names.exact(f"{role.name}_item"), dtypes.int32)
        context.emit(IndexValue(register, launch.local_id - start))
        launch.local_id = Var(register.name, 0, role.items - 1)
        launch.sharing = 1 if role.alone else role.items
        launch.first_item, launch.role_items, launch.home = start, role.items, context.here
        self.role = number
        yield
        self.role = 0
        launch.local_id, launch.sharing, launch.first_item, launch.role_items, launch.home = saved


def declared(context: Context, array: Array) -> None:
    """Declares a staged array; operands of a matrix unit in registers are words."""
    if array.scope is Scope.PRIVATE and isinstance(array.layout, Fragment) and array.dtype.itemsize < 4:
        words = replace(array, dtype=dtypes.uint32, size=fragment_words(array) * array.slots)
        context.arrays[array] = context.declare(words)
    else:
        context.declare(array)


def _work(starts: Sequence[Start]) -> dict[Done, str]:
    """What tokens and turns count, as the names of their functions have it."""
    kinds: dict[Done, set[str]] = {}
    for s in starts:
        found = kinds.setdefault(s.done, set())
        for inner in flattened(s.body):
            if isinstance(inner, Mma):
                found.add("wgmma")
            elif isinstance(inner, Copy):
                found.add("store" if inner.dest.array.scope is Scope.GLOBAL else "copy")
    for done, found in kinds.items():
        if isinstance(done, Token) and len(found) != 1:
            raise GraphError(f"token {done.name!r} counts work of {len(found)} kinds; a token counts one")
    return {done: found.pop() if isinstance(done, Token) else "turn" for done, found in kinds.items()}
