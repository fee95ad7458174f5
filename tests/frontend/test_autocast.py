"""`autocast` against PyTorch's on PyTorch's own samples, `GradScaler`, and the other modes that a program sets."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch

import lazygrad
from lazygrad import Tensor, amp, autocast, dtypes, jit, nn, optim
from lazygrad.errors import ArgumentError, DTypeError, GradientError
from lazygrad.ops.autocast import LISTS, POLICIES
from lazygrad.settings import settings
from tests.peers import opinfo

_MORE_PRECISE = "its last products are not rounded to 16 bits"
DIFFERENT = {
    "linalg.pinv": _MORE_PRECISE,
    "svd_lowrank": _MORE_PRECISE,
    "pca_lowrank": _MORE_PRECISE,
    "linalg.pinv.hermitian": _MORE_PRECISE,
    "tensordot": "PyTorch rounds a product of matrices to 16 bits, but not one of vectors",
    "nn.functional.multi_head_attention_forward": "a mask in float32 is added to scores, which are float32 then",
    "masked.prod": "PyTorch's masked.prod is made of its prod",
    "matrix_exp": "refused in 16 bits, with or without autocast",
    "as_strided.partial_views": "the sample is a view of a part",
    "zero_": "the sample is a leaf",
    **dict.fromkeys(
        ("nn.functional.linear_cross_entropy.chunked", "nn.functional.linear_cross_entropy.chunked_none"),
        "PyTorch's in chunks is not made of its operations",
    ),
}


@pytest.fixture(autouse=True)
def _on_numpy() -> Iterator[None]:
    with settings.override(device="NUMPY"):
        yield


def _wrong(sample: Any, low: str, values: bool) -> str:
    """What differs under autocast to `low`."""
    theirs_dtype, where = getattr(torch, low), f"{sample} of {sample.arguments[0]!r:.60}"
    try:
        with torch.autocast("cpu", dtype=theirs_dtype):
            theirs = opinfo.flat(sample.theirs(*sample.arguments, **sample.options))
    except Exception:  # noqa: BLE001 - PyTorch does not offer it
        return ""
    arguments, options = opinfo.converted((sample.arguments, sample.options), [])
    with autocast("cpu", low):
        ours = opinfo.flat(sample.ours(*arguments, **options))
    for x, y in zip(ours, theirs):
        if isinstance(y, torch.Tensor):
            if str(x.dtype) != str(y.dtype).removeprefix("torch."):
                return f"{where}: {x.dtype} instead of {y.dtype}"
            if values and y.dtype.is_floating_point and not opinfo.is_random(sample):
                wanted, got = y.detach().double().numpy(), x.detach().double().numpy()
                finite = np.abs(wanted[np.isfinite(wanted)]).max(initial=1.0)
                if not np.allclose(got, wanted, atol=0.03 * finite, rtol=0.03, equal_nan=True):
                    return f"{where}: {got!r:.80} instead of {wanted!r:.80}"
    return ""


_NAMES = sorted(opinfo.operations())


@pytest.mark.parametrize("part", range(8))
def test_dtypes_are_pytorchs(part: int) -> None:
    """Every operation, also those that are on no list: they give what they are given."""
    wrong = []
    for name in _NAMES[part::8]:
        for given in (torch.float32, torch.bfloat16):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for sample in islice(opinfo.samples(name, given), 1):
                    if name not in DIFFERENT and (problem := _wrong(sample, "bfloat16", values=False)):
                        wrong.append(problem)
    assert not wrong, "\n".join(wrong)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("low", ["bfloat16", "float16"])
def test_values_of_the_lists_are_pytorchs(low: str) -> None:
    listed = [n for n in _NAMES if n.partition("linalg.")[2] in POLICIES["cpu"] or n.split(".")[-1] in POLICIES["cpu"]]
    assert len(listed) > 60
    wrong = [
        problem
        for name in listed if name not in DIFFERENT and not name.startswith("linalg.eig")
        for sample in islice(opinfo.samples(name, torch.float32), 2)
        if (problem := _wrong(sample, low, values=True))
    ]  # fmt: skip
    assert not wrong, "\n".join(wrong)


def test_lists_name_operations() -> None:
    rooms = (Tensor, nn.functional, lazygrad.linalg, lazygrad)
    for kind in LISTS:
        missing = [n for n in POLICIES[kind] if not any(hasattr(room, n) for room in rooms)]
        assert not missing, (kind, missing)


def test_lists_of_cuda() -> None:
    """PyTorch's lists for CUDA, whose tensors are emulated: dtypes are known before anything is computed."""
    x = Tensor.ones(4, 4, device="CUDA_EMULATED", dtype="float16")
    y = x.float()
    with autocast("cuda"):
        assert {(y @ y).dtype, y.mm(y).dtype, nn.functional.linear(y, y).dtype, y.prelu(y[0]).dtype} == {dtypes.float16}
        wide = [x.exp(), x.softmax(-1), x**2, 1 / x, x.sum(), x.cumsum(0), x.norm(), nn.functional.mse_loss(x, x)]
        assert {t.dtype for t in wide} == {dtypes.float32}
        assert {t.dtype for t in (x.gelu(), x.tanh(), x.mean(), x.sigmoid(), x.relu(), x + x)} == {dtypes.float16}
        assert x.addcmul(x, y).dtype is lazygrad.cat([x, y]).dtype is dtypes.float32
        assert x.addcmul(x, x).dtype is dtypes.float16
    with autocast("cpu"):
        assert (y @ y).dtype is dtypes.float32  # is on another kind of device


def test_where_it_is_in_force() -> None:
    x = Tensor.ones(2, 2)
    product = autocast("cpu", dtypes.float16)(lambda: (x @ x).dtype)
    assert product() is dtypes.float16
    with autocast("cpu"):
        assert product() is dtypes.float16
        assert (x @ x).dtype is (x.double().float() @ x).dtype is dtypes.bfloat16
        assert (x.double() @ x.double()).dtype is dtypes.float64
        assert (x.long() @ x.long()).dtype is dtypes.int64
        with autocast("cpu", enabled=False):
            assert (x @ x).dtype is dtypes.float32
            assert not lazygrad.is_autocast_enabled("cpu")
        seen: list[Any] = []
        thread = threading.Thread(target=lambda: seen.append((x @ x).dtype))
        thread.start()
        thread.join()
        assert seen == [dtypes.float32]
        assert lazygrad.get_autocast_dtype("cpu") is dtypes.bfloat16
    assert (x @ x).dtype is dtypes.float32
    with pytest.raises(ZeroDivisionError), autocast("cpu"):
        1 / 0
    assert not lazygrad.is_autocast_enabled("cpu")
    with pytest.raises(ArgumentError, match="device_type"):
        autocast("tpu")
    with pytest.raises(DTypeError, match="not to float64"):
        autocast("cpu", "float64")


def test_gradients_are_of_the_parameters_dtype() -> None:
    torch.manual_seed(0)
    theirs = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.GELU(), torch.nn.Linear(8, 3))
    ours = nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 3))
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    data, classes = torch.randn(5, 6), torch.tensor([0, 1, 2, 0, 1])
    with torch.autocast("cpu"):
        wanted = torch.nn.functional.cross_entropy(theirs(data), classes)
    with autocast("cpu"):
        loss = nn.functional.cross_entropy(ours(Tensor(data.numpy())), Tensor(classes.numpy()))
    wanted.backward()
    loss.backward()
    assert loss.dtype is dtypes.float32
    np.testing.assert_allclose(loss.item(), wanted.item(), rtol=0.02)
    for p, t in zip(ours.parameters(), theirs.parameters()):
        assert p.grad.dtype is p.dtype is dtypes.float32
        np.testing.assert_allclose(p.grad.numpy(), t.grad.numpy(), atol=0.01)


@pytest.mark.parametrize("layer", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_nets(layer: Any) -> None:
    net, x = layer(3, 4), Tensor.randn(5, 2, 3)
    with autocast("cpu"):
        y, _ = net(x)
    wanted, _ = net(x)
    np.testing.assert_allclose(y.float().numpy(), wanted.numpy(), atol=0.02)
    y.float().sum().backward()
    assert {p.grad.dtype for p in net.parameters()} == {dtypes.float32}


def test_jit_traces_again_for_another_mode() -> None:
    f, x = jit(lambda x: x @ x), Tensor.ones(3, 3)
    for _ in range(4):
        assert f(x).dtype is dtypes.float32
        with autocast("cpu"):
            assert f(x).dtype is dtypes.bfloat16
        with autocast("cpu", "float16"):
            assert f(x).dtype is dtypes.float16
    inside = jit(autocast("cpu")(lambda x: x @ x))
    assert [inside(x).dtype for _ in range(3)] == [dtypes.bfloat16] * 3


# ---- scaled losses ----


def _training(torch_too: bool, steps: int, jitted: bool = False) -> tuple[list[Any], list[Any]]:
    """Parameters and factors after each step, some of whose gradients overflow."""
    start = np.linspace(-1, 1, 6).astype(np.float32)
    scales = [1.0, 2.0, np.inf, 0.5, 1.0, np.nan, 1.0, 3.0, 1.0][:steps]
    options = {"init_scale": 8.0, "growth_factor": 4.0, "backoff_factor": 0.25, "growth_interval": 2}
    if torch_too:
        w, scaler = torch.tensor(start, requires_grad=True), torch.amp.GradScaler("cpu", **options)
        optimizer: Any = torch.optim.Adam([w], lr=0.1)
    else:
        w, scaler = Tensor(start, requires_grad=True), amp.GradScaler("cpu", **options)  # type: ignore[assignment]
        optimizer = optim.Adam([w], lr=0.1)

    def step(factor: Any) -> None:
        optimizer.zero_grad()
        scaler.scale((w * w * factor).sum()).backward()
        scaler.step(optimizer)
        scaler.update()

    run = jit(step) if jitted else step
    seen, factors = [], []
    for factor in scales:
        run(torch.tensor(factor) if torch_too else Tensor(factor, dtype="float32"))
        seen.append(w.detach().numpy().copy())
        factors.append(scaler.get_scale())
    return seen, factors


@pytest.mark.parametrize("jitted", [False, True])
def test_scaled_training_is_pytorchs(jitted: bool) -> None:
    """Steps that overflow change neither parameters nor the optimizer's state, also where nothing is read."""
    (ours, factors), (theirs, wanted) = _training(False, 9, jitted), _training(True, 9)
    assert factors == wanted
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_gradients_are_unscaled_once() -> None:
    w = Tensor([1.0, 2.0], requires_grad=True)
    optimizer, scaler = optim.SGD([w], lr=0.5), amp.GradScaler(init_scale=4.0)
    with pytest.raises(GradientError, match="nothing was scaled"):
        scaler.unscale_(optimizer)
    with pytest.raises(GradientError, match="no gradients were unscaled"):
        scaler.update()
    losses = scaler.scale([w.sum(), {"more": (2 * w).sum()}])
    assert (losses[0].item(), losses[1]["more"].item()) == (12.0, 24.0)
    losses[0].backward()
    scaler.unscale_(optimizer)
    assert w.grad.tolist() == [1.0, 1.0]
    with pytest.raises(GradientError, match="already"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    assert w.tolist() == [0.5, 1.5]
    with pytest.raises(GradientError, match="already"):
        scaler.step(optimizer)
    scaler.update(new_scale=16.0)
    assert scaler.get_scale() == 16.0
    with pytest.raises(ArgumentError, match="growth_factor"):
        amp.GradScaler(growth_factor=1.0)


def test_the_scalers_state_is_pytorchs() -> None:
    w = Tensor([1.0], requires_grad=True)
    optimizer, scaler = optim.SGD([w], lr=0.5), amp.GradScaler(init_scale=4.0, growth_interval=3)
    scaler.scale(w.sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    state = scaler.state_dict()
    theirs = torch.amp.GradScaler("cpu")
    theirs.load_state_dict(state)
    assert theirs.state_dict() == state
    for used in (False, True):
        again = amp.GradScaler()
        if used:
            again.scale(w)
        again.load_state_dict(state)
        assert again.state_dict() == state
        assert again.scale(w).item() == 4 * w.item()
    off = amp.GradScaler(enabled=False)
    assert (off.state_dict(), off.get_scale(), off.scale(w) is w) == ({}, 1.0, True)
    off.step(optimizer)
    off.update()


# ---- gradients on and off, and the default dtype ----


def test_modes_may_be_entered_again() -> None:
    """An object that was nested in another one is in force where it stands alone, and in an ExitStack."""
    off, on = lazygrad.no_grad(), lazygrad.enable_grad()
    with on, off:
        pass
    with off:
        assert not lazygrad.is_grad_enabled()
    with contextlib.ExitStack() as stack:
        for m in (off, on, off):
            stack.enter_context(m)
        assert not lazygrad.is_grad_enabled()
    assert lazygrad.is_grad_enabled()


def test_set_grad_enabled_is_pytorchs() -> None:
    def program(m: Any) -> list[bool]:
        seen = []
        m.set_grad_enabled(False)
        seen.append(m.is_grad_enabled())
        with m.set_grad_enabled(True):
            seen.append(m.is_grad_enabled())
            m.set_grad_enabled(False)
            seen.append(m.is_grad_enabled())
        seen.append(m.is_grad_enabled())
        with m.no_grad():
            m.set_grad_enabled(True)
            seen.append(m.is_grad_enabled())
        seen.append(m.is_grad_enabled())
        m.set_grad_enabled(True)
        around = m.set_grad_enabled(False)(m.is_grad_enabled)
        seen += [m.is_grad_enabled(), around(), m.is_grad_enabled()]
        with m.set_grad_enabled(False):
            seen.append((m.ones(1, requires_grad=True) * 2).requires_grad)
        return [*seen, m.is_grad_enabled()]

    assert program(lazygrad) == program(torch)


NEW = {
    "list": lambda m: (m.tensor if m is torch else Tensor)([1.5]),
    "zeros": lambda m: m.zeros(2),
    "arange": lambda m: m.arange(0.0, 2.0),
    "integers": lambda m: m.arange(3),
    "linspace": lambda m: m.linspace(0, 1, 3),
    "full": lambda m: m.full((2,), 1.5),
    "rand": lambda m: m.rand(2),
    "eye": lambda m: m.eye(2),
    "integers by a float": lambda m: m.arange(3) + 0.5,
    "quotient": lambda m: m.arange(3) / 2,
    "exp": lambda m: m.arange(3).exp(),
    "atan2": lambda m: m.atan2(m.arange(3), m.arange(3)),
    "a float32": lambda m: m.ones(2, dtype=m.float32 if m is torch else dtypes.float32) + 0.5,
    "linear": lambda m: m.nn.Linear(2, 3).weight,
    "conv": lambda m: m.nn.Conv2d(1, 2, 3).weight,
    "norm": lambda m: m.nn.LayerNorm(3).weight,
    "lstm": lambda m: m.nn.LSTM(2, 3).weight_ih_l0,
    "attention": lambda m: m.nn.MultiheadAttention(4, 2).in_proj_weight,
    "embedding": lambda m: m.nn.Embedding(4, 2).weight,
    "batch norm": lambda m: m.nn.BatchNorm1d(3).running_mean,
}


@pytest.mark.parametrize("dtype", ["float64", "float16", "float32"])
def test_default_dtype(dtype: str) -> None:
    made = {}
    try:
        for m in (torch, lazygrad):
            m.set_default_dtype(getattr(m if m is torch else dtypes, dtype))
            made[m] = {name: str(f(m).dtype).removeprefix("torch.") for name, f in NEW.items()}
            assert str(m.get_default_dtype()).removeprefix("torch.") == dtype
    finally:
        torch.set_default_dtype(torch.float32)
        lazygrad.set_default_dtype("float32")
    assert made[lazygrad] == made[torch]
    with pytest.raises(DTypeError, match="no floating dtype"):
        lazygrad.set_default_dtype("int32")


def test_jit_notices_the_default_dtype() -> None:
    f, x = jit(lambda x: Tensor.ones(2) * x), Tensor([1, 2])
    for _ in range(3):
        try:
            assert f(x).dtype is dtypes.float32
            lazygrad.set_default_dtype("float64")
            assert f(x).dtype is dtypes.float64
        finally:
            lazygrad.set_default_dtype("float32")
