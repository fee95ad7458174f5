"""Checkpoints: one file with tensors and a manifest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lazygrad.errors import FileFormatError
from lazygrad.io import write_arrays
from lazygrad.train import checkpoint as module
from lazygrad.train.checkpoint import read_checkpoint, write_checkpoint


def test_everything_comes_back_bit_for_bit(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    generator = np.random.default_rng(7)
    weights = {"h.0.w": generator.standard_normal((3, 4)), "b": generator.standard_normal(5).astype(np.float32)}
    manifest = {"step": 3, "loss": 0.1 + 0.2, "generator": generator.bit_generator.state, "nested": {"a": [1, None]}}
    write_checkpoint(path, {"model": weights, "optimizer": {}}, manifest)
    expected = generator.random(5)
    read = read_checkpoint(path)
    assert read.manifest == manifest
    assert read.groups["optimizer"] == {}
    for name, array in weights.items():
        np.testing.assert_array_equal(read.group("model")[name].array, array)
    other = np.random.default_rng(0)
    other.bit_generator.state = read.entry("generator")
    np.testing.assert_array_equal(other.random(5), expected)


def test_the_file_can_be_replaced_while_its_arrays_are_in_use(tmp_path: Path) -> None:
    path = tmp_path / "c"
    write_checkpoint(path, {"model": {"w": np.ones(3)}}, {})
    read = read_checkpoint(path)
    write_checkpoint(path, {"model": {"w": np.zeros(3)}}, {})
    assert read.group("model")["w"].array.tolist() == [1, 1, 1]


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c"
    write_checkpoint(path, {"model": {"w": np.ones(3)}}, {"step": 1})
    read = read_checkpoint(path)
    with pytest.raises(FileFormatError, match="has no optimizer in it; it has model"):
        read.group("optimizer")
    with pytest.raises(FileFormatError, match="its manifest has no seconds"):
        read.entry("seconds")
    monkeypatch.setattr(module, "VERSION", 2)
    with pytest.raises(FileFormatError, match="version 1; this lazygrad reads 2"):
        read_checkpoint(path)
    write_arrays(path, {"w": np.ones(3)})
    with pytest.raises(FileFormatError, match="is not a lazygrad checkpoint"):
        read_checkpoint(path)
    with pytest.raises(FileFormatError, match="there is no such file"):
        read_checkpoint(tmp_path / "absent")
