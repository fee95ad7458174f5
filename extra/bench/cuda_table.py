"""The page of a GPU's results."""

from __future__ import annotations

from typing import Any


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
            cells = [name, row["side"], row.get("time", ""), row.get("rate", ""), speed, row.get("remark", "")]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
