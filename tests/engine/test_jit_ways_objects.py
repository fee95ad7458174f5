"""What a jitted function finds outside: objects, classes, closures, globals, modules. A change of any of it counts."""

from __future__ import annotations

import collections
import contextvars
import dataclasses
import enum
import functools
import operator
import sys
import threading
import types
import weakref
from typing import Any, NamedTuple

import numpy as np
import pytest

from lazygrad import Function, Tensor, jit, nn, no_grad, optim
from tests.engine.jit_ways import CALLS, Ways, Wrap, outcome, x

ways = Ways()
FACTOR = 2.0
TABLE = {"a": {"b": [2.0]}}


class Inner:
    def __init__(self) -> None:
        self.ks = [2.0]


class Config:
    rate = 2.0
    shared: list[float] = [2.0]

    def __init__(self) -> None:
        self.inner, self.k = Inner(), 2.0

    @property
    def double(self) -> float:
        return self.k * 2

    @functools.cached_property
    def kept(self) -> float:
        return self.k * 3

    @classmethod
    def of_class(cls, t: Tensor) -> Tensor:
        return t * cls.rate

    @staticmethod
    def of_nothing(t: Tensor) -> Tensor:
        return t * FACTOR

    def scaled(self, t: Tensor) -> Tensor:
        return t * self.k


def use(c: Any, t: Tensor) -> Tensor:
    return t * c.inner.ks[0]


def set_here(name: str, value: Any) -> None:
    globals()[name] = value


def over(wrap: Wrap, function: Any, change: Any) -> list[Any]:
    """The results of six calls, before each of which `change` is called with its number."""
    f, results = wrap(function), []
    for k in CALLS:
        change(float(k // 2))  # every state comes twice, so that it is traced
        results.append(f(x()))
        results.append(f(x()))
    return results


@ways.equal
def an_object_inside_an_object_through_a_helper(wrap: Wrap) -> Any:
    c = Config()
    return over(wrap, lambda t: use(c, t), lambda k: c.inner.ks.__setitem__(0, k))


@ways.equal
def an_inner_object_exchanged(wrap: Wrap) -> Any:
    c = Config()

    def change(k: float) -> None:
        c.inner = Inner()
        c.inner.ks = [k]

    return over(wrap, lambda t: use(c, t), change)


@ways.equal
def an_object_in_star_args(wrap: Wrap) -> Any:
    c = Config()
    f, results = wrap(lambda t, *rest: t * rest[0].k), []
    for k in CALLS:
        c.k = float(k // 3)
        results.append(f(x(), c))
    return results


@ways.equal
def an_object_in_keywords(wrap: Wrap) -> Any:
    c = Config()
    f, results = wrap(lambda t, **rest: t * rest["c"].k), []
    for k in CALLS:
        c.k = float(k // 3)
        results.append(f(x(), c=c))
    return results


@ways.equal
def a_list_of_objects_as_an_argument(wrap: Wrap) -> Any:
    many = [Config(), Config()]
    f, results = wrap(lambda t, cs: t * sum(c.k for c in cs)), []
    for k in CALLS:
        many[1].k = float(k // 3)
        results.append(f(x(), many))
    return results


@ways.equal
def other_objects_as_arguments(wrap: Wrap) -> Any:
    f, results = wrap(lambda t, c: t * c.k), []
    for k in CALLS:
        c = Config()
        c.k = float(k)
        results.append(f(x(), c))
    return results


@ways.equal
def an_attribute_that_appears(wrap: Wrap) -> Any:
    c = Config()

    def change(k: float) -> None:
        if k == 2:
            c.extra = 5.0  # type: ignore[attr-defined]

    return over(wrap, lambda t: t * getattr(c, "extra", 1.0), change)


@ways.equal
def a_class_attribute_hidden_by_an_objects(wrap: Wrap) -> Any:
    c = Config()
    return over(wrap, lambda t: t * c.rate, lambda k: setattr(c, "rate", k))


@ways.equal
def a_class_attribute_of_a_base(wrap: Wrap) -> Any:
    class Base:
        k = 1.0

    class Derived(Base):
        pass

    c = Derived()
    return over(wrap, lambda t: t * c.k, lambda k: setattr(Base, "k", k))


@ways.equal
def a_class_attribute_that_comes_between(wrap: Wrap) -> Any:
    class Base:
        k = 1.0

    class Derived(Base):
        pass

    c = Derived()
    return over(wrap, lambda t: t * c.k, lambda k: setattr(Derived, "k", k) if k else None)


@ways.equal
def a_shared_list_of_a_class(wrap: Wrap) -> Any:
    return over(wrap, lambda t: t * Config().shared[0], lambda k: Config.shared.__setitem__(0, k))


@ways.equal
def a_property(wrap: Wrap) -> Any:
    c = Config()
    return over(wrap, lambda t: t * c.double, lambda k: setattr(c, "k", k))


@ways.equal
def a_property_that_is_replaced(wrap: Wrap) -> Any:
    class Own(Config):
        pass

    c = Own()
    return over(wrap, lambda t: t * c.double, lambda k: setattr(Own, "double", property(lambda self: k)))


@ways.equal
def a_cached_property(wrap: Wrap) -> Any:
    c = Config()

    def change(k: float) -> None:
        c.k = k
        vars(c).pop("kept", None)
        c.kept

    return over(wrap, lambda t: t * c.kept, change)


@ways.equal
def a_class_method(wrap: Wrap) -> Any:
    class Own(Config):
        pass

    return over(wrap, Own.of_class, lambda k: setattr(Own, "rate", k))


@ways.equal
def a_static_method(wrap: Wrap) -> Any:
    return over(wrap, Config.of_nothing, lambda k: set_here("FACTOR", k))


@ways.equal
def a_bound_method(wrap: Wrap) -> Any:
    c = Config()
    return over(wrap, c.scaled, lambda k: setattr(c, "k", k))


@ways.equal
def a_method_replaced_in_its_class(wrap: Wrap) -> Any:
    class Own(Config):
        pass

    c = Own()
    return over(wrap, lambda t: c.scaled(t), lambda k: setattr(Own, "scaled", lambda self, t: t * k))


@ways.equal
def a_method_replaced_in_its_object(wrap: Wrap) -> Any:
    c = Config()
    return over(wrap, lambda t: c.scaled(t), lambda k: setattr(c, "scaled", lambda t: t * k))


@ways.equal
def a_function_whose_code_is_replaced(wrap: Wrap) -> Any:
    def double(t: Tensor) -> Tensor:
        return t * 2

    def triple(t: Tensor) -> Tensor:
        return t * 3

    codes = [double.__code__, triple.__code__]
    return over(wrap, lambda t: double(t), lambda k: setattr(double, "__code__", codes[int(k) % 2]))


@ways.equal
def defaults_that_are_replaced(wrap: Wrap) -> Any:
    def scale(t: Tensor, k: float = 1.0) -> Tensor:
        return t * k

    return over(wrap, lambda t: scale(t), lambda k: setattr(scale, "__defaults__", (k,)))


@ways.equal
def keyword_defaults_that_change(wrap: Wrap) -> Any:
    def scale(t: Tensor, *, k: Any = {"k": 1.0}) -> Tensor:  # noqa: B006
        return t * k["k"]

    return over(wrap, scale, lambda k: scale.__kwdefaults__["k"].update(k=k))


@ways.equal
def a_class_that_an_object_changes_to(wrap: Wrap) -> Any:
    class Other(Config):
        def scaled(self, t: Tensor) -> Tensor:
            return t * 100

    c = Config()
    return over(wrap, lambda t: c.scaled(t), lambda k: setattr(c, "__class__", Other if k == 1 else Config))


@ways.equal
def super_and_its_attributes(wrap: Wrap) -> Any:
    class Base:
        k = 1.0

        def go(self, t: Tensor) -> Tensor:
            return t * self.m * self.k  # type: ignore[attr-defined]

    class Own(Base):
        k = 7.0

        def go(self, t: Tensor) -> Tensor:
            return super().go(t) + super().k

    c = Own()

    def change(k: float) -> None:
        c.m = k  # type: ignore[attr-defined]
        Base.k = k + 1

    return over(wrap, lambda t: c.go(t), change)


@ways.equal
def a_base_class_method_that_is_replaced(wrap: Wrap) -> Any:
    class Base(nn.Module):
        def forward(self, t: Tensor) -> Tensor:
            return t * 2

    class Own(Base):
        def forward(self, t: Tensor) -> Tensor:
            return super().forward(t) + 1

    net = Own()
    return over(wrap, lambda t: net(t), lambda k: setattr(Base, "forward", lambda self, t: t * k))


@ways.equal
def slots_along_the_bases(wrap: Wrap) -> Any:
    class Base:
        __slots__ = ("k",)

    class Own(Base):
        __slots__ = ("m",)

    c = Own()
    c.m = 1.0  # type: ignore[attr-defined]
    return over(wrap, lambda t: t * c.k * c.m, lambda k: setattr(c, "k", k))  # type: ignore[attr-defined]


@ways.equal
def attributes_by_getattr(wrap: Wrap) -> Any:
    class Own:
        def __getattr__(self, name: str) -> Any:
            return store[name]

    store = {"k": 1.0}
    c = Own()
    return over(wrap, lambda t: t * c.k, lambda k: store.update(k=k))


@ways.equal
def attributes_by_computed_names(wrap: Wrap) -> Any:
    c, letter = Config(), "k"
    return over(wrap, lambda t: t * getattr(c, f"{letter}"), lambda k: setattr(c, "k", k))


@ways.equal
def attributes_by_vars(wrap: Wrap) -> Any:
    c = Config()
    return over(wrap, lambda t: t * vars(c)["k"], lambda k: setattr(c, "k", k))


@ways.equal
def attributes_by_dict(wrap: Wrap) -> Any:
    c = Config()
    return over(wrap, lambda t: t * c.__dict__["k"], lambda k: setattr(c, "k", k))


@ways.equal
def attributes_by_attrgetter(wrap: Wrap) -> Any:
    c = Config()
    return over(wrap, lambda t: t * operator.attrgetter("inner.ks")(c)[0], lambda k: c.inner.ks.__setitem__(0, k))


@ways.equal
def attributes_by_map(wrap: Wrap) -> Any:
    c = Config()
    return over(wrap, lambda t: sum(map(c.scaled, [t, t])), lambda k: setattr(c, "k", k))


@ways.equal
def a_key_of_sorted(wrap: Wrap) -> Any:
    c = Config()

    def f(t: Tensor) -> Tensor:
        return t * sorted([1.0, 2.0, 3.0], key=lambda v: v * c.k)[0]

    return over(wrap, f, lambda k: setattr(c, "k", k - 1.5))


@ways.equal
def a_partial(wrap: Wrap) -> Any:
    c = Config()
    return over(wrap, functools.partial(use, c), lambda k: c.inner.ks.__setitem__(0, k))


@ways.equal
def a_partial_that_is_called_inside(wrap: Wrap) -> Any:
    c = Config()
    part = functools.partial(lambda t, c: t * c.k, c=c)
    return over(wrap, lambda t: part(t), lambda k: setattr(c, "k", k))


@ways.equal
def a_decorated_function(wrap: Wrap) -> Any:
    setting = {"k": 1.0}

    def scaled(function: Any) -> Any:
        @functools.wraps(function)
        def inner(t: Tensor) -> Tensor:
            return function(t) * setting["k"]

        return inner

    @scaled
    def go(t: Tensor) -> Tensor:
        return t + 1

    return over(wrap, lambda t: go(t), lambda k: setting.update(k=k))


@ways.equal
def a_callable_object(wrap: Wrap) -> Any:
    class Own(Config):
        def __call__(self, t: Tensor) -> Tensor:
            return t * self.k

    c = Own()
    return over(wrap, c, lambda k: setattr(c, "k", k))


@ways.equal
def a_callback_in_a_table(wrap: Wrap) -> Any:
    table = {"go": lambda t: t * 2}
    return over(wrap, lambda t: table["go"](t), lambda k: table.update(go=lambda t: t * k))


@ways.equal
def a_global(wrap: Wrap) -> Any:
    return over(wrap, lambda t: t * FACTOR, lambda k: set_here("FACTOR", k))


@ways.equal
def a_global_that_hides_a_builtin(wrap: Wrap) -> Any:
    def change(k: float) -> None:
        if k == 1:
            set_here("abs", lambda v: 50.0)
        else:
            globals().pop("abs", None)

    return over(wrap, lambda t: t * abs(-3.0), change)


@ways.equal
def nested_containers(wrap: Wrap) -> Any:
    return over(wrap, lambda t: t * TABLE["a"]["b"][0], lambda k: TABLE["a"]["b"].__setitem__(0, k))


@ways.equal
def a_list_whose_elements_change_places(wrap: Wrap) -> Any:
    values = [1.0, 2.0, 3.0]
    return over(wrap, lambda t: t * values[0], lambda k: values.reverse())


@ways.equal
def a_dict_whose_order_changes(wrap: Wrap) -> Any:
    values = {"a": 1.0, "b": 2.0}
    return over(wrap, lambda t: t * next(iter(values.values())), lambda k: values.update(a=values.pop("a")))


@ways.equal
def an_ordered_and_a_default_dict(wrap: Wrap) -> Any:
    one, other = collections.OrderedDict(a=1.0), collections.defaultdict(float, a=1.0)
    change = lambda k: (one.update(a=k), other.update(a=k))  # noqa: E731
    return over(wrap, lambda t: t * one["a"] + other["a"], change)


@ways.equal
def a_user_dict(wrap: Wrap) -> Any:
    held = collections.UserDict(a=1.0)
    return over(wrap, lambda t: t * held["a"], lambda k: held.update(a=k))


@ways.equal
def a_list_of_a_class_of_its_own(wrap: Wrap) -> Any:
    class Own(list):  # type: ignore[type-arg]
        k = 1.0

    held = Own([1.0])

    def change(k: float) -> None:
        held[0] = k
        held.k = k + 1

    return over(wrap, lambda t: t * held[0] + held.k, change)


@ways.equal
def a_named_tuple(wrap: Wrap) -> Any:
    class Pair(NamedTuple):
        a: list[float]

    pair = Pair([1.0])
    return over(wrap, lambda t: t * pair.a[0], lambda k: pair.a.__setitem__(0, k))


@ways.equal
def a_data_class(wrap: Wrap) -> Any:
    @dataclasses.dataclass
    class Own:
        k: float = 1.0

    c = Own()
    return over(wrap, lambda t: t * dataclasses.asdict(c)["k"], lambda k: setattr(c, "k", k))


@ways.equal
def frozen_data_classes_as_arguments(wrap: Wrap) -> Any:
    @dataclasses.dataclass(frozen=True)
    class Own:
        k: float

    f = wrap(lambda t, c: t * c.k)
    return [f(x(), Own(float(k // 3) * (-1) ** k)) for k in range(9)]


@ways.equal
def a_simple_namespace(wrap: Wrap) -> Any:
    c = types.SimpleNamespace(k=1.0)
    return over(wrap, lambda t: t * c.k, lambda k: setattr(c, "k", k))


@ways.equal
def an_enumeration(wrap: Wrap) -> Any:
    class Mode(enum.Enum):
        LOW = 1.0
        HIGH = 5.0

    c = Config()
    return over(wrap, lambda t: t * c.k.value, lambda k: setattr(c, "k", Mode.HIGH if k == 1 else Mode.LOW))


@ways.equal
def a_matched_class(wrap: Wrap) -> Any:
    c = Config()

    def f(t: Tensor) -> Tensor:
        match c:
            case Config(k=0.0):
                return t * 10
            case _:
                return t * 20

    return over(wrap, f, lambda k: setattr(c, "k", k))


@ways.equal
def a_weak_reference(wrap: Wrap) -> Any:
    c = Config()
    ref = weakref.ref(c)
    return over(wrap, lambda t: t * ref().k, lambda k: setattr(c, "k", k))  # type: ignore[union-attr]


@ways.equal
def a_context_variable(wrap: Wrap) -> Any:
    variable = contextvars.ContextVar("k", default=1.0)
    return over(wrap, lambda t: t * variable.get(), variable.set)


@ways.equal
def a_threads_own_data(wrap: Wrap) -> Any:
    own = threading.local()
    return over(wrap, lambda t: t * own.k, lambda k: setattr(own, "k", k))


@ways.equal
def a_cached_function(wrap: Wrap) -> Any:
    @functools.lru_cache
    def scale(n: int) -> float:
        return n * setting[0]

    setting = [1.0]

    def change(k: float) -> None:
        setting[0] = k
        scale.cache_clear()
        scale(2)

    return over(wrap, lambda t: t * scale(2), change)


@ways.equal
def a_module_in_a_module(wrap: Wrap) -> Any:
    outer, inner = types.ModuleType("outer_of_a_test"), types.ModuleType("inner_of_a_test")
    outer.inner, inner.k = inner, 1.0  # type: ignore[attr-defined]
    return over(wrap, lambda t: t * outer.inner.k, lambda k: setattr(inner, "k", k))


@ways.equal
def an_import_inside(wrap: Wrap) -> Any:
    module = types.ModuleType("imported_by_a_test")
    sys.modules["imported_by_a_test"] = module

    def f(t: Tensor) -> Tensor:
        from imported_by_a_test import k  # type: ignore[import-not-found]

        return t * k

    return over(wrap, f, lambda k: setattr(module, "k", k))


@ways.equal
def a_closure_cell(wrap: Wrap) -> Any:
    k = 1.0

    def change(value: float) -> None:
        nonlocal k
        k = value

    return over(wrap, lambda t: t * k, change)


@ways.equal
def a_closure_of_a_closure(wrap: Wrap) -> Any:
    k = 1.0

    def make() -> Any:
        def inner(t: Tensor) -> Tensor:
            return t * k

        return inner

    def change(value: float) -> None:
        nonlocal k
        k = value

    return over(wrap, lambda t: make()(t), change)


@ways.equal
def zero_and_minus_zero(wrap: Wrap) -> Any:
    c = Config()
    return over(wrap, lambda t: t * c.k, lambda k: setattr(c, "k", -0.0 if k == 1 else 0.0))


@ways.equal
def zero_and_minus_zero_as_arguments(wrap: Wrap) -> Any:
    f = wrap(lambda t, k: t * k)
    return [f(x(), k) for k in (0.0, 0.0, 0.0, -0.0, -0.0, -0.0, 0.0)]


@ways.equal
def one_and_true(wrap: Wrap) -> Any:
    values = [1, 1, 1]

    def f(t: Tensor) -> Any:
        return t * 2 if values[0] is True else t * 3, type(values[0]).__name__

    return over(wrap, f, lambda k: values.__setitem__(0, [1, True, 1.0][int(k)]))  # type: ignore[call-overload]


@ways.equal
def numbers_that_are_none(wrap: Wrap) -> Any:
    f = wrap(lambda t, k: t * k)
    return [f(x(), float("nan")) for _ in CALLS]


@ways.equal
def numpy_scalars(wrap: Wrap) -> Any:
    c = Config()

    def f(t: Tensor) -> Any:
        return t * c.k, type(c.k).__name__

    return over(wrap, f, lambda k: setattr(c, "k", [np.float32(1), np.float64(1), 1.0][int(k)]))


@ways.equal
def arrays_and_their_types(wrap: Wrap) -> Any:
    c = Config()

    def change(k: float) -> None:
        c.k = np.full(2, k, np.float32 if k < 2 else np.int32)  # type: ignore[assignment]

    return over(wrap, lambda t: t * Tensor(c.k), change)


@ways.equal
def lists_that_are_one_or_two(wrap: Wrap) -> Any:
    c = Config()
    c.a = c.b = [1.0]  # type: ignore[attr-defined]

    def change(k: float) -> None:
        if k == 1:
            c.b = [1.0]  # type: ignore[attr-defined]

    return over(wrap, lambda t: t * (2 if c.a is c.b else 3), change)  # type: ignore[attr-defined]


@ways.equal
def a_tensor_exchanged(wrap: Wrap) -> Any:
    c = Config()
    return over(wrap, lambda t: t * c.k, lambda k: setattr(c, "k", x(k, k + 1)))


@ways.equal
def a_tensor_exchanged_for_another_shape(wrap: Wrap) -> Any:
    held = {"t": x()}
    return over(wrap, lambda t: t.sum() * held["t"], lambda k: held.update(t=x(*range(int(k) + 1))))


@ways.equal
def tensors_asked_for_their_shape_alone(wrap: Wrap) -> Any:
    held = [x()]
    return over(wrap, lambda t: t * held[0].numel(), lambda k: held.__setitem__(0, x(*range(int(k) + 1))))


@ways.equal
def two_tensors_that_had_one_buffer(wrap: Wrap) -> Any:
    a = x(1, 2).realize()
    b = Tensor(a)

    def change(k: float) -> None:
        if k == 1:
            b.add_(10)
        if k == 2:
            a.mul_(3)

    return over(wrap, lambda t: t * a + b, change)


@ways.equal
def a_module_attribute_set_past_setattr(wrap: Wrap) -> Any:
    class Net(nn.Module):
        def forward(self, t: Tensor) -> Tensor:
            return t * self.k

    net = Net()
    return over(wrap, lambda t: net(t), lambda k: vars(net).update(k=k))


@ways.equal
def modes_of_modules(wrap: Wrap) -> Any:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.ModuleList([nn.Dropout(0.5)])

        def forward(self, t: Tensor) -> Tensor:
            return self.parts[0](t) * (2 if self.training else 3)

    net = Net()
    return over(wrap, lambda t: net(t), lambda k: net.train(k == 1))


@ways.equal
def layers_exchanged(wrap: Wrap) -> Any:
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    return over(wrap, lambda t: net(t), lambda k: setattr(net, "1", nn.Tanh() if k == 1 else nn.ReLU()))


@ways.equal
def a_layers_method_replaced(wrap: Wrap) -> Any:
    net, old = nn.Sequential(nn.ReLU()), nn.ReLU.forward
    try:
        return over(wrap, lambda t: net(t), lambda k: setattr(nn.ReLU, "forward", lambda self, t: t * k))
    finally:
        nn.ReLU.forward = old  # type: ignore[method-assign]


@ways.equal
def a_tensor_method_replaced(wrap: Wrap) -> Any:
    try:
        return over(wrap, lambda t: t.relu(), lambda k: setattr(Tensor, "relu", lambda self: self * k))
    finally:
        del Tensor.relu  # type: ignore[misc]  # it is a base's


@ways.equal
def a_tensor_method_replaced_after_a_trace(wrap: Wrap) -> Any:
    def change(k: float) -> None:
        if k:  # the first calls find the base's
            Tensor.relu = lambda self: self * k  # type: ignore[method-assign]

    try:
        return over(wrap, lambda t: t.relu(), change)
    finally:
        del Tensor.relu


@ways.equal
def a_method_that_a_class_comes_to_have_of_its_own(wrap: Wrap) -> Any:
    class Derived(nn.ReLU):
        def helper(self, t: Any) -> Any:
            return super().forward(t)

    net = nn.Sequential(Derived())

    def change(k: float) -> None:
        if k:
            Derived.forward = lambda self, t: self.helper(t) * k  # type: ignore[method-assign]

    return over(wrap, lambda t: net(t), change)


@ways.equal
def a_decorator_around_a_tensor_method(wrap: Wrap) -> Any:
    """It says of itself that it is in the module of what it is around."""
    factor = 1.0

    @functools.wraps(Tensor.relu)
    def scaled(self: Any) -> Any:
        return self * factor

    def change(k: float) -> None:
        nonlocal factor
        factor = k

    try:
        Tensor.relu = scaled  # type: ignore[method-assign]
        return over(wrap, lambda t: t.relu(), change)
    finally:
        del Tensor.relu


@ways.equal
def a_function_class(wrap: Wrap) -> Any:
    class Scale(Function):
        k = 1.0

        @staticmethod
        def forward(ctx: Any, t: Any) -> Any:
            ctx.k = Scale.k
            return t * Scale.k

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * Scale.k

    return over(wrap, lambda t: Scale.apply(t), lambda k: setattr(Scale, "k", k))


@ways.equal
def a_jitted_function_inside(wrap: Wrap) -> Any:
    c = Config()
    inner = jit(c.scaled)
    return over(wrap, lambda t: inner(t) + 1, lambda k: setattr(c, "k", k))


@ways.equal
def settings_of_an_optimizer(wrap: Wrap) -> Any:
    w = x(1, 2, requires_grad=True)
    sgd = optim.SGD([w], lr=0.5)
    f, results = wrap(lambda: sgd.step()), []
    for k in CALLS:
        sgd.param_groups[0]["weight_decay"] = 0.25 * (k // 3)
        sgd.param_groups[0]["lr"] = 0.5 / (k + 1)
        w.grad = None
        (w * 2).sum().backward()
        f()
        results.append(w.tolist())
    return results


@ways.equal
def a_rate_that_is_read_inside(wrap: Wrap) -> Any:
    w = x(1, 2, requires_grad=True)
    sgd = optim.SGD([w], lr=0.5)
    return over(wrap, lambda t: t * sgd.param_groups[0]["lr"], lambda k: sgd.set_lr(k))


@ways.equal
def gradients_off_and_on(wrap: Wrap) -> Any:
    w = x(1, 2, requires_grad=True)
    f, results = wrap(lambda t: [(w * t).requires_grad or 0][0] * 0 + t), []
    for k in CALLS:
        if k % 2:
            with no_grad():
                results.append(f(x()))
        else:
            results.append(f(x()))
    return results


@pytest.mark.parametrize("name", ways.same)
def test_a_change_outside_is_seen(name: str, numpy_device: str) -> None:
    assert outcome(ways.same[name]) == ("same", None)
