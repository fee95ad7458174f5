"""The page of a GPU's results."""

from __future__ import annotations

from typing import Any

from extra.bench.cuda_rows import Row

COPY = "copy 8192x4096"  # PyTorch's, whose rate is what passes over memory are compared with


def markdown(document: dict[str, Any]) -> str:
    """The machine, then one line for each side of each case."""
    about = document["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    lines = [
        "# lazygrad on an NVIDIA GPU",
        "",
        f"{about.get('gpu', 'no GPU')}; {about['cpu']}, {about['threads']} threads; "
        f"{about['system']}; Python {about['python']}; {packages}; commit {about['commit']}; {about['date']}.",
        "",
        "Speed: of the first side of the case, whose time is divided by this side's; above 1 is faster.",
        "",
        "| work | side | time | rate | speed | remark |",
        "|---|---|---|---|---|---|",
    ]
    for name, rows in document["results"].items():
        for row in rows:
            if row.get("error"):
                lines.append(f"| {name} | {row['side']} | not measured | | | {row['error'][:160]} |")
                continue
            speed = f"**{row['speed']:.3f}**" if row.get("speed") else ""
            remark = row.get("remark") or _of_copy(row, document["results"].get(COPY, []))
            cells = [name, row["side"], row.get("time", ""), row.get("rate", ""), speed, remark]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _of_copy(row: Row, copied: list[Row]) -> str:
    """The share of the copy's bandwidth, for passes that move as much."""
    seconds = next((other["seconds"] for other in copied if other["side"] == "torch" and "seconds" in other), None)
    is_pass = seconds is not None and row.get("rate", "").endswith("GB/s")
    return f"{seconds / row['seconds']:.1%} of the copy's bandwidth" if is_pass else ""
