"""einops' functions and layers on tensors, against NumPy and PyTorch."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import einops
import einops.array_api
import einops.layers.torch
import numpy as np
import pytest
import torch

from lazygrad import Tensor, Variable, einops_backend, jit
from lazygrad.nn import einops as layers

X = np.random.default_rng(0).normal(size=(4, 6, 2, 3))
CASES: dict[str, Callable[[Any], Any]] = {
    "rearrange": lambda x: einops.rearrange(x, "b (h h2) w c -> (b h) (w c) h2", h2=2),
    "order": lambda x: einops.rearrange(x, "b h w c -> c w h b"),
    "ellipsis": lambda x: einops.rearrange(x, "b ... -> ... b"),
    "new axes": lambda x: einops.rearrange(x, "b h w c -> b 1 h (w c) 1"),
    "a list": lambda x: einops.rearrange([x, x], "two b h w c -> b two h (w c)"),
    "repeat": lambda x: einops.repeat(x, "b h w c -> b (h 2) r w c", r=3),
    "min": lambda x: einops.reduce(x, "b h w c -> b c", "min"),
    "max": lambda x: einops.reduce(x, "b (h 2) w c -> b h c", "max"),
    "sum": lambda x: einops.reduce(x, "b h w c -> 1 h 1 1", "sum"),
    "mean": lambda x: einops.reduce(x, "... c -> ...", "mean"),
    "prod": lambda x: einops.reduce(x, "b h w c -> b", "prod"),
    "any": lambda x: einops.reduce(x > 1, "b h w c -> b c", "any"),
    "all": lambda x: einops.reduce(x > -1, "b h w c -> b c", "all"),
    "einsum": lambda x: einops.einsum(x, x, "b h w c, b i w c -> b h i"),
    "pack": lambda x: einops.pack([x, x[:, 0]], "b * c")[0],
    "unpack": lambda x: einops.unpack(x, [(2,), (4,)], "b * w c")[1],
    "array API": lambda x: einops.array_api.rearrange(x, "b (h h2) w c -> (b h) (w c) h2", h2=2),
    "array API, mean": lambda x: einops.array_api.reduce(x, "b h w c -> c b", "mean"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_functions(case: Callable[[Any], Any]) -> None:
    got, want = case(Tensor(X)), case(X)
    assert isinstance(got, Tensor)
    np.testing.assert_allclose(got.numpy(), want)


def test_gradients_jit_and_devices(device: str) -> None:
    def loss(x: Any) -> Any:
        return (einops.reduce(einops.rearrange(x, "b h w c -> (b w) h c"), "n h c -> n", "max") ** 2).sum()

    x, theirs = Tensor(X, device=device, requires_grad=True), torch.tensor(X, requires_grad=True)
    loss(x).backward()
    loss(theirs).backward()
    assert x.grad is not None
    assert theirs.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), theirs.grad.numpy())
    compiled = jit(loss)
    for _ in range(3):
        np.testing.assert_allclose(compiled(x.detach()).item(), loss(theirs).item())


def test_sizes_with_variables() -> None:
    n = Variable("n", 1, 8)
    x = Tensor(X[:, 0, :, :].reshape(8, 3)).shrink(((0, n.bind(4)), (0, 3)))
    np.testing.assert_allclose(einops.rearrange(x, "n c -> c n 1").numpy()[..., 0], X[:, 0].reshape(8, 3)[:4].T)


def test_layers() -> None:
    x, theirs = Tensor(X.astype("float32")), torch.from_numpy(X.astype("float32"))
    of_torch = einops.layers.torch
    for name, pattern, options in (
        ("Rearrange", ("b h w c -> b (h w c)",), {}),
        ("Reduce", ("b h w c -> b c", "max"), {}),
    ):
        got = getattr(layers, name)(*pattern, **options)(x)
        np.testing.assert_array_equal(got.numpy(), getattr(of_torch, name)(*pattern, **options)(theirs).numpy())
    mixes = [m.EinMix("b h w c -> b (h w) d", "c d", "d", c=3, d=5) for m in (layers, of_torch)]
    mixes[0].load_state_dict({k: Tensor(v.detach().numpy()) for k, v in mixes[1].state_dict().items()})
    np.testing.assert_allclose(mixes[0](x).numpy(), mixes[1](theirs).detach().numpy(), rtol=1e-5, atol=1e-6)
    assert [name for name, _ in mixes[0].named_parameters()] == [name for name, _ in mixes[1].named_parameters()]
    for layer in (mixes[0], layers.Rearrange("b h w c -> b (h w c)"), layers.EinMix("b h w c -> b h w c", "c", c=3)):
        np.testing.assert_array_equal(copy.deepcopy(layer)(x).numpy(), layer(x).numpy())
        assert repr(layer).startswith(type(layer).__name__)
    assert float(mixes[0].weight.abs().max()) <= 1.0  # sqrt(3 / fan in)
    assert einops._backends.get_backend(x).layers() is layers


def test_the_backend_is_made_once() -> None:
    for _ in range(3):
        einops_backend.expect_einops()
    made = [b for b in einops._backends.AbstractBackend.__subclasses__() if b.framework_name == "lazygrad"]
    assert len(made) == 1
    backend = einops._backends.get_backend(Tensor([1.0]))
    assert backend.from_numpy(np.ones(2)).requires_grad
    assert backend.tile(Tensor([1, 2]), (2,)).tolist() == [1, 2, 1, 2]
    assert backend.arange(1, 3).tolist() == [1, 2]
    assert einops.asnumpy(Tensor([1.0], requires_grad=True)).tolist() == [1.0]
    assert einops.parse_shape(Tensor(X), "b h _ c") == {"b": 4, "h": 6, "c": 3}


@pytest.mark.parametrize("imports", ["lazygrad, einops", "einops, lazygrad"])
def test_either_is_imported_first(imports: str) -> None:
    code = (
        f"import sys, {imports}\n"
        "print(einops.rearrange(lazygrad.Tensor([[1, 2]], device='NUMPY'), 'a b -> b a').tolist())\n"
        "print([type(f).__name__ for f in sys.meta_path].count('Waiting'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[[1], [2]]\n0\n", "")


def test_einops_is_not_imported_without_need() -> None:
    code = "import sys, lazygrad, lazygrad.nn; print('einops' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
