"""Parameters that are computed from others, against PyTorch: values, gradients, states, names, setting and removing."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.utils.parametrizations as theirs
import torch.nn.utils.parametrize as their_parametrize

from lazygrad import Tensor, jit, nn
from lazygrad.errors import ArgumentError, BoundsError, OperandError, ShapeError
from lazygrad.nn.utils import parametrizations as ours
from lazygrad.nn.utils import parametrize

Apply = Callable[[Any, Any], Any]  # of the namespace of parametrizations, and a module


def linear(n: Any, *sizes: int) -> Any:
    return n.Linear(*(sizes or (4, 3)))


def older(name: str) -> Apply:
    def apply(namespace: Any, module: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return getattr((nn if namespace is ours else torch.nn).utils, name)(module)

    return apply


CASES: dict[str, tuple[Callable[[Any], Any], Apply]] = {
    "weight_norm": (linear, lambda p, m: p.weight_norm(m)),
    "weight_norm_all": (lambda n: n.Conv2d(4, 3, 2), lambda p, m: p.weight_norm(m, dim=None)),
    "weight_norm_1": (lambda n: n.Conv1d(4, 3, 2), lambda p, m: p.weight_norm(m, "weight", 1)),
    "weight_norm_bias": (linear, lambda p, m: p.weight_norm(p.weight_norm(m), "bias")),
    "spectral_norm": (linear, lambda p, m: p.spectral_norm(m)),
    "spectral_norm_transposed": (lambda n: n.ConvTranspose2d(4, 3, 2), lambda p, m: p.spectral_norm(m)),
    "spectral_norm_dim": (
        lambda n: n.Conv2d(4, 3, 2), lambda p, m: p.spectral_norm(m, n_power_iterations=3, eps=1e-6, dim=1)
    ),
    "spectral_norm_vector": (linear, lambda p, m: p.spectral_norm(m, "bias")),
    "older_weight_norm": (linear, older("weight_norm")),
    "older_spectral_norm": (lambda n: n.ConvTranspose1d(4, 3, 2), older("spectral_norm")),
    "both": (linear, lambda p, m: p.spectral_norm(p.weight_norm(m))),
    **{
        f"orthogonal_{how}_{fixed}_{rows}": (
            lambda n, rows=rows: n.Linear(4, rows),  # type: ignore[misc]
            lambda p, m, how=how, fixed=fixed: p.orthogonal(m, orthogonal_map=how, use_trivialization=fixed),  # type: ignore[misc]
        )
        for how in ("matrix_exp", "cayley", "householder", None)
        for fixed in (True, False)
        for rows in (3, 4, 6)
    },
}  # fmt: skip


def twins(name: str) -> tuple[Any, Any]:
    """A module of both sides with the same state."""
    make, apply = CASES[name]
    torch.manual_seed(0)
    a, b = make(nn).double(), make(torch.nn).double()
    apply(ours, a)
    apply(theirs, b)
    a.load_state_dict({k: v.numpy() for k, v in b.state_dict().items()})
    return a, b


@pytest.mark.parametrize("name", CASES)
def test_as_pytorch(name: str) -> None:
    a, b = twins(name)
    if "older" not in name:
        assert repr(a) == repr(b)
    assert list(a.state_dict()) == list(b.state_dict())
    x = np.random.default_rng(0).normal(size=(2, 4) + (5,) * (a.eval().weight.ndim - 2))  # training, it iterates
    for training in (True, False, True):
        a.train(training)
        b.train(training)
        y, z = a(Tensor(x)), b(torch.tensor(x))
        y.square().sum().backward()
        z.square().sum().backward()
        np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-10)
    for (n, p), (m, q) in zip(a.named_parameters(), b.named_parameters(), strict=True):
        assert n == m
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-9, atol=1e-12)
    for key, value in b.state_dict().items():
        np.testing.assert_allclose(a.state_dict()[key].numpy(), value.numpy(), rtol=1e-10, err_msg=key)


@pytest.mark.parametrize("name", [n for n in CASES if n.startswith("orthogonal")])
def test_orthogonal_from_the_start(name: str) -> None:
    make, apply = CASES[name]
    layer = apply(ours, make(nn).double())
    w = layer.weight.detach().numpy()
    w = w if w.shape[0] >= w.shape[1] else w.T
    np.testing.assert_allclose(w.T @ w, np.eye(w.shape[1]), atol=1e-10)
    if "False" not in name:
        new = np.linalg.qr(np.random.default_rng(0).normal(size=layer.weight.shape[::-1]))[0].T
        layer.weight = Tensor(new if new.shape == layer.weight.shape else w)
        kept = layer.weight.detach().numpy()
        if new.shape == layer.weight.shape and new.shape[0] == new.shape[1]:
            np.testing.assert_allclose(kept, new, atol=1e-10)


def test_spectral_norm_starts_close() -> None:
    layer = ours.spectral_norm(nn.Linear(20, 30).double()).eval()
    assert np.linalg.norm(layer.weight.detach().numpy(), 2) == pytest.approx(1, abs=0.05)


def test_states_of_the_older_weight_norm() -> None:
    old, new = older("weight_norm")(ours, nn.Linear(4, 3)), ours.weight_norm(nn.Linear(4, 3))
    new.load_state_dict(old.state_dict())
    np.testing.assert_allclose(new.weight.detach().numpy(), old.weight.detach().numpy(), rtol=1e-6)


@pytest.mark.parametrize("name", ["weight_norm", "spectral_norm"])
def test_the_older_ones_are_removed(name: str) -> None:
    layer = older(name)(ours, nn.Linear(4, 3).double())
    twin, value = copy.deepcopy(layer), layer.weight.detach().numpy()
    with pytest.raises(RuntimeError, match="already"):
        older(name)(ours, layer)
    assert getattr(nn.utils, f"remove_{name}")(layer) is layer and type(layer) is nn.Linear
    assert [n for n, _ in layer.named_parameters()] == ["bias", "weight"] and not layer._hooks["forward_pre"]
    np.testing.assert_array_equal(layer.weight.detach().numpy(), value)
    assert "weight" not in twin.state_dict(), "the copy is as it was"
    twin(Tensor.ones(2, 4).double()).sum().backward()
    with pytest.raises(ArgumentError, match=f"has no {name} of 'weight'"):
        getattr(nn.utils, f"remove_{name}")(layer)


class Symmetric(nn.Module):
    """The upper triangle and its image."""

    def forward(self, x: Tensor) -> Tensor:
        return x.triu() + x.triu(1).T

    def right_inverse(self, x: Tensor) -> Tensor:
        return x.triu()


class TheirSymmetric(torch.nn.Module):
    forward, right_inverse = Symmetric.forward, Symmetric.right_inverse


class RankOne(nn.Module):
    """A column times a row."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x.unsqueeze(-1) @ y.unsqueeze(-2)

    def right_inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return z[:, 0], z[0] / z[0, 0]


class TheirRankOne(torch.nn.Module):
    forward, right_inverse = RankOne.forward, RankOne.right_inverse


class Half(nn.Module):
    """Without a way back."""

    def forward(self, x: Tensor) -> Tensor:
        return x[: len(x) // 2]


@pytest.mark.parametrize("kinds", [(Symmetric, TheirSymmetric), (RankOne, TheirRankOne)])
def test_users_parametrizations(kinds: tuple[Any, Any]) -> None:
    b = torch.nn.Linear(3, 3).double()
    a = nn.Linear(3, 3).double()
    a.load_state_dict({k: v.numpy() for k, v in b.state_dict().items()})
    before = a.weight
    assert parametrize.register_parametrization(a, "weight", kinds[0]()) is a
    their_parametrize.register_parametrization(b, "weight", kinds[1]())
    assert list(a.state_dict()) == list(b.state_dict()) and isinstance(a, nn.Linear)
    assert type(a).__name__ == "ParametrizedLinear" and parametrize.type_before_parametrizations(a) is nn.Linear
    assert (kinds[0] is Symmetric) == (a.parametrizations.weight.original is before if kinds[0] is Symmetric else False)
    np.testing.assert_allclose(a.weight.detach().numpy(), b.weight.detach().numpy(), rtol=1e-12)
    new = np.outer([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    a.weight, b.weight = Tensor(new), torch.tensor(new)
    np.testing.assert_allclose(a.weight.detach().numpy(), new, rtol=1e-12)
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-12)
    twin = copy.deepcopy(a)
    assert type(parametrize.remove_parametrizations(a, "weight")) is nn.Linear
    their_parametrize.remove_parametrizations(b, "weight")
    assert list(a.state_dict()) == list(b.state_dict()) and not hasattr(a, "parametrizations")
    np.testing.assert_allclose(a.weight.detach().numpy(), b.weight.detach().numpy(), rtol=1e-12)
    assert parametrize.is_parametrized(twin, "weight") and "weight" not in dict(twin.named_parameters())


def test_several_on_one_buffer_and_unsafe_ones() -> None:
    norm = nn.BatchNorm1d(4)
    parametrize.register_parametrization(norm, "running_var", nn.Softplus())
    parametrize.register_parametrization(norm, "running_var", nn.Tanh())
    assert norm.running_var.numpy() == pytest.approx(np.tanh(np.log1p(np.exp(1.0))), rel=1e-6)
    assert "parametrizations.running_var.original" in dict(norm.named_buffers()) and norm.weight.is_leaf
    assert len(norm.parametrizations.running_var) == 2 and not norm.parametrizations.running_var.unsafe
    layer = parametrize.register_parametrization(nn.Linear(2, 4), "weight", Half(), unsafe=True)
    assert layer.weight.shape == (2, 2)
    parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    assert layer.weight.shape == (4, 2)
    parametrize.register_parametrization(layer, "weight", Half(), unsafe=True)
    original = layer.parametrizations.weight.original
    parametrize.remove_parametrizations(layer, "weight")
    assert layer.weight is original and original.shape == (2, 2) and original.requires_grad


def test_computed_once_inside_cached() -> None:
    calls = []

    class Counted(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            calls.append(x)
            return x * 2

    layer = parametrize.register_parametrization(nn.Linear(2, 2), "weight", Counted())
    calls.clear()
    with parametrize.cached(), parametrize.cached():
        assert layer.weight is layer.weight
        layer(Tensor.ones(1, 2))
    assert len(calls) == 1
    assert layer.weight is not layer.weight


def test_transferred() -> None:
    layer = ours.weight_norm(parametrize.register_parametrization(nn.Linear(3, 3), "weight", Symmetric()), "bias")
    other = parametrize.transfer_parametrizations_and_params(layer, nn.Linear(3, 3))
    x = Tensor.ones(2, 3)
    np.testing.assert_array_equal(other(x).numpy(), layer(x).numpy())
    assert [id(p) for p in other.parameters()] == [id(p) for p in layer.parameters()]
    new = parametrize.transfer_parametrizations_and_params(layer, nn.Module(), "bias")
    assert sorted(new.state_dict()) == ["parametrizations.bias.original0", "parametrizations.bias.original1"]
    assert parametrize.transfer_parametrizations_and_params(nn.Module(), new) is new


@pytest.mark.parametrize("name", ["weight_norm", "spectral_norm", "older_weight_norm", "older_spectral_norm"])
def test_jit_sees_it(name: str) -> None:
    """A jitted layer whose weight is parametrized, set, trained, parametrized further, and freed again."""
    make, apply = CASES[name]
    a, b, x = make(nn).double(), make(nn).double(), Tensor(np.random.default_rng(0).normal(size=(2, 4, 5))).double()
    x = x[..., 0] if a.weight.ndim == 2 else x
    b.load_state_dict(a.state_dict())
    jitted = jit(lambda x: a(x))

    def same() -> None:
        for _ in range(3):
            np.testing.assert_allclose(jitted(x).numpy(), b(x).numpy(), rtol=1e-12)

    same()
    for module in (a, b):
        apply(ours, module)
    b.load_state_dict(a.state_dict())
    same()
    for module in (a, b):
        module.eval()
        list(module.parameters())[-1].data *= 2
    same()
    for module in (a, b):
        parametrize.register_parametrization(module, "bias", nn.Tanh())
    same()
    for module in (a, b):
        parametrize.remove_parametrizations(module, "bias")
        if name.startswith("older"):
            getattr(nn.utils, f"remove_{name[6:]}")(module)
        else:
            parametrize.remove_parametrizations(module, "weight")
    same()


def test_a_recurrent_net_learns_with_normalized_weights() -> None:
    net = nn.GRU(3, 4)
    for name in ("weight_ih_l0", "weight_hh_l0"):
        ours.weight_norm(net, name)
    output, _ = net(Tensor.ones(2, 1, 3))
    output.sum().backward()
    assert all(p.grad is not None for p in net.parameters()) and len(list(net.parameters())) == 6


def test_errors() -> None:
    layer, orthogonal = nn.Linear(2, 3), ours.orthogonal
    register, remove = parametrize.register_parametrization, parametrize.remove_parametrizations
    with pytest.raises(ArgumentError, match="no parameter or buffer 'wait'"):
        register(layer, "wait", nn.Tanh())
    with pytest.raises(ArgumentError, match=r"unsafe=True"):
        register(layer, "weight", Half())
    with pytest.raises(ArgumentError, match="makes a Tensor"):
        register(layer, "weight", nn.Sequential(nn.Identity(), nn.RNN(2, 2)))
    with pytest.raises(ArgumentError, match="no parametrized 'weight'"):
        remove(layer, "weight")
    with pytest.raises(ArgumentError, match="no parametrization"):
        parametrize.ParametrizationList([], layer.weight)
    register(layer, "weight", nn.Tanh())
    with pytest.raises(ArgumentError, match=r"unsafe=True"):
        register(layer, "weight", Half())
    with pytest.raises(ArgumentError, match="no right_inverse"):
        layer.weight = Tensor.ones(3, 2)
    with pytest.raises(OperandError, match="takes a Tensor, not the number 3"):
        layer.weight = 3
    with pytest.raises(ArgumentError, match="several tensors"):
        remove(ours.weight_norm(nn.Linear(2, 3)), "weight", leave_parametrized=False)
    with pytest.raises(ArgumentError, match="no parameter or buffer"):
        ours.spectral_norm(layer, "wait")
    with pytest.raises(BoundsError, match="dim=2"):
        ours.spectral_norm(nn.Linear(2, 3), dim=2)
    for norm in (ours.spectral_norm, nn.utils.spectral_norm):
        with pytest.raises(ArgumentError, match="n_power_iterations=0"):
            norm(nn.Linear(2, 3), n_power_iterations=0)
    with pytest.raises(ArgumentError, match="no parameter 'wait'"):
        nn.utils.spectral_norm(nn.Linear(2, 3), "wait")
    with pytest.raises(ShapeError, match="no matrix"):
        orthogonal(nn.Linear(2, 3), "bias")
    with pytest.raises(ArgumentError, match="orthogonal_map"):
        orthogonal(nn.Linear(2, 3), orthogonal_map="qr")
    free = orthogonal(nn.Linear(2, 2), use_trivialization=False)
    with pytest.raises(NotImplementedError, match="matrix_exp"):
        free.weight = Tensor.eye(2)
    with pytest.raises(ShapeError, match="for one of"):
        orthogonal(nn.Linear(2, 3)).weight = Tensor.eye(2)
    with pytest.warns(FutureWarning, match="parametrizations"):
        nn.utils.weight_norm(nn.Linear(2, 3))
