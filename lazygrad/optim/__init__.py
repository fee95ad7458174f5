"""Optimizers, learning rate schedules and limits on gradients, by PyTorch's names."""

from typing import TYPE_CHECKING

from lazygrad.absent import absent_from
from lazygrad.optim import lr_scheduler, swa_utils
from lazygrad.optim.adafactor import Adafactor
from lazygrad.optim.adam import Adam, AdamW
from lazygrad.optim.adam_kin import LAMB, Adamax, Lion, NAdam, RAdam
from lazygrad.optim.adaptive import Adadelta, Adagrad, RMSprop, Rprop
from lazygrad.optim.clip import clip_grad_norm_, clip_grad_value_
from lazygrad.optim.lbfgs import LBFGS
from lazygrad.optim.lr_scheduler import (
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
from lazygrad.optim.muon import Muon
from lazygrad.optim.optimizer import Group, Optimizer
from lazygrad.optim.sgd import ASGD, SGD

__all__ = [
    "ASGD",
    "LAMB",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "ConstantLR",
    "CosineAnnealingLR",
    "ExponentialLR",
    "Group",
    "InverseTimeLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "Lion",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "StepLR",
    "WarmupCosineLR",
    "clip_grad_norm_",
    "clip_grad_value_",
    "lr_scheduler",
    "swa_utils",
]

if not TYPE_CHECKING:
    __getattr__ = absent_from("lazygrad.optim")
