"""Loss curves as PNG files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lazygrad.train.plot import plot_curves


def test_a_curve_becomes_a_png(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "loss.png"
    assert plot_curves(path, {"train": [(i, 1 / i) for i in range(1, 100)], "validation": [(5, 0.5)], "none": []}, "t")
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(content) > 5_000
    assert plot_curves(path, {})  # nothing to draw is not an error


def test_without_matplotlib_nothing_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, name, None)
    assert not plot_curves(tmp_path / "loss.png", {"train": [(0, 1.0)]})
    assert list(tmp_path.iterdir()) == []
