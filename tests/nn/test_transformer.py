"""Attention and transformers against PyTorch's, in float64: what its own samples leave out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lazygrad import Tensor, nn
from lazygrad.errors import ArgumentError, DTypeError, ShapeError
from lazygrad.nn import functional as F  # noqa: N812

ATTENTIONS: list[dict[str, Any]] = [
    {}, {"kdim": 5, "vdim": 3}, {"add_bias_kv": True, "add_zero_attn": True}, {"bias": False, "batch_first": True},
]  # fmt: skip


def here(x: torch.Tensor | None) -> Tensor | None:
    return None if x is None else Tensor(x.detach().numpy(), device="NUMPY", requires_grad=x.requires_grad)


def twins(kind: str, *args: Any, **settings: Any) -> tuple[Any, Any]:
    torch.manual_seed(2)
    theirs = getattr(torch.nn, kind)(*args, **settings, dtype=torch.float64)
    ours = getattr(nn, kind)(*args, **settings, dtype="float64", device="NUMPY")
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    return ours, theirs


def close(a: Any, b: Any) -> None:
    assert (a is None) == (b is None)
    if a is not None:
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("settings", ATTENTIONS)
@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("average", [True, False])
@pytest.mark.parametrize("masks", ["none", "padding", "causal", "heads", "float"])
def test_attention(settings: dict[str, Any], need_weights: bool, average: bool, masks: str) -> None:
    ours, theirs = twins("MultiheadAttention", 4, 2, **settings)
    shapes = [(3, 2, 4), (6, 2, settings.get("kdim", 4)), (6, 2, settings.get("vdim", 4))]
    three = [torch.randn(s, dtype=torch.float64) for s in shapes]
    if settings.get("batch_first"):
        three = [t.transpose(0, 1).contiguous() for t in three]
    for t in three:
        t.requires_grad_()
    options: dict[str, Any] = {}
    if masks == "padding":
        options["key_padding_mask"] = torch.tensor([[False] * 4 + [True] * 2, [False] * 6])
    elif masks == "causal":
        options["attn_mask"] = torch.ones(3, 6, dtype=torch.bool).triu(3)
    elif masks == "heads":
        options["attn_mask"] = torch.randn(4, 3, 6) > 1.5
    elif masks == "float":
        options["attn_mask"] = torch.randn(3, 6, dtype=torch.float64)
        options["key_padding_mask"] = torch.randn(2, 6, dtype=torch.float64)
    mine = [here(t) for t in three]
    a = ours(*mine, need_weights=need_weights, average_attn_weights=average, **{k: here(v) for k, v in options.items()})
    b = theirs(*three, need_weights=need_weights, average_attn_weights=average, **options)
    close(a[0], b[0])
    close(a[1], b[1])
    a[0].sin().sum().backward()
    b[0].sin().sum().backward()
    for x, y in zip(mine, three):
        close(x.grad, y.grad)
    known = dict(theirs.named_parameters())
    for name, p in ours.named_parameters():
        close(p.grad, known[name].grad)


@pytest.mark.parametrize("settings", [{}, {"is_causal": True}, {"scale": 0.3}, {"enable_gqa": True}])
def test_scaled_dot_product(settings: dict[str, Any]) -> None:
    heads = 2 if settings.get("enable_gqa") else 4
    q, k, v = (torch.randn(2, h, 5, 3, dtype=torch.float64) for h in (4, heads, heads))
    wanted = torch.nn.functional.scaled_dot_product_attention(q, k, v, **settings)
    close(F.scaled_dot_product_attention(here(q), here(k), here(v), **settings), wanted)


def test_static_keys_and_values() -> None:
    x, w = torch.randn(3, 2, 4, dtype=torch.float64), torch.randn(12, 4, dtype=torch.float64)
    k, v = torch.randn(4, 5, 2, dtype=torch.float64), torch.randn(4, 5, 2, dtype=torch.float64)
    args = (4, 2, None, None, None, False, 0.0)
    out = torch.randn(4, 4, dtype=torch.float64)

    def call(function: Any, given: Any) -> Any:
        e, h, *rest = args
        return function(given(x), given(x), given(x), e, h, given(w), *rest, given(out), None,
                        static_k=given(k), static_v=given(v))  # fmt: skip

    a = call(F.multi_head_attention_forward, here)
    b = call(torch.nn.functional.multi_head_attention_forward, lambda t: t)
    close(a[0], b[0])
    close(a[1], b[1])


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("batch_first", [True, False])
def test_transformer(norm_first: bool, activation: str, batch_first: bool) -> None:
    settings = {"norm_first": norm_first, "activation": activation, "batch_first": batch_first}
    sizes = {"num_encoder_layers": 2, "num_decoder_layers": 2, "dim_feedforward": 6, "dropout": 0.0}
    ours, theirs = twins("Transformer", 4, 2, **sizes, **settings)
    src, tgt = (torch.randn(s, dtype=torch.float64, requires_grad=True) for s in ((2, 5, 4), (2, 3, 4)))
    if not batch_first:
        src, tgt = (t.detach().transpose(0, 1).contiguous().requires_grad_() for t in (src, tgt))
    causal = torch.nn.Transformer.generate_square_subsequent_mask(3, dtype=torch.float64)
    close(nn.Transformer.generate_square_subsequent_mask(3, "NUMPY", "float64"), causal)
    padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    options = {"tgt_mask": causal, "src_key_padding_mask": padding, "memory_key_padding_mask": padding}
    floats = {k: v if v.dtype.is_floating_point else torch.zeros_like(v, dtype=torch.float64).masked_fill(v, -np.inf)
              for k, v in options.items()}  # fmt: skip
    mine = [here(src), here(tgt)]
    a = ours(*mine, **{k: here(v) for k, v in options.items()}, tgt_is_causal=True)
    b = theirs(src, tgt, **floats, tgt_is_causal=True)
    close(a, b)
    a.sin().sum().backward()
    b.sin().sum().backward()
    for x, y in zip(mine, (src, tgt)):
        close(x.grad, y.grad)
    known = dict(theirs.named_parameters())
    for name, p in ours.named_parameters():
        np.testing.assert_allclose(p.grad.numpy(), known[name].grad.numpy(), rtol=1e-8, atol=1e-11)


def test_errors() -> None:
    x = Tensor.ones(3, 2, 4, device="NUMPY")
    attention = nn.MultiheadAttention(4, 2, device="NUMPY")
    with pytest.raises(ArgumentError, match="do not divide"):
        nn.MultiheadAttention(4, 3)
    with pytest.raises(ShapeError, match="are not as many"):
        attention(x, x, x[:2])
    with pytest.raises(ShapeError, match="attn_mask is of shape"):
        attention(x, x, x, attn_mask=x[0, 0])
    with pytest.raises(ArgumentError, match="is_causal is a hint"):
        attention(x, x, x, is_causal=True)
    with pytest.raises(DTypeError, match="a bool or a float"):
        attention(x, x, x, key_padding_mask=Tensor.ones(2, 3, dtype="int64", device="NUMPY"))
    with pytest.raises(ArgumentError, match="activation is"):
        nn.TransformerEncoderLayer(4, 2, activation="tanh")
    with pytest.raises(ShapeError, match="batches of"):
        nn.Transformer(4, 2, 1, 1, 6, device="NUMPY")(x, x[:, :1])
    with pytest.raises(ShapeError, match="do not divide"):
        F.scaled_dot_product_attention(x.unsqueeze(0), x[:2].unsqueeze(0), x[:2].unsqueeze(0), enable_gqa=True)
