"""A reader gets one file, whole, though another process saves to its name at any moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lazygrad.errors import FileFormatError
from lazygrad.io import read_arrays, write_arrays
from lazygrad.io import safetensors as module


def test_what_is_read_is_one_file_though_others_are_saved_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may save between any two looks of a reader at the file: also one with other names and sizes."""
    path, saved = tmp_path / "a", iter(range(1, 1000))

    def save() -> None:
        n = next(saved)
        write_arrays(path, {f"t{i}": np.full(n % 5 + i, n) for i in range(n % 4 + 1)}, {"n": str(n)})

    def between(name: str, owner: Any, saves: list[bool]) -> None:
        right = getattr(owner, name)

        def wrong(*args: Any, **named: Any) -> Any:
            if saves and saves.pop():
                save()
            result = right(*args, **named)
            if saves and saves.pop():
                save()
            return result

        monkeypatch.setattr(owner, name, wrong)

    for name, owner in (("safe_open", module), ("parse_json", module), ("memmap", np), ("_identity", module)):
        for pattern in ([True], [False, True], [True, True], [True, False, True, False, True], [True] * 60):
            save()
            between(name, owner, pattern)
            arrays, metadata = read_arrays(path)
            monkeypatch.undo()
            n = int(metadata["n"])
            assert {key: (stored.array == n).all() for key, stored in arrays.items()} == {
                f"t{i}": True for i in range(n % 4 + 1)
            }
            assert [stored.array.size for stored in arrays.values()] == [n % 5 + i for i in range(n % 4 + 1)]
    between("safe_open", module, [True] * 1000)
    with pytest.raises(FileFormatError, match="is replaced again and again"):
        read_arrays(path)
    monkeypatch.undo()
    path.unlink()
    with pytest.raises(FileFormatError, match="there is no such file"):
        read_arrays(path)
