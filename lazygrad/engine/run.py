"""Turns graph nodes into stored values: the meeting point of the scheduler, the compiler and the runtimes.

`realize` gives each node a storage. What has been realized is remembered beside the graph, weakly: any later
graph that contains such a node reads its storage instead of computing it again.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lazygrad.dtype import DType
from lazygrad.engine import checks, promised
from lazygrad.engine.cache import default_cache
from lazygrad.engine.counters import counters
from lazygrad.engine.launch import launch, memory_of
from lazygrad.engine.live import Live
from lazygrad.engine.room import needed_on
from lazygrad.engine.tracing import tracing, watch_here
from lazygrad.engine.transfer import fetch
from lazygrad.errors import BoundsError, JitError, fail
from lazygrad.ir.call import substitute
from lazygrad.ir.elements import Array, as_bools, to_storage
from lazygrad.ir.evaluate import evaluate
from lazygrad.ir.node import Node, buffer, contiguous, is_empty, new_uid, topological
from lazygrad.ir.op import BufferArg, DeviceArg, Op, StoreArg
from lazygrad.ir.signature import Shape
from lazygrad.ir.variables import NO_VALUES, Sizes, unbind
from lazygrad.ir.verify import verify
from lazygrad.runtime.base import Runtime, Storage
from lazygrad.runtime.registry import open_device, use_cache
from lazygrad.settings import settings

live = Live()
_realized: weakref.WeakKeyDictionary[Node, Node] = weakref.WeakKeyDictionary()
_runners: dict[tuple[object, ...], Any] = {}  # plan keys -> Runner
PLANS_KEPT = 1024
use_cache(default_cache)


def realized(n: Node) -> Node | None:
    """The BUFFER (under a RESHAPE at most) that holds the value of `n`, or None when it has to be computed (again)."""
    if n.op is Op.BUFFER or (n.op is Op.RESHAPE and n.src[0].op is Op.BUFFER):
        return n
    found = _realized.get(n)
    if found is not None and is_overwritten(_storage(found)):
        del _realized[n]
        return None
    return found


def realized_on(n: Node, name: str) -> Node | None:
    """As `realized`, for a graph on device `name`. Constants live nowhere: what one device holds of one is not
    another's."""
    found = realized(n)
    return found if found is None or n.device is not None or found.device == name else None


def own(n: Node) -> Node:
    """The value of `n` under a node that nothing else has, stored where `n` is: two tensors may have one buffer, but
    gradients must tell a leaf from the others."""
    mine = contiguous(n, new_uid())
    if (base := realized(n)) is not None:
        _realized[mine] = base
    return mine


def storage_of(n: Node) -> Storage:
    """The storage of a realized node."""
    base = realized(n)
    assert base is not None, n
    return _storage(base)


def _storage(base: Node) -> Storage:
    storage = (base.src[0] if base.op is Op.RESHAPE else base).argument(BufferArg).storage
    if not isinstance(storage, Storage):  # an example of a batch: see ir/batching.py
        fail(JitError, str(storage))
    return storage


def is_overwritten(storage: Storage) -> bool:
    """Whether a later value took the memory of this one."""
    return storage.memory is None and storage.nbytes > 0


def upload(array: Array, dtype: DType, name: str, shape: Shape | None = None, share: bool = False) -> Node:
    """A BUFFER node on device `name` with the elements of `array` (whose type is `dtype.storage`).

    `shape` is that of the array unless given: one with variables that have the array's sizes as values. With `share`
    the memory is the array's own where the device can read it there; it is never written.
    """
    stored = as_bools(array) if dtype.is_bool else array
    share = share and stored is array
    array = np.ascontiguousarray(stored).reshape(stored.shape)
    storage = Storage(name, array.nbytes)
    if array.nbytes:
        runtime = open_device(name)
        storage.memory = runtime.wrap(array) if share else runtime.allocate(array.nbytes)
        storage.memory.readonly = share
        if not share:
            runtime.write(storage.memory, array)
    if not share:
        checks.note_range(storage, array)
    if (watch := watch_here()) is not None:
        watch.uploaded(storage)
    return buffer(storage, dtype, tuple(array.shape) if shape is None else shape)


def download(n: Node, share: bool = False) -> np.ndarray[Any, Any]:
    """The elements of a realized node, as a new array of type `dtype.storage`; with `share` the device's own memory
    where the host can address it, to be read at once and let go of.

    BoundsError where anything was computed since the last read with an index that lies outside, and always where this
    was computed from that.
    """
    readable(n)
    return elements(n, share)


def readable(n: Node) -> None:
    """BoundsError as `download` raises it; a trace refuses any read."""
    if (watch := watch_here()) is not None:
        watch.refuse("a value is read")
    if problem := checks.settle(_parameters) or checks.problem_of(storage_of(n)):
        raise BoundsError(problem)


def read(n: Node, name: str) -> np.ndarray[Any, Any]:
    """The elements of any node, computed on device `name` where they have to be. A trace refuses that."""
    if (watch := watch_here()) is not None:
        watch.refuse("a value is read")
    realize([n], name)
    stored = realized(n)
    assert stored is not None
    return download(stored)


def _parameters() -> list[Storage]:
    """What is trained goes on with the values that it has, whatever a step has done to them."""
    return [storage_of(t.node) for t in live if t.requires_grad and t.is_leaf and realized(t.node) is not None]


def elements(n: Node, share: bool = False) -> np.ndarray[Any, Any]:
    """`download` on the way to other values: what is outside is told when one of those is read."""
    storage = storage_of(n)
    shape = tuple(int(d) for d in n.shape)
    if storage.nbytes == 0:
        return np.zeros(shape, n.dtype.storage)
    device, memory = open_device(storage.device), memory_of(storage)
    raw = device.share(memory, storage.nbytes) if share else None
    raw = device.read(memory, storage.nbytes) if raw is None else raw
    return raw.view(n.dtype.storage).reshape(shape)


def realize(nodes: Sequence[Node], name: str) -> None:
    """Compute every node of `nodes` that has no storage yet, all in one schedule, on device `name`."""
    if watch_here() is not None:
        return
    if (observer := tracing.observer) is not None:
        try:
            tracing.observer = None
            sys.setprofile(None)
            realize(nodes, name)
        finally:
            sys.setprofile(observer)
            tracing.observer = observer
        return
    pending = [n for n in dict.fromkeys(nodes) if realized_on(n, name) is None]
    promised.keep(storage_of(n) for n in nodes if realized_on(n, name) is not None)
    if not pending:
        return
    _move_between_devices(pending)
    pending = [n for n in pending if realized_on(n, name) is None]
    if name.startswith("NUMPY"):
        _evaluate(pending, over_buffers(pending, name), name)
        return
    readers = _readers_of_overwritten(pending)
    roots = over_buffers([*pending, *readers], name)
    if settings.verify:
        verify(roots)
    _run(pending, readers, roots, open_device(name))


def _evaluate(pending: Sequence[Node], roots: Sequence[Node], name: str) -> None:
    order = topological(roots)
    found = checks.Checks.of(roots, order)
    made = evaluated([*roots, *found.flags], name, elements)
    found.expect(made, made[len(roots) :], NO_VALUES)
    buffers = [n for n in order if n.op is Op.BUFFER]
    checks.pass_on(buffers, [storage_of(n) for n in buffers], roots, made)
    for n, storage in zip(pending, made):
        _realized[n] = buffer(storage, n.dtype, n.shape)


def evaluated(
    roots: Sequence[Node], name: str, read: Callable[[Node], np.ndarray[Any, Any]], values: Sizes = NO_VALUES
) -> list[Storage]:
    """The storages of what the evaluator makes of `roots` on device `name`; `read` gives the elements of a BUFFER."""
    with needed_on(name):
        results = evaluate(roots, read, values, contract=True)
        return [storage_of(upload(to_storage(v, n.dtype), n.dtype, name)) for n, v in zip(roots, results)]


def over_buffers(pending: Sequence[Node], name: str) -> list[Node]:
    """The graphs of `pending` down to what has been computed already on device `name`. A buffer's own node (see `own`)
    stays: it means the same, and whatever is above need not be made again. So do constants: that somebody's tensor was
    the same number must not change the kernels of everybody else, nor what they read."""
    order = topological(pending, stop=lambda n: n.device is not None and realized(n) is not None)
    known = {n: base for n in order if n.device and (base := realized(n)) is not None and base not in n.src}
    return substitute(pending, known)


def _move_between_devices(pending: Sequence[Node]) -> None:
    """Perform the COPY nodes that `pending` needs: each source is computed where it lives, then moved over the host."""
    for n in topological(pending, stop=lambda n: realized(n) is not None):
        if n.op is Op.COPY and realized(n) is None and n.src[0].device not in (None, n.argument(DeviceArg).device):
            source, target = n.src[0], n.argument(DeviceArg).device
            assert source.device is not None
            realize([source], source.device)
            found = _realized[n] = fetch(storage_of(source), n, target) or upload(
                elements(source), n.dtype, target, n.shape
            )
            checks.pass_on([source], [storage_of(source)], [n], [_storage(found)])


def _readers_of_overwritten(pending: Sequence[Node]) -> list[Node]:
    """What live tensors still have to compute from values that `pending` overwrites: their own nodes, or what they copy
    to other devices. It is computed along with `pending`, from the old values."""
    stores = (n for n in topological(pending) if n.op is Op.STORE and realized(n) is None)
    targets = {id(n.argument(StoreArg).storage) for n in stores}
    if not targets:
        return []
    waiting = dict.fromkeys(t.node for t in list(live) if realized(t.node) is None)
    ours = set(pending)
    depends, needed = set[Node](), dict[Node, None]()
    for n in topological(waiting, stop=lambda n: realized(n) is not None):
        if realized(n) is not None:
            if id(storage_of(n)) in targets:
                depends.add(n)
            continue
        from_old = [s for s in n.src if s in depends]
        if n.op is Op.COPY:  # beyond it other devices compute
            needed |= dict.fromkeys(from_old)
        elif from_old:
            depends.add(n)
            if n in waiting:
                needed[n] = None
    return [n for n in needed if n not in ours]


def _run(pending: Sequence[Node], readers: Sequence[Node], roots: Sequence[Node], runtime: Runtime) -> None:
    """Compute `roots`, which are `pending` and then `readers` over buffers. Only `pending` may overwrite: stores
    among the readers would need readers of their own."""
    from lazygrad.engine.execute import Runner  # when it is first needed: NUMPY never compiles
    from lazygrad.engine.plan import structure

    order = topological(roots)
    inputs = [n for n in order if n.op is Op.BUFFER and not is_empty(n)]
    found = checks.Checks.of(roots, order)
    replaces = _replaceable(pending, inputs)
    graph = unbind([*roots, *found.flags])
    info, replaced = runtime.info, tuple(sorted(replaces.items()))
    key = (runtime.name, info.kind, info.arch, settings.verify, *structure(graph.roots), replaced)
    runner = _runners.get(key)
    counters.schedules += 1
    if runner is None:
        runner = Runner.over(graph.roots, [graph.new.get(n, n) for n in inputs], replaces, runtime)
        if len(_runners) >= PLANS_KEPT:
            del _runners[next(iter(_runners))]
        _runners[key] = runner
    else:
        counters.plan_hits += 1
    given = [storage_of(n) for n in inputs]

    def remember(results: Sequence[Storage]) -> None:
        found.expect(results, results[len(roots) :], NO_VALUES)
        checks.pass_on(inputs, given, roots, results)
        for n, storage in zip((*pending, *readers), results):
            _realized[n] = buffer(storage, n.dtype, n.shape)

    launch(runner, given, replaces, graph.values({}), remember)
    runner.release()


def _replaceable(pending: Sequence[Node], inputs: Sequence[Node]) -> dict[int, int]:
    """For each STORE among the roots, the input whose memory it may take: nothing else holds it afterwards."""
    number: dict[int, list[int]] = {}
    for i, n in enumerate(inputs):
        number.setdefault(id(storage_of(n)), []).append(i)
    held = {id(storage_of(t.node)) for t in list(live) if realized(t.node) is not None}
    targets = {k: id(n.argument(StoreArg).storage) for k, n in enumerate(pending) if n.op is Op.STORE}
    replaces = {k: number[t][0] for k, t in targets.items() if len(number.get(t, ())) == 1 and t not in held}
    return {k: i for k, i in replaces.items() if not memory_of(storage_of(inputs[i])).readonly}
