"""Learning rate schedules, by PyTorch's names. No logic is here."""

from lazygrad.optim.combined import ChainedScheduler, SequentialLR
from lazygrad.optim.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts, WarmupCosineLR
from lazygrad.optim.cycles import CyclicLR, OneCycleLR
from lazygrad.optim.decay import (
    ConstantLR,
    ExponentialLR,
    InverseTimeLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from lazygrad.optim.plateau import ReduceLROnPlateau
from lazygrad.optim.schedule import LambdaLR, LRScheduler, MultiplicativeLR

_LRScheduler = LRScheduler  # the older name, which programs derive from

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "InverseTimeLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
    "WarmupCosineLR",
]
