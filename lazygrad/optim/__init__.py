"""Optimizers, learning rate schedules and limits on gradients, by PyTorch's names."""

from lazygrad.optim.adam import Adam, AdamW
from lazygrad.optim.clip import clip_grad_norm_, clip_grad_value_
from lazygrad.optim.optimizer import Group, Optimizer
from lazygrad.optim.schedule import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    InverseTimeLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    StepLR,
    WarmupCosineLR,
)
from lazygrad.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "ConstantLR",
    "CosineAnnealingLR",
    "ExponentialLR",
    "Group",
    "InverseTimeLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "Optimizer",
    "StepLR",
    "WarmupCosineLR",
    "clip_grad_norm_",
    "clip_grad_value_",
]
