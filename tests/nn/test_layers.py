"""Layers, and a whole GPT block, against PyTorch in float64: values and every gradient to 1e-12."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from lazygrad import Tensor, dtypes, manual_seed, nn
from lazygrad.errors import ArgumentError, BoundsError, ShapeError

F64 = dtypes.float64
T = torch.nn


def images() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).normal(size=(2, 4, 6, 6))


def rows() -> np.ndarray[Any, Any]:
    return np.random.default_rng(1).normal(size=(2, 3, 4))


LAYERS: dict[str, tuple[Callable[[], nn.Module], Callable[[], T.Module], Callable[[], Any]]] = {
    "linear": (lambda: nn.Linear(4, 5), lambda: T.Linear(4, 5), rows),
    "linear_no_bias": (lambda: nn.Linear(4, 5, bias=False), lambda: T.Linear(4, 5, bias=False), rows),
    "embedding": (lambda: nn.Embedding(7, 3), lambda: T.Embedding(7, 3), lambda: np.array([[1, 6, 1], [0, 2, 1]])),
    "embedding_padded": (
        lambda: nn.Embedding(7, 3, padding_idx=1),
        lambda: T.Embedding(7, 3, padding_idx=1),
        lambda: np.array([[1, 6, 1], [0, 2, 1]]),
    ),
    "layer_norm": (lambda: nn.LayerNorm(4), lambda: T.LayerNorm(4), rows),
    "layer_norm_2": (lambda: nn.LayerNorm((3, 4), eps=1e-3), lambda: T.LayerNorm((3, 4), eps=1e-3), rows),
    "layer_norm_no_bias": (lambda: nn.LayerNorm(4, bias=False), lambda: T.LayerNorm(4, bias=False), rows),
    "layer_norm_plain": (
        lambda: nn.LayerNorm(4, elementwise_affine=False),
        lambda: T.LayerNorm(4, elementwise_affine=False),
        rows,
    ),
    "rms_norm": (lambda: nn.RMSNorm(4, eps=1e-6), lambda: T.RMSNorm(4, eps=1e-6), rows),
    "conv2d": (lambda: nn.Conv2d(4, 6, 3), lambda: T.Conv2d(4, 6, 3), images),
    "conv2d_all": (
        lambda: nn.Conv2d(4, 6, (3, 2), stride=2, padding=(1, 0), dilation=2, groups=2, bias=False),
        lambda: T.Conv2d(4, 6, (3, 2), stride=2, padding=(1, 0), dilation=2, groups=2, bias=False),
        images,
    ),
    "conv1d": (lambda: nn.Conv1d(3, 2, 3, padding="same"), lambda: T.Conv1d(3, 2, 3, padding="same"), rows),
    "max_pool": (lambda: nn.MaxPool2d(3, 2, 1), lambda: T.MaxPool2d(3, 2, 1), images),
    "avg_pool": (lambda: nn.AvgPool2d(2), lambda: T.AvgPool2d(2), images),
    "flatten": (lambda: nn.Flatten(), lambda: T.Flatten(), images),
    "unflatten": (lambda: nn.Unflatten(1, (2, 2)), lambda: T.Unflatten(1, (2, 2)), images),
    **{
        name.lower(): (
            lambda name=name, args=args: getattr(nn, name)(*args),
            lambda name=name, args=args: getattr(T, name)(*args),
            rows,
        )
        for name, args in [
            ("Identity", ()),
            ("ReLU", ()),
            ("LeakyReLU", (0.2,)),
            ("ELU", (0.5,)),
            ("GELU", ()),
            ("SiLU", ()),
            ("Tanh", ()),
            ("Sigmoid", ()),
            ("Softplus", (2.0,)),
            ("Softmax", (1,)),
        ]
    },
    "group_norm": (lambda: nn.GroupNorm(2, 4), lambda: T.GroupNorm(2, 4), images),
    "batch_norm_1d": (lambda: nn.BatchNorm1d(3), lambda: T.BatchNorm1d(3), rows),
    "batch_norm_1d_flat": (lambda: nn.BatchNorm1d(4), lambda: T.BatchNorm1d(4), lambda: rows().reshape(6, 4)),
    "batch_norm_2d": (lambda: nn.BatchNorm2d(4), lambda: T.BatchNorm2d(4), images),
    "batch_norm_plain": (lambda: nn.BatchNorm2d(4, affine=False), lambda: T.BatchNorm2d(4, affine=False), images),
    "gelu_tanh": (lambda: nn.GELU("tanh"), lambda: T.GELU("tanh"), rows),
}


def twin(ours: nn.Module, theirs: torch.nn.Module) -> None:
    """Both in float64 with PyTorch's parameters."""
    theirs.double()
    ours.to(F64).load_state_dict({name: t.detach().numpy() for name, t in theirs.state_dict().items()})


def same(ours: Tensor | None, theirs: torch.Tensor | None, what: str) -> None:
    assert ours is not None, what
    assert theirs is not None, what
    assert ours.shape == tuple(theirs.shape), what
    np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=1e-12, atol=1e-12, err_msg=what)


@pytest.mark.parametrize("name", LAYERS)
def test_values_and_gradients(name: str) -> None:
    make, make_torch, data = LAYERS[name]
    ours, theirs, array = make(), make_torch(), data()
    twin(ours, theirs)
    floating = array.dtype.kind == "f"
    x, t = Tensor(array, requires_grad=floating), torch.tensor(array, requires_grad=floating)
    y, u = ours(x), theirs(t)
    same(y, u, "value")
    (y * y).sum().backward()
    (u * u).sum().backward()
    if floating:
        same(x.grad, t.grad, "gradient by the input")
    gradients = {n: p.grad for n, p in theirs.named_parameters()}
    for n, p in ours.named_parameters():
        same(p.grad, gradients[n], f"gradient by {n}")


@pytest.mark.parametrize("name", ["linear", "embedding", "layer_norm", "conv2d", "conv1d"])
def test_first_values_are_distributed_as_torchs(name: str) -> None:
    """No first value is larger than those of twenty of PyTorch's layers, but for chance."""
    manual_seed(0)
    torch.manual_seed(0)
    make, make_torch, _ = LAYERS[name]
    references = [dict(make_torch().named_parameters()) for _ in range(20)]
    for (n, p), (m, q) in zip(make().named_parameters(), references[0].items()):
        limit = max(float(r[m].detach().abs().max()) for r in references)
        assert p.shape == tuple(q.shape), n
        assert float(p.abs().max().item()) <= 1.25 * limit, n


class TorchBlock(T.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = T.LayerNorm(width), T.LayerNorm(width)
        self.c_attn, self.c_proj = T.Linear(width, 3 * width), T.Linear(width, width)
        self.up, self.down = T.Linear(width, 4 * width), T.Linear(4 * width, width)

    def forward(self, x: Any) -> Any:
        x = x + attend(self, self.ln_1(x), torch.nn.functional.scaled_dot_product_attention)
        return x + self.down(torch.nn.functional.gelu(self.up(self.ln_2(x))))


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + attend(self, self.ln_1(x), Tensor.scaled_dot_product_attention)
        return x + self.down(self.up(self.ln_2(x)).gelu())


def attend(block: Any, x: Any, attention: Any) -> Any:
    batch, time, width = x.shape
    parts = [p.reshape(batch, time, block.heads, -1).transpose(1, 2) for p in block.c_attn(x).split(width, -1)]
    y = attention(*parts, is_causal=True)
    return block.c_proj(y.transpose(1, 2).reshape(batch, time, width))


def test_a_gpt_block() -> None:
    torch.manual_seed(0)
    ours, theirs = Block(16, 4), TorchBlock(16, 4)
    twin(ours, theirs)
    array = np.random.default_rng(0).normal(size=(3, 7, 16))
    x, t = Tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    targets = np.random.default_rng(1).integers(0, 16, (3, 7))
    loss, expected = ours(x).cross_entropy(Tensor(targets)), theirs(t).movedim(-1, 1)
    reference = torch.nn.functional.cross_entropy(expected, torch.tensor(targets))
    same(loss, reference, "loss")
    loss.backward()
    reference.backward()
    same(x.grad, t.grad, "gradient by the input")
    gradients = {n: p.grad for n, p in theirs.named_parameters()}
    Tensor.realize(*[p.grad for p in ours.parameters() if p.grad is not None])
    for n, p in ours.named_parameters():
        same(p.grad, gradients[n], f"gradient by {n}")


def test_a_future_token_cannot_change_the_past() -> None:
    block = Block(8, 2)
    array = np.random.default_rng(0).normal(size=(1, 5, 8)).astype(np.float32)
    changed = array.copy()
    changed[:, 3:] += 1
    np.testing.assert_array_equal(block(Tensor(array)).numpy()[:, :3], block(Tensor(changed)).numpy()[:, :3])


def test_batch_norm_learns_its_statistics_in_training_only() -> None:
    ours, theirs = nn.BatchNorm2d(4, momentum=0.3), T.BatchNorm2d(4, momentum=0.3)
    twin(ours, theirs)
    for seed in range(3):
        array = np.random.default_rng(seed).normal(seed, 2, (2, 4, 3, 3))
        same(ours(Tensor(array)), theirs(torch.tensor(array)), "in training")
    for name, t in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[name].numpy(), t.numpy(), rtol=1e-12, err_msg=name)
    ours.eval()
    theirs.eval()
    array = np.random.default_rng(9).normal(size=(1, 4, 3, 3))
    same(ours(Tensor(array)), theirs(torch.tensor(array)), "in evaluation")
    assert ours.num_batches_tracked.item() == 3
    for wrong in (Tensor.ones(2, 3, 4, 4), Tensor.ones(2, 4, 4)):
        with pytest.raises(ShapeError, match="channels"):
            ours(wrong)
    with pytest.raises(ShapeError, match="no variance"):
        nn.BatchNorm1d(2)(Tensor.ones(1, 2))


def test_losses_as_modules() -> None:
    x, t = Tensor([[0.5, -1.0]]), Tensor([1])
    assert nn.CrossEntropyLoss(reduction="sum")(x, t).item() == pytest.approx(x.cross_entropy(t).item())
    assert nn.MSELoss()(x, x + 2).item() == 4


def test_dropout_keeps_the_mean_and_is_checked() -> None:
    manual_seed(0)
    x = Tensor.ones(5000)
    assert nn.Dropout(0.3)(x).mean().item() == pytest.approx(1, abs=0.05)
    assert nn.Dropout(1.0)(x).sum().item() == 0
    assert nn.Dropout(0.0)(x) is x
    for p in (-0.5, 1.5):
        with pytest.raises(ArgumentError, match="probability"):
            nn.Dropout(p)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ArgumentError, match="groups"):
        nn.Conv2d(3, 4, 3, groups=2)
    with pytest.raises(ArgumentError, match="2 dimensions"):
        nn.Conv2d(3, 4, (3, 3, 3))
    with pytest.raises(ArgumentError, match="groups"):
        nn.GroupNorm(3, 4)
    with pytest.raises(ShapeError, match="divide"):
        Tensor.ones(2, 4).group_norm(3)
    with pytest.raises(ShapeError, match="statistics"):
        Tensor.ones(2, 4).batch_norm(Tensor.ones(3), Tensor.ones(4))
    with pytest.raises(BoundsError, match="padding_idx"):
        nn.Embedding(3, 2, padding_idx=3)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("uniform_", (-1, 2)),
        ("normal_", (1, 2)),
        ("xavier_uniform_", (2,)),
        ("xavier_normal_", ()),
        ("kaiming_uniform_", (0.5,)),
        ("kaiming_normal_", (0, "fan_out", "relu")),
        ("zeros_", ()),
        ("ones_", ()),
        ("constant_", (3,)),
    ],
)
def test_initializers_have_torchs_moments(name: str, args: tuple[Any, ...]) -> None:
    manual_seed(0)
    torch.manual_seed(0)
    ours, theirs = Tensor.zeros(60, 40, 3, requires_grad=True), torch.zeros(60, 40, 3)
    result = getattr(nn.init, name)(ours, *args)
    getattr(torch.nn.init, name)(theirs, *args)
    assert result is ours
    assert ours.is_leaf
    values = ours.numpy()
    assert values.mean() == pytest.approx(theirs.mean().item(), abs=0.1 * max(1, theirs.std().item()))
    assert values.std() == pytest.approx(theirs.std().item(), rel=0.05)


def test_initializers_check_their_arguments() -> None:
    assert nn.init.calculate_gain("leaky_relu", 0.2) == pytest.approx(math.sqrt(2 / 1.04))
    with pytest.raises(ArgumentError, match="gain"):
        nn.init.calculate_gain("step")
    with pytest.raises(ArgumentError, match="fan_in"):
        nn.init.kaiming_normal_(Tensor.zeros(2, 2), mode="fan")
    with pytest.raises(ValueError, match="two dimensions"):
        nn.init.xavier_normal_(Tensor.zeros(2))


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_a_convolution_may_pad_each_side_by_itself(mode: str) -> None:
    rng = np.random.default_rng(0)
    for kind, sides in ((nn.Conv1d, (2, 1)), (nn.Conv2d, (1, 2, 0, 3)), (nn.Conv3d, (0, 1, 2, 0, 1, 1))):
        shape = (2, 2, *(5 + k for k in range(len(sides) // 2)))
        layer = kind(2, 3, 3, padding=sides, padding_mode=mode, device="NUMPY")
        x = rng.standard_normal(shape).astype("float32")
        padded = T.functional.pad(torch.tensor(x), sides, mode="constant" if mode == "zeros" else mode)
        weights = (torch.tensor(p.numpy()) for p in (layer.weight, layer.bias))
        expected = getattr(T.functional, f"conv{len(sides) // 2}d")(padded, *weights)
        np.testing.assert_allclose(layer(Tensor(x, device="NUMPY")).numpy(), expected.numpy(), rtol=1e-4, atol=1e-5)
    with pytest.raises(ArgumentError, match="padding"):
        nn.Conv2d(2, 3, 3, padding=(1, 2, 3))


TRUTHS = [
    lambda nn, t: nn.Linear(2, 3, t),
    lambda nn, t: nn.Conv2d(2, 2, 1, bias=t),
    lambda nn, t: nn.LayerNorm(2, 1e-5, t),
]
TRUTHS += [lambda nn, t: nn.BatchNorm1d(2, affine=t), lambda nn, t: nn.GRU(2, 3, bidirectional=t)]
TRUTHS += [lambda nn, t: nn.MultiheadAttention(4, 2, bias=t), lambda nn, t: nn.Sequential(nn.ReLU(t), nn.Linear(2, 2))]


@pytest.mark.parametrize("make", TRUTHS)
@pytest.mark.parametrize("truth", [0, 1, False, True, np.int64(0), np.bool_(True)], ids=repr)
def test_whether_is_asked_of_numbers_too(make: Any, truth: Any) -> None:
    ours, theirs = make(nn, truth), make(torch.nn, truth)
    assert {k: tuple(v.shape) for k, v in ours.state_dict().items()} == {
        k: tuple(v.shape) for k, v in theirs.state_dict().items()
    }


def test_other_numbers_are_no_truth() -> None:
    for wrong in (2, -1, 0.5, "yes"):
        with pytest.raises(TypeError, match="True or False"):
            nn.Linear(2, 3, bias=wrong)
