"""What a trace keeps alive: constants that were made inside, and nothing of anybody else's."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor, jit, nn, optim
from lazygrad.engine import run
from lazygrad.engine.replay import _Detached
from lazygrad.errors import LazygradError
from lazygrad.ops import jit_replay
from lazygrad.ops.jit import Jit
from lazygrad.ops.tree import flatten
from lazygrad.runtime.base import Storage
from lazygrad.settings import settings

Sizes = Counter[int]  # how many storages there are of so many bytes
LARGE = 4 * 4099  # bytes of a tensor that these tests tell from any other
CALLS = 5


def storages() -> dict[int, Storage]:
    """All that have memory, by identity."""
    found = [x for x in gc.get_objects() if issubclass(type(x), Storage)]  # asking some objects makes them warn
    return {id(s): s for s in found if s.memory is not None}


def sizes_of(tensors: Any) -> Sizes:
    return Counter(run.storage_of(t.node).nbytes for t in tensors)


def large() -> Tensor:
    return Tensor(np.ones(LARGE // 4, np.float32))


def references_to_large() -> list[weakref.ref[Storage]]:
    return [weakref.ref(s) for s in storages().values() if s.nbytes == LARGE]


def count(references: list[weakref.ref[Storage]]) -> int:
    """How many of them still live."""
    if any(ref() is not None for ref in references):
        gc.collect()
    return sum(ref() is not None for ref in references)


def small(number: float) -> Tensor:
    return Tensor([number])


# ---- training --------------------------------------------------------------------------------------


def trained(layers: list[nn.Module], kind: Any, **options: Any) -> tuple[Sizes, Sizes]:
    """The storages made since the start that are left after some jitted steps, and those that should be."""
    gc.collect()
    before = storages()
    net = nn.Sequential(*layers)
    optimizer = kind(net.parameters(), **options)

    @jit
    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = net(x).cross_entropy(y)
        loss.backward()
        optimizer.step()
        return loss

    numbers = np.random.default_rng(0)
    for _ in range(CALLS):
        x = Tensor(numbers.standard_normal((4, 5)).astype(np.float32))
        y = Tensor(numbers.integers(0, 3, 4))
        assert np.isfinite(step(x, y).item())
    assert len(step.traces) == 1
    held = [*net.parameters(), *net.buffers(), x, y, *(p.grad for p in net.parameters() if p.grad is not None)]
    held += [*optimizer.state.values(), *(group.rate for group in optimizer.param_groups)]
    gc.collect()
    return Counter(s.nbytes for number, s in storages().items() if number not in before), sizes_of(held)


STEPS: dict[str, Callable[[], tuple[Sizes, Sizes]]] = {
    "AdamW": lambda: trained([nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)], optim.AdamW, lr=1e-2),
    "momentum": lambda: trained([nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3)], optim.SGD, lr=1e-2, momentum=0.9),
    "running statistics": lambda: trained([nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)], optim.Adam, lr=1e-2),
    "random numbers": lambda: trained([nn.Linear(5, 9), nn.Dropout(0.5), nn.Linear(9, 3)], optim.Adam, lr=1e-2),
}


ON_OPENCL = [("AdamW", "OPENCL"), ("running statistics", "OPENCL")]


@pytest.mark.parametrize(("name", "device_name"), [*((name, "NUMPY") for name in STEPS), *ON_OPENCL])
def test_after_training_there_are_parameters_moments_gradients_and_data(name: str, device_name: str) -> None:
    with settings.override(device=device_name):
        found, wanted = STEPS[name]()
    assert found == wanted


def test_a_trace_that_keeps_what_it_was_traced_over_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Detached, "_of", lambda self, storage: self.originals.setdefault(id(storage), storage))
    with settings.override(device="NUMPY"):
        found, wanted = STEPS["AdamW"]()
        assert found - wanted


def test_no_replay_copies_what_nobody_else_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    shared: list[bool] = []
    is_shared = jit_replay._is_shared
    monkeypatch.setattr(jit_replay, "_is_shared", lambda t: (shared.append(is_shared(t)), shared[-1])[1])
    with settings.override(device="OPENCL"):
        found, wanted = STEPS["AdamW"]()
        assert found == wanted and len(shared) > 20 and not any(shared)


# ---- what others drop ------------------------------------------------------------------------------


class Model:
    """What holds a large tensor."""

    def __init__(self) -> None:
        self.w = large()

    def __call__(self, x: Tensor) -> Tensor:
        return self.w * x

    @jit
    def step(self, x: Tensor) -> Tensor:
        """Changes it."""
        self.w.assign(self.w + x)
        return self.w.sum()


@dataclass(frozen=True)
class Frozen:
    """An argument that counts by its fields."""

    model: Model


Calls = tuple[Callable[[Tensor], Any], Callable[[], Any]]  # a call, and what drops the tensor that it reads


def dropping(held: dict[str, Any], call: Callable[[Tensor], Any]) -> Calls:
    return call, held.clear


def _in_a_container() -> Calls:
    held = {"w": large()}
    return dropping(held, jit(lambda x: held["w"] * x))


def _in_a_list_that_is_compared() -> Calls:
    held: dict[str, Any] = {"all": [Model()]}
    held["same"] = held["all"]
    return dropping(held, jit(lambda x: held["all"][0](x) if held["all"] is held["same"] else x))


def _in_an_object() -> Calls:
    held = {"model": Model()}
    return dropping(held, jit(lambda x: held["model"](x)))


def _in_a_tuple() -> Calls:
    held = {"pair": (large(), 1)}
    return dropping(held, jit(lambda x: held["pair"][0] * x))


def _in_an_object_that_is_returned() -> Calls:
    held = {"model": Model()}
    return dropping(held, jit(lambda x: (held["model"], held["model"](x))))


def _as_an_argument() -> Calls:
    held, f = {"w": large()}, jit(lambda w, x: w * x)
    return dropping(held, lambda x: f(held["w"], x))


def _in_an_argument() -> Calls:
    held, f = {"model": Model()}, jit(lambda model, x: model(x))
    return dropping(held, lambda x: f(held["model"], x))


def _in_a_frozen_argument() -> Calls:
    held, f = {"all": Frozen(Model())}, jit(lambda frozen, x: frozen.model(x))
    return dropping(held, lambda x: f(held["all"], x))


def _in_a_function_as_an_argument() -> Calls:
    def closed(w: Tensor) -> Callable[[Tensor], Tensor]:
        return lambda x: w * x

    held, f = {"function": closed(large())}, jit(lambda function, x: function(x))
    return dropping(held, lambda x: f(held["function"], x))


def _in_a_method_as_an_argument() -> Calls:
    held, f = {"model": Model()}, jit(lambda method, x: method(x))
    return dropping(held, lambda x: f(held["model"].__call__, x))


def _in_a_jitted_method_as_an_argument() -> Calls:
    held, f = {"model": Model()}, jit(lambda method, x: method(x))
    return dropping(held, lambda x: f(held["model"].step, x))


def _in_the_object_of_a_jitted_method() -> Calls:
    held = {"model": Model()}
    return dropping(held, lambda x: held["model"].step(x))


def _that_is_changed() -> Calls:
    held = {"w": large()}
    return dropping(held, jit(lambda x: held["w"].assign(held["w"] + x).sum()))


def _that_gets_a_gradient() -> Calls:
    held = {"w": Tensor(np.ones(LARGE // 4, np.float32), requires_grad=True)}
    return dropping(held, jit(lambda x: (held["w"] * x).sum().backward()))


def _that_is_filled() -> Calls:
    held = {"w": large()}
    return dropping(held, jit(lambda x: (held["w"].fill_(3), x * 2)[1]))


WAYS = [v for name, v in list(globals().items()) if name.startswith(("_in_", "_as_", "_that_"))]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__.strip("_"))
def test_a_tensor_is_freed_where_others_drop_it(way: Callable[[], Calls], device: str) -> None:
    """While the function and its trace live on."""
    before = count(references_to_large())
    call, drop = way()
    for k in range(CALLS):
        if tensors := [t for t in flatten(call(small(k)))[0] if isinstance(t, Tensor)]:
            Tensor.realize(*tensors)
        del tensors
    references = references_to_large()
    assert len(references) > before
    drop()
    assert count(references) == before, way.__name__
    with pytest.raises((LazygradError, LookupError)):
        call(small(0))


def test_constants_stay() -> None:
    f = jit(lambda x: x * Tensor(np.arange(LARGE // 4, dtype=np.float32)))
    with settings.override(device="NUMPY"):
        before = count(references_to_large())
        for k in range(CALLS):
            assert f(small(k)).numpy()[3] == 3 * k
        assert count(references_to_large()) == before + 1


def test_what_no_call_can_fit_any_more_is_forgotten() -> None:
    """Arenas of temporaries belong to traces: of models that are gone, none is kept."""
    f: Jit[Any, Tensor] = jit(lambda model, x: model(x))
    with settings.override(device="NUMPY"):
        for _ in range(4):
            model = Model()
            for k in range(3):
                f(model, small(k))
    assert len(f.traces) <= 2


def test_jitted_methods_of_one_object_share_their_traces() -> None:
    with settings.override(device="NUMPY"):
        first, second = Model(), Model()
        for k in range(CALLS):
            first.step(small(k))
        assert len(first.step.traces) == 1 and not second.step.traces
        step = first.step
        del first
        assert step(small(1)).item() == 12 * (LARGE // 4), "a method holds its object, as Python's do"
