"""State that is no attribute and no element: random programs found these ways of reading it (`tests.jit_programs`)."""

from __future__ import annotations

import abc
import collections
import functools
import operator
import types
from collections.abc import Callable
from typing import Any

import pytest

from lazygrad import Tensor, jit
from lazygrad.settings import settings
from tests.engine.jit_ways import Ways, Wrap, outcome, x

ways = Ways()


def over(wrap: Wrap, read: Callable[[], float], change: Callable[[], object]) -> Any:
    """Four calls, a change, and four calls."""
    f = wrap(lambda t: t * read())
    before = [f(x()) for _ in range(4)]
    change()
    return [*before, *(f(x()) for _ in range(4))]


@ways.equal
def bases_exchanged(wrap: Wrap) -> Any:
    class Plain:
        def go(self) -> float:
            return 2.0

    class Other:
        def go(self) -> float:
            return 3.0

    class Own(Plain):
        pass

    own = Own()
    return over(wrap, own.go, lambda: setattr(Own, "__bases__", (Other,)))


@ways.equal
def an_attribute_of_a_metaclass(wrap: Wrap) -> Any:
    class Meta(type):
        level = 2.0

        def __getitem__(cls, k: float) -> float:
            return cls.level + k

    class Own(metaclass=Meta):
        pass

    return over(wrap, lambda: Own[1.0] * Own.level, lambda: setattr(Meta, "level", 3.0))


@ways.equal
def a_class_registered(wrap: Wrap) -> Any:
    class Abstract(abc.ABC):  # noqa: B024 - it is registered with
        pass

    class Own:
        pass

    return over(wrap, lambda: 2.0 if isinstance(Own(), Abstract) else 3.0, lambda: Abstract.register(Own))


@ways.equal
def how_long_a_deque_may_be(wrap: Wrap) -> Any:
    held = [collections.deque([1.0], maxlen=2)]
    return over(wrap, lambda: float(held[0].maxlen or 0), lambda: held.__setitem__(0, collections.deque([1.0], 3)))


@ways.equal
def what_a_defaultdict_makes(wrap: Wrap) -> Any:
    held: collections.defaultdict[str, float] = collections.defaultdict(lambda: 2.0)

    def read() -> float:
        assert held.default_factory is not None
        return held.default_factory()

    return over(wrap, read, lambda: setattr(held, "default_factory", lambda: 3.0))


@ways.equal
def the_cell_of_another_function(wrap: Wrap) -> Any:
    k = 2.0

    def other() -> float:
        return k

    def change() -> None:
        nonlocal k
        k = 3.0

    return over(wrap, lambda: other.__closure__[0].cell_contents, change)  # type: ignore[index]


@ways.equal
def what_a_function_is_called(wrap: Wrap) -> Any:
    def other() -> None:
        pass

    return over(wrap, lambda: float(len(other.__name__)), lambda: setattr(other, "__name__", "another"))


@ways.equal
def a_name_that_a_module_lacked(wrap: Wrap) -> Any:
    module = types.ModuleType("own_module")
    return over(wrap, lambda: getattr(module, "more", 2.0), lambda: setattr(module, "more", 3.0))


@ways.equal
def an_attribute_asked_of_object(wrap: Wrap) -> Any:
    class Own:
        hidden = 2.0

        def __getattribute__(self, name: str) -> Any:
            return object.__getattribute__(self, "hidden")

    return over(wrap, lambda: Own().whatever, lambda: setattr(Own, "hidden", 3.0))  # type: ignore[attr-defined]


@ways.equal
def a_getter_that_was_there(wrap: Wrap) -> Any:
    class Inner:
        k = 2.0

    class Own:
        inner = Inner()

    get, own = operator.attrgetter("inner.k"), Own()
    return over(wrap, lambda: float(get(own)), lambda: setattr(own.inner, "k", 3.0))


@ways.equal
def a_caller_that_was_there(wrap: Wrap) -> Any:
    class Own:
        def __init__(self) -> None:
            self.k = 2.0

        def scale(self, by: float) -> float:
            return self.k * by

    call, own = operator.methodcaller("scale", by=2.0), Own()
    return over(wrap, lambda: float(call(own)), lambda: setattr(own, "scale", lambda by: by))


def remembering(wrap: Wrap, maxsize: int | None) -> Any:
    setting = [2.0]

    @functools.lru_cache(maxsize)
    def scale(n: int) -> float:
        return n * setting[0]

    def change() -> None:
        """Filled again while something was otherwise, with as many calls as before."""
        scale.cache_clear()
        setting[0] = 5.0
        scale(3)
        setting[0] = 2.0

    return over(wrap, lambda: scale(3), change)


@ways.equal
def a_cached_function_filled_again(wrap: Wrap) -> Any:
    return remembering(wrap, 16)


@ways.equal
def an_unbounded_cached_function_filled_again(wrap: Wrap) -> Any:
    return remembering(wrap, None)


@ways.equal
def a_tensor_that_a_function_remembers(wrap: Wrap) -> Any:
    @functools.cache
    def weight() -> Tensor:
        return x(1, 2)

    f, seen = wrap(lambda t: t * weight()), []
    for k in range(8):
        if k == 4:
            weight.cache_clear()
        seen.append(f(x()))
        weight().fill_(k)
    return seen


@ways.equal
def the_number_of_an_argument(wrap: Wrap) -> Any:
    tensors = [x(1), x(2), x(3)]
    scales = {id(t): float(k + 1) for k, t in enumerate(tensors)}
    f = wrap(lambda t: t * scales[id(t)])
    return [f(tensors[k]) for k in (0, 0, 0, 1, 1, 1, 2, 0, 2, 1)]


@ways.equal
def the_hash_of_an_argument(wrap: Wrap) -> Any:
    tensors = [x(1), x(2)]
    scales = {hash(tensors[0]): 2.0}
    f = wrap(lambda t: t * scales.get(hash(t), 3.0))
    return [f(tensors[k]) for k in (0, 0, 0, 1, 1, 1, 0, 1)]


@ways.refused("compares objects")
def a_list_that_is_an_argument_and_outside(wrap: Wrap) -> Any:
    held, other = [x(1)], [x(2)]
    f = wrap(lambda many: many[0] * (2.0 if many is held else 3.0))
    return [f(many) for many in (other, other, other, held, held, held)]


@ways.refused("compares objects")
def the_number_of_a_list(wrap: Wrap) -> Any:
    held = [x(1)]
    scales = {id(held): 2.0}
    f = wrap(lambda many: many[0] * scales.get(id(many), 3.0))
    return [f(held) for _ in range(4)]


@ways.refused("changes seen")
def a_list_that_grows_beside_code_made_anew(wrap: Wrap) -> Any:
    """The traced call reads more than the first one, so that it is no trace; but it has changed the list already."""
    seen: list[float] = []

    def f(t: Tensor) -> Tensor:
        seen.append(1.0)
        return t * eval("2.0")

    g = wrap(f)
    for _ in range(4):
        g(x())
    return seen


@pytest.mark.parametrize("name", ways.same)
def test_same(name: str) -> None:
    with settings.override(device="NUMPY"):
        assert outcome(ways.same[name]) == ("same", None)


@pytest.mark.parametrize("name", ways.raising)
def test_refused(name: str) -> None:
    way, message = ways.raising[name]
    with settings.override(device="NUMPY"):
        found, text = outcome(way)
    assert (found, message in text) == ("raises", True), text


def test_what_a_function_remembers_is_found_by_a_replay() -> None:
    @functools.cache
    def weight() -> Tensor:
        return x(1, 2)

    f = jit(lambda t: t * weight())
    with settings.override(device="NUMPY"):
        for _ in range(4):
            f(x())
    assert len(f.traces) == 1


def test_numbers_of_objects_do_not_hinder_a_trace() -> None:
    """Those of parameters, say, as optimizers ask for them."""
    w = x(1, 2)
    table = {id(w): 2.0}
    f = jit(lambda t: t * table[id(w)])
    with settings.override(device="NUMPY"):
        t = x()
        for _ in range(4):
            assert f(t).tolist() == [2.0, 4.0]
    assert len(f.traces) == 1
