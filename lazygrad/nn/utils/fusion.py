"""Normalization by running statistics made part of the layer before it, for evaluation."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from lazygrad.errors import ArgumentError, fail
from lazygrad.nn.module import Module
from lazygrad.nn.parameter import Parameter
from lazygrad.tensor import Tensor

Layer = TypeVar("Layer", bound=Module)


def fuse_conv_bn_eval(conv: Layer, bn: Module, transpose: bool = False) -> Layer:
    """A convolution that does what `conv` and then the batch normalization `bn` do in evaluation.

    `transpose` for transposed convolutions. ArgumentError for modules in training, and for a `bn` that keeps no
    statistics.

    >>> conv, bn = nn.Conv2d(1, 2, 3).eval(), nn.BatchNorm2d(2).eval()
    >>> x = Tensor.randn(1, 1, 4, 4)
    >>> fuse_conv_bn_eval(conv, bn)(x).allclose(bn(conv(x)), atol=1e-5)
    True
    """
    return _fused("fuse_conv_bn_eval", conv, bn, transpose)


def fuse_linear_bn_eval(linear: Layer, bn: Module) -> Layer:
    """A linear layer that does what `linear` and then the batch normalization `bn` do in evaluation; see
    `fuse_conv_bn_eval`.

    >>> linear, bn = nn.Linear(3, 2).eval(), nn.BatchNorm1d(2).eval()
    >>> x = Tensor.randn(4, 3)
    >>> fuse_linear_bn_eval(linear, bn)(x).allclose(bn(linear(x)), atol=1e-5)
    True
    """
    outputs, features = getattr(linear, "out_features", None), getattr(bn, "num_features", None)
    if features not in (outputs, 1):
        fail(ArgumentError, f"fuse_linear_bn_eval: {outputs} outputs are normalized by statistics of {features}")
    return _fused("fuse_linear_bn_eval", linear, bn, False)


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Tensor, Tensor]:
    """The weight and the bias of a convolution behind which outputs are normalized; see `fuse_conv_bn_eval`.

    Args:
        conv_w, conv_b: weight (out, in, ...), with `transpose` (in, out, ...), and bias (out,) before.
        bn_rm, bn_rv, bn_eps: running mean (out,), running variance (out,) and what is added to it.
        bn_w, bn_b: factor and shift of the normalized, both (out,).

    >>> one, two = Tensor.ones(1), Tensor.ones(1) * 2
    >>> fuse_conv_bn_weights(Tensor.ones(1, 1, 1), None, one, one, 0.0, two, None)
    (tensor([[[2.]]]), tensor([-2.]))
    """
    scale = (bn_rv + bn_eps).rsqrt() if bn_w is None else (bn_rv + bn_eps).rsqrt() * bn_w
    shape = [1, -1] if transpose else [-1, 1]
    weight = conv_w * scale.reshape(shape + [1] * (conv_w.ndim - 2))
    bias = (-bn_rm if conv_b is None else conv_b - bn_rm) * scale
    bias = bias if bn_b is None else bias + bn_b
    kind = conv_w.dtype if conv_b is None else conv_b.dtype
    trained = conv_w.requires_grad, conv_b is not None and conv_b.requires_grad
    return Parameter(weight.detach().cast(conv_w.dtype), trained[0]), Parameter(bias.detach().cast(kind), trained[1])


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """The weight (out, in) and the bias (out,) of a linear layer behind which outputs are normalized; see
    `fuse_conv_bn_weights`.

    >>> fuse_linear_bn_weights(Tensor.ones(1, 1), Tensor.ones(1), Tensor.ones(1), Tensor.ones(1), 0.0, None, None)
    (tensor([[1.]]), tensor([0.]))
    """
    return fuse_conv_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)


def _fused(what: str, layer: Layer, bn: Any, transpose: bool) -> Layer:
    if layer.training or bn.training:
        fail(ArgumentError, f"{what}: both modules have to be in evaluation; call .eval()")
    if bn.running_mean is None or bn.running_var is None:
        fail(ArgumentError, f"{what}: {bn!r} keeps no statistics: there is nothing to normalize by")
    fused: Any = copy.deepcopy(layer)
    statistics = bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    fused.weight, fused.bias = fuse_conv_bn_weights(fused.weight, fused.bias, *statistics, transpose)
    return fused  # type: ignore[no-any-return]
