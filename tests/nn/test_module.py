"""Modules: what they find inside, their modes, their state."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from lazygrad import Tensor, dtypes, nn
from lazygrad.errors import ArgumentError


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.layers = nn.ModuleList([nn.Linear(4, 4, bias=False), nn.Dropout(0.5)])
        self.scale = Tensor([2.0], requires_grad=True)
        self.register_buffer("mean", Tensor([0.5]))
        self.register_buffer("scratch", Tensor([9.0]), persistent=False)
        self.constant = Tensor([7.0])

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for layer in self.layers:
            x = layer(x)
        return x * self.scale + self.mean


NAMES = ["scale", "first.weight", "first.bias", "layers.0.weight"]


def test_parameters_and_buffers_are_found() -> None:
    block = Block()
    assert [name for name, _ in block.named_parameters()] == NAMES
    assert [name for name, _ in block.named_buffers()] == ["mean", "scratch"]
    assert [name for name, _ in block.named_modules()] == ["", "first", "layers", "layers.0", "layers.1"]
    assert [name for name, _ in block.named_children()] == ["first", "layers"]
    assert len(list(block.parameters())) == 4
    assert len(list(block.buffers())) == 2
    assert block(Tensor.ones(2, 3)).shape == (2, 4)


def test_shared_parameters_count_once() -> None:
    block = Block()
    block.tied = block.first.weight
    block.again = block.first
    assert [name for name, _ in block.named_parameters()] == ["scale", "tied", "first.bias", "layers.0.weight"]
    assert {"tied", "first.weight"} <= set(block.state_dict())


def test_attributes_lose_their_role_when_replaced() -> None:
    block = Block()
    block.scale = 1.0
    del block.first
    block.layers = nn.Identity()
    assert list(block.parameters()) == []


def test_frozen_parameters_stay_parameters() -> None:
    block = Block().requires_grad_(False)
    assert [name for name, _ in block.named_parameters()] == NAMES
    assert not block(Tensor.ones(2, 3)).requires_grad
    block.requires_grad_()
    block(Tensor.ones(2, 3)).sum().backward()
    assert all(p.grad is not None for p in block.parameters())
    block.zero_grad()
    assert all(p.grad is None for p in block.parameters())


def test_modes_reach_everything_inside() -> None:
    block = Block()
    assert block.training
    block.eval()
    assert not any(m.training for m in block.modules())
    x = Tensor.ones(2, 3)
    assert block(x).tolist() == block(x).tolist(), "dropout is off"
    assert all(m.training for m in block.train().modules())


def test_init_must_come_first() -> None:
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"super\(\).__init__"):
        Forgetful()
    with pytest.raises(NotImplementedError, match="forward"):
        nn.Module()(1)


def test_state_makes_the_round_trip() -> None:
    a, b = Block().eval(), Block().eval()
    state = a.state_dict()
    assert list(state) == [NAMES[0], "mean", *NAMES[1:]]
    assert not any(t.requires_grad for t in state.values())
    x = Tensor.ones(2, 3)
    assert a(x).tolist() != b(x).tolist()
    kept = b.first.weight
    assert b.load_state_dict(state) == ([], [])
    assert b.first.weight is kept
    assert a(x).tolist() == b(x).tolist()
    as_numpy = {name: t.numpy().astype(np.float64) for name, t in state.items()}
    b.load_state_dict(as_numpy)
    assert b.first.weight.dtype is dtypes.float32
    b(x).sum().backward()
    assert b.first.weight.grad is not None
    assert a.first.weight.grad is None


def test_a_state_that_does_not_fit_changes_nothing() -> None:
    block = Block()
    before = block.first.bias.tolist()
    state: dict[str, Any] = {**block.state_dict(), "more": Tensor([1.0])}
    state["first.weight"] = Tensor.zeros(4, 2)
    state["first.bias"] = Tensor.zeros(4)
    del state["scale"]
    with pytest.raises(ArgumentError, match=r"scale: missing") as error:
        block.load_state_dict(state)
    assert "more: not expected" in str(error.value)
    assert "first.weight: shape [4, 2], this module has [4, 3]" in str(error.value)
    assert block.first.bias.tolist() == before
    state["first.weight"] = Tensor.zeros(4, 3)
    found = block.load_state_dict(state, strict=False)
    assert found == (["scale"], ["more"])
    assert block.first.bias.tolist() == [0, 0, 0, 0]


def test_casts_and_copies() -> None:
    block = Block().eval()
    twin = copy.deepcopy(block)
    x = Tensor.ones(2, 3)
    assert twin(x).tolist() == block(x).tolist()
    twin(x).sum().backward()
    assert block.scale.grad is None
    weight = block.first.weight
    block.to(dtypes.float64)
    assert block.first.weight is weight
    assert {p.dtype for p in [*block.parameters(), *block.buffers()]} == {dtypes.float64}
    np.testing.assert_allclose(block(x.double()).numpy(), twin(x).numpy(), rtol=1e-5)
    block(x.double()).sum().backward()
    assert weight.grad is not None


def test_moving_to_a_device(device: str) -> None:
    block = Block().eval()
    x = Tensor.ones(2, 3, device="NUMPY")
    expected = block.to("NUMPY")(x).numpy()
    block.to(device)
    assert {p.device for p in block.parameters()} == {device}
    y = block(x.to(device))
    y.sum().backward()
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-5)
    assert block.scale.grad is not None
    assert block.scale.grad.device == device


def test_printed_and_summarized() -> None:
    net = nn.Sequential(nn.Linear(10, 5), nn.Sequential(nn.ReLU(), nn.Dropout(0.1)))
    assert repr(net) == (
        "Sequential(\n  (0): Linear(in_features=10, out_features=5, bias=True)\n  (1): Sequential(\n    (0): ReLU()\n"
        "    (1): Dropout(p=0.1, inplace=False)\n  )\n)"
    )
    assert net.summary().splitlines()[-1].split() == ["total", "55"]


def test_containers() -> None:
    net = nn.Sequential(nn.Linear(2, 3))
    net.append(nn.ReLU())
    assert len(net) == 2
    assert isinstance(net[1], nn.ReLU)
    assert [type(m).__name__ for m in net] == ["Linear", "ReLU"]
    layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    layers[1] = nn.Identity()
    assert isinstance(layers[1], nn.Identity)
    assert [type(m).__name__ for m in layers[:2]] == ["Linear", "Identity"]
    assert isinstance(layers[-1], nn.Linear)
    heads = nn.ModuleDict({"a": nn.Linear(2, 1)})
    heads["b"] = nn.Linear(2, 2)
    assert list(heads) == ["a", "b"]
    assert "a" in heads
    assert len(list(heads.parameters())) == 4
    assert [name for name, _ in heads.items()] == ["a", "b"]
    with pytest.raises(KeyError, match="method"):
        heads["forward"] = nn.Linear(1, 1)
    with pytest.raises(KeyError):
        heads["c"]
    seen: list[str] = []
    net.apply(lambda m: seen.append(type(m).__name__))
    assert seen == ["Linear", "ReLU", "Sequential"]


def test_state_names_are_torchs() -> None:
    ours = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3), nn.Sequential(nn.Embedding(4, 5), nn.Conv2d(1, 2, 3)))
    theirs = torch.nn.Sequential(
        torch.nn.Linear(2, 3),
        torch.nn.LayerNorm(3),
        torch.nn.Sequential(torch.nn.Embedding(4, 5), torch.nn.Conv2d(1, 2, 3)),
    )
    assert {k: tuple(v.shape) for k, v in theirs.state_dict().items()} == {
        k: v.shape for k, v in ours.state_dict().items()
    }


def hooked(lib: Any, number: Any) -> list[Any]:
    """What hooks see and change, in one of the frameworks."""

    class Net(lib.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = lib.Linear(2, 2, bias=False)
            self.p = lib.Parameter(number([1.0, 2.0]), requires_grad=False)
            self.register_buffer("nothing", None)
            self.register_parameter("none", None)
            self.buffer = lib.Buffer(number([3.0]), persistent=False)

        def forward(self, x: Any, scale: float = 1.0) -> Any:
            return self.layer(x) * self.p * scale

    net, seen = Net(), list[Any]()
    net.load_state_dict({"layer.weight": number([[1.0, 2.0], [3.0, 4.0]]), "p": number([1.0, 2.0])})
    net.layer.register_full_backward_pre_hook(lambda module, by: (by[0] * 2,))
    net.layer.register_full_backward_hook(lambda module, by_in, by: seen.append([g[0].tolist() for g in (by_in, by)]))
    net.register_forward_hook(lambda module, args, output: output + 1)
    net.register_forward_hook(lambda module, args, output: output * 2, prepend=True)
    net.register_forward_pre_hook(lambda module, args, kwargs: (args, {"scale": 5.0}), with_kwargs=True)
    removed = net.register_forward_pre_hook(lambda module, args: (args[0] * 3,))
    x = number([[1.0, 1.0]]).requires_grad_()
    for _ in range(2):
        y = net(x)
        y.sum().backward()
        seen.append([y.tolist(), x.grad.tolist(), net.layer.weight.grad.tolist()])
        removed.remove()
    net.register_state_dict_post_hook(lambda module, state, prefix, metadata: state.update(more=1))
    seen += [list(net.state_dict()), [name for name, _ in net.named_buffers()], isinstance(net.p, lib.Parameter)]
    seen += [[n for n, _ in net.named_parameters(prefix="a", recurse=False)], type(net.p * 2).__name__]
    seen += [net.get_parameter("layer.weight").shape, net.get_submodule("layer") is net.layer]
    return seen


def test_hooks_and_registration_as_pytorch() -> None:
    assert hooked(nn, Tensor) == hooked(torch.nn, torch.tensor)


def test_what_is_no_parameter_buffer_or_module() -> None:
    net = nn.Module()
    for register in (net.register_buffer, net.register_parameter, net.register_module):
        with pytest.raises(TypeError, match="register"):
            register("a", 5)  # type: ignore[arg-type]
        with pytest.raises(KeyError, match="dots"):
            register("a.b", None)
        with pytest.raises(KeyError, match="already"):
            register("forward", None)
    for get in (net.get_parameter, net.get_buffer, net.get_submodule):
        with pytest.raises(AttributeError, match="has no"):
            get("a.b")


def test_states_that_are_assigned_keep_their_dtype() -> None:
    net = nn.Linear(2, 2)
    net.load_state_dict(nn.Linear(2, 2).double().state_dict(), assign=True)
    assert net.weight.dtype is dtypes.float64
    assert [name for name, p in net.named_parameters() if p.requires_grad] == ["weight", "bias"]


def test_backward_hooks_without_a_gradient_by_inputs_and_errors_in_forward() -> None:
    net, seen = nn.Linear(2, 2), list[Any]()
    net.register_full_backward_hook(lambda module, by_in, by: seen.append(by_in))
    net(Tensor.ones(1, 2)).sum().backward()
    assert seen == [(None,)]
    net.register_forward_hook(lambda module, args, output: seen.append(output), always_call=True)
    with pytest.raises(ValueError, match="linear"):
        net(Tensor.ones(1, 3))
    assert seen[1:] == [None]
