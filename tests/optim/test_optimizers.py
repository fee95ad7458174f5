"""Optimizers against PyTorch over 80 steps, their state, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from lazygrad import Tensor, dtypes, jit, nn, optim, stats
from lazygrad.engine import run
from lazygrad.engine.plan import structure
from lazygrad.errors import ArgumentError, GradientError

SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("SGD", {"lr": 0.05}),
    "sgd_decay": ("SGD", {"lr": 0.05, "weight_decay": 0.1}),
    "sgd_momentum": ("SGD", {"lr": 0.02, "momentum": 0.9}),
    "sgd_nesterov": ("SGD", {"lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    "adam": ("Adam", {"lr": 0.01}),
    "adam_decay": ("Adam", {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1}),
    "adamw": ("AdamW", {"lr": 0.01}),
    "adamw_decay": ("AdamW", {"lr": 0.01, "betas": (0.9, 0.99), "weight_decay": 0.3}),
    "sgd_dampening": ("SGD", {"lr": 0.02, "momentum": 0.9, "dampening": 0.5}),
    "adam_amsgrad": ("Adam", {"lr": 0.01, "amsgrad": True, "decoupled_weight_decay": True, "weight_decay": 0.1}),
    "asgd": ("ASGD", {"lr": 0.05, "t0": 20, "lambd": 0.01, "weight_decay": 0.01}),
    "adamax": ("Adamax", {"lr": 0.01, "weight_decay": 0.1}),
    "nadam": ("NAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    "radam": ("RAdam", {"lr": 0.01, "weight_decay": 0.1}),
    "adagrad": ("Adagrad", {"lr": 0.05, "lr_decay": 0.01, "initial_accumulator_value": 0.1}),
    "adadelta": ("Adadelta", {"weight_decay": 0.01}),
    "rmsprop": ("RMSprop", {"lr": 0.005, "momentum": 0.9, "centered": True}),
    "rprop": ("Rprop", {"lr": 0.005}),
    "adafactor": ("Adafactor", {"lr": 0.02, "weight_decay": 0.1}),
}
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(16, 3)), RNG.normal(size=(16, 2))
W, B = RNG.normal(size=(2, 3)), RNG.normal(size=2)


def loss(w: Any, b: Any, x: Any, y: Any) -> Any:
    """A loss that both libraries understand; its gradients vary in size."""
    return (((x @ w.mT + b).tanh() - y) ** 2).mean()


def parameters(dtype: str = "float64") -> list[Tensor]:
    return [Tensor(v.astype(dtype), requires_grad=True) for v in (W, B)]


@pytest.fixture
def _default_dtype() -> Iterator[None]:
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("_default_dtype")
@pytest.mark.parametrize("name", SETTINGS)
def test_80_steps_as_torch(name: str) -> None:
    kind, settings = SETTINGS[name]
    if kind in ("ASGD", "NAdam"):  # PyTorch keeps some of their scalars in the default dtype
        torch.set_default_dtype(torch.float64)
    ours = parameters()
    theirs = [torch.tensor(v, requires_grad=True) for v in (W, B)]
    a, b = getattr(optim, kind)(ours, **settings), getattr(torch.optim, kind)(theirs, **settings)
    for step in range(80):
        if step == 40:
            a.set_lr(0.003)
            for group in b.param_groups:
                group["lr"] = 0.003
        a.zero_grad()
        b.zero_grad()
        loss(*ours, Tensor(X), Tensor(Y)).backward()
        loss(*theirs, torch.tensor(X), torch.tensor(Y)).backward()
        a.step()
        b.step()
    for p, q in zip(ours, theirs):
        np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-9)  # rounding grows over the steps
        assert p.is_leaf
        assert p.requires_grad


DEVICES = ["sgd_momentum", "adamw_decay", "sgd_dampening", "nadam", "radam", "adafactor", "rmsprop"]


@pytest.mark.parametrize("name", DEVICES)
def test_devices_agree_also_when_compiled(name: str, device: str) -> None:
    kind, settings = SETTINGS[name]
    reference = [torch.tensor(v.astype(np.float32), requires_grad=True) for v in (W, B)]
    torch_optimizer = getattr(torch.optim, kind)(reference, **settings)
    x, y = Tensor(X.astype(np.float32), device=device), Tensor(Y.astype(np.float32), device=device)
    results = []
    for compiled in (False, True):
        ours = [Tensor(v.astype(np.float32), device=device, requires_grad=True) for v in (W, B)]
        optimizer = getattr(optim, kind)(ours, **settings)

        def step(ours: list[Tensor] = ours, optimizer: optim.Optimizer = optimizer) -> Tensor:
            optimizer.zero_grad()
            value: Tensor = loss(*ours, x, y)
            value.backward()
            optimizer.step()
            return value.detach()

        run_step: Callable[[], Tensor] = jit(step) if compiled else step
        for i in range(12):
            optimizer.set_lr(0.01 if i < 6 else 0.02)
            run_step()
        results.append(ours)
    for i in range(12):
        torch_optimizer.param_groups[0]["lr"] = 0.01 if i < 6 else 0.02
        torch_optimizer.zero_grad()
        loss(*reference, torch.tensor(X.astype(np.float32)), torch.tensor(Y.astype(np.float32))).backward()
        torch_optimizer.step()
    for ours in results:
        for p, q in zip(ours, reference):
            np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=2e-5, atol=2e-6)


def test_steps_have_one_graph_and_one_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = parameters("float32")
    optimizer = optim.AdamW(ours, lr=0.01)
    structures, original = [], run.realize

    def seen(nodes: Any, device: str) -> None:
        structures.append(structure(run.over_buffers(list(nodes), device)))
        original(nodes, device)

    x, y = Tensor(X.astype(np.float32)), Tensor(Y.astype(np.float32))
    for i in range(4):
        optimizer.set_lr(0.01 / (i + 1))
        loss(*ours, x, y).backward()
        monkeypatch.setattr(run, "realize", seen)
        optimizer.step()
        monkeypatch.setattr(run, "realize", original)
        optimizer.zero_grad()
    assert len(structures) == 4
    assert structures[1] == structures[2] == structures[3]


def test_state_continues_exactly() -> None:
    def train(optimizer: optim.Optimizer, params: list[Tensor], steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            loss(*params, Tensor(X), Tensor(Y)).backward()
            optimizer.step()

    for kind, settings in SETTINGS.values():
        first = parameters()
        a = getattr(optim, kind)(first, **settings)
        train(a, first, 3)
        a.set_lr(0.007)
        second = [Tensor(p.numpy(), requires_grad=True) for p in first]
        b = getattr(optim, kind)(second, **settings)
        assert list(b.state_dict()) == list(a.state_dict()), "also before the first step"
        b.load_state_dict({name: t.numpy() for name, t in a.state_dict().items()})
        train(a, first, 3)
        train(b, second, 3)
        for p, q in zip(first, second):
            assert p.tolist() == q.tolist()


def test_a_state_that_does_not_fit_is_refused() -> None:
    optimizer = optim.Adam(parameters())
    state = dict(optimizer.state_dict())
    state["exp_avg.0.0"] = Tensor.zeros(5)
    del state["lr.0"]
    with pytest.raises(ArgumentError, match=r"lr.0: missing") as error:
        optimizer.load_state_dict({**state, "x": Tensor([1])})
    assert "x: not expected" in str(error.value)
    assert "exp_avg.0.0: shape [5]" in str(error.value)


def test_groups_have_settings_of_their_own() -> None:
    w, b = parameters()
    optimizer = optim.SGD([{"params": [w], "lr": 1.0}, {"params": [b]}], lr=0.1)
    before = w.numpy(), b.numpy()
    (w.sum() + b.sum()).backward()
    optimizer.step()
    np.testing.assert_allclose(w.numpy(), before[0] - 1)
    np.testing.assert_allclose(b.numpy(), before[1] - 0.1)
    optimizer.param_groups[0]["lr"] = 2.0
    assert [g["lr"] for g in optimizer.param_groups] == [2.0, 0.1]
    optimizer.step()
    np.testing.assert_allclose(w.numpy(), before[0] - 3)
    assert "group 1: 1 parameters, lr=0.1" in repr(optimizer)


def test_parameters_without_gradient_stay() -> None:
    w, b = parameters()
    optimizer = optim.AdamW([w, b], weight_decay=0.5)
    b.sum().backward()
    before = w.numpy()
    optimizer.step()
    np.testing.assert_array_equal(w.numpy(), before)
    optimizer.zero_grad(set_to_none=False)
    assert b.grad is not None
    assert b.grad.tolist() == [0, 0]
    optimizer.zero_grad()
    assert b.grad is None
    optimizer.step()


def test_half_precision_parameters_keep_wide_state() -> None:
    w = Tensor(W, dtype=dtypes.float16, requires_grad=True)
    optimizer = optim.AdamW([w], lr=0.1)
    (w * 1e-4).sum().backward()
    optimizer.step()
    assert w.dtype is dtypes.float16
    assert optimizer.state["exp_avg.0.0"].dtype is dtypes.float32
    np.testing.assert_allclose(w.numpy(), W * (1 - 0.001) - 0.1, rtol=2e-3, atol=2e-3)


def test_what_makes_no_sense_is_refused() -> None:
    w, b = parameters()
    for params in ([], [w, w], [w * 2], [Tensor([1.0])], [{"params": []}], [{"params": [w], "speed": 1}]):
        with pytest.raises(ArgumentError):
            optim.SGD(params)  # type: ignore[arg-type]
    for settings in ({"lr": -1.0}, {"weight_decay": -1.0}, {"nesterov": True}):
        with pytest.raises(ArgumentError):
            optim.SGD([w], **settings)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="betas"):
        optim.Adam([b], betas=(1.0, 0.5))
    with pytest.raises(GradientError, match="no_grad"):
        w += 1


@pytest.mark.parametrize("norm_type", [2.0, float("inf"), 1, 3.0, 0.5, 0, float("-inf"), "inf"])
@pytest.mark.parametrize("max_norm", [0.1, 100.0])
def test_clipping_by_norm(norm_type: Any, max_norm: float) -> None:
    ours, theirs = parameters(), [torch.tensor(v, requires_grad=True) for v in (W, B)]
    loss(*ours, Tensor(X), Tensor(Y)).backward()
    loss(*theirs, torch.tensor(X), torch.tensor(Y)).backward()
    total = nn.clip_grad_norm_(ours, max_norm, norm_type)
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type)
    assert total.item() == pytest.approx(expected.item(), rel=1e-12)
    for p, q in zip(ours, theirs):
        assert p.grad is not None
        assert q.grad is not None
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-12)


def test_clipping_by_value_and_of_nothing() -> None:
    w, _ = parameters()
    assert optim.clip_grad_norm_([w], 1.0).item() == 0
    (w * Tensor([[5.0, -5.0, 0.5]] * 2)).sum().backward()
    optim.clip_grad_value_(w, 1.0)
    assert w.grad is not None
    assert w.grad.tolist() == [[1, -1, 0.5]] * 2
    with pytest.warns(FutureWarning, match="clip_grad_norm_"):
        assert nn.utils.clip_grad_norm(w, 2.0).item() == pytest.approx(4.5**0.5)
    nan = Tensor([1.0, float("nan")], requires_grad=True)
    nan.square().sum().backward()
    with pytest.raises(RuntimeError, match="is nan"):
        optim.clip_grad_norm_(nan, 1.0, error_if_nonfinite=True)
    assert np.isnan(optim.clip_grad_norm_((p for p in [nan]), 1.0).item()) and np.isnan(nan.grad.numpy()).all()
    half = Tensor([300.0] * 4, dtype=dtypes.float16, requires_grad=True)
    (half * half).sum().backward()
    assert optim.clip_grad_norm_([half], 1.0).item() == pytest.approx(1200, rel=1e-2), "squares overflow in float16"


def test_a_network_learns_xor(device: str) -> None:
    from lazygrad import manual_seed

    manual_seed(1)
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)).to(device)
    x = Tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], device=device)
    y = Tensor([[0.0], [1.0], [1.0], [0.0]], device=device)
    optimizer = optim.AdamW(net.parameters(), lr=0.05, weight_decay=0.0)

    @jit
    def step() -> Tensor:
        value = net(x).binary_cross_entropy_with_logits(y)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return value.detach()

    for _ in range(200):
        value = step()
    assert value.item() < 0.05
    assert (net(x) > 0).float().tolist() == y.tolist()


def test_a_step_over_many_parameters_is_a_few_launches() -> None:
    rng = np.random.default_rng(0)
    ours = [Tensor(rng.standard_normal((8, k % 4 + 1)), device="OPENCL", requires_grad=True) for k in range(40)]
    optimizer = optim.AdamW(ours, lr=0.01)
    theirs = [torch.tensor(p.numpy(), requires_grad=True) for p in ours]
    reference = torch.optim.AdamW(theirs, lr=0.01)
    for _ in range(2):
        for p, q in zip(ours, theirs):
            gradient = rng.standard_normal(p.numpy().shape)
            p.grad, q.grad = Tensor(gradient, device="OPENCL"), torch.tensor(gradient)
        before = stats().kernels
        optimizer.step()
        reference.step()
        assert stats().kernels - before <= 8
    for p, q in zip(ours, theirs):
        np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-9, atol=1e-12)
