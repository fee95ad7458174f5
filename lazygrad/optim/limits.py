"""What the settings of an optimizer may be: a nan among them would reach every parameter in one step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lazygrad.errors import ArgumentError, fail

_NOT_NEGATIVE = frozenset(
    {"d", "eps", "initial_accumulator_value", "lambd", "lr", "lr_decay", "momentum", "momentum_decay", "weight_decay"}
)
OF_SCHEDULES = frozenset(  # what schedules keep in a group
    {"initial_lr", "max_lr", "min_lr", "swa_lr", "base_momentum", "max_momentum"}
)
_FRACTIONS = frozenset({"rho", "alpha"})
_IMPLEMENTATION = frozenset({"foreach", "fused", "capturable", "differentiable"})


def is_number(value: Any) -> bool:
    """Whether `value` is a finite real number, Python's or NumPy's."""
    return isinstance(value, (int, float, np.integer, np.floating)) and math.isfinite(value)


def check_setting(what: str, name: str, value: Any) -> None:
    """ArgumentError for a setting that makes no sense, naming `what` has it; settings of other names may be anything.

    >>> check_setting("SGD", "momentum", 0.9)
    """
    if name in _NOT_NEGATIVE and not (is_number(value) and value >= 0):
        fail(ArgumentError, f"{what}: {name}={value!r} must be a finite number that is not negative")
    if name in _FRACTIONS and not (is_number(value) and 0 <= value <= 1):
        fail(ArgumentError, f"{what}: {name}={value!r} must be a number in [0, 1]")
    if name == "betas":
        fits = isinstance(value, (tuple, list)) and len(value) == 2
        if not fits or not all(is_number(beta) and 0 <= beta < 1 for beta in value):
            fail(ArgumentError, f"{what}: betas {value!r} must be two numbers in [0, 1)")


def check_implementation(what: str, chosen: dict[str, Any]) -> None:
    """PyTorch's choices among its implementations mean nothing here; TypeError for other arguments, ArgumentError for
    `differentiable`, which changes what a step is."""
    if unknown := set(chosen) - _IMPLEMENTATION:
        raise TypeError(f"{what}() got an unexpected keyword argument {min(unknown)!r}")
    if chosen.get("differentiable"):
        fail(ArgumentError, f"{what}: differentiable=True: a step records no gradients; write it as plain operations")


def check_finite(what: str, **numbers: Any) -> None:
    """ArgumentError unless all `numbers` are finite, naming `what` takes them and which is not."""
    for name, value in numbers.items():
        if not is_number(value):
            fail(ArgumentError, f"{what}: {name}={value!r} must be a finite number")


def check_steps(what: str, name: str, steps: Any, least: int) -> None:
    """ArgumentError unless `steps` is a whole number, at least `least`."""
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < least:
        fail(ArgumentError, f"{what}: {name}={steps!r} must be a whole number of steps, {least} or more")
