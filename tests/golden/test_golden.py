"""The text of every stage is what it was: a change shows in review.

After an intended change: UPDATE_GOLDEN=1 python -m pytest tests/golden
"""

from __future__ import annotations

import difflib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.golden.programs import PROGRAMS, stages

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent
UPDATE = os.environ.get("UPDATE_GOLDEN", "") not in ("", "0")


@pytest.mark.parametrize("name", PROGRAMS)
def test_stages_are_as_recorded(name: str) -> None:
    path, now = FOLDER / f"{name}.txt", stages(name)
    if UPDATE:
        path.write_text(now, encoding="utf-8")
    recorded = path.read_text(encoding="utf-8") if path.exists() else ""
    changed = difflib.unified_diff(recorded.splitlines(), now.splitlines(), str(path.name), "now", lineterm="", n=2)
    assert now == recorded, "UPDATE_GOLDEN=1 records this:\n" + "\n".join(changed)


def test_no_record_is_left_over() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(PROGRAMS)


@pytest.mark.parametrize("seed", ["1", "20"])
def test_stages_do_not_depend_on_the_process(seed: str) -> None:
    """The order of sets and of addresses is another one in every process; the text is not."""
    names = ["softmax", "matmul", "embedding_gradient", "layernorm"]
    code = f"from tests.golden.programs import stages\nfor name in {names}: print(stages(name))"
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    made = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert made.stdout == "".join(stages(name) + "\n" for name in names)
