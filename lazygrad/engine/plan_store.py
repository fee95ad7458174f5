"""Plans on disk, so that a second process launches its first kernel without scheduling anything.

A plan is stored as JSON under a key of everything that decides it: the graph's structure, the device, and the code of
lazygrad itself. What cannot be read back as a plan is a miss.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lazygrad.engine.compile import Compiled
from lazygrad.engine.plan import Plan, Step
from lazygrad.engine.slots import Input, Output, Part, Slot, Temporary, Workspace
from lazygrad.errors import GraphError
from lazygrad.index.expr import Expr, as_dim
from lazygrad.index.record import record, restored
from lazygrad.index.variable import Variable
from lazygrad.runtime.base import KernelSource, LaunchAttributes, Runtime, TensorMap

_KINDS: dict[str, type[Any]] = {"input": Input, "output": Output, "temporary": Temporary, "workspace": Workspace}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def key(structure: tuple[object, ...], replaces: Mapping[int, int], runtime: Runtime) -> str | None:
    """The name of a plan in the runtime's cache; None where it has none."""
    if runtime.cache is None:
        return None
    info = runtime.info
    graph = repr((structure, sorted(replaces.items())))
    return runtime.cache.key("plan", graph, info.kind, info.fingerprint, str(info.units), code_digest())


def load(name: str | None, runtime: Runtime) -> Plan | None:
    """The plan that `save` stored under `name`, or None."""
    payload = runtime.cache.get(name) if name is not None and runtime.cache is not None else None
    if payload is None:
        return None
    try:
        return _plan(json.loads(payload))
    except (ValueError, LookupError, TypeError):
        return None


def save(name: str | None, plan: Plan, runtime: Runtime) -> None:
    """Store `plan` for processes to come."""
    if name is not None and runtime.cache is not None:
        runtime.cache.put(name, json.dumps(_record(plan)).encode())


def verify_same(stored: Plan, made: Plan) -> None:
    """Raise GraphError unless a plan from the disk is the one that is made of the same graph now."""
    if stored is not made and json.dumps(_record(stored)) != json.dumps(_record(made)):
        raise GraphError("a plan from the disk is not the one that is made of the same graph; clear LAZYGRAD_CACHE_DIR")


@functools.cache
def code_digest() -> str:
    """A digest of lazygrad's own source: any change of it may change plans."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _record(plan: Plan) -> dict[str, Any]:
    kernels = {id(s.kernel): s.kernel for s in plan.steps}
    number = {k: i for i, k in enumerate(kernels)}
    return {
        "kernels": [_kernel_record(k) for k in kernels.values()],
        "steps": [[number[id(s.kernel)], [_slot_record(m) for m in s.memories]] for s in plan.steps],
        "outputs": [record(size) for size in plan.outputs],
        "arena": plan.arena,
        "workspace": plan.workspace,
        "results": [None if r is None else _slot_record(r) for r in plan.results],
    }


def _kernel_record(k: Compiled) -> list[Any]:
    scalars = [record(v) for v in k.scalars]
    return [asdict(k.source), record(k.groups), k.group_size, k.bytes, k.flops, k.workspace, scalars]


def _kernel(source: dict[str, Any], groups: Any, group_size: int, *rest: Any) -> Compiled:
    nbytes, flops, workspace, scalars = rest
    variables = tuple(_variable(restored(v)) for v in scalars)
    scratch = tuple((int(size), bool(is_tickets)) for size, is_tickets in workspace)
    return Compiled(_source(source), as_dim(restored(groups)), group_size, nbytes, flops, scratch, variables)


def _variable(e: Expr) -> Variable:
    if not isinstance(e, Variable):
        raise TypeError(f"{e} is no variable")
    return e


def _slot_record(slot: Slot) -> list[Any]:
    if isinstance(slot, Part):
        return ["part", _slot_record(slot.of), slot.offset, slot.nbytes]
    return [_NAMES[type(slot)], *(getattr(slot, name) for name in type(slot).__dataclass_fields__)]


def _slot(fields: list[Any]) -> Slot:
    if fields[0] == "part":
        of = _slot(fields[1])
        if not isinstance(of, (Input, Output)):
            raise TypeError(f"{of} has no parts")
        return Part(of, int(fields[2]), int(fields[3]))
    slot: Slot = _KINDS[fields[0]](*(int(n) for n in fields[1:]))
    return slot


def _source(record: dict[str, Any]) -> KernelSource:
    attributes = record.pop("attributes")
    maps = tuple(TensorMap(**{k: _frozen(v) for k, v in entry.items()}) for entry in attributes.pop("tensor_maps"))
    return KernelSource(**record, attributes=LaunchAttributes(**attributes, tensor_maps=maps))


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _plan(fields: dict[str, Any]) -> Plan:
    kernels = [_kernel(*k) for k in fields["kernels"]]
    steps = tuple(Step(kernels[k], tuple(_slot(m) for m in memories)) for k, memories in fields["steps"])
    results = tuple(None if r is None else _slot(r) for r in fields["results"])
    outputs = tuple(as_dim(restored(size)) for size in fields["outputs"])
    return Plan(steps, outputs, fields["arena"], fields["workspace"], results)
