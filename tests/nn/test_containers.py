"""Modules made of modules: lists of them do what PyTorch's do."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from typing import Any

import pytest
import torch

from lazygrad import Tensor, nn
from lazygrad.errors import OperandError


def kinds(container: Any) -> Any:
    """What is inside, by name and size: the same words for both frameworks."""
    if isinstance(container, (nn.Module, torch.nn.Module)):
        children = container._inside() if isinstance(container, nn.Module) else container._modules.items()
        inside = [(name, kinds(module)) for name, module in children]
        return type(container).__name__, inside or getattr(container, "out_features", None)
    return container


def made(lib: Any) -> dict[str, Any]:
    """The containers that the programs below are about, in one of the frameworks."""
    m = lib.nn if hasattr(lib, "nn") else lib
    three = lambda: [m.Linear(1, k) for k in (1, 2, 3)]  # noqa: E731
    return {
        "m": m, "seq": m.Sequential(*three()), "other": m.Sequential(m.ReLU(), m.Tanh()),
        "nested": m.Sequential(m.Sequential(*three()), m.ReLU()), "lst": m.ModuleList(three()),
        "named": m.Sequential(dict_of(lib, a=m.ReLU(), b=m.Tanh())), "by_name": m.ModuleDict({"a": m.ReLU()}),
    }  # fmt: skip


def dict_of(lib: Any, **modules: Any) -> Any:
    from collections import OrderedDict

    return OrderedDict(modules)


def after(container: Any, change: Callable[[Any], Any]) -> Any:
    change(container)
    return container


def add_to(c: Any, other: Any) -> Any:
    c += other
    return c


def set_at(c: Any, k: int, module: Any) -> None:
    c[k] = module


def delete(c: Any, k: Any) -> None:
    del c[k]


PROGRAMS: dict[str, Callable[..., Any]] = {
    "seq[0]": lambda seq, **_: seq[0],
    "seq[-1]": lambda seq, **_: seq[-1],
    "seq[:1]": lambda seq, **_: seq[:1],
    "seq[1:]": lambda seq, **_: seq[1:],
    "seq[::-1]": lambda seq, **_: seq[::-1],
    "seq[::2]": lambda seq, **_: seq[::2],
    "seq[5:]": lambda seq, **_: seq[5:],
    "nested[0][:2]": lambda nested, **_: nested[0][:2],
    "named[1:]": lambda named, **_: named[1:],
    "lst[:1]": lambda lst, **_: lst[:1],
    "lst[1:]": lambda lst, **_: lst[1:],
    "lst[::-1]": lambda lst, **_: lst[::-1],
    "del seq[1]": lambda seq, **_: after(seq, lambda c: delete(c, 1)),
    "del seq[-1]": lambda seq, **_: after(seq, lambda c: delete(c, -1)),
    "del seq[:2]": lambda seq, **_: after(seq, lambda c: delete(c, slice(2))),
    "del lst[0]": lambda lst, **_: after(lst, lambda c: delete(c, 0)),
    "del lst[1:]": lambda lst, **_: after(lst, lambda c: delete(c, slice(1, None))),
    "seq[1] = ": lambda m, seq, **_: after(seq, lambda c: set_at(c, 1, m.Tanh())),
    "seq[-1] = ": lambda m, seq, **_: after(seq, lambda c: set_at(c, -1, m.Tanh())),
    "lst[-1] = ": lambda m, lst, **_: after(lst, lambda c: set_at(c, -1, m.Tanh())),
    "seq.insert(0)": lambda m, seq, **_: after(seq, lambda c: c.insert(0, m.Tanh())),
    "seq.insert(-1)": lambda m, seq, **_: after(seq, lambda c: c.insert(-1, m.Tanh())),
    "seq.insert(3)": lambda m, seq, **_: after(seq, lambda c: c.insert(3, m.Tanh())),
    "lst.insert(1)": lambda m, lst, **_: after(lst, lambda c: c.insert(1, m.Tanh())),
    "seq.append": lambda m, seq, **_: seq.append(m.Tanh()),
    "seq.extend": lambda seq, other, **_: seq.extend(other),
    "lst.extend": lambda lst, other, **_: lst.extend(list(other)),
    "seq.pop(0)": lambda seq, **_: (kinds(seq.pop(0)), kinds(seq)),
    "lst.pop(0)": lambda lst, **_: (kinds(lst.pop(0)), kinds(lst)),
    "lst.pop(-1)": lambda lst, **_: (kinds(lst.pop(-1)), kinds(lst)),
    "seq + other": lambda seq, other, **_: seq + other,
    "seq += other": lambda seq, other, **_: add_to(seq, other),
    "seq * 2": lambda other, **_: other * 2,
    "2 * seq": lambda other, **_: 2 * other,
    "lst + lst": lambda lst, **_: lst + lst,
    "lst + list": lambda m, lst, **_: operator.add(lst, [m.ReLU()]),
    "lst += list": lambda m, lst, **_: add_to(lst, [m.ReLU()]),
    "len": lambda seq, lst, **_: (len(seq), len(lst)),
    "in": lambda seq, **_: seq[1] in list(seq),
    "reversed": lambda lst, **_: [kinds(x) for x in reversed(lst)],
    "del by_name": lambda by_name, **_: after(by_name, lambda c: delete(c, "a")),
    "by_name.update": lambda m, by_name, **_: after(by_name, lambda c: c.update({"b": m.Tanh()})),
    "by_name.pop": lambda by_name, **_: (kinds(by_name.pop("a")), len(by_name)),
    "by_name views": lambda by_name, **_: (list(by_name.keys()), [kinds(v) for v in by_name.values()]),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_pytorch(name: str) -> None:
    ours, theirs = (PROGRAMS[name](**made(lib)) for lib in (nn, torch))
    assert kinds(ours) == kinds(theirs)


REFUSED: dict[str, tuple[Callable[..., Any], type[Exception], str]] = {
    "a list": (lambda m, **_: m.Sequential([m.ReLU()]), TypeError, r"not a list; unpack it: Sequential\(\*modules\)"),
    "a class": (lambda m, **_: m.Sequential(m.ReLU), TypeError, "not the class ReLU"),
    "a function": (lambda m, **_: m.Sequential(lambda x: x), TypeError, "not the function <lambda>"),
    "a number": (lambda lst, **_: lst.append(3), TypeError, "not the number 3"),
    "set a number": (lambda seq, **_: set_at(seq, 0, 3), TypeError, "not the number 3"),
    "a list of numbers": (lambda m, **_: m.ModuleList([1]), TypeError, "not the number 1"),
    "one module as a list": (lambda m, **_: m.ModuleList(m.ReLU()), TypeError, "by an object of ReLU"),
    "in a dict": (lambda m, **_: m.ModuleDict({"a": 3}), TypeError, "not the number 3"),
    "too far": (lambda seq, **_: seq[3], IndexError, "index 3 is out of range; it holds 3"),
    "too far back": (lambda seq, **_: seq[-4], IndexError, "index -4"),
    "of a list": (lambda lst, **_: lst[7], IndexError, "index 7"),
    "by name": (lambda seq, **_: seq["0"], TypeError, "integer"),
    "seq + list": (lambda m, seq, **_: operator.add(seq, [m.ReLU()]), (TypeError, ValueError), "only a Sequential"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_pytorch_refuses_is_refused(name: str) -> None:
    program, kind, words = REFUSED[name]
    with pytest.raises(kind, match=words):
        program(**made(nn))
    with pytest.raises(kind):
        program(**made(torch))


def test_slices_share_their_modules(device: str) -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    first = net[:2]
    assert isinstance(first, nn.Sequential)
    assert first[0].weight is net[0].weight
    x = Tensor([[1.0, -1.0]])
    assert net[2:](first(x)).tolist() == net(x).tolist()
    assert list(net[1:].state_dict()) == ["2.weight", "2.bias"]
    longer = net[1:].append(nn.Tanh())
    assert [name for name, _ in longer.named_children()] == ["1", "2", "3"], "nothing is written over"


def test_a_failed_change_changes_nothing() -> None:
    net = nn.Sequential(nn.ReLU(), nn.Tanh())
    for change in (lambda: net.insert(0, 3), lambda: net.extend([nn.ReLU(), 3]), lambda: set_at(net, 1, 3)):
        with pytest.raises(OperandError):
            change()
        assert kinds(net[:2]) == kinds(nn.Sequential(nn.ReLU(), nn.Tanh()))


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embedding.weight
        self.layers = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
        self.register_buffer("scale", Tensor([2.0]))

    def forward(self, index: Tensor) -> Tensor:
        return self.head(self.layers(self.embedding(index))) * self.scale


def test_deep_copies() -> None:
    net = Tied()
    index = Tensor([0, 1, 4])
    net(index).square().sum().backward()
    other = copy.deepcopy(net)
    assert other.head.weight is other.embedding.weight, "what is shared stays shared"
    assert other.head.weight is not net.head.weight
    assert other.head.weight.grad is not None
    assert other.head.weight.grad is not net.head.weight.grad
    assert other.head.weight.grad.tolist() == net.head.weight.grad.tolist()
    before = net.head.weight.tolist()
    other.head.weight.assign(other.head.weight * 0).realize()
    other.scale += 1
    assert net.head.weight.tolist() == before
    assert net.scale.tolist() == [2.0]
    assert [n for n, _ in other.named_parameters()] == [n for n, _ in net.named_parameters()]
    assert [n for n, _ in other.named_buffers()] == [n for n, _ in net.named_buffers()]


def test_shallow_copies_hold_the_same() -> None:
    net = nn.Linear(2, 2)
    other = copy.copy(net)
    assert other.weight is net.weight
    other.extra = nn.ReLU()
    other.bias = None
    assert [n for n, _ in net.named_parameters()] == ["weight", "bias"]
    assert not list(net.children())


def holders(nn: Any) -> dict[str, Callable[[], Any]]:
    """Modules made, changed and cut with places that hold None, by PyTorch's `nn` or by ours."""

    def changed(index: int) -> Any:
        layers = nn.ModuleList([nn.ReLU(), nn.Linear(2, 2), nn.Tanh()])
        layers[index] = None
        return layers

    def registered() -> Any:
        net = nn.Module()
        net.add_module("a", None)
        net.b = nn.Linear(2, 2)
        net.c = nn.ReLU()
        net.b = None
        net.register_module("a", nn.Tanh())
        return net

    return {
        "list": lambda: nn.ModuleList([None, nn.Linear(2, 2), None]),
        "nested": lambda: nn.ModuleList([nn.ModuleList([nn.ReLU(), None]), None]),
        "append": lambda: nn.ModuleList([nn.ReLU()]).append(None).append(nn.Linear(2, 2)),
        "extend": lambda: nn.ModuleList().extend([None, nn.ReLU()]),
        "slice": lambda: nn.ModuleList([nn.ReLU(), None, nn.Linear(2, 2)])[1:],
        "first": lambda: changed(0),
        "last": lambda: changed(-1),
        "dict": lambda: nn.ModuleDict({"a": None, "b": nn.Linear(2, 2)}),
        "sequential": lambda: nn.Sequential(nn.ReLU(), None, nn.Linear(2, 2)),
        "cut": lambda: nn.Sequential(nn.ReLU(), None, nn.Linear(2, 2))[1:],
        "registered": registered,
    }


@pytest.mark.parametrize("name", holders(nn))
def test_none_keeps_the_place_of_a_module(name: str) -> None:
    ours, theirs = holders(nn)[name](), holders(torch.nn)[name]()
    assert [n for n, _ in ours.named_modules()] == [n for n, _ in theirs.named_modules()]
    assert list(ours._modules) == list(theirs._modules)
    assert [type(m).__name__ for m in ours._modules.values()] == [type(m).__name__ for m in theirs._modules.values()]
    assert [type(m).__name__ for m in ours.children()] == [type(m).__name__ for m in theirs.children()]
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert "None" in repr(ours)
    if name != "registered":
        ours_inside, theirs_inside = (list(m.values() if name == "dict" else m) for m in (ours, theirs))
        assert [m is None for m in ours_inside] == [m is None for m in theirs_inside]
        assert len(ours) == len(theirs)
    ours.load_state_dict(ours.state_dict())
    copy.deepcopy(ours).eval().double().apply(lambda module: None)
    place = next(n for n, m in ours._modules.items() if m is None) if name != "nested" else "0.1"
    for net in (ours, theirs):
        with pytest.raises(AttributeError):
            net.get_submodule(place)
    if name in ("sequential", "cut"):
        with pytest.raises(TypeError, match="not callable"):
            ours(Tensor.ones(1, 2))
