"""Turns graph nodes into stored values: the meeting point of the scheduler, the compiler and the runtimes.

`realize` gives each node a storage. What has been realized is remembered beside the graph, weakly: any later
graph that contains such a node reads its storage instead of computing it again.
"""
from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from lazygrad.dtype import DType
from lazygrad.ir.evaluate import evaluate, from_storage, to_storage
from lazygrad.ir.node import Node, buffer, node, topological
from lazygrad.ir.op import BufferArg, Op
from lazygrad.runtime.base import Storage
from lazygrad.runtime.registry import open_device


class HasNode(Protocol):
    node: Node


live: weakref.WeakSet[Any] = weakref.WeakSet()  # every Tensor, so that a store knows who still reads the old value
_realized: weakref.WeakKeyDictionary[Node, Node] = weakref.WeakKeyDictionary()


def realized(n: Node) -> Node | None:
    """The BUFFER (under a RESHAPE at most) that holds the value of `n`, or None when it was not computed yet."""
    if n.op is Op.BUFFER:
        return n
    if n.op is Op.RESHAPE and n.src[0].op is Op.BUFFER:
        return n
    return _realized.get(n)


def storage_of(n: Node) -> Storage:
    """The storage of a realized node."""
    base = realized(n)
    assert base is not None, n
    if base.op is Op.RESHAPE:
        base = base.src[0]
    storage = base.argument(BufferArg).storage
    assert isinstance(storage, Storage)
    return storage


def upload(array: np.ndarray[Any, Any], dtype: DType, device: str) -> Node:
    """A BUFFER node on `device` with the elements of `array` (whose type is `dtype.storage`)."""
    array = np.ascontiguousarray(array)
    runtime = open_device(device)
    storage = Storage(device, array.nbytes)
    storage.memory = runtime.allocate(array.nbytes)
    if array.nbytes:
        runtime.write(storage.memory, array)
    return buffer(storage, dtype, tuple(array.shape))


def download(n: Node) -> np.ndarray[Any, Any]:
    """The elements of a realized node, as a new array of type `dtype.storage`."""
    storage = storage_of(n)
    shape = tuple(int(d) for d in n.shape)  # type: ignore[arg-type]
    if storage.nbytes == 0:
        return np.zeros(shape, n.dtype.storage)
    assert storage.memory is not None
    raw = open_device(storage.device).read(storage.memory, storage.nbytes)
    return raw.view(n.dtype.storage).reshape(shape)


def substitute(roots: Sequence[Node], known: dict[Node, Node]) -> list[Node]:
    """`roots` with every node in `known` replaced, rebuilding only what is above a replaced one."""
    new = dict(known)
    for n in topological(roots, stop=lambda n: n in known):
        if n not in new:
            src = tuple(new[s] for s in n.src)
            same = all(a is b for a, b in zip(src, n.src))
            new[n] = n if same else node(n.op, src, n.arg, n.dtype if n.op in (Op.CAST, Op.BITCAST) else None)
    return [new[r] for r in roots]


def realize(nodes: Sequence[Node], device: str) -> None:
    """Compute every node of `nodes` that has no storage yet, all in one schedule, on `device`."""
    pending = [n for n in dict.fromkeys(nodes) if realized(n) is None]
    if not pending:
        return
    leaves = {n: base for n in topological(pending, stop=lambda n: realized(n) is not None) if (base := realized(n))}
    roots = substitute(pending, leaves)
    if device.startswith("NUMPY"):
        for n, value in zip(pending, evaluate(roots, download)):
            _realized[n] = upload(to_storage(value, n.dtype), n.dtype, device)
        return
    raise NotImplementedError(device)
