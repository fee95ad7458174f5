"""Rotary positions: pairs of features are turned by angles that grow with the position, each pair at its own speed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lazygrad.errors import ArgumentError, FileFormatError
from lazygrad.index.expr import Dim
from lazygrad.io.json_table import JsonTable
from lazygrad.ops.joining import cat
from lazygrad.tensor import Tensor

Speeds = npt.NDArray[np.float64]  # radians per position, one for each pair of features


@dataclass(frozen=True, kw_only=True)
class Rotary:
    """How fast features turn, by the names in `config.json` (`rope_parameters`, or `rope_theta` and `rope_scaling`).

    Args:
        rope_type: "default"; "linear": `factor` times as slow; "llama3" and "yarn": only slow pairs are slowed down.
        rope_theta: pair i of n turns by rope_theta ** (-i / n) radians from one position to the next.
        factor: how many times as long texts may be as those that the model has learned from.
        original_max_position_embeddings: how long these were; None for the model's own limit.
        low_freq_factor, high_freq_factor: llama3: pairs that turn less than the first many times in a text of that
            length are slowed down, those that turn more than the second many times are not, and in between a part.
        beta_fast, beta_slow: the same of yarn, the other way round.
        attention_factor: yarn: what cosines and sines are multiplied by; None for 0.1 * log(factor) + 1.
    """

    rope_type: str = "default"
    rope_theta: float = 10000.0
    factor: float = 1.0
    original_max_position_embeddings: int | None = None
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    attention_factor: float | None = None

    def __post_init__(self) -> None:
        if self.rope_type not in _KINDS:
            raise ArgumentError(f"rope_type is {self.rope_type!r:.60}; the kinds are {', '.join(_KINDS)}")
        if self.rope_theta < 1 or self.factor < 1 or self.original_max_position_embeddings == 0:
            raise ArgumentError(f"{self} has a theta, a factor or a length below 1")
        if self.high_freq_factor <= self.low_freq_factor:
            raise ArgumentError(f"high_freq_factor {self.high_freq_factor} is not above {self.low_freq_factor}")

    @staticmethod
    def of_json(table: JsonTable) -> Rotary:
        """What a file says in either spelling; FileFormatError for what is not offered."""
        values: dict[str, Any] = {"rope_theta": table.number("rope_theta")} if table.given("rope_theta") else {}
        spelling = next((name for name in ("rope_parameters", "rope_scaling") if table.given(name)), None)
        inner = table.table(spelling) if spelling else JsonTable(table.path, table.what, {})
        for name in ("type", "rope_type"):
            if inner.given(name):
                values["rope_type"] = inner.text(name)
        for name in ("mscale", "mscale_all_dim", "truncate"):
            if inner.given(name) and inner.entry(name) is not True:
                raise FileFormatError(table.path, f"has {name} {inner.entry(name)!r:.60}, which is not implemented")
        if inner.given("partial_rotary_factor") and inner.number("partial_rotary_factor") != 1:
            raise FileFormatError(table.path, "turns a part of the features (partial_rotary_factor); not implemented")
        if inner.given("original_max_position_embeddings"):
            values["original_max_position_embeddings"] = inner.integer("original_max_position_embeddings")
        numbers = ("rope_theta", "factor", "low_freq_factor", "high_freq_factor", "beta_fast", "beta_slow")
        for name in (*numbers, "attention_factor"):
            if inner.given(name):
                values[name] = inner.number(name)
        try:
            return Rotary(**values)
        except ArgumentError as error:
            raise FileFormatError(table.path, str(error)) from None

    def to_json(self) -> dict[str, Any]:
        """The entries that this kind has."""
        names = ("rope_type", "rope_theta", *_ENTRIES[self.rope_type])
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def speeds(self, features: int, longest: int) -> Speeds:
        """Radians per position of each of the `features` / 2 pairs, in a model that takes `longest` tokens."""
        plain = self.rope_theta ** (-np.arange(0, features, 2) / features)
        return _KINDS[self.rope_type](self, plain, self.original_max_position_embeddings or longest)

    @property
    def scale(self) -> float:
        """What cosines and sines are multiplied by."""
        if self.rope_type != "yarn":
            return 1.0
        return 0.1 * math.log(self.factor) + 1 if self.attention_factor is None else self.attention_factor


def _default(rotary: Rotary, plain: Speeds, length: int) -> Speeds:
    return plain


def _linear(rotary: Rotary, plain: Speeds, length: int) -> Speeds:
    return plain / rotary.factor


def _llama3(rotary: Rotary, plain: Speeds, length: int) -> Speeds:
    turns = length * plain / (2 * math.pi)  # in a text as long as those it has learned from
    low, high = rotary.low_freq_factor, rotary.high_freq_factor
    kept = np.clip((turns - low) / (high - low), 0, 1)
    return plain * (kept + (1 - kept) / rotary.factor)


def _yarn(rotary: Rotary, plain: Speeds, length: int) -> Speeds:
    features, theta = 2 * len(plain), rotary.rope_theta

    def pair(turns: float) -> float:
        """Which pair, counted in features, turns so many times."""
        return features * math.log(length / (turns * 2 * math.pi)) / (2 * math.log(theta))

    low = max(math.floor(pair(rotary.beta_fast)), 0)
    high = min(math.ceil(pair(rotary.beta_slow)), features - 1)
    slowed = np.clip((np.arange(len(plain)) - low) / (high - low or 0.001), 0, 1)
    return plain * (1 - slowed + slowed / rotary.factor)


_KINDS: dict[str, Callable[[Rotary, Speeds, int], Speeds]] = {
    "default": _default, "linear": _linear, "llama3": _llama3, "yarn": _yarn
}  # fmt: skip
_ENTRIES: dict[str, tuple[str, ...]] = {
    "default": (),
    "linear": ("factor",),
    "llama3": ("factor", "original_max_position_embeddings", "low_freq_factor", "high_freq_factor"),
    "yarn": ("factor", "original_max_position_embeddings", "beta_fast", "beta_slow", "attention_factor"),
}


def turned(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """`x` (..., time, features) with feature i and feature i + features / 2 turned by one angle."""
    first, second = x.chunk(2, dim=-1)
    return x * cosines + cat([-second, first], dim=-1) * sines


def angles(time: Dim, speeds: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines (time, features) of positions 0 to time - 1; `speeds` has features / 2 of them."""
    turns = Tensor.arange(time, device=speeds.device).cast(speeds.dtype)[:, None] * speeds
    both = cat([turns, turns], dim=-1)
    return both.cos() * scale, both.sin() * scale
