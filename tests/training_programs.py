"""Random small nets trained for a few steps, mirrored in PyTorch: any layers, losses, optimizers, with jit or without.

A net is a list of layers, which both libraries make from one name and the same arguments. Everything is float64,
and after the last step parameters, buffers and the losses of all steps are compared.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional
from numpy.typing import NDArray

import lazygrad
from lazygrad import Tensor, dtypes, jit, optim

Data = NDArray[Any]
STEPS = 4
TOLERANCE = 1e-7  # a few steps through normalizations and Adam's divisions enlarge what rounding leaves


@dataclass(frozen=True)
class Layer:
    """`name` of either `nn`, or of `_blocks`, with these arguments; `sized`: it has parameters."""

    name: str
    arguments: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    sized: bool = True

    def made(self, nn: Any, float64: Any) -> Any:
        kind = _blocks(nn).get(self.name) or getattr(nn, self.name)
        return kind(*self.arguments, **self.options, **({"dtype": float64} if self.sized else {}))

    def __str__(self) -> str:
        options = [f"{k}={v}" for k, v in self.options.items()]
        return f"{self.name}({', '.join([*map(str, self.arguments), *options])})"


def _blocks(nn: Any) -> dict[str, Any]:
    """Layers that are written once for both libraries."""

    class Attention(nn.Module):  # type: ignore[misc]
        """A residual block over (batch, time, width)."""

        def __init__(self, width: int, heads: int, causal: bool, dtype: Any) -> None:
            super().__init__()
            self.norm, self.heads, self.causal = nn.LayerNorm(width, dtype=dtype), heads, causal
            self.inner, self.outer = nn.Linear(width, 3 * width, dtype=dtype), nn.Linear(width, width, dtype=dtype)

        def forward(self, x: Any) -> Any:
            batch, time, width = x.shape
            parts = self.inner(self.norm(x)).reshape(batch, time, 3, self.heads, width // self.heads)
            q, k, v = (parts[:, :, part].permute(0, 2, 1, 3) for part in range(3))
            scores = q @ k.permute(0, 1, 3, 2) / (width // self.heads) ** 0.5
            if self.causal:
                scores = scores + _numbers(x, np.triu(np.full((time, time), -1e9), 1))
            mixed = scores.softmax(-1) @ v
            return x + self.outer(mixed.permute(0, 2, 1, 3).reshape(batch, time, width))

    class Residual(nn.Module):  # type: ignore[misc]
        """x + a layer of tanh of another one of x."""

        def __init__(self, width: int, dtype: Any) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(width, 2 * width, dtype=dtype), nn.Linear(2 * width, width, dtype=dtype)

        def forward(self, x: Any) -> Any:
            return x + self.second(self.first(x).tanh())

    class Mean(nn.Module):  # type: ignore[misc]
        """Over the second axis."""

        def forward(self, x: Any) -> Any:
            return x.mean(1)

    return {"Attention": Attention, "Residual": Residual, "Mean": Mean}


def _numbers(like: Any, values: Data) -> Any:
    return torch.tensor(values) if isinstance(like, torch.Tensor) else Tensor(values)


@dataclass
class Training:
    """What `training` made."""

    seed: int
    layers: list[Layer]
    inputs: list[Data]  # of every step
    targets: list[Data]
    loss: str
    optimizer: str
    settings: dict[str, Any]
    clip: float | None
    jitted: bool
    start: dict[str, Data] = field(default_factory=dict)  # PyTorch's parameters before the first step

    def __str__(self) -> str:
        how = f"{self.optimizer}({self.settings}), clip {self.clip}, {'jitted' if self.jitted else 'plain'}"
        net = ", ".join(map(str, self.layers))
        shapes = f"{self.inputs[0].dtype} {self.inputs[0].shape} -> {self.targets[0].shape}"
        return f"training({self.seed}): {net}; {shapes}; {self.loss}; {how}"

    def theirs(self) -> tuple[dict[str, Data], list[float]]:
        """PyTorch's parameters and buffers after all steps, and the losses."""
        torch.manual_seed(self.seed)
        net = torch.nn.Sequential(*(layer.made(torch.nn, torch.float64) for layer in self.layers))
        self.start = {k: v.detach().clone().numpy() for k, v in net.state_dict().items()}
        optimizer = getattr(torch.optim, self.optimizer)(net.parameters(), **self.settings)
        losses = []
        for x, y in zip(self.inputs, self.targets):
            optimizer.zero_grad()
            loss = getattr(torch.nn.functional, self.loss)(net(torch.tensor(x)), torch.tensor(y))
            loss.backward()
            if self.clip is not None:
                torch.nn.utils.clip_grad_norm_(net.parameters(), self.clip)
            optimizer.step()
            losses.append(loss.item())
        return {k: v.detach().numpy() for k, v in net.state_dict().items()}, losses

    def ours(self) -> tuple[Any, list[Tensor]]:
        """lazygrad's net after all steps, nothing of which need have been computed, and the losses."""
        net = lazygrad.nn.Sequential(*(layer.made(lazygrad.nn, dtypes.float64) for layer in self.layers))
        net.load_state_dict(self.start)
        optimizer = getattr(optim, self.optimizer)(net.parameters(), **self.settings)

        def step(x: Tensor, y: Tensor) -> Tensor:
            optimizer.zero_grad()
            loss: Tensor = getattr(net(x), self.loss)(y)
            loss.backward()
            if self.clip is not None:
                optim.clip_grad_norm_(net.parameters(), self.clip)
            optimizer.step()
            return loss

        taken: Callable[..., Tensor] = jit(step) if self.jitted else step
        losses = []
        for x, y in zip(self.inputs, self.targets):
            losses.append(taken(Tensor(x), Tensor(y)))
            if not self.jitted and self.seed % 3:
                Tensor.realize(losses[-1], *net.parameters())
        return net, losses


def training(seed: int, size: int = 2) -> Training:
    """A net with about `size` hidden blocks; the same arguments give the same one."""
    rng = random.Random(seed)
    batch, outputs = rng.choice((2, 3, 8, 17)), rng.choice((1, 2, 5, 10))
    net = rng.choice((_dense, _dense, _convolutional, _sequential))(rng, size)
    layers = [*net.layers, Layer("Linear", (net.width, outputs), {"bias": rng.random() < 0.8})]
    numbers = np.random.default_rng(rng.getrandbits(32))
    loss = rng.choice([n for n in _TARGETS if n != "cross_entropy" or outputs > 1])
    inputs = [_input(numbers, (batch, *net.shape), net.words) for _ in range(STEPS)]
    targets = [_TARGETS[loss](numbers, batch, outputs) for _ in range(STEPS)]
    optimizer, settings = _optimizer(rng)
    clip = rng.choice((None, None, 0.1, 10.0))
    return Training(seed, layers, inputs, targets, loss, optimizer, settings, clip, rng.random() < 0.5)


def _input(numbers: np.random.Generator, shape: tuple[int, ...], words: int) -> Data:
    return numbers.integers(0, words, shape) if words else numbers.standard_normal(shape)


@dataclass
class Net:
    """Layers over inputs of `shape` (without the batch), or indices of so many `words`; they end in rows of `width`."""

    shape: tuple[int, ...]
    width: int
    layers: list[Layer] = field(default_factory=list)
    words: int = 0


def _activation(rng: random.Random) -> Layer:
    name = rng.choice(("ReLU", "Tanh", "Sigmoid", "GELU", "SiLU", "ELU", "LeakyReLU", "Softplus"))
    return Layer(name, sized=False)


def _dense(rng: random.Random, size: int) -> Net:
    net = Net(shape=(width := rng.choice((1, 3, 7, 16)),), width=width)
    for _ in range(rng.randint(1, size + 1)):
        width = rng.choice((2, 5, 8, 16, 33))
        net.layers.append(Layer("Linear", (net.width, width), {"bias": rng.random() < 0.7}))
        normal = rng.choice(("LayerNorm", "BatchNorm1d", "RMSNorm", "Residual", None, None))
        if normal is not None:
            net.layers.append(Layer(normal, (width,), {"eps": 1e-3} if normal != "Residual" else {}))
        net.layers.append(_activation(rng))
        net.width = width
    return net


def _convolutional(rng: random.Random, size: int) -> Net:
    channels, height, width = rng.choice((1, 2, 3)), rng.randint(4, 9), rng.randint(4, 9)
    net = Net(shape=(channels, height, width), width=0)
    for _ in range(rng.randint(1, size)):
        made, kernel = rng.choice((2, 4, 8)), rng.choice((1, 2, 3))
        padding, stride = rng.choice((0, 1)), rng.choice((1, 1, 2))
        if min(height, width) + 2 * padding < kernel:
            continue
        options = {"stride": stride, "padding": padding, "bias": rng.random() < 0.6}
        if channels % 2 == 0 and rng.random() < 0.3:
            options["groups"] = 2
        net.layers.append(Layer("Conv2d", (channels, made, kernel), options))
        height, width = ((n + 2 * padding - kernel) // stride + 1 for n in (height, width))
        channels = made
        normal = rng.choice(("BatchNorm2d", "GroupNorm", None))
        if normal is not None:
            net.layers.append(Layer(normal, (2, made) if normal == "GroupNorm" else (made,), {"eps": 1e-3}))
        net.layers.append(_activation(rng))
        if min(height, width) >= 2 and rng.random() < 0.5:
            net.layers.append(Layer(rng.choice(("MaxPool2d", "AvgPool2d")), (2,), sized=False))
            height, width = height // 2, width // 2
    net.layers.append(Layer("Flatten", sized=False))
    net.width = channels * height * width
    return net


def _sequential(rng: random.Random, size: int) -> Net:
    """Words, then blocks of attention and of two layers each, then the mean over time or all of it."""
    time, words, heads = rng.choice((1, 2, 5, 9)), rng.choice((3, 11, 300)), rng.choice((1, 2))
    width = heads * rng.choice((2, 4, 5))
    net = Net(shape=(time,), width=width, words=words, layers=[Layer("Embedding", (words, width))])
    for _ in range(rng.randint(1, size)):
        net.layers.append(Layer("Attention", (width, heads, rng.random() < 0.5)))
        if rng.random() < 0.6:
            net.layers.append(Layer("Residual", (width,)))
    if rng.random() < 0.5:
        net.layers.append(Layer("Mean", sized=False))
    else:
        net.layers.append(Layer("Flatten", sized=False))
        net.width = width * time
    return net


_TARGETS: dict[str, Callable[[np.random.Generator, int, int], Data]] = {
    "mse_loss": lambda numbers, batch, outputs: numbers.standard_normal((batch, outputs)),
    "l1_loss": lambda numbers, batch, outputs: numbers.standard_normal((batch, outputs)),
    "huber_loss": lambda numbers, batch, outputs: numbers.standard_normal((batch, outputs)) * 2,
    "cross_entropy": lambda numbers, batch, outputs: numbers.integers(0, outputs, (batch,)),
    "binary_cross_entropy_with_logits": lambda numbers, batch, outputs: numbers.uniform(0, 1, (batch, outputs)),
}  # fmt: skip


def _optimizer(rng: random.Random) -> tuple[str, dict[str, Any]]:
    name = rng.choice(("SGD", "SGD", "Adam", "AdamW"))
    settings: dict[str, Any] = {"lr": rng.choice((0.01, 0.1)), "weight_decay": rng.choice((0.0, 0.0, 0.01, 0.3))}
    if name == "SGD":
        momentum = rng.choice((0.0, 0.5, 0.9))
        return name, {**settings, "momentum": momentum, "nesterov": momentum > 0 and rng.random() < 0.5}
    return name, {**settings, "lr": 0.01, "betas": rng.choice(((0.9, 0.999), (0.5, 0.8))), "eps": 1e-4}


# ---- running them ----------------------------------------------------------------------------------


def compare(seeds: Sequence[int], size: int = 2) -> None:
    """Train the nets of `seeds` on the default device, and check them; AssertionError, with the net, if one differs."""
    made = [training(seed, size) for seed in seeds]
    expected = [t.theirs() for t in made]
    found = [t.ours() for t in made]
    Tensor.realize(*(x for net, losses in found for x in (*losses, *net.state_dict().values())))
    for t, (state, losses), (net, ours) in zip(made, expected, found):
        np.testing.assert_allclose([x.item() for x in ours], losses, TOLERANCE, TOLERANCE, err_msg=f"{t}: losses")
        own = net.state_dict()
        assert own.keys() == state.keys(), f"{t}: {sorted(own)} are not {sorted(state)}"
        for name, want in state.items():
            np.testing.assert_allclose(own[name].numpy(), want, TOLERANCE, TOLERANCE, err_msg=f"{t}: {name}")
