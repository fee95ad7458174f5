"""Wrong edits of what guards and replays a jitted function, planted one at a time: the table of ways notices each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from lazygrad.engine import run, tracing
from lazygrad.engine.replay import Replay
from lazygrad.ir.node import topological
from lazygrad.ops import jit_facts, jit_guard, jit_holders, jit_record, jit_replay, jit_watch
from lazygrad.ops.jit_guard import Guard
from lazygrad.settings import settings
from tests.engine import test_jit_threads as threads
from tests.engine import test_jit_ways_calls as calls
from tests.engine import test_jit_ways_effects as effects
from tests.engine import test_jit_ways_objects as objects
from tests.engine.jit_ways import Way, outcome


@dataclass(frozen=True)
class Plant:
    """A wrong edit: `owner.name` becomes `wrong` of what it was, and `way` must not go as it should."""

    owner: Any
    name: str
    wrong: Any
    way: Way


def every_realized_node(right: Any) -> Any:
    """Graphs are cut at whatever has a value, as if no two tensors had equal constants."""

    def wrong(roots: Any, known: Any, device: Any) -> Any:
        values = {n: base for n in topological(roots) if (base := run.realized(n)) is not None}
        return right(roots, {**values, **known}, device)

    return wrong


PLANTS = {
    "numbers are compared by ==": Plant(
        jit_guard, "plain_key", lambda right: lambda x: x, objects.zero_and_minus_zero_as_arguments
    ),
    "True is 1": Plant(jit_facts, "is_same_plain", lambda right: lambda a, b: a == b, objects.one_and_true),
    "elements are not compared": Plant(
        jit_facts.Elements, "are", lambda right: lambda self, values: True, objects.nested_containers
    ),
    "closures are not compared": Plant(
        jit_facts.Cells, "holds", lambda right: lambda self: True, objects.a_closure_cell
    ),
    "classes are not read": Plant(
        jit_holders.Holders, "_class", lambda right: lambda self, kind, path: None,
        objects.a_method_replaced_in_its_class,
    ),
    "objects are not read": Plant(
        jit_record.Recorder, "_follow", lambda right: lambda self, value, path, others: None,
        objects.an_inner_object_exchanged,
    ),
    "nothing that the function changes is noticed": Plant(
        Guard, "changed", lambda right: lambda self: "", effects.a_list_that_grows
    ),
    "clocks may be asked": Plant(
        jit_record.Recorder, "_outside", lambda right: lambda self, frame, what: None, effects.a_clock
    ),
    "arguments are never outside tensors": Plant(
        Guard, "which", lambda right: lambda self, arguments: (0,) * len(arguments),
        effects.an_argument_compared_to_an_outside_tensor,
    ),
    "tensors of one buffer stay together": Plant(
        jit_replay.Call, "_check_together", lambda right: lambda self, tensors: None,
        objects.two_tensors_that_had_one_buffer,
    ),
    "seeds inside are forgotten": Plant(
        jit_watch.Watching, "reseeded", lambda right: lambda self, generator, state: None, effects.seeds_inside
    ),
    "every mention of a result is another tensor": Plant(
        jit_replay.Call, "_part", lambda right: lambda self, x: (self.made.clear(), right(self, x))[1],
        calls.one_tensor_returned_twice,
    ),
    "equal constants are one buffer": Plant(
        Replay, "of", every_realized_node, effects.constants_that_equal_other_tensors
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_bug_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant = PLANTS[name]
    with settings.override(device="NUMPY"):
        right = _verdict(plant.way)
        monkeypatch.setattr(plant.owner, plant.name, plant.wrong(getattr(plant.owner, plant.name)))
        assert _verdict(plant.way) != right, f"nothing noticed that {name}"


def _verdict(way: Way) -> str:
    try:
        return outcome(way)[0]
    except Exception:  # noqa: BLE001 - a crash is noticed as well
        return "crash"


def test_a_trace_that_all_threads_are_in_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def watch_of_anybody() -> Any:
        return tracing.watched[-1] if tracing.watched else None

    with settings.override(device="NUMPY"):
        monkeypatch.setattr(run, "watch_here", watch_of_anybody)
        with pytest.raises(Exception):  # noqa: B017 - whatever it is that goes wrong first
            threads.test_while_others_trace("NUMPY")
