"""Rows of the GPU's results: what one side needed for one piece of work, or why that is not known."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]


def failed(side: str, error: Exception) -> Row:
    """A side that could not be measured."""
    first = (str(error).splitlines() or [""])[0]
    return {"side": side, "error": f"{type(error).__name__}: {first}"}


def timed(
    side: str, seconds: float, rate: str = "", reference: float | None = None, remark: str = "", wrong: str = ""
) -> Row:
    """A time, and how many times faster that is than `reference` seconds.

    What is `wrong` with the results makes it an error: such a time tells where to look, and is no result.
    """
    text = f"{seconds * 1e6:.2f} us" if seconds < 1e-3 else f"{seconds * 1e3:.3f} ms"
    row = {"side": side, "seconds": seconds, "time": text, "rate": rate, "remark": remark}
    if reference is not None:
        row["speed"] = reference / seconds
    speed = f"speed {row['speed']:.3f}" if "speed" in row else ""
    if wrong:
        row["error"] = f"wrong after {text}: {wrong}"
    return {**row, "text": "  ".join(part for part in (text, rate, speed, remark) if part)}
