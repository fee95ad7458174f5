"""Lists and dicts of parameters, and what else PyTorch's modules offer about parameters, against PyTorch."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from lazygrad import Tensor, jit, nn
from lazygrad.errors import ArgumentError, BoundsError, OperandError

TABLE = np.arange(6.0).reshape(2, 3)


def made(n: Any) -> tuple[Any, Any]:
    """A list and a dict on one side, after many changes."""
    tensor: Any = Tensor if n is nn else torch.tensor
    values = n.ParameterList([tensor(TABLE), 3])
    values.append(n.Linear(2, 2))
    values += [n.Parameter(tensor([1.0])), "text"]
    values.extend(v for v in (tensor([2.0]),))
    values[1] = tensor([7.0])
    values[0] = tensor(TABLE * 2)
    values[-2] = tensor([8.0])
    by_name = n.ParameterDict({"a": tensor(TABLE), "b": 2})
    by_name["c"] = tensor([1.0])
    by_name.update([("d", tensor([2.0])), ("b", tensor([3.0]))])
    by_name |= {"e": None}
    del by_name["a"], by_name["c"]
    by_name["a"] = 5
    by_name.setdefault("f", tensor([4.0]))
    by_name.setdefault("f", 1)
    by_name.setdefault("g")
    return values, by_name


def test_changes_as_pytorch() -> None:
    for ours, theirs in zip(made(nn), made(torch.nn)):
        assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
        assert list(ours.state_dict()) == list(theirs.state_dict()) and len(ours) == len(theirs)
        assert repr(ours) == repr(theirs).replace("torch.FloatTensor", "float32").replace("torch.float", "float")
        loaded = {name: np.asarray(value) for name, value in theirs.state_dict().items()}
        assert ours.load_state_dict(loaded) == ([], [])
        assert repr(copy.deepcopy(ours)) == repr(ours)
    values, by_name = made(nn)
    assert [type(x).__name__ for x in values[1:4]] == ["Parameter", "Linear", "Parameter"]
    assert values[::2][1] is values[2] and [x is y for x, y in zip(values, values[:])] == [True] * 6
    assert list(by_name) == list(by_name.keys()) == ["b", "d", "e", "a", "f", "g"]
    assert next(reversed(by_name)) == "g" and "c" not in by_name and by_name.get("c", 1) == 1
    assert by_name.pop("a") == 5 and by_name.popitem() == ("g", None)
    assert list(({"x": 1} | by_name).keys()) == ["x", "b", "d", "e", "f"]
    assert list((by_name | {"x": 1}).items())[-1] == ("x", 1)
    assert by_name.copy()["b"] is by_name["b"] and next(iter(by_name.values())) is by_name["b"]
    assert list(nn.ParameterDict.fromkeys("ab", 1).items()) == [("a", 1), ("b", 1)]
    by_name.clear()
    assert not len(by_name) and not list(by_name.parameters())


def test_tensors_become_parameters_and_parameters_stay() -> None:
    p = nn.Parameter(Tensor([1.0]), requires_grad=False)
    values = nn.ParameterList([p, Tensor([2.0])])
    assert values[0] is p and values[1].requires_grad and isinstance(values[1], nn.Parameter)
    (values[0] * values[1]).sum().backward()
    assert values[1].grad.tolist() == [1.0]
    assert values.double()[1].dtype.name == "float64"


def test_jit_sees_what_they_hold() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.p = nn.ParameterList([Tensor([1.0, 2.0]), 2.0])
            self.d = nn.ParameterDict({"a": Tensor([1.0, 1.0]), "k": 3})

        def forward(self, x: Tensor) -> Tensor:
            return x * self.p[0] * self.p[1] + self.d["a"] * self.d["k"] * len(self.p)

    net, x = Net(), Tensor([1.0, 2.0])
    jitted = jit(net)

    def change_list() -> None:
        net.p[1] = 5.0

    def change_dict() -> None:
        net.d["k"] = 7

    changes = [
        lambda: None, change_list, change_dict, lambda: net.p.append(1),
        lambda: net.d.update({"a": Tensor([9.0, 9.0])}), lambda: net.p.__setitem__(0, Tensor([4.0, 4.0])),
    ]  # fmt: skip
    for change in changes:
        change()
        for _ in range(2):
            np.testing.assert_array_equal(jitted(x).numpy(), net(x).numpy())


def test_errors() -> None:
    values, by_name = nn.ParameterList([1]), nn.ParameterDict()
    with pytest.raises(BoundsError, match="it holds 1"):
        values[1]
    with pytest.raises(ArgumentError, match="values is an iterable, not a tensor"):
        values.extend(Tensor([1.0]))
    with pytest.raises(RuntimeError, match="computes nothing"):
        values(1)
    for key in ("keys", "a.b", ""):
        with pytest.raises(KeyError):
            by_name[key] = Tensor([1.0])
    with pytest.raises(KeyError, match="missing"):
        by_name["missing"]
    with pytest.raises(KeyError, match="empty"):
        by_name.popitem()
    with pytest.raises(OperandError, match="a key is a string"):
        by_name[1] = 2  # type: ignore[index]
    with pytest.raises(OperandError, match="a mapping, or pairs"):
        by_name.update(3)
    with pytest.raises(ArgumentError, match="no pair"):
        by_name.update(["abc"])


LAYERS: dict[str, tuple[Any, ...]] = {
    "Linear": (4, 3), "Bilinear": (2, 3, 4), "Conv2d": (4, 6, 3), "ConvTranspose1d": (4, 6, 3), "GRU": (3, 4),
    "LSTMCell": (3, 4), "BatchNorm2d": (3,), "InstanceNorm1d": (3, 1e-5, 0.1, True, True), "LayerNorm": (4,),
    "GroupNorm": (2, 4), "RMSNorm": (4,), "PReLU": (3, 0.5), "Embedding": (5, 3, 1), "EmbeddingBag": (5, 3),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_parameters_are_reset_in_place(name: str) -> None:
    layer, twin = getattr(nn, name)(*LAYERS[name]), getattr(torch.nn, name)(*LAYERS[name])
    before = [*layer.parameters(), *layer.buffers()]
    with torch.no_grad():
        for t in [*twin.parameters(), *twin.buffers()]:
            t.fill_(99)
    for t in before:
        t.data = t.full_like(99)
    layer.reset_parameters()
    twin.reset_parameters()
    after = [*layer.parameters(), *layer.buffers()]
    assert [id(t) for t in after] == [id(t) for t in before]
    for t, expected in zip(after, [*twin.parameters(), *twin.buffers()]):
        values, wanted = t.numpy(), expected.detach().numpy()
        if np.ptp(wanted):
            assert values.size < 9 or 0.6 < values.std() / wanted.std() < 1.6
            assert np.abs(values).max() < 4 and (values == 0).sum() == (wanted == 0).sum()
        else:
            np.testing.assert_array_equal(values, wanted)


def test_attention_is_reset() -> None:
    layer = nn.MultiheadAttention(4, 2, add_bias_kv=True, kdim=3)
    layer.q_proj_weight.data = layer.q_proj_weight * 0
    layer.in_proj_bias.data = layer.in_proj_bias + 1
    layer._reset_parameters()
    assert layer.q_proj_weight.numpy().all() and not layer.in_proj_bias.numpy().any()


def test_roles_as_dicts() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    twin = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    for a, b in zip([net, *net], [twin, *twin]):
        for role in ("_modules", "_parameters", "_buffers"):
            ours, theirs = getattr(a, role), getattr(b, role)
            assert list(ours) == list(theirs) and len(ours) == len(theirs)
            assert all(getattr(a, name) is value for name, value in ours.items())
    net._modules["0"] = nn.Linear(2, 3, bias=False)
    assert net(Tensor.ones(2, 2)).shape == (2, 3) and list(net.state_dict())[:2] == ["0.weight", "1.weight"]
    net[1]._buffers["running_mean"] = Tensor.ones(3)
    net[1]._parameters["weight"].data *= 2
    assert net[1].running_mean.tolist() == [1, 1, 1] and net[1].weight.tolist() == [2, 2, 2]
    assert list(net.state_dict()) == [n for n in twin.state_dict() if n != "0.bias"]
    del net._modules["1"]
    assert len(net) == 1 and "1" not in net._modules and "{'0': Linear" in repr(net._modules)
    with pytest.raises(KeyError):
        del net._modules["1"]
    with pytest.raises(KeyError):
        net._parameters["none"]


class Counting(nn.Module):
    """State beside tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.count, self.layer = 0, nn.Linear(1, 1)

    def get_extra_state(self) -> Any:
        return {"count": self.count}

    def set_extra_state(self, state: Any) -> None:
        self.count = state["count"]


def test_extra_state() -> None:
    net, other = nn.Sequential(Counting()), nn.Sequential(Counting())
    net[0].count = 5
    state = net.state_dict()
    assert list(state) == ["0._extra_state", "0.layer.weight", "0.layer.bias"]
    assert other.load_state_dict(state) == ([], []) and other[0].count == 5
    del state["0._extra_state"]
    assert other.load_state_dict(state, strict=False).missing_keys == ["0._extra_state"] and other[0].count == 5
    with pytest.raises(ArgumentError, match="_extra_state: missing"):
        other.load_state_dict(state)
    with pytest.raises(ArgumentError, match="_extra_state: not expected"):
        nn.Linear(1, 1).load_state_dict({**nn.Linear(1, 1).state_dict(), "_extra_state": 1})
    with pytest.raises(RuntimeError, match="does not define"):
        nn.Linear(1, 1).get_extra_state()
    with pytest.raises(RuntimeError, match="does not define"):
        nn.Linear(1, 1).set_extra_state(1)


def test_order_of_states_and_older_hooks() -> None:
    def net(n: Any) -> Any:
        return n.Sequential(n.Sequential(n.Linear(2, 2), n.BatchNorm1d(2)), n.BatchNorm1d(2), n.Linear(2, 1))

    assert list(net(nn).state_dict()) == list(net(torch.nn).state_dict())
    layer = nn.Linear(1, 1)
    seen: list[int] = []
    layer._register_load_state_dict_pre_hook(lambda *given: seen.append(len(given)))
    layer._register_load_state_dict_pre_hook(lambda *given: seen.append(len(given)), with_module=True)
    layer.load_state_dict(layer.state_dict())
    assert seen == [7, 8]


def test_names_of_subclasses_in_repr() -> None:
    class Named(nn.Linear):
        def _get_name(self) -> str:
            return "Other"

        def extra_repr(self) -> str:
            return "one\ntwo"

    class Theirs(torch.nn.Linear):
        _get_name, extra_repr = Named._get_name, Named.extra_repr

    assert repr(nn.Sequential(Named(1, 1))) == repr(torch.nn.Sequential(Theirs(1, 1)))
