"""Whatever numbers a plan or a model's sizes take, their checkpoint gives back; others are refused at once."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lazygrad.errors import ArgumentError
from lazygrad.models.gpt import GPTConfig
from lazygrad.train import TrainingPlan, read_checkpoint, write_checkpoint

NUMBERS: list[Any] = [
    0, 1, 4, 5.0, 0.5, True, False, None, "1", "a", [1], {}, 1j, -1, 2**53, 2**63 - 1, 2**63, 2**64, 10**30, 10**400,
    1e-320, 1e308, float("nan"), float("inf"), np.int8(4), np.int64(5), np.uint64(2**63), np.float16(0.5),
    np.float32(1e-3), np.float64(0.25), np.bool_(True), np.array(4), np.array([1.0]),
]  # fmt: skip


def made(kind: Any, given: dict[str, Any]) -> tuple[Any, str]:
    try:
        return kind(**given), ""
    except ArgumentError as error:
        return None, str(error)


@pytest.mark.parametrize("kind", [TrainingPlan, GPTConfig])
def test_what_is_taken_comes_back(tmp_path: Path, kind: Any) -> None:
    taken = 0
    for field in fields(kind):
        for number in NUMBERS:
            given = {"vocabulary": 4, field.name: number} if kind is GPTConfig else {field.name: number}
            record, problem = made(kind, given)
            assert record is not None or field.name in problem or "width" in problem, (given, problem)
            if record is None:
                continue
            write_checkpoint(tmp_path / "a", {"model": {"w": np.ones(1)}}, {"record": asdict(record)})
            assert read_checkpoint(tmp_path / "a").checked.record("record", kind) == record, given
            assert float(asdict(record)[field.name]) == float(number)
            taken += 1
    assert taken > 4 * len(fields(kind))


def test_models_of_a_billion_layers_are_refused() -> None:
    with pytest.raises(ArgumentError, match="layers is 1000000000; a GPT has at most"):
        GPTConfig(vocabulary=4, layers=10**9)
