"""Loss curves as PNG files."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from lazygrad.io.atomic import PathLike, atomic_write

Curve = Sequence[tuple[int, float]]


def plot_curves(path: PathLike, curves: Mapping[str, Curve], title: str = "", ylabel: str = "loss") -> bool:
    """Draw each named curve of (step, value) points to a PNG file; False, drawing nothing, without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return False
    # A Figure of its own, not pyplot: no window system is looked for and no global state is left behind.
    figure = Figure(figsize=(8, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, points in curves.items():
        if points:
            steps, values = zip(*points)
            marker = "o" if len(points) <= 60 else None
            axes.plot(steps, values, label=name, linewidth=1.8 if marker else 0.9, marker=marker, markersize=3)
    axes.set(xlabel="step", ylabel=ylabel, title=title)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
    content = io.BytesIO()
    figure.savefig(content, format="png")
    with atomic_write(path) as file:
        file.write(content.getvalue())
    return True
